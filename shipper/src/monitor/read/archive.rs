//! The text of a compressed file: of all its members or frames, one behind the other.
//!
//! What is called an archive and is none, or none whose lines could be read, gives nothing, and says
//! why: lines made of something else would be nobody's lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::monitor::know::matching::stamp;
use crate::monitor::position::entry::Stamp;
use crate::monitor::read::content::{Outlook, STEP_BYTES, Window};
use crate::monitor::read::foreign::refusal_inside;

/// A tar archive begins with a block of so many bytes.
const TAR_BLOCK: usize = 512;
/// Where it says what it is, and how: POSIX, GNU.
const TAR_MARK: std::ops::Range<usize> = 257..265;
const TAR_MARKS: [&[u8]; 2] = [b"ustar\x0000", b"ustar  \0"];
/// What is said of one.
pub const TAR: &str = "it is a tar archive, which holds files and not lines; unpack it (tar -xf) and name the files that were in it";
const TRAILING: &str = "behind its end stands something that is no archive";

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, one or more members.
    Gzip,
    /// RFC 8878, one or more frames.
    Zstd,
}

impl Compression {
    /// What the name of a file says: `.gz` or `.zst`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.as_encoded_bytes() {
            b"gz" => Some(Self::Gzip),
            b"zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// Whether a file that begins with `head`, or is no longer than that, may be so compressed.
    fn begins(self, head: &[u8]) -> bool {
        let is_begun = |magic: &[u8]| head.iter().zip(magic).all(|(found, own)| found == own);
        match self {
            Self::Gzip => is_begun(b"\x1f\x8b"),
            // A frame may be one that is to be skipped, of which there are sixteen kinds.
            Self::Zstd => {
                let skipped = |kind| is_begun(&[kind, 0x2a, 0x4d, 0x18]);
                is_begun(b"\x28\xb5\x2f\xfd") || (0x50..=0x5f).any(skipped)
            }
        }
    }
}

/// Whether text begins as a tar archive does.
pub fn is_tar(text: &[u8]) -> bool {
    text.get(TAR_MARK).is_some_and(|mark| TAR_MARKS.contains(&mark))
}

/// A compressed file.
#[derive(Debug)]
pub struct Archive {
    file: File,
    compression: Compression,
    /// None before the first read, and where it must begin anew.
    window: Option<Window<Decoder>>,
    /// What the file was like when the window was begun.
    stamp: Option<Stamp>,
}

impl Archive {
    /// The archive in this file.
    pub fn new(file: File, compression: Compression) -> Self {
        Self { file, compression, window: None, stamp: None }
    }

    /// A file that is not read, and why.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn refused(file: File, reason: String) -> io::Result<Self> {
        let mut archive = Self::new(file, Compression::Gzip);
        archive.window = Some(Window::ended(archive.decoder()?, Outlook::Refused(reason)));
        Ok(archive)
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether more may come behind what was read last.
    pub fn outlook(&self) -> Outlook {
        self.window.as_ref().map_or(Outlook::Open, Window::outlook)
    }

    /// Fills `buffer` from `offset` on; returns how much was read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_up_to(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let stamp = Some(stamp(&self.file.metadata()?));
        let is_usable = |window: &Window<_>| {
            // One that ended in the middle may have been completed since.
            let is_completed = window.outlook() == Outlook::Cut && stamp != self.stamp;
            window.start() <= offset && !is_completed
        };
        let window = match self.window.take().filter(is_usable) {
            Some(window) => window,
            None => self.begin()?,
        };
        self.stamp = stamp;
        self.window.insert(window).read_up_to(buffer, offset)
    }

    /// The text from its beginning.
    fn begin(&self) -> io::Result<Window<Decoder>> {
        let mut head = [0; 4];
        let length = self.file.read_at(&mut head, 0)?;
        let head = head.get(..length).unwrap_or_default();
        if head.is_empty() {
            return Ok(Window::ended(self.decoder()?, Outlook::Cut));
        }
        if !self.compression.begins(head) {
            let ending = self.compression.ending();
            let found: Vec<String> = head.iter().map(|byte| format!("{byte:02x}")).collect();
            let reason = format!(
                "its name ends in {ending}, but it does not begin as such an archive does (found {}); if it is text, give it a name without {ending}",
                found.join(" ")
            );
            return Ok(Window::ended(self.decoder()?, Outlook::Damaged(reason)));
        }
        let mut window = Window::new(self.decoder()?);
        let mut block = [0; TAR_BLOCK];
        let length = window.read_up_to(&mut block, 0)?;
        if let Some(reason) = block.get(..length).and_then(refusal_inside) {
            return Ok(Window::ended(self.decoder()?, Outlook::Refused(reason)));
        }
        Ok(window)
    }

    fn decoder(&self) -> io::Result<Decoder> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(match self.compression {
            Compression::Gzip => {
                let file = BufReader::with_capacity(STEP_BYTES, file);
                Decoder::Gzip(Members { current: Some(Box::new(GzDecoder::new(file))) })
            }
            Compression::Zstd => Decoder::Zstd(Box::new(zstd::Decoder::new(file)?)),
        })
    }
}

/// Where the text of an archive comes from.
pub enum Decoder {
    /// gzip.
    Gzip(Members),
    /// zstd.
    Zstd(Box<zstd::Decoder<'static, BufReader<File>>>),
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(members) => members.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// The members of a gzip archive. Zeros behind the last are passed over, as by gzip(1): what pads
/// blocks of a tape or a disk.
pub struct Members {
    /// None behind the last.
    current: Option<Box<GzDecoder<BufReader<File>>>>,
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.current {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(member) = self.current.take() else { break };
            let mut rest = member.into_inner();
            if has_another(&mut rest)? {
                self.current = Some(Box::new(GzDecoder::new(rest)));
            }
        }
        Ok(0)
    }
}

/// Whether another member stands behind one.
fn has_another(rest: &mut impl BufRead) -> io::Result<bool> {
    let mut is_padded = false;
    loop {
        let found = rest.fill_buf()?;
        let padding = found.iter().take_while(|byte| **byte == 0).count();
        match found.get(padding) {
            None if found.is_empty() => return Ok(false),
            None => {}
            Some(first) if padding == 0 && !is_padded && *first == 0x1f => return Ok(true),
            Some(_) => return Err(io::Error::new(ErrorKind::InvalidData, TRAILING)),
        }
        is_padded = true;
        rest.consume(padding);
    }
}
