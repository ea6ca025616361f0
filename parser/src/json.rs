//! A JSON object a line. Its members become members of the document; where they would collide
//! with what the shipper says of every document, objects are merged, and what cannot be is kept
//! under `unmerged`, so that nothing is lost.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::{Kept, Own, UNMERGED, collide, push_name};
use super::fields::split_first;
use super::time::{Calendar, Time, TimeFormat};
use super::{Fields, List, Parse, Parsed};

/// Members that hold the time of an event, the first that is there and can be read.
const TIME_MEMBERS: [&str; 4] = ["@timestamp", "timestamp", "time", "ts"];

/// Reads JSON lines.
#[derive(Debug)]
pub struct JsonParser;

/// The members of the object of a line.
#[derive(Debug, Default)]
pub struct JsonFields<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl Parse for JsonParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        _: &mut List<'a>,
    ) -> Parsed<'a> {
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

impl JsonFields<'_> {
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

    /// Appends what the line adds to `object`, one of the document's own, each with a comma before.
    pub(super) fn write_into(&self, out: &mut Vec<u8>, own: Own, object: &str) {
        let Some((_, raw)) = self.members.iter().find(|(key, _)| key == object) else { return };
        let Some(inner) = read_object(raw.get()) else { return };
        let names = own.names_in(object);
        for (name, value) in inner.members {
            if !names.iter().any(|own| collide(own, &name)) {
                push_member(out, &name, value);
            }
        }
    }

    /// Appends all that does not go into the document's own objects, each with a comma before.
    pub(super) fn write_rest(&self, out: &mut Vec<u8>, own: Own) {
        let mut kept = Kept::new();
        let mut theirs = None;
        for (key, raw) in &self.members {
            match place(key, raw, own) {
                Place::Elsewhere => {}
                Place::Free => push_member(out, key, raw),
                Place::Taken => kept.push(key, *raw),
                Place::Unmerged => theirs = Some(*raw),
                Place::Object(names) => match read_object(raw.get()) {
                    Some(inner) => {
                        for (name, value) in inner.members {
                            if names.iter().any(|own| collide(own, &name)) {
                                kept.push(&format!("{key}.{name}"), value);
                            }
                        }
                    }
                    None => kept.push(key, *raw),
                },
            }
        }
        match theirs {
            Some(raw) if kept.is_empty() => push_member(out, UNMERGED, raw),
            Some(raw) => kept.push(UNMERGED, raw),
            None => {}
        }
        kept.write(out, |out, raw| out.extend_from_slice(raw.get().as_bytes()));
    }

    /// Appends the tags of the line, each with a comma behind it.
    pub(super) fn write_tags(&self, out: &mut Vec<u8>) {
        let Some((_, raw)) = self.members.iter().find(|(key, _)| key == "tags") else { return };
        if !is_tags(raw) {
            return;
        }
        let tags = raw.get();
        let inside = tags.strip_prefix('[').and_then(|tags| tags.strip_suffix(']')).unwrap_or(tags);
        if !inside.trim().is_empty() {
            out.extend_from_slice(inside.as_bytes());
            out.push(b',');
        }
    }
}

/// Where a member of the line goes.
enum Place {
    /// The document has it already: the time, and tags.
    Elsewhere,
    /// Its name is one of the document's own.
    Taken,
    /// Into an object of the document, of which these members are its own.
    Object(&'static [&'static str]),
    /// Where members are kept whose names are taken, if there are any.
    Unmerged,
    /// It stays where it is.
    Free,
}

fn place(key: &str, raw: &RawValue, own: Own) -> Place {
    let (object, _) = split_first(key);
    let names = own.names_in(object);
    match key {
        _ if names.is_empty() => Place::Free,
        "@timestamp" => Place::Elsewhere,
        "tags" if is_tags(raw) => Place::Elsewhere,
        UNMERGED => Place::Unmerged,
        _ if object.len() < key.len() && !own.claims(key) => Place::Free,
        _ if object.len() < key.len() => Place::Taken,
        _ if names == [""] => Place::Taken,
        _ => Place::Object(names),
    }
}

/// Whether it can stand among tags, or is an array of them.
fn is_tags(raw: &RawValue) -> bool {
    !raw.get().starts_with('{')
}

fn push_member(out: &mut Vec<u8>, key: &str, raw: &RawValue) {
    out.push(b',');
    push_name(out, key);
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
