//! Names of indices, and expressions that mean several.
//! <https://www.elastic.co/docs/reference/elasticsearch/rest-apis/api-conventions>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::error::ApiError;
use crate::index::Index;
use crate::mapping::is_match;
use crate::params::Params;

/// A longer name, in bytes, is refused.
const LONGEST: usize = 255;

/// What an expression may mean.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Names that are not there are passed over.
    pub ignore_unavailable: bool,
    /// It may mean nothing at all.
    pub allow_no_indices: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { ignore_unavailable: false, allow_no_indices: true }
    }
}

impl Wanted {
    /// By the parameters of a request.
    ///
    /// # Errors
    /// 400 where one is neither true nor false.
    pub fn of(params: &Params) -> Result<Self, ApiError> {
        let usual = Self::default();
        let ignore_unavailable = params.switch("ignore_unavailable")?;
        let allow_no_indices = params.switch("allow_no_indices")?;
        Ok(Self {
            ignore_unavailable: ignore_unavailable.unwrap_or(usual.ignore_unavailable),
            allow_no_indices: allow_no_indices.unwrap_or(usual.allow_no_indices),
        })
    }
}

/// Whether this can be the name of an index, which is also that of a directory.
pub(super) fn check(name: &str) -> Result<(), ApiError> {
    let problem = if name.is_empty() || name == "." || name == ".." {
        "must not be '', '.' or '..'"
    } else if name.starts_with(['_', '-', '+']) {
        "must not start with '_', '-', or '+'"
    } else if name.starts_with('.') {
        "must not start with '.' in this store, where directories of such names are none of indices"
    } else if name.chars().any(char::is_uppercase) {
        "must be lowercase"
    } else if name.contains(|c: char| " \"*\\<|,>/?#:".contains(c) || c.is_control()) {
        "must not contain the following characters [' ','\"','*','\\\\','<','|',',','>','/','?','#',':']"
    } else if name.len() > LONGEST {
        "is too long, more than 255 bytes"
    } else {
        return Ok(());
    };
    Err(ApiError::new(
        400,
        "invalid_index_name_exception",
        format!("Invalid index name [{name}], {problem}"),
    )
    .with("index", Value::from(name)))
}

pub(super) fn resolve(
    indices: &BTreeMap<String, Arc<Index>>,
    expression: &str,
    wanted: Wanted,
) -> Result<Vec<Arc<Index>>, ApiError> {
    let mut found: BTreeMap<&String, &Arc<Index>> = BTreeMap::new();
    let mut had_pattern = false;
    let expression = if expression.is_empty() { "_all" } else { expression };
    for part in expression.split(',').filter(|part| !part.is_empty()) {
        let part = if part == "_all" { "*" } else { part };
        let excluded = part.strip_prefix('-').filter(|_| had_pattern);
        if let Some(pattern) = excluded {
            found.retain(|name, _| !is_match(pattern, name));
        } else if part.contains('*') {
            had_pattern = true;
            let matching: Vec<_> =
                indices.iter().filter(|(name, _)| is_match(part, name)).collect();
            if matching.is_empty() && !wanted.allow_no_indices {
                return Err(ApiError::no_index(part));
            }
            found.extend(matching);
        } else if let Some((name, index)) = indices.get_key_value(part) {
            found.insert(name, index);
        } else if !wanted.ignore_unavailable {
            return Err(ApiError::no_index(part));
        }
    }
    if found.is_empty() && !wanted.allow_no_indices {
        return Err(ApiError::no_index(expression));
    }
    Ok(found.into_values().cloned().collect())
}
