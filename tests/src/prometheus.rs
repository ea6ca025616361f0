//! A real Prometheus that scrapes programs and evaluates alert rules, and its tool for tests of rules.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use serde_json::Value;

use crate::repository;
use crate::server::Server;

/// Its name for the programs that it scrapes.
pub const JOB: &str = "omphalos";

/// A Prometheus that looks every half second; it ends when dropped.
pub struct Prometheus {
    server: Server,
}

impl Prometheus {
    /// In `directory`, with these rules, for the programs at these ports.
    pub fn start(directory: &Path, rules: &str, ports: &[u16]) -> Self {
        fs::create_dir_all(directory).expect("a directory");
        fs::write(directory.join("rules.yml"), rules).expect("the rules");
        let targets: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        // Whatever is JSON is YAML.
        let config = serde_json::json!({
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": targets}]}],
        });
        let path = directory.join("prometheus.yml");
        fs::write(&path, config.to_string()).expect("a configuration");
        let words = [path.display().to_string()];
        Self { server: Server::new("prometheus.sh", &[], directory, &words).started() }
    }

    /// The value of a query; `None` where it has none.
    pub fn value(&self, query: &str) -> Option<f64> {
        let answer = self.get(&format!("query?query={}", encoded(query)));
        let sample = answer["data"]["result"].get(0)?;
        sample["value"][1].as_str()?.parse().ok()
    }

    /// How many samples the answer to a query has.
    ///
    /// # Errors
    /// What Prometheus has against the query.
    pub fn samples(&self, query: &str) -> Result<usize, String> {
        let answer = self.get(&format!("query?query={}", encoded(query)));
        match answer["data"]["result"].as_array() {
            Some(samples) => Ok(samples.len()),
            None => Err(answer["error"].to_string()),
        }
    }

    fn get(&self, what: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/{what}", self.server.port());
        let answer = reqwest::blocking::get(url).and_then(reqwest::blocking::Response::text);
        serde_json::from_str(&answer.expect("an answer")).expect("JSON")
    }

    /// The alerts that fire: their names, each with the port of the program that it is about.
    pub fn firing(&self) -> BTreeSet<(String, u16)> {
        let answer = self.get("alerts");
        let alerts = answer["data"]["alerts"].as_array().expect("alerts");
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let named = firing.map(|alert| {
            let label = |name: &str| alert["labels"][name].as_str().expect(name).to_owned();
            let port = label("instance").rsplit(':').next().and_then(|port| port.parse().ok());
            (label("alertname"), port.expect("a port"))
        });
        named.collect()
    }
}

/// A text for a URL.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").expect("text can be written");
        encoded
    })
}

/// What `promtool` says; `Err` where it is not content.
///
/// # Errors
/// What it says then.
pub fn promtool(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool()).args(arguments).output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// Where `promtool` is; it is installed where it is missing.
fn tool() -> PathBuf {
    static INSTALLED: Once = Once::new();
    let scripts = repository().join("tests/stack");
    INSTALLED.call_once(|| {
        let status = Command::new(scripts.join("install.sh")).arg("prometheus").status();
        assert!(status.expect("install.sh runs").success(), "there is no Prometheus");
    });
    let words = format!(". '{}/lib.sh' && prometheus_home", scripts.display());
    let output = Command::new("bash").args(["-c", &words]).output().expect("bash runs");
    let home = String::from_utf8(output.stdout).expect("a path");
    Path::new(home.trim()).join("promtool")
}
