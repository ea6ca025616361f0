//! What stands in a bulk: action lines, and the documents behind them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::http::documents::{no_alias, no_data_stream, no_pipeline};
use crate::index::Outcome;

/// A longer id, in bytes, is refused.
pub const LONGEST_ID: usize = 512;

/// What is to be done with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Index,
    Delete,
    Update,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Delete => "delete",
            Self::Update => "update",
        }
    }
}

/// One operation, and what became of it.
pub(super) struct Item {
    pub action: Action,
    pub index: Arc<str>,
    pub id: String,
    pub source: Range<usize>,
    /// Whether its index has to be an alias: for the sake of the others nothing of that name is made then.
    pub wants_alias: bool,
    /// Whether its index should be a data stream.
    pub wants_data_stream: bool,
    pub result: Option<Result<Outcome, ApiError>>,
}

/// An action line, as it mostly is.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Create(Meta),
    Index(Meta),
    Delete(Meta),
    Update(Meta),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Meta {
    #[serde(default, rename = "_index")]
    index: Option<Id>,
    #[serde(default, rename = "_id")]
    id: Option<Id>,
    /// Old writers say it of every document, and there is only one.
    #[serde(default, rename = "_type")]
    kind: Option<String>,
    #[serde(default)]
    pipeline: Option<String>,
    #[serde(default)]
    require_alias: Option<bool>,
    #[serde(default)]
    require_data_stream: Option<bool>,
    #[serde(default)]
    list_executed_pipelines: Option<bool>,
    #[serde(default)]
    routing: Option<Value>,
    #[serde(default)]
    dynamic_templates: Option<Value>,
    #[serde(default)]
    version: Option<Value>,
    #[serde(default)]
    version_type: Option<String>,
    #[serde(default)]
    if_seq_no: Option<Value>,
    #[serde(default)]
    if_primary_term: Option<Value>,
    /// Of documents that are written whole there is no conflict to try again after.
    #[serde(default, rename = "retry_on_conflict")]
    _retries: Option<Value>,
    #[serde(default)]
    op_type: Option<String>,
}

impl Meta {
    /// Why Elasticsearch takes nothing of a bulk with such a line.
    fn invalid(&self, action: Action) -> Option<&'static str> {
        let is_external = self.version_type.as_ref().is_some_and(|kind| kind != "internal");
        let compares = self.if_seq_no.is_some() || self.if_primary_term.is_some();
        match action {
            Action::Delete | Action::Update
                if self.id.as_ref().is_none_or(|Id(id)| id.is_empty()) =>
            {
                Some("id is missing")
            }
            Action::Create if is_external => {
                Some("create operations only support internal versioning. use index instead")
            }
            Action::Create if self.version.is_some() => {
                Some("create operations do not support explicit versions. use index instead")
            }
            Action::Create if compares => {
                Some("create operations do not support compare and set. use index instead")
            }
            _ if is_external && self.version.is_none() => {
                Some("illegal version value [-3] for this version type")
            }
            _ if !is_external && self.version.is_some() => Some(
                "internal versioning can not be used for optimistic concurrency control. Please use `if_seq_no` and `if_primary_term` instead",
            ),
            _ if self.if_seq_no.is_some() != self.if_primary_term.is_some() => {
                Some("one of ifSeqNo and primary term is set, and the other is not")
            }
            _ => None,
        }
    }

    /// Why an item is refused that asks for what is not there. The others of a bulk are not.
    fn refused(&self, action: Action, index: &str) -> Option<ApiError> {
        if self.require_alias == Some(true) {
            return Some(no_alias(index));
        }
        if self.require_data_stream == Some(true) {
            return Some(no_data_stream(index));
        }
        if let Some(name) = self.pipeline.as_ref().filter(|name| *name != "_none") {
            return Some(no_pipeline(name));
        }
        let is_usual =
            |text: &Option<String>, usual: &str| text.as_ref().is_none_or(|text| text == usual);
        let unsupported = [
            ("routing", self.routing.is_some()),
            (
                "dynamic_templates",
                self.dynamic_templates.as_ref().is_some_and(|it| *it != json!({})),
            ),
            ("version", self.version.is_some()),
            ("version_type", !is_usual(&self.version_type, "internal")),
            ("if_seq_no", self.if_seq_no.is_some()),
            ("if_primary_term", self.if_primary_term.is_some()),
            ("_type", !is_usual(&self.kind, "_doc")),
            ("op_type", !is_usual(&self.op_type, action.name())),
            ("list_executed_pipelines", self.list_executed_pipelines == Some(true)),
        ];
        let (name, _) = unsupported.into_iter().find(|(_, is_there)| *is_there)?;
        Some(ApiError::argument(format!("[{name}] is not supported in an action of a bulk")))
    }
}

/// A number is an id too, or a name, as are `true` and `false`.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Id;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an id")
            }

            fn visit_str<E>(self, id: &str) -> Result<Id, E> {
                Ok(Id(id.to_owned()))
            }

            fn visit_bool<E>(self, id: bool) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_i64<E>(self, id: i64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_f64<E>(self, id: f64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_u64<E>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }
        }
        json.deserialize_any(Either)
    }
}

