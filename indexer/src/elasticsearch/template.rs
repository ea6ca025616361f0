//! The index template: the ECS mapping of our documents, fitted to what the server can do.
//!
//! Field types that a server does not have are replaced by ones that it has. Which ones it has is
//! told by its refusal of the template, so nothing is ever written to find out.

use std::time::Duration;

use omphalos_common::ecs::{FIELDS, FieldType};
use serde_json::{Map, Value, json};
use tracing::{debug, info};

use super::client::{Client, Fault};
use super::names::IndexPattern;
use super::problem::Problem;

/// To be raised with every change of the mapping, so that indexers replace older templates and
/// leave newer ones alone.
pub const TEMPLATE_VERSION: u64 = 7;

/// Fields of heartbeats and alerts, which no line has: dashboards count with them, and a first value of 0 must not
/// make a field a whole number for ever. What lines may have, such as `service`, is not fixed here.
const OWN_FIELDS: [(&str, &str); 26] = [
    ("omphalos.heartbeat.config", "keyword"),
    ("omphalos.heartbeat.started", "date"),
    ("omphalos.heartbeat.interval_seconds", "double"),
    ("omphalos.heartbeat.inputs_total", "long"),
    ("omphalos.heartbeat.inputs_unreadable", "long"),
    ("omphalos.heartbeat.lag_bytes", "long"),
    ("omphalos.heartbeat.lag_seconds", "double"),
    ("omphalos.heartbeat.lines_per_second", "double"),
    ("omphalos.heartbeat.bytes_per_second", "double"),
    ("omphalos.heartbeat.problems", "keyword"),
    ("omphalos.heartbeat.books.read", "long"),
    ("omphalos.heartbeat.books.confirmed", "long"),
    ("omphalos.heartbeat.books.skipped", "long"),
    ("omphalos.heartbeat.books.in_flight", "long"),
    ("omphalos.heartbeat.books.received", "long"),
    ("omphalos.heartbeat.books.indexed", "long"),
    ("omphalos.heartbeat.books.duplicate", "long"),
    ("omphalos.heartbeat.books.dead", "long"),
    ("omphalos.heartbeat.books.returned", "long"),
    ("omphalos.alert.fingerprint", "keyword"),
    ("omphalos.alert.state", "keyword"),
    ("omphalos.alert.measure", "keyword"),
    ("omphalos.alert.dimension", "keyword"),
    ("omphalos.alert.key", "keyword"),
    ("omphalos.alert.value", "double"),
    ("omphalos.alert.limit", "double"),
];

/// Types that not every server has, and what serves instead.
const REPLACEMENTS: [(&str, &str); 3] =
    [("wildcard", "keyword"), ("match_only_text", "text"), ("geo_point", "object")];

/// Settings that not every server has, and that go without a replacement.
const DISPENSABLE: [&str; 2] = [IGNORE_BEYOND_LIMIT, LIFECYCLE];

/// The policy of index lifecycle management, which not every server has.
const LIFECYCLE: &str = "lifecycle.name";

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

/// Above the template `logs` that Elasticsearch comes with, which has 100, and below those of integrations, which
/// have 200: whoever has the integration of nginx has its mapping for `logs-nginx.access-*`.
const STREAM_PRIORITY: usize = 150;

/// What of a template is a setting.
#[derive(Debug, Clone)]
pub struct TemplateOptions {
    /// What index names begin with; also the template's name.
    pub prefix: String,
    /// Primary shards.
    pub shards: u32,
    /// Replicas; the cluster's default without.
    pub replicas: Option<u32>,
    /// How soon what is indexed can be found; the cluster's default without.
    pub refresh: Option<Duration>,
    /// What becomes of old indices.
    pub lifecycle: Lifecycle,
    /// The namespace, where documents go to data streams.
    pub namespace: Option<String>,
}

impl TemplateOptions {
    /// What the template is called that documents need.
    pub fn name(&self) -> String {
        match self.namespace {
            None => self.prefix.clone(),
            Some(_) => format!("{}-streams", self.prefix),
        }
    }
}

/// Which policy deletes old indices, as the template says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifecycle {
    /// The one that the template has which is there: an indexer leaves that to `omphalos setup`.
    AsItIs,
    /// None.
    None,
    /// The one of this name.
    Named(String),
}

/// What became of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// It is there now.
    Now,
    /// One of this later version is there, and was left alone.
    Newer(u64),
}

/// Installs the template, unless a newer one is there.
///
/// # Errors
/// [`Fault`] when the server refuses it for other reasons than a missing field type.
pub async fn install(client: &Client, options: &TemplateOptions) -> Result<Installed, Fault> {
    let name = options.name();
    let path = format!("_index_template/{name}");
    let found = client.get(&path).await?;
    if let Some(version) = found.as_ref().and_then(version_of)
        && version > TEMPLATE_VERSION
    {
        info!(
            template = name,
            version,
            ours = TEMPLATE_VERSION,
            "leaving a newer template in place"
        );
        return Ok(Installed::Newer(version));
    }
    let mut options = options.clone();
    if options.lifecycle == Lifecycle::AsItIs
        && let Some(policy) = found.as_ref().and_then(policy_of)
    {
        options.lifecycle = Lifecycle::Named(policy.to_owned());
    }
    put(client, &name, index_template(&options)).await?;
    if matches!(options.lifecycle, Lifecycle::Named(_)) && options.namespace.is_none() {
        put(client, &outlier_template_name(&options.prefix), outlier_template(&options)).await?;
    }
    Ok(Installed::Now)
}

