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

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut choice = Choice::Auto;
    let mut settings = Settings::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value\n\n{USAGE}"));
        match argument.as_str() {
            "--localstack" => choice = value()?.parse().map_err(|error: StartError| error.to_string())?,
            "--port" => {
                let port = value()?;
                settings.port =
                    Some(port.parse().map_err(|_| format!("--port {port:?} is not a port; allowed is 1 to 65535"))?);
            }
            "--env" => {
                let pair = value()?;
                let (name, value) = pair.split_once('=').ok_or_else(|| format!("--env {pair:?} is not NAME=VALUE"))?;
                settings.function_env.insert(name.to_owned(), value.to_owned());
            }
            "--help" | "-h" => {
                print!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("{other:?} is not known here\n\n{USAGE}")),
        }
    }
    // Dropped by nothing: it ends with this process, which any signal ends.
    let localstack = backend::start(choice, settings).map_err(|error| error.to_string())?;
    println!("{localstack}");
    io::stdout().flush().map_err(|error| error.to_string())?;
    loop {
        thread::park();
    }
}
