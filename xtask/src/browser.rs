//! Chromium, in which the tests open the reports they made.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the tests look for it (`scenarios/tests/browser`).
const PLACES: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const REMEDY: &str = "install it (`apt-get install -y chromium` as root on Debian), or set CHROMIUM to the path of one";

/// Makes sure that there is a Chromium: as root on Debian by installing the package, elsewhere by asking for it.
///
/// # Errors
/// One sentence that says what is missing and what to do.
pub(crate) fn ensure_chromium() -> Result<(), String> {
    if let Some(named) = env::var_os("CHROMIUM") {
        let found = Path::new(&named).is_file();
        return found
            .then_some(())
            .ok_or_else(|| format!("CHROMIUM is {}, where no file is: {REMEDY}", named.display()));
    }
    if PLACES.iter().any(|place| Path::new(place).is_file()) {
        return Ok(());
    }
    if !(Path::new("/etc/debian_version").exists() && is_root()) {
        return Err(format!("the tests of the HTML report need Chromium, which is not here: {REMEDY}"));
    }
    eprintln!("==> Chromium, for the tests of the HTML report: apt-get install chromium");
    // A list of packages that is a day old may name versions that are gone.
    let done = apt(&["update"]) && apt(&["install", "--yes", "--no-install-recommends", "chromium"]);
    done.then_some(()).ok_or_else(|| format!("Chromium could not be installed, apt-get said why above: {REMEDY}"))
}

fn apt(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.args(["--quiet", "--quiet"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
