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
