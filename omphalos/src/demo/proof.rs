//! Whether what was written is what is stored: each line once, by where it begins in the log.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Context;
use bytes::Bytes;
use omphalos_indexer::elasticsearch::Client;
use serde_json::{Value, json};

/// Documents a request.
const PAGE: usize = 1000;

/// A sum over lines that does not depend on their order: equal sums mean the same lines, each as
/// often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    count: u64,
    sum: u64,
}

impl Tally {
    /// Adds the line that begins at this offset.
    pub fn add(&mut self, offset: u64) {
        let mut hasher = DefaultHasher::new();
        offset.hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    /// How many lines.
    pub fn count(self) -> u64 {
        self.count
    }
}

/// Reads every document of the log at `path` from the store.
///
/// # Errors
/// When the store does not answer.
pub async fn stored(client: &Client, pattern: &str, path: &str) -> anyhow::Result<Tally> {
    client.post(&format!("{pattern}/_refresh"), Bytes::new()).await?;
    let mut tally = Tally::default();
    let mut after: Option<Value> = None;
    loop {
        let mut body = json!({
            "size": PAGE,
            "query": { "term": { "log.file.path": path } },
            "sort": [{ "log.offset": "asc" }],
            "_source": ["log.offset"]
        });
        if let (Some(after), Some(body)) = (&after, body.as_object_mut()) {
            body.insert("search_after".to_owned(), after.clone());
        }
        let body = Bytes::from(body.to_string());
        let answer = client.post(&format!("{pattern}/_search"), body).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let hits = answer.pointer("/hits/hits").and_then(Value::as_array).context("no hits")?;
        for hit in hits {
            let offset = hit.pointer("/_source/log/offset").and_then(Value::as_u64);
            tally.add(offset.context("a document without log.offset")?);
        }
        after = hits.last().and_then(|hit| hit.get("sort")).cloned();
        if hits.len() < PAGE {
            return Ok(tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_and_counted_in_any_order() {
        let of = |offsets: &[u64]| {
            let mut tally = Tally::default();
            for offset in offsets {
                tally.add(*offset);
            }
            tally
        };
        assert_eq!(of(&[0, 10, 20]), of(&[20, 0, 10]));
        assert_ne!(of(&[0, 10, 20]), of(&[0, 10, 21]));
        assert_ne!(of(&[0, 10, 10]), of(&[0, 10]));
    }
}
