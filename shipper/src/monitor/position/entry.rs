//! What the checkpoint says of one file.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use omphalos_common::event::SourceId;
use omphalos_common::ids::{IdScheme, KeyPrint};
use omphalos_parser::ParserKind;
use omphalos_parser::settings::{LineRule, TimeSettings};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::monitor::position::identity::{FileKey, Fingerprint};

/// How far one file is delivered, and what its lines' identities depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where the file was last seen.
    #[serde(serialize_with = "path_to_text", deserialize_with = "path_from_text")]
    pub path: PathBuf,
    /// Which file it is.
    pub key: FileKey,
    /// Its beginning.
    pub prefix: Fingerprint,
    /// Nothing was read of it yet: its beginning only says of which content the formats are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unread: bool,
    /// Everything before this offset is delivered.
    pub offset: u64,
    /// The bytes just before the offset.
    pub guard: Fingerprint,
    /// The version of its lines' ids; 1 where nothing is said, as by a shipper that knew no other.
    #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
    pub id_version: u32,
    /// The key of its lines' ids, where that is from a file of keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_key: Option<KeyPrint>,
    /// The source of lines with a time of their own.
    #[serde(default, with = "optional_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// The source of lines without one: drawn at random.
    #[serde(default, with = "optional_source", skip_serializing_if = "Option::is_none")]
    pub untimed: Option<SourceId>,
    /// The time of the last line before the offset that had one: seconds and nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_time: Option<(i64, u32)>,
    /// The times given to lines that have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Where an event of several lines was ended because nothing followed for long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<u64>,
    /// What the file was like when there was nothing more in it; it need not be looked into again
    /// as long as it is like that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Stamp>,
    /// Up to where anything of it may have left, where that is known: its reader had ended by then, and
    /// nothing was on its way. Else all that stands in it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<u64>,
    /// Whoever opens a file that other checkpoints know too takes the turn after the last of theirs: who
    /// has the last one knew what all others had read.
    #[serde(default, skip_serializing_if = "is_first_turn")]
    pub turn: u64,
    /// Which lines have another format than those that follow: those of before another was set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Former>,
    /// The format of its lines, or of those that follow, by its name in settings: a file keeps the one
    /// that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<String>,
    /// What was set of the times of the same lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<TimeSettings>,
    /// Their dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// When the file was last seen, in seconds since the epoch.
    pub seen: i64,
}

impl Entry {
    /// Nothing is read yet of the file `key` at `path`, whose ids are to be made so; it was seen at
    /// `seen`, in seconds since the epoch.
    pub fn unread(path: &Path, key: FileKey, ids: IdScheme, seen: i64) -> Self {
        Self {
            path: path.to_owned(),
            key,
            prefix: Fingerprint::default(),
            unread: false,
            offset: 0,
            guard: Fingerprint::default(),
            id_version: ids.version(),
            id_key: ids.key(),
            source: None,
            untimed: None,
            last_time: None,
            marks: Vec::new(),
            splits: Vec::new(),
            complete: None,
            reached: None,
            turn: 0,
            formats: Vec::new(),
            parser: None,
            times: None,
            dataset: None,
            seen,
        }
    }

    /// Whether something of the file was read.
    pub fn has_seen(&self) -> bool {
        self.prefix.length > 0 && !self.unread
    }

    /// By what the lines behind those of `formats` are read, where that is known.
    pub fn last_rule(&self) -> Option<LineRule> {
        rule(self.parser.as_deref()?, self.times.as_ref(), self.dataset.as_ref())
    }

    /// By what lines were read of which nobody wrote it down, as shippers did that knew raw text only;
    /// `None` where nothing was read.
    pub fn unsaid_rule(&self) -> Option<LineRule> {
        let raw = LineRule { parser: ParserKind::Raw, times: None, dataset: None };
        (self.offset > 0).then_some(raw)
    }

    /// By what its lines were read up to `end`, behind which nobody had read any.
    pub fn spans(&self, end: u64) -> Vec<Former> {
        let mut spans = self.formats.clone();
        let begun = spans.last().map_or(0, |former| former.end);
        match (&self.parser, spans.last_mut()) {
            // To whatever end there would be, as imports once wrote it down.
            (_, Some(Former { end: last, .. })) if *last == u64::MAX => *last = end,
            (Some(parser), _) if end > begun => spans.push(Former {
                end,
                parser: parser.clone(),
                times: self.times.clone(),
                dataset: self.dataset.clone(),
            }),
            _ => {}
        }
        spans
    }

    /// What makes the ids of its lines; `None` when only a later program knows.
    pub fn ids(&self) -> Option<IdScheme> {
        IdScheme::of(self.id_version, self.id_key)
    }

    /// Notes what makes the ids of its lines.
    pub fn set_ids(&mut self, scheme: IdScheme) {
        (self.id_version, self.id_key) = (scheme.version(), scheme.key());
    }
}

fn first_version() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_first_version(version: &u32) -> bool {
    *version == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_first_turn(turn: &u64) -> bool {
    *turn == 0
}

#[cfg(test)]
impl Entry {
    /// Nothing is known of a file yet.
    pub fn blank(path: &Path, key: FileKey) -> Self {
        Self::unread(path, key, IdScheme::OfHost, 0)
    }
}

/// Lines before `end`, and after the previous one's, were read with a format of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Offset.
    pub end: u64,
    /// Its name in settings.
    pub parser: String,
    /// What was set of times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<TimeSettings>,
    /// Their dataset; none where nobody wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

impl Former {
    /// Lines before `end` were read by `rule`.
    pub fn new(end: u64, rule: LineRule) -> Self {
        let LineRule { parser, times, dataset } = rule;
        Self { end, parser: parser.name().to_owned(), times, dataset }
    }

    /// By what the lines were read; `None` where only a later program knows the format.
    pub fn rule(&self) -> Option<LineRule> {
        rule(&self.parser, self.times.as_ref(), self.dataset.as_ref())
    }
}

fn rule(parser: &str, times: Option<&TimeSettings>, dataset: Option<&String>) -> Option<LineRule> {
    let parser = ParserKind::from_name(parser)?;
    Some(LineRule { parser, times: times.cloned(), dataset: dataset.cloned() })
}

/// What tells that a file has not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its size on disk; compressed, for an archive.
    pub bytes: u64,
    /// When it was written, in nanoseconds since the epoch.
    pub modified: i64,
}

/// Lines without a time that begin before `end`, and after the previous mark's, happened at
/// `millis`, which is when they were first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Offset.
    pub end: u64,
    /// Milliseconds since the epoch.
    pub millis: i64,
}

/// A path that is not UTF-8 is written as the numbers of its bytes.
fn path_to_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => serializer.serialize_str(text),
        None => path.as_os_str().as_bytes().serialize(serializer),
    }
}

fn path_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Bytes(Vec<u8>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => PathBuf::from(text),
        Either::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
    })
}

mod optional_source {
    use super::{Deserialize, Deserializer, Serializer, SourceId};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(
        source: &Option<SourceId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match source {
            Some(source) => serializer.collect_str(source),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SourceId>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
