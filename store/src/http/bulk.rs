//! `_bulk`: many operations in one request.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, Filter};
use super::params::Params;
use super::{MOST_WRITERS, in_background};
use crate::catalog::Store;
use crate::error::ApiError;
use crate::index::{Index, Operation, Outcome};
use crate::mapping::Mapping;

/// Parameters that change nothing here: what is answered is on disk and can be found.
const PARAMS: [&str; 8] = [
    "refresh",
    "timeout",
    "wait_for_active_shards",
    "routing",
    "require_alias",
    "_source",
    "list_executed_pipelines",
    "require_data_stream",
];
/// A longer id, in bytes, is refused.
pub(super) const LONGEST_ID: usize = 512;

pub(super) fn routes() -> Router<Store> {
    Router::new()
        .route("/_bulk", post(anywhere).put(anywhere))
        .route("/{index}/_bulk", post(in_index).put(in_index))
}

async fn anywhere(State(store): State<Store>, request: Request) -> Answer {
    bulk(store, None, request).await.into()
}

async fn in_index(
    State(store): State<Store>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    bulk(store, Some(index), request).await.into()
}

async fn bulk(store: Store, index: Option<String>, request: Request) -> Result<Answer, ApiError> {
    let params = Params::of(request.uri());
    params.allow(&PARAMS)?;
    let is_refreshed = matches!(params.text("refresh"), Some("" | "true"));
    let paths = params.text("filter_path").unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let held = store.pressure().read(&parts.headers, body).await?;
    in_background(move || {
        let begun = Instant::now();
        let items = items(&held.text, index.as_deref())?;
        let done = Bulk::new(&store, &held.text, items).run();
        Ok(Answer::ready(print(&done, &Filter::new(&paths), is_refreshed, begun)))
    })
    .await
}

/// What is to be done with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Index,
    Delete,
    Update,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Delete => "delete",
            Self::Update => "update",
        }
    }
}

/// One operation, and what became of it.
struct Item {
    action: Action,
    index: String,
    id: String,
    source: Range<usize>,
    result: Option<Result<Outcome, ApiError>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "_index")]
    index: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "_id")]
    id: Option<Id<'a>>,
    #[serde(default)]
    routing: Option<Value>,
    #[serde(default)]
    require_alias: Option<bool>,
    #[serde(default)]
    dynamic_templates: Option<Value>,
}

/// A number is an id too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(i64),
}

/// Reads all action lines, and where their documents stand.
fn items(body: &str, index: Option<&str>) -> Result<Vec<Item>, ApiError> {
    if body.trim().is_empty() {
        return Err(ApiError::new(400, "parse_exception", "request body is required"));
    }
    if !body.ends_with('\n') {
        return Err(ApiError::argument("The bulk request must be terminated by a newline [\\n]"));
    }
    let mut items = Vec::with_capacity(body.len() / 600 + 1);
    let mut lines = Lines { body, at: 0, number: 0 };
    while let Some(line) = lines.next() {
        let text = body.get(line).unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let (action, meta) = action(text, lines.number)?;
        let source = match action {
            Action::Delete => 0..0,
            _ => lines.next().ok_or_else(|| {
                ApiError::argument(format!(
                    "Malformed action/metadata line [{}], expected a document after it",
                    lines.number
                ))
            })?,
        };
        items.push(item(action, meta, source, index)?);
    }
    Ok(items)
}

