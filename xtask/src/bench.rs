//! `cargo xtask bench`: builds what is measured, then what measures it, and becomes that.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use crate::{cargo, exit, optimised, package, program, workspace};

/// Worlds, with `recovery` the recovery of fleets, or with `lambda` the functions.
pub(crate) fn bench(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [what, rest @ ..] if what == "lambda" => functions(rest),
        [what, rest @ ..] if what == "recovery" => recovery(rest),
        _ => worlds(arguments),
    }
}

/// The table of whole runs, and unless arguments ask for some of it, the inner parts.
fn worlds(arguments: &[OsString]) -> ExitCode {
    let mut table = program("bench");
    optimised(&mut table).arg("--").args(arguments).current_dir(workspace());
    let table = table.status();
    if !arguments.is_empty() || !table.as_ref().is_ok_and(ExitStatus::success) {
        return exit(table);
    }
    let mut parts = cargo(&["bench", "--package", "scenarios", "--features", "mimalloc", "--bench", "parts"]);
    exit(parts.current_dir(workspace()).status())
}

/// The table of fleets that lose Spot at once.
fn recovery(arguments: &[OsString]) -> ExitCode {
    let mut table = program("bench-recovery");
    exit(optimised(&mut table).arg("--").args(arguments).current_dir(workspace()).status())
}

/// The functions, built as they are shipped and apart from what measures them, whose dependencies must not change theirs.
fn functions(arguments: &[OsString]) -> ExitCode {
    let Some(here) = package::native() else {
        return package::refused("the functions run on Linux, on arm64 or x86_64; measure them there");
    };
    let binaries = match package::build(&here, package::PROFILE) {
        Ok(Ok(binaries)) => binaries,
        Ok(Err(failed)) => return failed,
        Err(error) => return package::refused(&error),
    };
    let mut measure = cargo(&["run", "--quiet", "--release", "--package", "lambda-local", "--features", "zip"]);
    exit(measure.args(["--bin", "bench-lambda", "--"]).arg(binaries).args(arguments).current_dir(workspace()).status())
}
