//! From what a person types to Elasticsearch's `query_string`: short names become fields, and a slash
//! is a slash.

use omphalos_common::heartbeat::DATASET;
pub use omphalos_live::filter::SHORT_NAMES;
use omphalos_live::filter::WORD_FIELDS;
use serde_json::{Value, json};

/// Datasets of heartbeats and alerts, each with what a query names them by.
const OTHERS: [(&str, &[&str]); 2] = [
    (DATASET, &[DATASET]),
    (crate::watch::DATASET, &["omphalos.alert", "event.kind", "rule.name"]),
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
    /// What is asked of which field.
    pub named: Vec<Named>,
    /// Datasets of what was not written by a log: it is meant only where the query names it.
    left_out: Vec<&'static str>,
}

/// A part of a query about one field.
#[derive(Debug, Clone)]
pub struct Named {
    /// The field, or its short name, as it was typed.
    pub name: String,
    /// What is asked of it, as it was typed.
    pub value: String,
}

impl Query {
    /// The query that was typed; nothing means everything.
    pub fn new(
        typed: &str,
        since: Option<jiff::Timestamp>,
        until: Option<jiff::Timestamp>,
    ) -> Self {
        let text = typed.trim();
        let mut named = Vec::new();
        let text = (!text.is_empty() && text != "*").then(|| translate(text, &mut named));
        let is_named = |names: &[&str]| names.iter().any(|name| typed.contains(name));
        let left_out = OTHERS.iter().filter(|(_, names)| !is_named(names));
        let left_out = left_out.map(|(dataset, _)| *dataset).collect();
        Self { text, since, until, named, left_out }
    }

