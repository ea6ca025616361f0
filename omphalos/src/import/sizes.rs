//! How many bytes of lines are in a file, for the progress: of an archive that is what it says of
//! itself, or a guess.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Logs are compressed so well, as a rule.
const USUAL_RATIO: u64 = 10;

/// Bytes of lines in the file, about.
///
/// # Errors
/// When it cannot be read.
pub fn size(path: &Path) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let size = match ending {
        "gz" => gzip(&mut file, length),
        "zst" => None,
        _ => return Ok(length),
    };
    Ok(size.unwrap_or(length.saturating_mul(USUAL_RATIO)))
}

/// The last four bytes are the size, modulo 4 GiB (RFC 1952); of several archives in one file only
/// that of the last. So it is believed only where it is likely.
fn gzip(file: &mut File, length: u64) -> Option<u64> {
    let mut bytes = [0; 4];
    file.seek(SeekFrom::End(-4)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    let size = u64::from(u32::from_le_bytes(bytes));
    (size > length && size < length.saturating_mul(100)).then_some(size)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn an_archive_says_how_large_it_is_or_is_guessed() {
        let directory = tempfile::tempdir().unwrap();
        let text = "a line of a log\n".repeat(1000);
        let plain = directory.path().join("a.log");
        std::fs::write(&plain, &text).unwrap();
        assert_eq!(size(&plain).unwrap(), 16_000);
        let archive = directory.path().join("a.log.gz");
        let mut encoder = GzEncoder::new(File::create(&archive).unwrap(), Compression::none());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let length = std::fs::metadata(&archive).unwrap().len();
        assert_eq!(size(&archive).unwrap(), length * USUAL_RATIO, "it is no larger than its file");
        std::fs::write(directory.path().join("b.gz"), "x").unwrap();
        assert_eq!(size(&directory.path().join("b.gz")).unwrap(), 10);
        assert!(size(Path::new("/nowhere")).is_err());
    }
}
