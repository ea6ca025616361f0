//! What Elasticsearch says is wrong, with a request or with one item of it.

use std::borrow::Cow;

use omphalos_common::clean::shortened;
use omphalos_common::page::page;
use serde::Deserialize;

/// Elasticsearch's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status of the item or of the request.
    pub status: u16,
    /// Such as `document_parsing_exception`.
    pub kind: String,
    /// What it says about it.
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}: {}", self.status, self.kind, self.reason)
    }
}

/// The longest reason that is logged, in characters.
const LONGEST_LOGGED: usize = 300;
/// How much of a value is logged.
const LONGEST_VALUE: usize = 40;
/// Behind it a value stands that does not fit, up to the next apostrophe.
const PREVIEW: &str = "Preview of field's value: '";
/// What may stand behind the value: why it does not fit, and what came of it.
const BEHIND_VALUE: [&str; 2] = ["; caused by ", "; with its fields as text: "];

impl Problem {
    /// The same for a log: with a value of the document that does not fit once at most, and not all of
    /// it. Servers repeat it in each cause; the dead letter has it whole.
    #[must_use]
    pub fn in_short(&self) -> Self {
        let text = self.reason.as_str();
        let reason = match text.split_once(PREVIEW) {
            None => shortened(text, LONGEST_LOGGED),
            Some((before, value)) => {
                let ends = BEHIND_VALUE.iter().filter_map(|behind| value.find(behind));
                let value = ends.min().and_then(|end| value.get(..end)).unwrap_or(value);
                let value = value.strip_suffix('\'').unwrap_or(value);
                let before = shortened(before, LONGEST_LOGGED);
                format!("{before}{PREVIEW}{}'", shortened(value, LONGEST_VALUE))
            }
        };
        Self { reason, ..self.clone() }
    }
}

/// How a request that is refused for want of room, with the status of "not now" (429), compares with the room
/// that the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It needs more than there is in all.
    Never,
    /// It needs more than is left by so many bytes that are on their way already. They may be its own, of an
    /// earlier step.
    Beside(u64),
}

impl Problem {
    /// How much too large the request is; `None` where the server does not say that, or it is not.
    ///
    /// The numbers are those of the indexing pressure
    /// (<https://www.elastic.co/docs/reference/elasticsearch/index-settings/pressure>) and of circuit breakers
    /// (<https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/circuit-breaker-settings>).
    pub fn room(&self) -> Option<Room> {
        if self.status != 429 {
            return None;
        }
        let after = |name: &str| digits(self.reason.split_once(name)?.1);
        if let Some(new) = after("new bytes reserved: [") {
            return (new > after("limit of [")?).then_some(Room::Never);
        }
        let own = after("_operation_bytes=")?;
        // `max_coordinating_bytes`, `max_primary_bytes`, and other names elsewhere.
        let limit = digits(self.reason.split_once(" max_")?.1.split_once('=')?.1)?;
        if own > limit {
            return Some(Room::Never);
        }
        let beside = after("[coordinating_and_primary_bytes=")?;
        let is_replica = self.reason.contains("replica_operation_bytes=");
        (!is_replica && own.saturating_add(beside) > limit).then_some(Room::Beside(beside))
    }
}

/// The number that a text begins with.
fn digits(text: &str) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// An error as Elasticsearch writes it; of a whole request, or of one item.
#[derive(Deserialize)]
pub struct Cause<'a> {
    /// Such as `document_parsing_exception`.
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    /// What it says about it.
    #[serde(borrow, default)]
    pub reason: Option<Cow<'a, str>>,
    /// What is behind it.
    #[serde(borrow)]
    pub caused_by: Option<Box<Cause<'a>>>,
}

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1000;

impl Cause<'_> {
    /// As a problem with a request or an item that has this status.
    pub fn problem(&self, status: u16) -> Problem {
        let mut reason = self.reason.clone().unwrap_or_default().into_owned();
        let mut cause = self.caused_by.as_deref();
        while let Some(inner) = cause {
            let text = inner.reason.as_deref().unwrap_or_default();
            reason = format!("{reason}; caused by {}: {text}", inner.kind);
            cause = inner.caused_by.as_deref();
        }
        let reason = reason.chars().take(LONGEST_REASON).collect();
        Problem { status, kind: self.kind.clone().into_owned(), reason }
    }
}

/// The error of a search that no shard could answer.
const SEARCH_FAILED: &str = "search_phase_execution_exception";

/// The error that the body of a refused request tells, or its beginning.
pub fn request_problem(status: u16, body: &[u8]) -> Problem {
    #[derive(Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow)]
        error: Cause<'a>,
    }
    #[derive(Deserialize)]
    struct Roots<'a> {
        #[serde(borrow)]
        error: RootCauses<'a>,
    }
    #[derive(Deserialize)]
    struct RootCauses<'a> {
        #[serde(borrow)]
        root_cause: Vec<Cause<'a>>,
    }
    if let Ok(refusal) = serde_json::from_slice::<Refusal<'_>>(body) {
        // "all shards failed" says nothing; why they did stands beside it.
        if refusal.error.kind == SEARCH_FAILED
            && let Ok(roots) = serde_json::from_slice::<Roots<'_>>(body)
            && let Some(root) = roots.error.root_cause.first()
        {
            return root.problem(status);
        }
        return refusal.error.problem(status);
    }
    Problem { status, kind: "http".to_owned(), reason: beginning(body) }
}

