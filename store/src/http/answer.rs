//! Answers: JSON in the form that was asked for, with the headers that clients look at.
//! <https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options>

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Json;
use crate::mapping::is_match;
use crate::params::Params;

/// Clients refuse to talk to a server that does not say so.
const PRODUCT: &str = "x-elastic-product";
const COMPATIBLE: &str = "application/vnd.elasticsearch+json";

/// A longer answer is sent as it is: as a tree in memory it is several times as large.
const MOST_SHAPED: usize = 16 << 20;

/// Paths that begin otherwise, and with `_`, are none of an index.
const KNOWN: [&str; 11] = [
    "_all",
    "_bulk",
    "_cat",
    "_cluster",
    "_count",
    "_index_template",
    "_mapping",
    "_mget",
    "_pit",
    "_refresh",
    "_search",
];

/// What a request is answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    body: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Json(String),
    /// JSON that is already as it was asked for.
    Ready(String),
    Text(String),
    Nothing,
}

impl Answer {
    /// 200 with JSON.
    #[expect(clippy::needless_pass_by_value, reason = "it is made for this alone")]
    pub fn json(body: Value) -> Self {
        Self { status: 200, body: Content::Json(body.to_string()) }
    }

    /// 200 with what has parts that are sent as they came.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(body: &impl Serialize) -> Result<Self, ApiError> {
        let text = serde_json::to_string(body)
            .map_err(|error| ApiError::unavailable(error.to_string()))?;
        Ok(Self { status: 200, body: Content::Json(text) })
    }

    /// JSON that is already as it was asked for: nothing is filtered.
    pub fn ready(body: String) -> Self {
        Self { status: 200, body: Content::Ready(body) }
    }

    /// 200 with plain text.
    pub fn text(body: String) -> Self {
        Self { status: 200, body: Content::Text(body) }
    }

    /// A status alone.
    pub fn nothing(status: u16) -> Self {
        Self { status, body: Content::Nothing }
    }

    /// The same answer with another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Self { status: error.status, body: Content::Json(error.body().to_string()) }
    }
}

impl From<Result<Self, ApiError>> for Answer {
    fn from(result: Result<Self, ApiError>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}

/// It is written by `finish`, which knows what was asked for.
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the answer that a handler gave.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let (method, uri, headers) =
        (request.method().clone(), request.uri().clone(), request.headers().clone());
    if let Some(name) = unknown(uri.path()) {
        let reason = format!("[/{name}] is not supported by this store");
        return write(ApiError::argument(reason).into(), &method, &uri, &headers);
    }
    let mut response = next.run(request).await;
    let status = response.status();
    let answer = match response.extensions_mut().remove::<Answer>() {
        Some(answer) => answer,
        None if status == StatusCode::METHOD_NOT_ALLOWED => wrong_method(&method, &uri, &response),
        None => return response,
    };
    write(answer, &method, &uri, &headers)
}

/// The first part of a path, where it begins with `_` and nothing here is called so.
fn unknown(path: &str) -> Option<&str> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    (first.starts_with('_') && !KNOWN.contains(&first)).then_some(first)
}

fn write(answer: Answer, method: &Method, uri: &Uri, asked: &HeaderMap) -> Response {
    let params = Params::of(uri);
    let is_error = answer.status >= 400;
    let (text, kind) = match answer.body {
        Content::Json(text) => {
            let paths = params.text("filter_path").filter(|_| !is_error);
            let is_pretty = params.text("pretty").is_some_and(|it| it != "false");
            (shaped(text, paths, is_pretty), json_kind(asked))
        }
        Content::Ready(text) => (text, json_kind(asked)),
        Content::Text(text) => (text, HeaderValue::from_static("text/plain; charset=UTF-8")),
        Content::Nothing => (String::new(), json_kind(asked)),
    };
    // The server drops the body of what answers a HEAD, but keeps its length.
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(text) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}

/// Documents are read once more only where a part of an answer is wanted, or another form of it.
fn shaped(text: String, paths: Option<&str>, is_pretty: bool) -> String {
    if (paths.is_none() && !is_pretty) || text.len() > MOST_SHAPED {
        return text;
    }
    let Ok(value) = Json::read(&text) else { return text };
    let value = match paths {
        Some(paths) => Filter::new(paths).apply(value),
        None => value,
    };
    let shaped = if is_pretty {
        serde_json::to_string_pretty(&value).map(|text| text + "\n")
    } else {
        serde_json::to_string(&value)
    };
    shaped.unwrap_or(text)
}

