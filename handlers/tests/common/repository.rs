//! The files of the repository, for tests that read them.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::path::{Path, PathBuf};

/// Directories that hold no source of ours.
const SKIPPED: [&str; 5] = ["target", "node_modules", ".git", "cdk.out", "corpus"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file by its path from the root.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `directory` with one of these extensions, in order.
pub(crate) fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![root().join(directory)]);
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                left.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|of| extensions.iter().any(|known| of == *known)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Rust code without comments and without its module of tests, each line where it was: what a word in it means is then what the code
/// says.
pub(crate) fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    let line = |line: &str| match line.trim_start().starts_with("//") {
        true => "\n".to_owned(),
        false => format!("{}\n", line.split(" // ").next().unwrap_or_default()),
    };
    text.lines().map(line).collect()
}
