//! The reply to `_bulk`, turned into one verdict a document, or refused.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::elasticsearch::{Cause, Problem};

/// What became of one document. There are tens of thousands of them in a reply, so they are kept small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// 201, and not because of a failure store: it is in the index.
    Created,
    /// 409: it was in the index already.
    Duplicate,
    /// Not now: this document alone should be sent again.
    Retry(Box<Problem>),
    /// The cluster cannot take it before someone does something.
    Hold(Box<Problem>),
    /// The cluster has no shard for its index, which is not there yet; it takes others.
    NoShard(Box<Problem>),
    /// It will never be taken.
    Refused(Box<Problem>),
}

/// A reply that does not say what became of each document.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// It is no reply to `_bulk`.
    #[error(
        "the reply is not what _bulk answers ({reason}); is this Elasticsearch, or something in front of it?"
    )]
    Unreadable {
        /// What the parser says.
        reason: String,
    },
    /// It has too few verdicts, or too many.
    #[error("the reply has {found} verdicts for {expected} documents")]
    Count {
        /// How many documents were sent.
        expected: usize,
        /// How many verdicts came.
        found: usize,
    },
}

#[derive(Deserialize)]
struct Reply {
    #[serde(deserialize_with = "judge_each")]
    items: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    create: CreateReply<'a>,
}

#[derive(Deserialize)]
struct CreateReply<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<Cause<'a>>,
    /// What the failure store of a data stream had to do with it; nothing mostly, and then nothing is
    /// said.
    #[serde(borrow)]
    failure_store: Option<Cow<'a, str>>,
}

/// A document that could not be indexed went into the failure store, and that is answered as a
/// success. Of the other words, `not_enabled` and `failed` come with the error that the document has,
/// and `not_applicable_or_unknown` says nothing.
/// <https://www.elastic.co/docs/manage-data/data-store/data-streams/failure-store>
const IN_FAILURE_STORE: &str = "used";

/// The verdicts of the reply `body` on `expected` documents, in order.
///
/// # Errors
/// When there is not one for each.
pub fn verdicts(body: &[u8], expected: usize) -> Result<Vec<Verdict>, ReplyError> {
    let reply: Reply = serde_json::from_slice(body)
        .map_err(|error| ReplyError::Unreadable { reason: error.to_string() })?;
    if reply.items.len() != expected {
        return Err(ReplyError::Count { expected, found: reply.items.len() });
    }
    Ok(reply.items)
}

/// Judges each item as soon as it is read: what the server says of it is many times its verdict.
fn judge_each<'de, D: Deserializer<'de>>(items: D) -> Result<Vec<Verdict>, D::Error> {
    struct Items;
    impl<'de> Visitor<'de> for Items {
        type Value = Vec<Verdict>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the items of a reply")
        }

        fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
            let mut verdicts = Vec::new();
            while let Some(item) = items.next_element::<Item<'de>>()? {
                verdicts.push(judge(&item.create));
            }
            Ok(verdicts)
        }
    }
    items.deserialize_seq(Items)
}

fn judge(outcome: &CreateReply<'_>) -> Verdict {
    if outcome.failure_store.as_deref() == Some(IN_FAILURE_STORE) {
        return Verdict::Refused(Box::new(in_failure_store(outcome)));
    }
    match outcome.status {
        200 | 201 => return Verdict::Created,
        409 => return Verdict::Duplicate,
        _ => {}
    }
    let unnamed = Cause { kind: Cow::Borrowed("unknown"), reason: None, caused_by: None };
    let problem = outcome.error.as_ref().unwrap_or(&unnamed).problem(outcome.status);
    judge_problem(problem)
}

/// Why a document went into the failure store, where that is said; else where that stands.
fn in_failure_store(outcome: &CreateReply<'_>) -> Problem {
    if let Some(error) = &outcome.error {
        return error.problem(outcome.status);
    }
    Problem {
        status: outcome.status,
        kind: "failure_store".to_owned(),
        reason: "not indexed, but put into the failure store of its data stream, which has the reason: GET DATA_STREAM::failures/_search".to_owned(),
    }
}

/// Item errors that a cluster has, not a document: it takes the document once someone has done
/// something, and would take none of the others until then.
const CLUSTER_CONDITIONS: [&str; 9] = [
    "cluster_block_exception",
    "index_closed_exception",
    "index_not_found_exception",
    "security_exception",
    "index_create_block_exception",
    "no_shard_available_action_exception",
    "authorization_exception",
    // A node that cannot write, such as one whose disk is full, says 500.
    "i_o_exception",
    "translog_exception",
];

