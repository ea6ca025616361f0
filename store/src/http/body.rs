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

/// How much is being worked on.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<AtomicUsize>);

/// A body, for as long as it counts.
#[derive(Debug)]
pub struct Held {
    /// As text.
    pub text: Arc<str>,
    _room: Room,
}

#[derive(Debug)]
struct Room {
    pressure: Pressure,
    bytes: usize,
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
            return Err(ApiError::new(
                429,
                "es_rejected_execution_exception",
                format!(
                    "rejected execution: {before} bytes are being worked on, {bytes} more would be above the limit of {TOGETHER}; send it again later"
                ),
            ));
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
        let bytes = if is_gzip {
            let unpacked = unpack(&read)?;
            room = self.room(unpacked.len())?;
            unpacked
        } else {
            Vec::from(read)
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            ApiError::parsing(format!("the body is not UTF-8: {}", error.utf8_error()))
        })?;
        Ok(Held { text: text.into(), _room: room })
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let read = MultiGzDecoder::new(packed).take(limit + 1).read_to_end(&mut unpacked);
    read.map_err(|error| ApiError::parsing(format!("the body is not gzip: {error}")))?;
    if unpacked.len() > LARGEST {
        return Err(too_large(unpacked.len()));
    }
    Ok(unpacked)
}

fn too_large(bytes: usize) -> ApiError {
    ApiError::new(
        413,
        "content_too_long_exception",
        format!("the body has {bytes} bytes or more, the limit is {LARGEST}; send it in parts"),
    )
}