/// What the template for outliers is called.
pub fn outlier_template_name(prefix: &str) -> String {
    format!("{prefix}-outliers")
}

/// Puts a template of this name, without what the server does not have.
async fn put(client: &Client, name: &str, mut template: Value) -> Result<(), Fault> {
    let path = format!("_index_template/{name}");
    for _ in 0..=REPLACEMENTS.len() + DISPENSABLE.len() {
        match client.put(&path, &template).await {
            Ok(()) => {
                info!(
                    template = name,
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
    let found = client.get(&format!("_index_template/{}", options.name())).await?;
    Ok(found.as_ref().and_then(version_of).is_some())
}

/// The version of the template that is there, by the answer of the server; 0 for one that has none.
pub fn version_of(answer: &Value) -> Option<u64> {
    let template = answer.pointer("/index_templates/0/index_template")?;
    Some(template.get("version").and_then(Value::as_u64).unwrap_or(0))
}

/// The policy that the template names which is there.
pub fn policy_of(answer: &Value) -> Option<&str> {
    answer
        .pointer("/index_templates/0/index_template/template/settings/index/lifecycle/name")?
        .as_str()
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
    if let Some(index) = index.as_object_mut() {
        if let Some(replicas) = options.replicas {
            index.insert("number_of_replicas".to_owned(), json!(replicas));
        }
        if let Some(refresh) = options.refresh {
            let millis = json!(format!("{}ms", refresh.as_millis()));
            index.insert("refresh_interval".to_owned(), millis);
        }
        if let Lifecycle::Named(policy) = &options.lifecycle {
            index.insert(LIFECYCLE.to_owned(), json!(policy));
        }
    }
    let mut template = json!({
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
    });
    if let (Some(namespace), Some(members)) = (&options.namespace, template.as_object_mut()) {
        let pattern = json!([IndexPattern::of_streams(namespace).all()]);
        members.insert("index_patterns".to_owned(), pattern);
        members.insert("priority".to_owned(), json!(STREAM_PRIORITY));
        members.insert("data_stream".to_owned(), json!({}));
    }
    template
}

/// The same for outliers, which no policy deletes: that goes by the age of an index, and theirs may be of years
/// ago and have a line of today.
pub fn outlier_template(options: &TemplateOptions) -> Value {
    let mut template =
        index_template(&TemplateOptions { lifecycle: Lifecycle::None, ..options.clone() });
    if let Some(members) = template.as_object_mut() {
        let pattern = json!([format!("{}-*-outlier", options.prefix)]);
        members.insert("index_patterns".to_owned(), pattern);
        let priority = json!(BASE_PRIORITY + options.prefix.len() + 1);
        members.insert("priority".to_owned(), priority);
    }
    template
}

fn keyword() -> Value {
    json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE })
}

/// The fields that have a fixed type ([`FIELDS`], [`OWN_FIELDS`]); all others are mapped as they come, strings as keywords.
fn properties() -> Value {
    let mut properties = Map::new();
    for (name, kind) in FIELDS {
        let parts: Vec<&str> = name.split('.').collect();
        insert(&mut properties, &parts, mapping(kind));
    }
    for (name, kind) in OWN_FIELDS {
        let parts: Vec<&str> = name.split('.').collect();
        let mapping = if kind == "keyword" { keyword() } else { json!({ "type": kind }) };
        insert(&mut properties, &parts, mapping);
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
        let options = TemplateOptions {
            prefix: "logs".to_owned(),
            shards: 2,
            replicas: Some(0),
            refresh: Some(Duration::from_secs(5)),
            lifecycle: Lifecycle::Named("kept".to_owned()),
            namespace: None,
        };
        let mut template = index_template(&options);
        assert_eq!(template["index_patterns"], json!(["logs-*"]));
        assert_eq!(
            template["template"]["settings"]["index"],
            json!({
                "number_of_shards": 2,
                "number_of_replicas": 0,
                "mapping.total_fields.ignore_dynamic_beyond_limit": true,
                "mapping.ignore_malformed": true,
                "refresh_interval": "5000ms",
                "lifecycle.name": "kept"
            })
        );
        let streams = TemplateOptions { namespace: Some("ns".to_owned()), ..options.clone() };
        assert_eq!(streams.name(), "logs-streams");
        let streams = index_template(&streams);
        assert_eq!(streams["index_patterns"], json!(["logs-*-ns"]));
        assert_eq!((&streams["priority"], &streams["data_stream"]), (&json!(150), &json!({})));
        let outliers = outlier_template(&options);
        assert_eq!(outliers["index_patterns"], json!(["logs-*-outlier"]));
        assert_eq!(outliers["priority"], json!(205));
        assert!(!outliers.to_string().contains("lifecycle"), "{outliers}");
        let reason = format!("unknown setting [index.{IGNORE_BEYOND_LIMIT}] please check");
        let unknown =
            Problem { status: 400, kind: "illegal_argument_exception".to_owned(), reason };
        do_without(&mut template, &unknown).unwrap();
        assert!(!template.to_string().contains("beyond_limit"));
        assert!(do_without(&mut template, &unknown).is_err(), "it is there no more");
        let reason = "unknown setting [index.lifecycle.name] please check".to_owned();
        do_without(&mut template, &Problem { reason, ..unknown }).unwrap();
        assert!(!template.to_string().contains("lifecycle"));
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
