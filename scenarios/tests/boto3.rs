//! The simulator's server with a client that others wrote: boto3 from PyPI goes through a whole outage (`boto3/journey.py`).
//!
//! The first run makes a virtual environment under the target directory and needs PyPI and about 15 seconds; later ones need
//! neither. The journey takes about 8 seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use server::Server;

mod server;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3");

#[test]
fn boto3_goes_through_an_outage_and_back() {
    let python = environment();
    // Two minutes of the world in a second.
    let server = Server::start(&["--speed", "120"]);
    let url = format!("http://{}", server.address);
    let mut journey = Command::new(python);
    journey.arg(Path::new(HERE).join("journey.py")).arg(url);
    // Neither the user's own configuration nor a proxy must come between.
    journey
        .env_clear()
        .env("NO_PROXY", "*")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = journey.output().expect("the environment has a Python");
    println!("{}", words(&output));
    assert!(output.status.success(), "the journey of boto3 ended early:\n{}", words(&output));
}

/// The Python of an environment with what `requirements.txt` pins; made once for every state of that file.
fn environment() -> PathBuf {
    let pinned = fs::read_to_string(Path::new(HERE).join("requirements.txt")).expect("the pinned versions");
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boto3");
    let python = environment.join("bin/python");
    let complete = environment.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|made| made == pinned) {
        return python;
    }
    let _ = fs::remove_dir_all(&environment);
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&environment);
    must(&mut venv, "python3 cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]);
    pip.arg(Path::new(HERE).join("requirements.txt"));
    must(
        &mut pip,
        "pip cannot install boto3; the first run of this test needs PyPI (or PIP_INDEX_URL, PIP_FIND_LINKS)",
    );
    fs::write(&complete, pinned).expect("the target directory can be written");
    python
}

fn must(command: &mut Command, otherwise: &str) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{otherwise}\n{}", words(&output)),
        Err(error) => panic!("{otherwise}\n{error}"),
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
