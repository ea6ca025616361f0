//! A JSON object a line. Its members become members of the document; where they would collide
//! with what the shipper says of every document, objects are merged, and what cannot be is kept
//! under `unmerged`, so that nothing is lost.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::push_escaped;
use super::time::{Calendar, Time, TimeFormat};
use super::{Fields, Parse, Parsed};

/// Members that hold the time of an event, the first that is there and can be read.
const TIME_MEMBERS: [&str; 4] = ["@timestamp", "timestamp", "time", "ts"];

/// The objects that the shipper writes into every document, with the members that are its own.
const OUR_MEMBERS: [(&str, &[&str]); 4] = [
    ("event", &["dataset", "original"]),
    ("ecs", &["version"]),
    ("host", &["name", "id"]),
    ("log", &["file", "offset"]),
];

/// Reads JSON lines.
#[derive(Debug)]
pub struct JsonParser;

/// The members of the object of a line.
#[derive(Debug, Default)]
pub struct JsonFields<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl Parse for JsonParser {
    fn parse<'a>(&'a mut self, calendar: &mut Calendar, line: &'a [u8]) -> Parsed<'a> {
        let failed =
            |problem| Parsed::Event { time: None, fields: Fields::Message, problem: Some(problem) };
        // As text, because the JSON parser does not look into the strings that it skips.
        let Ok(text) = std::str::from_utf8(line) else {
            return failed("the line is not UTF-8");
        };
        let Some(fields) = read_object(text) else {
            return failed("the line is not a JSON object");
        };
        if fields.has_a_name_twice() {
            return failed("the object has a member twice");
        }
        match fields.time(calendar) {
            Ok(time) => Parsed::Event { time, fields: Fields::Json(fields), problem: None },
            Err(problem) => failed(problem),
        }
    }
}

fn read_object(text: &str) -> Option<JsonFields<'_>> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = JsonFields<'de>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut members = Vec::with_capacity(16);
            while let Some(Key(key)) = map.next_key()? {
                members.push((key, map.next_value()?));
            }
            Ok(JsonFields { members })
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = deserializer.deserialize_map(Object).ok()?;
    deserializer.end().ok()?;
    Some(fields)
}

/// A key, borrowed from the line where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'a> JsonFields<'a> {
    /// Elasticsearch refuses such a document; as a message it is at least found.
    fn has_a_name_twice(&self) -> bool {
        let mut names: Vec<&str> = self.members.iter().map(|(key, _)| key.as_ref()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [left, right] if left == right))
    }

    fn time(&self, calendar: &mut Calendar) -> Result<Option<Time>, &'static str> {
        for name in TIME_MEMBERS {
            let Some((_, raw)) = self.members.iter().find(|(key, _)| key == name) else { continue };
            match read_time(calendar, raw.get()) {
                Some(time) => return Ok(Some(time)),
                // The document's own `@timestamp` takes its place, so it would be lost.
                None if name == "@timestamp" => {
                    return Err("@timestamp is neither RFC 3339 nor a number since the epoch");
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// Appends what the line adds to `object`, one of the shipper's own, each with a comma before.
    pub(super) fn write_into(&self, out: &mut Vec<u8>, object: &str) {
        for (key, raw) in self.additions(object) {
            push_member(out, &key, raw);
        }
    }

    /// Appends all that does not go into the shipper's own objects, each with a comma before.
    pub(super) fn write_rest(&self, out: &mut Vec<u8>) {
        let mut kept = Kept::default();
        for (key, raw) in &self.members {
            match ours(key) {
                Ours::Time => {}
                Ours::Nothing => push_member(out, key, raw),
                Ours::Leaf => kept.push(key, raw),
                Ours::Object(own) => match read_object(raw.get()) {
                    Some(inner) => {
                        for (name, value) in inner.members {
                            if own.contains(&name.as_ref()) {
                                kept.push(&format!("{key}.{name}"), value);
                            }
                        }
                    }
                    None => kept.push(key, raw),
                },
            }
        }
        let Kept(kept) = kept;
        if kept.is_empty() {
            return;
        }
        out.extend_from_slice(b",\"unmerged\":");
        let start = out.len();
        for (key, raw) in kept {
            push_member(out, &key, raw);
        }
        if let Some(first_comma) = out.get_mut(start) {
            *first_comma = b'{';
        }
        out.push(b'}');
    }

    fn additions(&self, object: &str) -> Vec<(Cow<'a, str>, &'a RawValue)> {
        let Some((_, raw)) = self.members.iter().find(|(key, _)| key == object) else {
            return Vec::new();
        };
        let Ours::Object(own) = ours(object) else { return Vec::new() };
        let Some(inner) = read_object(raw.get()) else { return Vec::new() };
        inner.members.into_iter().filter(|(name, _)| !own.contains(&name.as_ref())).collect()
    }
}

/// What could not be merged, under names that differ: Elasticsearch refuses a name given twice.
#[derive(Default)]
struct Kept<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Kept<'a> {
    fn push(&mut self, key: &str, raw: &'a RawValue) {
        let mut key = key.to_owned();
        while self.0.iter().any(|(taken, _)| *taken == key) {
            key.push('\'');
        }
        self.0.push((key, raw));
    }
}

/// Whose a member of the line is.
enum Ours {
    /// The time, which the document has already.
    Time,
    /// A single field of ours, such as `log.offset`.
    Leaf,
    /// An object of ours, of which these members are our own.
    Object(&'static [&'static str]),
    /// The line's.
    Nothing,
}

fn ours(key: &str) -> Ours {
    if key == "@timestamp" {
        return Ours::Time;
    }
    let (object, inner) = key.split_once('.').unwrap_or((key, ""));
    let Some((_, own)) = OUR_MEMBERS.iter().find(|(name, _)| *name == object) else {
        return Ours::Nothing;
    };
    let first = inner.split('.').next().unwrap_or_default();
    if key == object {
        Ours::Object(own)
    } else if own.contains(&first) {
        Ours::Leaf
    } else {
        Ours::Nothing
    }
}

fn push_member(out: &mut Vec<u8>, key: &str, raw: &RawValue) {
    out.extend_from_slice(b",\"");
    push_escaped(out, key.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(raw.get().as_bytes());
}

/// RFC 3339 with a zone, or a number since the epoch whose size tells its unit: seconds (perhaps
/// with decimals), milliseconds, microseconds or nanoseconds.
fn read_time(calendar: &mut Calendar, raw: &str) -> Option<Time> {
    match raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => calendar.read(TimeFormat::Iso, text.as_bytes()),
        None => calendar.read(TimeFormat::Epoch, raw.as_bytes()),
    }
}
