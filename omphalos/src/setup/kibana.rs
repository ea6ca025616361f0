//! Kibana's API for saved objects: those of a file are imported together, over those of the same ids.
//! <https://www.elastic.co/docs/api/doc/kibana/group/endpoint-saved-objects>

use anyhow::{Context, bail};
use bytes::Bytes;
use omphalos_common::causes::with_causes;
use omphalos_common::clean::shortened;
use omphalos_indexer::elasticsearch::{Method, Reply, Way};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::objects::{OBJECTS_VERSION, lines, version_in};
use super::steps::{Intent, say};

/// Kibana takes nothing from who does not send it, so that no page in a browser can.
const XSRF: HeaderName = HeaderName::from_static("kbn-xsrf");
/// What stands between the parts of a form; nothing of ours has it inside.
const BOUNDARY: &str = "omphalos-setup-3d1f6a52c09b4e78";
/// So much is shown of what Kibana says.
const LONGEST_SAID: usize = 300;
/// What a key or role has to have.
const PRIVILEGES: &str = "grant the Kibana privilege Saved Objects Management: All in that space (feature_savedObjectsManagement.all)";

/// A Kibana, and the space in it.
pub struct Kibana {
    way: Way,
    shown: String,
    /// What stands before `api/`.
    space: String,
}

/// What an import came to.
#[derive(Deserialize)]
struct Imported {
    success: bool,
    #[serde(rename = "successCount", default)]
    count: u64,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Kibana {
    /// The one at the end of this way.
    pub fn new(way: Way, shown: String, space: String) -> Self {
        Self { way, shown, space }
    }

    /// Imports the objects, unless those of a later version are there.
    ///
    /// # Errors
    /// When Kibana does not take them.
    pub async fn import(&self, objects: &[Value], intent: Intent) -> anyhow::Result<()> {
        let version = self.version().await?;
        say("kibana", &self.shown, &format!("Kibana {version}"))?;
        let count = objects.len();
        let there = self.installed(objects).await?;
        if let Some(newer) = there.filter(|there| *there > OBJECTS_VERSION) {
            let said = format!("version {newer} is there, which is newer, and is left alone");
            return say("objects", &count.to_string(), &said);
        }
        let over = match there {
            None => String::new(),
            Some(there) => format!(" over version {there}"),
        };
        if intent == Intent::Do {
            self.post_file(objects).await?;
        }
        let done = intent.done("imported");
        let said = format!("version {OBJECTS_VERSION}{over}: {done}");
        say("objects", &count.to_string(), &said)
    }

    /// Deletes the objects of these ids.
    ///
    /// # Errors
    /// When Kibana does not delete one that is there.
    pub async fn remove(&self, objects: &[Value], intent: Intent) -> anyhow::Result<()> {
        self.version().await?;
        let mut removed = 0;
        // What refers to others goes before them.
        for object in objects.iter().rev() {
            let (Some(kind), Some(id)) = (text(object, "type"), text(object, "id")) else {
                continue;
            };
            let path = format!("api/saved_objects/{kind}/{id}");
            let (method, path) = match intent {
                Intent::Do => (Method::Delete, format!("{path}?force=true")),
                Intent::Show => (Method::Get, path),
            };
            match self.ask(method, &path, None).await? {
                (404, _) => {}
                (200..=299, _) => removed += 1,
                answer => bail!(self.refused(&format!("{kind} {id}"), &answer)),
            }
        }
        say("objects", &removed.to_string(), &intent.done("removed"))
    }

    /// Which version it is.
    async fn version(&self) -> anyhow::Result<String> {
        let answer = self.ask(Method::Get, "api/status", None).await?;
        let number = answer.1.pointer("/version/number").and_then(Value::as_str);
        match (answer.0, number) {
            (200, Some(number)) => Ok(number.to_owned()),
            (200, None) => bail!(
                "{}: the answer is not Kibana's; is setup.kibana_url right, with the base path if Kibana has one?",
                self.shown
            ),
            _ => bail!(self.refused("api/status", &answer)),
        }
    }

    /// The version of our objects that are there, by the dashboards that can be exported.
    async fn installed(&self, objects: &[Value]) -> anyhow::Result<Option<u64>> {
        let Some(dashboard) = objects.iter().find(|one| text(one, "type") == Some("dashboard"))
        else {
            return Ok(None);
        };
        let wanted = json!({
            "objects": [{ "type": "dashboard", "id": dashboard.get("id") }],
            "excludeExportDetails": true
        });
        let body = (HeaderValue::from_static("application/json"), Bytes::from(wanted.to_string()));
        match self.ask(Method::Post, "api/saved_objects/_export", Some(body)).await? {
            (200, found) => {
                let described = found.pointer("/attributes/description").and_then(Value::as_str);
                Ok(described.and_then(version_in))
            }
            // What is not there cannot be exported.
            (400 | 404, _) => Ok(None),
            answer => bail!(self.refused("the dashboards that are there", &answer)),
        }
    }

    async fn post_file(&self, objects: &[Value]) -> anyhow::Result<()> {
        let form = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"omphalos.ndjson\"\r\nContent-Type: application/ndjson\r\n\r\n{}\r\n--{BOUNDARY}--\r\n",
            lines(objects)
        );
        let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={BOUNDARY}"))?;
        let body = Some((kind, Bytes::from(form)));
        let path = "api/saved_objects/_import?overwrite=true";
        let answer = self.ask(Method::Post, path, body).await?;
        if answer.0 != 200 {
            bail!(self.refused("the objects", &answer));
        }
        let imported: Imported = serde_json::from_value(answer.1)
            .with_context(|| format!("{}: unreadable answer to an import", self.shown))?;
        let expected = objects.len() as u64;
        if !imported.success || imported.count != expected {
            let first = imported.errors.first().map(|error| {
                let id = text(error, "id").unwrap_or("?");
                format!("; {id}: {}", error.get("error").unwrap_or(error))
            });
            bail!(
                "{}: {} of {expected} objects were imported{}; --export DIR writes the file, for Kibana's own page (Stack Management, Saved Objects, Import)",
                self.shown,
                imported.count,
                shortened(&first.unwrap_or_default(), LONGEST_SAID)
            );
        }
        Ok(())
    }

