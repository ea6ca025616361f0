//! A real server in a directory of its own, run by a script of `tests/stack/`.
//!
//! The script ends, and its server with it, when its standard input ends: whatever becomes of a
//! test, nothing outlives it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::repository;
use crate::wait::eventually;

/// Which search engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Elasticsearch 9.
    Es9,
    /// Elasticsearch 7.17.
    Es7,
    /// OpenSearch 3.
    OpenSearch,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Es9 => "es9",
            Self::Es7 => "es7",
            Self::OpenSearch => "opensearch",
        }
    }
}

/// A server that can be killed and started again on the same data.
pub struct Server {
    script: &'static str,
    arguments: Vec<String>,
    directory: PathBuf,
    port: u16,
    running: Option<Running>,
}

struct Running {
    child: Child,
    /// The server lives as long as this is open.
    stdin: ChildStdin,
    url: String,
}

impl Server {
    /// Starts RabbitMQ in `directory`; `settings` are lines of `rabbitmq.conf`.
    pub fn rabbitmq(directory: &Path, settings: &[&str]) -> Self {
        Self::start_new("rabbitmq.sh", None, directory, settings)
    }

    /// Starts a search engine in `directory`.
    pub fn search(engine: Engine, directory: &Path, settings: &[&str]) -> Self {
        Self::start_new("elasticsearch.sh", Some(engine.name()), directory, settings)
    }

    fn start_new(
        script: &'static str,
        engine: Option<&str>,
        directory: &Path,
        settings: &[&str],
    ) -> Self {
        let mut arguments: Vec<String> = engine.into_iter().map(str::to_owned).collect();
        arguments.push(directory.display().to_string());
        // The port is chosen by the first start and kept by all that follow.
        arguments.push("0".to_owned());
        arguments.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let directory = directory.to_owned();
        let mut server = Self { script, arguments, directory, port: 0, running: None };
        server.start();
        server
    }

    /// Starts the server again, on the same port and the same data.
    pub fn start(&mut self) {
        let mut arguments = self.arguments.clone();
        if self.port != 0 {
            let place = arguments.iter().position(|argument| argument == "0").expect("a port");
            arguments[place] = self.port.to_string();
        }
        let path = repository().join("tests/stack").join(self.script);
        let mut child = Command::new(&path)
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", path.display()));
        let stdin = child.stdin.take().expect("stdin is piped");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let ready = lines.find_map(|line| {
            let line = line.expect("the script writes text");
            line.strip_prefix("READY ").map(str::to_owned)
        });
        let Some(ready) = ready else {
            panic!("{} {arguments:?} did not get ready; its output is above", self.script);
        };
        let url = ready.split(' ').next().expect("a URL").to_owned();
        let port = url.rsplit(':').next().expect("a port");
        self.port = port.trim_end_matches('/').parse().expect("a port");
        self.running = Some(Running { child, stdin, url });
    }

    /// The URL, such as `http://127.0.0.1:9200`.
    pub fn url(&self) -> String {
        self.running.as_ref().expect("the server runs").url.clone()
    }

    /// The port, also while the server is down.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let pid = fs::read_to_string(self.directory.join("pid")).expect("the server's pid");
        let killed = Command::new("kill").args(["-9", pid.trim()]).status().expect("kill");
        assert!(killed.success(), "kill -9 {pid}");
        let mut running = self.running.take().expect("the server runs");
        running.child.wait().expect("the script ends with its server");
    }

    /// Stops the server in good order.
    pub fn stop(&mut self) {
        if let Some(Running { mut child, stdin, .. }) = self.running.take() {
            drop(stdin);
            child.wait().expect("the script ends");
        }
    }

    /// Runs `rabbitmqctl` against this node; returns what it prints.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.directory.join("rabbitmqctl"))
            .args(arguments)
            .output()
            .expect("rabbitmqctl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Makes RabbitMQ write down the names of its queues. It does so by itself every half second,
    /// and a quorum queue declared later than that does not survive a `kill -9`, confirmed messages
    /// included (3.10 and 4.0).
    pub fn sync_queue_names(&self) {
        self.rabbitmqctl(&["eval", "[dets:sync(T) || T <- dets:all()]."]);
    }

    /// Waits until RabbitMQ has a queue of this name in a virtual host, and remembers it.
    pub fn wait_for_queue(&self, vhost: &str, queue: &str) {
        eventually("the queue is declared", || {
            let queues = self.rabbitmqctl(&["-q", "list_queues", "-p", vhost, "name"]);
            crate::wait::holds(queues.lines().any(|line| line.trim() == queue), &queues)
        });
        self.sync_queue_names();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        std::io::stdout().flush().ok();
    }
}
