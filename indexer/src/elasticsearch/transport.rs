//! The way to one node: requests with our headers and credentials, which go to the address that
//! somebody wrote and nowhere else.
//!
//! A redirect is not followed: documents, and what is asked for, would go to a server that nobody
//! named, and whoever answers in the place of the node could choose it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Response, StatusCode};
use url::Url;

/// What a request is for and what it says of itself.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A compressed reply costs more to unpack than to receive, and could be a bomb.
const UNPACKED: HeaderValue = HeaderValue::from_static("identity");
const OURSELVES: &str = concat!("omphalos/", env!("CARGO_PKG_VERSION"));
/// What is shown of an address that a server chose, in letters.
const LONGEST_SHOWN: usize = 200;

/// Who asks.
#[derive(Clone)]
pub enum Credentials {
    /// A user and a password.
    Basic(String, String),
    /// A header with a key as Elasticsearch gives it out, in Base64.
    ApiKey(HeaderValue),
}

impl Credentials {
    /// Those of a key.
    ///
    /// # Errors
    /// When it has letters that cannot be sent; it is not repeated.
    pub fn of_key(key: &str) -> Result<Self, &'static str> {
        let mut header = HeaderValue::try_from(format!("ApiKey {key}"))
            .map_err(|_| "it has letters that cannot be sent, such as the end of a line")?;
        header.set_sensitive(true);
        Ok(Self::ApiKey(header))
    }
}

/// Passwords are nothing for a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

/// How a node is reached.
pub struct Way {
    /// Who asks.
    pub credentials: Option<Credentials>,
    /// Authorities beside the usual ones.
    pub authorities: Vec<Certificate>,
    /// Without the proxy that the environment may name.
    pub is_direct: bool,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A client of one node.
#[derive(Debug)]
pub struct Transport {
    client: reqwest::Client,
    url: Url,
    credentials: Option<Credentials>,
}

impl Transport {
    /// A client of the node at `url`.
    ///
    /// # Errors
    /// When a certificate cannot be used.
    pub fn new(url: Url, way: Way) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .user_agent(OURSELVES)
            .timeout(way.timeout);
        for authority in way.authorities {
            builder = builder.add_root_certificate(authority);
        }
        if way.is_direct {
            builder = builder.no_proxy();
        }
        Ok(Self { client: builder.build()?, url, credentials: way.credentials })
    }

    /// Sends a request for `path` of the node.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self.client.request(method, self.at(path));
        request = match &self.credentials {
            Some(Credentials::Basic(user, password)) => request.basic_auth(user, Some(password)),
            Some(Credentials::ApiKey(header)) => request.header(AUTHORIZATION, header.clone()),
            None => request,
        };
        request = request
            .header(CONTENT_TYPE, JSON)
            .header(ACCEPT, JSON)
            .header(ACCEPT_ENCODING, UNPACKED)
            .headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await
    }

    /// What to write in place of this node's URL to go where a redirect of `path` points; `None` if
    /// `response` is none.
    pub fn redirected(&self, path: &str, response: &Response) -> Option<String> {
        if !is_redirect(response.status()) {
            return None;
        }
        let location = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let url = location.and_then(|place| self.at(path).join(place).ok());
        Some(url.map_or_else(String::new, |url| base_of(url, path)))
    }

    fn at(&self, path: &str) -> Url {
        // All paths are ours, and a path is a URL beside a URL that has a host.
        self.url.join(path.trim_start_matches('/')).unwrap_or_else(|_| self.url.clone())
    }
}

/// Whether the answer is somewhere else.
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 300..=303 | 305..=308)
}

/// The URL of the server that `location` is on, which stands for `path` there; without what may be a
/// secret.
fn base_of(mut location: Url, path: &str) -> String {
    // Where it cannot have any, there are none.
    location.set_username("").ok();
    location.set_password(None).ok();
    location.set_query(None);
    location.set_fragment(None);
    let asked = path.split('?').next().unwrap_or_default().trim_matches('/');
    let whole = location.path().trim_end_matches('/');
    if let Some(base) = whole.strip_suffix(asked) {
        let base = format!("{}/", base.trim_end_matches('/'));
        location.set_path(&base);
    }
    location.as_str().chars().take(LONGEST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_named_by_what_is_to_be_written_for_it() {
        for (location, path, expected) in [
            ("http://other:9200/_bulk?timeout=5s", "_bulk?timeout=5s", "http://other:9200/"),
            ("https://es:9243/", "", "https://es:9243/"),
            ("https://es:9243/logs/_search", "_search", "https://es:9243/logs/"),
            ("http://u:secret@other/login?back=secret#x", "_bulk", "http://other/login"),
            ("http://other/_index_template/x/", "/_index_template/x", "http://other/"),
        ] {
            assert_eq!(base_of(Url::parse(location).unwrap(), path), expected);
        }
        let long = Url::parse(&format!("http://other/{}", "x".repeat(10_000))).unwrap();
        assert_eq!(base_of(long, "_bulk").len(), LONGEST_SHOWN);
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_and_not_said() {
        let refused = Credentials::of_key("secret\n").unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
        let key = Credentials::of_key("secret").unwrap();
        assert_eq!(format!("{key:?}"), "Credentials");
    }
}
