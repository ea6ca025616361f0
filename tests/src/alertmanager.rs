//! A real Alertmanager.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::server::Server;

/// An Alertmanager that tells nobody; it ends when dropped.
pub struct Alertmanager {
    server: Server,
}

impl Alertmanager {
    /// In `directory`. What is told without an end is resolved after a second.
    pub fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory).expect("a directory");
        // Whatever is JSON is YAML.
        let config = serde_json::json!({
            "global": {"resolve_timeout": "1s"},
            "route": {"receiver": "nobody"},
            "receivers": [{"name": "nobody"}],
        });
        let path = directory.join("alertmanager.yml");
        fs::write(&path, config.to_string()).expect("a configuration");
        let words = [path.display().to_string()];
        Self { server: Server::new("alertmanager.sh", &[], directory, &words).started() }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Ends it, as an outage does.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again.
    pub fn start_again(&mut self) {
        self.server.start();
    }

    /// The alerts that are raised.
    pub fn alerts(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("api/v2/alerts")).expect("JSON")
    }

    /// How many it was told since it started, raised ones and resolved ones.
    pub fn received(&self) -> u64 {
        let metrics = self.get("metrics");
        let lines = metrics.lines();
        let counts = lines.filter(|line| line.starts_with("alertmanager_alerts_received_total{"));
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        counts.sum()
    }

    fn get(&self, what: &str) -> String {
        let answer = reqwest::blocking::get(format!("{}/{what}", self.url()));
        answer.and_then(reqwest::blocking::Response::text).expect("an answer")
    }
}
