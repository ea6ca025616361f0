//! Documents one at a time, and several by their ids.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-document>

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use axum::routing::{get, post, put};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::bulk::{conflict, new_id, told, wrong_id};
use super::{MOST_WRITERS, Service, in_background};
use crate::attempt::look;
use crate::catalog::Store;
use crate::error::ApiError;
use crate::index::{Index, Operation, Outcome};
use crate::json::{Json, Unique};
use crate::params::Params;
use crate::search::source::SourceFilter;

const WRITE_PARAMS: [&str; 8] = [
    "pipeline",
    "refresh",
    "timeout",
    "wait_for_active_shards",
    "op_type",
    "require_alias",
    "version_type",
    "require_data_stream",
];
const READ_PARAMS: [&str; 7] = [
    "_source",
    "_source_includes",
    "_source_excludes",
    "realtime",
    "preference",
    "refresh",
    "routing",
];

/// Documents in one request, and their bytes.
const MOST_LOOKED_UP: usize = 10_000;
const MOST_SHOWN: usize = 32 << 20;

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/{index}/_doc", post(add))
        .route("/{index}/_doc/{id}", get(read).head(read).post(write).put(write).delete(remove))
        .route("/{index}/_create/{id}", put(create).post(create))
        .route("/{index}/_source/{id}", get(source).head(source))
        .route("/_mget", get(several).post(several))
        .route("/{index}/_mget", get(several_of).post(several_of))
}

async fn add(
    State(service): State<Service>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    put_one(service, (index, new_id(), true), request).await.into()
}

