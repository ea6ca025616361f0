//! The whole monitor, gone round by hand: what it ships is confirmed here, or is not.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_common::config::{Period, Size};
use omphalos_common::telemetry::Health;
use omphalos_parser::Documents;
use omphalos_parser::settings::RecipeSettings;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use serde_json::Value;
use tempfile::TempDir;

use crate::config::Settings;
use crate::metrics::ShipperMetrics;
use crate::monitor::know::files::Host;
use crate::monitor::read::pipe::Piece;
use crate::monitor::schedule::Schedule;
use crate::monitor::{
    Bodies, ClosedBatch, End, Ended, EngineSettings, Inbox, Joints, Monitor, MonitorOptions,
    MonitorSettings, Other, Owner, Remembered, StateDir, WatchMode,
};
use omphalos_common::event::DocumentId;

/// A directory with logs, a state directory, and a monitor that runs or does not.
pub struct Rig {
    directory: TempDir,
    pub settings: Settings,
    pub once: bool,
    /// See `Limits`.
    pub copy_wait: Duration,
    pub archive_quiet: Duration,
    pub second_look: Duration,
    /// Who else reads the same files.
    pub others: Vec<Other>,
    monitor: Option<Running>,
    /// What standard input says, for monitors that are started from now on.
    pub pipe: Option<Receiver<Piece>>,
    pub metrics: ShipperMetrics,
    pub health: Health,
    /// What was confirmed, in order.
    pub shipped: Vec<Shipped>,
    /// What came out and is not confirmed.
    pub held: Vec<Held>,
}

struct Running {
    monitor: Monitor,
    inbox: Inbox,
    batches: Receiver<ClosedBatch>,
}

/// A document.
#[derive(Debug, Clone)]
pub struct Shipped {
    pub id: DocumentId,
    pub document: Value,
}

/// A batch that is not confirmed.
pub struct Held {
    documents: Vec<Shipped>,
    owners: Vec<Owner>,
    /// The checkpoint that had to be on disk before it left.
    needs_save: u64,
}

impl Shipped {
    /// The line that it was made of.
    pub fn line(&self) -> &str {
        self.document["event"]["original"].as_str().unwrap()
    }

    pub fn has_tag(&self, tag: &str) -> bool {
        let tags = self.document["tags"].as_array();
        tags.is_some_and(|tags| tags.iter().any(|own| own == tag))
    }
}

