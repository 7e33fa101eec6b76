//! `cargo xtask inject`.

use std::process::ExitCode;

use clap::Parser;
use localstack::operator::inject;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match inject::run(inject::Arguments::parse(), &mut anstream::stdout().lock()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            anstream::eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}
