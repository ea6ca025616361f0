//! Who may ask, and what a browser may do with the answers.
//!
//! The listener has refused other names and foreign pages already ([`omphalos_common::telemetry::Hosts`]); here
//! is what is stricter for a page that browsers show: a request of another origin is refused though it
//! comes from this machine, and so is one that changes something and does not say its origin.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName,
    HeaderValue, ORIGIN, REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use omphalos_common::telemetry::Peer;
use serde::Deserialize;

use super::problem::Problem;
use super::rates::Rates;

/// What is loaded and asked, and from where: from the page's own origin, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 4 * 1024;
/// The cookie with the token.
const NAME: &str = "omphalos_token";

/// For how long browsers ask by HTTPS alone, where that is about this page only.
const SECURE: &str = "max-age=31536000";
/// The port at which a name means the page: a browser keeps to HTTPS at all ports of a name.
const USUAL_PORT: u16 = 443;

/// What who asks must say.
pub struct Guard {
    token: Option<String>,
    /// Names of proxies and such before the page, which may speak HTTPS.
    hosts: Vec<String>,
    /// The port, where the page itself speaks HTTPS.
    secure: Option<u16>,
    /// How much may be asked.
    pub rates: Arc<Rates>,
}

impl Guard {
    /// Asks for a token, if there is one.
    pub fn new(token: Option<String>, hosts: &[String]) -> Self {
        Self { token, hosts: hosts.to_vec(), secure: None, rates: Arc::default() }
    }

    /// The same where the page speaks HTTPS at this port.
    pub fn secure(self, port: u16) -> Self {
        Self { secure: Some(port), ..self }
    }

    fn refusal(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Problem> {
        let text = |name: &HeaderName| {
            headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
        };
        let host = text(&HOST).unwrap_or_default();
        let is_own = |origin: &str| {
            let named = origin
                .split_once("://")
                .is_some_and(|(_, name)| self.hosts.iter().any(|host| host == name));
            let scheme = if self.secure.is_some() { "https" } else { "http" };
            named || origin == format!("{scheme}://{host}")
        };
        let origin = text(&ORIGIN);
        if origin.as_deref().is_some_and(|origin| !is_own(origin)) {
            return Some(Problem::forbidden("the request comes from a page of another origin"));
        }
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let is_json = text(&CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        let is_foreign = text(&SITE).is_some_and(|site| site != "same-origin");
        if !is_read && (!is_json || is_foreign) {
            return Some(Problem::forbidden(
                "what changes something must come from the page itself, or from a program, as application/json",
            ));
        }
        let is_open = !path.starts_with("/api/") || path == "/api/v1/session";
        (!is_open && !self.is_told(headers)).then(Problem::unauthorized)
    }

    fn is_told(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
        let mut bearer = bearer.filter_map(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
            pair.trim().split_once('=').filter(|(name, _)| *name == NAME).map(|(_, value)| value)
        });
        bearer.any(|told| is_same(told, token)) || cookies.any(|told| is_same(told, &hex(token)))
    }
}

/// Compares all of it, however early it differs.
fn is_same(told: &str, token: &str) -> bool {
    let differs =
        told.bytes().zip(token.bytes()).fold(0, |differs, (one, other)| differs | (one ^ other));
    told.len() == token.len() && differs == 0
}

/// What a cookie can have in it.
fn hex(token: &str) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or_default();
    token.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Lets a request pass that may, and says what browsers may do with the answer.
pub async fn guarded(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    // A router that nobody listens for, in a test, has no other end.
    let peer = request.extensions().get::<Peer>();
    let too_much = peer.and_then(|Peer(peer)| guard.rates.ask(peer.ip()).err());
    let refusal = too_much
        .or_else(|| guard.refusal(request.method(), request.uri().path(), request.headers()));
    let mut response = match refusal {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if guard.secure == Some(USUAL_PORT) {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(SECURE));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[derive(Deserialize)]
struct Told {
    token: String,
}

/// Where a browser says the token, and gets a cookie for it.
pub fn session(guard: Arc<Guard>) -> Router {
    Router::new().route("/api/v1/session", post(begin)).with_state(guard)
}

async fn begin(State(guard): State<Arc<Guard>>, body: Body) -> Response {
    let body = axum::body::to_bytes(body, LONGEST_BODY).await.unwrap_or_default();
    let told = serde_json::from_slice::<Told>(&body);
    match (&guard.token, told) {
        (Some(token), Ok(Told { token: told })) if is_same(&told, token) => {
            let secure = if guard.secure.is_some() { "; Secure" } else { "" };
            let cookie = format!(
                "{NAME}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000{secure}",
                hex(token)
            );
            (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
        }
        (None, _) => StatusCode::NO_CONTENT.into_response(),
        _ => Problem::unauthorized().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn is_passed(guard: &Guard, method: &Method, headers: &[(&str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        });
        guard.refusal(method, "/api/v1/lines", &headers.collect()).is_none()
    }

    #[test]
    fn only_the_page_itself_and_programs_are_answered() {
        let guard = Guard::new(None, &["logs.example".to_owned()]);
        let own = ("host", "127.0.0.1:9180");
        let json = ("content-type", "application/json");
        for (method, headers, expected) in [
            (Method::GET, vec![own], true),
            (Method::GET, vec![own, ("origin", "http://127.0.0.1:9180")], true),
            (Method::GET, vec![own, ("origin", "http://127.0.0.1:9181")], false),
            (Method::GET, vec![own, ("origin", "https://127.0.0.1:9180")], false),
            (Method::GET, vec![own, ("origin", "https://logs.example")], true),
            (Method::GET, vec![own, ("origin", "null")], false),
            (Method::POST, vec![own], false),
            (Method::POST, vec![own, json], true),
            (Method::POST, vec![own, json, ("sec-fetch-site", "same-origin")], true),
            (Method::POST, vec![own, json, ("sec-fetch-site", "same-site")], false),
            (Method::POST, vec![own, ("content-type", "text/plain")], false),
            (Method::DELETE, vec![own, json, ("origin", "http://localhost:9180")], false),
        ] {
            assert_eq!(is_passed(&guard, &method, &headers), expected, "{method} {headers:?}");
        }
    }

    #[test]
    fn the_origin_of_a_page_over_https_is_another() {
        let guard = Guard::new(None, &[]).secure(9180);
        let own = ("host", "localhost:9180");
        for (origin, expected) in
            [("https://localhost:9180", true), ("http://localhost:9180", false)]
        {
            assert_eq!(is_passed(&guard, &Method::GET, &[own, ("origin", origin)]), expected);
        }
    }

    #[test]
    fn a_token_is_asked_for_where_there_is_one() {
        let guard = Guard::new(Some(TOKEN.to_owned()), &[]);
        let cookie = format!("a=b; {NAME}={}", hex(TOKEN));
        for (headers, expected) in [
            (vec![], false),
            (vec![("authorization", "Bearer 0123456789abcdef")], true),
            (vec![("authorization", "Bearer 0123456789abcdee")], false),
            (vec![("authorization", "Bearer 0123456789abcdef0")], false),
            (vec![("cookie", cookie.as_str())], true),
            (vec![("cookie", "omphalos_token=0123456789abcdef")], false),
        ] {
            assert_eq!(is_passed(&guard, &Method::GET, &headers), expected, "{headers:?}");
        }
        let headers = HeaderMap::new();
        assert!(guard.refusal(&Method::GET, "/", &headers).is_none(), "the page asks for it");
    }
}
