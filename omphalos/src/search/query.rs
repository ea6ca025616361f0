//! From what a person types to Elasticsearch's `query_string`: short names become fields, and a slash
//! is a slash.

use std::borrow::Cow;

use serde_json::{Value, json};

/// Short names, and the ECS fields that they stand for.
pub const SHORT_NAMES: &[(&str, &str)] = &[
    ("status", "http.response.status_code"),
    ("bytes", "http.response.body.bytes"),
    ("method", "http.request.method"),
    ("referrer", "http.request.referrer"),
    ("path", "url.path"),
    ("query", "url.query"),
    ("url", "url.original"),
    ("ip", "source.ip"),
    ("client", "source.address"),
    ("user", "user.name"),
    ("agent", "user_agent.original"),
    ("host", "host.name"),
    ("file", "log.file.path"),
    ("level", "log.level"),
    ("dataset", "event.dataset"),
    ("duration", "event.duration"),
    ("error", "error.message"),
    ("time", "@timestamp"),
];

/// Where words without a field are looked for.
const FIELDS: [&str; 8] = [
    "message",
    "error.message",
    "url.path",
    "url.original",
    "source.address",
    "user.name",
    "user_agent.original",
    "host.name",
];

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Query {
    /// The query as Elasticsearch takes it; `None` for everything.
    text: Option<String>,
    /// Only documents of this time or later.
    pub since: Option<jiff::Timestamp>,
    /// Only documents from before this time.
    pub until: Option<jiff::Timestamp>,
}

impl Query {
    /// The query that was typed; nothing means everything.
    pub fn new(
        typed: &str,
        since: Option<jiff::Timestamp>,
        until: Option<jiff::Timestamp>,
    ) -> Self {
        let text = typed.trim();
        let text = (!text.is_empty() && text != "*").then(|| translate(text));
        Self { text, since, until }
    }

    /// The same between two other times.
    pub fn between(&self, since: jiff::Timestamp, until: Option<jiff::Timestamp>) -> Self {
        Self { text: self.text.clone(), since: Some(since), until }
    }

    /// As the `query` of a request.
    pub fn to_json(&self) -> Value {
        let mut filters = Vec::new();
        if let Some(text) = &self.text {
            filters.push(json!({ "query_string": {
                "query": text, "fields": FIELDS, "default_operator": "AND", "lenient": true
            }}));
        }
        if self.since.is_some() || self.until.is_some() {
            let mut range = json!({});
            for (name, time) in [("gte", self.since), ("lt", self.until)] {
                if let (Some(time), Some(bounds)) = (time, range.as_object_mut()) {
                    bounds.insert(name.to_owned(), json!(time.to_string()));
                }
            }
            filters.push(json!({ "range": { "@timestamp": range } }));
        }
        if filters.is_empty() {
            return json!({ "match_all": {} });
        }
        json!({ "bool": { "filter": filters } })
    }
}

/// Replaces short names, and takes slashes literally: to Lucene they begin a regular expression, to
/// everyone else a path.
fn translate(typed: &str) -> String {
    let mut text = String::with_capacity(typed.len() + 32);
    let mut rest = typed;
    let mut at_start = true;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        if at_start && let Some((name, value)) = named(rest) {
            text.push_str(&field(name));
            text.push(':');
            rest = value;
            at_start = false;
            continue;
        }
        rest = after;
        match character {
            '\\' => {
                text.push(character);
                let mut escaped = after.chars();
                text.extend(escaped.next());
                rest = escaped.as_str();
            }
            '"' => {
                let phrase = quoted(after);
                text.push(character);
                text.push_str(phrase);
                rest = after.get(phrase.len()..).unwrap_or_default();
            }
            '/' => text.push_str("\\/"),
            _ => text.push(character),
        }
        at_start = character.is_whitespace() || matches!(character, '(' | '+' | '-' | '!');
    }
    text
}

/// A field's name and what stands behind its colon, if `text` begins with them.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@');
    (!name.is_empty() && name.bytes().all(is_part)).then_some((name, value))
}

fn field(name: &str) -> Cow<'_, str> {
    let known = SHORT_NAMES.iter().find(|(short, _)| *short == name);
    Cow::Borrowed(known.map_or(name, |(_, field)| field))
}

/// A phrase up to and with its closing quotation mark, or all there is.
fn quoted(text: &str) -> &str {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' if !is_escaped => return text.get(..=at).unwrap_or(text),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_names_become_fields_and_slashes_are_slashes() {
        for (typed, expected) in [
            ("status:500 AND path:/api*", "http.response.status_code:500 AND url.path:\\/api*"),
            (
                "(status:404 OR -status:>=500)",
                "(http.response.status_code:404 OR -http.response.status_code:>=500)",
            ),
            ("\"a status:1 /x\" agent:curl*", "\"a status:1 /x\" user_agent.original:curl*"),
            ("message:status url.path:\"/a/b\"", "message:status url.path:\"/a/b\""),
            ("ip:10.0.0.0/8", "source.ip:10.0.0.0\\/8"),
            ("a\\/b 12:30", "a\\/b 12:30"),
            ("mystatus:1 status", "mystatus:1 status"),
            ("@timestamp:[a TO b] \"open", "@timestamp:[a TO b] \"open"),
        ] {
            assert_eq!(translate(typed), expected);
        }
    }

    #[test]
    fn nothing_means_everything() {
        assert_eq!(Query::new(" ", None, None).to_json(), json!({"match_all": {}}));
        let since = jiff::Timestamp::UNIX_EPOCH;
        let range = json!({"range": {"@timestamp": {"gte": "1970-01-01T00:00:00Z"}}});
        assert_eq!(
            Query::new("*", Some(since), None).to_json(),
            json!({"bool": {"filter": [range]}})
        );
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_taken(typed in ".*") {
            // Nothing is dropped: without what was added, it is what was typed.
            let translated = translate(&typed);
            prop_assert!(translated.len() + 64 >= typed.len());
        }
    }
}
