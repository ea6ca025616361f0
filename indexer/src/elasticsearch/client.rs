//! Talking to Elasticsearch or OpenSearch: connections, credentials, and what a failed request
//! means.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::http::headers::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use elasticsearch::http::{Method, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use omphalos_common::causes::with_causes;
use omphalos_common::config::{ConfigError, is_on_this_machine, without_credentials};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::access::{Access, without_its_credentials};
use super::nodes::{Node, Nodes};
use super::problem::{Problem, Room, request_problem};
use super::settings::ElasticsearchSettings;
use super::way::{Reply, Way};

/// The privileges that indexing needs.
const WRITING: &str = "auto_configure, create_doc and manage_index_templates";
/// The privileges that setting up needs.
const SETTING_UP: &str = "manage_index_templates, manage_ilm (Elasticsearch) or cluster:admin/opendistro/ism/* (OpenSearch), and view_index_metadata, manage and delete_index for the indices";
/// The privileges that asking needs.
const READING: &str = "read and, to see the last second too, maintenance";

/// Only what is needed is sent back. Documents whose shard is not there are answered for after some
/// seconds, not after the minute that is usual, so that they are tried again as soon as it is.
const BULK_PATH: &str =
    "_bulk?timeout=5s&filter_path=items.*.status,items.*.error,items.*.failure_store";

/// A client of the cluster: requests go to one node after another.
#[derive(Debug, Clone)]
pub struct Client {
    nodes: Arc<Nodes>,
    shown: String,
    timeout: Duration,
    gzip: bool,
    /// What to grant when something is forbidden.
    privileges: &'static str,
}

/// What the server says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// `Elasticsearch` or `OpenSearch`.
    pub product: &'static str,
    /// Version of the server, such as `9.5.3`.
    pub version: String,
    /// Its cluster's name.
    pub cluster: String,
    /// A name that no other cluster, or embedded store, has.
    pub uuid: Option<String>,
}

/// Why a request failed.
#[derive(thiserror::Error, Debug)]
pub enum Fault {
    /// No answer, or one that asks to come back: try again.
    #[error("{0}")]
    Transient(String),
    /// 413, or 429 with numbers that say the same: the request is larger than the server ever takes.
    #[error("the request is larger than the server takes ({0})")]
    TooLarge(Problem),
    /// 429: the server has no room for the request now, and says how much it has.
    #[error("{1}: {0}")]
    Full(Problem, String),
    /// 400: the request is wrong; a part of it may not be.
    #[error("{0}")]
    Wrong(Problem),
    /// The cluster takes nothing before someone does something.
    #[error("{0}")]
    Hold(String),
}

impl Client {
    /// A client for the servers in `settings`.
    ///
    /// # Errors
    /// When a URL, a secret or a certificate cannot be used.
    pub fn new(settings: &ElasticsearchSettings, gzip: bool) -> Result<Self, ConfigError> {
        let mut urls = Vec::new();
        let mut from_url = None;
        for url in settings.urls()? {
            let (url, credentials) = without_its_credentials(url)?;
            from_url = from_url.or(credentials);
            urls.push(url);
        }
        let access = Access::of(settings)?.or(from_url);
        let mut nodes = Vec::new();
        for url in urls {
            let shown = url.to_string();
            let of_environment = || proxy_to(&url, |name| std::env::var(name).ok());
            let set = access.proxy.as_ref().filter(|_| !is_on_this_machine(&url));
            let set = set.map(|(_, shown)| shown.clone());
            let proxy = set.or_else(of_environment);
            let way = Way::new(url, &access)?;
            nodes.push(Node::new(way, shown).by_way_of(proxy));
        }
        let nodes = Nodes::new(nodes);
        let shown = nodes.shown();
        let (timeout, privileges) = (settings.request_timeout.0, WRITING);
        Ok(Self { nodes: Arc::new(nodes), shown, timeout, gzip, privileges })
    }

    /// The same client for somebody who only reads.
    #[must_use]
    pub fn for_reading(self) -> Self {
        Self { privileges: READING, ..self }
    }

    /// The same client for somebody who sets the cluster up.
    #[must_use]
    pub fn for_setting_up(self) -> Self {
        Self { privileges: SETTING_UP, ..self }
    }

