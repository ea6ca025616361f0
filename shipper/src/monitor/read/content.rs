//! What a file says, by offset: as it stands on disk, decompressed, or as it comes in on a pipe.
//!
//! Offsets are always those of the text. A plain file is read where one likes; the other two only
//! go forward, so they keep what was asked for last, and an archive begins anew to go back.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError};

use omphalos_common::numbers::at_most;
use rustix::fs::OFlags;

use crate::monitor::broken::{self, Broken};
use crate::monitor::position::identity::FileKey;
use crate::monitor::read::archive::{Archive, Compression};
use crate::monitor::read::pipe::Piece;

/// How a file is opened: a pipe that has taken its place must not make us wait for a writer.
const OPEN_FLAGS: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();

/// How much of a stream is read at once, in bytes.
pub const STEP_BYTES: usize = 64 * 1024;

/// Whether more may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// More may be appended.
    Open,
    /// Nothing will follow what was read.
    Complete,
    /// An archive that ends in the middle: perhaps it is still being written.
    Cut,
    /// An archive that cannot be read on, and why.
    Damaged(String),
    /// What is no text, and what to do.
    Refused(String),
}

impl Outlook {
    /// Whether nothing more will come.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Complete | Self::Damaged(_) | Self::Refused(_))
    }
}

/// The text of a file.
#[derive(Debug)]
pub enum Content {
    /// A file as it is.
    Plain(File),
    /// A compressed file.
    Archive(Archive),
    /// What another thread reads from a pipe.
    Pipe(Window<Pipe>),
}

impl Content {
    /// Opens the regular file at `path`, as an archive if it is called one.
    ///
    /// # Errors
    /// When it cannot be opened, or is something else than a file by now.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open_file(path)?;
        Ok(match Compression::of(path) {
            None => Self::Plain(file),
            Some(compression) => Self::Archive(Archive::new(file, compression)),
        })
    }

    /// The same, of which nothing is read, and why.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn refused(self, reason: String) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(file) => Self::Archive(Archive::refused(file, reason)?),
            Self::Pipe(window) => {
                Self::Pipe(Window::ended(window.reader, Outlook::Refused(reason)))
            }
            archive @ Self::Archive(_) => archive,
        })
    }

    /// Which file it is: what was opened, whatever stands at its path by now.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn key(&self) -> io::Result<FileKey> {
        self.file().map_or(Ok(FileKey::PIPE), |file| Ok(FileKey::from(&file.metadata()?)))
    }

    /// The file behind it; none behind a pipe.
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::Plain(file) => Some(file),
            Self::Archive(archive) => Some(archive.file()),
            Self::Pipe(_) => None,
        }
    }

    /// Whether any place can be read as cheaply as any other.
    pub fn is_seekable(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Fills `buffer` from `offset` on, as far as the text goes now; returns what was read.
    ///
    /// # Errors
    /// When it cannot be read; where something compressed ends in the middle or is damaged, what
    /// stands before that is read, and [`Content::outlook`] says so.
    pub fn read_up_to<'b>(&mut self, buffer: &'b mut [u8], offset: u64) -> io::Result<&'b [u8]> {
        let length = match self {
            Self::Plain(file) => read_file(file, buffer, offset),
            Self::Archive(archive) => archive.read_up_to(buffer, offset),
            Self::Pipe(window) => window.read_up_to(buffer, offset),
        }?;
        broken::first(buffer, length)
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// Of the kind `UnexpectedEof` when there is not so much; others when it cannot be read.
    pub fn read_exact(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let wanted = buffer.len();
        let read = self.read_up_to(buffer, offset)?.len();
        if read < wanted { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Whether more may come behind what was read last.
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::Plain(_) => Outlook::Open,
            Self::Archive(archive) => archive.outlook(),
            Self::Pipe(window) => window.outlook(),
        }
    }
}

