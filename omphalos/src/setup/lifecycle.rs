//! What deletes old indices: index lifecycle management (ILM) of Elasticsearch, or index state management (ISM)
//! of OpenSearch. Both go by the age of an index, so an index is kept for the retention and for as long
//! as it takes lines.

use bytes::Bytes;
use omphalos_common::config::ConfigError;
use omphalos_indexer::collector::IndexSettings;
use omphalos_indexer::elasticsearch::{Client, Fault, IndexPeriod, Lifecycle};
use serde_json::{Value, json};

use super::steps::{Intent, say};

/// By this our policies are told from others.
const OURS: &str = "omphalos setup";

/// Who deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Of Elasticsearch.
    Ilm,
    /// Of OpenSearch.
    Ism,
}

/// Which of the two the server has; `None` for neither.
///
/// # Errors
/// [`Fault`] when it does not say.
pub async fn manager(client: &Client) -> Result<Option<Manager>, Fault> {
    // By what is in the answer: old servers take a path that they do not know for something else.
    let (status, body) = client.look("_ilm/status").await?;
    if status == 200 && body.get("operation_mode").is_some() {
        return Ok(Some(Manager::Ilm));
    }
    let (status, body) = client.look("_plugins/_ism/policies?size=1").await?;
    let has_ism = status == 200 && body.get("policies").is_some();
    Ok(has_ism.then_some(Manager::Ism))
}

/// What is to be deleted when.
#[derive(Debug, Clone)]
pub struct Scope {
    prefix: String,
    /// The data streams, where documents go to those.
    streams: Option<String>,
    days: u64,
}

impl Scope {
    /// For documents of these settings, which are kept for so many days.
    ///
    /// # Errors
    /// When that would delete what others wrote.
    pub fn new(index: &IndexSettings, days: Option<u64>) -> Result<Self, ConfigError> {
        if days.is_some() && index.namespace() == Some("default") {
            return Err(ConfigError::invalid(
                "setup.retention: data streams of the namespace default may be those of other programs too, and would be deleted with ours; choose an index.namespace of your own",
            ));
        }
        let covered = match index.period {
            _ if index.namespace().is_some() => 0,
            IndexPeriod::Day => 1,
            IndexPeriod::Week => 7,
            IndexPeriod::Month | IndexPeriod::None => 31,
        };
        Ok(Self {
            prefix: index.prefix.clone(),
            streams: index.namespace().map(|_| index.pattern().all()),
            days: days.unwrap_or(0).saturating_add(covered),
        })
    }

    /// What the first policy is called, as the template is.
    fn name(&self) -> String {
        match self.streams {
            None => self.prefix.clone(),
            Some(_) => format!("{}-streams", self.prefix),
        }
    }

    /// The indices that it is for.
    fn pattern(&self) -> String {
        match &self.streams {
            None => format!("{0}-*,-{0}-*-outlier", self.prefix),
            Some(streams) => streams.clone(),
        }
    }

    /// What is said of a policy that deletes.
    fn shown(&self) -> String {
        let when = if self.streams.is_some() { "after its rollover" } else { "after it was made" };
        format!("deletes an index {} days {when}", self.days)
    }
}

/// A policy that is to be there.
#[derive(Debug)]
pub struct Policy {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub body: Value,
}

/// When a data stream gets a new index.
const ROLLOVER_AGE: &str = "30d";
const ROLLOVER_SIZE: &str = "50gb";

