//! Why a request has no answer: a problem as RFC 9457 has it, which names the parameter at fault.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use omphalos_common::clean::clean;
use omphalos_common::masked::masked;
use omphalos_indexer::elasticsearch::Fault;
use serde_json::{Map, Value, json};

/// What is told of it, at most, in characters.
const LONGEST: usize = 1000;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
    parameter: Option<String>,
    /// In how many seconds it may be asked again.
    after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, detail: &str) -> Self {
        let detail: String = clean(&masked(detail)).chars().take(LONGEST).collect();
        Self { status, title, detail, parameter: None, after: None }
    }

    /// A parameter cannot be used: what was found, what is expected.
    pub fn parameter(name: &str, detail: &str) -> Self {
        let name: String = clean(name).chars().take(100).collect();
        let problem = Self::new(StatusCode::BAD_REQUEST, "A parameter cannot be used", detail);
        Self { parameter: Some(name), ..problem }
    }

    /// There is nothing of this name.
    pub fn missing(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// Something else goes on that is in the way.
    pub fn conflict(detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "Not now", detail)
    }

    /// Who asks may not.
    pub fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not allowed", detail)
    }

    /// Who asks has not said the token.
    pub fn unauthorized() -> Self {
        let detail = "this page asks for the token of page.token_file: give it at /, or as Authorization: Bearer TOKEN";
        Self::new(StatusCode::UNAUTHORIZED, "A token is needed", detail)
    }

    /// The server behind does not answer, or not with what was asked for.
    pub fn behind(detail: &str) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "The store does not answer", detail)
    }

    /// It takes too long.
    pub fn slow(seconds: u64) -> Self {
        let detail = format!(
            "there is no answer after {seconds} s: ask for less, by a later since or a narrower filter"
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "It takes too long", &detail)
    }

    /// Too many ask at once.
    pub fn busy() -> Self {
        let detail = "too many questions wait for an answer; ask again in a moment";
        Self { after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", detail) }
    }

    /// Who asks has asked too much, and may ask again after so many seconds.
    pub fn too_many(detail: &str, after: u64) -> Self {
        let detail = format!("{detail}; ask again in {after} s");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too much is asked", &detail);
        Self { after: Some(after), ..problem }
    }

    /// A fault of the server behind; what is wrong with a request is wrong with its filter.
    pub fn of_fault(fault: &Fault, filter: Option<&str>) -> Self {
        match (fault, filter) {
            (Fault::Wrong(problem), Some(typed)) => {
                Self::parameter("filter", &crate::search::in_words_of(typed, problem).to_string())
            }
            (Fault::TooLarge(_), _) => Self::parameter("n", &fault.to_string()),
            _ => Self::behind(&fault.to_string()),
        }
    }

    /// As JSON, for the stream, which has no status.
    pub fn json(&self) -> Value {
        let mut members = Map::new();
        members.insert("type".to_owned(), json!("about:blank"));
        members.insert("title".to_owned(), json!(self.title));
        members.insert("status".to_owned(), json!(self.status.as_u16()));
        members.insert("detail".to_owned(), json!(self.detail));
        if let Some(parameter) = &self.parameter {
            members.insert("parameter".to_owned(), json!(parameter));
        }
        if let Some(after) = self.after {
            members.insert("retry_after".to_owned(), json!(after));
        }
        Value::Object(members)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.json().to_string() + "\n";
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body).into_response();
        if let Some(after) = self.after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_parameter_and_repeats_nothing_harmful_or_endless() {
        let problem = Problem::parameter("n\u{1b}", &format!("\u{1b}[31m{}", "x".repeat(5000)));
        let json = problem.json().to_string();
        assert!(json.len() < 1500 && !json.contains("\\u001b"), "{json}");
        let json = Problem::parameter("since", "expected a time, found x").json();
        assert_eq!(
            json,
            json!({
                "type": "about:blank", "title": "A parameter cannot be used", "status": 400,
                "detail": "expected a time, found x", "parameter": "since"
            })
        );
    }
}
