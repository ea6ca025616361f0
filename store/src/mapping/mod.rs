//! The mapping of an index: which fields there are and of which kind, from a template or found out
//! from documents.
//! <https://www.elastic.co/docs/manage-data/data-store/mapping>
//!
//! It is parsed from Elasticsearch's JSON and printed as that. Types that mean the same here are
//! one [`FieldKind`], but are printed as they were declared. What is not known is refused by name.

mod dynamic;
mod metadata;
mod parse;
mod precision;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tantivy::schema::{Field, FieldType, Schema};

use self::dynamic::Template;
pub use self::dynamic::{Guess, is_match};
pub use self::metadata::{DOC_COUNT, PRIMARY_TERM, of_the_server};
pub use self::precision::Precision;
use crate::error::ApiError;

/// More fields than these are refused, as Elasticsearch does by `index.mapping.total_fields.limit`.
pub const MOST_FIELDS: usize = 1000;
/// Objects inside objects, at most; Elasticsearch's `index.mapping.depth.limit`.
pub const MOST_DEPTH: usize = 20;

/// What values of a field are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// A string as a whole: `keyword`, `wildcard`, `constant_keyword`.
    Keyword {
        /// Longer ones, in characters, are stored but not searchable.
        ignore_above: Option<usize>,
    },
    /// Words: `text`, `match_only_text`.
    Text,
    /// A whole number of 64 bits: `long`, `integer`, `short`, `byte`.
    Long,
    /// A number: `double`, `float`, `half_float`, `scaled_float`.
    Double,
    /// `boolean`.
    Boolean,
    /// A moment: `date`, `date_nanos`.
    Date,
    /// An address, IPv4 or IPv6: `ip`.
    Ip,
    /// Stored in the document, and that is all: `index` and `doc_values` are false.
    Unsearchable,
}

/// Where a value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A column of the schema.
    Field(Field),
    /// A field of the schema with words.
    Text(Field),
    /// A path that was mapped later.
    Later(Arc<str>),
    /// Such a path with words.
    LaterText(Arc<str>),
}

/// A field that is mapped.
#[derive(Debug, Clone)]
pub struct MappedField {
    /// What its values are.
    pub kind: FieldKind,
    /// What is kept of them.
    pub precision: Precision,
    /// As it is printed, without `fields`.
    declared: Map<String, Value>,
    /// Where its values go.
    pub target: Target,
    /// The same values once more, mapped in another way: `path.name`.
    pub subfields: Vec<(Box<str>, MappedField)>,
    /// Its own `ignore_malformed`, if it has one.
    ignores_malformed: Option<bool>,
}

impl MappedField {
    /// Its type as it was declared.
    pub fn declared_type(&self) -> &str {
        self.declared.get("type").and_then(Value::as_str).unwrap_or("object")
    }

    /// Whether there is room for its values: addresses have it only where they were mapped from the start.
    pub fn is_indexable(&self) -> bool {
        self.kind != FieldKind::Ip || !matches!(self.target, Target::Later(_))
    }

    /// Whether another one is the same, with the same subfields or fewer.
    pub fn is_declared_as(&self, other: &Self) -> bool {
        let has = |(name, subfield): &(Box<str>, Self)| {
            let own = self.subfields.iter().find(|(own, _)| own == name);
            own.is_some_and(|(_, own)| own.is_declared_as(subfield))
        };
        self.declared == other.declared && other.subfields.iter().all(has)
    }
}

/// Fields below a name.
#[derive(Debug, Clone, Default)]
pub struct Node {
    children: BTreeMap<Box<str>, Node>,
    /// The field of this name; it then has no children.
    field: Option<Box<MappedField>>,
    /// For an object of which nothing else may be known.
    is_object: bool,
    /// For an object with `enabled: false`: whatever is in it is stored only.
    is_opaque: bool,
}

impl Node {
    /// What is mapped under a name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.get(name)
    }

    /// The field here.
    pub fn field(&self) -> Option<&MappedField> {
        self.field.as_deref()
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.is_object || self.is_opaque || !self.children.is_empty()
    }

    /// Whether what is in it is not looked at.
    pub fn is_opaque(&self) -> bool {
        self.is_opaque
    }
}

/// What happens to fields that are not mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DynamicMode {
    /// They are mapped after their first value.
    #[default]
    True,
    /// New fields are stored, but not mapped.
    False,
    /// The document is refused.
    Strict,
}

