//! The parameters of a URL: each is taken once, and none may be left.

use std::collections::BTreeMap;

use super::source::SourceFilter;
use crate::error::ApiError;
use crate::query::{self, Query, illegal};

/// What is about the answer, or about a cluster that this is not: it changes nothing here.
const WITHOUT_EFFECT: [&str; 15] = [
    "allow_partial_search_results", "batched_reduce_size", "ccs_minimize_roundtrips", "error_trace",
    "expand_wildcards", "filter_path", "format", "human", "ignore_throttled",
    "max_concurrent_shard_requests", "pre_filter_shard_size", "preference", "pretty",
    "request_cache", "routing",
];

/// Those of one request.
#[derive(Debug, Clone)]
pub struct Parameters {
    path: String,
    left: BTreeMap<String, String>,
}

impl Parameters {
    /// Those of a request of a path.
    pub fn new(path: &str, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { path: path.to_owned(), left: pairs.into_iter().collect() }
    }

    /// Takes one.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.left.remove(name)
    }

    /// One that stays.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.left.get(name).map(String::as_str)
    }

    /// Takes one that is true, also when it stands alone, or false.
    ///
    /// # Errors
    /// When it is neither.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true" | "") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(illegal(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// Takes `q` and what belongs to it.
    ///
    /// # Errors
    /// When it is no query.
    pub fn query(&mut self) -> Result<Option<Query>, ApiError> {
        let field = self.take("df");
        let operator = self.take("default_operator");
        let lenient = self.flag("lenient")?;
        let all = match operator.as_deref().map(str::to_ascii_uppercase).as_deref() {
            None | Some("OR") => false,
            Some("AND") => true,
            Some(other) => return Err(illegal(format!("operator is AND or OR, not {other}"))),
        };
        let text = self.take("q");
        text.map(|text| query::from_text(&text, field.as_deref(), all, lenient)).transpose()
    }

    /// Takes what says which parts of documents are shown.
    pub fn source(&mut self) -> Option<SourceFilter> {
        let shown = self.take("_source");
        let includes = self.take("_source_includes");
        let excludes = self.take("_source_excludes");
        SourceFilter::from_text(shown.as_deref(), includes.as_deref(), excludes.as_deref())
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Naming what is.
    pub fn finish(self) -> Result<(), ApiError> {
        let mut left = self.left.keys().filter(|name| !WITHOUT_EFFECT.contains(&name.as_str()));
        match left.next() {
            None => Ok(()),
            Some(name) => Err(illegal(format!(
                "request [{}] contains unrecognized parameter: [{name}]",
                self.path
            ))),
        }
    }
}
