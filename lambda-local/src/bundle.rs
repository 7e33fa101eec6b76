//! The zip that Lambda takes for a function on an OS-only runtime: one executable named `bootstrap` at its root (Lambda developer
//! guide, "Building a custom runtime").

use std::io::{Cursor, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// What an OS-only runtime starts.
pub const BOOTSTRAP: &str = "bootstrap";

/// Packs files, given as name and contents, in the order of their names, each executable and dated as early as a zip can say. The
/// same files make the same bytes, so that a deployment replaces a function only when its code has changed.
///
/// # Errors
/// Two files have one name, or a name that no zip can have.
pub fn zip(files: &[(&str, &[u8])]) -> Result<Vec<u8>, ZipError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut sorted = files.to_vec();
    sorted.sort();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in sorted {
        zip.start_file(name, options)?;
        zip.write_all(contents)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_same_files_make_the_same_zip_whatever_their_order() {
        let (a, b): (&[u8], &[u8]) = (b"first", b"second");
        let zipped = zip(&[("b", b), ("a", a)]).unwrap();
        assert_eq!(zipped, zip(&[("a", a), ("b", b)]).unwrap());
        assert_ne!(zipped, zip(&[("a", b), ("b", a)]).unwrap());
    }

    #[test]
    fn bootstrap_comes_out_as_it_went_in_and_can_be_executed() {
        let program: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let zipped = zip(&[(BOOTSTRAP, &program)]).unwrap();
        assert!(zipped.len() < program.len() / 2, "{}", zipped.len());
        let mut archive = zip::ZipArchive::new(Cursor::new(zipped)).unwrap();
        let mut file = archive.by_name(BOOTSTRAP).unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut unpacked = Vec::new();
        file.read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == program);
    }
}
