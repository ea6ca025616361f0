//! What the summary shows: from the store, asked as anybody would, and from the process itself.

use std::fs;

use bytes::Bytes;
use omphalos_indexer::elasticsearch::{Client, Fault};
use serde_json::{Value, json};

/// What the last minute was like.
#[derive(Debug, Default)]
pub struct Figures {
    /// Documents in all.
    pub documents: u64,
    /// Of the last minute, by the first digit of the status: 2, 3, 4, 5.
    pub classes: [u64; 4],
    /// The most wanted paths of the last minute.
    pub paths: Vec<(String, u64)>,
}

impl Figures {
    /// Asks the store.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn ask(client: &Client, pattern: &str) -> Result<Self, Fault> {
        let ranges: Vec<Value> =
            (2..=5).map(|class| json!({ "from": class * 100, "to": class * 100 + 100 })).collect();
        let since = jiff::Timestamp::now().as_second() - 60;
        let since = jiff::Timestamp::from_second(since).unwrap_or_default().to_string();
        let body = json!({
            "size": 0,
            "query": { "range": { "@timestamp": { "gte": since } } },
            "aggs": {
                "classes": { "range": { "field": "http.response.status_code", "ranges": ranges } },
                "paths": { "terms": { "field": "url.path", "size": 5 } }
            }
        });
        let path = format!("{pattern}/_search");
        let answer = answer(client, &path, Some(body)).await?;
        let counted = answer_count(client, pattern).await?;
        let buckets = |pointer: &str| {
            answer.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let count = |bucket: &Value| bucket.get("doc_count").and_then(Value::as_u64).unwrap_or(0);
        let mut classes = [0; 4];
        for (class, bucket) in classes.iter_mut().zip(buckets("/aggregations/classes/buckets")) {
            *class = count(&bucket);
        }
        let paths = buckets("/aggregations/paths/buckets");
        let named = |bucket: &Value| Some((bucket.get("key")?.as_str()?.to_owned(), count(bucket)));
        Ok(Self { documents: counted, classes, paths: paths.iter().filter_map(named).collect() })
    }
}

/// The newest document; `None` where there is none yet.
///
/// # Errors
/// [`Fault`] like all requests.
pub async fn newest(client: &Client, pattern: &str) -> Result<Option<Value>, Fault> {
    let body = json!({ "size": 1, "sort": [{ "@timestamp": "desc" }] });
    let answer = answer(client, &format!("{pattern}/_search"), Some(body)).await?;
    Ok(answer.pointer("/hits/hits/0/_source").cloned())
}

async fn answer_count(client: &Client, pattern: &str) -> Result<u64, Fault> {
    let answer = answer(client, &format!("{pattern}/_count"), None).await?;
    Ok(answer.get("count").and_then(Value::as_u64).unwrap_or(0))
}

async fn answer(client: &Client, path: &str, body: Option<Value>) -> Result<Value, Fault> {
    let Some(body) = body else { return Ok(client.get(path).await?.unwrap_or_default()) };
    let answer = client.post(path, Bytes::from(body.to_string())).await?;
    serde_json::from_slice(&answer)
        .map_err(|error| Fault::Transient(format!("unreadable answer: {error}")))
}

/// What the process holds in memory now, and held at most, in bytes.
pub fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    (value("VmRSS:").unwrap_or(0), value("VmHWM:").unwrap_or(0))
}
