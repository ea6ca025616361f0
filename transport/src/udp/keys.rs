//! Pre-shared keys, from a file that only its owner may read.
//!
//! A line of the file is `ID KEY`: a number from 0 to 255, and 32 bytes as 64 hexadecimal digits
//! (`openssl rand -hex 32`). The first key seals, all of them open. So a key is changed without a
//! gap by adding the new one at the end everywhere, then moving it to the front, then removing the
//! old one; the file is read again when it changes.

use std::fs::{self, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use tracing::{info, warn};

use super::datagram::Refusal;
use omphalos_common::config::{ConfigError, read_private};

/// Length of the proof at the end of a sealed datagram, in bytes.
pub const TAG_BYTES: usize = 16;
/// Length of a nonce, in bytes.
pub const NONCE_BYTES: usize = 24;

const KEY_BYTES: usize = 32;
/// How often a key file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// A key and the id that datagrams name it by.
#[derive(Clone)]
struct Key {
    id: u8,
    cipher: XChaCha20Poly1305,
}

/// The keys of a file: the one that seals, and those that open only.
#[derive(Clone)]
pub struct Keys {
    first: Key,
    others: Vec<Key>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<u8> = self.all().map(|key| key.id).collect();
        write!(formatter, "Keys({ids:?})")
    }
}

impl Keys {
    /// Reads the text of a key file.
    ///
    /// # Errors
    /// What is wrong in which line; the text of a key is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let refuse = |what: &str| format!("line {}: {what}", number + 1);
            let (id, key) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| refuse("expected an id and a key, found one word"))?;
            let id: u8 =
                id.parse().map_err(|_| refuse("expected an id from 0 to 255 before the key"))?;
            if keys.iter().any(|known: &Key| known.id == id) {
                return Err(refuse(&format!("id {id} is there twice")));
            }
            let key = bytes_of(key.trim()).ok_or_else(|| {
                refuse("expected a key of 64 hexadecimal digits, as of `openssl rand -hex 32`")
            })?;
            keys.push(Key { id, cipher: XChaCha20Poly1305::new(&key.into()) });
        }
        let mut keys = keys.into_iter();
        let first = keys.next();
        let first = first.ok_or("expected at least one line `ID KEY`, found none")?;
        Ok(Self { first, others: keys.collect() })
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The id of the key that seals.
    pub fn sealing_id(&self) -> u8 {
        self.first.id
    }

    /// Seals what follows `associated` in `datagram`, which is to be the header, and appends the
    /// proof.
    ///
    /// # Errors
    /// When it cannot be sealed; it is in clear text then and must not leave.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        datagram: &mut Vec<u8>,
        associated: Range<usize>,
    ) -> Result<(), NotSealed> {
        let length = datagram.len();
        let not_sealed = || NotSealed { id: self.first.id, length };
        let (head, body) = datagram.split_at_mut_checked(associated.end).ok_or_else(not_sealed)?;
        let associated = head.get(associated.start..).ok_or_else(not_sealed)?;
        let cipher = &self.first.cipher;
        let tag = cipher
            .encrypt_inout_detached(&XNonce::from(*nonce), associated, body.into())
            .map_err(|_| not_sealed())?;
        datagram.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens a body in place.
    pub(super) fn open<'a>(
        &self,
        id: u8,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        body: &'a mut [u8],
    ) -> Result<&'a [u8], Refusal> {
        let key = self.all().find(|key| key.id == id).ok_or(Refusal::UnknownKey)?;
        let (body, tag) = body.split_last_chunk_mut::<TAG_BYTES>().ok_or(Refusal::Malformed)?;
        let nonce = XNonce::from(*nonce);
        let tag = Tag::from(*tag);
        key.cipher
            .decrypt_inout_detached(&nonce, associated, (&mut *body).into(), &tag)
            .map_err(|_| Refusal::BadSeal)?;
        Ok(body)
    }
}

fn bytes_of(hexadecimal: &str) -> Option<[u8; KEY_BYTES]> {
    if hexadecimal.len() != 2 * KEY_BYTES || !hexadecimal.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (byte, digits) in key.iter_mut().zip(hexadecimal.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

/// A datagram that was not sealed.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
#[error(
    "a datagram of {length} bytes cannot be sealed with key {id}, expected a header and a body that XChaCha20-Poly1305 takes; nothing is sent in clear text instead: report this, with the settings udp"
)]
pub struct NotSealed {
    id: u8,
    length: usize,
}

impl From<NotSealed> for io::Error {
    fn from(error: NotSealed) -> Self {
        Self::other(error)
    }
}

