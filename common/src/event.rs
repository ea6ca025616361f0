//! What every document has, whoever made it: its identity, its day, the names it is filed under.
//!
//! A document is one line of JSON in ECS (Elastic Common Schema). It is made once, by the shipper,
//! and carried as bytes from there to the `_bulk` request; this module holds the few facts about
//! it that both ends must agree on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The version of ECS that the documents follow (`ecs.version`),
/// <https://www.elastic.co/docs/reference/ecs>.
pub const ECS_VERSION: &str = "8.17.0";

/// The longest cleaned name, in bytes: a routing key has 255 bytes for two names and a dot
/// (AMQP 0-9-1 short string), an index name 255 bytes for prefix, dataset and date.
pub const NAME_MAX_BYTES: usize = 100;

/// Length of a [`DocumentId`] in characters.
pub const ID_LENGTH: usize = 22;

/// Length of what a [`DocumentId`] stands for in bytes.
pub const ID_BYTES: usize = 16;

const SECONDS_PER_DAY: i64 = 86_400;

/// The `_id` of a document: 22 characters of URL-safe base64 over 16 bytes, which are the event
/// time in seconds (32 bits, big-endian, clamped to 1970–2106) and 96 bits of a hash.
///
/// The time comes first so that ids arrive nearly sorted, which Elasticsearch looks up and
/// compresses better. The line's own bytes are in the hash ([`crate::ids`]), so two different lines
/// never share an id whatever happens to their files: a false match would be a lost line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DocumentId([u8; ID_LENGTH]);

impl DocumentId {
    /// The id of what happened at `seconds` since the epoch and has this hash, of which the first 96
    /// bits are used.
    pub(crate) fn of(seconds: i64, hash: [u8; 16]) -> Self {
        let time = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        let mut bytes = [0; ID_BYTES];
        let (head, tail) = bytes.split_at_mut(4);
        head.copy_from_slice(&time.to_be_bytes());
        for (to, from) in tail.iter_mut().zip(hash) {
            *to = from;
        }
        Self::from_bytes(bytes)
    }

