//! Writes someone else's document anew, with a time that Elasticsearch can read. What has no place
//! beside that goes where the shipper keeps such members: below `unmerged`.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The time of a document that is written anew.
#[derive(Debug, Clone, Copy)]
pub struct NewTime {
    /// When.
    pub time: Timestamp,
    /// What in the document says it.
    pub teller: Teller,
}

/// What says the time of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Its `@timestamp`, otherwise written.
    Timestamp,
    /// Another member, which stays; what is no time in `@timestamp` is kept.
    Member,
    /// Nothing: it is tagged, and what stood there is kept.
    Nobody,
}

/// Appends the JSON object `document` with this time.
///
/// # Errors
/// When it is no JSON object.
pub fn write(out: &mut Vec<u8>, document: &str, time: NewTime) -> serde_json::Result<()> {
    out.extend_from_slice(format!(r#"{{"@timestamp":"{}""#, time.time).as_bytes());
    let mut json = serde_json::Deserializer::from_str(document);
    json.deserialize_map(Members { out, teller: time.teller })?;
    json.end()
}

/// Writes the members of an object as they come; only what gets another place is held.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    teller: Teller,
}

/// Members with another place than theirs.
#[derive(Default)]
struct Held<'de> {
    /// What the document has as `tags`, without brackets.
    tags: Vec<&'de str>,
    /// What would be in the way.
    kept: Vec<Member<'de>>,
    /// The document's own `unmerged`, which is in the way only if there are others.
    unmerged: Vec<Member<'de>>,
}

type Member<'de> = (String, &'de RawValue);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut held = Held::default();
        let first = self.out.len();
        while let Some((name, value)) = members.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            let is_held = match self.teller {
                Teller::Timestamp => name == "@timestamp",
                Teller::Member | Teller::Nobody => held.take(&name, value, self.teller),
            };
            if !is_held {
                self.out.push(b',');
                push(self.out, &name, value).map_err(A::Error::custom)?;
            }
        }
        if self.teller != Teller::Timestamp {
            let mut own = Vec::new();
            held.write(&mut own, self.teller).map_err(A::Error::custom)?;
            self.out.splice(first..first, own);
        }
        self.out.push(b'}');
        Ok(())
    }
}

impl<'de> Held<'de> {
    /// Whether a member has no place under its name.
    fn take(&mut self, name: &str, value: &'de RawValue, teller: Teller) -> bool {
        let raw = value.get();
        let is_list = !raw.starts_with('{');
        match name.split('.').next() {
            // They are joined with ours, if there is one.
            Some("tags") if teller == Teller::Member => return false,
            // Null says nothing.
            Some("@timestamp" | "tags") if raw == "null" => {}
            Some("tags") if is_list && name == "tags" => {
                let list = raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']'));
                self.tags.push(list.unwrap_or(raw).trim());
            }
            Some("@timestamp" | "tags") => self.kept.push((name.to_owned(), value)),
            Some("unmerged") => self.unmerged.push((name.to_owned(), value)),
            _ => return false,
        }
        true
    }

    fn write(mut self, out: &mut Vec<u8>, teller: Teller) -> serde_json::Result<()> {
        if teller == Teller::Nobody {
            out.extend_from_slice(br#","tags":["time_assumed""#);
            for tags in self.tags.iter().filter(|tags| !tags.is_empty()) {
                out.push(b',');
                out.extend_from_slice(tags.as_bytes());
            }
            out.push(b']');
        }
        if self.kept.is_empty() {
            for (name, value) in self.unmerged {
                out.push(b',');
                push(out, &name, value)?;
            }
            return Ok(());
        }
        self.kept.append(&mut self.unmerged);
        let mut separator = &br#","unmerged":{"#[..];
        for (name, value) in self.kept {
            out.extend_from_slice(separator);
            push(out, &name, value)?;
            separator = b",";
        }
        out.push(b'}');
        Ok(())
    }
}

fn push(out: &mut Vec<u8>, name: &str, value: &RawValue) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, name)?;
    out.push(b':');
    out.extend_from_slice(value.get().as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(document: &str, teller: Teller) -> String {
        let mut out = Vec::new();
        let time = "2026-11-28T12:00:00Z".parse().unwrap();
        write(&mut out, document, NewTime { time, teller }).unwrap();
        let _: serde_json::Value = serde_json::from_slice(&out).unwrap();
        String::from_utf8(out).unwrap().replace(r#"{"@timestamp":"2026-11-28T12:00:00Z""#, "T")
    }

    #[test]
    fn a_document_gets_a_time_and_what_stood_there_is_kept() {
        for (document, expected) in [
            ("{}", r#"T,"tags":["time_assumed"]}"#),
            (r#"{ "@timestamp" : null , "a" : 1 }"#, r#"T,"tags":["time_assumed"],"a":1}"#),
            (
                r#"{"\u0040timestamp":"no\u006fn","a\n":{"@timestamp":5}}"#,
                r#"T,"tags":["time_assumed"],"unmerged":{"@timestamp":"no\u006fn"},"a\n":{"@timestamp":5}}"#,
            ),
            (r#"{"tags":"b"}"#, r#"T,"tags":["time_assumed","b"]}"#),
            (r#"{"tags":[]}"#, r#"T,"tags":["time_assumed"]}"#),
            (r#"{"tags":null}"#, r#"T,"tags":["time_assumed"]}"#),
            (r#"{"tags":["b", "c" ]}"#, r#"T,"tags":["time_assumed","b", "c"]}"#),
            (
                r#"{"tags":{"a":1},"tags.b":2}"#,
                r#"T,"tags":["time_assumed"],"unmerged":{"tags":{"a":1},"tags.b":2}}"#,
            ),
            (r#"{"unmerged":{"a":1}}"#, r#"T,"tags":["time_assumed"],"unmerged":{"a":1}}"#),
            (
                r#"{"unmerged":{"a":1},"@timestamp":[5]}"#,
                r#"T,"tags":["time_assumed"],"unmerged":{"@timestamp":[5],"unmerged":{"a":1}}}"#,
            ),
            (
                r#"{"@timestamp":{"a":1},"tagsoup":1}"#,
                r#"T,"tags":["time_assumed"],"unmerged":{"@timestamp":{"a":1}},"tagsoup":1}"#,
            ),
        ] {
            assert_eq!(written(document, Teller::Nobody), expected, "{document}");
        }
    }

    #[test]
    fn a_document_whose_time_is_another_member_keeps_all_and_is_not_tagged() {
        for (document, expected) in [
            (
                r#"{"time":1,"tags":"x","unmerged":{"a":1}}"#,
                r#"T,"unmerged":{"a":1},"time":1,"tags":"x"}"#,
            ),
            (r#"{"@timestamp":null,"t":1}"#, r#"T,"t":1}"#),
            (
                r#"{"t":1,"@timestamp":"noon","tags":{"b":1}}"#,
                r#"T,"unmerged":{"@timestamp":"noon"},"t":1,"tags":{"b":1}}"#,
            ),
        ] {
            assert_eq!(written(document, Teller::Member), expected, "{document}");
        }
    }

    #[test]
    fn a_document_that_says_its_time_otherwise_is_not_tagged() {
        let document = r#"{"a":1,"@timestamp":1795867200,"tags":{"b":1},"unmerged":5}"#;
        assert_eq!(written(document, Teller::Timestamp), r#"T,"a":1,"tags":{"b":1},"unmerged":5}"#);
        assert_eq!(written(r#"{"@timestamp":1795867200}"#, Teller::Timestamp), "T}");
    }
}