impl Manager {
    fn called(self) -> &'static str {
        match self {
            Self::Ilm => "ILM",
            Self::Ism => "ISM",
        }
    }

    fn path(self, name: &str) -> String {
        match self {
            Self::Ilm => format!("_ilm/policy/{name}"),
            Self::Ism => format!("_plugins/_ism/policies/{name}"),
        }
    }

    /// The policies for `scope`. ILM has one, which the template names. ISM finds the indices of a policy by their
    /// names, so outliers have one of their own, which does nothing.
    pub fn policies(self, scope: &Scope) -> Vec<Policy> {
        let (name, age) = (scope.name(), format!("{}d", scope.days));
        let rolls = scope.streams.is_some();
        if self == Self::Ilm {
            let mut hot = json!({ "min_age": "0ms", "actions": {} });
            if rolls {
                let rollover =
                    json!({ "max_age": ROLLOVER_AGE, "max_primary_shard_size": ROLLOVER_SIZE });
                hot = json!({ "min_age": "0ms", "actions": { "rollover": rollover } });
            }
            let body = json!({ "policy": {
                "_meta": { "managed_by": OURS },
                "phases": {
                    "hot": hot,
                    "delete": { "min_age": age, "actions": { "delete": {} } }
                }
            } });
            return vec![Policy { name, body }];
        }
        let rollover = json!({ "rollover": {
            "min_index_age": ROLLOVER_AGE, "min_primary_shard_size": ROLLOVER_SIZE
        } });
        let actions = if rolls { json!([rollover]) } else { json!([]) };
        let condition = if rolls { "min_rollover_age" } else { "min_index_age" };
        let delete = json!([
            { "name": "kept", "actions": actions, "transitions": [
                { "state_name": "deleted", "conditions": { condition: age } }
            ] },
            { "name": "deleted", "actions": [{ "delete": {} }], "transitions": [] }
        ]);
        let policy = |name: String, what: &str, template: (String, u32), states: Value| {
            let (pattern, priority) = template;
            let body = json!({ "policy": {
                "description": format!("{OURS}: {what}"),
                "default_state": "kept",
                "states": states,
                "ism_template": [{ "index_patterns": [pattern], "priority": priority }]
            } });
            Policy { name, body }
        };
        let pattern = scope.streams.clone().unwrap_or_else(|| format!("{}-*", scope.prefix));
        let mut policies =
            vec![policy(name, &format!("delete after {age}"), (pattern, 200), delete)];
        if !rolls {
            let keep = json!([{ "name": "kept", "actions": [], "transitions": [] }]);
            let pattern = format!("{}-*-outlier", scope.prefix);
            let name = format!("{}-outliers", scope.prefix);
            policies.push(policy(name, "keep", (pattern, 201), keep));
        }
        policies
    }

    /// What a policy that is there says, as far as it says something of ours; `None` where it is another's.
    fn age_in(self, name: &str, found: &Value) -> Option<String> {
        let text = |path: &str| found.pointer(path).and_then(Value::as_str).map(str::to_owned);
        match self {
            Self::Ilm => {
                let at = |rest: &str| text(&format!("/{name}/policy/{rest}"));
                at("_meta/managed_by").filter(|by| by == OURS)?;
                Some(at("phases/delete/min_age").unwrap_or_default())
            }
            Self::Ism => {
                text("/policy/description").filter(|by| by.starts_with(OURS))?;
                let age =
                    |name: &str| text(&format!("/policy/states/0/transitions/0/conditions/{name}"));
                Some(age("min_index_age").or_else(|| age("min_rollover_age")).unwrap_or_default())
            }
        }
    }
}

/// Makes what deletes the indices of `scope`; returns what the template has to say.
///
/// # Errors
/// [`Fault`], or when a policy of that name is somebody else's.
pub async fn set_up(
    client: &Client,
    manager: Manager,
    scope: &Scope,
    intent: Intent,
) -> anyhow::Result<Lifecycle> {
    for policy in manager.policies(scope) {
        put(client, manager, scope, policy, intent).await?;
    }
    Ok(match manager {
        Manager::Ilm => Lifecycle::Named(scope.name()),
        Manager::Ism => Lifecycle::None,
    })
}

async fn put(
    client: &Client,
    manager: Manager,
    scope: &Scope,
    Policy { name, body }: Policy,
    intent: Intent,
) -> anyhow::Result<()> {
    let (path, called) = (manager.path(&name), manager.called());
    let (status, found) = client.look(&path).await?;
    let wanted = manager.age_in(&name, &as_found(manager, &name, &body)).unwrap_or_default();
    let mut place = path.clone();
    let shown = if wanted.is_empty() { "keeps outliers".to_owned() } else { scope.shown() };
    if status == 200 {
        let Some(before) = manager.age_in(&name, &found) else {
            return Err(ConfigError::invalid(format!(
                "the {called} policy {name:?} is there, and omphalos setup did not make it; give it another name, or choose another index.prefix"
            ))
            .into());
        };
        if before == wanted {
            return say("lifecycle", &name, &format!("{called} {shown}: unchanged"));
        }
        // Who changes a policy of ISM says which state of it is known.
        if let (Some(number), Some(term)) = (found.get("_seq_no"), found.get("_primary_term")) {
            place = format!("{path}?if_seq_no={number}&if_primary_term={term}");
        }
    }
    if intent == Intent::Do {
        client.put(&place, &body).await?;
    }
    let done = if status == 200 { "changed" } else { "made" };
    say("lifecycle", &name, &format!("{called} {shown}: {}", intent.done(done)))
}

