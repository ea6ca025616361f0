//! Keys of ids, from a file that only its owner may read.
//!
//! A line of the file is a key: 16 or 32 bytes as hexadecimal digits (`openssl rand -hex 16`), or the
//! word `host`, which stands for the key made of the host's id. The first line is for new files; all
//! are used for files that were begun with them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

use super::IdScheme;
use crate::config::{ConfigError, read_private};

/// How many keys a file may hold.
const MOST_KEYS: usize = 100;
/// How many hexadecimal digits a key may have.
const KEY_DIGITS: [usize; 2] = [32, 64];
/// The line that stands for the key of the host.
const HOST: &str = "host";

/// The length of the key that the hash takes, in bytes.
pub(super) const HASH_KEY_BYTES: usize = 16;

/// What tells keys apart and does not tell them: 8 bytes, written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPrint([u8; 8]);

impl fmt::Display for KeyPrint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyPrint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for KeyPrint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
        let number =
            number.ok_or_else(|| format!("expected 16 hexadecimal digits, found {text:?}"))?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl Serialize for KeyPrint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyPrint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A key as the hash takes it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct IdKey(pub(super) [u8; HASH_KEY_BYTES]);

impl IdKey {
    /// The key that is made of the id of a host.
    pub(super) fn of_host(host_id: &str) -> Self {
        Self(digest(b"omphalos id host", &[host_id.as_bytes()]))
    }

    /// The key that is made of a line of a file.
    fn of_secret(secret: &[u8]) -> Self {
        Self(digest(b"omphalos id file", &[secret]))
    }

    pub(super) fn print(&self) -> KeyPrint {
        let print = digest(b"omphalos id name", &[&self.0]);
        KeyPrint(print.first_chunk().copied().unwrap_or_default())
    }
}

/// A hash under a purpose, which is a key that everybody knows: it spreads what is random in `parts`
/// over the result, and cannot be turned back where that cannot be guessed.
fn digest(purpose: &[u8; HASH_KEY_BYTES], parts: &[&[u8]]) -> [u8; HASH_KEY_BYTES] {
    let mut hasher = SipHasher24::new_with_key(purpose);
    for part in parts {
        hasher.write(part);
    }
    hasher.finish128().as_bytes()
}

impl fmt::Debug for IdKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IdKey({})", self.print())
    }
}

/// With what the ids of new files are made: a key is here itself, so that there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NewFiles {
    Unkeyed,
    OfHost,
    OfKey(IdKey),
}

/// Which keys are known beside that of the host, and what new files get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdKeys {
    pub(super) of_new_files: NewFiles,
    pub(super) known: Vec<IdKey>,
}

impl Default for IdKeys {
    /// The key of the host, and no other.
    fn default() -> Self {
        Self { of_new_files: NewFiles::OfHost, known: Vec::new() }
    }
}

impl IdKeys {
    /// Reads the file that the setting `setting` names.
    ///
    /// # Errors
    /// When it cannot be read, others than its owner can read it, or it holds something else.
    pub fn open(setting: &str, path: &Path) -> Result<Self, ConfigError> {
        let keys = read_private(path).and_then(|text| Self::parse(&text));
        keys.map_err(|reason| {
            ConfigError::invalid(format!("{setting}: {}: {reason}", path.display()))
        })
    }

    /// The same keys, with ids of version 1 for new files.
    #[must_use]
    pub fn unkeyed(self) -> Self {
        Self { of_new_files: NewFiles::Unkeyed, ..self }
    }

    /// How ids are made for lines of new files.
    pub fn of_new_files(&self) -> IdScheme {
        match &self.of_new_files {
            NewFiles::Unkeyed => IdScheme::Unkeyed,
            NewFiles::OfHost => IdScheme::OfHost,
            NewFiles::OfKey(key) => IdScheme::OfKey(key.print()),
        }
    }

    /// Whether files that were begun so can be read on.
    pub fn has(&self, scheme: IdScheme) -> bool {
        scheme.key().is_none_or(|print| self.known.iter().any(|key| key.print() == print))
    }

