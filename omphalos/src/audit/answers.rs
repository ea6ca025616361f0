//! What Elasticsearch answers, as types. An incomplete answer counts as no answer.

use std::collections::HashSet;

use omphalos_common::event::DocumentId;
use serde::Deserialize;

use super::portion::{Hash, hash_of};

/// Only what [`found`] reads. Each document has one of the two, so that none is left out of the list.
pub const GET_FILTER: &str = "filter_path=docs.found,docs.error.type";
/// Only what [`hits`] reads.
pub const SEARCH_FILTER: &str = "filter_path=timed_out,hits.hits._id,hits.hits.fields";

/// Where there is no index there is no document.
const NO_INDEX: &str = "index_not_found_exception";

#[derive(Deserialize)]
struct MultiGet {
    #[serde(default)]
    docs: Vec<Got>,
}

#[derive(Deserialize)]
struct Got {
    found: Option<bool>,
    error: Option<GotError>,
}

#[derive(Deserialize)]
struct GotError {
    #[serde(rename = "type")]
    kind: String,
}

/// Which of `asked` documents are there, by the answer to `_mget`.
///
/// # Errors
/// What is wrong with the answer; the question can be asked again.
pub fn found(reply: &[u8], asked: usize) -> Result<Vec<bool>, String> {
    let reply: MultiGet =
        serde_json::from_slice(reply).map_err(|error| format!("unreadable answer: {error}"))?;
    if reply.docs.len() != asked {
        return Err(format!("an answer about {} documents, expected {asked}", reply.docs.len()));
    }
    let is_there = |got: Got| match got {
        Got { found: Some(found), error: None } => Ok(found),
        Got { error: Some(error), .. } if error.kind == NO_INDEX => Ok(false),
        Got { error: Some(error), .. } => {
            Err(format!("a document cannot be looked up: {}", error.kind))
        }
        Got { found: None, error: None } => Err("an answer that says nothing".to_owned()),
    };
    reply.docs.into_iter().map(is_there).collect()
}

#[derive(Deserialize)]
struct Search {
    timed_out: bool,
    #[serde(default)]
    hits: Hits,
}

#[derive(Deserialize, Default)]
struct Hits {
    #[serde(default)]
    hits: Vec<Hit>,
}

/// A document that a search found.
#[derive(Deserialize, Debug)]
pub struct Hit {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// Fields that were asked for.
    #[serde(default)]
    pub fields: SourceFields,
}

/// Where a document says that its line was.
#[derive(Deserialize, Debug, Default)]
pub struct SourceFields {
    /// Offset.
    #[serde(rename = "log.offset", default)]
    pub offset: Vec<u64>,
    /// File.
    #[serde(rename = "log.file.path", default)]
    pub path: Vec<String>,
    /// Host.
    #[serde(rename = "host.id", default)]
    pub host: Vec<String>,
}

/// The documents that a search found.
///
/// # Errors
/// What is wrong with the answer; the question can be asked again.
pub fn hits(reply: &[u8]) -> Result<Vec<Hit>, String> {
    let reply: Search =
        serde_json::from_slice(reply).map_err(|error| format!("unreadable answer: {error}"))?;
    if reply.timed_out {
        return Err("the search took too long".to_owned());
    }
    Ok(reply.hits.hits)
}

/// The parts of their ids that do not depend on time; ids that are not ours are left out.
pub fn hashes(hits: &[Hit]) -> HashSet<Hash> {
    hits.iter().filter_map(|hit| DocumentId::parse(&hit.id)).map(hash_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_has_an_answer_or_none_has() {
        let read = |text: &str, asked| found(text.as_bytes(), asked);
        let all = r#"{"docs":[{"found":true},{"found":false}]}"#;
        assert_eq!(read(all, 2), Ok(vec![true, false]));
        assert_eq!(read(all, 3), Err("an answer about 2 documents, expected 3".to_owned()));
        assert_eq!(read("{}", 1), Err("an answer about 0 documents, expected 1".to_owned()));
        assert_eq!(read("{}", 0), Ok(vec![]));
        let no_index =
            r#"{"docs":[{"error":{"type":"index_not_found_exception"}},{"found":true}]}"#;
        assert_eq!(read(no_index, 2), Ok(vec![false, true]));
        let away = r#"{"docs":[{"error":{"type":"no_shard_available_action_exception"}}]}"#;
        assert_eq!(
            read(away, 1),
            Err("a document cannot be looked up: no_shard_available_action_exception".to_owned())
        );
        assert!(read("<html>", 1).is_err() && read(r#"{"docs":[{}]}"#, 1).is_err());
    }

    #[test]
    fn a_search_that_was_not_finished_found_nothing() {
        let read = |text: &str| hits(text.as_bytes()).map(|hits| hits.len());
        assert_eq!(read(r#"{"timed_out":false}"#), Ok(0));
        let one =
            r#"{"timed_out":false,"hits":{"hits":[{"_id":"a","fields":{"log.offset":[7]}}]}}"#;
        assert_eq!(read(one), Ok(1));
        assert_eq!(hits(one.as_bytes()).unwrap()[0].fields.offset, [7]);
        assert_eq!(read(r#"{"timed_out":true}"#), Err("the search took too long".to_owned()));
        assert!(read("{}").is_err());
        assert!(hashes(&hits(one.as_bytes()).unwrap()).is_empty(), "no id of ours");
    }
}
