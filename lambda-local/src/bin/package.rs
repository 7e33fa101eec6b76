//! `package`: packs the functions' binaries into the zips that are deployed, one a function, and says what came of it. A binary that
//! could not start on Lambda is refused here rather than there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lambda_local::bundle::{BOOTSTRAP, zip};
use lambda_local::executable::{Architecture, check};
use sha2::{Digest, Sha256};

/// The functions: each has its binary and its zip under its name.
const FUNCTIONS: [&str; 3] = [
    "fargate-spot-task-placement-failure-handler",
    "fargate-spot-interruption-handler",
    "fargate-spot-restore-handler",
];

const USAGE: &str = "usage: package BINARIES arm64|x86_64 DIRECTORY";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [binaries, architecture, directory] = arguments else { return Err(USAGE.into()) };
    let architecture: Architecture = architecture.parse()?;
    let (binaries, directory) = (Path::new(binaries), PathBuf::from(directory));
    let problem = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&directory).map_err(|error| problem(&directory, error))?;
    for function in FUNCTIONS {
        let binary = binaries.join(function);
        let program = fs::read(&binary).map_err(|error| problem(&binary, error))?;
        check(&program, architecture).map_err(|error| format!("{}: {error}", binary.display()))?;
        let zipped = zip(&[(BOOTSTRAP, &program)]).map_err(|error| error.to_string())?;
        let path = directory.join(format!("{function}.zip"));
        fs::write(&path, &zipped).map_err(|error| problem(&path, error))?;
        println!("{}  {:>9} bytes  {}", hex(&Sha256::digest(&zipped)), zipped.len(), path.display());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
