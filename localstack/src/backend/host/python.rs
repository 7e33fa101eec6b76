//! A Python that LocalStack 4.14.0 runs on: its EventBridge imports `warnings.deprecated`, which 3.13 brought, although its
//! metadata says 3.10.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::StartError;

/// Minor versions, best first: those that every pinned package has a wheel for, then what may have to build some.
const MINORS: [u32; 3] = [13, 14, 15];

/// A Python to make the environment with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    pub(super) path: PathBuf,
    /// `3.13.0`.
    pub(super) version: String,
}

impl Python {
    /// The best one on PATH and among pyenv's versions.
    pub(super) fn find() -> Result<Self, StartError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let home = env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
        let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
        let pythons: Vec<Self> = candidates(&path, pyenv.as_deref()).iter().filter_map(|path| Self::at(path)).collect();
        let best = MINORS.iter().find_map(|minor| pythons.iter().find(|python| python.minor() == Some(*minor)));
        best.cloned().ok_or_else(|| {
            let mut found: Vec<&str> = pythons.iter().map(|python| python.version.as_str()).collect();
            found.sort_unstable();
            found.dedup();
            let found = if found.is_empty() { String::new() } else { format!(" (found {})", found.join(", ")) };
            StartError::NoPython { found }
        })
    }

    /// What `path` says it is; none when it does not run, as pyenv's shims of versions that are not selected.
    fn at(path: &Path) -> Option<Self> {
        let mut ask = Command::new(path);
        ask.args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).stdin(Stdio::null());
        let answer = ask.output().ok().filter(|output| output.status.success())?;
        Some(Self { path: path.to_owned(), version: String::from_utf8(answer.stdout).ok()?.trim().to_owned() })
    }

    fn minor(&self) -> Option<u32> {
        self.version.strip_prefix("3.")?.split('.').next()?.parse().ok()
    }
}

fn candidates(path: &OsString, pyenv: Option<&Path>) -> Vec<PathBuf> {
    let names: Vec<String> = MINORS.iter().map(|minor| format!("python3.{minor}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["python3"]).collect();
    let mut found: Vec<PathBuf> = env::split_paths(path)
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)).collect::<Vec<_>>())
        .collect();
    if let Some(versions) = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok()) {
        let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin/python")).collect();
        versions.sort();
        found.extend(versions);
    }
    found.retain(|file| file.is_file());
    found
}
