//! The options of an aggregation.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::query::{Dates, illegal};

/// The options of one aggregation; each is taken once, and none may be left.
pub(super) struct Options {
    kind: &'static str,
    left: Map<String, Value>,
}

impl Options {
    pub(super) fn new(kind: &'static str, members: &Map<String, Value>) -> Self {
        Self { kind, left: members.clone() }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn failed(&self, name: &str) -> ApiError {
        let reason = format!("[{}] failed to parse field [{name}]", self.kind);
        ApiError::new(400, "x_content_parse_exception", reason)
    }

    pub(super) fn field(&mut self) -> Result<String, ApiError> {
        match self.take("field") {
            Some(Value::String(field)) => Ok(field),
            Some(_) => Err(self.failed("field")),
            None => Err(illegal(format!(
                "Required one of fields [field, script], but none were specified for [{}].",
                self.kind
            ))),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<f64>, ApiError> {
        let number = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        number.filter(|number| number.is_finite()).map(Some).ok_or_else(|| self.failed(name))
    }

    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| self.failed(name)),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.failed(name)),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.failed(name)),
        }
    }

    pub(super) fn dates(&mut self) -> Result<Dates, ApiError> {
        let format = self.text("format")?;
        format.map_or_else(|| Ok(Dates::default()), |format| Dates::parse(&format).map_err(illegal))
    }

    pub(super) fn bounds(&mut self, name: &str) -> Result<Option<(Value, Value)>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(mut members)) => {
                let both = members.remove("min").zip(members.remove("max"));
                both.filter(|_| members.is_empty()).map(Some).ok_or_else(|| self.failed(name))
            }
            Some(_) => Err(self.failed(name)),
        }
    }

    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::new(
                400,
                "x_content_parse_exception",
                format!("[{}] unknown field [{name}]", self.kind),
            )),
        }
    }
}
