//! What the shipper counts: the books ([`crate::books`]), and what need not add up.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tracing::info;

use crate::books::{Books, Held, Sums};
use omphalos_parser::scribe::Counts;
use omphalos_parser::steps::not_reread;

/// The files that are furthest behind are shown; more would make scrapes slow.
const MOST_FILES: usize = 1000;

/// Why bytes were lost. All are shown from the beginning, at 0: Prometheus sees no increase from
/// nothing to 1.
const LOST: [&str; 3] = ["truncated", "deleted", "given_up"];

/// Why bytes were left out on purpose.
const PASSED_OVER: [&str; 3] = ["start", "ignore_older", "padding"];

/// The label of counters that are kept for each reason.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// How far a file is behind.
#[derive(Debug, Clone)]
pub struct FileLag {
    /// Which file.
    pub path: PathBuf,
    /// Bytes in the file that are not confirmed.
    pub bytes: u64,
    /// How long the oldest of what is read waits for its confirm.
    pub waiting: Duration,
}

/// The counters; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ShipperMetrics {
    books: Books,
    cut: Counter,
    lost: Family<Reason, Counter>,
    passed_over: Family<Reason, Counter>,
    invalid: Counter,
    unfinished: Counter,
    split: Counter,
    damaged: Counter,
    unreadable: Gauge,
    files_waiting: Gauge,
    files_waiting_bytes: Gauge,
    watcher_restarts: Counter,
    files: Arc<Mutex<Vec<FileLag>>>,
}

impl ShipperMetrics {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let Self { cut, lost, .. } = self;
        for reason in LOST {
            drop(lost.get_or_create(&Reason { reason }));
        }
        registry.register_collector(Box::new(self.books.clone()));
        registry.register(
            "lines_cut",
            "Lines longer than max_line_bytes, of which the beginning was shipped",
            cut.clone(),
        );
        registry.register(
            "bytes_lost",
            "Bytes that disappeared from files before they were read; there may have been more",
            lost.clone(),
        );
        self.register_oddities(registry);
        registry.register(
            "watcher_restarts",
            "How often file events had stopped and the watcher was restarted",
            self.watcher_restarts.clone(),
        );
        registry.register_collector(Box::new(Databases));
        registry.register_collector(Box::new(Lags(Arc::clone(&self.files))));
    }

    fn register_oddities(&self, registry: &mut Registry) {
        let Self { passed_over, invalid, unfinished, split, damaged, unreadable, .. } = self;
        for reason in PASSED_OVER {
            drop(passed_over.get_or_create(&Reason { reason }));
        }
        registry.register(
            "bytes_skipped",
            "Bytes left out on purpose: because of start = end or ignore_older, and NUL padding",
            passed_over.clone(),
        );
        registry.register(
            "lines_invalid",
            "Lines with invalid characters, shipped with U+FFFD in their place",
            invalid.clone(),
        );
        registry.register(
            "lines_unfinished",
            "Last lines shipped without a line end; they are shipped again when they are completed",
            unfinished.clone(),
        );
        registry.register(
            "lines_split",
            "Documents of some pieces of a container's line, without the others",
            split.clone(),
        );
        registry.register(
            "archives_damaged",
            "Damaged archives, of which only the part before the damage could be read",
            damaged.clone(),
        );
        registry.register(
            "files_unreadable",
            "Files and directories that cannot be read now",
            unreadable.clone(),
        );
        registry.register(
            "files_waiting",
            "Archives that are not read yet, because they may not be complete",
            self.files_waiting.clone(),
        );
        registry.register(
            "files_waiting_bytes",
            "Compressed bytes of the archives in files_waiting",
            self.files_waiting_bytes.clone(),
        );
    }

    /// Shows a dataset from the beginning, and what these steps drop.
    pub fn open(&self, dataset: &Arc<str>, dropping: &[Arc<str>]) {
        self.books.open(dataset, dropping);
    }

    /// Adds what a turn of a file found, and how many lines the file held before and holds now.
    pub fn count(&self, dataset: &Arc<str>, counts: &Counts, held: Held) {
        if counts.lines == 0 && counts.bytes == 0 && held.before == held.after {
            return;
        }
        self.books.enter(dataset, counts, held);
        self.cut.inc_by(counts.cut);
        self.invalid.inc_by(counts.invalid);
        self.unfinished.inc_by(counts.unfinished);
        self.split.inc_by(counts.split);
        if counts.padding > 0 {
            self.skipped("padding", counts.padding);
        }
    }

    /// What was done so far.
    pub fn totals(&self) -> Sums {
        self.books.sums()
    }

    /// How many lines of a dataset were read.
    pub fn lines_read(&self) -> u64 {
        self.books.sums().lines
    }

    /// How many archives could not be read to their end.
    pub fn archives_damaged(&self) -> u64 {
        self.damaged.get()
    }

    /// An archive cannot be read to its end.
    pub fn archive_damaged(&self) {
        self.damaged.inc();
    }

    /// Counts bytes that are left out on purpose.
    pub fn skipped(&self, reason: &'static str, bytes: u64) {
        debug_assert!(PASSED_OVER.contains(&reason), "{reason} is not shown from the beginning");
        self.passed_over.get_or_create(&Reason { reason }).inc_by(bytes);
    }

    /// Counts bytes that cannot be read any more.
    pub fn lost(&self, reason: &'static str, bytes: u64) {
        debug_assert!(LOST.contains(&reason), "{reason} is not shown from the beginning");
        self.lost.get_or_create(&Reason { reason }).inc_by(bytes);
    }

    /// Counts that file events had stopped.
    pub fn watcher_restarted(&self) {
        self.watcher_restarts.inc();
    }

    /// Counts documents that are delivered.
    pub fn confirmed(&self, dataset: &str, documents: usize) {
        self.books.confirm(dataset, documents);
    }

    /// A file that held lines comes into the set, or goes out of it.
    pub fn held(&self, dataset: &Arc<str>, held: Held) {
        self.count(dataset, &Counts::default(), held);
    }

    /// How many archives wait to be read, and how large they are.
    pub fn files_waiting(&self, archives: u64, bytes: u64) {
        self.files_waiting.set(i64::try_from(archives).unwrap_or(i64::MAX));
        self.files_waiting_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Logs the counts since the start: after the end nobody can ask for them.
    pub fn log_books(&self) {
        let Sums { lines, confirmed, skipped, joined, in_flight, held, .. } = self.totals();
        info!(read = lines, confirmed, skipped, joined, in_flight, held, "counts since the start");
    }

    /// How far files were behind when that was measured last, the furthest first and at most a thousand,
    /// and how many cannot be read.
    pub fn lags(&self) -> (Vec<FileLag>, u64) {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (files, u64::try_from(self.unreadable.get()).unwrap_or(0))
    }

    /// How far each file is behind, measured now.
    pub fn report(&self, mut files: Vec<FileLag>, unreadable: usize) {
        self.unreadable.set(i64::try_from(unreadable).unwrap_or(i64::MAX));
        files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
        files.truncate(MOST_FILES);
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }
}

