//! The built programs as processes: started, looked at, told to stop, killed.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::port::Port;
use crate::repository;
use crate::wait::{eventually, holds};

/// A program to run, or running.
pub struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    log: PathBuf,
    listen: Option<Port>,
    nobody: bool,
    wrapper: Vec<OsString>,
    is_piped: bool,
    child: Option<Child>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Exited {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote, standard error and standard output.
    pub output: String,
}

impl Program {
    /// The program `name`, whose output goes to the file `log`.
    pub fn new(name: &'static str, log: &Path) -> Self {
        Self {
            name,
            path: binary(name),
            arguments: Vec::new(),
            variables: Vec::new(),
            log: log.to_owned(),
            listen: None,
            nobody: false,
            wrapper: Vec::new(),
            is_piped: false,
            child: None,
        }
    }

    /// The one of this name in another directory: that of another version.
    #[must_use]
    pub fn of(mut self, directory: &Path) -> Self {
        self.path = directory.join(self.name);
        self
    }

    /// Stops it as an operator does, and starts that of another directory, with the same arguments.
    pub fn replace(&mut self, directory: &Path) {
        assert_eq!(self.terminate(), Some(0), "{}", self.log());
        self.path = directory.join(self.name);
        self.restart();
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Display) -> Self {
        self.arguments.push(argument.to_string().into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().into()));
        self
    }

    /// With an option and its value.
    #[must_use]
    pub fn option(self, name: &str, value: impl Display) -> Self {
        self.arg(name).arg(value)
    }

    /// With an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Display) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// With the wall clock that the file of a [`crate::Clock`] sets.
    #[must_use]
    pub fn with_clock(mut self, file: &Path) -> Self {
        self.variables.extend(crate::clock::variables(file));
        self
    }

    /// As the user nobody, where we are root: root may read and write everything.
    #[must_use]
    pub fn as_nobody(mut self) -> Self {
        self.nobody = true;
        self
    }

    /// Started by another command, which gets the program and its arguments behind its own, and
    /// becomes it.
    #[must_use]
    pub fn under(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(Into::into).collect();
        self
    }

    /// With standard input from [`Self::input`].
    #[must_use]
    pub fn piped(mut self) -> Self {
        self.is_piped = true;
        self
    }

    /// Serving metrics on a free port.
    #[must_use]
    pub fn listening(mut self) -> Self {
        let port = Port::reserve();
        let address = format!("127.0.0.1:{}", port.number());
        self.listen = Some(port);
        self.option("--listen", address)
    }

    /// Starts it.
    #[must_use]
    pub fn start(mut self) -> Self {
        self.restart();
        self
    }

    /// Starts it again; its output is appended.
    pub fn restart(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).expect("the log");
        let errors = log.try_clone().expect("the log");
        let mut words = self.wrapper.clone();
        words.push(self.path.clone().into());
        let mut command = Command::new(&words[0]);
        if self.nobody && is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command
            .args(&words[1..])
            .args(&self.arguments)
            // Tests count all documents; those that are about heartbeats say so with a flag.
            .env("OMPHALOS_HEARTBEAT_INTERVAL", "0s")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(if self.is_piped { Stdio::piped() } else { Stdio::null() })
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run {}: {error}; build it: cargo build --workspace", self.name)
            });
        self.child = Some(child);
    }

    /// Runs it to its end.
    pub fn run(self) -> Exited {
        let mut program = self.start();
        let code = program.wait().code();
        Exited { code, output: program.log() }
    }

    /// The command that runs it, for a shell in the repository.
    pub fn command_line(&self) -> String {
        let path = self.path.strip_prefix(repository()).unwrap_or(&self.path);
        let words =
            std::iter::once(path.as_os_str()).chain(self.arguments.iter().map(AsRef::as_ref));
        let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        words.join(" ")
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it has written `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.wait_for_log_times(text, 1);
    }

    /// Waits until it has written `text` so often: what it wrote before it was started once more is in
    /// its log as well.
    pub fn wait_for_log_times(&self, text: &str, times: usize) {
        eventually(&format!("{} says {text:?}, {times} times", self.name), || {
            holds(self.count_in_log(text) >= times, self.log())
        });
    }

    /// How often `text` is in what it has written.
    pub fn count_in_log(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("kill -9");
        child.wait().expect("it ends");
    }

    /// Where it serves metrics.
    pub fn port(&self) -> u16 {
        self.listen.as_ref().expect("it listens").number()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// What is written here comes in on its standard input, which ends when this is dropped.
    pub fn input(&mut self) -> ChildStdin {
        let child = self.child.as_mut().expect("it runs");
        child.stdin.take().expect("it is piped, and this was not taken yet")
    }

    /// The most memory that it ever had at once, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("its status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.trim().strip_suffix(" kB")).map(str::parse::<u64>);
        kib.expect("its peak").expect("a number") * 1024
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("wait").is_none())
    }

    /// Sends SIGTERM and waits; returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.wait().code()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill");
        assert!(sent.success(), "kill {signal} {pid}");
    }

    /// Makes it stand still.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on when it was suspended.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let name = self.name;
        let log = self.log.clone();
        let status = eventually(&format!("{name} ends"), || {
            let status = child.try_wait().expect("wait");
            status.ok_or_else(|| {
                String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned()
            })
        });
        self.child = None;
        status
    }

    /// A metric, the sum over its labels; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.http("/metrics").unwrap_or_default();
        let is_sample = |line: &&str| {
            let key = line.split([' ', '{']).next();
            key == Some(name)
        };
        let values = text.lines().filter(is_sample);
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// One sample of a metric, named with its labels; 0 when it is not there.
    pub fn sample(&self, name: &str) -> f64 {
        let text = self.http("/metrics").unwrap_or_default();
        let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.filter_map(|value| value.parse::<f64>().ok()).sum()
    }

    /// The body of `GET path` on its listener, if it answers with 200.
    pub fn http(&self, path: &str) -> Option<String> {
        let port = self.port();
        let url = format!("http://127.0.0.1:{port}{path}");
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).build();
        let response = client.expect("a client").get(url).send().ok()?;
        response.status().is_success().then(|| response.text().unwrap_or_default())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            println!("---- {} ----\n{}", self.name, self.log());
        }
    }
}

/// The user and the group nobody, on Debian and elsewhere.
const NOBODY: u32 = 65534;

/// Whether this process may do everything.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A word as a shell takes it literally.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%=,+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The binary of this name in the directory that this test was built into.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("our own path");
    let profile = own.ancestors().find(|path| path.join(name).is_file());
    profile.map_or_else(|| PathBuf::from(name), |directory| directory.join(name))
}
