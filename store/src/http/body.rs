//! Bodies of requests: bounded, each alone and all together, in bytes and in time, and unpacked.
//!
//! A body says that it is JSON. A page in a browser can send texts and forms to any address, but not what
//! says so: its browser asks first, and nobody answers that.

use std::future::poll_fn;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use flate2::read::MultiGzDecoder;
use tokio::time::timeout;

use super::background;
use crate::error::ApiError;

/// A larger one is refused, unpacked or not; Elasticsearch's `http.max_content_length`.
const LARGEST: usize = 100 << 20;
/// One that does not say how large it is may be so large.
const UNSAID: usize = 16 << 20;
/// A larger one is not read into a tree, which takes several times as much memory.
const LARGEST_TREE: usize = 8 << 20;
/// What is unpacked before it is counted, in bytes.
const STEP: u64 = 1 << 20;
/// A larger one is decoded where that disturbs nobody.
const BRIEF: usize = 256 << 10;
/// How long a body may take to come.
const LONGEST: Duration = Duration::from_mins(2);
/// What a body may say that it is; the latter two are what clients of Elasticsearch say.
const KINDS: [&str; 4] = [
    "application/json",
    "application/x-ndjson",
    "application/vnd.elasticsearch+json",
    "application/vnd.elasticsearch+x-ndjson",
];

/// How much memory is held for requests, and how much may be. Clones are the same.
#[derive(Debug, Clone)]
pub struct Pressure {
    held: Arc<AtomicUsize>,
    most: usize,
}

/// A body, for as long as it counts.
#[derive(Debug)]
pub struct Held {
    /// As text.
    pub text: Arc<String>,
    _room: Room,
}

/// What is held for one request; nothing any more once this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    pressure: Pressure,
    bytes: usize,
}

