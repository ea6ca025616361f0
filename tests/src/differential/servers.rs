//! The two servers that are compared.

use reqwest::blocking::Client;
use serde_json::Value;

use super::requests::Request;
use crate::any_value;

/// One of them.
pub struct Server {
    url: String,
    client: Client,
}

impl Server {
    /// At a URL.
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), client: Client::new() }
    }

    /// The status and the answer; 0 and why, where there is none.
    pub fn send(&self, request: &Request) -> (u16, Value) {
        let kind = if request.path.contains("_bulk") {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        let mut sent =
            self.client.request(request.method.clone(), format!("{}/{}", self.url, request.path));
        if !request.body.is_empty() {
            sent = sent.header("Content-Type", kind).body(request.body.clone());
        }
        let answer = sent.send().and_then(|answer| {
            let status = answer.status().as_u16();
            Ok((status, answer.text()?))
        });
        match answer {
            Ok((status, text)) => (status, any_value(&text).unwrap_or(Value::String(text))),
            Err(error) => (0, Value::String(error.to_string())),
        }
    }
}
