//! The scenario files that come with the product: every `.toml` beside this crate's manifest.

use std::path::{Path, PathBuf};

/// A scenario file, by the name people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The file's name without `.toml`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// No scenario of that name, and none at that path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario {name:?}{hint}; known are: {known}. A path to a .toml file works too")]
pub struct Unknown {
    name: String,
    hint: String,
    known: String,
}

/// Where the scenarios of the library are.
pub fn directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every scenario of the library, by name.
pub fn all() -> Vec<Named> {
    // An unreadable directory is an empty library; asking for a scenario then says so.
    let entries = std::fs::read_dir(directory()).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let named = paths.filter_map(|path| Some(Named { name: path.file_stem()?.to_str()?.to_owned(), path }));
    let mut all: Vec<Named> = named.filter(|named| named.name != "Cargo" && named.name != "insta").collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The file meant by `text`: a path, or a name of the library.
///
/// # Errors
/// [`Unknown`], with the names there are.
pub fn find(text: &str) -> Result<PathBuf, Unknown> {
    let path = Path::new(text);
    if text.ends_with(".toml") || text.contains('/') || path.is_file() {
        return Ok(path.to_owned());
    }
    let all = all();
    if let Some(named) = all.iter().find(|named| named.name == text) {
        return Ok(named.path.clone());
    }
    let near = all
        .iter()
        .map(|n| n.name.as_str())
        .max_by(|a, b| strsim::jaro_winkler(a, text).total_cmp(&strsim::jaro_winkler(b, text)));
    let hint = near.filter(|near| strsim::jaro_winkler(near, text) > 0.8);
    Err(Unknown {
        name: text.chars().take(80).collect(),
        hint: hint.map_or_else(String::new, |near| format!(" (did you mean {near:?}?)")),
        known: all.into_iter().map(|n| n.name).collect::<Vec<_>>().join(", "),
    })
}
