//! Searching, counting, scrolls and points in time.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-search>

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::{Service, in_background};
use crate::aggregation::Aggregations;
use crate::catalog::Wanted;
use crate::error::ApiError;
use crate::params::{Params, duration};
use crate::query::{self, Query, illegal, parsing};
use crate::search::answer::{SearchAnswer, Shards};
use crate::search::request::{self, PARAMETERS, SearchRequest, query_of};
use crate::search::run::{self, View};

const COUNT_PARAMETERS: [&str; 9] = [
    "analyze_wildcard",
    "default_operator",
    "df",
    "lenient",
    "min_score",
    "preference",
    "q",
    "routing",
    "terminate_after",
];
const ALL: &str = "_all";

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/_search", get(search_all).post(search_all))
        .route("/{index}/_search", get(search).post(search))
        .route("/_count", get(count_all).post(count_all))
        .route("/{index}/_count", get(count).post(count))
        .route("/_search/scroll", get(scroll).post(scroll).delete(close_scroll))
        .route("/_search/scroll/{id}", axum::routing::delete(close_one))
        .route("/{index}/_pit", post(open_point))
        .route("/_pit", axum::routing::delete(close_point))
}

async fn search_all(State(service): State<Service>, request: Request) -> Answer {
    searched(service, ALL.to_owned(), request).await.into()
}

async fn search(
    State(service): State<Service>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    searched(service, index, request).await.into()
}

/// Reads the body, and does the work when there is room for it.
async fn when_there_is_room(
    service: &Service,
    request: Request,
    work: impl FnOnce(&Service, &Params, &str) -> Result<Answer, ApiError> + Send + 'static,
) -> Result<Answer, ApiError> {
    let params = Params::of(request.uri());
    let (parts, body) = request.into_parts();
    let held = service.pressure.read_tree(&parts.headers, body).await?;
    let room = service.searches.room().await?;
    let service = service.clone();
    in_background(move || {
        let answer = work(&service, &params, &held.text);
        drop(room);
        answer
    })
    .await
}

async fn searched(service: Service, index: String, request: Request) -> Result<Answer, ApiError> {
    when_there_is_room(&service, request, move |service, params, body| {
        params.allow(&PARAMETERS)?;
        let request = SearchRequest::parse(body.as_bytes(), params)?;
        if let Some(life) = params.text("scroll") {
            let view = Arc::new(viewed(service, &index, params)?);
            let life = (time(life)?, body.len());
            return begin_scroll(service, request, view, life).and_then(|it| Answer::of(&it));
        }
        let (view, pit_id) = match &request.point_in_time {
            Some((id, life)) if index == ALL => {
                let kept = service.searches.find(id, *life)?;
                (kept.view, Some(id.clone()))
            }
            Some(_) => {
                return Err(ApiError::new(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: [indices] cannot be used with point in time. Do not specify any index with point in time.;",
                ));
            }
            None => (Arc::new(viewed(service, &index, params)?), None),
        };
        let found = run::search(&request, &view, None)?;
        Answer::of(&SearchAnswer { pit_id, ..found.answer })
    })
    .await
}

fn viewed(service: &Service, index: &str, params: &Params) -> Result<View, ApiError> {
    run::view(service.store.resolve(index, Wanted::of(params)?)?)
}

async fn count_all(State(service): State<Service>, request: Request) -> Answer {
    counted(service, ALL.to_owned(), request).await.into()
}

async fn count(
    State(service): State<Service>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    counted(service, index, request).await.into()
}

async fn counted(service: Service, index: String, request: Request) -> Result<Answer, ApiError> {
    when_there_is_room(&service, request, move |service, params, body| {
        params.allow(&COUNT_PARAMETERS)?;
        let mut wanted = Query::ALL;
        if !body.trim().is_empty() {
            for (key, value) in request::object(body.as_bytes())? {
                match key.as_str() {
                    "query" => wanted = query::parse(&value)?,
                    other => {
                        return Err(parsing(format!("request does not support [{other}]")));
                    }
                }
            }
        }
        let wanted = query_of(params)?.unwrap_or(wanted);
        let view = viewed(service, &index, params)?;
        let count = run::count(&wanted, &view)?;
        let shards = serde_json::to_value(Shards::all(view.len())).unwrap_or_default();
        Ok(Answer::json(json!({ "count": count, "_shards": shards })))
    })
    .await
}

fn time(text: &str) -> Result<Duration, ApiError> {
    duration(text).ok_or_else(|| {
        illegal(format!(
            "failed to parse setting [keep_alive] with value [{text}] as a time value: unit is missing or unrecognized"
        ))
    })
}

