//! Requests and the answers that are expected of Elasticsearch and of the embedded store alike: the
//! files of `tests/scenarios`.
//!
//! A file is a scene (documents, by the name of a file in `tests/scenarios/data`) and a list of
//! scenarios, which are sent in their order. The answers are recorded from a real Elasticsearch and
//! never written by hand. `tests/scenarios/README.md` has what is compared and what may differ.

mod compare;
mod layout;

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use reqwest::blocking::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::repository;

/// What all indices of all files are called.
const INDICES: &str = "scenarios-*";
/// What all templates of all files are called.
const TEMPLATES: &str = "scenarios*";

/// A file of scenarios.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// What it is about.
    pub about: String,
    /// The documents that it begins with.
    #[serde(default)]
    pub data: Option<String>,
    /// Where the answers to all of its requests may differ.
    #[serde(default)]
    pub differs: Vec<String>,
    /// The requests.
    pub scenarios: Vec<Scenario>,
}

/// A request and its answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What is shown.
    pub name: String,
    /// Method and path.
    pub request: String,
    /// A JSON body.
    #[serde(default)]
    pub body: Option<Value>,
    /// A body of lines of JSON.
    #[serde(default)]
    pub lines: Option<Vec<Value>>,
    /// A body that is text, as it is.
    #[serde(default)]
    pub text: Option<String>,
    /// Where answers may differ.
    #[serde(default)]
    pub differs: Vec<String>,
    /// The answer's status.
    #[serde(default)]
    pub status: u16,
    /// The answer.
    #[serde(default)]
    pub answer: Value,
}

/// All files, in the order of their names.
pub fn files() -> Vec<PathBuf> {
    let folder = repository().join("tests/scenarios");
    let entries = fs::read_dir(&folder).expect("tests/scenarios").flatten().map(|one| one.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// Reads a file.
pub fn read(path: &Path) -> ScenarioFile {
    let text = fs::read_to_string(path).expect("a file of scenarios");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Sends everything in a file to the server at `url`. Returns what is not as expected.
pub fn check(path: &Path, url: &str) -> Vec<String> {
    let file = read(path);
    let server = Server::prepared(url, file.data.as_deref());
    let mut wrong = Vec::new();
    for scenario in &file.scenarios {
        let (status, answer) = server.send(scenario);
        let answer = compare::essence(answer);
        let mut differences = Vec::new();
        if status != scenario.status {
            differences.push(format!("status {status}, expected {}", scenario.status));
        }
        let differs: Vec<&str> =
            file.differs.iter().chain(&scenario.differs).map(String::as_str).collect();
        compare::compare(&scenario.answer, &answer, &differs, &mut differences);
        if !differences.is_empty() {
            let name = path.file_name().unwrap_or_default().display();
            let differences = differences.join("\n    ");
            wrong.push(format!(
                "{name}: {}\n    {}\n    {differences}\n    whole answer: {answer}",
                scenario.name, scenario.request
            ));
        }
    }
    server.clean();
    wrong
}

/// Sends everything in a file to the Elasticsearch at `url`, and writes its answers into the file.
pub fn record(path: &Path, url: &str) {
    let mut file = read(path);
    let server = Server::prepared(url, file.data.as_deref());
    for scenario in &mut file.scenarios {
        let (status, answer) = server.send(scenario);
        scenario.status = status;
        scenario.answer = compare::essence(answer);
    }
    server.clean();
    fs::write(path, layout::text(&file)).expect("the file can be written");
}

struct Server {
    url: String,
    client: Client,
}

impl Server {
    /// With nothing of other scenarios, and the documents of a scene.
    fn prepared(url: &str, data: Option<&str>) -> Self {
        let server = Self { url: url.trim_end_matches('/').to_owned(), client: Client::new() };
        server.clean();
        if let Some(data) = data {
            let path = repository().join(format!("tests/scenarios/data/{data}.json"));
            let text = fs::read_to_string(&path).expect("the documents of a scene");
            let steps: Vec<Scenario> = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for step in &steps {
                let (status, answer) = server.send(step);
                assert!(status < 300, "{}: {status} {answer}", step.name);
                assert!(answer["errors"] != true, "{}: {answer}", step.name);
            }
        }
        server
    }

    /// One by one: Elasticsearch does not delete what only a pattern names.
    fn clean(&self) {
        let url = format!("{}/_cat/indices/{INDICES}?format=json&h=index", self.url);
        let indices = self.client.get(url).send().expect("the server answers").text();
        let indices: Vec<Value> =
            serde_json::from_str(&indices.expect("text")).expect("a list of indices");
        let indices = indices.iter().filter_map(|one| one["index"].as_str().map(str::to_owned));
        let templates = format!("_index_template/{TEMPLATES}");
        for path in indices.chain([templates]) {
            let sent = self.client.delete(format!("{}/{path}", self.url)).send();
            let status = sent.expect("the server answers").status().as_u16();
            assert!([200, 404].contains(&status), "DELETE {path}: {status}");
        }
    }

    fn send(&self, scenario: &Scenario) -> (u16, Value) {
        let (method, path) = scenario.request.split_once(' ').expect("METHOD path");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("{}/{}", self.url, path.trim_start_matches('/'));
        let mut request = self.client.request(method.clone(), url);
        if let Some(lines) = &scenario.lines {
            let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
            let lines = lines.join("\n") + "\n";
            request = request.header("Content-Type", "application/x-ndjson").body(lines);
        } else if let Some(text) = &scenario.text {
            request = request.header("Content-Type", "application/json").body(text.clone());
        } else if let Some(body) = &scenario.body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send().expect("the server answers");
        let status = response.status().as_u16();
        let text = response.text().expect("the answer is text");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}
