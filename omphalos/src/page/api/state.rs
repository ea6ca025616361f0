//! How the process is, and the files that it reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use jiff::Timestamp;
use omphalos_common::clean::clean;
use serde_json::{Value, json};

use super::super::Page;
use super::super::parameters::Parameters;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::{Shown, sent};

pub async fn get_health(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    let shown = Parameters::read(&uri, &[]).and_then(|_| health(&page));
    sent(shown, &headers)
}

/// Whether the process can do its job, and what it is.
pub fn health(page: &Page) -> Shown {
    let behind = &page.behind;
    let health = &behind.telemetry.health;
    let mut problems = health.stuck();
    problems.extend(health.problems());
    let window = behind.tap.as_ref().map(|tap| tap.has_whole_window());
    Reply::json(&json!({
        "status": if problems.is_empty() { "ok" } else { "degraded" },
        "problems": problems,
        "program": "omphalos",
        "version": env!("CARGO_PKG_VERSION"),
        "started": page.started.to_string(),
        "store": behind.asker.as_ref().map(crate::search::Asker::asked),
        "reads_files": behind.tap.is_some(),
        "counts_window": window
    }))
}

pub async fn get_sources(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    let shown = Parameters::read(&uri, &[]).and_then(|_| sources(&page));
    sent(shown, &headers)
}

/// The files that this process reads, those first that are furthest behind.
pub fn sources(page: &Page) -> Result<Reply, Problem> {
    let behind = &page.behind;
    let (lags, unreadable) = behind.shipper.lags();
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for lag in &lags {
        let path = clean(&lag.path.to_string_lossy()).into_owned();
        found.insert(
            path.clone(),
            json!({
                "path": path, "lag_bytes": lag.bytes, "lag_seconds": lag.waiting.as_secs_f64(),
                "lines": 0, "failures": 0, "dataset": null, "newest": null, "silent_seconds": null
            }),
        );
    }
    for account in behind.tap.iter().flat_map(|tap| tap.accounts()) {
        let path = clean(&String::from_utf8_lossy(&account.path)).into_owned();
        let known = found.entry(path.clone()).or_insert_with(|| {
            json!({ "path": path, "lag_bytes": null, "lag_seconds": null, "lines": 0, "failures": 0 })
        });
        let sum = |known: &Value, more: u64| json!(known.as_u64().unwrap_or(0) + more);
        known["lines"] = sum(&known["lines"], account.lines);
        known["failures"] = sum(&known["failures"], account.failures);
        known["dataset"] = json!(account.dataset);
        known["newest"] =
            json!(Timestamp::from_millisecond(account.newest).ok().map(|time| time.to_string()));
        known["silent_seconds"] = json!(account.last.elapsed().as_secs());
    }
    let mut sources: Vec<Value> = found.into_values().collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source["lag_bytes"].as_u64()));
    Reply::json(&json!({ "sources": sources, "unreadable": unreadable }))
}
