//! `cargo xtask onboard check`: starts the program that looks at a workload account.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{cdk, exit, package};

const USAGE: &str =
    "usage: cargo xtask onboard check --account ID [--region R] [--profile P] [--endpoint-url URL] [--cells FILE]";

/// Only reads, in the account whose credentials are at hand.
pub(crate) fn onboard(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [what, rest @ ..] if what == "check" => match cdk::install() {
            // Not in the app's directory: a file on the command line is relative to where we are.
            Ok(()) => exit(cdk::script("src/onboard/main.ts").current_dir(".").args(rest).status()),
            Err(error) => package::refused(&error),
        },
        _ => package::refused(USAGE),
    }
}