    /// The addresses, without credentials.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends a `_bulk` body; returns the body of the reply.
    ///
    /// # Errors
    /// [`Fault`] when the server did not take the request as a whole.
    pub async fn bulk(&self, body: Bytes) -> Result<Bytes, Fault> {
        let mut headers = HeaderMap::new();
        let body = if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            gzip(&body).map_err(|error| Fault::Transient(format!("cannot compress: {error}")))?
        } else {
            body
        };
        self.send(Method::Post, BULK_PATH, headers, Some(body)).await
    }

    /// What the server is.
    ///
    /// # Errors
    /// [`Fault`] when it does not say.
    pub async fn info(&self) -> Result<ServerInfo, Fault> {
        #[derive(Deserialize)]
        struct Info {
            cluster_name: String,
            cluster_uuid: Option<String>,
            version: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            number: String,
            distribution: Option<String>,
        }
        let body = self.send(Method::Get, "", HeaderMap::new(), None).await?;
        let info: Info = serde_json::from_slice(&body).map_err(|error| {
            Fault::Hold(format!(
                "{}: the reply is not Elasticsearch's ({error}); is something else listening there?",
                self.shown
            ))
        })?;
        let product = match info.version.distribution.as_deref() {
            Some("opensearch") => "OpenSearch",
            _ => "Elasticsearch",
        };
        Ok(ServerInfo {
            product,
            version: info.version.number,
            cluster: info.cluster_name,
            uuid: info.cluster_uuid,
        })
    }

    /// `GET path` as JSON; `None` when it is not there.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, Fault> {
        match self.send(Method::Get, path, HeaderMap::new(), None).await {
            Ok(body) => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| Fault::Transient(format!("{path}: unreadable reply: {error}"))),
            Err(Fault::Wrong(problem)) if problem.status == 404 => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// `POST path` with a JSON body; returns the body of the reply.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn post(&self, path: &str, body: Bytes) -> Result<Bytes, Fault> {
        self.send(Method::Post, path, HeaderMap::new(), Some(body)).await
    }

    /// `PUT path` with a JSON body.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn put(&self, path: &str, body: &Value) -> Result<(), Fault> {
        let body = Bytes::from(body.to_string());
        self.send(Method::Put, path, HeaderMap::new(), Some(body)).await.map(|_| ())
    }

    /// `GET path`, with what a server without this API answers (400, 404, 405) as well as what one with it does:
    /// the status, and the body as JSON, `null` where it is none.
    ///
    /// # Errors
    /// [`Fault`] for everything else.
    pub async fn look(&self, path: &str) -> Result<(u16, Value), Fault> {
        let (shown, status, body) = self.reach(Method::Get, path, HeaderMap::new(), None).await?;
        if status.is_success() || matches!(status.as_u16(), 400 | 404 | 405) {
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            return Ok((status.as_u16(), body));
        }
        Err(self.classify(&shown, status, &body))
    }

    /// `DELETE path`; whether it was there.
    ///
    /// # Errors
    /// [`Fault`] like all requests.
    pub async fn delete(&self, path: &str) -> Result<bool, Fault> {
        match self.send(Method::Delete, path, HeaderMap::new(), None).await {
            Ok(_) => Ok(true),
            Err(Fault::Wrong(problem)) if problem.status == 404 => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Bytes, Fault> {
        // In a box, because much asks, and would have all that it takes inside.
        let (shown, status, body) = Box::pin(self.reach(method, path, headers, body)).await?;
        if status.is_success() { Ok(body) } else { Err(self.classify(&shown, status, &body)) }
    }

    /// Sends a request to the nodes in turn until one answers: all that we send may be sent twice. Returns which
    /// one did, and what.
    async fn reach(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<(String, StatusCode, Bytes), Fault> {
        let mut silence = format!("{}: no node to ask", self.shown);
        for node in self.nodes.in_turn() {
            let (headers, body) = (headers.clone(), body.clone());
            match node.way.send(method, path, headers, body).await {
                Ok(Reply::Whole(status, body)) => {
                    node.answered();
                    return Ok((node.shown.clone(), status, body));
                }
                Ok(Reply::Elsewhere(other)) => {
                    node.answered();
                    return Err(redirected(&node.shown, &other));
                }
                Ok(Reply::TooLarge) => {
                    let shown = &node.shown;
                    return Err(Fault::Transient(format!("{shown}: the reply is too large")));
                }
                Err(error) => {
                    silence = self.explain(&node.shown, &error);
                    if let Some(proxy) = &node.proxy {
                        silence = format!(
                            "{silence} (asked by way of {proxy}; no_proxy names hosts that are asked directly)"
                        );
                    }
                    self.nodes.rest(node, &silence);
                }
            }
        }
        Err(Fault::Transient(silence))
    }

    /// What an answer of the node `shown` means that is no success.
    fn classify(&self, shown: &str, status: StatusCode, body: &[u8]) -> Fault {
        let problem = request_problem(status.as_u16(), body);
        match status.as_u16() {
            413 => Fault::TooLarge(problem),
            429 if problem.room() == Some(Room::Never) => Fault::TooLarge(problem),
            429 if problem.room().is_some() => Fault::Full(problem, shown.to_owned()),
            400 => Fault::Wrong(problem),
            404 if problem.kind != "http" => Fault::Wrong(problem),
            401 => Fault::Hold(format!(
                "{shown} refuses our credentials ({problem}); check elasticsearch.user and password, api_key or bearer_token"
            )),
            403 => Fault::Hold(format!(
                "{shown} forbids it ({problem}); grant the privileges {}, or lift the block",
                self.privileges
            )),
            408 | 429 | 500..=599 => Fault::Transient(format!("{shown}: {problem}")),
            _ => Fault::Hold(format!(
                "{shown}: unexpected answer ({problem}); is elasticsearch.url right?"
            )),
        }
    }

    fn explain(&self, shown: &str, error: &reqwest::Error) -> String {
        // The interesting part of a connection error is at the end of its chain.
        let text = with_causes(error);
        let last = anyhow::Chain::new(error).last().map_or_else(String::new, ToString::to_string);
        if text.contains("timed out") {
            return format!("{shown}: no answer within {:?}", self.timeout);
        }
        if text.contains("InvalidContentType") {
            return format!("{shown}: speaks no TLS there; write http:// in elasticsearch.url");
        }
        if text.contains("invalid HTTP version") {
            return format!("{shown}: speaks no HTTP there; does it expect TLS (https://)?");
        }
        if text.contains("certificate") {
            return format!(
                "{shown}: its certificate is not trusted; give its authority with elasticsearch.ca_file or ca_fingerprint ({text})"
            );
        }
        if text.contains("dns error") || text.contains("lookup address") {
            return format!(
                "{shown}: unknown host; check elasticsearch.url and the name service ({text})"
            );
        }
        if text.contains("Connection refused") {
            return format!("{shown}: connection refused; is Elasticsearch running there?");
        }
        format!("{shown}: no answer ({last})")
    }
}

fn redirected(asked: &str, other: &str) -> Fault {
    Fault::Hold(format!(
        "{asked} redirects to {other}, which nobody named; if that is the server that is meant, write {other} in elasticsearch.url"
    ))
}

/// The proxy that the environment sets for a server, for errors: the variable and the proxy's host,
/// since a proxy may have a password. Whether `no_proxy` leaves the server out is not looked at.
fn proxy_to(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    if is_on_this_machine(url) {
        return None;
    }
    let names = match url.scheme() {
        "https" => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let (name, value) = names.iter().find_map(|name| Some((*name, set(name)?)))?;
    Some(format!("the proxy of {name}, {}", without_credentials(&value)))
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    std::io::Write::write_all(&mut encoder, body)?;
    encoder.finish().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use omphalos_common::config::decoded;

    use super::*;

    fn settings(url: &str) -> ElasticsearchSettings {
        ElasticsearchSettings {
            url: Some(vec![url.to_owned()]),
            ..ElasticsearchSettings::default()
        }
    }

    #[test]
    fn a_proxy_is_never_between_us_and_this_machine_and_is_named_without_its_password() {
        let set = |name: &str| {
            ["http_proxy", "all_proxy"]
                .contains(&name)
                .then(|| "http://u:secret@proxy:3128".to_owned())
        };
        let proxy = |url: &str| proxy_to(&Url::parse(url).unwrap(), set);
        for near in [
            "http://127.0.0.1:9200",
            "http://127.0.0.1.:9200",
            "http://127.1",
            "http://localhost/",
            "http://localhost.:9200",
            "http://es.localhost.",
            "http://[::1]:9200",
            "http://[::]:9200",
            "http://[::ffff:127.0.0.1]:9200",
            "http://[::ffff:7f00:2]",
            "http://0.0.0.0:1",
        ] {
            assert_eq!(proxy(near), None, "{near}");
        }
        for far in ["http://localhost.es1", "http://nolocalhost", "http://[::ffff:10.0.0.1]"] {
            assert!(proxy(far).is_some(), "{far}");
        }
        assert_eq!(proxy("http://es1:9200").unwrap(), "the proxy of http_proxy, proxy:3128");
        assert_eq!(proxy("https://es1:9200").unwrap(), "the proxy of all_proxy, proxy:3128");
        for value in ["http://u:secret", "u:secret", "u:secret@", "http://proxy/?u=secret"] {
            let url = Url::parse("http://es1:9200").unwrap();
            let shown = proxy_to(&url, |_| Some(value.to_owned())).unwrap();
            assert!(shown.starts_with("the proxy of http_proxy, "), "{shown}");
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn credentials_are_taken_out_of_the_url() {
        let client =
            Client::new(&settings("http://user:p%40ss+word@es.example:9200"), false).unwrap();
        assert_eq!(client.shown(), "http://es.example:9200/");
        assert_eq!(decoded("p%40ss+word"), "p@ss+word");
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_the_password() {
        for url in ["ftp://user:secret@es.example", "es.example:9200", "http://"] {
            let error = Client::new(&settings(url), false).unwrap_err().to_string();
            assert!(error.starts_with("elasticsearch.url: expected http://HOST:9200"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let both = ElasticsearchSettings {
            user: Some("u".to_owned()),
            password: Some("p".to_owned()),
            api_key: Some("k".to_owned()),
            ..settings("http://a")
        };
        assert!(Client::new(&both, false).unwrap_err().to_string().contains("keep one"));
        let half = ElasticsearchSettings { user: Some("u".to_owned()), ..settings("http://a") };
        assert!(Client::new(&half, false).unwrap_err().to_string().contains("together"));
    }
}