async fn write(
    State(service): State<Service>,
    Path((index, id)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let is_create = Params::of(request.uri()).text("op_type") == Some("create");
    put_one(service, (index, id, is_create), request).await.into()
}

async fn create(
    State(service): State<Service>,
    Path((index, id)): Path<(String, String)>,
    request: Request,
) -> Answer {
    put_one(service, (index, id, true), request).await.into()
}

async fn put_one(
    service: Service,
    (name, id, is_create): (String, String, bool),
    request: Request,
) -> Result<Answer, ApiError> {
    let params = Params::of(request.uri());
    params.allow(&WRITE_PARAMS)?;
    writable(&params, &name)?;
    wrong_id(&id)?;
    let (parts, body) = request.into_parts();
    let held = service.pressure.read(&parts.headers, body).await?;
    let store = service.store;
    in_background(move || {
        if held.text.trim().is_empty() {
            return Err(ApiError::new(400, "parse_exception", "request body is required"));
        }
        let index = store.index_or_new(&name)?;
        let mapping = index.mapping();
        let document = index.read(&held.text, 0..held.text.len(), &id, &mapping)?;
        let operation =
            if is_create { Operation::Create(document) } else { Operation::Index(document) };
        one(&store, &index, (&id, operation), &params)
    })
    .await
}

/// Refuses what parameters of a write ask for that is not there.
///
/// # Errors
/// 404 where an alias or a data stream is required, 400 for values that are none.
pub(super) fn writable(params: &Params, name: &str) -> Result<(), ApiError> {
    if params.switch("require_alias")? == Some(true) {
        return Err(no_alias(name));
    }
    if params.switch("require_data_stream")? == Some(true) {
        return Err(no_data_stream(name));
    }
    if let Some(kind) = params.text("op_type")
        && !["create", "index"].contains(&kind)
    {
        return Err(ApiError::argument(format!(
            "opType must be 'create' or 'index', found: [{kind}]"
        )));
    }
    if let Some(kind) = params.text("version_type")
        && kind != "internal"
    {
        return Err(ApiError::argument(format!(
            "version_type [{kind}] is not supported by this store"
        )));
    }
    if let Some(pipeline) = params.text("pipeline")
        && pipeline != "_none"
    {
        return Err(no_pipeline(pipeline));
    }
    Ok(())
}

/// There are no aliases here.
pub(super) fn no_alias(name: &str) -> ApiError {
    let reason = format!(
        "no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"
    );
    ApiError { reason, ..ApiError::no_index(name) }
}

/// There are no data streams here.
pub(super) fn no_data_stream(name: &str) -> ApiError {
    let reason = format!(
        "no such index [{name}] and the index creation request requires a data stream, but there are none in this store"
    );
    ApiError { reason, ..ApiError::no_index(name) }
}

/// There are no pipelines here.
pub(super) fn no_pipeline(name: &str) -> ApiError {
    ApiError::argument(format!("pipeline with id [{name}] does not exist"))
}

async fn remove(
    State(store): State<Store>,
    Path((index, id)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    in_background(move || {
        let params = Params::of(&uri);
        params.allow(&WRITE_PARAMS)?;
        writable(&params, &index)?;
        let index = store.index(&index).ok_or_else(|| ApiError::no_index(&index))?;
        let operation = Operation::Delete(id.as_str().into());
        one(&store, &index, (&id, operation), &params)
    })
    .await
    .into()
}

/// Does one thing, and answers as for a document alone.
fn one(
    store: &Store,
    index: &Arc<Index>,
    (id, operation): (&str, Operation),
    params: &Params,
) -> Result<Answer, ApiError> {
    store.keep_writers(MOST_WRITERS - 1);
    let outcomes = index.submit(vec![operation])?.wait()?;
    let outcome = outcomes.first().copied();
    let outcome = outcome.ok_or_else(|| ApiError::unavailable("the index says of no outcome"))?;
    if let Outcome::Exists(version) = outcome {
        return Err(conflict(id, version).with("index", Value::from(index.name())));
    }
    let (result, version, status) = told(outcome);
    let mut answer = json!({
        "_index": index.name(), "_id": id, "_version": version, "result": result,
        "_shards": { "total": 1, "successful": 1, "failed": 0 }, "_seq_no": 0, "_primary_term": 1
    });
    if matches!(params.text("refresh"), Some("" | "true"))
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("forced_refresh".to_owned(), Value::Bool(true));
    }
    Ok(Answer::json(answer).with_status(status))
}

async fn read(
    State(store): State<Store>,
    Path((name, id)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    in_background(move || {
        let (filter, index) = wanted(&store, &uri, &name)?;
        let (found, _) = found(&index, &id, &filter)?;
        let status = if found.found { 200 } else { 404 };
        Ok(Answer::of(&found)?.with_status(status))
    })
    .await
    .into()
}

/// What of a document is to be read, and where.
fn wanted(store: &Store, uri: &Uri, name: &str) -> Result<(SourceFilter, Arc<Index>), ApiError> {
    let params = Params::of(uri);
    params.allow(&READ_PARAMS)?;
    let filter = SourceFilter::from_params(&params)?;
    let index = store.index(name).ok_or_else(|| ApiError::no_index(name))?;
    Ok((filter, index))
}

async fn source(
    State(store): State<Store>,
    Path((name, id)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    in_background(move || {
        let (filter, index) = wanted(&store, &uri, &name)?;
        let Some((source, _)) = index.get(&id)? else {
            return Err(ApiError::new(
                404,
                "resource_not_found_exception",
                format!("Document not found [{name}]/[{id}]"),
            ));
        };
        Answer::of(&filter.apply(&source)?.unwrap_or(Json::EMPTY))
    })
    .await
    .into()
}

/// The document with an id, as `_doc` and `_mget` tell of it.
#[derive(Serialize)]
struct Found {
    _index: String,
    _id: String,
    #[serde(flatten)]
    version: Option<Version>,
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    _source: Option<Json>,
}

#[derive(Serialize)]
struct Version {
    _version: i64,
    _seq_no: u8,
    _primary_term: u8,
}

/// What is told of it, and the bytes that it has in its index.
fn found(index: &Index, id: &str, filter: &SourceFilter) -> Result<(Found, usize), ApiError> {
    let found = index.get(id)?;
    let bytes = found.as_ref().map_or(0, |(source, _)| source.len());
    let version = found.as_ref().map(|(_, version)| *version);
    let source = found.map(|(source, _)| filter.apply(&source)).transpose()?.flatten();
    let told = Found {
        _index: index.name().to_owned(),
        _id: id.to_owned(),
        version: version.map(|version| Version { _version: version, _seq_no: 0, _primary_term: 1 }),
        found: version.is_some(),
        _source: source,
    };
    Ok((told, bytes))
}

/// What `_mget` answers.
#[derive(Serialize)]
struct Several {
    docs: Vec<Looked>,
}

/// What `_mget` says of one document.
#[derive(Serialize)]
#[serde(untagged)]
enum Looked {
    Found(Found),
    Failed(Value),
}

async fn several(State(service): State<Service>, request: Request) -> Answer {
    mget(service, None, request).await.into()
}

async fn several_of(
    State(service): State<Service>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    mget(service, Some(index), request).await.into()
}

async fn mget(
    service: Service,
    index: Option<String>,
    request: Request,
) -> Result<Answer, ApiError> {
    let params = Params::of(request.uri());
    params.allow(&READ_PARAMS)?;
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return Err(ApiError::argument("use GET or POST"));
    }
    let (parts, body) = request.into_parts();
    let held = service.pressure.read_tree(&parts.headers, body).await?;
    let store = service.store;
    in_background(move || {
        let filter = SourceFilter::from_params(&params)?;
        let wanted = Unique::read(&held.text)?;
        let entries = entries(&wanted, index.as_deref())?;
        if entries.len() > MOST_LOOKED_UP {
            return Err(too_much(&format!("for at most {MOST_LOOKED_UP}, not {}", entries.len())));
        }
        let mut docs = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for (name, id, own) in &entries {
            look();
            let (looked, size) = lookup(&store, (name, id), own.as_ref().unwrap_or(&filter))?;
            bytes += size;
            if bytes > MOST_SHOWN && !docs.is_empty() {
                return Err(too_much(&format!(
                    "for documents of at most {MOST_SHOWN} bytes together"
                )));
            }
            docs.push(looked);
        }
        Answer::of(&Several { docs })
    })
    .await
}

fn too_much(what: &str) -> ApiError {
    let reason = format!("a request of _mget is {what}, here; ask for them in parts");
    ApiError::new(400, "content_too_long_exception", reason)
}

/// A document, and the bytes that it has in its index.
fn lookup(
    store: &Store,
    (name, id): (&str, &str),
    filter: &SourceFilter,
) -> Result<(Looked, usize), ApiError> {
    let Some(index) = store.index(name) else {
        let error = ApiError::no_index(name);
        let failed = json!({ "_index": name, "_id": id, "error": error.error() });
        return Ok((Looked::Failed(failed), 0));
    };
    let (found, bytes) = found(&index, id, filter)?;
    Ok((Looked::Found(found), bytes))
}

type Entry = (String, String, Option<SourceFilter>);

fn entries(wanted: &Value, index: Option<&str>) -> Result<Vec<Entry>, ApiError> {
    let invalid = |reason: &str| {
        ApiError::new(
            400,
            "action_request_validation_exception",
            format!("Validation Failed: 1: {reason};"),
        )
    };
    let mut entries = Vec::new();
    for key in wanted.as_object().into_iter().flat_map(Map::keys) {
        if key != "ids" && key != "docs" {
            return Err(ApiError::parsing(format!(
                "unexpected token in the body of _mget: [{key}], expected [docs] or [ids]"
            )));
        }
    }
    for id in wanted.get("ids").and_then(Value::as_array).into_iter().flatten() {
        let index = index.ok_or_else(|| invalid("index is missing for doc 0"))?;
        entries.push((index.to_owned(), text(id), None));
    }
    for doc in wanted.get("docs").and_then(Value::as_array).into_iter().flatten() {
        let own = doc.get("_index").and_then(Value::as_str).or(index);
        let number = entries.len();
        let own = own.ok_or_else(|| invalid(&format!("index is missing for doc {number}")))?;
        let id =
            doc.get("_id").ok_or_else(|| invalid(&format!("id is missing for doc {number}")))?;
        let filter = doc.get("_source").map(SourceFilter::parse).transpose()?;
        entries.push((own.to_owned(), text(id), filter));
    }
    if entries.is_empty() {
        return Err(invalid("no documents to get"));
    }
    Ok(entries)
}

fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
