//! Where the pictures of a run go: a page that is checked before the run is played, and a terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice, eprintln};
use terminal_size::{Width, terminal_size_of};

/// Why the page of a run cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// The path is a directory.
    #[error("the report {} is a directory; name a file in it, such as {}", .0.display(), .0.join("run.html").display())]
    Directory(PathBuf),
    /// The name does not end in .html.
    #[error("the report {0} would be a page, and its name must end in .html, so that no other file is overwritten")]
    Name(PathBuf),
    /// The system refuses; the message says what to do.
    #[error("cannot write the report {path}: {source}; {}", remedy(path, source))]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The file that a page is written to. It is opened before the run, so that nobody waits for a page that cannot be written.
pub(crate) struct Page {
    path: PathBuf,
    file: File,
    /// Whether opening made the file.
    new: bool,
    written: bool,
}

impl Page {
    /// The file at `path`, which keeps what it has until [`Self::write`].
    pub(crate) fn open(path: &Path) -> Result<Self, PageError> {
        let is_page = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"));
        if path.is_dir() {
            return Err(PageError::Directory(path.to_owned()));
        }
        if !is_page {
            return Err(PageError::Name(path.to_owned()));
        }
        let new = !path.exists();
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(|source| PageError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, new, written: false })
    }

    /// Writes the page, in the place of what the file had.
    pub(crate) fn write(mut self, page: &str) -> Result<(), PageError> {
        let done = self.file.set_len(0).and_then(|()| self.file.write_all(page.as_bytes()));
        done.map_err(|source| PageError::Write { path: self.path.clone(), source })?;
        self.written = true;
        eprintln!("report: {}", self.path.display());
        Ok(())
    }
}

/// No empty file is left behind when the run comes to nothing.
impl Drop for Page {
    fn drop(&mut self) {
        if self.new && !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What to do about a page that cannot be written.
fn remedy(path: &Path, error: &io::Error) -> String {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match error.kind() {
        io::ErrorKind::NotFound if !directory.exists() => format!("make the directory {} first", directory.display()),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "name a file that you may write".to_owned()
        }
        io::ErrorKind::StorageFull => "make room, or name a file on another disk".to_owned(),
        _ => "name another file".to_owned(),
    }
}

/// The terminal that somebody reads the output on.
pub(crate) struct Terminal {
    /// In characters.
    pub(crate) width: usize,
    /// Whether it shows colours, and nobody asked for none (`NO_COLOR`).
    pub(crate) colour: bool,
}

/// The terminal on standard output, if it is one.
pub(crate) fn terminal() -> Option<Terminal> {
    let stdout = io::stdout();
    let width = terminal_size_of(&stdout).map_or(80, |(Width(width), _)| usize::from(width));
    stdout.is_terminal().then(|| Terminal { width, colour: AutoStream::choice(&stdout) != ColorChoice::Never })
}
