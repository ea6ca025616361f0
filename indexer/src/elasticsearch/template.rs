//! The index template: the ECS mapping of our documents, fitted to what the server can do.
//!
//! Field types that a server does not have are replaced by ones that it has. Which ones it has is
//! told by its refusal of the template, so nothing is ever written to find out.

use omphalos_common::ecs::{FIELDS, FieldType};
use serde_json::{Map, Value, json};
use tracing::{debug, info};

use super::client::{Client, Fault};
use super::problem::Problem;

/// To be raised with every change of the mapping, so that indexers replace older templates and
/// leave newer ones alone.
pub const TEMPLATE_VERSION: u64 = 5;

/// Types that not every server has, and what serves instead.
const REPLACEMENTS: [(&str, &str); 3] =
    [("wildcard", "keyword"), ("match_only_text", "text"), ("geo_point", "object")];

/// Settings that not every server has, and that go without a replacement.
const DISPENSABLE: [&str; 1] = [IGNORE_BEYOND_LIMIT];

/// Fields beyond the limit are stored and not searchable, where the server knows that (Elasticsearch
/// 8.14, the embedded store); elsewhere they are refused, and indexed in their second form.
/// <https://www.elastic.co/docs/reference/elasticsearch/index-settings/mapping-limit>
const IGNORE_BEYOND_LIMIT: &str = "mapping.total_fields.ignore_dynamic_beyond_limit";

/// A number, date or address that is none stays in the document without being searchable
/// (`_ignored` tells), instead of making all its other fields text.
/// <https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/ignore-malformed>
const IGNORE_MALFORMED: &str = "mapping.ignore_malformed";

/// Strings longer than this, in characters, are stored but not searchable as a whole: a term of
/// Lucene has at most 32,766 bytes, and a character up to four.
const IGNORE_ABOVE: u32 = 8191;

/// Above the templates that come with the server, which have 100. Longer prefixes go before shorter
/// ones, because servers refuse templates that overlap (`logs-*` and `logs-web-*`) at one priority.
const BASE_PRIORITY: usize = 200;

/// What of a template is a setting.
#[derive(Debug, Clone)]
pub struct TemplateOptions {
    /// What index names begin with; also the template's name.
    pub prefix: String,
    /// Primary shards.
    pub shards: u32,
    /// Replicas; the cluster's default without.
    pub replicas: Option<u32>,
}

/// Installs the template, unless a newer one is there.
///
/// # Errors
/// [`Fault`] when the server refuses it for other reasons than a missing field type.
pub async fn install(client: &Client, options: &TemplateOptions) -> Result<(), Fault> {
    let path = format!("_index_template/{}", options.prefix);
    if let Some(version) = installed_version(client, &path).await?
        && version > TEMPLATE_VERSION
    {
        info!(
            template = options.prefix,
            version,
            ours = TEMPLATE_VERSION,
            "leaving a newer template in place"
        );
        return Ok(());
    }
    let mut template = index_template(options);
    for _ in 0..=REPLACEMENTS.len() + DISPENSABLE.len() {
        match client.put(&path, &template).await {
            Ok(()) => {
                info!(
                    template = options.prefix,
                    version = TEMPLATE_VERSION,
                    "the index template is installed"
                );
                return Ok(());
            }
            Err(Fault::Wrong(problem)) => do_without(&mut template, &problem)?,
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Hold(format!("{}: the index template is refused", client.shown())))
}

/// Whether the template is there.
///
/// # Errors
/// [`Fault`] like all requests.
pub async fn is_installed(client: &Client, options: &TemplateOptions) -> Result<bool, Fault> {
    let path = format!("_index_template/{}", options.prefix);
    Ok(installed_version(client, &path).await?.is_some())
}

async fn installed_version(client: &Client, path: &str) -> Result<Option<u64>, Fault> {
    let Some(found) = client.get(path).await? else { return Ok(None) };
    let version = found.pointer("/index_templates/0/index_template/version");
    Ok(found.pointer("/index_templates/0").map(|_| version.and_then(Value::as_u64).unwrap_or(0)))
}

/// Takes out of the template what the server says that it does not have.
fn do_without(template: &mut Value, problem: &Problem) -> Result<(), Fault> {
    // "unknown setting [index.x]" on all servers.
    let unknown =
        DISPENSABLE.iter().find(|name| problem.reason.contains(&format!("[index.{name}]")));
    if let (Some(name), Some(settings)) =
        (unknown, template.pointer_mut("/template/settings/index").and_then(Value::as_object_mut))
        && settings.remove(*name).is_some()
    {
        debug!(setting = name, "the server does not have this setting");
        return Ok(());
    }
    // "No handler for type [x]" on some servers, "The mapper type [x] … does not exist" on others.
    let missing =
        REPLACEMENTS.iter().find(|(kind, _)| problem.reason.contains(&format!("type [{kind}]")));
    let Some((kind, instead)) = missing else {
        return Err(Fault::Hold(format!(
            "the index template is refused ({problem}); is another template with the same pattern and priority there?"
        )));
    };
    debug!(kind, instead, "the server does not have this field type");
    replace_type(template, kind, instead);
    Ok(())
}

fn replace_type(value: &mut Value, kind: &str, instead: &str) {
    match value {
        Value::Object(members) => {
            if members.get("type").and_then(Value::as_str) == Some(kind) {
                members.insert("type".to_owned(), json!(instead));
            }
            for member in members.values_mut() {
                replace_type(member, kind, instead);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                replace_type(element, kind, instead);
            }
        }
        _ => {}
    }
}

/// The template for servers that can do everything.
pub fn index_template(options: &TemplateOptions) -> Value {
    let mut index = json!({
        "number_of_shards": options.shards,
        IGNORE_BEYOND_LIMIT: true,
        IGNORE_MALFORMED: true
    });
    if let (Some(replicas), Some(index)) = (options.replicas, index.as_object_mut()) {
        index.insert("number_of_replicas".to_owned(), json!(replicas));
    }
    json!({
        "index_patterns": [format!("{}-*", options.prefix)],
        "priority": BASE_PRIORITY + options.prefix.len(),
        "version": TEMPLATE_VERSION,
        "_meta": { "managed_by": "omphalos-indexer" },
        "template": {
            "settings": { "index": index },
            "mappings": {
                // A date in the first document must not make the field a date for all others.
                "date_detection": false,
                "dynamic_templates": [
                    // Not among the properties: many a JSON log has a text in `network`.
                    {
                        "forwarded": {
                            "path_match": "network.forwarded_ip",
                            "match_mapping_type": "string",
                            "mapping": { "type": "ip" }
                        }
                    },
                    // What the step geoip writes, and others who write ECS; a text there stays one.
                    {
                        "places": {
                            "path_match": "*.geo.location",
                            "match_mapping_type": "object",
                            "mapping": { "type": "geo_point" }
                        }
                    },
                    { "strings": { "match_mapping_type": "string", "mapping": keyword() } }
                ],
                "properties": properties()
            }
        }
    })
}

fn keyword() -> Value {
    json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE })
}

