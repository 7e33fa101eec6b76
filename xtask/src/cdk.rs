//! The CDK app's programs: Node and its packages are there before one is started.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::workspace;

/// Oldest Node that the app runs on.
const NODE: u32 = 20;

/// Where the app is.
pub(crate) fn directory() -> PathBuf {
    workspace().join("cdk")
}

/// Sees to it that Node is here and that the app's packages are those of its lock file.
///
/// # Errors
/// What is missing, and what to do.
pub(crate) fn install() -> Result<(), String> {
    let version = Command::new("node").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE => {}
        Some(_) => return Err(format!("Node {} is too old; install Node {NODE} or newer", version.trim())),
        None => return Err(format!("Node is not here; install Node {NODE} or newer, with npm")),
    }
    let lock =
        fs::read(directory().join("package-lock.json")).map_err(|error| format!("cdk/package-lock.json: {error}"))?;
    let installed = directory().join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|of| of == lock) {
        return Ok(());
    }
    eprintln!("the CDK app's packages are installed, once: npm ci");
    // npm's own talk would hide the command's, of which a part is read by programs.
    let status =
        program("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).stdout(Stdio::null()).status();
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        return Err("npm ci failed; is the npm registry within reach?".into());
    }
    fs::write(&installed, lock).map_err(|error| format!("{}: {error}", installed.display()))
}

/// A program that is started in the app's directory.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(directory());
    command
}

/// One of the app's own TypeScript programs.
pub(crate) fn script(path: &str) -> Command {
    let mut command = program(directory().join("node_modules/.bin/tsx"));
    // The packages are pinned; that later ones will want a newer Node is not the user's business.
    command.arg(directory().join(path)).env("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true");
    command
}