    /// Sends a request; the status, and the body as JSON, `null` where it is none.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(HeaderValue, Bytes)>,
    ) -> anyhow::Result<(u16, Value)> {
        let mut headers = HeaderMap::new();
        headers.insert(XSRF, HeaderValue::from_static("omphalos"));
        let body = body.map(|(kind, body)| {
            headers.insert(CONTENT_TYPE, kind);
            body
        });
        // How Kibana is belongs to no space.
        let space = if path == "api/status" { "" } else { self.space.as_str() };
        let reply = self.way.send(method, &format!("{space}{path}"), headers, body).await;
        match reply {
            Ok(Reply::Whole(status, body)) => {
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                Ok((status.as_u16(), body))
            }
            Ok(Reply::Elsewhere(other)) => bail!(
                "{} redirects to {other}, which nobody named; if that is meant, write it in setup.kibana_url",
                self.shown
            ),
            Ok(Reply::TooLarge) => bail!("{}: the answer is too large", self.shown),
            Err(error) => bail!(
                "{}: no answer from Kibana ({}); is setup.kibana_url right?",
                self.shown,
                with_causes(&error)
            ),
        }
    }

    fn refused(&self, what: &str, (status, body): &(u16, Value)) -> String {
        let said = text(body, "message")
            .map_or_else(String::new, |said| format!(" ({})", shortened(said, LONGEST_SAID)));
        let advice = match status {
            401 => {
                "check elasticsearch.user and password, api_key or bearer_token: Kibana asks for the same"
            }
            403 => PRIVILEGES,
            400 | 404 => {
                "is setup.kibana_url right, with the base path if Kibana has one, and the space?"
            }
            _ => "--export DIR writes the objects as a file, for Kibana's own page",
        };
        format!("{}: {what}: Kibana answers {status}{said}; {advice}", self.shown)
    }
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}
