//! `_source`: what of a document is sent back.
//! <https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrieve-selected-fields>

use serde_json::Value;

use crate::error::ApiError;
use crate::json::Json;
use crate::mapping::is_match;
use crate::params::Params;

/// Each is compared with each field of each hit.
const MOST_NAMES: usize = 1_000;

/// What of a document is wanted.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    is_off: bool,
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl SourceFilter {
    /// From `_source` in a body.
    ///
    /// # Errors
    /// 400 for what is neither a switch, nor a name, nor names, nor an object with includes and
    /// excludes.
    pub fn parse(wanted: &Value) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        match wanted {
            Value::Bool(is_on) => filter.is_off = !is_on,
            Value::String(_) | Value::Array(_) => filter.includes = names(wanted)?,
            Value::Object(members) => {
                for (name, value) in members {
                    match name.as_str() {
                        "includes" | "include" => filter.includes = names(value)?,
                        "excludes" | "exclude" => filter.excludes = names(value)?,
                        other => {
                            return Err(ApiError::parsing(format!(
                                "Unknown key for a VALUE_STRING in [{other}]."
                            )));
                        }
                    }
                }
            }
            other => {
                return Err(ApiError::parsing(format!(
                    "Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] but found [{}]",
                    crate::query::token(other)
                )));
            }
        }
        Ok(filter)
    }

    /// From the parameters of a request.
    ///
    /// # Errors
    /// None yet; the form is that of [`Self::parse`].
    pub fn from_params(params: &Params) -> Result<Self, ApiError> {
        let list = |name: &str| -> Vec<String> {
            let text = params.text(name).unwrap_or_default();
            text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let mut filter = match params.text("_source") {
            None | Some("true" | "") => Self::default(),
            Some("false") => Self { is_off: true, ..Self::default() },
            Some(_) => Self { includes: list("_source"), ..Self::default() },
        };
        // They count more than a list in `_source`.
        for name in ["_source_includes", "_source_include"] {
            if params.text(name).is_some_and(|it| !it.is_empty()) {
                filter.includes = list(name);
            }
        }
        filter.excludes.extend(list("_source_excludes"));
        Ok(filter)
    }

    /// Whether nothing is wanted.
    pub fn is_off(&self) -> bool {
        self.is_off
    }

    /// Whether all of it is wanted, as it came.
    pub fn is_everything(&self) -> bool {
        !self.is_off && self.includes.is_empty() && self.excludes.is_empty()
    }

    /// What is wanted of a document as it came; `None` where nothing is.
    ///
    /// # Errors
    /// When the document on disk cannot be read.
    pub fn apply(&self, source: &[u8]) -> Result<Option<Json>, ApiError> {
        if self.is_off {
            return Ok(None);
        }
        let unreadable =
            |error| ApiError::unavailable(format!("a document cannot be read: {error}"));
        let text = std::str::from_utf8(source).map_err(|error| unreadable(error.to_string()))?;
        let document = Json::read(text).map_err(|error| unreadable(error.to_string()))?;
        if self.includes.is_empty() && self.excludes.is_empty() {
            return Ok(Some(document));
        }
        let kept = self.prune(document, &mut String::new(), self.includes.is_empty());
        Ok(Some(kept.unwrap_or(Json::EMPTY)))
    }

    fn prune(&self, value: Json, path: &mut String, is_in: bool) -> Option<Json> {
        match value {
            Json::Object(members) => {
                let mut kept = Vec::new();
                let length = path.len();
                for (name, member) in members {
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(&name);
                    let fits = |pattern: &String| is_match_of(pattern, path);
                    if !self.excludes.iter().any(fits) {
                        let is_in = is_in || self.includes.iter().any(fits);
                        if let Some(member) = self.prune(member, path, is_in) {
                            kept.push((name, member));
                        }
                    }
                    path.truncate(length);
                }
                (is_in || !kept.is_empty()).then_some(Json::Object(kept))
            }
            Json::Array(items) if !is_in => {
                let kept: Vec<Json> =
                    items.into_iter().filter_map(|item| self.prune(item, path, is_in)).collect();
                (!kept.is_empty()).then_some(Json::Array(kept))
            }
            Json::Array(items) => Some(Json::Array(
                items.into_iter().filter_map(|item| self.prune(item, path, is_in)).collect(),
            )),
            leaf @ Json::Leaf(_) => is_in.then_some(leaf),
        }
    }
}

/// Whether a pattern means a path, or an object that it is in: names may have dots.
fn is_match_of(pattern: &str, path: &str) -> bool {
    let objects = path.match_indices('.').filter_map(|(dot, _)| path.get(..dot));
    is_match(pattern, path) || objects.into_iter().any(|object| is_match(pattern, object))
}

fn names(value: &Value) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::parsing("Expected a name of a field, or several, in [_source]");
    match value {
        Value::String(name) => Ok(vec![name.clone()]),
        Value::Array(names) if names.len() > MOST_NAMES => {
            Err(ApiError::argument(format!("[_source] has at most {MOST_NAMES} names here")))
        }
        Value::Array(names) => {
            names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_included_and_not_excluded_is_kept() {
        let source = br#"{"a":{"b":1,"c":2},"d":[{"e":1,"f":2}],"g":3}"#;
        let kept = |wanted: Value| {
            let kept = SourceFilter::parse(&wanted).unwrap().apply(source).unwrap();
            kept.map(|kept| serde_json::from_str::<Value>(&kept.to_string()).unwrap())
        };
        assert_eq!(kept(json!(false)), None);
        assert_eq!(kept(json!("a")), Some(json!({ "a": { "b": 1, "c": 2 } })));
        assert_eq!(kept(json!(["a.b", "g"])), Some(json!({ "a": { "b": 1 }, "g": 3 })));
        assert_eq!(
            kept(json!({ "excludes": ["a.*", "d.e"] })),
            Some(json!({ "a": {}, "d": [{ "f": 2 }], "g": 3 }))
        );
        assert_eq!(kept(json!("d.f")), Some(json!({ "d": [{ "f": 2 }] })));
        assert_eq!(kept(json!("nothing")), Some(json!({})));
        let long = br#"{"n":123456789012345678901234567890,"f":1.50,"x":1}"#;
        let kept = SourceFilter::parse(&json!(["n", "f"])).unwrap().apply(long).unwrap();
        assert_eq!(
            kept.map(|kept| kept.to_string()).as_deref(),
            Some(r#"{"n":123456789012345678901234567890,"f":1.50}"#)
        );
    }
}