/// The longest beginning of a body that is told, in characters.
const LONGEST_BEGINNING: usize = 200;

/// What may be said of a body that is no error of Elasticsearch's, on one line: its beginning; of a page
/// for browsers, as proxies answer with, its title.
fn beginning(body: &[u8]) -> String {
    page(body).unwrap_or_else(|| {
        let text: String = String::from_utf8_lossy(body).chars().take(LONGEST_BEGINNING).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_search_that_failed_says_why() {
        let body = br#"{"error":{"root_cause":[{"type":"query_shard_exception","reason":"Failed to parse query [a:]"}],"type":"search_phase_execution_exception","reason":"all shards failed"},"status":400}"#;
        let problem = request_problem(400, body);
        assert_eq!(problem.to_string(), "400 query_shard_exception: Failed to parse query [a:]");
    }

    #[test]
    fn a_body_without_an_error_is_told_as_it_begins() {
        let whole = request_problem(
            403,
            br#"{"error":{"type":"security_exception","reason":"no"},"status":403}"#,
        );
        assert_eq!(whole.to_string(), "403 security_exception: no");
        assert_eq!(request_problem(502, b" no\r\nbackend ").reason, "no backend");
        let page = request_problem(502, b"<html><title>Bad gateway</title><p>");
        assert_eq!(page.to_string(), "502 http: a page for browsers, \"Bad gateway\"");
    }

    /// The kind of fault: what a stranger wrote into a document is written into our log as often as a
    /// server repeats it.
    #[test]
    fn a_value_is_logged_once_and_not_whole() {
        let secret = "s3cret ".repeat(30);
        let of_type = "failed to parse field [n] of type [long] in document with id 'x'.";
        for (reason, expected) in [
            (
                format!(
                    "{of_type} {PREVIEW}{secret}'; caused by illegal_argument_exception: For input string: \"{secret}\""
                ),
                format!("{of_type} {PREVIEW}s3cret s3cret s3cret s3cret s3cret s3cre…'"),
            ),
            (
                format!(
                    "{of_type} {PREVIEW}it's'; caused by a: it's; with its fields as text: 400 b: it's"
                ),
                format!("{of_type} {PREVIEW}it's'"),
            ),
            ("no room".to_owned(), "no room".to_owned()),
        ] {
            let problem = Problem { status: 400, kind: "k".to_owned(), reason };
            assert_eq!(problem.in_short().to_string(), format!("400 k: {expected}"));
        }
        let long = Problem { status: 400, kind: String::new(), reason: secret.repeat(10) };
        assert_eq!(long.in_short().reason.chars().count(), LONGEST_LOGGED + 1);
    }

    #[test]
    fn a_request_is_told_from_a_busy_server_by_the_numbers_of_the_server() {
        let room = |reason: &str| {
            Problem { status: 429, kind: String::new(), reason: reason.to_owned() }.room()
        };
        let pressure = |beside: u64, own: u64| {
            format!(
                "rejected execution of primary operation [coordinating_and_primary_bytes={beside}, replica_bytes=0, all_bytes={beside}, primary_operation_bytes={own}, max_primary_bytes=1000]"
            )
        };
        assert_eq!(room(&pressure(0, 1001)), Some(Room::Never));
        assert_eq!(room(&pressure(600, 500)), Some(Room::Beside(600)));
        assert_eq!(room(&pressure(0, 500)), None, "what else it may have against it");
        assert_eq!(room(&pressure(600, 500).replace("primary_op", "replica_op")), None);
        assert_eq!(
            room(
                "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, replica_bytes=0, all_bytes=0, coordinating_operation_bytes=66060448, max_coordinating_and_primary_bytes=25952256]"
            ),
            Some(Room::Never)
        );
        let breaker = |new: u64| {
            format!(
                "[parent] Data too large, data for [<http_request>] would be [9000/8.7kb], which is larger than the limit of [5000/4.8kb], real usage: [8000/7.8kb], new bytes reserved: [{new}/1kb], usages [a=0/0b]"
            )
        };
        assert_eq!(room(&breaker(1000)), None);
        assert_eq!(room(&breaker(5001)), Some(Room::Never));
        assert_eq!(room("rejected execution of coordinating operation"), None);
        let other = Problem { status: 503, kind: String::new(), reason: pressure(0, 1001) };
        assert_eq!(other.room(), None);
    }

    proptest! {
        #[test]
        fn no_reason_makes_the_reader_panic(parts in prop::collection::vec("new bytes reserved: \\[|limit of \\[|_operation_bytes=| max_|=|\\[coordinating_and_primary_bytes=|[0-9]{1,30}|é", 0..8)) {
            Problem { status: 429, kind: String::new(), reason: parts.concat() }.room();
        }

        #[test]
        fn no_body_makes_the_reader_panic(body in "[{}\\[\\]\",:a-z0-9]{0,120}") {
            request_problem(400, body.as_bytes());
        }
    }
}
