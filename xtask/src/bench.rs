//! `cargo xtask bench`: builds what is measured, then what measures it, and becomes that.

use std::env;
use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};

use crate::{cargo, exit, workspace};

/// Worlds, or with `lambda` the functions.
pub(crate) fn bench(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [what, rest @ ..] if what == "lambda" => functions(rest),
        _ => worlds(arguments),
    }
}

/// The table of whole runs, and unless arguments ask for some of it, the inner parts.
fn worlds(arguments: &[OsString]) -> ExitCode {
    let package = ["--package", "scenarios", "--features", "mimalloc"];
    let mut table = cargo(&["run", "--release"]);
    table.args(package).args(["--bin", "bench", "--"]).args(arguments).current_dir(workspace());
    let table = table.status();
    if !arguments.is_empty() || !table.as_ref().is_ok_and(ExitStatus::success) {
        return exit(table);
    }
    let mut parts = cargo(&["bench"]);
    exit(parts.args(package).args(["--bench", "parts"]).current_dir(workspace()).status())
}

/// The functions, built as they are shipped and apart from what measures them, whose dependencies must not change theirs.
fn functions(arguments: &[OsString]) -> ExitCode {
    let mut build = cargo(&["build", "--profile", "lambda", "--package", "handlers", "--features", "aws", "--bins"]);
    let built = build.current_dir(workspace()).status();
    if !built.as_ref().is_ok_and(ExitStatus::success) {
        return exit(built);
    }
    // A relative one is relative to where cargo was called, which is here the workspace.
    let target = workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let binaries = target.join("lambda");
    let mut measure = cargo(&["run", "--quiet", "--release", "--package", "lambda", "--features", "zip"]);
    exit(measure.args(["--bin", "bench-lambda", "--"]).arg(binaries).args(arguments).current_dir(workspace()).status())
}
