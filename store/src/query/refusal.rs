//! What a request is refused with, in the shapes of Elasticsearch.

use serde_json::Value;

use crate::error::ApiError;

/// A request that is not understood.
pub(crate) fn parsing(reason: impl Into<String>) -> ApiError {
    ApiError::new(400, "parsing_exception", reason)
}

/// A request that is understood, and makes no sense.
pub(crate) fn illegal(reason: impl Into<String>) -> ApiError {
    ApiError::new(400, "illegal_argument_exception", reason)
}

/// What Elasticsearch finds out only when it asks a shard.
pub(crate) fn shard_failure(kind: &'static str, reason: impl Into<String>) -> ApiError {
    ApiError::new(400, "search_phase_execution_exception", "all shards failed")
        .with_root_cause(kind, reason)
}

/// A query that does not fit the fields it asks.
pub(super) fn misfit(reason: impl std::fmt::Display) -> ApiError {
    shard_failure("query_shard_exception", format!("failed to create query: {reason}"))
}

/// What Elasticsearch calls the beginning of a value.
pub(crate) fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}