    /// The id from the 16 bytes that its text stands for.
    pub fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        let mut text = [b'A'; ID_LENGTH];
        // 16 bytes always encode into exactly 22 characters.
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written.ok(), Some(ID_LENGTH));
        Self(text)
    }

    /// The id that this is the text of, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 18];
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        (read.ok() == Some(ID_BYTES)).then_some(Self(text))
    }

    /// The 16 bytes that the text stands for: the time, then the hash.
    pub fn to_bytes(self) -> [u8; ID_BYTES] {
        // Decoders ask for whole groups of four characters: 24 would make 18 bytes.
        let mut bytes = [0; 18];
        let read = URL_SAFE_NO_PAD.decode_slice(self.0, &mut bytes);
        debug_assert_eq!(read.ok(), Some(ID_BYTES));
        bytes.first_chunk().copied().unwrap_or_default()
    }

    /// What the document gets in place of this id where nobody vouches for its sender. The hash is another
    /// one, so that nobody takes the id of a line beforehand, whose document would then be refused as
    /// a duplicate and lost; to find an id that becomes a given one is to invert SHA-256.
    #[must_use]
    pub fn foreign(self) -> Self {
        let [a, b, c, d, hash @ ..] = self.to_bytes();
        let seconds = i64::from(u32::from_be_bytes([a, b, c, d]));
        Self::of(seconds, hash_for(FOREIGN, &hash))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Base64 is ASCII, so this never takes the default.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Serialize for DocumentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

const SOURCE_BYTES: usize = 16;

/// What a hash is for, so that none of one kind is one of another. Each is followed by bytes of which
/// no beginning is mistaken for it.
const CONTENT: &[u8] = b"omphalos content\n";
const FOREIGN: &[u8] = b"omphalos foreign\n";
const FOREIGN_TEXT: &[u8] = b"omphalos foreign text\n";

/// The first half of SHA-256. It is no hash for lines, which are many; but nobody finds two contents
/// for it, or one for a given id.
fn hash_for(purpose: &[u8], bytes: &[u8]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(purpose);
    hasher.update(bytes);
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    half
}

/// The id of a document from someone else's producer that names no id: the hash of its bytes, so
/// that the same message delivered twice is indexed once, and that nobody has it for another one.
pub fn content_id(seconds: i64, document: &[u8]) -> DocumentId {
    DocumentId::of(seconds, hash_for(CONTENT, document))
}

/// What a document gets in place of the id that a sender gave it for whom nobody vouches.
pub fn foreign_id(text: &str) -> DocumentId {
    match DocumentId::parse(text) {
        Some(id) => id.foreign(),
        None => DocumentId::of(0, hash_for(FOREIGN_TEXT, text.as_bytes())),
    }
}

/// Which stream of lines a line belongs to: 16 bytes, written as 32 hexadecimal digits.
///
/// For lines that carry their own time it is the hash of the file's logical path and of its first
/// data line, so that it survives rotation and a lost checkpoint; for others a random number kept
/// in the checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SourceId([u8; SOURCE_BYTES]);

impl SourceId {
    /// The source of these bytes, which are a hash.
    pub(crate) fn from_bytes(bytes: [u8; SOURCE_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn to_bytes(self) -> [u8; SOURCE_BYTES] {
        self.0
    }

    /// A source from a number that was drawn at random.
    pub fn from_random(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl std::fmt::Display for SourceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::str::FromStr for SourceId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

/// The day of a point in time: days since 1970-01-01 in UTC, negative before. Of what is further
/// away than days can count, the last day on that side.
pub fn day_of(seconds: i64) -> i32 {
    let furthest = if seconds < 0 { i32::MIN } else { i32::MAX };
    i32::try_from(seconds.div_euclid(SECONDS_PER_DAY)).unwrap_or(furthest)
}

/// A name made safe for a routing key and an index name: lower case, `[a-z0-9_-]` and nothing
/// else (each other character becomes `_`), at most [`NAME_MAX_BYTES`] long, never empty and never
/// beginning with `_` or `-`, which Elasticsearch refuses.
pub fn clean_name(name: &str) -> String {
    let clean = |character: char| match character.to_ascii_lowercase() {
        safe @ ('a'..='z' | '0'..='9' | '_' | '-') => safe,
        _ => '_',
    };
    let mut cleaned = String::with_capacity(name.len().min(NAME_MAX_BYTES));
    cleaned.extend(name.chars().map(clean).take(NAME_MAX_BYTES));
    match cleaned.trim_start_matches(['_', '-']) {
        "" => "unnamed".to_owned(),
        trimmed if trimmed.len() == cleaned.len() => cleaned,
        trimmed => trimmed.to_owned(),
    }
}

/// Whether `name` is what [`clean_name`] would make of it.
pub fn is_clean_name(name: &str) -> bool {
    clean_name(name) == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdMaker;
    use proptest::prelude::*;

    #[test]
    fn an_id_survives_being_written_as_bytes() {
        let id = IdMaker::of_host("h").document_id(SourceId::from_random(1), 2, 3, b"x");
        assert_eq!(DocumentId::from_bytes(id.to_bytes()), id);
        assert_eq!(DocumentId::parse(id.as_str()), Some(id));
        assert_eq!(DocumentId::parse("short"), None);
    }

    #[test]
    fn a_foreign_id_keeps_its_time_and_depends_on_the_rest_only() {
        let id = |seconds, line: &[u8]| {
            IdMaker::of_host("h").document_id(SourceId::from_random(1), 2, seconds, line)
        };
        let of = |id: DocumentId| {
            let bytes = id.to_bytes();
            let (time, hash) = bytes.split_at(4);
            (time.to_vec(), hash.to_vec())
        };
        let (early, late) = (id(3, b"x"), id(4, b"x"));
        assert_eq!(of(early.foreign()).0, of(early).0);
        assert_eq!(of(early.foreign()).1, of(late.foreign()).1, "an audit may not know the time");
        let ids = [
            early,
            early.foreign(),
            early.foreign().foreign(),
            content_id(3, &early.to_bytes()[4..]),
        ];
        for (at, one) in ids.iter().enumerate() {
            assert!(ids[..at].iter().all(|other| of(*other).1 != of(*one).1), "{ids:?}");
        }
        assert_eq!(foreign_id(early.as_str()), early.foreign());
        assert_ne!(foreign_id("a"), foreign_id("b"));
    }

    #[test]
    fn ids_sort_by_time() {
        let maker = IdMaker::of_host("host");
        let source = SourceId::from_random(7);
        let decode = |id: DocumentId| URL_SAFE_NO_PAD.decode(id.as_str()).unwrap();
        let early = decode(maker.document_id(source, 9, 1_600_000_000, b"b"));
        let late = decode(maker.document_id(source, 1, 1_600_000_001, b"a"));
        assert!(early < late);
        // Times that 32 bits cannot hold are clamped, not wrapped.
        assert_eq!(decode(maker.document_id(source, 0, -5, b""))[..4], [0; 4]);
        assert_eq!(decode(maker.document_id(source, 0, i64::MAX, b""))[..4], [255; 4]);
    }

    #[test]
    fn days_are_counted_in_utc_from_1970() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(86_399), 0);
        assert_eq!(day_of(86_400), 1);
        assert_eq!(day_of(-1), -1);
        assert_eq!(day_of(i64::MAX), i32::MAX);
        assert_eq!(day_of(i64::MIN), i32::MIN);
    }

    #[test]
    fn names_are_cleaned() {
        for (name, cleaned) in [
            ("nginx.access", "nginx_access"),
            ("Web-1", "web-1"),
            ("__x", "x"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(clean_name(name), cleaned);
        }
    }

    #[test]
    fn a_source_id_survives_being_written() {
        let source = SourceId::from_random(0xab << 90);
        assert_eq!(source.to_string().parse::<SourceId>().unwrap(), source);
    }

    proptest! {
        #[test]
        fn cleaning_is_safe_and_stable(name in ".*") {
            let cleaned = clean_name(&name);
            prop_assert!(!cleaned.is_empty() && cleaned.len() <= NAME_MAX_BYTES);
            prop_assert!(cleaned.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b)));
            prop_assert!(is_clean_name(&cleaned));
        }
    }
}
