//! Bodies of requests: bounded, each alone and all together, and unpacked.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use flate2::read::MultiGzDecoder;

use crate::error::ApiError;

/// A larger one is refused, unpacked or not; Elasticsearch's `http.max_content_length`.
const LARGEST: usize = 100 << 20;
/// One that does not say how large it is may be so large.
const UNSAID: usize = 16 << 20;
/// All that are being worked on, in bytes; one is let in however large it is.
const TOGETHER: usize = 64 << 20;
/// What is unpacked before it is counted, in bytes.
const STEP: u64 = 1 << 20;

/// How much is being worked on.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<AtomicUsize>);

/// A body, for as long as it counts.
#[derive(Debug)]
pub struct Held {
    /// As text.
    pub text: Arc<String>,
    _room: Room,
}

#[derive(Debug)]
struct Room {
    pressure: Pressure,
    bytes: usize,
}

impl Room {
    /// Has it count for more; the first to be let in may be as large as it likes.
    fn grow(&mut self, more: usize) -> Result<(), ApiError> {
        let before = self.pressure.0.fetch_add(more, Ordering::Relaxed);
        let own = self.bytes;
        self.bytes += more;
        if before > own && before + more > TOGETHER { Err(rejected(before, more)) } else { Ok(()) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.pressure.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Pressure {
    fn room(&self, bytes: usize) -> Result<Room, ApiError> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { pressure: self.clone(), bytes };
        if before > 0 && before + bytes > TOGETHER {
            return Err(rejected(before, bytes));
        }
        Ok(room)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// 413 where it is too large, 429 where others have to be dealt with first, 400 where it cannot
    /// be unpacked or is no text.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Held, ApiError> {
        let said =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let most = said.unwrap_or(UNSAID);
        if most > LARGEST {
            return Err(too_large(most));
        }
        let mut room = self.room(most)?;
        let read = axum::body::to_bytes(body, most).await.map_err(|error| {
            if said.is_none() { too_large(most) } else { ApiError::parsing(error.to_string()) }
        })?;
        let is_gzip = headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let bytes = if is_gzip { unpack(&read, &mut room)? } else { Vec::from(read) };
        let text = String::from_utf8(bytes).map_err(|error| {
            ApiError::parsing(format!("the body is not UTF-8: {}", error.utf8_error()))
        })?;
        Ok(Held { text: Arc::new(text), _room: room })
    }
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

fn rejected(before: usize, more: usize) -> ApiError {
    ApiError::new(
        429,
        "es_rejected_execution_exception",
        format!(
            "rejected execution: {before} bytes are being worked on, {more} more would be above the limit of {TOGETHER}; send it again later"
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

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: usize) -> (HeaderMap, Vec<u8>) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let line = [b' '; 1 << 10];
        for _ in 0..bytes / line.len() {
            encoder.write_all(&line).unwrap();
        }
        let body = encoder.finish().unwrap();
        let mut headers = HeaderMap::new();
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
        let pressure = Pressure::default();
        assert_eq!(status(&pressure, TOGETHER + (8 << 20)).await, 200);
        assert_eq!(pressure.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn one_that_would_be_too_much_beside_others_has_to_come_again() {
        let pressure = Pressure::default();
        let (headers, body) = packed(40 << 20);
        let held = pressure.read(&headers, Body::from(body)).await.unwrap();
        assert_eq!(status(&pressure, 40 << 20).await, 429);
        drop(held);
        assert_eq!(status(&pressure, 40 << 20).await, 200);
        assert_eq!(pressure.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_small_body_that_unpacks_to_a_huge_one_is_refused() {
        let pressure = Pressure::default();
        assert_eq!(status(&pressure, LARGEST + (2 << 20)).await, 413);
        assert_eq!(pressure.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_no_gzip_is_said_to_be_none() {
        let (headers, _) = packed(0);
        let read = Pressure::default().read(&headers, Body::from("not gzip at all")).await;
        assert_eq!(read.unwrap_err().status, 400);
    }
}
