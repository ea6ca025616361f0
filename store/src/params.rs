//! What stands behind the `?` of a request.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Uri;

use crate::error::ApiError;

/// What every request may have.
const COMMON: [&str; 5] = ["pretty", "human", "error_trace", "filter_path", "format"];
/// What every request may have that names indices.
const INDICES: [&str; 3] = ["ignore_unavailable", "allow_no_indices", "expand_wildcards"];

/// Of `filter_path`: each is compared with each value of an answer.
const MOST_PATHS: usize = 100;

/// Switches that change nothing here, but have to be one.
const SWITCHES: [&str; 13] = [
    "pretty",
    "human",
    "error_trace",
    "ignore_unavailable",
    "allow_no_indices",
    "request_cache",
    "allow_partial_search_results",
    "ccs_minimize_roundtrips",
    "list_executed_pipelines",
    "realtime",
    "include_defaults",
    "flat_settings",
    "local",
];

/// Whether another parameter that changes nothing here says something that it may.
fn fits(name: &str, value: &str) -> bool {
    let number = |least: u64| value.parse().is_ok_and(|number: u64| number >= least);
    match name {
        "format" => matches!(value, "json" | "text"),
        "search_type" => value == "query_then_fetch",
        "refresh" => matches!(value, "" | "true" | "false" | "wait_for"),
        // There is one copy of everything.
        "wait_for_active_shards" => matches!(value, "0" | "1" | "all"),
        "wait_for_status" => matches!(value, "green" | "yellow" | "red"),
        "batched_reduce_size" => number(2),
        "pre_filter_shard_size" | "max_concurrent_shard_requests" => number(1),
        "timeout" | "master_timeout" => value == "0" || duration(value).is_some(),
        _ => true,
    }
}

/// `500ms`, `30s`, `5m`, `1h` or `1d`; without an end for `-1`.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "-1" {
        return Some(Duration::MAX);
    }
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let seconds = |of: u64| number.checked_mul(of).map(Duration::from_secs);
    match unit {
        "nanos" => Some(Duration::from_nanos(number)),
        "micros" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
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
        for name in SWITCHES {
            self.switch(name)?;
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
