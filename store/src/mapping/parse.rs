//! Mappings as they are written in requests and templates.

use serde_json::{Map, Value};

use super::dynamic::{self, Template};
use super::metadata::of_the_server;
use super::{DynamicMode, FieldKind, MOST_DEPTH, MappedField, Mapping, Node, Precision, Target};
use crate::error::ApiError;

/// What may stand beside any `type`.
const COMMON: [&str; 6] = ["type", "fields", "index", "doc_values", "store", "meta"];

/// What Elasticsearch knows beside some types, and does something for.
const UNSUPPORTED: [&str; 10] = [
    "copy_to",
    "fielddata",
    "index_phrases",
    "index_prefixes",
    "locale",
    "normalizer",
    "null_value",
    "script",
    "search_analyzer",
    "value",
];

/// What may stand beside a type, besides that; where it has to be of a value, of which one.
fn parameters(kind: &str) -> &'static [&'static str] {
    match kind {
        "keyword" | "wildcard" | "constant_keyword" => &[
            "ignore_above",
            "norms",
            "index_options",
            "similarity",
            "eager_global_ordinals",
            "time_series_dimension",
        ],
        "text" | "match_only_text" => {
            &["analyzer", "norms", "index_options", "similarity", "eager_global_ordinals"]
        }
        "scaled_float" => &["coerce", "ignore_malformed", "scaling_factor"],
        "long" | "integer" | "short" | "byte" | "double" | "float" | "half_float" => {
            &["coerce", "ignore_malformed"]
        }
        "date" | "date_nanos" => &["format", "ignore_malformed"],
        _ => &["ignore_malformed"],
    }
}

/// Whether a parameter says what is so here anyway.
fn is_usual(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("coerce", value) => *value == Value::Bool(true),
        ("similarity", value) => *value == "BM25",
        ("format", _) => false,
        _ => true,
    }
}

/// Whether this is the format that dates are written in without it. As in Elasticsearch, it is not printed.
fn is_usual_format(kind: &str, name: &str, value: &Value) -> bool {
    let usual = match kind {
        "date_nanos" => "strict_date_optional_time_nanos||epoch_millis",
        _ => "strict_date_optional_time||epoch_millis",
    };
    name == "format" && value == usual
}

impl Mapping {
    /// Parses `mappings`.
    ///
    /// # Errors
    /// Names what is not known or does not fit.
    pub fn parse(text: &Value) -> Result<Self, ApiError> {
        let mut mapping = Self { date_detection: true, ..Self::default() };
        mapping.merge(text)?;
        Ok(mapping)
    }

    /// Adds what a request adds. On an error part of it may be there; so callers merge into a copy.
    ///
    /// # Errors
    /// Names what is not known or does not fit what is there.
    pub fn merge(&mut self, text: &Value) -> Result<(), ApiError> {
        self.merge_as(text, false)
    }

    /// The same where what a request says counts more: that of a new index more than its template.
    ///
    /// # Errors
    /// Names what is not known or does not fit.
    pub fn merge_over(&mut self, text: &Value) -> Result<(), ApiError> {
        self.merge_as(text, true)
    }

    fn merge_as(&mut self, text: &Value, replaces: bool) -> Result<(), ApiError> {
        let Some(members) = text.as_object() else {
            return Err(refused("Expected map for the mapping"));
        };
        for (name, value) in members {
            match name.as_str() {
                "properties" => self.merge_properties("", value, (0, replaces))?,
                "dynamic" => self.dynamic = dynamic_mode(value)?,
                "date_detection" => {
                    self.date_detection = value.as_bool().ok_or_else(|| wrong(name, value))?;
                }
                "dynamic_templates" => self.templates = Template::parse_all(value)?,
                "_meta" | "_data_stream_timestamp" => {}
                "numeric_detection" if *value == Value::Bool(false) => {}
                "_source" if is_plain_source(value) => {}
                other => {
                    return Err(refused(&format!(
                        "Root mapping definition has unsupported parameters:  [{other} : {value}]"
                    )));
                }
            }
            // It is as it is without it, and not printed.
            if name != "properties" && name != "_source" {
                // As Elasticsearch prints it.
                let printed = match value {
                    Value::Bool(flag) if name == "dynamic" => Value::from(flag.to_string()),
                    value if name == "dynamic_templates" => dynamic::printed(value),
                    value => value.clone(),
                };
                self.printed.insert(name.clone(), printed);
            }
        }
        Ok(())
    }

