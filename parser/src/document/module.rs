//! What Elastic's dashboards of web servers ask for, beyond what lines say: the module that would have
//! read the log, what kind of event a line is, whom it relates to. Most of it is the same in all
//! documents of a file, and is in the frame.

#[cfg(test)]
mod tests;

use serde::Deserialize;

use super::text_of;
use crate::request::Request;

/// A module of Elastic's, whose dashboards the documents are for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the server that it is called after")]
pub enum ModuleKind {
    Nginx,
    Apache,
    Iis,
}

impl ModuleKind {
    /// As it is written, in the order of the manual.
    pub const NAMES: &[&str] = &["nginx", "apache", "iis"];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Iis => "iis",
        }
    }
}

/// The parts of a document that it adds, as JSON text.
#[derive(Debug, Clone)]
pub struct Module {
    /// In place of the `event` of the frame, for requests, left open.
    pub event_of_request: Vec<u8>,
    /// Behind the dataset in the `event` of other lines.
    pub event: Vec<u8>,
    /// The whole of `data_stream`, with a comma behind it.
    pub data_stream: Vec<u8>,
    /// In `host`, with a comma before it.
    pub host: Vec<u8>,
}

impl Module {
    /// Of the files of this host that have this dataset.
    pub fn new(kind: ModuleKind, dataset: &str, host: &str) -> Self {
        let (name, dataset) = (kind.name().as_bytes(), dataset.as_bytes());
        let of_all = b",\"kind\":\"event\",\"category\":[\"web\"],\"module\":\"";
        let event = text_of(&[of_all, name, b"\""]);
        let opening = text_of(&[b"\"event\":{\"dataset\":\"", dataset, b"\""]);
        let event_of_request = [&opening[..], &event, b",\"type\":[\"access\"]"].concat();
        let data_stream = text_of(&[
            b"\"data_stream\":{\"type\":\"logs\",\"dataset\":\"",
            dataset,
            b"\",\"namespace\":\"default\"},",
        ]);
        let host = text_of(&[b",\"hostname\":\"", host.as_bytes(), b"\""]);
        Self { event_of_request, event, data_stream, host }
    }
}

/// How a request ended, as a member behind others.
pub fn outcome(request: &Request<'_>) -> &'static [u8] {
    match request.status {
        None => b"",
        Some(..400) => b",\"outcome\":\"success\"",
        Some(_) => b",\"outcome\":\"failure\"",
    }
}
