//! Who may ask the HTTP listeners: programs, and no page in somebody's browser.
//!
//! A page that a person on this machine has open can send requests to `127.0.0.1`, and if the name of its
//! own server changes its address (DNS rebinding), read the answers. Its browser tells on it: by the name
//! in `Host`, by `Origin`, and by `Sec-Fetch-Site` (<https://www.w3.org/TR/fetch-metadata/>).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, USER_AGENT,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::clean::clean;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What of a header is repeated, in characters.
const LONGEST: usize = 100;

/// The names that this process may be asked by, beside those of this machine.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    names: Arc<[String]>,
    keeps_state: bool,
}

impl Hosts {
    /// These, with or without a port.
    pub fn new(names: &[String]) -> Self {
        let names = names.iter().map(|name| host_of(name).unwrap_or_else(|| name.clone()));
        Self { names: names.collect(), keeps_state: false }
    }

    /// The same where something is kept for whoever only reads, as the store keeps scrolls: a browser has to
    /// say whether a page has it ask.
    #[must_use]
    pub fn keeping_state(self) -> Self {
        Self { keeps_state: true, ..self }
    }

    fn has(&self, host: &str) -> bool {
        self.names.iter().any(|own| own == host)
    }

    /// The answer to a request that comes from a page; `None` where it may be answered. `near` is the
    /// address at which it came in.
    pub(super) fn refusal<B>(
        &self,
        request: &Request<B>,
        near: Option<SocketAddr>,
    ) -> Option<Response> {
        let is_local = near.is_some_and(|near| near.ip().to_canonical().is_loopback());
        let reason = self.reason(request.uri(), request.headers(), is_local)?;
        let body = format!(
            "{{\"error\":{{\"type\":\"security_exception\",\"reason\":{}}},\"status\":403}}\n",
            serde_json::Value::from(reason)
        );
        // A page must not keep the connections of others by being refused on each.
        let headers = [(CONTENT_TYPE, "application/json"), (CONNECTION, "close")];
        Some((StatusCode::FORBIDDEN, headers, body).into_response())
    }

    fn reason(&self, uri: &Uri, headers: &HeaderMap, is_local: bool) -> Option<String> {
        for asked in headers.get_all(HOST).iter().map(text).chain(uri.authority().map(text_of)) {
            let host = host_of(&asked).unwrap_or_default();
            if is_local && !is_of_this_machine(&host) && !self.has(&host) {
                return Some(format!(
                    "the request is for the host {:?}, which is no name of this machine; if it is meant, name it in listen_hosts",
                    short(&asked)
                ));
            }
        }
        for origin in headers.get_all(ORIGIN).iter().map(text) {
            let host = origin.split_once("://").and_then(|(_, host)| host_of(host));
            if !host.is_some_and(|host| self.has(&host)) {
                return Some(format!(
                    "the request comes from a page of {:?}, and pages are not answered; if this one is meant, name its host in listen_hosts",
                    short(&origin)
                ));
            }
        }
        let is_foreign = |site: &HeaderValue| site != "none" && site != "same-origin";
        let is_shown = headers.get(DESTINATION).is_some_and(|place| place == "document");
        if headers.get_all(SITE).iter().any(is_foreign) && !is_shown {
            return Some("the request is part of a page, and pages are not answered".to_owned());
        }
        let asked = headers.get(HOST).map(text).and_then(|host| host_of(&host)).unwrap_or_default();
        let is_silent = is_browser(headers) && !headers.contains_key(SITE);
        (self.keeps_state && is_silent && !is_trustworthy(&asked) && !self.has(&asked)).then(|| {
            format!(
                "a browser does not say here whether a page has it ask: open http://localhost instead, or name {:?} in listen_hosts if no page can be hostile",
                short(&asked)
            )
        })
    }
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers
        .get(USER_AGENT)
        .is_some_and(|agent| text(agent).to_ascii_lowercase().contains("mozilla/"))
}

