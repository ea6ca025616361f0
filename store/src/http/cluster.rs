//! Answers about the store itself: name and version, health, and list of indices.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::routing::get;
use bytesize::ByteSize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::{Service, in_background};
use crate::catalog::{Store, Wanted};
use crate::error::ApiError;
use crate::index::Index;
use crate::params::Params;

/// The version of Elasticsearch whose API this is a subset of: clients ask for it.
const VERSION: &str = "9.0.0";

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/", get(info))
        .route("/_cluster/health", get(health))
        .route("/_cluster/health/{index}", get(health))
        .route("/_cat/indices", get(list_all))
        .route("/_cat/indices/{index}", get(list))
}

async fn info(State(store): State<Store>) -> Answer {
    Answer::json(json!({
        "name": "omphalos",
        "cluster_name": "omphalos",
        "cluster_uuid": store.uuid(),
        "version": {
            "number": VERSION,
            "build_flavor": "omphalos-store",
            "build_type": "embedded",
            "build_hash": env!("CARGO_PKG_VERSION"),
            "build_snapshot": false,
            "lucene_version": "none: tantivy",
            "minimum_wire_compatibility_version": VERSION,
            "minimum_index_compatibility_version": VERSION
        },
        "tagline": "You Know, for Search"
    }))
}

async fn health(State(store): State<Store>, uri: Uri) -> Answer {
    in_background(move || {
        Params::of(&uri).allow(&[
            "wait_for_status",
            "timeout",
            "master_timeout",
            "level",
            "wait_for_no_relocating_shards",
            "wait_for_no_initializing_shards",
            "wait_for_active_shards",
            "wait_for_nodes",
            "local",
        ])?;
        let shards = store.all().len();
        let damaged = store.damaged().len();
        let status = if damaged == 0 { "green" } else { "red" };
        Ok(Answer::json(json!({
            "cluster_name": "omphalos", "status": status, "timed_out": false,
            "number_of_nodes": 1, "number_of_data_nodes": 1,
            "active_primary_shards": shards, "active_shards": shards,
            "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": damaged,
            "unassigned_primary_shards": damaged, "delayed_unassigned_shards": 0,
            "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0,
            "task_max_waiting_in_queue_millis": 0, "active_shards_percent_as_number": 100.0
        })))
    })
    .await
    .into()
}

async fn list_all(state: State<Store>, uri: Uri, headers: HeaderMap) -> Answer {
    list(state, Path("_all".to_owned()), uri, headers).await
}

async fn list(
    State(store): State<Store>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    in_background(move || {
        let params = Params::of(&uri);
        params.allow(&["v", "h", "s", "bytes", "local", "master_timeout", "time", "help"])?;
        let columns = columns(params.text("h"))?;
        let mut rows: Vec<Vec<String>> = store
            .resolve(&name, Wanted::of(&params)?)?
            .iter()
            .map(|index| row(index, params.text("bytes")))
            .collect();
        sort(&mut rows, params.text("s").unwrap_or("index"))?;
        let accepts_json = headers
            .get("accept")
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("json"));
        let is_json = params.text("format").map_or(accepts_json, |format| format == "json");
        if is_json {
            return Ok(Answer::json(rows.iter().map(|row| object(row, &columns)).collect()));
        }
        Ok(Answer::text(table(&rows, &columns, params.text("v").is_some_and(|v| v != "false"))))
    })
    .await
    .into()
}

/// What there is to tell of an index, and the short name of each.
const COLUMNS: [(&str, &str); 10] = [
    ("health", "h"),
    ("status", "s"),
    ("index", "i"),
    ("uuid", "id"),
    ("pri", "p"),
    ("rep", "r"),
    ("docs.count", "dc"),
    ("docs.deleted", "dd"),
    ("store.size", "ss"),
    ("pri.store.size", "pss"),
];

fn row(index: &Arc<Index>, unit: Option<&str>) -> Vec<String> {
    let searcher = index.searcher();
    let deleted: u64 = searcher
        .segment_readers()
        .iter()
        .map(|segment| u64::from(segment.num_deleted_docs()))
        .sum();
    let bytes = index.bytes();
    let size = match unit {
        Some("b") => bytes.to_string(),
        Some("kb") => (bytes >> 10).to_string(),
        Some("mb") => (bytes >> 20).to_string(),
        Some("gb") => (bytes >> 30).to_string(),
        _ => ByteSize(bytes).display().iec_short().to_string().to_lowercase(),
    };
    let count = searcher.num_docs().to_string();
    let fixed = ["green", "open", index.name(), &index.about().uuid, "1", "0", &count];
    let mut row: Vec<String> = fixed.iter().map(|&text| text.to_owned()).collect();
    row.extend([deleted.to_string(), size.clone(), size]);
    row
}

fn column(name: &str) -> Result<usize, ApiError> {
    COLUMNS.iter().position(|(long, short)| name == *long || name == *short).ok_or_else(|| {
        ApiError::argument(format!(
            "unknown column [{name}]; there are {}",
            COLUMNS.map(|(long, _)| long).join(", ")
        ))
    })
}

fn columns(wanted: Option<&str>) -> Result<Vec<usize>, ApiError> {
    match wanted {
        None => Ok((0..COLUMNS.len()).collect()),
        Some(names) => names.split(',').map(column).collect(),
    }
}

fn sort(rows: &mut [Vec<String>], by: &str) -> Result<(), ApiError> {
    for key in by.split(',').rev() {
        let (name, is_down) = match key.split_once(':') {
            Some((name, order)) => (name, order == "desc"),
            None => (key, false),
        };
        let place = column(name)?;
        rows.sort_by(|a, b| {
            let order = compare(a.get(place), b.get(place));
            if is_down { order.reverse() } else { order }
        });
    }
    Ok(())
}

/// Numbers as numbers.
fn compare(a: Option<&String>, b: Option<&String>) -> Ordering {
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(&b),
    }
}

fn object(row: &[String], columns: &[usize]) -> Value {
    let members = columns.iter().filter_map(|place| {
        let (name, _) = COLUMNS.get(*place)?;
        Some(((*name).to_owned(), Value::from(row.get(*place)?.as_str())))
    });
    Value::Object(members.collect::<Map<String, Value>>())
}

fn table(rows: &[Vec<String>], columns: &[usize], has_head: bool) -> String {
    let head: Vec<String> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let lines: Vec<&Vec<String>> = has_head.then_some(&head).into_iter().chain(rows).collect();
    let cell = |line: &Vec<String>, place: usize| line.get(place).cloned().unwrap_or_default();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = columns
            .iter()
            .map(|place| {
                let width = lines.iter().map(|line| cell(line, *place).len()).max().unwrap_or(0);
                format!("{:width$}", cell(line, *place))
            })
            .collect();
        text.push_str(cells.join(" ").trim_end());
        text.push('\n');
    }
    text
}