/// Reads all action lines, and where their documents stand.
pub(super) fn items(body: &str, index: Option<&str>) -> Result<Vec<Item>, ApiError> {
    if body.trim().is_empty() {
        return Err(ApiError::new(400, "parse_exception", "request body is required"));
    }
    if !body.ends_with('\n') {
        return Err(ApiError::argument("The bulk request must be terminated by a newline [\\n]"));
    }
    let mut items = Vec::with_capacity(body.len() / 600 + 1);
    let mut lines = Lines { body, at: 0, number: 0 };
    while let Some(line) = lines.next() {
        let text = body.get(line).unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let (mut action, meta) = action(text, lines.number)?;
        if action == Action::Index && meta.op_type.as_deref() == Some("create") {
            action = Action::Create;
        }
        let number = lines.number;
        let is_lost = index.is_none() && meta.index.is_none();
        if let Some(reason) = meta.invalid(action).or(is_lost.then_some("index is missing")) {
            let reason = format!("Validation Failed: 1: {reason}; (line [{number}])");
            return Err(ApiError::new(400, "action_request_validation_exception", reason));
        }
        let source = match action {
            Action::Delete => 0..0,
            _ => lines.next().ok_or_else(|| {
                ApiError::argument(format!(
                    "Malformed action/metadata line [{}], expected a document after it",
                    lines.number
                ))
            })?,
        };
        let item = item(action, meta, source, (index, items.last()));
        items.push(item);
    }
    Ok(items)
}

fn action(text: &str, number: usize) -> Result<(Action, Meta), ApiError> {
    match serde_json::from_str(text) {
        Ok(Line::Create(meta)) => Ok((Action::Create, meta)),
        Ok(Line::Index(meta)) => Ok((Action::Index, meta)),
        Ok(Line::Delete(meta)) => Ok((Action::Delete, meta)),
        Ok(Line::Update(meta)) => Ok((Action::Update, meta)),
        Err(_) => unusual_action(text, number),
    }
}

/// Reads one step by step, to say what is wrong with it.
fn unusual_action(text: &str, number: usize) -> Result<(Action, Meta), ApiError> {
    let fail = |error: &serde_json::Error| {
        let kind =
            if error.is_eof() { "x_content_e_o_f_exception" } else { "x_content_parse_exception" };
        ApiError::new(400, kind, format!("[{number}:{}] {error}", error.column()))
    };
    let raw: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(text).map_err(|error| fail(&error))?;
    let malformed = |what: &str| {
        ApiError::argument(format!("Malformed action/metadata line [{number}], expected {what}"))
    };
    let mut members = raw.iter();
    let Some((name, raw)) = members.next() else {
        return Err(malformed("FIELD_NAME but found [END_OBJECT]"));
    };
    if members.next().is_some() {
        return Err(malformed("END_OBJECT but found [FIELD_NAME]"));
    }
    let action = match name.as_ref() {
        "create" => Action::Create,
        "index" => Action::Index,
        "delete" => Action::Delete,
        "update" => Action::Update,
        other => {
            return Err(malformed(&format!(
                "field [create], [delete], [index] or [update] but found [{other}]"
            )));
        }
    };
    let text = raw.get();
    let meta = serde_json::from_str(text).map_err(|error| {
        ApiError::argument(format!("Malformed action/metadata line [{number}]: {error}"))
    })?;
    Ok((action, meta))
}

fn item(
    action: Action,
    meta: Meta,
    source: Range<usize>,
    (index, before): (Option<&str>, Option<&Item>),
) -> Item {
    let index = meta.index.as_ref().map(|Id(name)| name.as_str()).or(index).unwrap_or_default();
    // Nearly always the one before.
    let index = match before {
        Some(Item { index: same, .. }) if **same == *index => Arc::clone(same),
        _ => index.into(),
    };
    let refused = meta.refused(action, &index);
    let given = meta.id.map(|Id(id)| id);
    let wants_alias = meta.require_alias == Some(true);
    let wants_data_stream = meta.require_data_stream == Some(true);
    let mut result = None;
    if action == Action::Update {
        result = Some(Err(ApiError::argument(
            "[update] is not supported: send the whole document with [index]",
        )));
    } else if let Some(problem) = given.as_deref().and_then(|id| wrong_id(id).err()) {
        result = Some(Err(problem));
    } else if let Some(problem) = refused {
        result = Some(Err(problem));
    }
    let id = given.unwrap_or_else(new_id);
    Item { action, index, id, source, wants_alias, wants_data_stream, result }
}

/// Whether this can be an id.
pub fn wrong_id(id: &str) -> Result<(), ApiError> {
    if id.is_empty() {
        return Err(ApiError::argument("if _id is specified it must not be empty"));
    }
    if id.len() > LONGEST_ID {
        let reason = format!(
            "Validation Failed: 1: id [{id}] is too long, must be no longer than {LONGEST_ID} bytes but was: {};",
            id.len()
        );
        return Err(ApiError::new(400, "action_request_validation_exception", reason));
    }
    Ok(())
}

/// An id for a document without one.
pub fn new_id() -> String {
    // In order of time, as those of the shipper are.
    let seconds = jiff::Timestamp::now().as_second();
    format!("{seconds:08x}{:024x}", rand::random::<u128>() >> 32)
}

/// The lines of a body, as ranges without their ends.
struct Lines<'a> {
    body: &'a str,
    at: usize,
    number: usize,
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').unwrap_or(rest.len());
        let line = self.at..self.at + length;
        self.at += length + 1;
        self.number += 1;
        Some(line)
    }
}
