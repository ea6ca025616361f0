//! For `fuzz/` and the replay of its inputs: what a request is read by, on an index that stays as it
//! is. Nothing of the product uses it.

use std::sync::Arc;

use crate::error::ApiError;
use crate::http::read_bulk;
use crate::index::Index;
use crate::params::Params;

/// Reads the body of a `_bulk` and all documents in it, as if all were for this index; says what
/// would become of each.
///
/// # Errors
/// Why the whole request is refused.
pub fn bulk(index: &Index, body: &Arc<String>) -> Result<Vec<Result<(), ApiError>>, ApiError> {
    read_bulk(index, body)
}

/// The parameters behind the `?` of a request.
pub fn params(query: &str) -> Option<Params> {
    let uri = format!("/_search?{query}").parse().ok()?;
    Some(Params::of(&uri))
}
