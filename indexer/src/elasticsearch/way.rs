//! The way to one node. The client crate's own transport reads a reply whole, however large it becomes, and
//! goes wherever a reply sends it; so requests are sent here, with the crate's words for them.

use std::path::Path;

use bytes::Bytes;
use elasticsearch::auth::Credentials;
use elasticsearch::http::headers::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use elasticsearch::http::{Method, StatusCode};
use omphalos_common::config::{ConfigError, is_on_this_machine};
use omphalos_common::whole_file::read_text;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Response};
use url::Url;

use super::access::{Access, Tls};

/// A larger reply is not read; the largest that `_bulk` gives to 10,000 errors is smaller.
const MOST_REPLY_BYTES: usize = 64 * 1024 * 1024;
/// So often a server may send us on to another of its own paths.
const MOST_REDIRECTS: usize = 5;

/// The way to one node.
#[derive(Debug)]
pub struct Way {
    client: Client,
    url: Url,
    credentials: Option<Credentials>,
}

/// What came back.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Whole(StatusCode, Bytes),
    /// One that is too large to be read.
    TooLarge,
    /// To ask this server instead.
    Elsewhere(String),
}

impl Way {
    /// The way to `url`, which has no credentials in it.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn new(mut url: Url, access: &Access) -> Result<Self, ConfigError> {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let mut builder = Client::builder()
            .user_agent(concat!("omphalos/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers())
            .timeout(access.timeout)
            .redirect(within(&url));
        builder = match &access.proxy {
            _ if is_on_this_machine(&url) => builder.no_proxy(),
            Some((proxy, _)) => builder.proxy(proxy.clone()),
            None => builder,
        };
        builder = match &access.tls {
            Tls::Usual(None) => builder,
            Tls::Usual(Some(identity)) => builder.identity(identity.clone()),
            Tls::Pinned(client) => builder.use_preconfigured_tls((**client).clone()),
        };
        let builder =
            access.certificates.iter().cloned().fold(builder, ClientBuilder::add_root_certificate);
        let client = builder.build().map_err(|error| {
            ConfigError::invalid(format!("elasticsearch: cannot set up the client: {error}"))
        })?;
        Ok(Self { client, url, credentials: access.credentials.clone() })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Reply, reqwest::Error> {
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
            Method::Head => reqwest::Method::HEAD,
        };
        let mut url = self.url.clone();
        let (path, query) =
            path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{}", url.path(), path.trim_start_matches('/')));
        url.set_query(query);
        let mut request = self.client.request(method, url).headers(headers);
        request = match &self.credentials {
            Some(Credentials::Basic(user, password)) => request.basic_auth(user, Some(password)),
            Some(Credentials::EncodedApiKey(key)) => {
                request.header(AUTHORIZATION, format!("ApiKey {key}"))
            }
            Some(Credentials::Bearer(token)) => request.bearer_auth(token),
            _ => request,
        };
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        read(answer, MOST_REPLY_BYTES).await
    }
}

fn headers() -> HeaderMap {
    let json = HeaderValue::from_static("application/json");
    HeaderMap::from_iter([
        // A compressed reply costs more to unpack than to receive, and could be a bomb.
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        (ACCEPT, json.clone()),
        (CONTENT_TYPE, json),
    ])
}

/// Who sends us to another server could send documents to anybody.
fn within(url: &Url) -> Policy {
    let origin = url.origin();
    Policy::custom(move |attempt| {
        if attempt.url().origin() == origin && attempt.previous().len() <= MOST_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// Reads an answer, whether or not it says how large it is.
async fn read(mut answer: Response, most: usize) -> Result<Reply, reqwest::Error> {
    let status = answer.status();
    if status.is_redirection()
        && let Some(place) = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok())
        && let Ok(place) = answer.url().join(place)
        && place.origin() != answer.url().origin()
    {
        return Ok(Reply::Elsewhere(place.origin().ascii_serialization()));
    }
    let mut read = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if read.len() + chunk.len() > most {
            return Ok(Reply::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(Reply::Whole(status, Bytes::from(read)))
}

/// The certificates in the file of `elasticsearch.ca_file`, if there is one.
///
/// # Errors
/// When it cannot be read.
pub fn certificates(ca_file: Option<&Path>) -> Result<Vec<Certificate>, ConfigError> {
    let Some(path) = ca_file else { return Ok(Vec::new()) };
    let refuse = |reason: String| {
        ConfigError::invalid(format!("elasticsearch.ca_file: {}: {reason}", path.display()))
    };
    let pem = read_text(path).map_err(|error| refuse(error.to_string()))?;
    let found =
        Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| refuse(error.to_string()))?;
    if found.is_empty() {
        return Err(refuse(
            "expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found none".to_owned(),
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What becomes of an answer with this head, of which `chunk` comes again and again.
    async fn answered(head: &'static str, chunk: &'static [u8], most: usize) -> Reply {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(head.as_bytes()).await.unwrap();
            while !chunk.is_empty() && stream.write_all(chunk).await.is_ok() {}
        });
        let access = Access::plain(Duration::from_mins(1));
        let way = Way::new(url.parse().unwrap(), &access).unwrap();
        let answer = way.client.get(way.url.clone()).send().await.unwrap();
        read(answer, most).await.unwrap()
    }

    #[tokio::test]
    async fn a_reply_without_end_is_not_read_to_its_end() {
        let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(matches!(answered(endless, b"8\r\naaaaaaaa\r\n", 1 << 20).await, Reply::TooLarge));
        let until_closed = "HTTP/1.1 200 OK\r\n\r\n";
        assert!(matches!(answered(until_closed, b"aaaaaaaa", 1 << 20).await, Reply::TooLarge));
        let said = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
        assert!(matches!(answered(said, b"", 9).await, Reply::TooLarge));
        assert!(
            matches!(answered(said, b"", 10).await, Reply::Whole(_, body) if body == "0123456789")
        );
    }

    #[tokio::test]
    async fn a_redirect_to_another_server_is_not_followed() {
        for status in [301, 302, 303, 307, 308] {
            let head = format!(
                "HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n"
            );
            let reply = answered(head.leak(), b"", 10).await;
            assert!(
                matches!(reply, Reply::Elsewhere(place) if place == "http://127.0.0.1:1"),
                "{status}"
            );
        }
    }
}