/// A policy as the server shows it.
fn as_found(manager: Manager, name: &str, body: &Value) -> Value {
    match manager {
        Manager::Ilm => json!({ name: body }),
        Manager::Ism => body.clone(),
    }
}

/// Has the policy count for the indices that are there already.
///
/// # Errors
/// [`Fault`] like all requests.
pub async fn attach(client: &Client, manager: Manager, scope: &Scope) -> Result<(), Fault> {
    let (name, pattern) = (scope.name(), scope.pattern());
    match manager {
        Manager::Ilm => {
            let settings = json!({ "index.lifecycle.name": name });
            client.put(&format!("{pattern}/_settings"), &settings).await
        }
        Manager::Ism => {
            let body = Bytes::from(json!({ "policy_id": name }).to_string());
            client.post(&format!("_plugins/_ism/add/{pattern}"), body).await.map(drop)
        }
    }
}

/// Takes the policies away, first from the indices that have them.
///
/// # Errors
/// [`Fault`] like all requests.
pub async fn remove(
    client: &Client,
    manager: Manager,
    scope: &Scope,
    intent: Intent,
) -> anyhow::Result<()> {
    for Policy { name, .. } in manager.policies(scope) {
        let path = manager.path(&name);
        let (status, found) = client.look(&path).await?;
        if status != 200 || manager.age_in(&name, &found).is_none() {
            continue;
        }
        if intent == Intent::Do {
            let pattern = scope.streams.clone().unwrap_or_else(|| format!("{}-*", scope.prefix));
            let from = match manager {
                Manager::Ilm => format!("{pattern}/_ilm/remove"),
                Manager::Ism => format!("_plugins/_ism/remove/{pattern}"),
            };
            client.post(&from, Bytes::new()).await?;
            client.delete(&path).await?;
        }
        let removed = intent.done("removed");
        say("lifecycle", &name, &format!("{}: {removed}", manager.called()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use omphalos_indexer::collector::IndexNaming;

    use super::*;

    fn scope(naming: IndexNaming, period: IndexPeriod) -> Scope {
        let index = IndexSettings {
            prefix: "logs".to_owned(),
            naming,
            namespace: "ours".to_owned(),
            period,
            ..IndexSettings::default()
        };
        Scope::new(&index, Some(90)).unwrap()
    }

    #[test]
    fn an_index_is_kept_for_the_retention_and_for_as_long_as_it_takes_lines() {
        for (period, expected) in
            [(IndexPeriod::Day, 91), (IndexPeriod::Week, 97), (IndexPeriod::Month, 121)]
        {
            assert_eq!(scope(IndexNaming::Dated, period).days, expected);
            // It is counted from the rollover.
            assert_eq!(scope(IndexNaming::DataStream, period).days, 90);
        }
    }

    #[test]
    fn what_others_may_have_written_is_not_deleted() {
        let index = IndexSettings { naming: IndexNaming::DataStream, ..IndexSettings::default() };
        let error = Scope::new(&index, Some(90)).unwrap_err().to_string();
        assert!(error.contains("choose an index.namespace of your own"), "{error}");
        assert!(Scope::new(&index, None).is_ok());
    }

    #[test]
    fn a_policy_is_known_again_and_that_of_another_is_not_ours() {
        for manager in [Manager::Ilm, Manager::Ism] {
            for naming in [IndexNaming::Dated, IndexNaming::DataStream] {
                let scope = scope(naming, IndexPeriod::Day);
                let expected = format!("{}d", scope.days);
                for Policy { name, body } in manager.policies(&scope) {
                    let found = as_found(manager, &name, &body);
                    let expected = if name == "logs-outliers" { "" } else { &expected };
                    assert_eq!(manager.age_in(&name, &found).as_deref(), Some(expected), "{found}");
                    let text = found.to_string().replace(OURS, "somebody");
                    let other: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(manager.age_in(&name, &other), None);
                }
            }
        }
    }
}
