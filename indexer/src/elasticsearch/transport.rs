//! The way to one server over HTTP. A redirect is an answer: it is not followed to another server,
//! because documents and questions are for the one that somebody wrote, whatever that one says.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use omphalos_common::config::ConfigError;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, Method, Response};
use url::Url;

/// So often a server may send us from one of its own paths to another.
const MOST_REDIRECTS: usize = 10;

/// How to get in.
#[derive(Clone)]
pub enum Credentials {
    /// User and password.
    Basic(String, String),
    /// An encoded API key.
    Key(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Basic(..) => "user and password",
            Self::Key(_) => "API key",
        })
    }
}

/// How servers are asked.
#[derive(Debug, Default)]
pub struct Manner {
    /// How long an answer may take.
    pub timeout: Duration,
    /// Who is trusted besides the usual authorities.
    pub authorities: Vec<Certificate>,
    /// How to get in.
    pub credentials: Option<Credentials>,
}

/// The way to one server.
#[derive(Debug)]
pub struct Transport {
    client: Client,
    /// Its address, which ends in a slash.
    url: Url,
    credentials: Option<Credentials>,
}

impl Transport {
    /// The way to the server at `url`, directly if it `is_near`.
    ///
    /// # Errors
    /// When what is set cannot be used.
    pub fn new(mut url: Url, is_near: bool, manner: &Manner) -> Result<Self, ConfigError> {
        let refuse = |error: &dyn fmt::Display| {
            ConfigError::invalid(format!("elasticsearch: cannot set up the client: {error}"))
        };
        let mut headers = HeaderMap::new();
        // A compressed reply costs more to unpack than to receive, and could be a bomb.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(Credentials::Key(key)) = &manner.credentials {
            let value = HeaderValue::try_from(format!("ApiKey {key}"));
            let mut value = value.map_err(|error| refuse(&error))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = Client::builder()
            .timeout(manner.timeout)
            .user_agent(concat!("omphalos/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(stay))
            .default_headers(headers);
        if is_near {
            builder = builder.no_proxy();
        }
        for authority in &manner.authorities {
            builder = builder.add_root_certificate(authority.clone());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let client = builder.build().map_err(|error| refuse(&error))?;
        Ok(Self { client, url, credentials: manner.credentials.clone() })
    }

    /// Sends a request to `path` below the server's address.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, Trouble> {
        let url = self.url.join(path.trim_start_matches('/'))?;
        let mut request = self.client.request(method, url).headers(headers);
        if let Some(Credentials::Basic(user, password)) = &self.credentials {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        Ok(request.send().await?)
    }
}

/// Why there is no answer.
#[derive(thiserror::Error, Debug)]
pub enum Trouble {
    /// Nobody could be asked, or the answer did not come.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// There is no such path.
    #[error(transparent)]
    Path(#[from] url::ParseError),
}

/// Another path of the same server is followed to.
fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let asked = attempt.previous().first().map(Url::origin);
    let is_same = asked.is_some_and(|asked| asked == attempt.url().origin());
    if is_same && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// The other server that an answer sends us to, if it does.
pub fn other_server(response: &Response) -> Option<String> {
    let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    let other = response.url().join(location?.to_str().ok()?).ok()?.origin();
    (other != response.url().origin()).then(|| other.ascii_serialization())
}