/// A key file that is read again when it changes.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    stamp: Stamp,
    looked: Instant,
    keys: Arc<Keys>,
}

impl KeyFile {
    /// Reads the file that the setting `key` names.
    ///
    /// # Errors
    /// When it cannot be read, others than its owner can read it, or it holds something else.
    pub fn open(setting: &str, path: &Path) -> Result<Self, ConfigError> {
        let (keys, stamp) = read(path).map_err(|reason| {
            ConfigError::invalid(format!("{setting}: {}: {reason}", path.display()))
        })?;
        let looked = Instant::now();
        Ok(Self { path: path.to_owned(), stamp, looked, keys: Arc::new(keys) })
    }

    /// The keys as they were when last looked at.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Looks at the file again every few seconds, however often this is called.
    pub fn look_again(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked) >= LOOK {
            self.looked = now;
            self.refresh();
        }
    }

    /// Reads the file again if it has changed; what cannot be used changes nothing.
    fn refresh(&mut self) {
        let stamp = fs::metadata(&self.path).ok().and_then(|metadata| stamp(&metadata));
        if stamp.is_none() || stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match read(&self.path) {
            Ok((keys, _)) => {
                info!(path = %self.path.display(), ?keys, "the key file has changed");
                self.keys = Arc::new(keys);
            }
            Err(reason) => warn!(
                path = %self.path.display(),
                "the key file has changed and cannot be used, the keys stay as they were: {reason}"
            ),
        }
    }
}

type Stamp = Option<(SystemTime, u64)>;

fn stamp(metadata: &Metadata) -> Stamp {
    metadata.modified().ok().map(|time| (time, metadata.len()))
}

fn read(path: &Path) -> Result<(Keys, Stamp), String> {
    let text = read_private(path)?;
    let metadata = fs::metadata(path).map_err(|error| format!("cannot read it: {error}"))?;
    Ok((Keys::parse(&text)?, stamp(&metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_is_refused_with_the_line_and_without_the_key() {
        let good = "ab".repeat(32);
        assert!(Keys::parse(&format!("# new\n\n2 {good}\n 1\t{good}  \n")).is_ok());
        for (text, expected) in [
            ("", "expected at least one line `ID KEY`, found none"),
            ("secret", "line 1: expected an id and a key, found one word"),
            ("# x\n256 secret", "line 2: expected an id from 0 to 255 before the key"),
            (
                "1 secret",
                "line 1: expected a key of 64 hexadecimal digits, as of `openssl rand -hex 32`",
            ),
        ] {
            assert_eq!(Keys::parse(text).unwrap_err(), expected);
        }
        let twice = format!("1 {good}\n1 {good}\n");
        assert_eq!(Keys::parse(&twice).unwrap_err(), "line 2: id 1 is there twice");
    }

    #[test]
    fn what_cannot_be_sealed_is_an_error_and_seals_nothing() {
        let keys = Keys::parse(&format!("7 {}\n", "ab".repeat(32))).unwrap();
        let mut datagram = b"head".to_vec();
        for associated in [0..5, 5..5, Range { start: 4, end: 3 }] {
            let error = keys.seal(&[0; NONCE_BYTES], &mut datagram, associated).unwrap_err();
            assert_eq!(error, NotSealed { id: 7, length: 4 });
            assert!(error.to_string().contains("4 bytes cannot be sealed with key 7"), "{error}");
            assert_eq!(datagram, b"head");
        }
        keys.seal(&[0; NONCE_BYTES], &mut datagram, 0..4).unwrap();
        assert_eq!(datagram.len(), 4 + TAG_BYTES);
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        fs::write(&path, format!("1 {}\n", "ab".repeat(32))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = KeyFile::open("udp.key_file", &path).unwrap_err().to_string();
        let shown = path.display();
        assert_eq!(
            error,
            format!(
                "udp.key_file: {shown}: others can read it (mode 640); make it the owner's alone: chmod 600 {shown}"
            )
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(KeyFile::open("udp.key_file", &path).is_ok());
    }

    #[test]
    fn a_changed_key_file_is_read_again_and_a_broken_one_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write(&format!("1 {}\n", "ab".repeat(32)));
        let mut file = KeyFile::open("udp.key_file", &path).unwrap();
        write("nonsense");
        file.refresh();
        assert_eq!(file.keys().sealing_id(), 1);
        write(&format!("2 {}\n1 {0}\n", "ab".repeat(32)));
        file.refresh();
        assert_eq!(file.keys().sealing_id(), 2);
    }
}
