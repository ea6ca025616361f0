//! What comes in on a pipe, read on a thread of its own, because nothing tells when it has something.

use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::monitor::know::files::PIPE;
use crate::monitor::wake::Inbox;

/// What was read, or why nothing more can be.
pub type Piece = io::Result<Vec<u8>>;

const PIECE_BYTES: usize = 64 * 1024;
/// So many pieces wait for the monitor; then the writer does.
const MOST_PIECES: usize = 4;

/// Reads `pipe` to its end, and tells `inbox` of each piece.
///
/// # Errors
/// When no thread can be started.
pub fn read_pipe(
    mut pipe: impl Read + Send + 'static,
    inbox: Inbox,
) -> io::Result<Receiver<Piece>> {
    let (pieces, received) = sync_channel(MOST_PIECES);
    let tell = move || {
        inbox.put(|news| {
            news.touched.insert(PathBuf::from(PIPE));
        });
    };
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    buffer.truncate(length);
                    if pieces.send(Ok(std::mem::take(&mut buffer))).is_err() {
                        break;
                    }
                    buffer.resize(PIECE_BYTES, 0);
                    tell();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // Where nobody takes it, nobody reads any more.
                    drop(pieces.send(Err(error)));
                    break;
                }
            }
        }
        drop(pieces);
        tell();
    })?;
    Ok(received)
}
