//! Lines: what is found, page by page, what stands around one in its file, and all of it to keep.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::stream::unfold;
use jiff::Timestamp;
use omphalos_live::{Answer, Question};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::Page;
use super::super::asked::Origin;
use super::super::parameters::{Parameters, RANGE, Range};
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::{Shown, sent};
use crate::search::{Asker, Hit, Order, Part, Query, Wanted};

/// Lines of an answer, usually and at most.
const USUAL_LINES: usize = 100;
const MOST_LINES: usize = 1000;
/// Lines around one, on each side.
const USUAL_AROUND: usize = 10;
const MOST_AROUND: usize = 100;
/// Lines of a download, usually and at most; they are sent page by page.
const USUAL_DOWNLOAD: usize = 10_000;
const MOST_DOWNLOAD: usize = 1_000_000;
/// Columns of a download.
const MOST_COLUMNS: usize = 64;
const ORDERS: [(&str, Order); 2] = [("newest", Order::Newest), ("oldest", Order::Oldest)];

/// The query of a range.
pub fn query_of(range: &Range) -> Query {
    let typed = range.filter.as_deref().unwrap_or_default();
    Query::new(typed, Some(range.since), range.until)
}

fn asker_of(page: &Page) -> Result<&Asker, Problem> {
    page.behind.asker.as_ref().ok_or_else(|| {
        Problem::missing("this process sends its lines elsewhere and keeps none: search them where they are stored")
    })
}

/// What follows on a place; what is wrong with the question is wrong with its `filter`.
async fn found(
    page: &Page,
    query: &Query,
    wanted: Wanted,
    after: Option<&Value>,
    filter: Option<&str>,
) -> Result<Part, Problem> {
    let asker = asker_of(page)?;
    let found = page.gate.wait_for(async {
        let found = asker.page(query, wanted, after).await;
        found.map_err(|fault| Problem::of_fault(&fault, filter))
    });
    found.await
}

/// A document as it is written, with what tells it from others.
#[derive(Serialize)]
struct Found<'h> {
    id: &'h str,
    document: Box<RawValue>,
}

#[derive(Serialize)]
struct Lines<'h> {
    origin: Origin,
    total: Option<u64>,
    lines: Vec<Found<'h>>,
    next: Option<String>,
}

/// What is no JSON to us is shown as far as it can be.
fn shown(hit: &Hit) -> Result<Found<'_>, Problem> {
    let raw = RawValue::from_string(hit.json().to_owned());
    let raw = raw.or_else(|_| RawValue::from_string(hit.document().to_string()));
    let document =
        raw.map_err(|error| Problem::behind(&format!("a document that cannot be shown: {error}")))?;
    Ok(Found { id: &hit.id, document })
}

pub async fn get_lines(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(lines(&page, &uri).await, &headers)
}

async fn lines(page: &Arc<Page>, uri: &Uri) -> Shown {
    let parameters = Parameters::read(uri, &[&RANGE, &["n", "after", "order"]])?;
    let range = parameters.range()?;
    let most = parameters.number("n", USUAL_LINES, MOST_LINES)?;
    let order = parameters.choice("order", &ORDERS, Order::Newest)?;
    let after = parameters.text("after").map(place_of).transpose()?;
    if page.behind.asker.is_none() {
        return last_lines(page, &range, most).await;
    }
    let wanted = Wanted { most, order, sources: true };
    let query = query_of(&range);
    let found = found(page, &query, wanted, after.as_ref(), range.filter.as_deref());
    let Part { hits, total, is_last } = found.await?;
    let next = hits.last().filter(|_| !is_last).map(|hit| cursor_of(&hit.place()));
    let lines = hits.iter().map(shown).collect::<Result<_, _>>()?;
    Reply::json(&Lines { origin: Origin::Stored, total, lines, next })
}

/// The last lines of a process that keeps none.
async fn last_lines(page: &Arc<Page>, range: &Range, most: usize) -> Shown {
    let asked = page.whom(range)?;
    let answer = page.gate.ask(move || asked.ask(&Question::Lines { most }, None)).await?;
    let Answer::Lines { lines } = answer else {
        return Err(Problem::missing("there are no lines"));
    };
    let since = range.since.as_millisecond();
    let lines = lines.into_iter().filter(|line| line.at >= since).map(|line| {
        let time = Timestamp::from_millisecond(line.at).unwrap_or_default().to_string();
        json!({ "id": null, "document": { "@timestamp": time, "message": line.text } })
    });
    let lines: Vec<Value> = lines.collect();
    Reply::json(&json!({ "origin": Origin::Live, "total": null, "lines": lines, "next": null }))
}