/// Opens a regular file.
///
/// # Errors
/// When it cannot be opened, or is no regular file.
pub fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OPEN_FLAGS).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::NotFound, "it is not a regular file any more"));
    }
    Ok(file)
}

fn read_file(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let wanted = rest.len();
        match file.read_at(rest, offset + filled as u64) {
            // A regular file gives less than was asked for at its end only.
            Ok(read) if read < wanted => {
                filled += read;
                break;
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// What a thread has read from a pipe; `WouldBlock` when there is nothing now.
#[derive(Debug)]
pub struct Pipe {
    pieces: Receiver<Piece>,
    piece: Vec<u8>,
}

impl Pipe {
    /// What comes in through this channel, until it is closed.
    pub fn new(pieces: Receiver<Piece>) -> Self {
        Self { pieces, piece: Vec::new() }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.try_recv() {
                Ok(Ok(piece)) => self.piece = piece,
                // Whatever it is, nothing more will come.
                Ok(Err(error)) => return Err(io::Error::other(error.to_string())),
                Err(TryRecvError::Empty) => return Err(ErrorKind::WouldBlock.into()),
                Err(TryRecvError::Disconnected) => return Ok(0),
            }
        }
        let read = self.piece.as_slice().read(buffer)?;
        self.piece.drain(..read);
        Ok(read)
    }
}

/// The part of a stream that was asked for last; it only goes forward.
#[derive(Debug)]
pub struct Window<R> {
    reader: R,
    /// Offset of the first byte that is kept.
    start: u64,
    kept: Vec<u8>,
    outlook: Outlook,
}

impl<R: Read> Window<R> {
    /// A stream at its beginning.
    pub fn new(reader: R) -> Self {
        Self { reader, start: 0, kept: Vec::new(), outlook: Outlook::Open }
    }

    /// One of which it is known that nothing can be read.
    pub fn ended(reader: R, outlook: Outlook) -> Self {
        Self { outlook, ..Self::new(reader) }
    }

    /// Offset of the first byte that can still be read.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Whether more may come behind what was read last.
    pub fn outlook(&self) -> Outlook {
        self.outlook.clone()
    }

    /// Fills `buffer` from `offset` on, as far as the stream goes now; returns how much was read.
    ///
    /// # Errors
    /// When it cannot be read; [`Broken`] when the offset was passed.
    pub fn read_up_to(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset < self.start {
            let what = format!("a stream was at {} and was to be read at {offset}", self.start);
            return Err(Broken::error(what));
        }
        let end = offset + buffer.len() as u64;
        while self.outlook == Outlook::Open {
            self.forget_before(offset);
            let missing = end.saturating_sub(self.start + self.kept.len() as u64);
            if missing == 0 || !self.step(missing)? {
                break;
            }
        }
        self.forget_before(offset);
        let available = if self.start == offset { self.kept.as_slice() } else { &[] };
        // Copies as much as there is, or as there is room for.
        let mut rest = available;
        rest.read(buffer)
    }

    fn forget_before(&mut self, offset: u64) {
        let passed = at_most(offset - self.start, self.kept.len());
        self.kept.drain(..passed);
        self.start += passed as u64;
    }

    /// Reads some more; whether there may be still more now.
    fn step(&mut self, missing: u64) -> io::Result<bool> {
        let length = self.kept.len();
        self.kept.resize(length + at_most(missing, STEP_BYTES), 0);
        // Without room the reader would give nothing, as at its end.
        let room = self.kept.get_mut(length..).filter(|room| !room.is_empty());
        let room = room.ok_or_else(|| Broken::error("no room to read a stream into"))?;
        let result = self.reader.read(room);
        self.kept.truncate(length + result.as_ref().map_or(0, |read| *read));
        match result {
            Ok(0) => self.outlook = Outlook::Complete,
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => return Ok(false),
                ErrorKind::UnexpectedEof => self.outlook = Outlook::Cut,
                ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::Other => {
                    self.outlook = Outlook::Damaged(error.to_string());
                }
                _ => return Err(error),
            },
        }
        Ok(self.outlook == Outlook::Open)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::sync::mpsc::sync_channel;

    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn text() -> Vec<u8> {
        (0..100_000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
    }

    fn part(content: &mut Content, offset: u64, length: usize) -> Vec<u8> {
        let mut buffer = vec![0; length];
        content.read_up_to(&mut buffer, offset).unwrap().to_vec()
    }

    fn opened(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Content) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let content = Content::open(&path).unwrap();
        (directory, content)
    }

    #[test]
    fn archives_are_read_by_the_offsets_of_their_text() {
        let text = text();
        let halves = text.split_at(text.len() / 2);
        let members = [gzip(halves.0), gzip(halves.1)].concat();
        let frames = zstd::encode_all(&text[..], 1).unwrap();
        for (name, bytes) in [("a.log.gz", members), ("a.log.zst", frames), ("a.log", text.clone())]
        {
            let (_directory, mut content) = opened(name, &bytes);
            // Forward, back, forward over a gap, and beyond the end.
            for offset in [0, 100, 99, 700_000, 5, text.len() as u64 - 3, text.len() as u64 + 9] {
                let from = usize::try_from(offset).unwrap().min(text.len());
                let expected = &text[from..(from + 5000).min(text.len())];
                assert_eq!(part(&mut content, offset, 5000), expected, "{name} at {offset}");
            }
            let complete = content.outlook() == Outlook::Complete;
            assert_eq!(complete, !content.is_seekable(), "{name}");
        }
    }

    #[test]
    fn an_archive_that_is_still_written_is_read_on_when_it_is_complete() {
        for name in ["a.gz", "a.zst"] {
            let text = text();
            let bytes =
                if name == "a.gz" { gzip(&text) } else { zstd::encode_all(&text[..], 1).unwrap() };
            let (directory, mut content) = opened(name, &bytes[..bytes.len() / 2]);
            let first = part(&mut content, 0, text.len());
            assert!(text.starts_with(&first));
            assert_eq!(content.outlook(), Outlook::Cut, "{name}");
            fs::write(directory.path().join(name), &bytes).unwrap();
            assert_eq!(part(&mut content, 0, text.len() + 1), text);
            assert_eq!(content.outlook(), Outlook::Complete);
        }
    }

    #[test]
    fn a_damaged_archive_gives_what_stands_before_the_damage() {
        let text = text();
        let mut bytes = gzip(&text);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xff);
        let (_directory, mut content) = opened("a.gz", &bytes);
        let read = part(&mut content, 0, text.len());
        assert!(!read.is_empty() && read.len() < text.len());
        assert!(matches!(content.outlook(), Outlook::Damaged(_)), "{:?}", content.outlook());
        let (_directory, mut content) = opened("b.gz", b"this is no archive at all");
        assert_eq!(part(&mut content, 0, 10), b"");
        assert!(matches!(content.outlook(), Outlook::Damaged(_)));
    }

    #[test]
    fn a_pipe_is_read_as_far_as_it_has_come() {
        let (pieces, received) = sync_channel(8);
        let mut content = Content::Pipe(Window::new(Pipe::new(received)));
        pieces.send(Ok(b"one\ntw".to_vec())).unwrap();
        assert_eq!(part(&mut content, 0, 100), b"one\ntw");
        pieces.send(Ok(b"o\n".to_vec())).unwrap();
        assert_eq!(part(&mut content, 4, 100), b"two\n");
        assert_eq!(content.outlook(), Outlook::Open);
        drop(pieces);
        assert_eq!(part(&mut content, 8, 100), b"");
        assert_eq!(content.outlook(), Outlook::Complete);
        assert!(content.read_up_to(&mut [0], 0).is_err());
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        assert_eq!(open_file(&path).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