    fn merge_properties(
        &mut self,
        prefix: &str,
        text: &Value,
        (depth, replaces): (usize, bool),
    ) -> Result<(), ApiError> {
        let Some(members) = text.as_object() else {
            return Err(refused("Expected map for property [properties]"));
        };
        if depth > MOST_DEPTH {
            return Err(refused(&format!(
                "Limit of mapping depth [{MOST_DEPTH}] has been exceeded"
            )));
        }
        for (name, declared) in members {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if let Some(own) = of_the_server(&path) {
                return Err(refused(&format!(
                    "Field [{own}] is defined more than once: it is a metadata field"
                )));
            }
            if name.trim().is_empty() {
                return Err(refused("field name cannot be an empty string, or blank"));
            }
            let kind = declared.get("type").and_then(Value::as_str);
            let is_object = matches!(kind, None | Some("object"));
            if !declared.is_object()
                || (is_object && declared.get("type").is_some_and(Value::is_null))
            {
                return Err(refused(&format!("Expected map for property [{path}]")));
            }
            if !is_object {
                self.insert(&path, declared, replaces)?;
                continue;
            }
            self.merge_object(&path, declared, (depth, replaces))?;
        }
        Ok(())
    }

    /// Adds what is said of an object.
    pub(super) fn merge_object(
        &mut self,
        path: &str,
        declared: &Value,
        (depth, replaces): (usize, bool),
    ) -> Result<(), ApiError> {
        check_object(path, declared)?;
        if declared.get("dynamic").is_some() && self.dynamic != DynamicMode::True {
            return Err(refused(&format!(
                "[dynamic] of the object [{path}], other than that of the mapping, is not supported by this store"
            )));
        }
        if declared.get("enabled").is_some_and(|enabled| *enabled == Value::Bool(false)) {
            self.object(path).is_opaque = true;
        } else if let Some(properties) = declared.get("properties") {
            self.merge_properties(path, properties, (depth + 1, replaces))?;
        } else if !self.has_object(path) {
            self.object(path).is_object = true;
            self.count += 1;
        }
        Ok(())
    }

    /// The object at a path.
    pub(super) fn object(&mut self, path: &str) -> &mut Node {
        path.split('.')
            .fold(&mut self.root, |node, name| node.children.entry(name.into()).or_default())
    }
}

/// Refuses what an object cannot have beside its properties.
fn check_object(path: &str, declared: &Value) -> Result<(), ApiError> {
    for (name, value) in declared.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("type" | "properties" | "enabled", _) => {}
            ("dynamic", value) if *value == Value::Bool(true) || value == "true" => {}
            ("dynamic" | "subobjects", _) => {
                return Err(refused(&format!(
                    "[{name}] of the object [{path}] is not supported by this store"
                )));
            }
            (name, value) => {
                return Err(refused(&format!(
                    "Mapping definition for [{path}] has unsupported parameters:  [{name} : {value}]"
                )));
            }
        }
    }
    Ok(())
}

/// Whether documents are kept as they came.
fn is_plain_source(value: &Value) -> bool {
    let members = value.as_object();
    members.is_some_and(|members| {
        members.iter().all(|(name, value)| {
            matches!((name.as_str(), value), ("enabled", Value::Bool(true)))
                || (name == "mode" && *value == "stored")
        })
    })
}

/// How many fields one is that is declared so, with its subfields.
pub(super) fn size(declared: &Value) -> usize {
    1 + declared.get("fields").and_then(Value::as_object).map_or(0, Map::len)
}

/// A field as it is declared.
pub(super) fn field(path: &str, declared: &Value) -> Result<MappedField, ApiError> {
    let Some(members) = declared.as_object() else {
        return Err(refused(&format!("Expected map for property [{path}]")));
    };
    let mut field = plain(path, members)?;
    if let Some(subfields) = members.get("fields") {
        let subfields = subfields.as_object().ok_or_else(|| {
            refused(&format!("expected map for property [fields] on field [{path}]"))
        })?;
        for (name, declared) in subfields {
            let members = declared
                .as_object()
                .ok_or_else(|| refused(&format!("expected map for [{path}.{name}]")))?;
            if name.contains('.') || name.is_empty() {
                return Err(refused(&format!("field name [{name}] in [{path}] cannot be used")));
            }
            field
                .subfields
                .push((name.as_str().into(), plain(&format!("{path}.{name}"), members)?));
        }
    }
    Ok(field)
}

