//! `cargo xtask e2e`, and scenarios on LocalStack: packages the functions for this machine, and becomes a program of the crate `localstack`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::package::{self, PROFILE};
use crate::{cargo, cdk, exit, operator, was_built, workspace};

/// Journeys. `--release` packages what is shipped; without it a build that takes seconds instead of minutes.
pub(crate) fn e2e(arguments: &[OsString]) -> ExitCode {
    let (release, rest): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument == "--release");
    on_localstack("e2e", if release.is_empty() { "dev" } else { PROFILE }, &rest)
}

/// A scenario with `--backend localstack`, which is not among `arguments` any more.
pub(crate) fn scenario(arguments: &[OsString]) -> ExitCode {
    on_localstack("localstack-scenario", "dev", arguments)
}

/// Without its `--backend localstack`, if it has that.
pub(crate) fn without_backend(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let mut rest = arguments.to_vec();
    if let Some(at) = rest.iter().position(|argument| argument == "--backend=localstack") {
        rest.remove(at);
        return Some(rest);
    }
    let at = rest.windows(2).position(|pair| pair == ["--backend", "localstack"])?;
    rest.drain(at..at + 2);
    Some(rest)
}

fn on_localstack(program: &str, profile: &str, arguments: &[OsString]) -> ExitCode {
    let asks = arguments.iter().any(|argument| argument == "--help" || argument == "-h" || argument == "--list");
    if !asks {
        let Some(native) = package::native() else {
            return package::refused("the functions run on Linux on x86_64 or arm64, which this machine is not");
        };
        let packaged = package::pack(&native, profile);
        if packaged != ExitCode::SUCCESS {
            return packaged;
        }
        if let Err(error) = cdk::install() {
            return package::refused(&error);
        }
    }
    let mut run = cargo(&["run", "--package", "localstack", "--bin", program, "--manifest-path"]);
    run.arg(workspace().join("Cargo.toml"));
    if operator::docker(arguments) {
        run.args(["--features", "docker"]);
    }
    if was_built(&format!("debug/{program}")) {
        run.arg("--quiet");
    }
    run.arg("--").arg("--zips").arg(package::zips()).args(arguments);
    // A signal to this process must be one to the program.
    #[cfg(unix)]
    return exit(Err(std::os::unix::process::CommandExt::exec(&mut run)));
    #[cfg(not(unix))]
    exit(run.status())
}