impl Room {
    /// Has it count for more; the first to be let in may be as large as it likes.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), ApiError> {
        let Pressure { held, most } = &self.pressure;
        let before = held.fetch_add(more, Ordering::Relaxed);
        let own = self.bytes;
        self.bytes += more;
        if before > own && before + more > *most {
            return Err(rejected(before, more, *most));
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.pressure.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Pressure {
    /// Of at most so many bytes together; one is let in however large it is.
    pub fn new(most: usize) -> Self {
        Self { held: Arc::default(), most }
    }

    /// Room for nothing yet.
    pub(super) fn room(&self) -> Room {
        Room { pressure: self.clone(), bytes: 0 }
    }

    /// Reads a body that becomes a tree.
    ///
    /// # Errors
    /// As [`Self::read`]; 413 for what is smaller, too.
    pub async fn read_tree(&self, headers: &HeaderMap, body: Body) -> Result<Held, ApiError> {
        let held = self.read(headers, body).await?;
        if held.text.len() > LARGEST_TREE {
            return Err(ApiError::new(
                413,
                "content_too_long_exception",
                format!(
                    "a request of this kind has at most {LARGEST_TREE} bytes here, not {}",
                    held.text.len()
                ),
            ));
        }
        Ok(held)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// 406 where it does not say that it is JSON, 408 where it does not come, 413 where it is too large,
    /// 429 where others have to be dealt with first, 400 where it cannot be unpacked or is no text.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Held, ApiError> {
        let said =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let most = said.unwrap_or(UNSAID);
        if most > LARGEST {
            return Err(too_large(most));
        }
        if !body.is_end_stream() {
            declared(headers)?;
        }
        // It counts as it comes: who says much and sends nothing keeps nobody out.
        let mut room = self.room();
        let read = timeout(LONGEST, gather(body, most, &mut room)).await;
        let read = read.map_err(|_| too_slow())??;
        let is_gzip = headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let is_brief = !is_gzip && read.len() <= BRIEF;
        let decode = move || decoded(read, is_gzip, room);
        if is_brief { decode() } else { background(decode).await? }
    }
}

/// A body as text.
fn decoded(read: Vec<u8>, is_gzip: bool, mut room: Room) -> Result<Held, ApiError> {
    let bytes = if is_gzip { unpack(&read, &mut room)? } else { read };
    let text = String::from_utf8(bytes).map_err(|error| {
        ApiError::parsing(format!("the body is not UTF-8: {}", error.utf8_error()))
    })?;
    Ok(Held { text: Arc::new(text), _room: room })
}

/// Refuses a body that does not say that it is JSON.
fn declared(headers: &HeaderMap) -> Result<(), ApiError> {
    let said = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = said.split(';').next().unwrap_or_default().trim();
    if KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return compatible(said);
    }
    Err(ApiError::new(
        406,
        "media_type_header_exception",
        format!(
            "Content-Type header [{said}] is not supported: send application/json, or application/x-ndjson to _bulk"
        ),
    ))
}

/// Refuses what is said to be of another version of Elasticsearch than 8 and 9, in a `Content-Type` or
/// `Accept`.
pub fn compatible(said: &str) -> Result<(), ApiError> {
    let own =
        |kind: &str| kind.trim().to_ascii_lowercase().starts_with("application/vnd.elasticsearch+");
    for kind in said.split(',') {
        let version =
            kind.split(';').skip(1).find_map(|part| part.trim().strip_prefix("compatible-with="));
        if version.is_some_and(|version| !own(kind) || !matches!(version.trim(), "8" | "9")) {
            return Err(ApiError::new(
                400,
                "media_type_header_exception",
                format!(
                    "Invalid media-type value [{said}]: compatible-with is 8 or 9, of application/vnd.elasticsearch+json"
                ),
            ));
        }
    }
    Ok(())
}

/// Reads what comes, which counts at once.
async fn gather(mut body: Body, most: usize, room: &mut Room) -> Result<Vec<u8>, ApiError> {
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| ApiError::parsing(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > most {
            return Err(too_large(read.len() + data.len()));
        }
        room.grow(data.len())?;
        read.extend_from_slice(&data);
    }
    Ok(read)
}

fn too_slow() -> ApiError {
    let reason = format!("the body did not come within {LONGEST:?}");
    ApiError::new(408, "request_timeout_exception", reason)
}

/// Unpacks step by step, so that what is refused for its size has taken no memory.
fn unpack(packed: &[u8], room: &mut Room) -> Result<Vec<u8>, ApiError> {
    let mut unpacked = Vec::new();
    let mut rest = MultiGzDecoder::new(packed);
    loop {
        let step = rest.by_ref().take(STEP).read_to_end(&mut unpacked);
        let step =
            step.map_err(|error| ApiError::parsing(format!("the body is not gzip: {error}")))?;
        if unpacked.len() > LARGEST {
            return Err(too_large(unpacked.len()));
        }
        if step == 0 {
            return Ok(unpacked);
        }
        room.grow(step)?;
    }
}

fn rejected(before: usize, more: usize, most: usize) -> ApiError {
    ApiError::new(
        429,
        "es_rejected_execution_exception",
        format!(
            "rejected execution: {before} bytes are being worked on, {more} more would be above the limit of {most}; send it again later"
        ),
    )
}

fn too_large(bytes: usize) -> ApiError {
    ApiError::new(
        413,
        "content_too_long_exception",
        format!("the body has {bytes} bytes or more, the limit is {LARGEST}; send it in parts"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::body::Bytes;
    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const TOGETHER: usize = 64 << 20;

    fn packed(bytes: usize) -> (HeaderMap, Vec<u8>) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let line = [b' '; 1 << 10];
        for _ in 0..bytes / line.len() {
            encoder.write_all(&line).unwrap();
        }
        let body = encoder.finish().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        headers.insert(CONTENT_LENGTH, body.len().into());
        (headers, body)
    }

    async fn status(pressure: &Pressure, bytes: usize) -> u16 {
        let (headers, body) = packed(bytes);
        pressure.read(&headers, Body::from(body)).await.map_or_else(|error| error.status, |_| 200)
    }

    #[tokio::test]
    async fn one_that_is_alone_is_let_in_however_it_is_packed() {
        let pressure = Pressure::new(TOGETHER);
        assert_eq!(status(&pressure, TOGETHER + (8 << 20)).await, 200);
        assert_eq!(pressure.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn one_that_would_be_too_much_beside_others_has_to_come_again() {
        let pressure = Pressure::new(TOGETHER);
        let (headers, body) = packed(40 << 20);
        let held = pressure.read(&headers, Body::from(body)).await.unwrap();
        assert_eq!(status(&pressure, 40 << 20).await, 429);
        drop(held);
        assert_eq!(status(&pressure, 40 << 20).await, 200);
        assert_eq!(pressure.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_small_body_that_unpacks_to_a_huge_one_is_refused() {
        let pressure = Pressure::new(TOGETHER);
        assert_eq!(status(&pressure, LARGEST + (2 << 20)).await, 413);
        assert_eq!(pressure.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_body_says_that_it_is_json_or_is_refused() {
        let pressure = Pressure::new(TOGETHER);
        for (kind, expected) in [
            ("application/json", 200),
            ("Application/JSON; charset=utf-8", 200),
            ("application/x-ndjson", 200),
            ("application/vnd.elasticsearch+json; compatible-with=9", 200),
            ("application/vnd.elasticsearch+x-ndjson;compatible-with=8", 200),
            ("application/vnd.elasticsearch+json;compatible-with=7", 400),
            ("application/json;compatible-with=9", 400),
            ("text/plain", 406),
            ("application/x-www-form-urlencoded", 406),
            ("multipart/form-data; boundary=application/json", 406),
            ("text/plain; application/json", 406),
            ("application/jsonx", 406),
            ("", 406),
        ] {
            let mut headers = HeaderMap::new();
            if !kind.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
            }
            let read = pressure.read(&headers, Body::from("{}")).await;
            assert_eq!(read.map_or_else(|error| error.status, |_| 200), expected, "{kind}");
        }
        assert!(pressure.read(&HeaderMap::new(), Body::empty()).await.is_ok(), "no body");
    }

    /// A body of which nothing comes.
    fn slow(said: usize) -> (HeaderMap, Body) {
        let mut headers = packed(0).0;
        headers.insert(CONTENT_LENGTH, said.into());
        let nothing = futures_util::stream::pending::<std::io::Result<Bytes>>();
        (headers, Body::from_stream(nothing))
    }

    #[tokio::test]
    async fn who_sends_nothing_of_much_keeps_nobody_out() {
        let pressure = Pressure::new(TOGETHER);
        let (headers, body) = slow(90 << 20);
        let waiting = pressure.clone();
        let waiting = tokio::spawn(async move { waiting.read(&headers, body).await.map(drop) });
        tokio::task::yield_now().await;
        assert_eq!(status(&pressure, 40 << 20).await, 200);
        waiting.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let (headers, body) = slow(10);
        let read = Pressure::new(TOGETHER).read(&headers, body).await;
        assert_eq!(read.unwrap_err().status, 408);
    }

    #[tokio::test]
    async fn what_is_no_gzip_is_said_to_be_none() {
        let (headers, _) = packed(0);
        let read = Pressure::new(TOGETHER).read(&headers, Body::from("not gzip at all")).await;
        assert_eq!(read.unwrap_err().status, 400);
    }
}
