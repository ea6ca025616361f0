//! Mapping fields after their first value.
//! <https://www.elastic.co/docs/manage-data/data-store/mapping/dynamic-mapping>

use serde_json::{Map, Value, json};

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
    /// Members, which are fields of their own.
    Object,
}

/// What `match_mapping_type` may say beside `*`.
const KINDS: [&str; 7] = ["object", "string", "long", "double", "boolean", "date", "binary"];

impl Guess {
    /// As `match_mapping_type` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
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
    /// `match_mapping_type`; one of them is enough, as below.
    kinds: Option<Vec<String>>,
    /// `match` and `path_match`; each must fit where it is there.
    name: [Option<Vec<String>>; 2],
    /// `unmatch` and `path_unmatch`.
    not: [Option<Vec<String>>; 2],
    mapping: Value,
}

/// A text, or a list of them.
fn texts(rule: &Value, key: &str) -> Result<Option<Vec<String>>, ApiError> {
    let text = |value: &Value| {
        let refusal = || refused(&format!("[{key}] of a dynamic template is text, not {value}"));
        value.as_str().map(str::to_owned).ok_or_else(refusal)
    };
    match rule.get(key) {
        None => Ok(None),
        Some(Value::Array(values)) => values.iter().map(text).collect::<Result<_, _>>().map(Some),
        Some(value) => text(value).map(|text| Some(vec![text])),
    }
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
            if template.is_of_addresses() && template.exact_path().is_none() {
                return Err(refused(
                    "type [ip] in a dynamic template needs a [path_match] without * in this store, whose indices have columns for addresses from the start",
                ));
            }
        }
        Ok(templates)
    }

    fn parse(item: &Value) -> Result<Self, ApiError> {
        let named = item.as_object().filter(|item| item.len() == 1);
        let named = named.and_then(|item| item.iter().next());
        let Some((name, rule)) = named else {
            return Err(refused("A dynamic template must be defined with a name"));
        };
        for key in rule.as_object().into_iter().flat_map(Map::keys) {
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
        let kinds = texts(rule, "match_mapping_type")?;
        let is_none = |kind: &&String| *kind != "*" && !KINDS.contains(&kind.as_str());
        if let Some(kind) = kinds.iter().flatten().find(is_none) {
            let known = KINDS.join(", ");
            return Err(refused(&format!(
                "No field type matched on [{kind}], possible values are [{known}]"
            )));
        }
        Ok(Self {
            kinds,
            name: [texts(rule, "match")?, texts(rule, "path_match")?],
            not: [texts(rule, "unmatch")?, texts(rule, "path_unmatch")?],
            mapping,
        })
    }

    fn is_of_addresses(&self) -> bool {
        self.mapping.get("type").is_some_and(|kind| kind == "ip")
    }

    /// The only field that the template can be for.
    fn exact_path(&self) -> Option<&str> {
        let [path] = self.name[1].as_deref()? else { return None };
        (!path.contains('*')).then_some(path)
    }

    fn fits(&self, path: &str, guess: Guess) -> bool {
        let last = path.rsplit('.').next().unwrap_or(path);
        let is_kind = |kind: &String| kind == "*" || kind == guess.name();
        let kind = self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(is_kind));
        let matches = |patterns: &Option<Vec<String>>, text: &str| {
            let patterns = patterns.as_ref()?;
            Some(patterns.iter().any(|pattern| is_match(pattern, text)))
        };
        let [name, whole] = &self.name;
        let [not, not_whole] = &self.not;
        kind && matches(name, last).unwrap_or(true)
            && matches(whole, path).unwrap_or(true)
            && !matches(not, last).unwrap_or(false)
            && !matches(not_whole, path).unwrap_or(false)
    }
}

/// The list as Elasticsearch prints it: without brackets around what is alone.
pub(super) fn printed(list: &Value) -> Value {
    let mut list = list.clone();
    let items = list.as_array_mut().into_iter().flatten();
    let rules = items.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for (name, said) in rules.filter_map(Value::as_object_mut).flat_map(Map::iter_mut) {
        if let Some([only]) = said.as_array().map(Vec::as_slice).filter(|_| name != "mapping") {
            *said = only.clone();
        }
    }
    list
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
    /// Refuses a name that is not mapped where none may be new.
    ///
    /// # Errors
    /// As Elasticsearch does.
    pub fn may_have_more(&self, path: &str) -> Result<(), ApiError> {
        if self.dynamic == DynamicMode::Strict { Err(strict(path)) } else { Ok(()) }
    }

    /// Fields that may become addresses: an index has columns for them from the start.
    pub fn addresses_to_come(&self) -> impl Iterator<Item = &str> {
        let templates = self.templates.iter().filter(|template| template.is_of_addresses());
        templates.filter_map(Template::exact_path).filter(|path| self.field(path).is_none())
    }

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
        let mut dots = path.match_indices('.').map(|(dot, _)| dot).collect::<Vec<_>>();
        dots.push(path.len());
        for end in dots {
            let object = path.get(..end).unwrap_or(path);
            if !self.has_object(object) {
                self.add_object(object)?;
            }
            if self.is_opaque(object) {
                break;
            }
        }
        Ok(true)
    }

    /// Maps an object as the first template that fits says, whose parents are mapped.
    fn add_object(&mut self, path: &str) -> Result<(), ApiError> {
        if self.count >= MOST_FIELDS {
            return Err(ApiError::argument(format!(
                "Limit of total fields [{MOST_FIELDS}] has been exceeded while adding new fields [1]"
            )));
        }
        if let Some(field) = self.field(path) {
            return Err(ApiError::argument(format!(
                "can't merge a non object mapping [{path}] with an object mapping: part of it is a field of type [{}]",
                field.declared_type()
            )));
        }
        let fitting = self.templates.iter().find(|template| template.fits(path, Guess::Object));
        let declared = fitting.map_or_else(|| json!({}), |template| template.mapping.clone());
        match declared.get("type").and_then(Value::as_str) {
            None | Some("{dynamic_type}") => {
                self.object(path).is_object = true;
                self.count += 1;
                Ok(())
            }
            Some("object") => self.merge_object(path, &declared, (0, false)),
            Some(kind) => Err(ApiError::new(
                400,
                "document_parsing_exception",
                format!(
                    "failed to parse field [{path}] of type [{kind}], as a dynamic template says: it is an object here"
                ),
            )),
        }
    }

    /// Whether what is in the object at a path is stored only.
    pub(super) fn is_opaque(&self, path: &str) -> bool {
        let mut node = &self.root;
        path.split('.').any(|name| match node.child(name) {
            Some(child) => {
                node = child;
                child.is_opaque
            }
            None => false,
        })
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
            Guess::Object => "object",
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
