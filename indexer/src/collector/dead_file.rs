//! Dead letters in a file, for an indexer that knows no broker: a line of JSON for each, with the
//! same names as the headers of a message.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A letter as the file has it.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Names and values of what is said about it.
    pub headers: Vec<(&'static str, String)>,
    /// The document.
    pub body: &'a [u8],
}

/// The file, which grows to its limit and no further.
#[derive(Debug)]
pub struct DeadFile {
    path: PathBuf,
    limit: u64,
}

impl DeadFile {
    /// The file of this path, of at most `limit` bytes.
    pub fn new(path: &Path, limit: u64) -> Self {
        Self { path: path.to_owned(), limit }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends letters; `false` when there is no room, and nothing was written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, letters: &[Line<'_>]) -> io::Result<bool> {
        let mut text = Vec::new();
        for Line { headers, body } in letters {
            let mut line: Map<String, Value> = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(&**value)))
                .collect();
            line.insert("document".to_owned(), String::from_utf8_lossy(body).into());
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let length = file.metadata()?.len();
        if length + text.len() as u64 > self.limit {
            return Ok(false);
        }
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            // Half a letter would spoil the next one, and all of them are written again.
            file.set_len(length)?;
            return Err(error);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn letters_are_appended_until_the_file_is_full() {
        let directory = tempfile::tempdir().unwrap();
        let file = DeadFile::new(&directory.path().join("dead"), 150);
        let headers = vec![("x-omphalos-type", "bad".to_owned())];
        let letter = Line { headers, body: b"{\"a\":1}" };
        assert!(file.append(std::slice::from_ref(&letter)).unwrap());
        assert!(file.append(std::slice::from_ref(&letter)).unwrap());
        assert!(!file.append(&[letter.clone(), letter]).unwrap());
        let text = fs::read_to_string(file.path()).unwrap();
        let line = "{\"x-omphalos-type\":\"bad\",\"document\":\"{\\\"a\\\":1}\"}\n";
        assert_eq!(text, line.repeat(2));
    }
}