    /// Reads the text of a file of keys.
    ///
    /// # Errors
    /// What is wrong in which line; the text of a key is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut known: Vec<IdKey> = Vec::new();
        let mut of_new_files = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let refuse = |what: &str| format!("line {}: {what}", number + 1);
            if line == HOST {
                of_new_files.get_or_insert(NewFiles::OfHost);
                continue;
            }
            let secret = bytes_of(line).ok_or_else(|| {
                refuse(
                    "expected a key of 32 or 64 hexadecimal digits, as of `openssl rand -hex 16`, or the word host",
                )
            })?;
            let key = IdKey::of_secret(&secret);
            if known.contains(&key) {
                return Err(refuse("the same key is there twice"));
            }
            if known.len() == MOST_KEYS {
                return Err(refuse(&format!("expected at most {MOST_KEYS} keys")));
            }
            of_new_files.get_or_insert_with(|| NewFiles::OfKey(key.clone()));
            known.push(key);
        }
        let of_new_files =
            of_new_files.ok_or("expected at least one line with a key, found none")?;
        Ok(Self { of_new_files, known })
    }
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let is_key = KEY_DIGITS.contains(&hexadecimal.len())
        && hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digits = hexadecimal.as_bytes().chunks(2).filter(|_| is_key);
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.map(byte).collect();
    bytes.filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_for_new_files_and_all_are_known() {
        let (short, long) = ("ab".repeat(16), "Cd".repeat(32));
        let keys = IdKeys::parse(&format!("# new\n\n {short}\n{long}\n")).unwrap();
        let print = |secret: &str| IdKey::of_secret(&bytes_of(secret).unwrap()).print();
        assert_eq!(keys.of_new_files(), IdScheme::OfKey(print(&short)));
        assert!(keys.has(IdScheme::OfKey(print(&long))) && keys.has(IdScheme::OfHost));
        assert!(keys.has(IdScheme::Unkeyed));
        assert!(!keys.has(IdScheme::OfKey(print(&"ef".repeat(16)))));
        // Back to the host's key, while files are known that were begun with another.
        let back = IdKeys::parse(&format!("host\n{short}\n")).unwrap();
        assert_eq!(back.of_new_files(), IdScheme::OfHost);
        assert!(back.has(IdScheme::OfKey(print(&short))));
        assert_eq!(back.unkeyed().of_new_files(), IdScheme::Unkeyed);
        assert!(!IdKeys::default().has(IdScheme::OfKey(print(&short))));
    }

    #[test]
    fn a_file_is_refused_with_the_line_and_without_the_key() {
        let key = "ab".repeat(16);
        let refused = |text: &str| IdKeys::parse(text).unwrap_err();
        assert_eq!(refused("# x\n"), "expected at least one line with a key, found none");
        assert_eq!(refused(&format!("{key}\n{key}")), "line 2: the same key is there twice");
        for bad in
            ["secret", &"a".repeat(31), &format!("{key}ab"), &"+1".repeat(16), &"é".repeat(16)]
        {
            let error = refused(&format!("{key}\n{bad}"));
            assert!(error.starts_with("line 2: expected a key of 32 or 64 hexadecimal"), "{error}");
            assert!(!error.contains(bad), "{error}");
        }
        let many: Vec<String> = (0..=MOST_KEYS).map(|number| format!("{number:032x}")).collect();
        assert_eq!(refused(&many.join("\n")), "line 101: expected at most 100 keys");
    }

    #[test]
    fn a_print_survives_being_written_and_a_key_is_not_shown() {
        let keys = IdKeys::parse(&"12".repeat(16)).unwrap();
        let print = keys.of_new_files().key().unwrap();
        assert_eq!(print.to_string().parse::<KeyPrint>().unwrap(), print);
        assert_eq!(
            serde_json::from_str::<KeyPrint>(&serde_json::to_string(&print).unwrap()).unwrap(),
            print
        );
        assert!("12".parse::<KeyPrint>().is_err());
        let shown = format!("{keys:?}");
        assert!(shown.contains(&print.to_string()) && !shown.contains("1212"), "{shown}");
    }
}