/// How often databases of steps could not be read again, which steps count for the process.
#[derive(Debug)]
struct Databases;

impl Collector for Databases {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let count = ConstCounter::new(not_reread());
        let help =
            "Databases of geoip steps that changed and could not be read; the former stay in use";
        let name = "geoip_databases_refused";
        count.encode(encoder.encode_descriptor(name, help, None, count.metric_type())?)
    }
}

/// The lags as gauges, one each file that is there now.
#[derive(Debug)]
struct Lags(Arc<Mutex<Vec<FileLag>>>);

impl Collector for Lags {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = Family::<PathLabel, Gauge>::default();
        let seconds = Family::<PathLabel, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        for file in &files {
            let label = PathLabel { path: file.path.to_string_lossy().into_owned() };
            let lag = i64::try_from(file.bytes).unwrap_or(i64::MAX);
            bytes.get_or_create(&label).set(lag);
            seconds.get_or_create(&label).set(file.waiting.as_secs_f64());
        }
        let count = ConstGauge::new(i64::try_from(files.len()).unwrap_or(i64::MAX));
        let help = "Files being read, at most 1000 of which are listed";
        count.encode(encoder.encode_descriptor("files", help, None, count.metric_type())?)?;
        let help = "Bytes in the file that are not delivered";
        bytes.encode(encoder.encode_descriptor(
            "file_lag_bytes",
            help,
            None,
            bytes.metric_type(),
        )?)?;
        let help = "How long the oldest undelivered line that was read has been waiting";
        seconds.encode(encoder.encode_descriptor(
            "file_lag_seconds",
            help,
            None,
            seconds.metric_type(),
        )?)
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PathLabel {
    path: String,
}
