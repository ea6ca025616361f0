//! `_bulk`: many operations in one request.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>

mod items;
mod print;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use serde_json::Value;

use self::items::{Action, Item, items};
pub(super) use self::items::{new_id, wrong_id};
use self::print::print;
use super::answer::{Answer, Filter};
use super::documents::{no_alias, no_data_stream, writable};
use super::{MOST_WRITERS, Service, in_background};
use crate::catalog::Store;
use crate::error::ApiError;
use crate::index::{Coming, Index, Operation, Outcome};
use crate::mapping::Mapping;
use crate::params::Params;

/// Parameters that change nothing here: what is answered is on disk and can be found.
const PARAMS: [&str; 7] = [
    "refresh",
    "timeout",
    "wait_for_active_shards",
    "pipeline",
    "require_alias",
    "list_executed_pipelines",
    "require_data_stream",
];

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/_bulk", post(anywhere).put(anywhere))
        .route("/{index}/_bulk", post(in_index).put(in_index))
}

async fn anywhere(State(service): State<Service>, request: Request) -> Answer {
    bulk(service, None, request).await.into()
}

async fn in_index(
    State(service): State<Service>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    bulk(service, Some(index), request).await.into()
}

async fn bulk(
    service: Service,
    index: Option<String>,
    request: Request,
) -> Result<Answer, ApiError> {
    let params = Params::of(request.uri());
    params.allow(&PARAMS)?;
    let required = required(&params)?;
    let is_refreshed = matches!(params.text("refresh"), Some("" | "true"));
    let paths = params.text("filter_path").unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let held = service.pressure.read(&parts.headers, body).await?;
    in_background(move || {
        let begun = Instant::now();
        let mut items = items(&held.text, index.as_deref())?;
        deletes_name_indices(&items)?;
        let has_updates = items.iter().any(|item| item.action == Action::Update);
        if has_updates && params.switch("require_data_stream")? == Some(true) {
            return Err(ApiError::argument(
                "Update requests do not support the `require_data_stream` flag, as data streams do not support update operations",
            ));
        }
        if let Some(refuse) = required {
            for item in items.iter_mut().filter(|item| item.result.is_none()) {
                item.result = Some(Err(refuse(&item.index)));
            }
        }
        let done = Bulk::new(&service.store, &held.text, items).run();
        Ok(Answer::ready(print(&done, &Filter::new(&paths), is_refreshed, begun)))
    })
    .await
}

/// Elasticsearch takes nothing of a bulk in which something is to be deleted from what is no name of an
/// index; in other actions that refuses the item.
fn deletes_name_indices(items: &[Item]) -> Result<(), ApiError> {
    let deletes = items.iter().filter(|item| item.action == Action::Delete);
    let wrong =
        deletes.map(|item| &item.index).find(|name| name.is_empty() || name.starts_with('_'));
    wrong.map_or(Ok(()), |name| {
        let problem =
            if name.is_empty() { "expression cannot be empty" } else { "must not start with '_'." };
        Err(ApiError::new(
            400,
            "invalid_index_name_exception",
            format!("Invalid index name [{name}], {problem}"),
        )
        .with("index", Value::from(&**name)))
    })
}

/// What an item for an index is refused with.
type Refusal = fn(&str) -> ApiError;

/// What every item is refused with, if the parameters require what is not there.
fn required(params: &Params) -> Result<Option<Refusal>, ApiError> {
    let refusal: Option<Refusal> = if params.switch("require_alias")? == Some(true) {
        Some(no_alias)
    } else if params.switch("require_data_stream")? == Some(true) {
        Some(no_data_stream)
    } else {
        writable(params, "")?;
        None
    };
    Ok(refusal)
}

/// A request that is being worked on.
struct Bulk<'a> {
    store: &'a Store,
    body: &'a Arc<String>,
    items: Vec<Item>,
}

