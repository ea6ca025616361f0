//! Sending JSON to a URL, of which a part may be a secret: what is said of it is its origin only.

use std::time::Duration;

use jiff::fmt::rfc2822;
use omphalos_common::clock::now_millis;
use omphalos_common::config::{ConfigError, is_on_this_machine};
use omphalos_common::tls::load_certificates;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use url::Url;

use super::Receiver;
use super::failure::Failure;
use super::text::one_line;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Nobody is left alone for longer, whatever they ask.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// So much of an answer is read, for what it says of an error.
const MOST_OF_ANSWER: usize = 4_096;

/// A URL that takes JSON.
#[derive(Debug)]
pub(super) struct Poster {
    client: Client,
    url: Url,
}

impl Poster {
    pub fn new(receiver: &Receiver, url: Url) -> Result<Self, ConfigError> {
        let agent = concat!("omphalos/", env!("CARGO_PKG_VERSION"));
        let mut builder = Client::builder()
            .user_agent(agent)
            .timeout(receiver.timeout.0)
            // Whoever redirects could send what is said here to anybody.
            .redirect(Policy::none());
        if is_on_this_machine(&url) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &receiver.ca_file {
            let named = |error: ConfigError| {
                ConfigError::invalid(format!("receiver {:?}: {error}", receiver.name))
            };
            for certificate in load_certificates("ca_file", path).map_err(named)? {
                let certificate = Certificate::from_der(&certificate)
                    .map_err(|error| receiver.refuse("ca_file", error))?;
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| {
            receiver.refuse("url", format!("cannot set up the client: {error}"))
        })?;
        Ok(Self { client, url })
    }

    /// Sends JSON; `key` is the same when it is sent again.
    pub async fn post(&self, json: String, key: Option<&str>) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = key.and_then(|key| HeaderValue::from_str(key).ok()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        let request = self.client.post(self.url.clone()).headers(headers).body(json);
        match request.send().await {
            // What it says then is of no use.
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(self.refusal(answer).await),
            Err(error) => {
                let error = anyhow::Error::from(error.without_url());
                Err(Failure::later(self.hide(&format!("{}: {error:#}", self.shown()))))
            }
        }
    }

    async fn refusal(&self, answer: Response) -> Failure {
        let status = answer.status();
        let wait = retry_after(answer.headers(), now_millis())
            .filter(|_| matches!(status.as_u16(), 429 | 503));
        let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let place = place.and_then(|place| self.url.join(place).ok());
        let said = if status.is_redirection() {
            let place = place.map_or_else(|| "nowhere".to_owned(), |url| origin(&url));
            format!(
                "it redirects to {place}, and redirects are not followed; if that is meant, write it in url"
            )
        } else {
            self.hide(&one_line(&beginning(answer).await))
        };
        let separator = if said.is_empty() { "" } else { ": " };
        let why = format!("{} answers {status}{separator}{said}", self.shown());
        if is_final(status) { Failure::refused(why) } else { Failure::later(why).after(wait) }
    }

    /// What may be shown of the URL.
    fn shown(&self) -> String {
        origin(&self.url)
    }

    /// A text of somebody else without the secret parts of the URL: many servers repeat the path that they do not know.
    fn hide(&self, text: &str) -> String {
        let secrets = [Some(self.url.path()), self.url.query(), self.url.password()];
        let mut secrets: Vec<&str> = secrets.into_iter().flatten().collect();
        // The last part of a path is the secret of Slack's.
        secrets.extend(self.url.path_segments().into_iter().flatten());
        let secrets = secrets.into_iter().filter(|secret| secret.len() > 5);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether the same request would be refused again.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429)
}

/// For how long the server asks to be left alone (RFC 9110, section 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let date = rfc2822::parse(text).ok()?.timestamp().as_millisecond();
        Duration::from_millis(u64::try_from(date.saturating_sub(now)).unwrap_or_default())
    };
    Some(wait.min(LONGEST_WAIT))
}

/// The beginning of an answer, which may be of any size.
async fn beginning(mut answer: Response) -> String {
    let mut read = Vec::new();
    while read.len() < MOST_OF_ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        read.extend_from_slice(chunk.get(..MOST_OF_ANSWER).unwrap_or(&chunk));
    }
    read.truncate(MOST_OF_ANSWER);
    String::from_utf8_lossy(&read).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_client_did_wrong_is_final() {
        let of = |status: u16| is_final(StatusCode::from_u16(status).unwrap());
        let finals: Vec<u16> = (100..=599).filter(|status| of(*status)).collect();
        let expected: Vec<u16> =
            (400..=499).filter(|status| ![408, 425, 429].contains(status)).collect();
        assert_eq!(finals, expected);
    }

    #[test]
    fn a_server_may_ask_for_seconds_or_until_a_date_but_not_for_ever() {
        let now = 784_111_777_000;
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Tue, 06 Nov 1984 08:49:37 GMT", Some(0)),
            ("99999999999", Some(300)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn no_part_of_a_url_that_may_be_a_secret_is_said() {
        let url: Url =
            "https://user:PASSWORD@h.example/services/T00/SECRET?token=SECRET".parse().unwrap();
        let poster = Poster::new(&Receiver::default(), url).unwrap();
        assert_eq!(poster.shown(), "https://h.example");
        for text in [
            "Cannot POST /services/T00/SECRET?token=SECRET",
            "no such hook: SECRET",
            "not PASSWORD",
        ] {
            let hidden = poster.hide(text);
            assert!(!hidden.contains("SECRET") && !hidden.contains("PASSWORD"), "{hidden}");
        }
    }
}