/// Whether browsers send `Sec-Fetch-Site` to this host without TLS
/// (<https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy>).
fn is_trustworthy(host: &str) -> bool {
    is_localhost(host) || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// A host without its port and in small letters; `None` where it is none.
fn host_of(text: &str) -> Option<String> {
    let authority: Authority = text.trim().parse().ok()?;
    // This crate takes anything for a port.
    let has_odd_port = authority.as_str() != authority.host() && authority.port_u16().is_none();
    if text.contains('@') || has_odd_port {
        return None;
    }
    let host = authority.host().trim_end_matches('.');
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(host.to_ascii_lowercase())
}

fn is_of_this_machine(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address.is_unspecified();
    }
    let own = rustix::system::uname();
    let own = own.nodename().to_str().unwrap_or_default();
    is_localhost(host) || host.eq_ignore_ascii_case(own)
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn text_of(authority: &Authority) -> String {
    authority.to_string()
}

/// What may be repeated of a text.
fn short(text: &str) -> String {
    let start: String = text.chars().take(LONGEST).collect();
    clean(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a request with these headers is answered, where it comes in by the loopback and from
    /// elsewhere.
    fn answered(headers: &[(&str, &str)]) -> (bool, bool) {
        answered_by(&Hosts::new(&NAMES.map(str::to_owned)), headers)
    }

    const NAMES: [&str; 2] = ["logs.example:9200", "Other.Example"];

    fn answered_by(hosts: &Hosts, headers: &[(&str, &str)]) -> (bool, bool) {
        let mut request = Request::get("/_search");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let by = |address: &str| hosts.refusal(&request, Some(address.parse().unwrap())).is_none();
        assert_eq!(by("127.0.0.1:9200"), by("[::ffff:127.0.0.1]:9200"));
        (by("127.0.0.1:9200"), by("10.0.0.7:9200"))
    }

    #[test]
    fn programs_of_this_machine_are_answered() {
        let name = rustix::system::uname().nodename().to_str().unwrap().to_owned();
        for host in [
            "127.0.0.1:9200",
            "127.0.0.1",
            "localhost",
            "LOCALHOST:9200",
            "localhost.",
            "a.localhost:1",
            "[::1]:9200",
            "[::ffff:127.0.0.1]",
            "0.0.0.0:9200",
            "logs.example",
            "other.example:80",
            &name,
        ] {
            assert_eq!(answered(&[("host", host)]), (true, true), "{host}");
        }
        assert_eq!(answered(&[]), (true, true), "no browser leaves it out");
    }

    #[test]
    fn a_name_that_points_here_is_refused_on_the_loopback() {
        for host in [
            "evil.example",
            "evil.example:9200",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evillocalhost",
            "u@localhost",
            "",
            "10.0.0.7:9200",
            "a b",
            "localhost:evil",
            "localhost:",
            "localhost:99999",
            "127.0.0.1:80,evil.example",
            "localhost, evil.example",
            "[::2]:9200",
        ] {
            assert_eq!(answered(&[("host", host)]), (false, true), "{host:?}");
        }
        assert_eq!(answered(&[("host", "localhost"), ("host", "evil.example")]), (false, true));
    }

    #[test]
    fn no_page_of_a_foreign_origin_is_answered() {
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:3000",
            "file://",
            "",
            "http://localhost",
            "chrome-extension://abc",
            "http://evil.example@logs.example",
        ] {
            assert_eq!(answered(&[("origin", origin)]), (false, false), "{origin:?}");
        }
        assert_eq!(answered(&[("origin", "https://logs.example:5601")]), (true, true));
        for site in ["cross-site", "same-site"] {
            assert_eq!(answered(&[("sec-fetch-site", site)]), (false, false), "an image");
            let frame = [("sec-fetch-site", site), ("sec-fetch-dest", "iframe")];
            assert_eq!(answered(&frame), (false, false));
            let link = [("sec-fetch-site", site), ("sec-fetch-dest", "document")];
            assert_eq!(answered(&link), (true, true), "who follows a link sees it");
        }
        assert_eq!(answered(&[("sec-fetch-site", "none")]), (true, true), "typed");
        assert_eq!(answered(&[("sec-fetch-site", "same-origin")]), (true, true));
        assert_eq!(answered(&[("sec-fetch-site", "x")]), (false, false), "none that there is");
    }

    /// Browsers send `Sec-Fetch-Site` only where nobody on the way can read along.
    #[test]
    fn a_browser_that_does_not_tell_gets_nothing_where_state_is_kept() {
        let hosts = Hosts::new(&NAMES.map(str::to_owned)).keeping_state();
        let name = rustix::system::uname().nodename().to_str().unwrap().to_owned();
        let agent = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0");
        for host in [&*name, "0.0.0.0:9200"] {
            assert_eq!(answered_by(&hosts, &[("host", host), agent]), (false, false), "{host}");
            let told = [("host", host), agent, ("sec-fetch-site", "none")];
            assert_eq!(answered_by(&hosts, &told), (true, true), "{host}");
            assert_eq!(answered(&[("host", host), agent]), (true, true), "no state: {host}");
            let program = [("host", host), ("user-agent", "curl/8")];
            assert_eq!(answered_by(&hosts, &program), (true, true), "{host}");
        }
        assert!(!answered_by(&hosts, &[("host", "10.0.0.7:9200"), agent]).1);
        for host in ["localhost:9200", "127.0.0.1", "[::1]:9200", "logs.example"] {
            assert_eq!(answered_by(&hosts, &[("host", host), agent]), (true, true), "{host}");
        }
    }

    #[test]
    fn what_is_refused_is_repeated_harmlessly() {
        let request =
            Request::get("/").header("origin", &b"\x9b31m\xe2\x80\xae\"x"[..]).body(()).unwrap();
        let reason = Hosts::default().reason(request.uri(), request.headers(), true).unwrap();
        assert!(!reason.contains(crate::clean::is_harmful), "{reason:?}");
    }
}
