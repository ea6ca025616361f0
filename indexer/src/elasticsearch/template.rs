//! The index template: the ECS mapping of our documents, fitted to what the server can do.
//!
//! Field types that a server does not have are replaced by ones that it has. Which ones it has is
//! told by its refusal of the template, so nothing is ever written to find out.

use serde_json::{Value, json};
use tracing::{debug, info};

use super::client::{Client, Fault};
use super::problem::Problem;

/// To be raised with every change of the mapping, so that indexers replace older templates and
/// leave newer ones alone.
pub const TEMPLATE_VERSION: u64 = 1;

/// Types that not every server has, and what serves instead.
const REPLACEMENTS: [(&str, &str); 2] = [("wildcard", "keyword"), ("match_only_text", "text")];

/// Strings longer than this are stored but not searchable as a whole.
const IGNORE_ABOVE: u32 = 1024;

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
    for _ in 0..=REPLACEMENTS.len() {
        match client.put(&path, &template).await {
            Ok(()) => {
                info!(
                    template = options.prefix,
                    version = TEMPLATE_VERSION,
                    "the index template is installed"
                );
                return Ok(());
            }
            Err(Fault::Wrong(problem)) => replace_missing_type(&mut template, &problem)?,
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

fn replace_missing_type(template: &mut Value, problem: &Problem) -> Result<(), Fault> {
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
    let mut index = json!({ "number_of_shards": options.shards });
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

/// <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>; fields that are not here are
/// mapped as they come, strings as keywords.
fn properties() -> Value {
    let long = json!({ "type": "long" });
    let text = json!({ "type": "match_only_text" });
    let wildcard = json!({ "type": "wildcard", "ignore_above": 8191 });
    let object = |properties: Value| json!({ "properties": properties });
    let endpoint = object(json!({
        "address": keyword(), "ip": { "type": "ip" }, "domain": keyword(), "port": long
    }));
    json!({
        "@timestamp": { "type": "date" },
        "message": text,
        "tags": keyword(),
        "ecs": object(json!({ "version": keyword() })),
        "error": object(json!({ "message": text })),
        "event": object(json!({
            "dataset": keyword(),
            "duration": long,
            "original": { "type": "keyword", "index": false, "doc_values": false }
        })),
        "host": object(json!({ "name": keyword(), "id": keyword() })),
        "log": object(json!({
            "level": keyword(),
            "offset": long,
            "file": object(json!({ "path": keyword() }))
        })),
        "source": endpoint,
        "destination": endpoint,
        "user": object(json!({ "name": keyword() })),
        "user_agent": object(json!({ "original": wildcard })),
        "url": object(json!({
            "domain": keyword(), "original": wildcard, "path": wildcard, "query": wildcard, "port": long
        })),
        "http": object(json!({
            "version": keyword(),
            "request": object(json!({ "method": keyword(), "referrer": wildcard, "bytes": long })),
            "response": object(json!({
                "status_code": long,
                "body": object(json!({ "bytes": long }))
            }))
        }))
    })
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
            json!({"number_of_shards": 2, "number_of_replicas": 0})
        );
        for kind in ["wildcard", "match_only_text"] {
            replace_missing_type(&mut template, &refused(kind)).unwrap();
            assert!(!template.to_string().contains(kind));
        }
        let properties = &template["template"]["mappings"]["properties"];
        assert_eq!(properties["url"]["properties"]["path"]["type"], json!("keyword"));
        assert_eq!(properties["message"]["type"], json!("text"));
        let error = replace_missing_type(&mut template, &refused("geo_point")).unwrap_err();
        assert!(matches!(error, Fault::Hold(_)));
    }
}
