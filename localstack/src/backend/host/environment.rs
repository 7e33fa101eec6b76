//! The virtual environment with LocalStack in it: made once for a Python and a list of pinned packages, then used by every run.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread;

use super::super::run::Progress;
use super::super::{StartError, io};
use super::python::Python;

/// What `constraints.txt` and the maker are in this build.
const CONSTRAINTS: &str = include_str!("../../../host/constraints.txt");
const MAKER: &str = include_str!("../../../host/make_environment.py");

/// The environment for `python` within `cache`, made if it is not there. Half-made ones are never seen: it gets its name when it is whole,
/// and while one process makes it, others wait.
pub(super) fn environment(python: &Python, cache: &Path, progress: &Progress) -> Result<PathBuf, StartError> {
    let mut hasher = DefaultHasher::new();
    (CONSTRAINTS, MAKER, &python.path).hash(&mut hasher);
    let name = format!("python-{}-{:016x}", python.version, hasher.finish());
    let whole = cache.join(&name);
    if whole.is_dir() {
        return Ok(whole);
    }
    let lock = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock).map_err(io(format!("create {}", lock.display())))?;
    if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        progress.say("LocalStack: another process makes its Python environment; waiting for it");
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| io("wait for the lock")(error.into()))?;
    }
    if whole.is_dir() {
        return Ok(whole);
    }
    remove_leftovers(cache, &name);
    let making = cache.join(format!("{name}.making-{}", process::id()));
    progress.say(&format!(
        "LocalStack: making its environment with Python {} in {} (once; about a minute)",
        python.version,
        whole.display()
    ));
    let made = make(python, &making, progress)
        .and_then(|()| fs::rename(&making, &whole).map_err(io(format!("rename {}", making.display()))));
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&making);
        return Err(error);
    }
    Ok(whole)
}

/// Of processes that were killed while they held the lock.
fn remove_leftovers(cache: &Path, name: &str) {
    let prefix = format!("{name}.making-");
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn make(python: &Python, making: &Path, progress: &Progress) -> Result<(), StartError> {
    fs::create_dir_all(making).map_err(io(format!("create {}", making.display())))?;
    let constraints = making.join("constraints.txt");
    fs::write(&constraints, CONSTRAINTS).map_err(io(format!("write {}", constraints.display())))?;
    let mut maker = Command::new(&python.path);
    maker
        .args(["-c", MAKER])
        .args([making, &constraints])
        // Its group ends with our end of the pipe.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut maker = maker.spawn().map_err(io(format!("start {}", python.path.display())))?;
    let mut errors = maker.stderr.take();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        errors.as_mut().map(|errors| errors.read_to_string(&mut text));
        text
    });
    let all = CONSTRAINTS.lines().count();
    let mut collected = 0;
    let mut output = String::new();
    for line in maker.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        if line.starts_with("Collecting ") {
            collected += 1;
            if collected % 25 == 0 {
                progress.say(&format!("LocalStack: {collected} of {all} packages"));
            }
        } else if line.starts_with("Installing collected packages") {
            progress.say("LocalStack: packages are here, installing them");
        }
        output.push_str(&line);
        output.push('\n');
    }
    let status = maker.wait().map_err(io("wait for pip"))?;
    let errors = errors.join().unwrap_or_default();
    if status.success() { Ok(()) } else { Err(why(making, &output, &errors)) }
}

/// What pip and venv say when something is missing, as a sentence with the remedy.
fn why(making: &Path, output: &str, errors: &str) -> StartError {
    let all = format!("{output}\n{errors}");
    let line = |needle: &str| all.lines().find(|line| line.contains(needle)).map(|line| line.trim().to_owned());
    if line("Retrying (Retry").is_some() || line("No matching distribution found").is_some() {
        let problem = line("ERROR: No matching distribution").or_else(|| line("ERROR:")).unwrap_or_default();
        return StartError::Index { problem: problem.trim_start_matches("ERROR: ").to_owned() };
    }
    let directory = making.display().to_string();
    if line("ensurepip").is_some() {
        let problem = "this Python has no pip to install; on Debian: apt-get install python3-venv".to_owned();
        return StartError::Environment { directory, problem };
    }
    let problem = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("pip failed without a word");
    StartError::Environment { directory, problem: problem.trim().to_owned() }
}
