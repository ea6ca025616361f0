//! What a document is refused with.

use super::place::Nowhere;
use super::{LONGEST_PATH, Sink};
use crate::error::ApiError;
use crate::mapping::{DOC_COUNT, MappedField};

/// How many characters of a value or name are quoted.
const PREVIEW: usize = 50;

/// 400: the document is refused.
pub fn refused(reason: String) -> ApiError {
    ApiError::new(400, "document_parsing_exception", reason)
}

/// The beginning of a text that may be long.
pub fn preview(text: &str) -> &str {
    text.char_indices().nth(PREVIEW).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

impl Sink<'_> {
    /// A value is not one of its field.
    pub fn no_value(&self, field: &str, kind: &str, value: &str) -> ApiError {
        refused(format!(
            "failed to parse field [{field}] of type [{kind}] in document with id '{}'. Preview of field's value: '{}'",
            self.document.id,
            preview(value)
        ))
    }

    /// There is an object where a field is.
    pub fn no_object(&self, field: &MappedField) -> ApiError {
        refused(format!(
            "failed to parse field [{}] of type [{}] in document with id '{}': it is an object here",
            preview(&self.path),
            field.declared_type(),
            self.document.id
        ))
    }

    /// An address for a field that became one after its index was made, for which there is no column.
    pub fn later_address(path: &str) -> ApiError {
        refused(format!(
            "field [{}] of type [ip] is not in the mapping that its index was made with, which this store needs: make a new index with it",
            preview(path)
        ))
    }

    /// A field of Elasticsearch's own has a value.
    pub fn of_the_server(&self, name: &str, value: &str) -> ApiError {
        let cause = refused(format!(
            "Field [{name}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
        ));
        self.no_value(name, name, value).with("caused_by", cause.cause())
    }

    /// What a document counts for is no count.
    pub fn no_count(&self, value: &str) -> ApiError {
        let cause = ApiError::argument(format!(
            "Field [{DOC_COUNT}] must be a positive integer, and only one."
        ));
        self.no_value(DOC_COUNT, DOC_COUNT, value).with("caused_by", cause.cause())
    }

    /// A path is longer than any field's.
    pub fn too_long(&self) -> ApiError {
        refused(format!(
            "failed to parse: the path of field [{}] has {} bytes, expected at most {LONGEST_PATH}",
            preview(&self.path),
            self.path.len()
        ))
    }

    /// Nothing can stand under a name.
    pub fn nowhere(&self, name: &str, why: &Nowhere<'_>) -> ApiError {
        match why {
            Nowhere::InField(field) => self.no_object(field),
            Nowhere::InServer(own) => refused(format!(
                "failed to parse: Could not dynamically add mapping for field [{}]. Existing mapping for [{own}] must be of type object but found [{own}].",
                preview(name)
            )),
            Nowhere::Odd(reason) => {
                refused(format!("failed to parse: {reason}: [{}]", preview(&self.path)))
            }
        }
    }
}
