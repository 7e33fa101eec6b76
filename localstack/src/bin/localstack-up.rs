//! `cargo xtask localstack`: starts LocalStack and prints where it is, until it is interrupted.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use localstack::backend::{self, Choice, Settings, StartError};

const USAGE: &str = "\
cargo xtask localstack [--localstack docker|host] [--port N] [--env NAME=VALUE]...

  Starts LocalStack and prints its address. It ends with Ctrl-C. Every function gets the variables of --env.
";

/// Why LocalStack was not started.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    /// An option without its value.
    #[error("{0} wants a value\n\n{USAGE}")]
    NoValue(String),
    /// Not a port.
    #[error("--port {0:?} is not a port; allowed is 1 to 65535")]
    Port(String),
    /// Not a variable and its value.
    #[error("--env {0:?} is not NAME=VALUE")]
    Env(String),
    /// Not an option.
    #[error("{0:?} is not known here\n\n{USAGE}")]
    Unknown(String),
    /// LocalStack does not start; the message says what to do.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its address cannot be printed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Mistake> {
    let mut choice = Choice::Auto;
    let mut settings = Settings::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| Mistake::NoValue(argument.clone()));
        match argument.as_str() {
            "--localstack" => choice = value()?.parse()?,
            "--port" => {
                let port = value()?;
                settings.port = Some(port.parse().map_err(|_| Mistake::Port(port))?);
            }
            "--env" => {
                let pair = value()?;
                let (name, value) = pair.split_once('=').ok_or_else(|| Mistake::Env(pair.clone()))?;
                settings.function_env.insert(name.to_owned(), value.to_owned());
            }
            "--help" | "-h" => {
                print!("{USAGE}");
                return Ok(());
            }
            other => return Err(Mistake::Unknown(other.to_owned())),
        }
    }
    // Dropped by nothing: it ends with this process, which any signal ends.
    let localstack = backend::start(choice, settings)?;
    println!("{localstack}");
    io::stdout().flush()?;
    loop {
        thread::park();
    }
}
