//! `cargo xtask deploy`: packages the functions for a cell and deploys it with the CDK. And the CDK app's own tests.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use crate::{cdk, exit, package, workspace};

const USAGE: &str = "usage: cargo xtask deploy --cell NAME [--cells FILE] [-- ARGUMENTS OF cdk deploy]";

/// Packages for the cell's architecture, then `cdk deploy`.
pub(crate) fn deploy(arguments: &[OsString]) -> ExitCode {
    match prepare(arguments) {
        Ok(Plan { cell, cells, architecture, more }) => {
            let packed = package::pack(&architecture, package::PROFILE);
            if packed != ExitCode::SUCCESS {
                return packed;
            }
            let mut deploy = cdk::program("npx");
            deploy.args(["cdk", "deploy", &format!("SpotRecovery-{cell}"), "--context", &format!("cell={cell}")]);
            deploy.arg("--context").arg(keyed("zips", &package::zips()));
            deploy.arg("--context").arg(keyed("cells", &cells));
            exit(deploy.args(more).status())
        }
        Err(error) => package::refused(&error),
    }
}

struct Plan {
    cell: String,
    cells: PathBuf,
    architecture: package::Architecture,
    more: Vec<OsString>,
}

/// Everything that can be wrong before minutes go into a build.
fn prepare(arguments: &[OsString]) -> Result<Plan, String> {
    let (mut cell, mut cells, mut more) = (None, cdk::directory().join("cells.json"), Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or_else(|| format!("{} has no value\n{USAGE}", argument.display()));
        match argument.to_str() {
            Some("--cell") => cell = Some(value()?.to_string_lossy().into_owned()),
            Some("--cells") => cells = env::current_dir().map_err(|error| error.to_string())?.join(value()?),
            Some("--") => more = rest.by_ref().cloned().collect(),
            _ => return Err(format!("{} is no argument of deploy\n{USAGE}", argument.display())),
        }
    }
    let cell = cell.ok_or_else(|| format!("--cell is missing: which cell of cdk/cells.json?\n{USAGE}"))?;
    cdk::install()?;
    let asked = cdk::script("src/architecture.ts").arg(&cell).arg(&cells).output();
    let asked = asked.map_err(|error| format!("cannot start node: {error}"))?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).trim().trim_start_matches("error: ").to_owned());
    }
    let architecture = package::architecture(String::from_utf8_lossy(&asked.stdout).trim())?;
    Ok(Plan { cell, cells, architecture, more })
}

fn keyed(key: &str, path: &Path) -> OsString {
    let mut context = OsString::from(key);
    context.push("=");
    context.push(path);
    context
}

/// The CDK app's tests: types, its own tests, and cfn-lint on both templates. Needs Node and Python, no Rust build and no credentials.
pub(crate) fn test() -> ExitCode {
    if let Err(error) = cdk::install() {
        return package::refused(&error);
    }
    let tested = cdk::program("npm").args(["test", "--silent"]).status();
    if !tested.as_ref().is_ok_and(ExitStatus::success) {
        return exit(tested);
    }
    match cfn_lint() {
        Ok(mut lint) => exit(lint.status()),
        Err(error) => package::refused(&error),
    }
}

/// cfn-lint on the committed templates, of which the app's tests show that they are what is synthesized. It lives in a virtual
/// environment of its own, made anew when its version changes.
fn cfn_lint() -> Result<Command, String> {
    let requirements = cdk::directory().join("requirements.txt");
    let wanted = fs::read(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let environment =
        workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())).join("cfn-lint");
    let installed = environment.join("requirements.txt");
    if !fs::read(&installed).is_ok_and(|is| is == wanted) {
        eprintln!("cfn-lint is installed, once: {}", environment.display());
        succeed(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment),
            "python3 -m venv failed; install python3-venv",
        )?;
        let mut install = Command::new(environment.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&requirements);
        succeed(&mut install, "pip install failed; is PyPI within reach?")?;
        fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))?;
    }
    let mut lint = cdk::program(environment.join("bin/cfn-lint"));
    // W3005: the CDK writes some dependencies twice, which does no harm.
    lint.args(["--ignore-checks", "W3005", "--template", "onboarding.yaml", "test/snapshots/*.template.json"]);
    Ok(lint)
}

fn succeed(command: &mut Command, otherwise: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(otherwise.to_owned()),
    }
}
