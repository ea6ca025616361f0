//! All that is known as JSON, as the collectors answer it.

use omphalos_common::clean::clean_json;
use serde_json::json;

use crate::top::console::data::Snapshot;
use crate::top::console::model::Model;

/// What is shown, and what it is about.
pub fn json(model: &Model, data: &Snapshot, title: &str) -> String {
    let sources = data.feed.sources.iter().map(|source| {
        json!({
            "name": source.name,
            "state": format!("{:?}", source.state),
            "lines": source.lines,
            "failures": source.failures,
            "dropped": source.dropped,
            "behind": source.behind,
            "silent_for_ms": u64::try_from(source.silent_for.as_millis()).unwrap_or(u64::MAX),
            "in_blocks": source.in_blocks,
        })
    });
    let document = json!({
        "title": title,
        "at": data.at,
        "filter": model.filter,
        "window_ms": u64::try_from(data.window.as_millis()).unwrap_or(u64::MAX),
        "summary": data.summary,
        "series": data.series,
        "top": data.top,
        "key": data.detail,
        "lines": data.lines,
        "sources": sources.collect::<Vec<_>>(),
        "notice": data.feed.notice,
    });
    let mut text = clean_json(&format!("{document:#}")).into_owned();
    text.push('\n');
    text
}