/// The newest lines of a range, for who watches what others write.
pub async fn newest(
    page: &Page,
    range: &Range,
    most: usize,
) -> Result<Vec<(String, Bytes)>, Problem> {
    let wanted = Wanted { most, order: Order::Newest, sources: true };
    let query = query_of(range);
    let found = found(page, &query, wanted, None, range.filter.as_deref());
    let hits = found.await?.hits;
    Ok(hits.into_iter().map(|hit| (hit.id.clone(), Bytes::from(hit.json().to_owned()))).collect())
}

/// Where to go on, as a text that means nothing to others.
fn cursor_of(place: &Value) -> String {
    URL_SAFE_NO_PAD.encode(place.to_string())
}

fn place_of(cursor: &str) -> Result<Value, Problem> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = text.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    place.filter(|place| place.as_array().is_some_and(|values| values.len() == 4)).ok_or_else(
        || {
            Problem::parameter(
                "after",
                "after: expected what an answer gave as next, found something else",
            )
        },
    )
}

pub async fn get_around(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(around(&page, &uri).await, &headers)
}

/// The lines before and behind one in its file.
async fn around(page: &Arc<Page>, uri: &Uri) -> Shown {
    let parameters = Parameters::read(uri, &[&["path", "offset", "host", "n"]])?;
    let needed = |name: &str| {
        let detail = format!("{name}: expected the {name} of a line, found none");
        parameters.text(name).ok_or_else(|| Problem::parameter(name, &detail))
    };
    let (path, offset) = (needed("path")?, needed("offset")?);
    let offset: u64 = offset.parse().map_err(|_| {
        let detail = format!("offset: expected where a line begins, in bytes, found {offset:?}");
        Problem::parameter("offset", &detail)
    })?;
    let most = parameters.number("n", USUAL_AROUND, MOST_AROUND)?;
    let mut filters = vec![json!({ "term": { "log.file.path": path } })];
    if let Some(host) = parameters.text("host") {
        filters.push(json!({ "term": { "host.name": host } }));
    }
    let asker = asker_of(page)?;
    let side = async |bound: &str, order: &str, size: usize| {
        let range = json!({ "range": { "log.offset": { bound: offset } } });
        let filters = [filters.clone(), vec![range]].concat();
        let body = json!({
            "size": size, "track_total_hits": false,
            "query": { "bool": { "filter": filters } },
            "sort": [{ "log.offset": { "order": order, "unmapped_type": "long" } }]
        });
        let answer = asker.whole(&body).await.map_err(|fault| Problem::of_fault(&fault, None))?;
        let hits = answer.pointer("/hits/hits").and_then(Value::as_array).cloned();
        let line = |hit: Value| json!({ "id": hit.get("_id"), "document": hit.get("_source") });
        Ok::<Vec<Value>, Problem>(hits.unwrap_or_default().into_iter().map(line).collect())
    };
    let both = page.gate.wait_for(async {
        futures_util::try_join!(side("lt", "desc", most), side("gte", "asc", most + 1))
    });
    let (mut lines, behind) = both.await?;
    lines.reverse();
    let at = lines.len();
    lines.extend(behind);
    Reply::json(&json!({ "lines": lines, "at": at }))
}

pub async fn get_download(page: State<Arc<Page>>, uri: Uri) -> Response {
    download(&page, &uri).await.unwrap_or_else(IntoResponse::into_response)
}

/// How lines are written.
#[derive(Debug, Clone)]
enum Form {
    Ndjson,
    /// These fields of each.
    Csv(Vec<String>),
}

/// What is still to be sent.
struct Download {
    page: Arc<Page>,
    query: Query,
    form: Form,
    left: usize,
    after: Option<Value>,
    has_begun: bool,
}

