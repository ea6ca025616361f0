//! The whole monitor, finding and reading files when events tell of them: both the rescans by the
//! clock and the looks at all files are too far away to help, unless a test says otherwise.

use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use omphalos_common::config::Period;
use omphalos_common::telemetry::Health;
use prometheus_client::registry::Registry;

use super::*;
use crate::config::Settings;
use crate::metrics::ShipperMetrics;
use crate::monitor::{
    Bodies, ClosedBatch, End, Ended, EngineSettings, Host, Inbox, Joints, Monitor, MonitorOptions,
    MonitorSettings, Remembered, StateDir,
};

/// Sooner than any clock in these tests, and late enough for a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// A monitor at work in a directory of its own.
struct Running {
    directory: TempDir,
    inbox: Inbox,
    metrics: ShipperMetrics,
    batches: Receiver<ClosedBatch>,
    thread: Option<JoinHandle<Ended>>,
}

impl Running {
    /// Begins with a file that matches, and waits until it is read.
    fn start(pattern: &str, rescan_interval: Duration) -> Self {
        Self::start_with(pattern, rescan_interval, usize::MAX)
    }

    /// The same, with so many watches at most; the rest is polled often.
    fn start_with(pattern: &str, rescan_interval: Duration, most_watches: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(&directory.path().join("state")).unwrap();
        let log = directory.path().join("log");
        let first = log.join(pattern.replace("**/", "").replace('*', "first"));
        fs::create_dir_all(first.parent().unwrap()).unwrap();
        fs::write(first, "the first line\n").unwrap();
        let is_polled = most_watches < usize::MAX;
        let poll_interval = if is_polled { Duration::from_millis(20) } else { never() };
        let mut settings = Settings {
            engine: EngineSettings {
                poll_interval: Period(poll_interval),
                rescan_interval: Period(rescan_interval),
                ..EngineSettings::default()
            },
            monitor: vec![MonitorSettings {
                paths: vec![
                    log.join(pattern).display().to_string(),
                    log.join("not/there/yet/*.log").display().to_string(),
                ],
                ..MonitorSettings::default()
            }],
            ..Settings::default()
        };
        settings.batch.flush_interval = Period(Duration::from_millis(1));
        let inputs = settings.inputs().unwrap();
        let (inbox, metrics) = (Inbox::default(), ShipperMetrics::default());
        let (sender, batches) = sync_channel(100);
        let joints = Joints {
            documents: Documents::default(),
            inbox: inbox.clone(),
            batches: sender,
            pipe: None,
            bodies: Bodies::default(),
            metrics: metrics.clone(),
            health: Health::default(),
        };
        let host = Host::new("web1".to_owned(), "host".to_owned(), &settings.id_keys().unwrap());
        let Settings { engine: settings, batch, .. } = settings;
        let options = MonitorOptions {
            once: false,
            settings,
            batch,
            measures_lag: false,
            says_untimed: true,
            host,
        };
        let mut monitor =
            Monitor::new(options, inputs, state, Remembered::default(), joints).unwrap();
        monitor.watcher.limit.most = most_watches;
        let thread = Some(std::thread::spawn(move || monitor.run()));
        let running = Self { directory, inbox, metrics, batches, thread };
        running.wait_for("the first line");
        running
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("log").join(name)
    }

    fn append(&self, name: &str, line: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn wait_for(&self, line: &str) {
        let started = Instant::now();
        loop {
            let left = SOON.saturating_sub(started.elapsed());
            let batch = self.batches.recv_timeout(left).unwrap_or_else(|_| panic!("no {line:?}"));
            if std::str::from_utf8(&batch.batch.body).unwrap().contains(line) {
                println!("{line:?} came after {:?}", started.elapsed());
                return;
            }
        }
    }

    fn counters(&self) -> String {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.inbox.put(|news| news.end = End::Finished);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(Ended::Unconfirmed))));
    }
}

