//! Answers: JSON in the form that was asked for, with the headers that clients look at.
//! <https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options>

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::body::{Pressure, Room, compatible};
use super::{background, unharmed};
use crate::attempt::look;
use crate::error::ApiError;
use crate::json::Json;
use crate::mapping::is_match;
use crate::params::Params;

/// Clients refuse to talk to a server that does not say so.
const PRODUCT: &str = "x-elastic-product";
const COMPATIBLE: &str = "application/vnd.elasticsearch+json";

/// A longer answer is sent as it is: as a tree in memory it is several times as large.
const MOST_SHAPED: usize = 16 << 20;
/// A smaller one is sent also while others take all the memory that answers may have.
const BRIEF: usize = 1 << 20;

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

/// Writes the answer that a handler gave. `answers` is what all of them together take that are not read
/// by their clients yet.
pub(super) async fn finish(
    State(answers): State<Pressure>,
    request: Request,
    next: Next,
) -> Response {
    let (method, uri, headers) =
        (request.method().clone(), request.uri().clone(), request.headers().clone());
    let answered = match (unknown(uri.path()), compatible(accepted(&headers))) {
        (Some(name), _) => {
            Err(ApiError::argument(format!("[/{name}] is not supported by this store")))
        }
        (None, Err(error)) => Err(error),
        (None, Ok(())) => unharmed(next.run(request)).await,
    };
    let answer = match answered {
        Ok(mut response) => match response.extensions_mut().remove::<Answer>() {
            Some(answer) => answer,
            None if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                wrong_method(&method, &uri, &response)
            }
            None => return response,
        },
        Err(error) => error.into(),
    };
    let mut room = answers.room();
    let (answer, room) = match room.grow(answer.len()) {
        Err(error) if answer.len() > BRIEF => (error.into(), answers.room()),
        _ => (answer, room),
    };
    let answer = answer.shaped(&Params::of(&uri)).await.unwrap_or_else(Answer::from);
    write(answer, room, &method, &headers)
}

/// The first part of a path, where it begins with `_` and nothing here is called so.
fn unknown(path: &str) -> Option<&str> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    (first.starts_with('_') && !KNOWN.contains(&first)).then_some(first)
}

impl Answer {
    /// How much there is to send, in bytes.
    fn len(&self) -> usize {
        match &self.body {
            Content::Json(text) | Content::Ready(text) | Content::Text(text) => text.len(),
            Content::Nothing => 0,
        }
    }

    /// In the form that is asked for. Documents are read once more only where a part of an answer is
    /// wanted, or another form of it.
    async fn shaped(self, params: &Params) -> Result<Self, ApiError> {
        let is_pretty = params.text("pretty").is_some_and(|it| it != "false");
        let paths = params.text("filter_path").filter(|_| self.status < 400).map(str::to_owned);
        match self.body {
            Content::Json(text) if (paths.is_some() || is_pretty) && text.len() <= MOST_SHAPED => {
                let text = background(move || shaped(text, paths.as_deref(), is_pretty)).await?;
                Ok(Self { status: self.status, body: Content::Ready(text) })
            }
            _ => Ok(self),
        }
    }
}

/// A text that counts for as long as it is not sent.
struct Sent {
    text: String,
    _room: Room,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn write(answer: Answer, room: Room, method: &Method, asked: &HeaderMap) -> Response {
    let (text, kind) = match answer.body {
        Content::Json(text) | Content::Ready(text) => (text, json_kind(asked)),
        Content::Text(text) => (text, HeaderValue::from_static("text/plain; charset=UTF-8")),
        Content::Nothing => (String::new(), json_kind(asked)),
    };
    // The server drops the body of what answers a HEAD, but keeps its length.
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(Bytes::from_owner(Sent { text, _room: room }))
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}

fn shaped(text: String, paths: Option<&str>, is_pretty: bool) -> String {
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

/// The kinds of answers that are asked for.
fn accepted(asked: &HeaderMap) -> &str {
    asked.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default()
}

/// The kind that was asked for: a client of version 9 wants to hear of version 9.
fn json_kind(asked: &HeaderMap) -> HeaderValue {
    let first = accepted(asked).split(',').next().unwrap_or_default().trim();
    if first.starts_with(COMPATIBLE)
        && compatible(first).is_ok()
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
        look();
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
///
/// What stands between two `**` is looked for where it comes first: that leaves the most for what is
/// behind it, so only the last `**` is ever tried again.
fn covers(pattern: &[&str], path: &[&str]) -> bool {
    let (mut part, mut name) = (0, 0);
    let mut tried: Option<(usize, usize)> = None;
    while let Some(wanted) = pattern.get(part) {
        if *wanted == "**" {
            part += 1;
            tried = Some((part, name));
        } else if path.get(name).is_some_and(|name| is_match(wanted, name)) {
            part += 1;
            name += 1;
        } else {
            let Some((after, from)) = tried.filter(|(_, from)| *from < path.len()) else {
                return false;
            };
            tried = Some((after, from + 1));
            (part, name) = (after, from + 1);
        }
    }
    true
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
        assert_eq!(filtered("**.create.**._id"), filtered("**._id"));
        assert_eq!(filtered("items.**.took,**.items.**.status.**.x,**.create.*.x"), json!({}));
    }

    #[test]
    fn stars_cost_no_more_than_they_are_long() {
        let pattern = ["**", "a"].repeat(200);
        let path = vec!["a"; 199];
        assert!(!covers(&pattern, &path));
        assert!(covers(&pattern, &[path.as_slice(), &["b", "a"]].concat()));
        assert!(covers(&["**"; 1000], &[]));
    }
}
