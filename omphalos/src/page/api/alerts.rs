//! What is raised, and what was raised and cleared: by the rules of this process, and as `omphalos watch`
//! has stored it.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use jiff::Timestamp;
use omphalos_live::alert::{Alert, Event};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::Page;
use super::super::parameters::{Parameters, RANGE, Range};
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::{Shown, sent};
use crate::search::Asker;
use crate::top::figures::Figures as _;
use crate::watch::{DATASET, word};

/// Events of an answer, usually and at most.
const USUAL: usize = 200;
const MOST: usize = 1000;

/// What happened to an alert.
#[derive(Serialize)]
struct Happened {
    at: i64,
    what: &'static str,
    is_raised: bool,
    #[serde(flatten)]
    alert: Alert,
}

impl Happened {
    fn of(event: Event) -> Self {
        let Event { at, change, alert } = event;
        Self { at, what: word(change), is_raised: change.is_raised(), alert }
    }
}

pub async fn get_alerts(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(alerts(&page, &uri).await, &headers)
}

async fn alerts(page: &Arc<Page>, uri: &Uri) -> Shown {
    let parameters = Parameters::read(uri, &[&RANGE, &["n"]])?;
    let range = parameters.range()?;
    let most = parameters.number("n", USUAL, MOST)?;
    let Judged { rules, active, events } = judged(page, most);
    let since = range.since.as_millisecond();
    let until = range.until.map_or(i64::MAX, Timestamp::as_millisecond);
    let events = events.into_iter().filter(|event| (since..until).contains(&event.at));
    let events = serde_json::to_value(events.collect::<Vec<_>>());
    let mut events = match events {
        Ok(Value::Array(events)) => events,
        _ => Vec::new(),
    };
    if let Some(asker) = &page.behind.asker {
        let stored = page.gate.wait_for(stored(asker, &range, most)).await?;
        let key = |event: &Value| {
            let part = |name: &str| event.get(name).cloned().unwrap_or_default().to_string();
            (part("fingerprint"), part("at"), part("is_raised"))
        };
        let known: HashSet<_> = events.iter().map(key).collect();
        events.extend(stored.into_iter().filter(|event| !known.contains(&key(event))));
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.get("at").and_then(Value::as_i64)));
    events.truncate(most);
    Reply::json(&json!({ "rules": rules, "active": active, "events": events }))
}

/// What this process judges.
#[derive(Serialize)]
struct Judged {
    rules: Vec<Value>,
    active: Vec<Alert>,
    events: Vec<Happened>,
}

fn judged(page: &Page, most: usize) -> Judged {
    let Some(tap) = &page.behind.tap else {
        return Judged { rules: Vec::new(), active: Vec::new(), events: Vec::new() };
    };
    let told = tap.alerts(most);
    let events = told.events.into_iter().map(Happened::of).collect();
    Judged { rules: tap.rules().to_vec(), active: told.alerts, events }
}

/// The alerts of this process alone, for who watches.
pub fn judged_here(page: &Page) -> Result<Reply, Problem> {
    Reply::json(&judged(page, USUAL))
}

/// Events that `omphalos watch` has written, the newest first.
async fn stored(asker: &Asker, range: &Range, most: usize) -> Result<Vec<Value>, Problem> {
    let mut times = json!({ "gte": range.since.to_string() });
    if let (Some(until), Some(times)) = (range.until, times.as_object_mut()) {
        times.insert("lt".to_owned(), json!(until.to_string()));
    }
    let filters = json!([
        { "term": { "event.dataset": DATASET } }, { "range": { "@timestamp": times } }
    ]);
    let body = json!({
        "size": most, "track_total_hits": false, "query": { "bool": { "filter": filters } },
        "sort": [{ "@timestamp": { "order": "desc", "unmapped_type": "date" } }]
    });
    let answer = asker.whole(&body).await.map_err(|fault| Problem::of_fault(&fault, None))?;
    let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
    Ok(hits.into_iter().flatten().filter_map(|hit| happened(hit.get("_source")?)).collect())
}

/// An event as those of this process are told.
fn happened(document: &Value) -> Option<Value> {
    let at = |path: &str| document.pointer(path).cloned().unwrap_or_default();
    let time: Timestamp = document.pointer("/@timestamp")?.as_str()?.parse().ok()?;
    let message = document.pointer("/message")?.as_str()?;
    let (what, text) = message.split_once(": ").unwrap_or(("", message));
    let alert = |name: &str| at(&format!("/omphalos/alert/{name}"));
    let dimension = alert("dimension");
    let key = json!({ "dimension": dimension, "text": alert("key") });
    let action = at("/event/action");
    Some(json!({
        "at": time.as_millisecond(),
        "what": what,
        "is_raised": action == "raised" || action == "no_data",
        "fingerprint": alert("fingerprint"),
        "rule": at("/rule/name"),
        "severity": at("/log/level"),
        "key": if dimension.is_null() { Value::Null } else { key },
        "measure": alert("measure"),
        "state": alert("state"),
        "value": alert("value"),
        "limit": alert("limit"),
        "text": text,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_watch_has_written_is_told_like_what_happens_here() {
        let document = json!({
            "@timestamp": "2026-11-22T10:00:00Z", "message": "raised: errors: all traffic has 7 %",
            "event": { "action": "raised" }, "rule": { "name": "errors" }, "log": { "level": "bad" },
            "omphalos": { "alert": {
                "fingerprint": "f", "measure": "error_share", "value": 7.0, "limit": 5.0,
                "dimension": "path", "key": "/a"
            } }
        });
        let told = happened(&document).unwrap();
        assert_eq!((&told["at"], &told["what"]), (&json!(1_795_341_600_000_i64), &json!("raised")));
        assert_eq!(
            (&told["text"], &told["is_raised"]),
            (&json!("errors: all traffic has 7 %"), &json!(true))
        );
        assert_eq!(told["key"], json!({ "dimension": "path", "text": "/a" }));
        for odd in
            [json!({}), json!({ "@timestamp": 5 }), json!({ "@timestamp": "x", "message": "" })]
        {
            assert_eq!(happened(&odd), None, "{odd}");
        }
    }
}
