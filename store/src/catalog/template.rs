//! Index templates: what new indices begin with.
//! <https://www.elastic.co/docs/manage-data/data-store/templates>

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::settings;
use crate::disk::{seal, unseal, write_durably};
use crate::error::{ApiError, StoreError};
use crate::mapping::{Mapping, is_match};

/// What may stand in a template.
const KNOWN: [&str; 6] =
    ["index_patterns", "priority", "version", "_meta", "template", "composed_of"];

/// A template that was checked.
#[derive(Debug, Clone)]
pub struct IndexTemplate {
    body: Value,
}

impl IndexTemplate {
    /// Checks a template.
    ///
    /// # Errors
    /// 400, with what is wrong in it.
    pub fn parse(name: &str, body: Value) -> Result<Self, ApiError> {
        let invalid = |reason: String| {
            ApiError::argument(format!("index template [{name}] invalid, cause [{reason}]"))
        };
        let members = body.as_object().ok_or_else(|| invalid("expected an object".to_owned()))?;
        for key in members.keys() {
            if !KNOWN.contains(&key.as_str()) {
                return Err(ApiError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[index_template] unknown field [{key}]"),
                ));
            }
        }
        if members
            .get("composed_of")
            .is_some_and(|it| it.as_array().is_none_or(|it| !it.is_empty()))
        {
            return Err(invalid("composed_of: component templates are not supported".to_owned()));
        }
        let template = Self { body };
        if template.patterns().is_empty() {
            return Err(ApiError::argument("Required [index_patterns]"));
        }
        settings::check(&template.settings())?;
        if template.body.get("priority").is_some_and(|priority| priority.as_u64().is_none()) {
            return Err(invalid("index template priority must be >= 0".to_owned()));
        }
        if let Some(odd) =
            template.patterns().into_iter().find(|it| it.contains(char::is_whitespace))
        {
            return Err(invalid(format!("index_patterns [{odd}] must not contain a space")));
        }
        Mapping::parse(&template.mappings()).map_err(|error| {
            ApiError::new(
                400,
                "illegal_argument_exception",
                format!(
                    "composable template [{name}] template after composition is invalid; {}",
                    error.reason
                ),
            )
            .with("caused_by", error.cause())
        })?;
        Ok(template)
    }

    /// What names it is for.
    pub fn patterns(&self) -> Vec<&str> {
        match self.body.get("index_patterns") {
            Some(Value::String(pattern)) => vec![pattern.as_str()],
            Some(Value::Array(patterns)) => patterns.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The mapping that it gives.
    pub fn mappings(&self) -> Value {
        self.body.pointer("/template/mappings").cloned().unwrap_or_else(|| json!({}))
    }

    /// The settings that it gives.
    pub fn settings(&self) -> Value {
        self.body.pointer("/template/settings").cloned().unwrap_or_else(|| json!({}))
    }

    /// As it is printed.
    pub fn printed(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(members) = body.as_object_mut() {
            let patterns = self.patterns().into_iter().map(Value::from).collect();
            members.insert("index_patterns".to_owned(), patterns);
            members.entry("composed_of").or_insert_with(|| json!([]));
        }
        body
    }

    /// The template as it was sent.
    pub fn body(&self) -> &Value {
        &self.body
    }

    fn priority(&self) -> u64 {
        self.body.get("priority").and_then(Value::as_u64).unwrap_or(0)
    }
}

/// All of them, in a file.
#[derive(Debug)]
pub struct Templates {
    path: PathBuf,
    templates: BTreeMap<String, IndexTemplate>,
}

impl Templates {
    pub(super) fn load(path: &Path) -> Result<Self, StoreError> {
        let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
        let mut templates = BTreeMap::new();
        match fs::read(path) {
            Ok(text) => {
                let text = unseal(text).map_err(|error| damaged(error.to_string()))?;
                let bodies: BTreeMap<String, Value> =
                    serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
                for (name, body) in bodies {
                    let template = IndexTemplate::parse(&name, body);
                    let template = template.map_err(|error| damaged(error.reason))?;
                    templates.insert(name, template);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::File { path: path.to_owned(), error }),
        }
        Ok(Self { path: path.to_owned(), templates })
    }

    /// The one of the highest priority among those that are for a name.
    pub fn for_index(&self, name: &str) -> Option<&IndexTemplate> {
        let fits =
            |template: &&IndexTemplate| template.patterns().iter().any(|it| is_match(it, name));
        self.templates.values().filter(fits).max_by_key(|template| template.priority())
    }

    /// Those whose names a pattern fits.
    pub fn matching(&self, pattern: &str) -> impl Iterator<Item = (&String, &IndexTemplate)> {
        self.templates.iter().filter(move |(name, _)| is_match(pattern, name))
    }

    /// Puts one, in place of the one of this name.
    ///
    /// # Errors
    /// 400 where it cannot be used; 503 where the disk does not take it.
    pub fn put(&mut self, name: &str, body: Value) -> Result<(), ApiError> {
        let template = IndexTemplate::parse(name, body)?;
        for (other, it) in self.templates.iter().filter(|(other, _)| *other != name) {
            let same = it.patterns().iter().any(|pattern| template.patterns().contains(pattern));
            if same && it.priority() == template.priority() {
                return Err(ApiError::argument(format!(
                    "index template [{name}] has index patterns {:?} matching patterns from existing templates [{other}] with the same priority [{}], multiple index templates may not match during index creation, please use a different priority",
                    template.patterns(),
                    it.priority()
                )));
            }
        }
        let old = self.templates.insert(name.to_owned(), template);
        self.save().inspect_err(|_| {
            match old {
                Some(old) => self.templates.insert(name.to_owned(), old),
                None => self.templates.remove(name),
            };
        })
    }

    /// Deletes one.
    ///
    /// # Errors
    /// 404 where it is not there; 503 where the disk does not take it.
    pub fn remove(&mut self, name: &str) -> Result<(), ApiError> {
        let Some(old) = self.templates.remove(name) else {
            return Err(ApiError::new(
                404,
                "index_template_missing_exception",
                format!("index_template [{name}] missing"),
            ));
        };
        self.save().inspect_err(|_| {
            self.templates.insert(name.to_owned(), old);
        })
    }

    fn save(&mut self) -> Result<(), ApiError> {
        let bodies: BTreeMap<&String, &Value> =
            self.templates.iter().map(|(name, template)| (name, template.body())).collect();
        let failed = |error: std::io::Error| {
            ApiError::unavailable(format!("{}: {error}", self.path.display()))
        };
        let text = serde_json::to_vec(&bodies).map_err(|error| failed(error.into()))?;
        write_durably(&self.path, &seal(&text)).map_err(failed)
    }
}
