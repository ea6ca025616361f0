//! What `[[monitor.step]]` and `[monitor.fields]` say, and the checks of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omphalos_common::config::{ConfigError, read_private};
use omphalos_common::ecs::{FieldType, Role, is_path, role};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::enrich::{self, Database, Enrich, Finder};
use super::hash::Key;
use super::mask::{self, Mask};
use super::own::OwnFields;
use super::view::json_of;
use super::when::{Condition, LEVEL_NAMES, severity};
use super::{Action, Step, Steps};

/// So many steps a monitor may have.
const MOST_STEPS: usize = 64;
/// Longer patterns are refused.
const MOST_PATTERN_BYTES: usize = 4096;
/// More than this a compiled pattern may not take.
pub const MOST_COMPILED_BYTES: usize = 4 << 20;
/// More databases have nothing more to say of an address.
const MOST_DATABASES: usize = 8;
/// Names of fields have at most so many parts,
const MOST_PARTS: usize = 8;
/// and so many bytes.
const MOST_NAME_BYTES: usize = 256;

/// What a step does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/steps.md says what each does")]
pub enum StepKind {
    Set,
    Rename,
    DropField,
    Keep,
    Drop,
    Sample,
    Mask,
    Hash,
    Url,
    Split,
    UserAgent,
    Geoip,
}

impl StepKind {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Rename => "rename",
            Self::DropField => "drop_field",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::Sample => "sample",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Url => "url",
            Self::Split => "split",
            Self::UserAgent => "user_agent",
            Self::Geoip => "geoip",
        }
    }

    /// What it takes besides its name: what it must have, and what it may have.
    fn options(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Set => (&["field", "value"], &[]),
            Self::Rename => (&["field", "to"], &[]),
            Self::DropField => (&["fields"], &[]),
            Self::Keep | Self::Drop => (&[], &["field", "pattern", "level"]),
            Self::Sample => (&["one_of"], &["field", "pattern", "level"]),
            Self::Mask => (&[], &["fields", "what"]),
            Self::Hash => (&["fields", "key_file"], &[]),
            Self::Url | Self::UserAgent => (&[], &["field"]),
            Self::Split => (&["field", "separator"], &[]),
            Self::Geoip => (&["database"], &["field", "to"]),
        }
    }
}

/// A value that settings give to a field.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum FieldValue {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<FieldValue>),
    Table(FieldTable),
}

/// Fields with their values, and tables of them.
pub type FieldTable = BTreeMap<String, FieldValue>;

/// A `[[monitor.step]]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/steps.md says what each is")]
pub struct StepSettings {
    pub step: StepKind,
    pub name: Option<String>,
    pub field: Option<String>,
    pub fields: Option<Vec<String>>,
    pub to: Option<String>,
    pub value: Option<FieldValue>,
    pub pattern: Option<String>,
    pub level: Option<String>,
    pub one_of: Option<u32>,
    pub what: Option<Vec<Mask>>,
    pub key_file: Option<PathBuf>,
    pub separator: Option<String>,
    pub database: Option<DatabasePaths>,
}

/// One file, or several.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum DatabasePaths {
    One(PathBuf),
    List(Vec<PathBuf>),
}

impl Steps {
    /// The steps that settings say, checked; `None` where there are none.
    ///
    /// # Errors
    /// When one cannot be used; the message names it.
    pub fn of_settings(steps: &[StepSettings]) -> Result<Option<Arc<Self>>, ConfigError> {
        if steps.len() > MOST_STEPS {
            return Err(ConfigError::invalid(format!(
                "monitor.step: expected at most {MOST_STEPS} steps, found {}",
                steps.len()
            )));
        }
        let checked = steps.iter().enumerate().map(|(number, step)| {
            step.checked().map_err(|problem| {
                let (number, kind) = (number + 1, step.step.name());
                ConfigError::invalid(format!("monitor.step, number {number} ({kind}): {problem}"))
            })
        });
        let steps: Vec<Step> = checked.collect::<Result<_, _>>()?;
        Ok((!steps.is_empty()).then(|| Arc::new(Self { steps })))
    }
}

