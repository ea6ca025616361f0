//! Answers as they are sent: with a tag, so that what has not changed is not sent again, and compressed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::problem::Problem;

/// Smaller bodies are sent as they are.
const SMALL: usize = 1024;
/// Levels that take a millisecond for what an answer has.
const GZIP: u32 = 4;
const ZSTD: i32 = 3;

/// An answer in JSON.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The JSON.
    pub body: Bytes,
    tag: String,
}

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Plain,
    /// `gzip`.
    Gzip,
    /// `zstd`.
    Zstd,
}

impl Reply {
    /// Of a value.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn json(value: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value);
        let body = body
            .map_err(|error| Problem::behind(&format!("an answer cannot be written: {error}")))?;
        Ok(Self { tag: tag_of(&body), body: Bytes::from(body) })
    }

    /// As it is sent to who asks with these headers.
    pub fn to_response(&self, headers: &HeaderMap) -> Response {
        let unchanged =
            [(ETAG, self.tag.as_str()), (CACHE_CONTROL, "no-cache"), (VARY, "accept-encoding")];
        if is_known(headers, &self.tag) {
            return (StatusCode::NOT_MODIFIED, unchanged).into_response();
        }
        let (body, coding) = match Coding::wanted(headers) {
            coding if self.body.len() >= SMALL && coding != Coding::Plain => {
                (compressed(&self.body, coding), coding)
            }
            _ => (self.body.clone(), Coding::Plain),
        };
        let mut response = (unchanged, [(CONTENT_TYPE, "application/json")], body).into_response();
        coding.note(&mut response);
        response
    }
}

/// The tag of a body.
pub fn tag_of(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// Whether who asks has what has this tag.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim() == tag)
}

impl Coding {
    /// The best of those that are taken.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let taken = taken(headers);
        match () {
            () if taken.contains(&"zstd") => Self::Zstd,
            () if taken.contains(&"gzip") => Self::Gzip,
            () => Self::Plain,
        }
    }

    /// Whether who asks takes what is compressed already.
    pub fn takes_gzip(headers: &HeaderMap) -> bool {
        taken(headers).contains(&"gzip")
    }

    /// Says it of a response.
    pub fn note(self, response: &mut Response) {
        let name = match self {
            Self::Plain => return,
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        response.headers_mut().insert(CONTENT_ENCODING, axum::http::HeaderValue::from_static(name));
    }
}

fn taken(headers: &HeaderMap) -> Vec<&str> {
    let taken = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    taken
        .flat_map(|value| value.split(','))
        .filter(|part| !part.replace(' ', "").ends_with(";q=0"))
        .map(|part| part.split(';').next().unwrap_or_default().trim())
        .collect()
}

/// What is in memory can always be written there; should it not, it is sent as nothing.
fn compressed(body: &[u8], coding: Coding) -> Bytes {
    let compressed = match coding {
        Coding::Plain => Ok(body.to_vec()),
        Coding::Zstd => zstd::encode_all(body, ZSTD),
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP));
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
    };
    Bytes::from(compressed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_known_is_not_sent_again_and_what_is_large_is_compressed() {
        let reply = Reply::json(&"x".repeat(5000)).unwrap();
        let plain = reply.to_response(&HeaderMap::new());
        assert_eq!(plain.headers().get(CONTENT_ENCODING), None);
        let tag = plain.headers()[ETAG].to_str().unwrap().to_owned();
        let again = reply.to_response(&headers(&[(IF_NONE_MATCH, &format!("\"a\", {tag}"))]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("gzip;q=1, zstd;q=0", Some("gzip")),
            ("identity", None),
        ] {
            let response = reply.to_response(&headers(&[(ACCEPT_ENCODING, accepted)]));
            let coding =
                response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(coding, expected, "{accepted}");
        }
        let small = Reply::json(&"x").unwrap().to_response(&headers(&[(ACCEPT_ENCODING, "gzip")]));
        assert_eq!(small.headers().get(CONTENT_ENCODING), None);
    }
}
