//! `cargo xtask verify`.

use std::process::ExitCode;

use clap::Parser;
use localstack::operator::verify;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match verify::run(&verify::Arguments::parse()).await {
        Ok(report) => {
            anstream::println!("{report}");
            ExitCode::from(report.exit_code())
        }
        Err(problem) => {
            anstream::eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}
