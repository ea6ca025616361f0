//! Errors: those of the store itself, and those that a request is answered with, in the shape that
//! Elasticsearch gives them.
//! <https://www.elastic.co/docs/api/doc/elasticsearch/>

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::attempt::Ended;

/// Why the store cannot be opened, or cannot go on.
#[derive(thiserror::Error, Debug)]
pub enum StoreError {
    /// A file or directory cannot be used.
    #[error("store: {path}: {error}; the user who runs this must be able to write there")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "store: {0} is used by another process; stop that one, or choose another store.directory"
    )]
    Locked(PathBuf),
    /// It was written by a program that is not this one.
    #[error(
        "store: {directory} is of format {found:?}, and this program reads up to {}; run the program that wrote it, or choose another store.directory",
        crate::disk::FORMAT
    )]
    Format {
        /// Where it is.
        directory: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// Something in it cannot be read.
    #[error(
        "store: {path} is damaged: {reason}; move it away to go on without it, or restore it from a copy"
    )]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a request is refused with.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Such as `index_not_found_exception`.
    pub kind: &'static str,
    /// What is wrong, for people.
    pub reason: String,
    /// What else stands beside the reason, such as `index`.
    pub more: Vec<(&'static str, Value)>,
    /// What is behind it, where that is something else.
    pub root: Option<(&'static str, String)>,
}

impl ApiError {
    /// An error of a kind.
    pub fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { status, kind, reason: reason.into(), more: Vec::new(), root: None }
    }

    /// 400: the request cannot be read.
    pub fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
    }

    /// 400: a value cannot be used.
    pub fn argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    /// 404: there is no such index.
    pub fn no_index(name: &str) -> Self {
        let index = Value::from(name);
        Self::new(404, "index_not_found_exception", format!("no such index [{name}]"))
            .with("resource.type", Value::from("index_or_alias"))
            .with("resource.id", index.clone())
            .with("index_uuid", Value::from("_na_"))
            .with("index", index)
    }

    /// 503: try again; nothing is lost.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(503, "unavailable_shards_exception", reason)
    }

    /// 500: the work for the request panicked, which is a fault of the store.
    pub fn panicked(what: &str) -> Self {
        let reason = format!(
            "a fault in the store: {what}; the request is refused, and everything else goes on. Please report it, with the request and what the log says"
        );
        Self::new(500, "internal_error", reason)
    }

    /// With another member beside the reason.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more.push((name, value));
        self
    }

    /// With something else behind it.
    #[must_use]
    pub fn with_root_cause(mut self, kind: &'static str, reason: impl Into<String>) -> Self {
        self.root = Some((kind, reason.into()));
        self
    }

    /// The error alone, as in an item of a bulk.
    pub fn cause(&self) -> Value {
        let mut cause = json!({ "type": self.kind, "reason": self.reason });
        if let Some(cause) = cause.as_object_mut() {
            cause.extend(self.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        cause
    }

    /// The error with its root causes.
    pub fn error(&self) -> Value {
        let cause = self.cause();
        let root = match &self.root {
            Some((kind, reason)) => json!({ "type": kind, "reason": reason }),
            None => cause.clone(),
        };
        let mut error = json!({ "root_cause": [root] });
        if let (Some(error), Value::Object(cause)) = (error.as_object_mut(), cause) {
            error.extend(cause);
        }
        error
    }

    /// The whole answer.
    pub fn body(&self) -> Value {
        json!({ "error": self.error(), "status": self.status })
    }
}

/// What a request is refused with whose work was ended.
impl From<Ended> for ApiError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Panicked(what) => Self::panicked(&what),
            Ended::Stopped => Self::unavailable("the client has gone"),
            Ended::TooLarge => Self::new(
                429,
                "circuit_breaking_exception",
                "Data too large: the search needs more memory than one may have; ask for less at once: fewer buckets, fewer figures in each, a shorter time",
            ),
        }
    }
}

/// What tantivy says about an index; it is tried again by whoever sent the request.
impl From<tantivy::TantivyError> for ApiError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::unavailable(error.to_string())
    }
}
