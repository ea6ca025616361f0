//! Dead letters in a file, for an indexer that knows no broker: a line of JSON for each, with the
//! same names as the headers of a message.
//!
//! Several processes may write it at the same time: the one whose letters they are, a repair, and
//! `omphalos dead`, which takes letters out. Each holds a lock on the file meanwhile. Letters are
//! taken out by writing those that stay to a file beside it, which then takes its name; so whoever
//! has the lock looks whether what it has locked still is the file of that name.

use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use omphalos_common::own_files::{OwnFile, create};
use omphalos_transport::dead_letter::Header;
use serde_json::{Map, Value};

/// What the file is called, in the state directory.
pub const DEAD_FILE_NAME: &str = "dead-letters.ndjson";

/// The member of a line that has the document.
const DOCUMENT: &str = "document";

/// A letter to be written.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Names and values of what is said about it.
    pub headers: Vec<(&'static str, String)>,
    /// The document.
    pub body: &'a [u8],
}

/// A letter as it was read.
#[derive(Debug)]
pub struct FileLetter {
    members: Map<String, Value>,
}

impl FileLetter {
    /// The letter in a line; `None` where it has none, such as half of one, whose process was killed
    /// while it wrote it, and which has the document still.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let members = serde_json::from_slice(line).ok()?;
        let letter = Self { members };
        letter.members.get(DOCUMENT)?.is_string().then_some(letter)
    }

    /// The text of a header.
    pub fn header(&self, header: Header) -> Option<&str> {
        self.members.get(header.0)?.as_str()
    }

    /// The document, or the message as far as it was text.
    pub fn body(&self) -> &[u8] {
        self.members.get(DOCUMENT).and_then(Value::as_str).unwrap_or_default().as_bytes()
    }
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
            line.insert(DOCUMENT.to_owned(), String::from_utf8_lossy(body).into());
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        let mut file = self.locked()?;
        let length = file.metadata()?.len();
        if length + text.len() as u64 > self.limit {
            return Ok(false);
        }
        if has_half_a_line(&mut file)? {
            text.insert(0, b'\n');
        }
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            // Half a letter would spoil the next one, and all of them are written again.
            file.set_len(length)?;
            return Err(error);
        }
        Ok(true)
    }

    /// Makes sure that letters can be written, without writing any.
    ///
    /// # Errors
    /// When they cannot.
    pub fn try_out(&self) -> io::Result<()> {
        self.locked().map(drop)
    }

    /// Takes out the lines that are not to be kept, by their numbers, and puts `more` behind the
    /// others, all in one step. What is appended meanwhile is kept, or comes after it.
    ///
    /// # Errors
    /// When the file cannot be written anew; it is as it was then.
    pub fn replace(
        &self,
        keeps: impl Fn(u64) -> bool,
        more: impl IntoIterator<Item = io::Result<Vec<u8>>>,
    ) -> io::Result<()> {
        let mut file = self.locked()?;
        let found = file.metadata()?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let new = create(Path::new(&beside))?;
        new.set_permissions(Permissions::from_mode(found.mode()))?;
        let own = new.metadata()?;
        if (own.uid(), own.gid()) != (found.uid(), found.gid()) {
            // Or the process whose letters they are could not write its file any more.
            fchown(&new, Some(found.uid()), Some(found.gid()))?;
        }
        let mut writer = BufWriter::new(new);
        file.seek(SeekFrom::Start(0))?;
        let lines = BufReader::new(&file).split(b'\n');
        let kept = (0..).zip(lines).filter(|(number, _)| keeps(*number)).map(|(_, line)| line);
        for line in kept.chain(more) {
            writer.write_all(&line?)?;
            writer.write_all(b"\n")?;
        }
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        File::open(self.directory())?.sync_all()
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    /// The file of this name, made if need be and locked; whatever took its name while we waited.
    fn locked(&self) -> io::Result<File> {
        loop {
            let is_new = !self.path.exists();
            let file = OwnFile::default()
                .with(|options| {
                    options.create(true).read(true).append(true);
                })
                .open(&self.path)?;
            file.lock()?;
            let (ours, named) = (file.metadata()?, std::fs::metadata(&self.path));
            if is_new && let Ok(directory) = self.directory().metadata() {
                // Who does this as root must leave it to the process whose directory it is; nobody else
                // can give a file away, nor has to.
                drop(fchown(&file, Some(directory.uid()), Some(directory.gid())));
            }
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
                return Ok(file);
            }
        }
    }
}

/// The lines of a file of dead letters that are there now, in order; none where there is no file.
///
/// # Errors
/// When it cannot be read.
pub fn read_lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let length = file.as_ref().map_or(Ok(0), |file| file.metadata().map(|found| found.len()))?;
    let lines = file.map(|file| BufReader::new(file.take(length)).split(b'\n'));
    Ok(lines.into_iter().flatten())
}

/// Whether the last line has no end.
fn has_half_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use omphalos_transport::dead_letter as header;
    use std::fs;
    use std::thread;

    fn letter(id: &str) -> Line<'static> {
        let headers = vec![(header::ID.0, id.to_owned()), (header::TYPE.0, "bad".to_owned())];
        Line { headers, body: b"{\"a\":1}" }
    }

    fn ids(file: &DeadFile) -> Vec<Option<String>> {
        let lines = read_lines(file.path()).unwrap().map(|line| FileLetter::parse(&line.unwrap()));
        lines.map(|letter| letter.map(|one| one.header(header::ID).unwrap().to_owned())).collect()
    }

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

    #[test]
    fn half_a_letter_of_a_process_that_was_killed_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let file = DeadFile::new(&directory.path().join("dead"), 10_000);
        assert_eq!(ids(&file), []);
        file.append(&[letter("a")]).unwrap();
        let mut half = OpenOptions::new().append(true).open(file.path()).unwrap();
        half.write_all(b"{\"x-omphalos-id\":\"b").unwrap();
        file.append(&[letter("c")]).unwrap();
        assert_eq!(ids(&file), [Some("a".to_owned()), None, Some("c".to_owned())]);
    }

    #[test]
    fn what_is_appended_while_others_are_taken_out_is_kept() {
        const EACH: usize = 200;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dead");
        let file = DeadFile::new(&path, u64::MAX);
        file.append(&[letter("old"), letter("old")]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        thread::scope(|scope| {
            for name in ["a", "b"] {
                let file = DeadFile::new(&path, u64::MAX);
                scope.spawn(move || {
                    for _ in 0..EACH {
                        assert!(file.append(&[letter(name)]).unwrap());
                    }
                });
            }
            file.replace(|number| number > 1, [Ok(b"half a letter".to_vec())]).unwrap();
            for _ in 0..100 {
                file.replace(|_| true, []).unwrap();
            }
        });
        let all = ids(&file);
        for name in ["a", "b"] {
            assert_eq!(all.iter().filter(|id| id.as_deref() == Some(name)).count(), EACH);
        }
        assert_eq!(all.len(), 2 * EACH + 1);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }
}