impl StepSettings {
    fn checked(&self) -> Result<Step, String> {
        self.check_options()?;
        let name = self.name.as_deref().unwrap_or(self.step.name());
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_free = !matches!(name, "empty" | "directive");
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_word) || !is_free {
            return Err(format!(
                "name: expected up to 64 letters, digits, _ and -, and neither empty nor directive, found {name:?}"
            ));
        }
        Ok(Step { name: Arc::from(name), kind: self.step, action: self.action()? })
    }

    /// Which options are given.
    fn given(&self) -> Vec<&'static str> {
        [
            ("field", self.field.is_some()),
            ("fields", self.fields.is_some()),
            ("to", self.to.is_some()),
            ("value", self.value.is_some()),
            ("pattern", self.pattern.is_some()),
            ("level", self.level.is_some()),
            ("one_of", self.one_of.is_some()),
            ("what", self.what.is_some()),
            ("key_file", self.key_file.is_some()),
            ("separator", self.separator.is_some()),
            ("database", self.database.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
        .collect()
    }

    fn check_options(&self) -> Result<(), String> {
        let (needed, allowed) = self.step.options();
        let given = self.given();
        if let Some(missing) = needed.iter().find(|name| !given.contains(name)) {
            return Err(format!("expected `{missing}`, found none"));
        }
        let is_useless = |name: &&&str| !needed.contains(name) && !allowed.contains(name);
        match given.iter().find(is_useless) {
            Some(useless) => {
                Err(format!("expected no `{useless}`, which this step has no use for"))
            }
            None => Ok(()),
        }
    }

    fn action(&self) -> Result<Action, String> {
        let field = || writable("field", self.field.as_deref().unwrap_or_default());
        Ok(match self.step {
            StepKind::Set => {
                let field = field()?;
                let value = self.value.as_ref().ok_or("expected `value`, found none")?;
                let json = json_for(&field, value)?;
                Action::Set { field, json }
            }
            StepKind::Rename => {
                let to = writable("to", self.to.as_deref().unwrap_or_default())?;
                if matches!(role(&to), Role::Object(_) | Role::Nowhere) {
                    return Err(format!("to: {to} is no field in the index"));
                }
                Action::Rename { field: field()?, to }
            }
            StepKind::DropField => Action::DropField(self.fields(writable)?),
            StepKind::Keep => Action::Keep(self.condition()?.ok_or(NO_CONDITION)?),
            StepKind::Drop => Action::Drop(self.condition()?.ok_or(NO_CONDITION)?),
            StepKind::Sample => match self.one_of {
                Some(one_of @ 2..) => Action::Sample { one_of, among: self.condition()? },
                _ => return Err("one_of: expected 2 or more, found less".to_owned()),
            },
            StepKind::Mask => {
                let what = self.what.clone().unwrap_or_else(|| mask::ALL.to_vec());
                let fields = self.fields.is_some().then(|| self.fields(maskable)).transpose()?;
                Action::Mask { what, fields }
            }
            StepKind::Hash => Action::Hash { fields: self.fields(hashable)?, key: self.key()? },
            StepKind::Url => {
                let field = self.field.as_deref().unwrap_or("url.original");
                Action::Url { field: readable("field", field)? }
            }
            StepKind::Split => {
                let separator = self.separator.as_deref().unwrap_or_default();
                if separator.is_empty() {
                    return Err("separator: expected a text, found an empty one".to_owned());
                }
                let field = field()?;
                if matches!(role(&field), Role::Field(kind) if !kind.is_text()) {
                    return Err(format!("field: {field} is no text in the index"));
                }
                Action::Split { field, separator: separator.into() }
            }
            StepKind::UserAgent => {
                let (field, object) = enrich::AGENT;
                let field = readable("field", self.field.as_deref().unwrap_or(field))?;
                let finder = Finder::Agents(enrich::rules()?);
                Action::Enrich(Box::new(Enrich::new(field, object.into(), finder)))
            }
            StepKind::Geoip => self.geoip()?,
        })
    }

    fn geoip(&self) -> Result<Action, String> {
        let (field, _) = enrich::ADDRESS;
        let field = readable("field", self.field.as_deref().unwrap_or(field))?;
        let object = match (&self.to, field.rsplit_once('.')) {
            (Some(to), _) => Box::from(to.as_str()),
            (None, Some((object, _))) => Box::from(object),
            (None, None) => {
                return Err(format!(
                    "to: expected the name of the object that geo and as are added to, because {field} is in none, found none"
                ));
            }
        };
        for name in ["geo", "as"] {
            let name = writable("to", &format!("{object}.{name}"))?;
            if matches!(role(&name), Role::Field(_) | Role::Nowhere) {
                return Err(format!("to: {name} is no object in the index"));
            }
        }
        let paths = match &self.database {
            Some(DatabasePaths::One(path)) => std::slice::from_ref(path),
            Some(DatabasePaths::List(paths)) => paths,
            None => &[],
        };
        if paths.is_empty() || paths.len() > MOST_DATABASES {
            return Err(format!(
                "database: expected one to {MOST_DATABASES} files, found {}",
                paths.len()
            ));
        }
        let databases: Vec<Arc<Database>> = paths
            .iter()
            .map(|path| Database::open(path).map_err(|problem| format!("database: {problem}")))
            .collect::<Result<_, _>>()?;
        Ok(Action::Enrich(Box::new(Enrich::new(field, object, Finder::Places(databases)))))
    }

    fn fields(
        &self,
        check: impl Fn(&str, &str) -> Result<Box<str>, String>,
    ) -> Result<Vec<Box<str>>, String> {
        let fields = self.fields.as_deref().unwrap_or_default();
        if fields.is_empty() {
            return Err("fields: expected names of fields, found none".to_owned());
        }
        fields.iter().map(|field| check("fields", field)).collect()
    }

    fn condition(&self) -> Result<Option<Condition>, String> {
        Ok(Some(match (&self.field, &self.pattern, &self.level) {
            (None, None, None) => return Ok(None),
            (Some(field), pattern, None) => {
                let pattern = pattern.as_deref().map(pattern_of).transpose()?;
                Condition::Field(readable("field", field)?, pattern)
            }
            (None, None, Some(level)) => Condition::Level(
                severity(level)
                    .ok_or_else(|| format!("level: expected {LEVEL_NAMES}, found {level:?}"))?,
            ),
            (None, Some(_), _) => return Err("pattern: expected `field` as well".to_owned()),
            (Some(_), _, Some(_)) => {
                return Err("expected `field` or `level`, found both; write two steps".to_owned());
            }
        }))
    }

    fn key(&self) -> Result<Key, String> {
        let path = self.key_file.as_deref().unwrap_or(Path::new(""));
        let text = read_private(path)
            .map_err(|problem| format!("key_file: {}: {problem}", path.display()))?;
        Key::new(text.trim()).map_err(|problem| format!("key_file: {}: {problem}", path.display()))
    }
}