/// The kind that was asked for: a client of version 9 wants to hear of version 9.
fn json_kind(asked: &HeaderMap) -> HeaderValue {
    let accepted =
        asked.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    let first = accepted.split(',').next().unwrap_or_default().trim();
    if first.starts_with(COMPATIBLE)
        && let Ok(kind) = HeaderValue::from_str(first)
    {
        return kind;
    }
    HeaderValue::from_static("application/json")
}

/// 400: nobody knows this path.
pub(super) async fn no_handler(method: Method, uri: Uri) -> Answer {
    let error = format!("no handler found for uri [{uri}] and method [{method}]");
    Answer::json(json!({ "error": error })).with_status(400)
}

fn wrong_method(method: &Method, uri: &Uri, response: &Response) -> Answer {
    let allowed = response.headers().get("allow").and_then(|allowed| allowed.to_str().ok());
    let mut allowed: Vec<&str> = allowed.unwrap_or_default().split(',').collect();
    allowed.sort_unstable();
    let error = format!(
        "Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{}]",
        allowed.join(", ")
    );
    Answer::json(json!({ "error": error, "status": 405 })).with_status(405)
}

/// `filter_path`: what of an answer is wanted.
pub(super) struct Filter<'a> {
    wanted: Vec<Vec<&'a str>>,
    unwanted: Vec<Vec<&'a str>>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(paths: &'a str) -> Self {
        let mut filter = Self { wanted: Vec::new(), unwanted: Vec::new() };
        for path in paths.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            match path.strip_prefix('-') {
                Some(path) => filter.unwanted.push(path.split('.').collect()),
                None => filter.wanted.push(path.split('.').collect()),
            }
        }
        filter
    }

    /// Whether a value at a path is wanted.
    pub(super) fn wants(&self, path: &[&str]) -> bool {
        let all = self.wanted.is_empty();
        (all || self.wanted.iter().any(|pattern| covers(pattern, path)))
            && !self.unwanted.iter().any(|pattern| covers(pattern, path))
    }

    /// What is wanted of the JSON that stands at a path.
    pub(super) fn within(&self, path: &[&str], text: &str) -> Option<Json> {
        let mut path = path.iter().map(|name| (*name).to_owned()).collect();
        self.prune(Json::read(text).ok()?, &mut path)
    }

    fn apply(&self, value: Json) -> Json {
        self.prune(value, &mut Vec::new()).unwrap_or(Json::EMPTY)
    }

    fn prune(&self, value: Json, path: &mut Vec<String>) -> Option<Json> {
        match value {
            Json::Object(members) if !members.is_empty() => {
                let mut kept = Vec::new();
                for (name, member) in members {
                    path.push(name.clone());
                    if let Some(member) = self.prune(member, path) {
                        kept.push((name, member));
                    }
                    path.pop();
                }
                (!kept.is_empty()).then_some(Json::Object(kept))
            }
            Json::Array(items) if !items.is_empty() => {
                let kept: Vec<Json> =
                    items.into_iter().filter_map(|item| self.prune(item, path)).collect();
                (!kept.is_empty()).then_some(Json::Array(kept))
            }
            leaf => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                self.wants(&path).then_some(leaf)
            }
        }
    }
}

/// Whether a pattern means a path, or something above it. Names may have dots in them.
fn covers(pattern: &[&str], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if *first == "**" {
        return covers(rest, path)
            || path.split_first().is_some_and(|(_, below)| covers(pattern, below));
    }
    path.split_first().is_some_and(|(name, below)| is_match(first, name) && covers(rest, below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_kept() {
        let answer = json!({ "items": [{ "create": { "status": 201, "_id": "a" } }], "took": 3 });
        let filtered = |paths| {
            let shaped = shaped(answer.to_string(), Some(paths), false);
            serde_json::from_str::<Value>(&shaped).unwrap()
        };
        assert_eq!(
            filtered("items.*.status,items.*.error"),
            json!({ "items": [{ "create": { "status": 201 } }] })
        );
        assert_eq!(filtered("took"), json!({ "took": 3 }));
        assert_eq!(filtered("**._id"), json!({ "items": [{ "create": { "_id": "a" } }] }));
        assert_eq!(filtered("-items"), json!({ "took": 3 }));
        assert_eq!(filtered("nothing"), json!({}));
    }
}