/// The fields that have a fixed type ([`FIELDS`]); all others are mapped as they come, strings as keywords.
fn properties() -> Value {
    let mut properties = Map::new();
    for (name, kind) in FIELDS {
        let parts: Vec<&str> = name.split('.').collect();
        insert(&mut properties, &parts, mapping(kind));
    }
    Value::Object(properties)
}

fn insert(properties: &mut Map<String, Value>, name: &[&str], mapping: Value) {
    match name {
        [] => {}
        [field] => {
            properties.insert((*field).to_owned(), mapping);
        }
        [object, below @ ..] => {
            let object = properties.entry(*object).or_insert_with(|| json!({ "properties": {} }));
            if let Some(inner) = object.get_mut("properties").and_then(Value::as_object_mut) {
                insert(inner, below, mapping);
            }
        }
    }
}

fn mapping(kind: FieldType) -> Value {
    match kind {
        // Without a time a document is found by no search of a period, so it must not be ignored.
        FieldType::Date => json!({ "type": "date", "ignore_malformed": false }),
        FieldType::Ip => json!({ "type": "ip" }),
        FieldType::Keyword => keyword(),
        FieldType::Long => json!({ "type": "long" }),
        FieldType::Text => json!({ "type": "match_only_text" }),
        FieldType::Unindexed => json!({ "type": "keyword", "index": false, "doc_values": false }),
        FieldType::Opaque => json!({ "type": "object", "enabled": false }),
        FieldType::Wildcard => json!({ "type": "wildcard", "ignore_above": IGNORE_ABOVE }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str) -> Problem {
        let reason = format!(
            "composable template [omphalos] is invalid; caused by mapper_parsing_exception: No handler for type [{kind}] declared on field [x]"
        );
        Problem { status: 400, kind: "illegal_argument_exception".to_owned(), reason }
    }

    #[test]
    fn types_that_a_server_lacks_are_replaced() {
        let options = TemplateOptions { prefix: "logs".to_owned(), shards: 2, replicas: Some(0) };
        let mut template = index_template(&options);
        assert_eq!(template["index_patterns"], json!(["logs-*"]));
        assert_eq!(
            template["template"]["settings"]["index"],
            json!({
                "number_of_shards": 2,
                "number_of_replicas": 0,
                "mapping.total_fields.ignore_dynamic_beyond_limit": true,
                "mapping.ignore_malformed": true
            })
        );
        let reason = format!("unknown setting [index.{IGNORE_BEYOND_LIMIT}] please check");
        let unknown =
            Problem { status: 400, kind: "illegal_argument_exception".to_owned(), reason };
        do_without(&mut template, &unknown).unwrap();
        assert!(!template.to_string().contains("beyond_limit"));
        assert!(do_without(&mut template, &unknown).is_err(), "it is there no more");
        for kind in ["wildcard", "match_only_text", "geo_point"] {
            do_without(&mut template, &refused(kind)).unwrap();
            assert!(!template.to_string().contains(kind));
        }
        let properties = &template["template"]["mappings"]["properties"];
        assert_eq!(properties["url"]["properties"]["path"]["type"], json!("keyword"));
        assert_eq!(properties["message"]["type"], json!("text"));
        let error = do_without(&mut template, &refused("keyword")).unwrap_err();
        assert!(matches!(error, Fault::Hold(_)));
    }
}
