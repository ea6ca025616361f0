//! A cluster with ILM or ISM, as far as `omphalos setup` looks at it: the servers of the tests have neither.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use omphalos_tests::interposer::Request;
use omphalos_tests::{Action, Interposer};
use serde_json::{Value, json};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Elasticsearch,
    OpenSearch,
}

#[derive(Default)]
struct State {
    templates: BTreeMap<String, Value>,
    policies: BTreeMap<String, (Value, u64)>,
    /// Each request that changes something.
    changes: Vec<String>,
    forbidden: String,
}

pub struct Cluster {
    state: Arc<Mutex<State>>,
    interposer: Interposer,
}

impl Cluster {
    pub fn start(engine: Engine) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let interposer = Interposer::before("http://127.0.0.1:1", move |request| {
            let (status, body) = shared.lock().expect("a state").answer(engine, request);
            Action::Answer(status, body.to_string().leak())
        });
        Self { state, interposer }
    }

    pub fn url(&self) -> String {
        self.interposer.url()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a state")
    }

    pub fn changes(&self) -> Vec<String> {
        self.state().changes.clone()
    }

    pub fn policy_writes(&self) -> usize {
        self.changes()
            .iter()
            .filter(|line| line.starts_with("PUT") && line.contains("olic"))
            .count()
    }

    pub fn policy(&self, name: &str) -> Value {
        self.state().policies.get(name).map_or(Value::Null, |(policy, _)| policy.clone())
    }

    pub fn template(&self, name: &str) -> Value {
        self.state().templates[name].clone()
    }

    /// One that somebody else has made.
    pub fn put_policy(&self, name: &str, whose: &str) {
        let body = json!({ "policy": { "_meta": { "managed_by": whose }, "description": whose } });
        self.state().policies.insert(name.to_owned(), (body, 1));
    }

    /// Answers with 403 to paths that have this inside.
    pub fn forbid(&self, path: &str) {
        path.clone_into(&mut self.state().forbidden);
    }
}

impl State {
    fn answer(&mut self, engine: Engine, request: &Request) -> (u16, Value) {
        let mut words = request.line.split(' ');
        let (method, target) = (words.next().expect("a method"), words.next().expect("a path"));
        let path = target.trim_start_matches('/');
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        if !self.forbidden.is_empty() && path.contains(&self.forbidden) {
            let reason = "action is unauthorized for this user";
            return (
                403,
                json!({ "error": { "type": "security_exception", "reason": reason }, "status": 403 }),
            );
        }
        if method != "GET" {
            self.changes.push(format!("{method} {path}"));
        }
        let is_elastic = engine == Engine::Elasticsearch;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let policies = if is_elastic { "_ilm/policy/" } else { "_plugins/_ism/policies/" };
        match (method, path) {
            ("GET", "") => {
                let mut version = json!({ "number": "9.0.0" });
                if !is_elastic {
                    version["distribution"] = json!("opensearch");
                }
                (200, json!({ "cluster_name": "c", "cluster_uuid": "u", "version": version }))
            }
            ("GET", "_ilm/status") if is_elastic => (200, json!({ "operation_mode": "RUNNING" })),
            ("GET", "_plugins/_ism/policies") if !is_elastic => {
                (200, json!({ "policies": [], "total_policies": 0 }))
            }
            _ if path.starts_with("_index_template/") => {
                self.template(method, path.trim_start_matches("_index_template/"), body)
            }
            _ if path.starts_with(policies) => {
                self.policy(is_elastic, (method, path.trim_start_matches(policies), query), body)
            }
            ("PUT", _) if is_elastic && path.ends_with("/_settings") => {
                (200, json!({ "acknowledged": true }))
            }
            ("POST", _) if is_elastic && path.ends_with("/_ilm/remove") => {
                (200, json!({ "has_failures": false }))
            }
            ("POST", _) if !is_elastic && path.starts_with("_plugins/_ism/") => {
                (200, json!({ "failures": false }))
            }
            _ => (
                400,
                json!({ "error": format!("no handler found for uri [/{path}] and method [{method}]") }),
            ),
        }
    }

    fn template(&mut self, method: &str, name: &str, mut body: Value) -> (u16, Value) {
        match method {
            "PUT" => {
                // As a server shows it again.
                let index = &mut body["template"]["settings"]["index"];
                if let Some(policy) =
                    index.as_object_mut().and_then(|index| index.remove("lifecycle.name"))
                {
                    index["lifecycle"] = json!({ "name": policy });
                }
                self.templates.insert(name.to_owned(), body);
                (200, json!({ "acknowledged": true }))
            }
            "DELETE" if self.templates.remove(name).is_some() => {
                (200, json!({ "acknowledged": true }))
            }
            _ => match self.templates.get(name) {
                Some(template) => (
                    200,
                    json!({ "index_templates": [{ "name": name, "index_template": template }] }),
                ),
                None => (
                    404,
                    json!({ "error": { "type": "resource_not_found_exception", "reason": name }, "status": 404 }),
                ),
            },
        }
    }

    fn policy(
        &mut self,
        is_elastic: bool,
        (method, name, query): (&str, &str, &str),
        body: Value,
    ) -> (u16, Value) {
        let there = self.policies.get(name).cloned();
        match (method, there) {
            ("PUT", there) => {
                let number = there.map_or(0, |(_, number)| number);
                let known = format!("if_seq_no={number}&if_primary_term=1");
                if !is_elastic && number > 0 && query != known {
                    let reason = "version conflict, document already exists";
                    return (
                        409,
                        json!({ "error": { "type": "version_conflict_engine_exception", "reason": reason }, "status": 409 }),
                    );
                }
                self.policies.insert(name.to_owned(), (body, number + 1));
                (200, json!({ "acknowledged": true }))
            }
            ("DELETE", Some(_)) => {
                self.policies.remove(name);
                (200, json!({ "acknowledged": true }))
            }
            ("GET", Some((policy, _))) if is_elastic => (200, json!({ name: policy })),
            ("GET", Some((policy, number))) => (
                200,
                json!({ "_id": name, "_seq_no": number, "_primary_term": 1, "policy": policy["policy"] }),
            ),
            _ => (
                404,
                json!({ "error": { "type": "resource_not_found_exception", "reason": name }, "status": 404 }),
            ),
        }
    }
}