fn action(text: &str, number: usize) -> Result<(Action, Meta<'_>), ApiError> {
    let fail = |error: &serde_json::Error| {
        let kind =
            if error.is_eof() { "x_content_e_o_f_exception" } else { "x_content_parse_exception" };
        ApiError::new(400, kind, format!("[{number}:{}] {error}", error.column()))
    };
    let raw: std::collections::BTreeMap<Cow<'_, str>, &serde_json::value::RawValue> =
        serde_json::from_str(text).map_err(|error| fail(&error))?;
    let Some((name, raw)) = raw.iter().next() else {
        return Err(ApiError::argument(format!(
            "Malformed action/metadata line [{number}], expected FIELD_NAME but found [END_OBJECT]"
        )));
    };
    let action = match name.as_ref() {
        "create" => Action::Create,
        "index" => Action::Index,
        "delete" => Action::Delete,
        "update" => Action::Update,
        other => {
            return Err(ApiError::argument(format!(
                "Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update] but found [{other}]"
            )));
        }
    };
    let text = raw.get();
    let meta = serde_json::from_str(text).map_err(|error| {
        ApiError::argument(format!("Malformed action/metadata line [{number}]: {error}"))
    })?;
    Ok((action, meta))
}

fn item(
    action: Action,
    meta: Meta<'_>,
    source: Range<usize>,
    index: Option<&str>,
) -> Result<Item, ApiError> {
    let refuse = |what: &str| {
        Err(ApiError::argument(format!("[{what}] is not supported in an action of a bulk")))
    };
    if meta.routing.is_some() {
        return refuse("routing");
    }
    if meta.dynamic_templates.is_some() {
        return refuse("dynamic_templates");
    }
    if meta.require_alias == Some(true) {
        return refuse("require_alias");
    }
    let index = meta.index.as_deref().or(index).unwrap_or_default().to_owned();
    let given = match meta.id {
        Some(Id::Text(id)) => Some(id.into_owned()),
        Some(Id::Number(id)) => Some(id.to_string()),
        None => None,
    };
    let mut result = None;
    if index.is_empty() {
        result = Some(Err(ApiError::argument("index is missing")));
    } else if action == Action::Update {
        result = Some(Err(ApiError::argument(
            "[update] is not supported: send the whole document with [index]",
        )));
    } else if let Some(problem) = given.as_deref().and_then(|id| wrong_id(id).err()) {
        result = Some(Err(problem));
    } else if given.is_none() && action == Action::Delete {
        result = Some(Err(ApiError::argument(
            "an id must be provided if version type or value are set",
        )));
    }
    let id = given.unwrap_or_else(new_id);
    Ok(Item { action, index, id, source, result })
}

/// Whether this can be an id.
pub(super) fn wrong_id(id: &str) -> Result<(), ApiError> {
    if id.is_empty() {
        return Err(ApiError::argument("if _id is specified it must not be empty"));
    }
    if id.len() > LONGEST_ID {
        let reason = format!(
            "Validation Failed: 1: id [{id}] is too long, must be no longer than {LONGEST_ID} bytes but was: {};",
            id.len()
        );
        return Err(ApiError::new(400, "action_request_validation_exception", reason));
    }
    Ok(())
}

/// An id for a document without one.
pub(super) fn new_id() -> String {
    // In order of time, as those of the shipper are.
    let seconds = jiff::Timestamp::now().as_second();
    format!("{seconds:08x}{:024x}", rand::random::<u128>() >> 32)
}

/// The lines of a body, as ranges without their ends.
struct Lines<'a> {
    body: &'a str,
    at: usize,
    number: usize,
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').unwrap_or(rest.len());
        let line = self.at..self.at + length;
        self.at += length + 1;
        self.number += 1;
        Some(line)
    }
}

/// A request that is being worked on.
struct Bulk<'a> {
    store: &'a Store,
    body: &'a Arc<str>,
    items: Vec<Item>,
}

/// What one index has to do: its operations, and the items that they come from.
#[derive(Default)]
struct Share {
    operations: Vec<Operation>,
    places: Vec<usize>,
}

impl<'a> Bulk<'a> {
    fn new(store: &'a Store, body: &'a Arc<str>, items: Vec<Item>) -> Self {
        Self { store, body, items }
    }