/// What one index has to do: its operations, and the items that they come from.
struct Share {
    index: Arc<Index>,
    operations: Vec<Operation>,
    places: Vec<usize>,
    coming: Coming,
}

impl<'a> Bulk<'a> {
    fn new(store: &'a Store, body: &'a Arc<String>, items: Vec<Item>) -> Self {
        Self { store, body, items }
    }

    fn run(mut self) -> Vec<Item> {
        let mut by_index: Vec<(Arc<str>, Vec<usize>)> = Vec::new();
        let mut known: HashMap<Arc<str>, usize> = HashMap::new();
        for (place, item) in self.items.iter().enumerate().filter(|(_, item)| item.result.is_none())
        {
            // Nearly always the last one.
            if let Some((_, places)) = by_index.last_mut().filter(|(name, _)| *name == item.index) {
                places.push(place);
                continue;
            }
            let of_index = *known.entry(Arc::clone(&item.index)).or_insert(by_index.len());
            match by_index.get_mut(of_index) {
                Some((_, places)) => places.push(place),
                None => by_index.push((Arc::clone(&item.index), vec![place])),
            }
        }
        for some in by_index.chunks(MOST_WRITERS) {
            self.store.keep_writers(MOST_WRITERS.saturating_sub(some.len()));
            let begun: Vec<_> = some
                .iter()
                .map(|(name, places)| {
                    let Share { index, operations, places, coming } = self.share(name, places)?;
                    let promise = index.submit(operations)?;
                    drop(coming);
                    Ok((promise, places))
                })
                .collect();
            for (share, (_, all)) in begun.into_iter().zip(some) {
                self.conclude(share, all);
            }
        }
        self.items
    }

    /// Whether an item for an index asks for something.
    fn has(&self, name: &str, asks: fn(&Item) -> bool) -> bool {
        self.items.iter().any(|item| asks(item) && *item.index == *name)
    }

    /// Reads the documents for an index.
    fn share(&mut self, name: &str, places: &[usize]) -> Result<Share, ApiError> {
        let is_delete =
            |place: &usize| self.items.get(*place).is_none_or(|item| item.action == Action::Delete);
        let index = match self.store.index(name) {
            Some(index) => index,
            // Nothing is made for the sake of deleting something from it, or where an alias should be.
            None if places.iter().all(is_delete) || self.has(name, |item| item.wants_alias) => {
                return Err(ApiError::no_index(name));
            }
            // One is enough for nothing to be made.
            None if self.has(name, |item| item.wants_data_stream) => {
                return Err(no_data_stream(name));
            }
            None => self.store.index_or_new(name)?,
        };
        let (mapping, coming) = (index.mapping(), index.announce());
        let mut share = Share { index, operations: Vec::new(), places: Vec::new(), coming };
        for place in places {
            let Some(item) = self.items.get_mut(*place) else { continue };
            match operation(self.body, item, &share.index, &mapping) {
                Ok(operation) => {
                    share.operations.push(operation);
                    share.places.push(*place);
                }
                Err(problem) => item.result = Some(Err(problem)),
            }
        }
        Ok(share)
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

/// Reads a request and its documents as if they were for this index, and does nothing with them.
pub(crate) fn read(
    index: &Index,
    body: &Arc<String>,
) -> Result<Vec<Result<(), ApiError>>, ApiError> {
    let mapping = index.mapping();
    let items = items(body, Some(index.name()))?;
    let read = |item: Item| match item.result {
        Some(Err(problem)) => Err(problem),
        _ => operation(body, &item, index, &mapping).map(|_| ()),
    };
    Ok(items.into_iter().map(read).collect())
}

fn operation(
    body: &Arc<String>,
    item: &Item,
    index: &Index,
    mapping: &Mapping,
) -> Result<Operation, ApiError> {
    if item.action == Action::Delete {
        return Ok(Operation::Delete(item.id.as_str().into()));
    }
    let document = index.read(body, item.source.clone(), &item.id, mapping)?;
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
