//! `cargo xtask package`: builds the functions as they are shipped, and packs each into its zip.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use crate::{cargo, exit, workspace};

const USAGE: &str = "usage: cargo xtask package [--arch arm64|x86_64] [--profile PROFILE]";

/// The profile of what is shipped.
pub(crate) const PROFILE: &str = "lambda";

/// A function's processor: Lambda's name for it, Rust's target, and the linker that Debian and Ubuntu call so.
pub(crate) struct Architecture {
    pub(crate) name: &'static str,
    target: &'static str,
    linker: &'static str,
}

/// The first is what a cell has unless it says otherwise.
const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "arm64", target: "aarch64-unknown-linux-gnu", linker: "aarch64-linux-gnu-gcc" },
    Architecture { name: "x86_64", target: "x86_64-unknown-linux-gnu", linker: "x86_64-linux-gnu-gcc" },
];

/// Builds and packs. What is wrong with the command line or the machine is said with its remedy, exit code 2.
pub(crate) fn package(arguments: &[OsString]) -> ExitCode {
    let parsed = parse(arguments);
    let (architecture, profile) = match &parsed {
        Ok(parsed) => parsed,
        Err(error) => return refused(error),
    };
    pack(architecture, profile)
}

/// Builds the functions for `architecture` with `profile`, and packs them into `target/package/ARCHITECTURE/FUNCTION.zip`.
pub(crate) fn pack(architecture: &Architecture, profile: &str) -> ExitCode {
    let binaries = match build(architecture, profile) {
        Ok(Ok(binaries)) => binaries,
        Ok(Err(failed)) => return failed,
        Err(error) => return refused(&error),
    };
    let mut pack =
        cargo(&["run", "--quiet", "--package", "lambda-local", "--features", "zip", "--bin", "package", "--"]);
    let zips = zips().join(architecture.name);
    exit(pack.arg(binaries).arg(architecture.name).arg(zips).current_dir(workspace()).status())
}

/// Where the zips of all architectures are.
pub(crate) fn zips() -> PathBuf {
    target().join("package")
}

/// The architecture Lambda calls `name`.
pub(crate) fn architecture(name: &str) -> Result<Architecture, String> {
    let found = ARCHITECTURES.into_iter().find(|architecture| architecture.name == name);
    found.ok_or_else(|| format!("--arch {name}: must be arm64 or x86_64"))
}

/// The architecture of this machine, if it is one of Lambda's.
pub(crate) fn native() -> Option<Architecture> {
    ARCHITECTURES.into_iter().find(is_native)
}

fn is_native(architecture: &Architecture) -> bool {
    cfg!(target_os = "linux") && architecture.target.starts_with(env::consts::ARCH)
}

pub(crate) fn refused(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

fn parse(arguments: &[OsString]) -> Result<(Architecture, String), String> {
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    let (mut name, mut profile) = (ARCHITECTURES[0].name.to_owned(), PROFILE.to_owned());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} has no value\n{USAGE}"));
        match &*argument {
            "--arch" => name = value()?.into_owned(),
            "--profile" => profile = value()?.into_owned(),
            other => return Err(format!("{other} is no argument of package\n{USAGE}")),
        }
    }
    Ok((architecture(&name)?, profile))
}

fn target() -> PathBuf {
    // A relative one is relative to where cargo was called, which is here the workspace.
    workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Builds the functions and says where they are; the outer error is the machine's, the inner one what cargo ended with.
pub(crate) fn build(architecture: &Architecture, profile: &str) -> Result<Result<PathBuf, ExitCode>, String> {
    let what = ["--profile", profile, "--package", "handlers", "--features", "aws", "--bins"];
    let (mut build, directory) = if is_native(architecture) {
        (cargo(&["build"]), target())
    } else {
        (cross(architecture)?, target().join(architecture.target))
    };
    build.args(what).current_dir(workspace());
    if profile == PROFILE {
        build.env("CARGO_ENCODED_RUSTFLAGS", reproducible());
    }
    let status = build.status();
    if !status.as_ref().is_ok_and(ExitStatus::success) {
        return Ok(Err(exit(status)));
    }
    Ok(Ok(directory.join(if profile == "dev" { "debug" } else { profile })))
}

/// Flags without which two machines, or two directories, make two binaries of the same source. Panic messages name source files:
/// those of the workspace are relative already; of the registry's, the part that is this machine's goes. And the linker's build
/// id is a hash of more than what is left in the binary.
fn reproducible() -> OsString {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).unwrap_or_default();
    let mut flags = OsString::from("--remap-path-prefix=");
    flags.push(home);
    flags.push("=/cargo\x1f-Clink-arg=-Wl,--build-id=none");
    flags
}

/// A build for another machine than this one.
fn cross(architecture: &Architecture) -> Result<Command, String> {
    let Architecture { name, target, linker } = *architecture;
    let libraries =
        Command::new("rustc").args(["--print", "target-libdir", "--target", target]).current_dir(workspace()).output();
    let libraries = libraries.map_err(|error| format!("cannot start rustc: {error}"))?;
    if !Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        return Err(format!("Rust's standard library for {name} is not installed; run: rustup target add {target}"));
    }
    let starts = |program: &mut Command| program.arg("--version").output().is_ok_and(|output| output.status.success());
    if starts(&mut cargo(&["zigbuild"])) {
        // The C library of Amazon Linux 2023.
        let mut build = cargo(&["zigbuild", "--target"]);
        build.arg(format!("{target}.2.34"));
        return Ok(build);
    }
    let variable = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    let mut build = cargo(&["build", "--target", target]);
    if env::var_os(&variable).is_none() {
        if !starts(&mut Command::new(linker)) {
            return Err(format!("nothing here links for {name}; run: pip install cargo-zigbuild"));
        }
        build.env(variable, linker);
    }
    Ok(build)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<(&'static str, String), String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        parse(&arguments).map(|(architecture, profile)| (architecture.name, profile))
    }

    #[test]
    fn a_cells_default_is_packaged_as_it_is_shipped() {
        assert_eq!(parsed(&[]), Ok(("arm64", "lambda".into())));
        assert_eq!(parsed(&["--profile", "dev", "--arch", "x86_64"]), Ok(("x86_64", "dev".into())));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_is() {
        assert_eq!(parsed(&["--arch", "riscv"]).unwrap_err(), "--arch riscv: must be arm64 or x86_64");
        assert!(parsed(&["--arch"]).unwrap_err().starts_with("--arch has no value\nusage:"));
        assert!(parsed(&["x86_64"]).unwrap_err().starts_with("x86_64 is no argument of package\nusage:"));
    }
}
