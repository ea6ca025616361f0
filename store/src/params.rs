//! What stands behind the `?` of a request.

use std::collections::BTreeMap;

use axum::http::Uri;

use crate::error::ApiError;

/// What every request may have.
const COMMON: [&str; 5] = ["pretty", "human", "error_trace", "filter_path", "format"];
/// What every request may have that names indices.
const INDICES: [&str; 3] = ["ignore_unavailable", "allow_no_indices", "expand_wildcards"];

/// Of `filter_path`: each is compared with each value of an answer.
const MOST_PATHS: usize = 100;

/// Whether a parameter that changes nothing here says something that it may.
fn fits(name: &str, value: &str) -> bool {
    let is_flag = matches!(value, "" | "true" | "false");
    let number = |least: u64| value.parse().is_ok_and(|number: u64| number >= least);
    match name {
        "pretty"
        | "human"
        | "error_trace"
        | "ignore_unavailable"
        | "allow_no_indices"
        | "request_cache"
        | "allow_partial_search_results"
        | "ccs_minimize_roundtrips"
        | "list_executed_pipelines"
        | "realtime"
        | "include_defaults"
        | "flat_settings"
        | "local" => is_flag,
        "format" => matches!(value, "json" | "text"),
        "search_type" => value == "query_then_fetch",
        "refresh" => is_flag || value == "wait_for",
        // There is one copy of everything.
        "wait_for_active_shards" => matches!(value, "0" | "1" | "all"),
        "wait_for_status" => matches!(value, "green" | "yellow" | "red"),
        "batched_reduce_size" => number(2),
        "pre_filter_shard_size" | "max_concurrent_shard_requests" => number(1),
        "timeout" | "master_timeout" => is_time(value),
        _ => true,
    }
}

/// Whether a text is a length of time, as Elasticsearch writes it.
pub fn is_time(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let has_number = text.len() > digits.len();
    matches!(text, "-1" | "0")
        || (has_number && matches!(digits, "nanos" | "micros" | "ms" | "s" | "m" | "h" | "d"))
}

/// The parameters of a request; of those that are there twice, the last.
#[derive(Debug, Clone, Default)]
pub struct Params {
    path: String,
    values: BTreeMap<String, String>,
}

impl Params {
    /// Of a request.
    pub fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let values = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { path: uri.path().to_owned(), values }
    }

    /// Refuses what is neither known here nor common to all, and more paths than anybody needs.
    ///
    /// # Errors
    /// 400, with the name.
    pub fn allow(&self, known: &[&str]) -> Result<(), ApiError> {
        let is_known =
            |name: &str| COMMON.contains(&name) || INDICES.contains(&name) || known.contains(&name);
        let paths = self.text("filter_path").unwrap_or_default().split(',').count();
        if paths > MOST_PATHS {
            return Err(ApiError::argument(format!(
                "[filter_path] has at most {MOST_PATHS} paths here, not {paths}"
            )));
        }
        if let Some((name, value)) = self.values.iter().find(|(name, value)| !fits(name, value)) {
            return Err(ApiError::argument(format!(
                "Failed to parse parameter [{name}] with value [{value}], or it is not supported by this store"
            )));
        }
        match self.values.keys().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => Err(ApiError::argument(format!(
                "request [{}] contains unrecognized parameter: [{name}]",
                self.path
            ))),
        }
    }

    /// A parameter as it stands.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A switch; one without a value is on.
    ///
    /// # Errors
    /// 400 for anything but true and false.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some("" | "true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::argument(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            ApiError::argument(format!(
                "Failed to parse int parameter [{name}] with value [{text}]"
            ))
        })
    }
}