async fn download(page: &Arc<Page>, uri: &Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(uri, &[&RANGE, &["n", "format", "columns"]])?;
    let range = parameters.range()?;
    let left = parameters.number("n", USUAL_DOWNLOAD, MOST_DOWNLOAD)?;
    let columns = parameters.text("columns").unwrap_or("@timestamp,message");
    let columns: Vec<String> = columns.split(',').map(|name| name.trim().to_owned()).collect();
    if columns.len() > MOST_COLUMNS {
        let detail = format!("columns: expected {MOST_COLUMNS} at most, found {}", columns.len());
        return Err(Problem::parameter("columns", &detail));
    }
    let is_csv = parameters.choice("format", &[("ndjson", false), ("csv", true)], false)?;
    let (form, kind, end) = if is_csv {
        (Form::Csv(columns), "text/csv; charset=utf-8", "csv")
    } else {
        (Form::Ndjson, "application/x-ndjson", "ndjson")
    };
    let query = query_of(&range);
    let (page, has_begun) = (Arc::clone(page), false);
    let mut download = Download { page, query, form, left, after: None, has_begun };
    // What is wrong with the question is said while something else than lines can be said.
    let first = download.part(range.filter.as_deref()).await?;
    let parts = unfold((download, first), async |(mut download, part)| {
        let part = part?;
        let next = match download.left {
            0 => None,
            // A download that ends in its middle must not look whole.
            _ => match download.part(None).await {
                Ok(next) => next,
                Err(problem) => {
                    let error = std::io::Error::other(problem.json().to_string());
                    return Some((Err(error), (Download { left: 0, ..download }, None)));
                }
            },
        };
        Some((Ok::<Bytes, std::io::Error>(part), (download, next)))
    });
    let name = format!("attachment; filename=\"omphalos-lines.{end}\"");
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(parts)).into_response())
}

impl Download {
    /// The next lines; `None` when there are no more.
    async fn part(&mut self, filter: Option<&str>) -> Result<Option<Bytes>, Problem> {
        let mut text = String::new();
        if !self.has_begun {
            self.has_begun = true;
            if let Form::Csv(columns) = &self.form {
                text.push_str(&csv_row(columns.iter().map(String::as_str)));
            }
        }
        let wanted = Wanted { most: self.left, order: Order::Newest, sources: true };
        let found = found(&self.page, &self.query, wanted, self.after.as_ref(), filter);
        let Part { hits, is_last, .. } = found.await?;
        self.left = if is_last { 0 } else { self.left - hits.len().min(self.left) };
        self.after = hits.last().map(Hit::place);
        for hit in &hits {
            match &self.form {
                Form::Ndjson => text.push_str(&omphalos_common::clean::clean_json_line(hit.json())),
                Form::Csv(columns) => {
                    let document = hit.document();
                    let cells: Vec<String> =
                        columns.iter().map(|name| cell(&document, name)).collect();
                    text.push_str(&csv_row(cells.iter().map(String::as_str)));
                }
            }
            if matches!(self.form, Form::Ndjson) {
                text.push('\n');
            }
        }
        Ok((!text.is_empty()).then(|| Bytes::from(text)))
    }
}

/// The value of a field by its name with dots.
fn cell(document: &Value, name: &str) -> String {
    let whole = document.get(name);
    let value = whole.or_else(|| document.pointer(&format!("/{}", name.replace('.', "/"))));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A row of RFC 4180. What a spreadsheet would take for a formula has an apostrophe before it.
fn csv_row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = cells.map(|cell| {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_given_and_nothing_else_is_one() {
        let place = json!([1, null, "a\u{1f600}", "h"]);
        assert_eq!(place_of(&cursor_of(&place)).unwrap(), place);
        for cursor in ["", "x", &cursor_of(&json!([1])), &cursor_of(&json!({ "a": 1 }))] {
            assert!(place_of(cursor).is_err(), "{cursor}");
        }
    }

    #[test]
    fn a_cell_is_text_whatever_stands_in_it() {
        let cells = ["a,b", "c\"d\ne", "=1+1", "@SUM(A1)", "-5", ""];
        assert_eq!(
            csv_row(cells.into_iter()),
            "\"a,b\",\"c\"\"d\ne\",\"'=1+1\",\"'@SUM(A1)\",\"'-5\",\"\"\r\n"
        );
        let document = json!({ "a": { "b": 1 }, "c.d": "x", "l": [1, "y"] });
        let names = ["a.b", "c.d", "l", "no", "a"];
        let cells = names.map(|name| cell(&document, name));
        assert_eq!(cells, ["1", "x", "[1,\"y\"]", "", "{\"b\":1}"]);
    }
}