fn plain(path: &str, members: &Map<String, Value>) -> Result<MappedField, ApiError> {
    let kind_name = members.get("type").and_then(Value::as_str).unwrap_or_default();
    for (name, value) in members {
        let is_known =
            COMMON.contains(&name.as_str()) || parameters(kind_name).contains(&name.as_str());
        if !is_known && UNSUPPORTED.contains(&name.as_str()) {
            return Err(refused(&format!(
                "parameter [{name}] on mapper [{path}] of type [{kind_name}] is not supported by this store"
            )));
        }
        if !is_known {
            return Err(refused(&format!(
                "unknown parameter [{name}] on mapper [{path}] of type [{kind_name}]"
            )));
        }
        if !is_usual(name, value) && !is_usual_format(kind_name, name, value) {
            return Err(refused(&format!(
                "parameter [{name}] of [{value}] on mapper [{path}] is not supported by this store"
            )));
        }
    }
    let is_off = |name: &str| members.get(name).is_some_and(|value| *value == Value::Bool(false));
    if is_off("doc_values") && !is_off("index") {
        // Every field that can be searched has columns.
        return Err(refused(&format!(
            "parameter [doc_values] of [false] on mapper [{path}] is not supported by this store, but where [index] is false too"
        )));
    }
    let kind = if is_off("index") && (is_off("doc_values") || kind_name.ends_with("text")) {
        kind(path, kind_name, members).map(|_| FieldKind::Unsearchable)
    } else {
        kind(path, kind_name, members)
    }?;
    let declared = members
        .iter()
        .filter(|(name, value)| *name != "fields" && !is_usual_format(kind_name, name, value));
    let declared = declared.map(|(name, value)| (name.clone(), value.clone())).collect();
    let target = match kind {
        FieldKind::Text => Target::LaterText(path.into()),
        _ => Target::Later(path.into()),
    };
    let ignores_malformed = members.get("ignore_malformed").and_then(Value::as_bool);
    let precision = Precision::of(kind_name, members);
    Ok(MappedField { kind, precision, declared, target, subfields: Vec::new(), ignores_malformed })
}

fn kind(path: &str, name: &str, members: &Map<String, Value>) -> Result<FieldKind, ApiError> {
    Ok(match name {
        "keyword" | "wildcard" | "constant_keyword" => {
            let limit = members.get("ignore_above").and_then(Value::as_u64);
            FieldKind::Keyword { ignore_above: limit.and_then(|limit| usize::try_from(limit).ok()) }
        }
        "text" | "match_only_text" => {
            let analyzer = members.get("analyzer").and_then(Value::as_str);
            if analyzer.is_some_and(|name| name != "standard") {
                return Err(refused(&format!(
                    "analyzer [{}] has not been configured in mappings: only [standard] is there",
                    analyzer.unwrap_or_default()
                )));
            }
            FieldKind::Text
        }
        "long" | "integer" | "short" | "byte" => FieldKind::Long,
        "double" | "float" | "half_float" | "scaled_float" => FieldKind::Double,
        "boolean" => FieldKind::Boolean,
        "date" | "date_nanos" => FieldKind::Date,
        "ip" => FieldKind::Ip,
        other => {
            return Err(refused(&format!(
                "No handler for type [{other}] declared on field [{}]",
                path.rsplit('.').next().unwrap_or(path)
            )));
        }
    })
}

/// Looks whether fields can be mapped as a dynamic template says: who has other types than there are
/// here learns that when the template comes, and not when a document does.
pub(super) fn check_template(mapping: &Value) -> Result<(), ApiError> {
    if mapping.to_string().contains("{name}") {
        return Err(refused("[{name}] in a dynamic template is not supported by this store"));
    }
    match (mapping.get("type").and_then(Value::as_str), mapping.as_object()) {
        (Some("object"), _) => check_object("{name}", mapping),
        (None | Some("{dynamic_type}"), _) | (_, None) => Ok(()),
        (Some(name), Some(members)) => kind("{name}", name, members).map(drop),
    }
}

fn dynamic_mode(value: &Value) -> Result<DynamicMode, ApiError> {
    match value {
        Value::Bool(true) => Ok(DynamicMode::True),
        Value::Bool(false) => Ok(DynamicMode::False),
        Value::String(text) if text == "true" => Ok(DynamicMode::True),
        Value::String(text) if text == "false" => Ok(DynamicMode::False),
        Value::String(text) if text == "strict" => Ok(DynamicMode::Strict),
        other => Err(wrong("dynamic", other)),
    }
}

fn wrong(name: &str, value: &Value) -> ApiError {
    refused(&format!("Failed to parse value [{value}] of [{name}]"))
}

/// 400: the mapping is refused.
pub(super) fn refused(reason: &str) -> ApiError {
    ApiError::new(400, "mapper_parsing_exception", reason)
}
