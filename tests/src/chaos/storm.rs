//! Others that write into the same Elasticsearch, more than it takes: it answers them, and us, with
//! 429.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use reqwest::blocking::{Client, Response};

const WRITERS: usize = 16;
const DOCUMENTS: usize = 300;

/// The storm; it ends when it is dropped.
pub struct Storm {
    is_over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    writers: Vec<JoinHandle<()>>,
}

impl Storm {
    /// Begins, at this URL, in an index of its own.
    pub fn begin(url: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicU64::new(0));
        let mut body = String::new();
        for number in 0..DOCUMENTS {
            writeln!(body, "{{\"create\":{{}}}}\n{{\"n\":{number}}}").expect("text");
        }
        let writer = |_| {
            let (is_over, refused) = (Arc::clone(&is_over), Arc::clone(&refused));
            let (url, body) = (format!("{url}/storm/_bulk"), body.clone());
            thread::spawn(move || {
                let client = Client::new();
                while !is_over.load(Ordering::Relaxed) {
                    let request = client.post(&url).header("Content-Type", "application/x-ndjson");
                    let answer = request.body(body.clone()).send().and_then(Response::text);
                    if answer.is_ok_and(|text| text.contains("\"status\":429")) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        };
        let writers = (0..WRITERS).map(writer).collect();
        Self { is_over, refused, writers }
    }

    /// How many requests were refused, or a part of them.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for writer in self.writers.drain(..) {
            writer.join().ok();
        }
    }
}