/// What an index does with values and fields that its mapping does not take, instead of refusing the
/// document: it stores them, and they are not searchable. By its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tolerance {
    /// Values that are not what their field is: `index.mapping.ignore_malformed`.
    pub of_values: bool,
    /// Fields beyond the limit: `index.mapping.total_fields.ignore_dynamic_beyond_limit`.
    pub of_fields: bool,
}

impl Tolerance {
    /// As the settings of an index say, in which names may be nested or joined by dots.
    pub fn of_settings(settings: &Value) -> Self {
        let says = |path: &str| {
            let value =
                setting(settings, path).or_else(|| setting(settings, path.strip_prefix("index.")?));
            value.is_some_and(|value| *value == Value::Bool(true) || value == "true")
        };
        Self {
            of_values: says("index.mapping.ignore_malformed"),
            of_fields: says("index.mapping.total_fields.ignore_dynamic_beyond_limit"),
        }
    }
}

/// What stands at a path, whichever of its dots are written as nesting.
fn setting<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    if let Some(found) = members.get(path) {
        return Some(found);
    }
    let mut dots = path.match_indices('.').map(|(dot, _)| path.split_at(dot));
    dots.find_map(|(name, rest)| setting(members.get(name)?, rest.strip_prefix('.')?))
}

/// The mapping of one index.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    root: Node,
    dynamic: DynamicMode,
    date_detection: bool,
    templates: Vec<Template>,
    /// What of the JSON has no effect but is printed again: `_meta`, `dynamic_templates` and such.
    printed: Map<String, Value>,
    count: usize,
    /// What is taken although it does not fit.
    tolerance: Tolerance,
}

impl Mapping {
    /// With what is taken although it does not fit.
    #[must_use]
    pub fn tolerant(self, tolerance: Tolerance) -> Self {
        Self { tolerance, ..self }
    }

    /// Whether a value of this field that is not what the field is may be stored without being
    /// searchable: a number, a date, an address or a boolean.
    pub fn ignores_malformed(&self, field: &MappedField) -> bool {
        let can_be = matches!(
            field.kind,
            FieldKind::Long
                | FieldKind::Double
                | FieldKind::Date
                | FieldKind::Ip
                | FieldKind::Boolean
        );
        can_be && field.ignores_malformed.unwrap_or(self.tolerance.of_values)
    }

    /// Where fields begin.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What happens to fields that are not mapped.
    pub fn dynamic(&self) -> DynamicMode {
        self.dynamic
    }

    /// The field at a path, or the subfield.
    pub fn field(&self, path: &str) -> Option<&MappedField> {
        let mut node = &self.root;
        let mut rest = path;
        loop {
            if let Some(field) = node.field() {
                let found = field.subfields.iter().find(|(name, _)| **name == *rest);
                return found.map(|(_, field)| field);
            }
            let (name, after) = rest.split_once('.').unwrap_or((rest, ""));
            node = node.child(name)?;
            if after.is_empty() {
                return node.field();
            }
            rest = after;
        }
    }

    /// What values of the field at a path are.
    pub fn kind(&self, path: &str) -> Option<&FieldKind> {
        self.field(path).map(|field| &field.kind)
    }

    /// Every field and subfield with its path, in the order of paths.
    pub fn fields(&self) -> Vec<(String, &MappedField)> {
        let mut fields = Vec::new();
        collect(&self.root, &mut String::new(), &mut fields);
        fields
    }

    /// Has the values of fields that a schema has go there.
    pub fn settle(&mut self, schema: &Schema) {
        settle(&mut self.root, &mut String::new(), schema);
    }

    /// Whether fields that are new are stored only, because there are so many.
    pub fn is_full(&self) -> bool {
        self.tolerance.of_fields && self.count >= MOST_FIELDS
    }

    /// How many fields there are, subfields included.
    pub fn count(&self) -> usize {
        self.count
    }

    /// As Elasticsearch prints it.
    pub fn to_json(&self) -> Value {
        let mut printed = self.printed.clone();
        let properties = properties(&self.root);
        if !properties.is_empty() {
            printed.insert("properties".to_owned(), Value::Object(properties));
        }
        Value::Object(printed)
    }

    /// Maps a field that is new, after its first value; or says how it is mapped meanwhile. `None`
    /// where it stays unmapped.
    ///
    /// # Errors
    /// When the document has to be refused for it.
    pub fn learn(&mut self, path: &str, guess: Guess) -> Result<Option<&MappedField>, ApiError> {
        match self.dynamic {
            DynamicMode::False => return Ok(None),
            DynamicMode::Strict => return Err(dynamic::strict(path)),
            DynamicMode::True => {}
        }
        if self.is_opaque(path) {
            return Ok(None);
        }
        let declared = self.declare(path, guess);
        if self.tolerance.of_fields && self.count + parse::size(&declared) > MOST_FIELDS {
            return Ok(None);
        }
        self.insert(path, &declared, false)?;
        Ok(self.field(path))
    }

