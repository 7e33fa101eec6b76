//! Writes a new scenario file to begin from: it plays and holds as it is, and says what may be changed.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{library, schema};

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// Neither a path nor a name that a file of the library can have.
    #[error(
        "{0:?} is no name for a scenario: write small letters, digits and hyphens, such as spot-outage-in-two-accounts, or a path that \
         ends in .toml"
    )]
    Name(String),
    /// There is such a file.
    #[error("{0} is there already and is left as it is: choose another name, or delete it first")]
    Exists(PathBuf),
    /// It could not be written.
    #[error("cannot write {0}: {1}")]
    Write(PathBuf, #[source] io::Error),
}

/// Writes a scenario file for `text`: a name of the library, or a path that ends in `.toml`. Returns where it is.
///
/// # Errors
/// [`NewError`]. A file that is there is never overwritten.
pub fn create(text: &str) -> Result<PathBuf, NewError> {
    let path = place(text)?;
    let in_library = path.parent() == Some(library::directory());
    let schema = match in_library {
        true => schema::FILE.to_owned(),
        false => library::directory().join(schema::FILE).display().to_string(),
    };
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().replace('-', " "));
    let title = stem.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).take(60).collect::<String>();
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => NewError::Exists(path.clone()),
        _ => NewError::Write(path.clone(), error),
    })?;
    let text = include_str!("new/template.toml").replace("SCHEMA", &schema).replace("TITLE", title.trim());
    file.write_all(text.as_bytes()).map_err(|error| NewError::Write(path.clone(), error))?;
    Ok(path)
}

fn place(text: &str) -> Result<PathBuf, NewError> {
    let path = Path::new(text);
    if path.extension().is_some_and(|extension| extension == "toml") && path.file_stem().is_some() {
        return Ok(path.to_owned());
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) && text.len() <= 100;
    // A scenario of this name would be taken for a file of Cargo's or of insta's.
    if !is_name || ["cargo", "insta"].contains(&text) {
        return Err(NewError::Name(text.chars().take(80).collect()));
    }
    Ok(library::directory().join(text).with_extension("toml"))
}
