//! The answer to a bulk, written member by member: there are ten thousand items in it.

use std::fmt::Write;
use std::time::Instant;

use serde_json::Value;

use super::items::{Action, Item};
use super::{conflict, told};
use crate::error::ApiError;
use crate::http::answer::Filter;
use crate::index::Outcome;

/// Which members of an item are wanted; the same for all items of an action.
struct Wants([bool; 7]);

const MEMBERS: [&str; 7] = ["_index", "_id", "_version", "result", "_shards", "_seq_no", "status"];

/// Writes the answer, member by member: there are ten thousand items in it.
pub(super) fn print(
    items: &[Item],
    filter: &Filter<'_>,
    is_refreshed: bool,
    begun: Instant,
) -> String {
    let mut out = String::with_capacity(items.len() * 200 + 64);
    let has_errors = items.iter().any(|item| problem(item).is_some());
    out.push('{');
    let mut has_members = false;
    if filter.wants(&["errors"]) {
        has_members = true;
        push(&mut out, format_args!("\"errors\":{has_errors}"));
    }
    if filter.wants(&["took"]) {
        let took = begun.elapsed().as_millis();
        push(&mut out, format_args!("{}\"took\":{took}", comma(has_members)));
        has_members = true;
    }
    let wants = |action: Action| {
        Wants(MEMBERS.map(|member| filter.wants(&["items", action.name(), member])))
    };
    let wanted = [Action::Create, Action::Index, Action::Delete, Action::Update].map(wants);
    let mut is_first = true;
    for item in items {
        let Some(wanted) = wanted.get(item.action as usize) else { continue };
        let mut text = String::with_capacity(200);
        print_item(&mut text, item, wanted, (filter, is_refreshed));
        if text.is_empty() {
            continue;
        }
        if is_first {
            push(&mut out, format_args!("{}\"items\":[", comma(has_members)));
        }
        push(
            &mut out,
            format_args!("{}{{\"{}\":{{{text}}}}}", comma(!is_first), item.action.name()),
        );
        is_first = false;
    }
    out.push_str(if is_first { "}" } else { "]}" });
    out
}

fn comma(is_needed: bool) -> &'static str {
    if is_needed { "," } else { "" }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    out.write_fmt(text).ok();
}

/// Why an item failed.
fn problem(item: &Item) -> Option<ApiError> {
    match &item.result {
        Some(Ok(Outcome::Exists(version))) => Some(conflict(&item.id, *version)),
        Some(Ok(_)) => None,
        Some(Err(problem)) => Some(problem.clone()),
        None => Some(ApiError::unavailable("nothing was done")),
    }
}

fn print_item(
    out: &mut String,
    item: &Item,
    Wants(wanted): &Wants,
    (filter, is_refreshed): (&Filter<'_>, bool),
) {
    let problem = problem(item);
    let done = item.result.as_ref().and_then(|result| result.as_ref().ok());
    let done = done.filter(|_| problem.is_none()).map(|outcome| told(*outcome));
    let status = problem.as_ref().map_or_else(|| done.map_or(200, |it| it.2), |it| it.status);
    for (member, _) in MEMBERS.iter().zip(wanted).filter(|(_, wanted)| **wanted) {
        let gap = comma(!out.is_empty());
        match (*member, done) {
            ("_index", _) => push(out, format_args!("{gap}\"_index\":{}", quoted(&item.index))),
            ("_id", _) => push(out, format_args!("{gap}\"_id\":{}", quoted(&item.id))),
            ("status", _) => push(out, format_args!("{gap}\"status\":{status}")),
            ("_version", Some((_, version, _))) => {
                push(out, format_args!("{gap}\"_version\":{version}"));
            }
            ("result", Some((result, ..))) => {
                push(out, format_args!("{gap}\"result\":\"{result}\""));
                if is_refreshed && filter.wants(&["items", item.action.name(), "forced_refresh"]) {
                    out.push_str(",\"forced_refresh\":true");
                }
            }
            ("_shards", Some(_)) => {
                push(
                    out,
                    format_args!("{gap}\"_shards\":{{\"total\":1,\"successful\":1,\"failed\":0}}"),
                );
            }
            ("_seq_no", Some(_)) => {
                push(out, format_args!("{gap}\"_seq_no\":0,\"_primary_term\":1"));
            }
            _ => {}
        }
    }
    if let Some(problem) = problem {
        let path = ["items", item.action.name(), "error"];
        if let Some(error) = filter.within(&path, &problem.cause().to_string()) {
            push(out, format_args!("{}\"error\":{error}", comma(!out.is_empty())));
        }
    }
}

fn quoted(text: &str) -> Value {
    Value::from(text)
}
