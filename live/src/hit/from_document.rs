//! From a JSON document, in ECS or nearly: one pass, which keeps the names and texts of all values in
//! buffers that are used again.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Hit, Others};

/// Why bytes are no document.
#[derive(Debug, thiserror::Error)]
#[error("expected a JSON object, found something else: {0}")]
pub struct DocumentProblem(#[from] serde_json::Error);

/// Values that are kept of one document; those that follow are not looked at.
const MOST_VALUES: usize = 1024;
/// A value whose path is longer has no name: it is found where all values are looked at.
const LONGEST_NAME: usize = 512;
/// Objects in objects are looked into so deep.
const MOST_DEPTH: usize = 32;

/// Reads documents, in memory that is used again.
#[derive(Debug, Default)]
pub struct DocumentReader {
    /// Names and texts.
    bytes: Vec<u8>,
    values: Vec<Named>,
    /// The name of the object that is being read.
    path: String,
}

#[derive(Debug)]
struct Named {
    name: Range<usize>,
    text: Range<usize>,
    /// Whether it is a text in the document.
    is_text: bool,
}

/// A document that was read.
#[derive(Debug)]
pub struct Document<'a> {
    reader: &'a DocumentReader,
    json: &'a [u8],
}

impl DocumentReader {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn read<'a>(&'a mut self, json: &'a [u8]) -> Result<Document<'a>, DocumentProblem> {
        self.bytes.clear();
        self.values.clear();
        self.path.clear();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        deserializer.deserialize_map(Members { reader: self, depth: 0 })?;
        deserializer.end()?;
        Ok(Document { reader: self, json })
    }

    fn keep(&mut self, text: &[u8], is_text: bool) {
        if self.values.len() < MOST_VALUES {
            let start = self.bytes.len();
            // A longer one is asked for by nobody, and may be around a thousand values.
            if self.path.len() <= LONGEST_NAME {
                self.bytes.extend_from_slice(self.path.as_bytes());
            }
            let middle = self.bytes.len();
            self.bytes.extend_from_slice(text);
            let text = middle..self.bytes.len();
            self.values.push(Named { name: start..middle, text, is_text });
        }
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.values.iter();
        values
            .find(|value| self.part(&value.name) == name.as_bytes())
            .map(|value| self.part(&value.text))
    }
}

impl Document<'_> {
    /// The hit of the document. A document whose time cannot be read has that of 1970.
    pub fn hit(&self) -> Hit<'_> {
        let text = |names: &[&str]| names.iter().find_map(|name| self.reader.value(name));
        let number = |names: &[&str]| {
            names.iter().find_map(|name| {
                std::str::from_utf8(self.reader.value(name)?).ok()?.parse::<u64>().ok()
            })
        };
        Hit {
            time: self.time().unwrap_or(0),
            path: text(&["url.path", "path"]),
            method: text(&["http.request.method", "method"]),
            status: number(&["http.response.status_code", "status"])
                .and_then(|status| u16::try_from(status).ok()),
            bytes: number(&["http.response.body.bytes", "http.response.bytes", "bytes"]),
            latency: number(&["event.duration"]),
            client: text(&["source.address", "source.ip", "client", "ip"]),
            user: text(&["user.name", "user"]),
            referrer: text(&["http.request.referrer", "referrer"]),
            agent: text(&["user_agent.original", "agent"]),
            virtual_host: text(&["url.domain"]),
            host: text(&["host.name", "host"]),
            source: text(&["log.file.path", "file"]),
            dataset: text(&["event.dataset", "dataset"]),
            line: text(&["event.original"]).unwrap_or(self.json),
            others: self,
        }
    }

    /// Nanoseconds since 1970; `None` where it has no time that can be read.
    pub fn time(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.reader.value("@timestamp")?).ok()?;
        let time: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    }
}

impl Others for Document<'_> {
    fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.reader.value(name).map(Cow::Borrowed)
    }

    fn is_any_of(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.reader.values.iter().any(|value| {
            self.reader.part(&value.name) == name.as_bytes() && test(self.reader.part(&value.text))
        })
    }

    fn any(&self, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.reader.values.iter().any(|value| {
            let is_text = value.is_text && self.reader.part(&value.name) != b"@timestamp";
            is_text && test(self.reader.part(&value.text))
        })
    }
}

/// Reads the members of an object.
struct Members<'r> {
    reader: &'r mut DocumentReader,
    depth: usize,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let end = self.reader.path.len();
        loop {
            self.reader.path.truncate(end);
            if end > 0 {
                self.reader.path.push('.');
            }
            if map.next_key_seed(Name(&mut self.reader.path))?.is_none() {
                break;
            }
            map.next_value_seed(Value { reader: &mut *self.reader, depth: self.depth })?;
        }
        self.reader.path.truncate(end);
        Ok(())
    }
}

/// Appends the name of a member.
struct Name<'r>(&'r mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}

/// Reads a value into the buffers.
struct Value<'r> {
    reader: &'r mut DocumentReader,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.reader.keep(text.as_bytes(), true);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.reader.keep(itoa::Buffer::new().format(number).as_bytes(), false);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.reader.keep(itoa::Buffer::new().format(number).as_bytes(), false);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.reader.keep(format!("{number:?}").as_bytes(), false);
        Ok(())
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<(), E> {
        self.reader.keep(if is_true { b"true" } else { b"false" }, false);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let depth = deeper::<S::Error>(self.depth)?;
        while items.next_element_seed(Value { reader: &mut *self.reader, depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        let depth = deeper::<M::Error>(self.depth)?;
        Members { reader: self.reader, depth }.visit_map(map)
    }
}

fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth < MOST_DEPTH {
        Ok(depth + 1)
    } else {
        Err(E::custom("objects in more objects than are looked into"))
    }
}