fn never() -> Duration {
    Duration::from_hours(1)
}

#[test]
fn a_new_file_is_found_at_once_in_old_and_new_directories() {
    let running = Running::start("**/*.log", never());
    running.append("second.log", "in an old directory");
    running.wait_for("in an old directory");
    for number in 0..5 {
        let directory = format!("new{number}/below/deep/deeper");
        fs::create_dir_all(running.path(&directory)).unwrap();
        let line = format!("in new directory {number}");
        running.append(&format!("{directory}/x.log"), &line);
        running.wait_for(&line);
        let line = format!("later in new directory {number}");
        running.append(&format!("{directory}/x.log"), &line);
        running.wait_for(&line);
    }
}

#[test]
fn a_directory_that_is_named_before_it_is_there_is_found_at_once() {
    let running = Running::start("*.log", never());
    for part in ["not", "not/there", "not/there/yet"] {
        fs::create_dir(running.path(part)).unwrap();
    }
    running.append("not/there/yet/x.log", "there now");
    running.wait_for("there now");
    fs::remove_dir_all(running.path("not")).unwrap();
    fs::create_dir_all(running.path("not/there/yet")).unwrap();
    running.append("not/there/yet/y.log", "there again");
    running.wait_for("there again");
}

#[test]
fn a_write_is_seen_where_the_file_is_and_not_only_where_its_link_is() {
    let running = Running::start("containers/*.log", never());
    fs::create_dir_all(running.path("pods/web")).unwrap();
    running.append("pods/web/0.log", "first of the pod");
    symlink("../pods/web/0.log", running.path("containers/web.log")).unwrap();
    running.wait_for("first of the pod");
    running.append("pods/web/0.log", "second of the pod");
    running.wait_for("second of the pod");
}

#[test]
fn a_write_is_seen_in_a_file_that_was_renamed_so_that_no_pattern_matches() {
    let running = Running::start("*.log", never());
    running.append("a.log", "before");
    running.wait_for("before");
    fs::rename(running.path("a.log"), running.path("a.log.1")).unwrap();
    running.append("a.log", "of the new file");
    running.wait_for("of the new file");
    running.append("a.log.1", "of the old file");
    running.wait_for("of the old file");
}

#[test]
fn events_that_stopped_are_noticed_and_come_again() {
    let running = Running::start("*.log", Duration::from_millis(100));
    fs::create_dir(running.path("end-this-thread")).unwrap();
    let started = Instant::now();
    while !running.counters().contains("watcher_restarts_total 1") {
        assert!(started.elapsed() < SOON, "{}", running.counters());
        std::thread::yield_now();
    }
    running.append("a.log", "after the restart");
    running.wait_for("after the restart");
}

#[test]
fn files_beyond_the_limit_of_watches_are_polled_and_new_ones_found_by_the_clock() {
    let running = Running::start_with("**/*.log", never(), 1);
    fs::create_dir(running.path("beyond")).unwrap();
    running.append("beyond/a.log", "found by the event of its directory");
    running.wait_for("found by the event of its directory");
    for number in 0..5 {
        let line = format!("found by polling {number}");
        running.append("beyond/a.log", &line);
        running.wait_for(&line);
    }
    running.append("beyond/b.log", "found by a rescan");
    running.wait_for("found by a rescan");
}

#[test]
fn a_storm_of_new_files_is_read_and_comes_to_rest() {
    let running = Running::start("**/*.log", never());
    for number in 0..500 {
        fs::create_dir_all(running.path(&format!("{}/{number}", number % 20))).unwrap();
        running.append(&format!("{}/{number}/x.log", number % 20), "one of many");
    }
    running.append("last.log", "last of all");
    let (started, mut documents) = (Instant::now(), 0);
    while documents < 501 {
        let batch = running.batches.recv_timeout(SOON).unwrap();
        documents += batch.batch.documents();
    }
    println!("{documents} new files were read after {:?}", started.elapsed());
}
