//! Files that are read whole: settings, secrets, keys, and what was written down before a restart. A
//! path may lead anywhere, so none is read for ever and none without a bound.
//!
//! A pipe is read where somebody writes to it, as a shell has it (`--amqp-url-file <(pass mq)`).

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// What a person or a tool writes by hand is smaller, in bytes.
const MOST_WRITTEN: usize = 16 * 1024 * 1024;
/// What we write down ourselves is smaller, in bytes.
const MOST_OWN: usize = 1024 * 1024 * 1024;
/// Who writes into a pipe is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The text of a file that a person wrote: settings, a secret, keys, certificates. At most 16 MiB.
///
/// # Errors
/// When it cannot be read, is larger, is no text, or is a pipe that nobody has written to for 10 seconds.
pub fn read_text(path: &Path) -> Result<String> {
    text_of(read_up_to(path, MOST_WRITTEN)?)
}

/// The text of a file that we wrote. At most 1 GiB.
///
/// # Errors
/// As [`read_text`].
pub fn read_own_text(path: &Path) -> Result<String> {
    text_of(read_own(path)?)
}

/// What is in a file that we wrote. At most 1 GiB.
///
/// # Errors
/// As [`read_text`].
pub fn read_own(path: &Path) -> Result<Vec<u8>> {
    read_up_to(path, MOST_OWN)
}

fn text_of(bytes: Vec<u8>) -> Result<String> {
    let is_no_text = |_| Error::new(ErrorKind::InvalidData, "it is no text in UTF-8");
    String::from_utf8(bytes).map_err(is_no_text)
}

fn read_up_to(path: &Path, most: usize) -> Result<Vec<u8>> {
    let options = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(options).open(path)?;
    let metadata = file.metadata()?;
    let is_pipe = metadata.file_type().is_fifo();
    let expected = usize::try_from(metadata.len()).unwrap_or(most).min(most);
    let mut bytes = Vec::with_capacity(expected.saturating_add(1));
    let mut block = vec![0; 64 * 1024];
    let until = Instant::now() + PATIENCE;
    loop {
        match file.read(&mut block) {
            Ok(0) if is_pipe && bytes.is_empty() => {
                return Err(Error::other(
                    "it is a pipe that nobody writes to: name a file, or start its writer first",
                ));
            }
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend(block.iter().take(read)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&file, until)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() > most {
            return Err(Error::other(format!("it has more than {most} bytes")));
        }
    }
}

/// Waits until there is something to read, or the end.
fn wait(file: &File, until: Instant) -> Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(Error::other)?;
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&left)) {
        Ok(0) => Err(Error::new(
            ErrorKind::TimedOut,
            format!("it is no file, and did not end within {} s", PATIENCE.as_secs()),
        )),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_is_no_file_is_waited_for_or_refused_and_never_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("file"), "text\n").unwrap();
        assert_eq!(read_text(&path("file")).unwrap(), "text\n");
        std::fs::write(path("no text"), b"\xff").unwrap();
        let said = |path: &Path| read_text(path).unwrap_err().to_string();
        assert_eq!(said(&path("no text")), "it is no text in UTF-8");
        assert!(said(directory.path()).contains("directory"));
        assert_eq!(said(Path::new("/dev/zero")), "it has more than 16777216 bytes");
        assert_eq!(read_text(Path::new("/dev/null")).unwrap(), "");

        let pipe = path("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(said(&pipe).starts_with("it is a pipe that nobody writes to"));
        // As a shell does it: the writer is there first, and takes its time.
        let (reading, mut writing) = std::io::pipe().unwrap();
        let of_shell = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reading));
        let (begun, go) = std::sync::mpsc::sync_channel(1);
        let writer = thread::spawn(move || {
            go.recv().unwrap();
            writing.write_all(b"amqp://").unwrap();
            thread::yield_now();
            writing.write_all(b"a:b@mq").unwrap();
        });
        begun.send(()).unwrap();
        assert_eq!(read_text(Path::new(&of_shell)).unwrap(), "amqp://a:b@mq");
        writer.join().unwrap();
    }
}
