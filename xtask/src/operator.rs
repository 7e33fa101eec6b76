//! `cargo xtask inject`, `verify` and `localstack`: builds a program of the crate `localstack` and becomes it.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::{cargo, exit, was_built, workspace};

/// The program `name` with these arguments.
pub(crate) fn operator(name: &str, arguments: &[OsString]) -> ExitCode {
    let mut run = cargo(&["run", "--package", "localstack", "--bin", name, "--manifest-path"]);
    run.arg(workspace().join("Cargo.toml"));
    if name == "localstack-up" && docker(arguments) {
        run.args(["--features", "docker"]);
    }
    // With progress the first time: the AWS SDK takes minutes to build.
    if was_built(&format!("debug/{name}")) {
        run.arg("--quiet");
    }
    run.arg("--").args(arguments);
    // A signal to this process must be one to the program.
    #[cfg(unix)]
    return exit(Err(std::os::unix::process::CommandExt::exec(&mut run)));
    #[cfg(not(unix))]
    exit(run.status())
}

/// Whether the build must have Docker in it: it takes a minute more, so only where there may be one.
pub(crate) fn docker(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "docker" || argument == "--localstack=docker")
        || env::var_os("DOCKER_HOST").is_some()
        || Path::new("/var/run/docker.sock").exists()
}