impl Rig {
    /// Reads `paths`, which are below the directory of the logs.
    pub fn new(paths: &[&str]) -> Self {
        // In memory where possible: each case saves its checkpoint many times.
        let shared = Path::new("/dev/shm");
        let directory = if shared.is_dir() {
            tempfile::tempdir_in(shared).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        fs::create_dir(directory.path().join("logs")).unwrap();
        let mut rig = Self {
            settings: Settings {
                state_dir: directory.path().join("state"),
                engine: EngineSettings {
                    watch: WatchMode::Poll,
                    checkpoint_interval: Period(Duration::ZERO),
                    ..EngineSettings::default()
                },
                ..Settings::default()
            },
            directory,
            once: false,
            copy_wait: Duration::ZERO,
            archive_quiet: Duration::ZERO,
            second_look: Duration::ZERO,
            others: Vec::new(),
            monitor: None,
            pipe: None,
            metrics: ShipperMetrics::default(),
            health: Health::default(),
            shipped: Vec::new(),
            held: Vec::new(),
        };
        rig.settings.batch.flush_interval = Period(Duration::ZERO);
        let paths = paths.iter().map(|path| match *path {
            "-" => "-".to_owned(),
            path => rig.path(path).display().to_string(),
        });
        let input = MonitorSettings {
            paths: paths.collect(),
            recipe: RecipeSettings {
                keep_original: true,
                max_line_bytes: Size(64 * 1024),
                ..RecipeSettings::default()
            },
            ..MonitorSettings::default()
        };
        rig.settings.monitor = vec![input];
        rig
    }

    /// The only `[[monitor]]` table.
    pub fn input(&mut self) -> &mut MonitorSettings {
        &mut self.settings.monitor[0]
    }

    /// What it says of lines and documents.
    pub fn recipe(&mut self) -> &mut RecipeSettings {
        &mut self.input().recipe
    }

    /// A path below the directory of the logs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("logs").join(name)
    }

    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        append(&self.path(name), text.as_ref());
    }

    pub fn start(&mut self) {
        assert!(self.monitor.is_none());
        let inputs = self.settings.inputs().unwrap();
        let state = self.open_state();
        let remembered = Remembered { others: self.others.clone(), ..state.load().unwrap() };
        state.note_start().unwrap();
        let inbox = Inbox::default();
        let (sender, batches): (SyncSender<ClosedBatch>, _) = sync_channel(1);
        let joints = Joints {
            documents: Documents::default(),
            inbox: inbox.clone(),
            batches: sender,
            pipe: self.pipe.take(),
            bodies: Bodies::default(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
        };
        let host =
            Host::new("web1".to_owned(), "id1".to_owned(), &self.settings.id_keys().unwrap());
        let Settings { engine: settings, batch, .. } = self.settings.clone();
        let options = MonitorOptions {
            once: self.once,
            settings,
            batch,
            measures_lag: false,
            says_untimed: true,
            host,
        };
        let mut monitor = Monitor::new(options, inputs, state, remembered, joints).unwrap();
        let limits = monitor.files.limits_mut();
        limits.linger = Duration::ZERO;
        limits.archive_quiet = self.archive_quiet;
        limits.copy_wait = self.copy_wait;
        limits.second_look = self.second_look;
        self.monitor = Some(Running { monitor, inbox, batches });
    }

    /// The lock of a monitor that is gone is given back by its thread, a moment later.
    pub fn open_state(&self) -> StateDir {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            match StateDir::open(&self.settings.state_dir) {
                Ok(state) => return state,
                Err(error) => assert!(Instant::now() < patience, "{error}"),
            }
            thread::yield_now();
        }
    }

    pub fn is_running(&self) -> bool {
        self.monitor.is_some()
    }

    /// Goes round once; what comes out is held.
    pub fn round(&mut self) -> Option<Ended> {
        let running = self.monitor.as_mut().unwrap();
        let now = Instant::now();
        let news = running.inbox.wait(now, now);
        let ended = running.monitor.go_round(news);
        loop {
            match running.batches.try_recv() {
                Ok(closed) => {
                    running.inbox.put(|news| news.room = true);
                    self.held.push(Held::new(closed));
                }
                Err(TryRecvError::Disconnected) if self.held.is_empty() => {
                    running.inbox.put(|news| news.end = End::Finished);
                    break;
                }
                Err(_) => break,
            }
        }
        ended
    }

    /// Goes round until others may open files.
    pub fn give_turn(&mut self) {
        while self.monitor.as_ref().is_some_and(|running| running.monitor.turn.is_held()) {
            self.round();
        }
    }

    /// Goes round once; nothing that comes out is taken, as when the broker is away.
    pub fn round_without_taking(&mut self) {
        let running = self.monitor.as_mut().unwrap();
        running.monitor.schedule = Schedule::new(Instant::now());
        let now = Instant::now();
        let news = running.inbox.wait(now, now);
        running.monitor.go_round(news);
    }

    /// For how long the monitor rests now, if nothing happens.
    pub fn rest(&self) -> Duration {
        let now = Instant::now();
        self.monitor.as_ref().unwrap().monitor.deadline(now).saturating_duration_since(now)
    }

    /// Looks for new files, and reads everything there is.
    pub fn look(&mut self) {
        // What cannot be judged at once is looked at again.
        for _ in 0..3 {
            self.rescan();
            self.rounds();
        }
    }

    /// Looks at what there is, lets `act` change it, and only then opens what was seen.
    pub fn look_while(&mut self, act: impl FnOnce(&Self)) {
        let files = &self.monitor.as_ref().unwrap().monitor.files;
        let scan = crate::monitor::scan(&files.watched());
        act(self);
        let monitor = &mut self.monitor.as_mut().unwrap().monitor;
        for id in monitor.files.update(scan) {
            monitor.ready.push(id);
        }
    }

    /// Gives back all descriptors, as of files that were idle for long.
    pub fn close_descriptors(&mut self) {
        let files = &mut self.monitor.as_mut().unwrap().monitor.files;
        for id in files.ids() {
            files.get_mut(id).unwrap().close();
        }
    }

    /// Makes the next round look for new files.
    pub fn rescan(&mut self) {
        self.monitor.as_mut().unwrap().monitor.schedule = Schedule::new(Instant::now());
    }

    /// Tells the monitor that something was written.
    pub fn touch(&self, path: &str) {
        self.monitor.as_ref().unwrap().inbox.put(|news| {
            news.touched.insert(PathBuf::from(path));
        });
    }

    /// Brings health and metrics up to date.
    pub fn report(&mut self) {
        let monitor = &mut self.monitor.as_mut().unwrap().monitor;
        monitor.options.measures_lag = true;
        monitor.next_report = Instant::now();
        monitor.report();
    }

    /// Goes round, confirming everything, until it ends by itself.
    pub fn finish(&mut self) -> Ended {
        let patience = Instant::now() + Duration::from_mins(1);
        loop {
            let ended = self.round();
            self.confirm_all();
            if let Some(ended) = ended {
                self.monitor = None;
                return ended;
            }
            assert!(Instant::now() < patience, "it does not end");
            thread::yield_now();
        }
    }

    /// Goes round until there is nothing more to do.
    fn rounds(&mut self) {
        let patience = Instant::now() + Duration::from_mins(1);
        loop {
            self.round();
            let Some(running) = &mut self.monitor else { return };
            if running.monitor.is_idle() {
                return;
            }
            assert!(Instant::now() < patience, "it comes to no rest");
            if running.monitor.ready.is_empty() || !running.monitor.saver.can_remember() {
                // The checkpoint is being written.
                thread::yield_now();
            }
        }
    }

    /// Confirms the batch at this place of those that are held.
    pub fn confirm(&mut self, place: usize) {
        let held = self.held.remove(place);
        self.shipped.extend(held.documents);
        if let Some(running) = &self.monitor {
            running.inbox.put(|news| news.confirmed.extend(held.owners));
        }
    }

    /// The same, and its first chunk once more, as if another stage had gone astray.
    pub fn confirm_twice(&mut self, place: usize) -> Owner {
        let owner = self.held[place].owners[0];
        self.confirm(place);
        let running = self.monitor.as_ref().unwrap();
        running.inbox.put(|news| news.confirmed.push(owner));
        owner
    }

    pub fn confirm_all(&mut self) {
        while !self.held.is_empty() {
            self.confirm(0);
        }
    }

    /// Goes round, confirming everything, until the checkpoint cannot be saved.
    pub fn go_round_until_unsaved(&mut self) {
        let patience = Instant::now() + Duration::from_mins(1);
        while self.monitor.as_ref().unwrap().monitor.saver.can_remember() {
            self.rescan();
            self.round();
            self.confirm_all();
            assert!(Instant::now() < patience, "it is saved again and again");
        }
    }

    /// Looks, and confirms everything, until nothing comes any more.
    pub fn settle(&mut self) {
        loop {
            self.look();
            if self.held.is_empty() {
                return;
            }
            self.confirm_all();
        }
    }

    /// What is confirmed goes to disk.
    pub fn save(&mut self) {
        self.monitor.as_mut().unwrap().monitor.saver.hurry();
        self.rounds();
    }

    /// Stops as the process does: what was read is delivered and remembered.
    pub fn stop(&mut self) -> Ended {
        self.monitor.as_ref().unwrap().inbox.put(|news| news.end = End::Stop);
        self.finish()
    }

    /// Ends as after `kill -9`: what was not confirmed is gone.
    pub fn crash(&mut self) {
        self.monitor = None;
        self.held.clear();
    }

    /// The same, but what had left by then arrives.
    pub fn crash_late(&mut self) {
        let left = self.held.drain(..).flat_map(|held| held.documents);
        self.shipped.extend(left);
        self.crash();
    }

    /// Has `work` done by an import beside what runs, which is left alone meanwhile.
    pub fn import(&mut self, work: impl FnOnce(&mut Self)) {
        let running = self.monitor.take();
        let held = std::mem::take(&mut self.held);
        let state = self.settings.state_dir.clone();
        self.settings.state_dir = state.join("import");
        let others = std::mem::replace(&mut self.others, vec![Other::Process(state.clone())]);
        self.once = true;
        work(self);
        assert!(self.monitor.is_none(), "the import has ended");
        (self.once, self.others, self.settings.state_dir) = (false, others, state);
        (self.monitor, self.held) = (running, held);
    }

    /// Whether what came out and is not confirmed had to wait for a checkpoint.
    pub fn has_waited(&self) -> bool {
        self.held.iter().any(|held| held.needs_save > 0)
    }

    /// What came out and is not confirmed.
    pub fn held_documents(&self) -> Vec<Shipped> {
        self.held.iter().flat_map(|held| held.documents.iter().cloned()).collect()
    }

    /// The lines of everything that was confirmed, in order of their first arrival.
    pub fn lines(&self) -> Vec<&str> {
        self.shipped.iter().map(Shipped::line).collect()
    }

    /// How often each line arrived, counting repeats of one id once.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut ids: BTreeMap<String, Vec<DocumentId>> = BTreeMap::new();
        for shipped in &self.shipped {
            let own = ids.entry(shipped.line().to_owned()).or_default();
            if !own.contains(&shipped.id) {
                own.push(shipped.id);
            }
        }
        ids.into_iter().map(|(line, ids)| (line, ids.len())).collect()
    }

    /// What the metrics say of `name`, with its labels.
    pub fn metric(&self, name: &str) -> u64 {
        let telemetry = omphalos_common::telemetry::Telemetry::default();
        telemetry.register(|registry| self.metrics.register(registry));
        let text = telemetry.metrics();
        let line = text.lines().find(|line| line.contains(name) && !line.starts_with('#'));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0, |value| value.parse().unwrap())
    }
}

impl Held {
    fn new(closed: ClosedBatch) -> Self {
        let texts = closed.batch.body.split_inclusive(|byte| *byte == b'\n');
        let ids = closed.batch.chunks.iter().flat_map(|chunk| &chunk.ids);
        let documents = texts
            .zip(ids)
            .map(|(text, id)| Shipped { id: *id, document: serde_json::from_slice(text).unwrap() });
        Self {
            documents: documents.collect(),
            owners: closed.owners,
            needs_save: closed.needs_save,
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.documents.iter().map(Shipped::line)
    }
}

pub fn append(path: &Path, text: &[u8]) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text).unwrap();
}

/// So few cases, always the same; `make fuzz-tail` (`OMPHALOS_TAIL_CASES`) tries more, and other ones
/// each time.
pub fn cases(few: u32) -> ProptestConfig {
    let given = std::env::var("OMPHALOS_TAIL_CASES").ok();
    let given = given.and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: given.unwrap_or(few),
        rng_seed: if given.is_some() { RngSeed::Random } else { RngSeed::Fixed(2026) },
        max_shrink_iters: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
