//! The player as a program: its arguments, and what it says.

use std::process::{Command, Output};

pub(crate) fn scenario(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scenario")).args(arguments).output().expect("the player starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