const NO_CONDITION: &str = "expected `field`, with or without `pattern`, or `level`, found neither";

fn pattern_of(text: &str) -> Result<Regex, String> {
    if text.len() > MOST_PATTERN_BYTES {
        return Err(format!(
            "pattern: expected at most {MOST_PATTERN_BYTES} bytes, found {}",
            text.len()
        ));
    }
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(MOST_COMPILED_BYTES).dfa_size_limit(MOST_COMPILED_BYTES);
    builder.build().map_err(|error| format!("pattern: {error}"))
}

/// The name of a field that can be looked at.
fn readable(option: &str, name: &str) -> Result<Box<str>, String> {
    let is_name = is_path(name)
        && name.len() <= MOST_NAME_BYTES
        && name.split('.').count() <= MOST_PARTS
        && !name.starts_with('_');
    if !is_name {
        return Err(format!(
            "{option}: expected the name of a field such as labels.env, of at most {MOST_PARTS} parts and {MOST_NAME_BYTES} bytes, found {name:?}"
        ));
    }
    Ok(name.into())
}

/// What documents say of themselves: by these fields they are found, filed and audited.
const METADATA: [&str; 11] = [
    "@timestamp",
    "ecs",
    "event.dataset",
    "host.name",
    "host.id",
    "log.file.path",
    "log.offset",
    "tags",
    "unmerged",
    "error.message",
    "data_stream",
];

