//! What can be asked for: fields with their types, and the values of a field.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use omphalos_live::filter::field_of;
use omphalos_live::{Answer, By, Dimension, Question};
use serde_json::{Value, json};

use super::super::Page;
use super::super::parameters::{Parameters, RANGE, Range};
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::lines::query_of;
use super::{Shown, sent};
use crate::search::SHORT_NAMES;

/// Fields change rarely.
const FRESH: Duration = Duration::from_secs(10);
/// Values that are proposed, usually and at most.
const USUAL_VALUES: usize = 10;
const MOST_VALUES: usize = 100;
/// Values that those are chosen from, the most frequent.
const MOST_CHOICES: usize = 1000;
/// Fields that are told.
const MOST_FIELDS: usize = 10_000;

pub async fn get_fields(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(fields(&page, &uri).await, &headers)
}

async fn fields(page: &Arc<Page>, uri: &Uri) -> Shown {
    Parameters::read(uri, &[])?;
    let asked = async {
        let known = match &page.behind.asker {
            Some(asker) => page.gate.wait_for(async {
                asker.fields().await.map_err(|fault| Problem::of_fault(&fault, None))
            }),
            None => return Reply::json(&told(&counted(page).await?)),
        };
        let known = known.await?.into_iter().take(MOST_FIELDS);
        let known = known.map(|(name, kind)| json!({ "name": name, "type": kind }));
        Reply::json(&told(&known.collect::<Vec<_>>()))
    };
    page.shared.answer("fields".to_owned(), FRESH, asked).await
}

/// Those that a process counts that keeps no lines.
async fn counted(page: &Arc<Page>) -> Result<Vec<Value>, Problem> {
    let Some(tap) = page.behind.tap.clone() else { return Ok(Vec::new()) };
    let ask = move || Ok(crate::top::figures::Figures::ask(&*tap, &Question::Dimensions));
    let Answer::Dimensions { dimensions } = page.gate.ask(ask).await? else {
        return Ok(Vec::new());
    };
    let field = |dimension: &Dimension| json!({ "name": dimension.field(), "type": "keyword" });
    Ok(dimensions.iter().map(|counted| field(&counted.dimension)).collect())
}

fn told(fields: &[Value]) -> Value {
    let short: serde_json::Map<String, Value> =
        SHORT_NAMES.iter().map(|(short, field)| ((*short).to_owned(), json!(field))).collect();
    json!({ "fields": fields, "short_names": short })
}

pub async fn get_values(
    page: State<Arc<Page>>,
    Path(field): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    sent(values(&page, &field, &uri).await, &headers)
}

async fn values(page: &Arc<Page>, field: &str, uri: &Uri) -> Shown {
    let parameters = Parameters::read(uri, &[&RANGE, &["part", "n"]])?;
    let range = parameters.range()?;
    let most = parameters.number("n", USUAL_VALUES, MOST_VALUES)?;
    let part = parameters.text("part").unwrap_or_default().to_lowercase();
    let key = format!("values {field} {}", range.asked);
    let all = page.shared.answer(key, FRESH, async {
        Reply::json(&match &page.behind.asker {
            Some(_) => stored(page, field_of(field), &range).await?,
            None => live(page, Dimension::named(field), &range).await?,
        })
    });
    let all: Vec<(String, u64)> = serde_json::from_slice(&all.await?.body)
        .map_err(|error| Problem::behind(&format!("values that cannot be read: {error}")))?;
    let fits = |value: &String| value.to_lowercase().contains(&part);
    let found = all.into_iter().filter(|(value, _)| fits(value)).take(most);
    let found = found.map(|(value, hits)| json!({ "value": value, "hits": hits }));
    Reply::json(&json!({ "field": field_of(field), "values": found.collect::<Vec<_>>() }))
}

async fn stored(page: &Page, field: &str, range: &Range) -> Result<Vec<(String, u64)>, Problem> {
    let Some(asker) = &page.behind.asker else { return Ok(Vec::new()) };
    let body = json!({
        "size": 0, "track_total_hits": false, "query": query_of(range).of_lines(),
        "aggs": { "values": { "terms": { "field": field, "size": MOST_CHOICES } } }
    });
    let answer = page.gate.wait_for(async {
        let answer = asker.whole(&body).await;
        answer.map_err(|fault| Problem::of_fault(&fault, range.filter.as_deref()))
    });
    let answer = answer.await?;
    let buckets = answer.pointer("/aggregations/values/buckets").and_then(Value::as_array);
    let value = |bucket: &Value| {
        let text = bucket.get("key_as_string").unwrap_or(&bucket["key"]);
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        (text, bucket["doc_count"].as_u64().unwrap_or(0))
    };
    Ok(buckets.into_iter().flatten().map(value).collect())
}

async fn live(
    page: &Page,
    dimension: Dimension,
    range: &Range,
) -> Result<Vec<(String, u64)>, Problem> {
    let asked = page.whom(range)?;
    let scope = asked.scope;
    let question =
        Question::Top { dimension, by: By::Hits, most: MOST_CHOICES, least_hits: 0, scope };
    let Answer::Top(top) = page.gate.ask(move || asked.ask(&question, None)).await? else {
        return Ok(Vec::new());
    };
    let row = |row: omphalos_live::Row| Some((row.key?.text, row.hits.value));
    Ok(top.rows.into_iter().filter_map(row).collect())
}
