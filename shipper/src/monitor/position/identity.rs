//! Which file is which, whatever it is called: device and inode, fingerprints of its content, and
//! the name that it has through all rotations.

use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

/// The prefix that is fingerprinted, in bytes.
pub const PREFIX_BYTES: usize = 1024;
/// How much before an offset is fingerprinted to guard it, in bytes.
pub const GUARD_BYTES: usize = 256;

/// Device, inode and birth: the same file under any name. An inode is used again as soon as it is
/// free, often by the very next file; the time of birth tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileKey {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `stx_btime`, in nanoseconds since the epoch; `None` where the file system does not say, and
    /// in checkpoints of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<i64>,
}

impl FileKey {
    /// That of a pipe, which is no file.
    pub const PIPE: Self = Self { device: 0, inode: 0, born: None };

    /// Where a file is, born when it may.
    pub fn place(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether both may be of one file: nothing that is known of either speaks against it.
    pub fn is_like(&self, other: &Self) -> bool {
        let births = self.born.zip(other.born);
        self.place() == other.place() && births.is_none_or(|(one, another)| one == another)
    }
}

impl From<&Metadata> for FileKey {
    fn from(metadata: &Metadata) -> Self {
        let since_epoch = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let born = metadata.created().ok().and_then(since_epoch);
        let born = born.and_then(|born| i64::try_from(born.as_nanos()).ok());
        Self { device: metadata.dev(), inode: metadata.ino(), born }
    }
}

/// The hash of some bytes and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many bytes.
    pub length: u32,
    /// Their XXH3-128.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub hash: u128,
}

impl Fingerprint {
    /// The fingerprint of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        debug_assert!(bytes.len() <= PREFIX_BYTES, "fingerprints are of short pieces");
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { length, hash: xxh3_128(bytes) }
    }

    /// Whether `bytes` have this fingerprint.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        *self == Self::of(bytes)
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::of(&[])
    }
}

fn to_hex<S: Serializer>(hash: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{hash:032x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

/// The path without the suffixes of rotation and compression, so that a line keeps its id when
/// its file is rotated: `access.log.3`, `access.log-20261122.gz` and `access.2026-11-22.log.zst`
/// are all `access.log`.
pub fn logical_path(path: &Path) -> PathBuf {
    let Some(name) = path.file_name() else { return path.to_owned() };
    let name = logical_name(name.as_bytes());
    path.with_file_name(std::ffi::OsString::from_vec(name))
}

const COMPRESSED: [&[u8]; 7] = [b".gz", b".zst", b".bz2", b".xz", b".lz4", b".Z", b".zip"];

fn logical_name(name: &[u8]) -> Vec<u8> {
    let mut name = name;
    for suffix in COMPRESSED {
        name = name.strip_suffix(suffix).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    let name = without_number(name);
    without_date(name)
}

/// `access.log.3` is rotated `access.log`; but `8080` alone, or `.5`, is a name.
fn without_number(name: &[u8]) -> &[u8] {
    const MOST_DIGITS: usize = 4;
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (stem, _) = name.split_at(name.len() - digits);
    match stem.strip_suffix(b".") {
        Some(stem) if (1..=MOST_DIGITS).contains(&digits) && !stem.is_empty() => stem,
        _ => name,
    }
}

/// Takes out the first date with the separator before it and the hour or counter behind it.
fn without_date(name: &[u8]) -> Vec<u8> {
    for (start, separator) in name.iter().enumerate().skip(1) {
        if !matches!(separator, b'-' | b'.' | b'_') {
            continue;
        }
        let (stem, dated) = name.split_at(start);
        let [_, dated @ ..] = dated else { continue };
        let Some(behind) = behind_date(dated).map(behind_counter) else { continue };
        if behind.first().is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        return [stem, behind].concat();
    }
    name.to_owned()
}

/// What stands behind `20261122` or `2026-11-22`; `None` when `text` does not begin with one.
fn behind_date(text: &[u8]) -> Option<&[u8]> {
    let dashed = matches!(text, [_, _, _, _, b'-', _, _, b'-', _, _, ..]);
    let length = if dashed { 10 } else { 8 };
    let (date, behind) = text.split_at_checked(length)?;
    let digits: Vec<u8> = date.iter().copied().filter(u8::is_ascii_digit).collect();
    let number = |range: std::ops::Range<usize>| {
        let text = std::str::from_utf8(digits.get(range)?).ok()?;
        text.parse::<u32>().ok()
    };
    let plausible = digits.len() == 8
        && (1970..2200).contains(&number(0..4)?)
        && (1..=12).contains(&number(4..6)?)
        && (1..=31).contains(&number(6..8)?);
    plausible.then_some(behind)
}

/// What stands behind `-17`, `.2` or `-1764000000`, or all of `text` when it begins with none.
fn behind_counter(text: &[u8]) -> &[u8] {
    const MOST_DIGITS: usize = 10;
    let [b'-' | b'.' | b'_', rest @ ..] = text else { return text };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (_, behind) = rest.split_at(digits);
    let ends = behind.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    if (1..=MOST_DIGITS).contains(&digits) && ends { behind } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rotated_and_compressed_names_have_one_logical_path() {
        for name in [
            "access.log",
            "access.log.1",
            "access.log.3.gz",
            "access.log-20261122",
            "access.log-20261122.gz",
            "access.log-20261122-17.gz",
            "access.log-20261122-1764000000",
            "access.log.2026-11-22",
            "access.2026-11-22.log.zst",
            "access-2026-11-22.log",
            "access-20261122.log",
            "access_20261122.log",
        ] {
            assert_eq!(
                logical_path(Path::new("/l").join(name).as_path()),
                Path::new("/l/access.log"),
                "{name}"
            );
        }
    }

    #[test]
    fn names_that_only_look_rotated_are_kept() {
        for name in [
            "worker-1.log",
            "worker-2.log",
            "app.1.log",
            "8080",
            ".5",
            "out.12345",
            "a-20261399.log",
            "build-99991122.log",
            "x-202611221.log",
            ".gz",
            "access.log.old",
        ] {
            assert_eq!(logical_path(Path::new(name)), Path::new(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_stable_logical_name(name in proptest::collection::vec(any::<u8>(), 1..30)) {
            prop_assert!(!logical_name(&name).is_empty());
        }
    }
}