    /// The query that was typed, as a server is asked; `None` for everything.
    pub fn translated(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The same between two other times.
    pub fn between(&self, since: jiff::Timestamp, until: Option<jiff::Timestamp>) -> Self {
        Self { since: Some(since), until, ..self.clone() }
    }

    /// As the `query` of a request.
    pub fn to_json(&self) -> Value {
        let mut filters = Vec::new();
        if let Some(text) = &self.text {
            filters.push(json!({ "query_string": {
                "query": text, "fields": WORD_FIELDS, "default_operator": "AND", "lenient": true
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

    /// The same for lines only, unless the query names heartbeats or alerts.
    pub fn of_lines(&self) -> Value {
        let term = |dataset: &&str| json!({ "term": { "event.dataset": dataset } });
        let left_out: Vec<Value> = self.left_out.iter().map(term).collect();
        json!({ "bool": { "filter": [self.to_json()], "must_not": left_out } })
    }
}

/// From what is typed to Lucene's language: short names mean a field of ECS or a member of that name,
/// words and phrases are also looked for inside of values, and slashes and the colons of addresses are
/// taken literally: to Lucene a slash begins a regular expression, to everyone else a path.
fn translate(typed: &str, named: &mut Vec<Named>) -> String {
    let mut text = String::with_capacity(typed.len() * 2);
    let mut rest = typed;
    while let Some(character) = rest.chars().next() {
        if character.is_whitespace() || "()+-!".contains(character) {
            text.push(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
            continue;
        }
        let token;
        if let Some((name, after)) = field_name(rest) {
            (token, rest) = value(after);
            named.push(Named { name: name.to_owned(), value: token.to_owned() });
            text.push_str(&of_field(name, &literally(token, true)));
        } else {
            (token, rest) = value(rest);
            text.push_str(&of_any(token));
        }
    }
    text
}

/// A part about a field: of its short name both the field of ECS and the member called so.
fn of_field(name: &str, value: &str) -> String {
    match SHORT_NAMES.iter().find(|(short, _)| *short == name) {
        Some((_, field)) if value.is_empty() => format!("{field}:"),
        Some((_, field)) => format!("({field}:{value} OR {name}:{value})"),
        None => format!("{name}:{value}"),
    }
}

/// A part about no field in particular.
fn of_any(token: &str) -> String {
    let text = literally(token, false);
    let is_phrase = token.starts_with('"') && token.ends_with('"');
    let is_language = matches!(token, "AND" | "OR" | "NOT" | "TO" | "&&" | "||")
        || token.starts_with(['[', '{', '('])
        || (!is_phrase && token.contains(['*', '?', '~', '^', ':']));
    if is_language {
        return text;
    }
    let inside = match token.strip_prefix('"').and_then(|phrase| phrase.strip_suffix('"')) {
        Some("") => return text,
        Some(phrase) => pattern(phrase),
        None if token.starts_with('"') => return text,
        None => text.clone(),
    };
    // Texts have words; of all other fields the whole value is one, so it is looked for in them.
    format!("({text} OR \\*:*{inside}*)")
}

/// A phrase as a part of a pattern, which has no quotation marks.
fn pattern(phrase: &str) -> String {
    let mut text = String::with_capacity(phrase.len() + 8);
    let mut characters = phrase.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                text.push('\\');
                text.extend(characters.next());
            }
            letter if letter.is_alphanumeric() => text.push(letter),
            other => text.extend(['\\', other]),
        }
    }
    text
}

/// A field's name and what stands behind its colon, if `text` begins with them.
pub(super) fn field_name(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@');
    (!name.is_empty() && name.bytes().all(is_part)).then_some((name, value))
}

/// A phrase, a group, a range or a word that `text` begins with, and what follows.
pub(super) fn value(text: &str) -> (&str, &str) {
    let end = match text.as_bytes().first() {
        Some(b'"') => 1 + quoted(text.get(1..).unwrap_or_default()).len(),
        Some(b'(') => closing(text),
        Some(b'[' | b'{') => text.find([']', '}']).map_or(text.len(), |at| at + 1),
        _ => 0,
    };
    // A word goes to a blank or a parenthesis; behind a phrase or a group may stand ~2 or ^3.
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip_while(|(at, _)| *at < end) {
        if !is_escaped && (character.is_whitespace() || matches!(character, '(' | ')' | '"')) {
            let at = if at == 0 { character.len_utf8() } else { at };
            return text.split_at(at);
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    (text, "")
}

/// Where the group ends that `text` begins with; a parenthesis in a phrase, or behind a backslash, ends
/// none.
fn closing(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '"' => rest = rest.get(quoted(rest).len()..).unwrap_or_default(),
            '\\' => {
                rest =
                    rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
            }
            '(' => depth += 1,
            ')' if depth == 1 => return text.len() - rest.len(),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

/// What is in a group.
pub(super) fn inside(group: &str) -> Option<&str> {
    let inside = group.strip_prefix('(')?;
    Some(inside.rsplit_once(')').map_or(inside, |(inside, _)| inside))
}

/// Takes slashes literally, and in a word behind a field's name colons and a sign before it as well: it
/// is that of a number there, and no operator.
fn literally(token: &str, is_value: bool) -> String {
    let is_word = is_value && !token.starts_with(['(', '[', '{', '"']);
    let mut text = String::with_capacity(token.len() + 4);
    let mut rest = token;
    if is_word {
        let number = token.trim_start_matches(['<', '>', '=']);
        if number.starts_with(['-', '+', '!']) {
            text.push_str(token.strip_suffix(number).unwrap_or_default());
            text.push('\\');
            rest = number;
        }
    }
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '\\' => {
                text.push(character);
                let mut escaped = rest.chars();
                text.extend(escaped.next());
                rest = escaped.as_str();
            }
            '"' => {
                let phrase = quoted(rest);
                text.push(character);
                text.push_str(phrase);
                rest = rest.get(phrase.len()..).unwrap_or_default();
            }
            '/' => text.push_str("\\/"),
            ':' if is_word => text.push_str("\\:"),
            _ => text.push(character),
        }
    }
    text
}

/// A phrase up to and with its closing quotation mark, or all there is.
pub(super) fn quoted(text: &str) -> &str {
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

    fn translated(typed: &str) -> String {
        translate(typed, &mut Vec::new())
    }

    #[test]
    fn short_names_are_fields_and_members_and_slashes_are_slashes() {
        for (typed, expected) in [
            (
                "status:500 AND path:/api*",
                r"(http.response.status_code:500 OR status:500) AND (url.path:\/api* OR path:\/api*)",
            ),
            (
                "(status:404 OR -level:>=5)",
                "((http.response.status_code:404 OR status:404) OR -(log.level:>=5 OR level:>=5))",
            ),
            (
                r#"message:status url.path:"/a/b" x:(a/b OR c)"#,
                r#"message:status url.path:"/a/b" x:(a\/b OR c)"#,
            ),
            ("source.ip:10.0.0.0/8", r"source.ip:10.0.0.0\/8"),
            ("source.ip:2001:db8::1", r"source.ip:2001\:db8\:\:1"),
            ("url.original:/q?x=1", r"url.original:\/q?x=1"),
            (r"url.original:a\:b:c", r"url.original:a\:b\:c"),
            ("@timestamp:[a TO b] n:{1 TO 2}^3", "@timestamp:[a TO b] n:{1 TO 2}^3"),
            ("status:", "http.response.status_code:"),
            ("k:-5 k:>=-5 k:<+1.5", r"k:\-5 k:>=\-5 k:<\+1.5"),
            ("k:(-5 OR 3) k:[-5 TO -1] -k:5", "k:(-5 OR 3) k:[-5 TO -1] -k:5"),
            (r#"x:("a) /b" OR c\)) d/"#, r#"x:("a) /b" OR c\)) (d\/ OR \*:*d\/*)"#),
        ] {
            assert_eq!(translated(typed), expected, "{typed}");
        }
    }

    #[test]
    fn words_and_phrases_are_looked_for_inside_of_values_too() {
        for (typed, expected) in [
            ("curl", r"(curl OR \*:*curl*)"),
            ("/shop NOT -a", r"(\/shop OR \*:*\/shop*) NOT -(a OR \*:*a*)"),
            (r#""a status:1 /x""#, r#"("a status:1 /x" OR \*:*a\ status\:1\ \/x*)"#),
            ("cu*l x~2 12x:30 a && b", r"cu*l x~2 12x:30 (a OR \*:*a*) && (b OR \*:*b*)"),
            ("\"open", "\"open"),
        ] {
            assert_eq!(translated(typed), expected, "{typed}");
        }
    }

    #[test]
    fn what_is_asked_of_which_field_is_known() {
        let query = Query::new("status:abc AND -nothing:(1 OR 2) word", None, None);
        let named: Vec<(&str, &str)> =
            query.named.iter().map(|part| (part.name.as_str(), part.value.as_str())).collect();
        assert_eq!(named, [("status", "abc"), ("nothing", "(1 OR 2)")]);
    }

    #[test]
    fn heartbeats_and_alerts_are_no_lines_unless_they_are_named() {
        let asked =
            |typed: &str| Query::new(typed, None, None).of_lines()["bool"]["must_not"].clone();
        let term = |dataset: &str| json!({ "term": { "event.dataset": dataset } });
        let (fleet, alerts) = (term("omphalos.fleet"), term("omphalos.alerts"));
        for (typed, expected) in [
            ("", json!([fleet, alerts])),
            ("host:web-1", json!([fleet, alerts])),
            ("dataset:fleet", json!([fleet, alerts])),
            ("dataset:omphalos.fleet", json!([alerts])),
            ("event.kind:alert", json!([fleet])),
            ("omphalos.alert.key:/a OR dataset:omphalos.fleet", json!([])),
        ] {
            assert_eq!(asked(typed), expected, "{typed}");
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
        fn whatever_is_typed_is_taken_and_nothing_of_it_is_dropped(typed in "[a-c:/ \"()\\\\\\[\\]{}~^*?+!-]{0,40}|.*") {
            let translated = translated(&typed);
            let mut left = translated.chars();
            prop_assert!(typed.chars().all(|wanted| left.any(|found| found == wanted)), "{}", translated);
        }
    }
}