fn judge_problem(problem: Problem) -> Verdict {
    let problem = Box::new(problem);
    // The limit of shards is reported as if the document were at fault.
    let no_more_shards =
        problem.kind == "validation_exception" && problem.reason.contains("shards open");
    if no_more_shards {
        return Verdict::NoShard(problem);
    }
    if CLUSTER_CONDITIONS.contains(&problem.kind.as_str()) {
        return Verdict::Hold(problem);
    }
    match problem.status {
        429 | 408 | 500..=599 => Verdict::Retry(problem),
        401 | 403 | 404 => Verdict::Hold(problem),
        _ => Verdict::Refused(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(status: u16, error: &str) -> Verdict {
        let error = if error.is_empty() { String::new() } else { format!(",\"error\":{error}") };
        let body = format!(
            "{{\"errors\":true,\"items\":[{{\"create\":{{\"status\":{status}{error}}}}}]}}"
        );
        verdicts(body.as_bytes(), 1).unwrap().remove(0)
    }

    fn typed(status: u16, kind: &str) -> Verdict {
        one(status, &format!("{{\"type\":\"{kind}\",\"reason\":\"r\"}}"))
    }

    #[test]
    fn each_document_has_its_own_verdict() {
        let body = br#"{"took":3,"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"x"}}}]}"#;
        assert_eq!(verdicts(body, 2).unwrap(), [Verdict::Created, Verdict::Duplicate]);
        assert_eq!(verdicts(body, 3), Err(ReplyError::Count { expected: 3, found: 2 }));
        assert!(matches!(verdicts(b"<html>", 1), Err(ReplyError::Unreadable { .. })));
        assert!(matches!(
            verdicts(br#"{"items":[{"index":{"status":201}}]}"#, 1),
            Err(ReplyError::Unreadable { .. })
        ));
        assert!(matches!(verdicts(&body[..body.len() - 3], 2), Err(ReplyError::Unreadable { .. })));
    }

    #[test]
    fn a_document_in_the_failure_store_is_refused_although_it_is_answered_as_created() {
        let item = |status: u16, more: &str| {
            let body = format!("{{\"items\":[{{\"create\":{{\"status\":{status}{more}}}}}]}}");
            verdicts(body.as_bytes(), 1).unwrap().remove(0)
        };
        let Verdict::Refused(problem) = item(201, r#","failure_store":"used""#) else {
            panic!("expected a refusal")
        };
        assert_eq!((problem.status, problem.kind.as_str()), (201, "failure_store"));
        assert!(problem.reason.contains("::failures/_search"), "{problem}");
        let error = r#","error":{"type":"document_parsing_exception","reason":"r"}"#;
        let with_reason = item(201, &format!(r#","failure_store":"used"{error}"#));
        let Verdict::Refused(problem) = with_reason else { panic!("expected a refusal") };
        assert_eq!(problem.to_string(), "201 document_parsing_exception: r");
        assert_eq!(item(201, r#","failure_store":"not_applicable_or_unknown""#), Verdict::Created);
        assert_eq!(item(409, r#","failure_store":"not_enabled""#), Verdict::Duplicate);
        for word in ["not_enabled", "failed", "not_applicable_or_unknown"] {
            let refused = item(400, &format!(r#","failure_store":"{word}"{error}"#));
            assert!(matches!(refused, Verdict::Refused(_)), "{word}: {refused:?}");
        }
        // What holds a document up holds it up, store or not.
        let busy = r#","failure_store":"failed","error":{"type":"unavailable_shards_exception"}"#;
        assert!(matches!(item(503, busy), Verdict::Retry(_)));
    }

    #[test]
    fn problems_are_told_apart_by_who_can_solve_them() {
        for kind in ["es_rejected_execution_exception", "circuit_breaking_exception"] {
            assert!(matches!(typed(429, kind), Verdict::Retry(_)), "{kind}");
        }
        assert!(matches!(typed(503, "unavailable_shards_exception"), Verdict::Retry(_)));
        for (status, kind) in [
            (429, "cluster_block_exception"),
            (403, "cluster_block_exception"),
            (403, "security_exception"),
            (404, "index_not_found_exception"),
            (400, "index_closed_exception"),
            (500, "i_o_exception"),
        ] {
            assert!(matches!(typed(status, kind), Verdict::Hold(_)), "{status} {kind}");
        }
        for kind in [
            "document_parsing_exception",
            "mapper_parsing_exception",
            "illegal_argument_exception",
            "validation_exception",
        ] {
            assert!(matches!(typed(400, kind), Verdict::Refused(_)), "{kind}");
        }
        let shards = r#"{"type":"validation_exception","reason":"this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;"}"#;
        assert!(matches!(one(400, shards), Verdict::NoShard(_)));
        assert!(matches!(one(400, ""), Verdict::Refused(_)));
    }

    #[test]
    fn the_cause_is_told_with_the_reason() {
        let error = r#"{"type":"document_parsing_exception","reason":"failed to parse field [n]","caused_by":{"type":"illegal_argument_exception","reason":"For input string: \"x\""}}"#;
        let Verdict::Refused(problem) = one(400, error) else { panic!("expected a refusal") };
        assert_eq!(
            problem.to_string(),
            "400 document_parsing_exception: failed to parse field [n]; caused by illegal_argument_exception: For input string: \"x\""
        );
    }

    proptest! {
        #[test]
        fn no_reply_makes_the_reader_panic(body in "[{}\\[\\]\",:a-z0-9]{0,120}", expected in 0usize..4) {
            if let Ok(read) = verdicts(body.as_bytes(), expected) {
                prop_assert_eq!(read.len(), expected);
            }
        }
    }
}
