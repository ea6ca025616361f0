//! A real server in a directory of its own, run by a script of `tests/stack/`.
//!
//! The script ends, and its server with it, when its standard input ends: whatever becomes of a
//! test, nothing outlives it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::port::Port;
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
    pub(crate) fn name(self) -> &'static str {
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
    variables: Vec<(&'static str, String)>,
    directory: PathBuf,
    port: Port,
    /// Where the port stands in the arguments.
    port_place: usize,
    /// Its port is known to others, and cannot be another one any more.
    was_ready: bool,
    running: Option<Running>,
}

/// How a script exits that cannot have the port it was given: see `tests/stack/lib.sh`.
const PORT_TAKEN: i32 = 98;

struct Running {
    child: Child,
    /// The server lives as long as this is open.
    stdin: ChildStdin,
    /// What the script has yet to say; `None` once it said that the server is ready.
    announcement: Option<ChildStdout>,
    is_suspended: bool,
}

impl Server {
    /// Starts RabbitMQ in `directory`; `settings` are lines of `rabbitmq.conf`.
    pub fn rabbitmq(directory: &Path, settings: &[&str]) -> Self {
        Self::new("rabbitmq.sh", &[], directory, settings).started()
    }

    /// Starts a search engine in `directory`.
    pub fn search(engine: Engine, directory: &Path, settings: &[&str]) -> Self {
        Self::new("elasticsearch.sh", &[engine.name()], directory, settings).started()
    }

    /// A server that is not started yet: what runs it is `script FIRST... DIRECTORY PORT LAST...`.
    pub(crate) fn new(
        script: &'static str,
        first: &[&str],
        directory: &Path,
        last: &[impl AsRef<str>],
    ) -> Self {
        let mut arguments: Vec<String> = first.iter().map(|word| (*word).to_owned()).collect();
        arguments.push(directory.display().to_string());
        let port = Port::reserve();
        let port_place = arguments.len();
        arguments.push(port.number().to_string());
        arguments.extend(last.iter().map(|word| word.as_ref().to_owned()));
        Self {
            script,
            arguments,
            variables: Vec::new(),
            directory: directory.to_owned(),
            port,
            port_place,
            was_ready: false,
            running: None,
        }
    }

    /// With an environment variable.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Started.
    pub(crate) fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Starts the server again, on the same port and the same data.
    pub fn start(&mut self) {
        self.begin_start();
        self.finish_start();
    }

    /// The first half of [`Self::start`]: a node of a cluster may not get ready before others are
    /// started.
    pub fn begin_start(&mut self) {
        assert!(self.running.is_none(), "{} runs", self.directory.display());
        let path = repository().join("tests/stack").join(self.script);
        let mut child = Command::new(&path)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", path.display()));
        let stdin = child.stdin.take().expect("stdin is piped");
        let announcement = child.stdout.take();
        self.running = Some(Running { child, stdin, announcement, is_suspended: false });
    }

    /// Waits until a server that is being started is ready. Where somebody who does not know of
    /// reservations took its port before it ever was, it gets another one.
    pub fn finish_start(&mut self) {
        loop {
            let running = self.running.as_mut().expect("the server is being started");
            let Some(announcement) = running.announcement.take() else { return };
            let mut lines = BufReader::new(announcement).lines();
            if lines.any(|line| line.expect("the script writes text").starts_with("READY ")) {
                self.was_ready = true;
                return;
            }
            let code = running.child.wait().expect("the script ends").code();
            assert!(
                code == Some(PORT_TAKEN) && !self.was_ready,
                "{} {:?} did not get ready (exit code {code:?}); see above",
                self.script,
                self.arguments
            );
            self.running = None;
            self.port = Port::reserve();
            self.arguments[self.port_place] = self.port.number().to_string();
            self.begin_start();
        }
    }

    /// The URL, such as `http://127.0.0.1:9200`, also while the server is down.
    pub fn url(&self) -> String {
        let port = self.port();
        match self.script {
            "rabbitmq.sh" => format!("amqp://guest:guest@127.0.0.1:{port}"),
            _ => format!("http://127.0.0.1:{port}"),
        }
    }

    /// The port, also while the server is down.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id of the server itself, not of the script that runs it.
    pub fn pid(&self) -> u32 {
        let pid = fs::read_to_string(self.directory.join("pid")).expect("the server's pid");
        pid.trim().parse().expect("a pid")
    }

    /// Whether it was started and neither killed nor stopped since.
    pub fn is_started(&self) -> bool {
        self.running.is_some()
    }

    /// Whether it was suspended and not resumed since.
    pub fn is_suspended(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.is_suspended)
    }

    /// `kill -9`, of one that is suspended or not ready yet, too.
    pub fn kill(&mut self) {
        let mut running = self.running.take().expect("the server runs");
        // Only the script knows the pid of a server that has not written it yet.
        if self.directory.join("pid").exists() {
            self.signal("-KILL");
        } else {
            drop(running.stdin);
        }
        running.child.wait().expect("the script ends with its server");
    }

    /// Makes the server stand still: its connections stay, and nobody answers.
    pub fn suspend(&mut self) {
        self.signal("-STOP");
        self.running.as_mut().expect("the server runs").is_suspended = true;
    }

    /// Lets a suspended server go on.
    pub fn resume(&mut self) {
        self.signal("-CONT");
        self.running.as_mut().expect("the server runs").is_suspended = false;
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill");
        assert!(sent.success(), "kill {signal} {pid}");
    }

    /// Stops the server in good order, a suspended one too.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.begin_stop() {
            child.wait().expect("the script ends");
        }
    }

    /// The first half of [`Self::stop`]; the second is to wait for what is returned.
    pub(crate) fn begin_stop(&mut self) -> Option<Child> {
        let Running { child, stdin, .. } = self.running.take()?;
        // The script sends SIGTERM, and SIGCONT after it.
        drop(stdin);
        Some(child)
    }

    /// Runs `rabbitmqctl` against this node.
    ///
    /// # Errors
    /// What it prints when it fails, as it does at a node that is down.
    pub fn try_rabbitmqctl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(self.directory.join("rabbitmqctl"))
            .args(arguments)
            .output()
            .expect("rabbitmqctl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("rabbitmqctl {arguments:?}: {text}{errors}"))
    }

    /// Runs `rabbitmqctl` against this node; returns what it prints.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        self.try_rabbitmqctl(arguments).unwrap_or_else(|error| panic!("{error}"))
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