/// Whether a field says of the document what it is, and is nobody's to change.
pub fn is_metadata(name: &str) -> bool {
    METADATA.iter().any(|own| crate::document::collide(own, name))
}

/// The name of a field that can be changed.
fn writable(option: &str, name: &str) -> Result<Box<str>, String> {
    if is_metadata(name) {
        return Err(format!(
            "{option}: {name} is what the document says of itself, by which it is found; no step may change it"
        ));
    }
    readable(option, name)
}

/// Whatever the index has for it stays one after masking.
fn maskable(option: &str, name: &str) -> Result<Box<str>, String> {
    writable(option, name)
}

/// A hash is a text.
fn hashable(option: &str, name: &str) -> Result<Box<str>, String> {
    let name = writable(option, name)?;
    match role(&name) {
        Role::Field(kind) if !kind.is_text() => Err(format!(
            "{option}: {name} is no text in the index, and would be refused there; hash another field, and drop this one"
        )),
        Role::Object(_) => Err(format!("{option}: {name} is an object, not a field")),
        _ => Ok(name),
    }
}

/// The JSON of a value, if it is what the index has for the field.
fn json_for(field: &str, value: &FieldValue) -> Result<String, String> {
    let fits = |kind: FieldType| match value {
        FieldValue::Integer(_) => kind == FieldType::Long || kind.is_text(),
        FieldValue::Text(_) => kind.is_text() || kind == FieldType::Opaque,
        FieldValue::List(values) => {
            kind.is_text() && values.iter().all(|value| matches!(value, FieldValue::Text(_)))
        }
        FieldValue::Bool(_) | FieldValue::Float(_) | FieldValue::Table(_) => kind.is_text(),
    };
    match role(field) {
        Role::Field(kind) if !fits(kind) => {
            return Err(format!("{field} is {kind:?} in the index, and this value is none"));
        }
        Role::Object(_) => return Err(format!("{field} is an object in the index, not a field")),
        Role::Nowhere => return Err(format!("{field} is below what is no object in the index")),
        Role::Field(_) | Role::Free => {}
    }
    json(value).ok_or_else(|| {
        format!("{field}: expected a text, a number, true, false, or a list of those")
    })
}

/// The JSON of a value that is no table.
fn json(value: &FieldValue) -> Option<String> {
    Some(match value {
        FieldValue::Bool(is_true) => is_true.to_string(),
        FieldValue::Integer(number) => number.to_string(),
        FieldValue::Float(number) => number.is_finite().then(|| format!("{number:?}"))?,
        FieldValue::Text(text) => json_of(text),
        FieldValue::List(values) => {
            let plain = |value: &FieldValue| match value {
                FieldValue::List(_) => None,
                value => json(value),
            };
            let items: Vec<String> = values.iter().map(plain).collect::<Option<_>>()?;
            format!("[{}]", items.join(","))
        }
        FieldValue::Table(_) => return None,
    })
}

/// The fields that a `fields` table says, checked.
///
/// # Errors
/// When one cannot be used; the message names it.
pub fn own_fields(table: &FieldTable) -> Result<Option<Arc<OwnFields>>, ConfigError> {
    let mut fields = Vec::new();
    flatten("", table, &mut fields)
        .map_err(|problem| ConfigError::invalid(format!("fields: {problem}")))?;
    OwnFields::new(fields)
        .map(|own| own.map(Arc::new))
        .map_err(|name| ConfigError::invalid(format!("fields: {name} is there twice")))
}

fn flatten(
    above: &str,
    table: &FieldTable,
    fields: &mut Vec<(Box<str>, String)>,
) -> Result<(), String> {
    for (name, value) in table {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            FieldValue::Table(inner) => flatten(&path, inner, fields)?,
            value => {
                let path = writable("a name", &path)?;
                let json = json_for(&path, value)?;
                fields.push((path, json));
            }
        }
    }
    Ok(())
}
