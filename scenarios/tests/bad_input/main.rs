//! What people see when a scenario file is wrong.
//!
//! A case is two files: `FOLDER/NAME.toml` has one mistake, `FOLDER/NAME.txt` is the whole of what is printed for it. A new case is a
//! new `.toml`. `INSTA_UPDATE=always cargo test -p scenarios --test bad_input` writes every `.txt` anew; `git diff` shows what changed.
//!
//! `generated.rs` has files that code generates, because of their size or their bytes. `meaning.rs` tests what good files mean.

mod generated;
mod meaning;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use scenarios::file;

/// Most of the cases are this file with one mistake.
const GOOD: &str = include_str!("good.toml");
/// Most cases of fleets are this file with one mistake.
const GOOD_FLEET: &str = include_str!("good-fleet.toml");
const OUTAGE: &str = include_str!("../../spot-outage.toml");
const INTERRUPTION: &str = include_str!("../../spot-interruption.toml");
const SYNTHETIC: &str = include_str!("../../synthetic-placement-failure.toml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input")
}

fn entries(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.map(|entry| entry.expect("readable").path())
}

/// All files in the folders of cases.
fn files() -> impl Iterator<Item = PathBuf> {
    entries(&root()).filter(|path| path.is_dir()).flat_map(|folder| entries(&folder))
}

/// Every file with a mistake, by its name: `services/no-service`.
fn cases() -> BTreeMap<String, PathBuf> {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("it is inside").with_extension("");
        (name.display().to_string(), path)
    };
    files().filter(|path| path.extension().is_some_and(|extension| extension == "toml")).map(named).collect()
}

/// What is printed for a wrong file.
fn refused(text: &str) -> Result<String, String> {
    let problem = file::parse("test.toml", text).err().ok_or("the file is not refused")?;
    if problem.place().is_none() {
        return Err(format!("no place is shown:\n{problem}"));
    }
    Ok(problem.to_string())
}

/// The case's expected text, or how what is printed differs from it.
fn check(path: &Path, update: bool) -> Result<(), String> {
    let shown = refused(&fs::read_to_string(path).map_err(|error| error.to_string())?)? + "\n";
    let kept = path.with_extension("txt");
    if update {
        return fs::write(&kept, shown).map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(&kept).unwrap_or_default();
    if expected == shown { Ok(()) } else { Err(format!("--- expected\n{expected}--- printed\n{shown}")) }
}

#[test]
fn every_mistake_is_explained_with_the_text_kept_as_a_file_beside_it() {
    let update = std::env::var("INSTA_UPDATE").as_deref() == Ok("always");
    let cases = cases();
    assert!(!cases.is_empty(), "there is no case");
    let failed: Vec<String> =
        cases.iter().filter_map(|(name, path)| Some(format!("=== {name}\n{}", check(path, update).err()?))).collect();
    let count = failed.len();
    assert!(failed.is_empty(), "{count} of {} cases failed\n\n{}", cases.len(), failed.join("\n"));
}

#[test]
fn every_other_file_in_a_folder_of_cases_is_the_text_of_one() {
    let known: Vec<PathBuf> = cases().into_values().flat_map(|path| [path.with_extension("txt"), path]).collect();
    let unknown: Vec<PathBuf> = files().filter(|path| !known.contains(path)).collect();
    assert!(unknown.is_empty(), "these belong to no case: {unknown:?}");
}

#[test]
fn the_good_files_are_good() {
    for text in [GOOD, GOOD_FLEET, OUTAGE, INTERRUPTION, SYNTHETIC] {
        file::parse("good.toml", text).unwrap_or_else(|problem| panic!("{problem}"));
    }
}