    fn run(mut self) -> Vec<Item> {
        let mut by_index: Vec<(String, Vec<usize>)> = Vec::new();
        for (place, item) in self.items.iter().enumerate().filter(|(_, item)| item.result.is_none())
        {
            // Nearly always the last one, or one of few.
            match by_index.iter_mut().rev().find(|(name, _)| *name == item.index) {
                Some((_, places)) => places.push(place),
                None => by_index.push((item.index.clone(), vec![place])),
            }
        }
        for some in by_index.chunks(MOST_WRITERS) {
            self.store.keep_writers(MOST_WRITERS.saturating_sub(some.len()));
            let begun: Vec<_> = some
                .iter()
                .map(|(name, places)| {
                    let share = self.share(name, places)?;
                    let (index, Share { operations, places }) = share;
                    Ok((index.submit(operations)?, places))
                })
                .collect();
            for (share, (_, all)) in begun.into_iter().zip(some) {
                self.conclude(share, all);
            }
        }
        self.items
    }

    /// Reads the documents for an index.
    fn share(&mut self, name: &str, places: &[usize]) -> Result<(Arc<Index>, Share), ApiError> {
        let index = self.store.index_or_new(name)?;
        let mapping = index.mapping();
        let mut share = Share::default();
        for place in places {
            let Some(item) = self.items.get_mut(*place) else { continue };
            match operation(self.body, item, &index, &mapping) {
                Ok(operation) => {
                    share.operations.push(operation);
                    share.places.push(*place);
                }
                Err(problem) => item.result = Some(Err(problem)),
            }
        }
        Ok((index, share))
    }

    fn conclude(
        &mut self,
        share: Result<(crate::index::Promise, Vec<usize>), ApiError>,
        all: &[usize],
    ) {
        let done = share.and_then(|(promise, places)| Ok((promise.wait()?, places)));
        match done {
            Ok((outcomes, places)) => {
                for (place, outcome) in places.into_iter().zip(outcomes) {
                    if let Some(item) = self.items.get_mut(place) {
                        item.result = Some(Ok(outcome));
                    }
                }
            }
            Err(problem) => {
                for place in all {
                    if let Some(item) = self.items.get_mut(*place) {
                        item.result.get_or_insert_with(|| Err(problem.clone()));
                    }
                }
            }
        }
    }
}

fn operation(
    body: &Arc<str>,
    item: &Item,
    index: &Index,
    mapping: &Mapping,
) -> Result<Operation, ApiError> {
    if item.action == Action::Delete {
        return Ok(Operation::Delete(item.id.as_str().into()));
    }
    let document = Box::new(index.read(body, item.source.clone(), &item.id, mapping)?);
    Ok(match item.action {
        Action::Create => Operation::Create(document),
        _ => Operation::Index(document),
    })
}

/// What a version conflict is called.
pub(super) fn conflict(id: &str, version: i64) -> ApiError {
    ApiError::new(
        409,
        "version_conflict_engine_exception",
        format!("[{id}]: version conflict, document already exists (current version [{version}])"),
    )
}

/// The result of an outcome, its version, and its status.
pub(super) fn told(outcome: Outcome) -> (&'static str, i64, u16) {
    match outcome {
        Outcome::Created(version) => ("created", version, 201),
        Outcome::Updated(version) => ("updated", version, 200),
        Outcome::Exists(version) => ("noop", version, 409),
        Outcome::Deleted(version) => ("deleted", version, 200),
        Outcome::NotFound => ("not_found", 1, 404),
    }
}

/// Which members of an item are wanted; the same for all items of an action.
struct Wants([bool; 7]);

const MEMBERS: [&str; 7] = ["_index", "_id", "_version", "result", "_shards", "_seq_no", "status"];

/// Writes the answer, member by member: there are ten thousand items in it.
fn print(items: &[Item], filter: &Filter<'_>, is_refreshed: bool, begun: Instant) -> String {
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
                if is_refreshed {
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
        let error = filter.apply(
            serde_json::json!({ "items": { item.action.name(): { "error": problem.cause() } } }),
        );
        if let Some(error) = error.pointer(&format!("/items/{}/error", item.action.name())) {
            push(out, format_args!("{}\"error\":{error}", comma(!out.is_empty())));
        }
    }
}

fn quoted(text: &str) -> Value {
    Value::from(text)
}
