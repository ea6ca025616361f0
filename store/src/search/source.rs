//! What of a document is shown: `_source` of a request.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::mapping::is_match;
use crate::query::{parsing, token};

/// Which parts of a document are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// Not even an empty object.
    pub is_hidden: bool,
    /// Only these, if there are any.
    includes: Vec<String>,
    /// And not these.
    excludes: Vec<String>,
}

impl SourceFilter {
    /// Reads `_source` of a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(value: &Value) -> Result<Self, ApiError> {
        let shown = |includes| Self { includes, ..Self::default() };
        match value {
            Value::Bool(is_shown) => Ok(Self { is_hidden: !is_shown, ..Self::default() }),
            Value::String(_) | Value::Array(_) => Ok(shown(names(value)?)),
            Value::Object(members) => {
                let mut filter = Self::default();
                for (key, value) in members {
                    match key.as_str() {
                        "includes" | "include" => filter.includes = names(value)?,
                        "excludes" | "exclude" => filter.excludes = names(value)?,
                        other => {
                            return Err(parsing(format!(
                                "Unknown key for a {} in [{other}].",
                                token(value)
                            )));
                        }
                    }
                }
                Ok(filter)
            }
            other => Err(parsing(format!(
                "Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] but found [{}]",
                token(other)
            ))),
        }
    }

    /// Reads `_source`, `_source_includes` and `_source_excludes` of a URL.
    pub fn from_text(
        shown: Option<&str>,
        includes: Option<&str>,
        excludes: Option<&str>,
    ) -> Option<Self> {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut filter = Self::default();
        match shown {
            Some("false") => filter.is_hidden = true,
            Some("true" | "") | None => {}
            Some(names) => filter.includes = list(names),
        }
        filter.includes.extend(includes.map(list).unwrap_or_default());
        filter.excludes.extend(excludes.map(list).unwrap_or_default());
        let is_said = shown.is_some() || includes.is_some() || excludes.is_some();
        is_said.then_some(filter)
    }

    /// Whether the document is shown as it came.
    pub fn is_everything(&self) -> bool {
        !self.is_hidden && self.includes.is_empty() && self.excludes.is_empty()
    }

    /// The document without what is not shown.
    pub fn apply(&self, document: Value) -> Value {
        match document {
            Value::Object(members) => {
                let kept = self.members(members, "", self.includes.is_empty());
                Value::Object(kept.unwrap_or_default())
            }
            other => other,
        }
    }

    /// `None` where nothing is left of something.
    fn members(
        &self,
        members: Map<String, Value>,
        above: &str,
        is_included: bool,
    ) -> Option<Map<String, Value>> {
        let was_empty = members.is_empty();
        let mut kept = Map::new();
        for (name, value) in members {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            if self.excludes.iter().any(|pattern| is_match(pattern, &path)) {
                continue;
            }
            let is_included =
                is_included || self.includes.iter().any(|pattern| is_match(pattern, &path));
            if let Some(value) = self.value(value, &path, is_included) {
                kept.insert(name, value);
            }
        }
        (!kept.is_empty() || (was_empty && is_included)).then_some(kept)
    }

    fn value(&self, value: Value, path: &str, is_included: bool) -> Option<Value> {
        match value {
            Value::Object(members) => self.members(members, path, is_included).map(Value::Object),
            Value::Array(values) => {
                let was_empty = values.is_empty();
                let kept = values.into_iter();
                let kept: Vec<Value> =
                    kept.filter_map(|value| self.value(value, path, is_included)).collect();
                (!kept.is_empty() || (was_empty && is_included)).then_some(Value::Array(kept))
            }
            value => is_included.then_some(value),
        }
    }
}

fn names(value: &Value) -> Result<Vec<String>, ApiError> {
    let one = |value: &Value| {
        let name = value.as_str().map(str::to_owned);
        name.ok_or_else(|| {
            parsing(format!("Unknown key for a {} in [_source].", token(value)))
        })
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}
