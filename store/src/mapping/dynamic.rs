//! Mapping fields after their first value.
//! <https://www.elastic.co/docs/manage-data/data-store/mapping/dynamic-mapping>

use serde_json::{Value, json};

use super::parse::{check_template, refused};
use super::{DynamicMode, MOST_FIELDS, Mapping, Node};
use crate::error::ApiError;

/// What a first value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// A string, and whether it reads as a date.
    Text {
        /// Whether it reads as a date.
        is_date: bool,
    },
    /// A whole number.
    Long,
    /// A number.
    Double,
    /// True or false.
    Boolean,
}

impl Guess {
    /// As `match_mapping_type` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Text { is_date: true } => "date",
            Self::Text { is_date: false } => "string",
            Self::Long => "long",
            Self::Double => "double",
            Self::Boolean => "boolean",
        }
    }
}

/// A rule of `dynamic_templates`.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// `match_mapping_type`.
    kind: Option<String>,
    /// `match` and `path_match`; each must fit where it is there.
    name: [Option<String>; 2],
    /// `unmatch` and `path_unmatch`.
    not: [Option<String>; 2],
    mapping: Value,
}

impl Template {
    /// Parses the list.
    pub(super) fn parse_all(list: &Value) -> Result<Vec<Self>, ApiError> {
        let items = list.as_array().ok_or_else(|| {
            refused("Dynamic template syntax error. An array of named objects is expected.")
        })?;
        let templates: Vec<Self> = items.iter().map(Self::parse).collect::<Result<_, _>>()?;
        for template in &templates {
            check_template(&template.mapping)?;
        }
        Ok(templates)
    }

    fn parse(item: &Value) -> Result<Self, ApiError> {
        let named = item.as_object().and_then(|item| item.iter().next());
        let Some((name, rule)) = named else {
            return Err(refused("A dynamic template must be defined with a name"));
        };
        let text = |key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
        for key in rule.as_object().into_iter().flat_map(serde_json::Map::keys) {
            let is_known = matches!(
                key.as_str(),
                "match_mapping_type"
                    | "match"
                    | "unmatch"
                    | "path_match"
                    | "path_unmatch"
                    | "mapping"
            );
            if !is_known {
                return Err(refused(&format!(
                    "dynamic template [{name}] has an unsupported parameter [{key}]"
                )));
            }
        }
        let mapping = rule
            .get("mapping")
            .cloned()
            .ok_or_else(|| refused(&format!("template [{name}] must have a mapping set")))?;
        Ok(Self {
            kind: text("match_mapping_type"),
            name: [text("match"), text("path_match")],
            not: [text("unmatch"), text("path_unmatch")],
            mapping,
        })
    }

    fn fits(&self, path: &str, guess: Guess) -> bool {
        let last = path.rsplit('.').next().unwrap_or(path);
        let kind = self.kind.as_deref().is_none_or(|kind| kind == "*" || kind == guess.name());
        let matches = |pattern: &Option<String>, text: &str| {
            pattern.as_deref().map(|pattern| is_match(pattern, text))
        };
        let [name, whole] = &self.name;
        let [not, not_whole] = &self.not;
        kind && matches(name, last).unwrap_or(true)
            && matches(whole, path).unwrap_or(true)
            && !matches(not, last).unwrap_or(false)
            && !matches(not_whole, path).unwrap_or(false)
    }
}

/// 400: nothing new is mapped.
pub(super) fn strict(path: &str) -> ApiError {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("_doc", path));
    let reason = format!(
        "mapping set to strict, dynamic introduction of [{name}] within [{parent}] is not allowed"
    );
    ApiError::new(400, "strict_dynamic_mapping_exception", reason)
}

impl Mapping {
    /// Whether there is an object at `path`.
    pub fn has_object(&self, path: &str) -> bool {
        let mut names = path.split('.');
        names.try_fold(&self.root, |node, name| node.child(name)).is_some_and(Node::is_object)
    }

    /// Maps an object that is new, whatever is in it; says whether that changes anything.
    ///
    /// # Errors
    /// When the document has to be refused for it.
    pub fn learn_object(&mut self, path: &str) -> Result<bool, ApiError> {
        match self.dynamic {
            DynamicMode::False => return Ok(false),
            DynamicMode::Strict => return Err(strict(path)),
            DynamicMode::True => {}
        }
        if self.has_object(path) || self.is_full() {
            return Ok(false);
        }
        if self.count >= MOST_FIELDS {
            return Err(ApiError::argument(format!(
                "Limit of total fields [{MOST_FIELDS}] has been exceeded while adding new fields [1]"
            )));
        }
        let mut node = &mut self.root;
        for name in path.split('.') {
            node = node.children.entry(name.into()).or_default();
            if let Some(field) = &node.field {
                return Err(ApiError::argument(format!(
                    "can't merge a non object mapping [{path}] with an object mapping: part of it is a field of type [{}]",
                    field.declared_type()
                )));
            }
        }
        node.is_object = true;
        self.count += 1;
        Ok(true)
    }

    /// How a new field is declared.
    pub(super) fn declare(&self, path: &str, guess: Guess) -> Value {
        let guess = match guess {
            Guess::Text { is_date } => Guess::Text { is_date: is_date && self.date_detection },
            other => other,
        };
        let fitting = self.templates.iter().find(|template| template.fits(path, guess));
        let default = match guess {
            Guess::Text { is_date: true } => "date",
            Guess::Text { is_date: false } => "text",
            Guess::Long => "long",
            Guess::Double => "float",
            Guess::Boolean => "boolean",
        };
        if let Some(template) = fitting {
            let mut mapping = template.mapping.clone();
            if let Some(members) = mapping.as_object_mut() {
                let kind = members.entry("type").or_insert_with(|| Value::from(default));
                if *kind == "{dynamic_type}" {
                    *kind = Value::from(default);
                }
            }
            return mapping;
        }
        match guess {
            Guess::Text { is_date: false } => json!({
                "type": "text", "fields": { "keyword": { "type": "keyword", "ignore_above": 256 } }
            }),
            _ => json!({ "type": default }),
        }
    }
}

/// Whether a pattern with `*` fits.
pub fn is_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}
