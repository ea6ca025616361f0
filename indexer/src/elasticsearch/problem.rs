//! What Elasticsearch says is wrong, with a request or with one item of it.

use std::borrow::Cow;

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
    let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
    Problem { status, kind: "http".to_owned(), reason: text.trim().to_owned() }
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
        assert_eq!(request_problem(502, b"<h1>Bad gateway</h1>").kind, "http");
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in "[{}\\[\\]\",:a-z0-9]{0,120}") {
            request_problem(400, body.as_bytes());
        }
    }
}