fn begin_scroll(
    service: &Service,
    request: SearchRequest,
    view: Arc<View>,
    life: (Duration, usize),
) -> Result<SearchAnswer, ApiError> {
    if request.from > 0 || request.search_after.is_some() || request.size == 0 {
        return Err(ApiError::new(
            400,
            "action_request_validation_exception",
            "Validation Failed: 1: using [from], [search_after] or a [size] of 0 is not allowed in a scroll context;",
        ));
    }
    let found = run::search(&request, &view, None)?;
    // Only the first page has them.
    let request = SearchRequest { aggregations: Aggregations::default(), ..request };
    let scroll = Some((Arc::new(request), found.last));
    let id = service.searches.keep(view, scroll, life)?;
    Ok(SearchAnswer { scroll_id: Some(id), ..found.answer })
}

async fn scroll(State(service): State<Service>, request: Request) -> Answer {
    scrolled(service, request).await.into()
}

async fn scrolled(service: Service, request: Request) -> Result<Answer, ApiError> {
    when_there_is_room(&service, request, move |service, params, body| {
        params.allow(&["scroll", "scroll_id"])?;
        let body = read_or_empty(body)?;
        let said = |name: &str| {
            let in_body = body.get(name).and_then(Value::as_str);
            in_body.or_else(|| params.text(name)).map(str::to_owned)
        };
        if let Some(other) =
            body.keys().find(|key| !["scroll", "scroll_id"].contains(&key.as_str()))
        {
            return Err(illegal(format!(
                "Unknown parameter [{other}] in request body or parameter is of the wrong type"
            )));
        }
        let id = said("scroll_id").ok_or_else(|| {
            ApiError::new(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: scrollId is missing;",
            )
        })?;
        let life = said("scroll").as_deref().map(time).transpose()?;
        let kept = service.searches.find(&id, life)?;
        let Some(request) = kept.request else {
            return Err(illegal(format!("[{id}] is a point in time, not a scroll")));
        };
        let found = run::search(&request, &kept.view, kept.last.as_ref())?;
        if let Some(last) = found.last {
            service.searches.advance(&id, last);
        }
        Answer::of(&SearchAnswer { scroll_id: Some(id), ..found.answer })
    })
    .await
}

fn read_or_empty(body: &str) -> Result<Map<String, Value>, ApiError> {
    if body.trim().is_empty() { Ok(Map::new()) } else { request::object(body.as_bytes()) }
}

async fn close_one(State(service): State<Service>, Path(ids): Path<String>) -> Answer {
    let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
    closed(&service, &ids)
}

async fn close_scroll(State(service): State<Service>, request: Request) -> Answer {
    close(service, request, "scroll_id").await.into()
}

async fn close_point(State(service): State<Service>, request: Request) -> Answer {
    close(service, request, "id").await.into()
}

async fn close(service: Service, request: Request, key: &'static str) -> Result<Answer, ApiError> {
    let params = Params::of(request.uri());
    params.allow(&[key])?;
    let (parts, body) = request.into_parts();
    let held = service.pressure.read_tree(&parts.headers, body).await?;
    in_background(move || {
        let body = read_or_empty(&held.text)?;
        let ids: Vec<String> = match (body.get(key), params.text(key)) {
            (Some(Value::Array(ids)), _) => {
                ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
            }
            (Some(Value::String(id)), _) => vec![id.clone()],
            (_, Some(id)) => id.split(',').map(str::to_owned).collect(),
            _ => {
                return Err(ApiError::new(
                    400,
                    "action_request_validation_exception",
                    format!("Validation Failed: 1: no {key} specified;"),
                ));
            }
        };
        Ok(closed(&service, &ids))
    })
    .await
}

fn closed(service: &Service, ids: &[String]) -> Answer {
    let freed = service.searches.close(ids);
    let answer = Answer::json(json!({ "succeeded": true, "num_freed": freed }));
    if freed == 0 { answer.with_status(404) } else { answer }
}

async fn open_point(
    State(service): State<Service>,
    Path(index): Path<String>,
    request: Request,
) -> Answer {
    let params = Params::of(request.uri());
    in_background(move || {
        params.allow(&["keep_alive", "preference", "routing", "allow_partial_search_results"])?;
        let life = params.text("keep_alive").ok_or_else(|| {
            ApiError::new(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: [keep_alive] is not specified;",
            )
        })?;
        let view = Arc::new(viewed(&service, &index, &params)?);
        let shards = serde_json::to_value(Shards::all(view.len())).unwrap_or_default();
        let id = service.searches.keep(view, None, (time(life)?, 0))?;
        Ok(Answer::json(json!({ "id": id, "_shards": shards })))
    })
    .await
    .into()
}