    /// Adds a field as it is declared; one that is there must be the same.
    fn insert(&mut self, path: &str, declared: &Value, replaces: bool) -> Result<(), ApiError> {
        let field = parse::field(path, declared)?;
        let more = 1 + field.subfields.len();
        let mut node = &mut self.root;
        for (depth, name) in path.split('.').enumerate() {
            if name.is_empty() || depth >= MOST_DEPTH {
                return Err(ApiError::new(
                    400,
                    "document_parsing_exception",
                    format!("field name [{path}] has an empty part, or more than {MOST_DEPTH}"),
                ));
            }
            if let Some(field) = &node.field {
                return Err(ApiError::argument(format!(
                    "can't merge a non object mapping [{path}] with an object mapping: part of it is a field of type [{}]",
                    field.declared_type()
                )));
            }
            node = node.children.entry(name.into()).or_default();
        }
        if let Some(old) = node.field.as_mut().filter(|_| replaces) {
            self.count = (self.count + more).saturating_sub(1 + old.subfields.len());
            **old = field;
            return Ok(());
        }
        if let Some(old) = &node.field {
            if old.declared_type() == field.declared_type() {
                return Ok(());
            }
            return Err(ApiError::argument(format!(
                "mapper [{path}] cannot be changed from type [{}] to [{}]",
                old.declared_type(),
                field.declared_type()
            )));
        }
        if node.is_object() {
            return Err(ApiError::argument(format!(
                "can't merge an object mapping [{path}] with a non object mapping"
            )));
        }
        if self.count + more > MOST_FIELDS {
            return Err(ApiError::argument(format!(
                "Limit of total fields [{MOST_FIELDS}] has been exceeded while adding new fields [{more}]"
            )));
        }
        node.field = Some(Box::new(field));
        self.count += more;
        Ok(())
    }
}

fn collect<'a>(node: &'a Node, path: &mut String, fields: &mut Vec<(String, &'a MappedField)>) {
    let length = path.len();
    for (name, child) in &node.children {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        if let Some(field) = child.field() {
            fields.push((path.clone(), field));
            for (name, subfield) in &field.subfields {
                fields.push((format!("{path}.{name}"), subfield));
            }
        }
        collect(child, path, fields);
        path.truncate(length);
    }
}

/// Where the values of a field of the schema go.
fn target(kind: &FieldKind, field: Field) -> Target {
    match kind {
        FieldKind::Text => Target::Text(field),
        _ => Target::Field(field),
    }
}

/// The field of a schema that is for a path; not one that was kept for addresses and is something else now.
pub fn column(schema: &Schema, path: &str, kind: &FieldKind) -> Option<Field> {
    let found = schema.get_field(path).ok()?;
    let is_for_addresses =
        matches!(schema.get_field_entry(found).field_type(), FieldType::IpAddr(_));
    (is_for_addresses == (*kind == FieldKind::Ip)).then_some(found)
}

fn settle(node: &mut Node, path: &mut String, schema: &Schema) {
    let length = path.len();
    for (name, child) in &mut node.children {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        if let Some(field) = &mut child.field {
            if let Some(found) = column(schema, path, &field.kind) {
                field.target = target(&field.kind, found);
            }
            for (name, subfield) in &mut field.subfields {
                if let Some(found) = column(schema, &format!("{path}.{name}"), &subfield.kind) {
                    subfield.target = target(&subfield.kind, found);
                }
            }
        }
        settle(child, path, schema);
        path.truncate(length);
    }
}

fn properties(node: &Node) -> Map<String, Value> {
    let mut printed_members = Map::new();
    for (name, child) in &node.children {
        let printed = if let Some(field) = child.field() {
            let mut declared = field.declared.clone();
            if !field.subfields.is_empty() {
                let fields = field.subfields.iter();
                let fields: Map<String, Value> = fields
                    .map(|(name, field)| (name.to_string(), Value::Object(field.declared.clone())))
                    .collect();
                declared.insert("fields".to_owned(), Value::Object(fields));
            }
            Value::Object(declared)
        } else if child.is_opaque {
            json!({ "type": "object", "enabled": false })
        } else if child.children.is_empty() {
            json!({ "type": "object" })
        } else {
            json!({ "properties": properties(child) })
        };
        printed_members.insert(name.to_string(), printed);
    }
    printed_members
}
