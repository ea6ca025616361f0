//! Scrapes programs as fast as it can while a test works and kills, and adds up every scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::blocking::{Client, Response};

use crate::wait::{eventually, holds, rest};

/// Between two scrapes, so that others have a processor too; and before who does not answer is asked
/// again.
const PAUSE: Duration = Duration::from_millis(1);

/// Equations that hold in every scrape: a column, and those that it is the sum of. Counters have the
/// suffix `_total`.
const EQUATIONS: [(&str, &[&str]); 3] = [
    (
        "lines_read_total",
        &[
            "documents_confirmed_total",
            "documents_in_flight",
            "lines_skipped_total",
            "lines_joined_total",
        ],
    ),
    (
        "documents_received_total",
        &[
            "documents_indexed_total",
            "documents_duplicate_total",
            "documents_dead_total",
            "documents_returned_total",
            "documents_in_flight",
        ],
    ),
    (
        "relay_documents_received_total",
        &["relay_documents_confirmed_total", "relay_documents_in_flight"],
    ),
];

/// What metrics are called in processes of one part, and of two.
const PREFIXES: [&str; 3] = ["omphalos_", "omphalos_shipper_", "omphalos_indexer_"];

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Scrapes in which an equation stood.
    pub scrapes: u64,
    /// Those in which something was under way.
    pub moving: u64,
    /// Those that did not add up.
    pub odd: u64,
    /// What the first of them said.
    pub examples: Vec<String>,
    /// The largest value of each metric, over all labels and programs.
    pub largest: BTreeMap<String, u64>,
}

/// The threads that scrape.
pub struct Scraper {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Scraper {
    /// Scrapes the programs at these ports, each from as many threads, until it is dropped.
    pub fn start(ports: &[u16], threads_each: usize) -> Self {
        let (seen, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let each = ports.iter().flat_map(|port| vec![*port; threads_each]);
        let threads = each.map(|port| {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            thread::spawn(move || scrape(port, &seen, &stop))
        });
        let threads = threads.collect();
        Self { seen, stop, threads }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Waits until there were so many scrapes.
    pub fn wait_for(&self, scrapes: u64) {
        eventually("there were enough scrapes", || {
            let seen = lock(&self.seen).scrapes;
            holds(seen >= scrapes, format!("{seen} of {scrapes}"))
        });
    }

    /// Ends it; every scrape must have added up.
    pub fn finish(mut self) -> Seen {
        self.end();
        let seen = self.seen();
        println!("{} scrapes, {} of them while something moved", seen.scrapes, seen.moving);
        let Seen { odd, scrapes, examples, .. } = &seen;
        assert!(*odd == 0, "{odd} of {scrapes} scrapes do not add up:\n{}", examples.join("\n"));
        seen
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a thread that scrapes");
        }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scrape(port: u16, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let client = Client::builder().timeout(Duration::from_secs(5)).build().expect("a client");
    let url = format!("http://127.0.0.1:{port}/metrics");
    while !stop.load(Ordering::Relaxed) {
        // Who was killed does not answer before it is there again.
        if let Ok(text) = client.get(&url).send().and_then(Response::text) {
            lock(seen).enter(&Scrape::read(&text));
        }
        rest(PAUSE);
    }
}

impl Seen {
    fn enter(&mut self, scrape: &Scrape) {
        let (mut sums, mut problems) = (0, Vec::new());
        for prefix in PREFIXES {
            for (left, right) in EQUATIONS {
                sums += scrape.add_up((prefix, left, right), &mut problems);
            }
        }
        for (name, value) in &scrape.all {
            let largest = self.largest.entry(name.clone()).or_default();
            *largest = (*largest).max(*value);
        }
        // In the first moments nothing is counted yet.
        self.scrapes += u64::from(sums > 0);
        let is_in_flight =
            |(name, value): (&String, &u64)| name.ends_with("in_flight") && *value > 0;
        self.moving += u64::from(scrape.all.iter().any(is_in_flight));
        self.odd += u64::from(!problems.is_empty());
        self.examples.extend(problems);
        self.examples.truncate(5);
    }
}

/// The numbers of a scrape, over all labels and for each dataset.
struct Scrape {
    all: BTreeMap<String, u64>,
    of_datasets: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let mut scrape = Self { all: BTreeMap::new(), of_datasets: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<u64>() else { continue };
            let (name, labels) = key.split_once('{').unwrap_or((key, ""));
            *scrape.all.entry(name.to_owned()).or_default() += value;
            if let Some((_, rest)) = labels.split_once("dataset=\"") {
                let dataset = rest.split('"').next().unwrap_or_default().to_owned();
                let own = scrape.of_datasets.entry(dataset).or_default();
                *own.entry(name.to_owned()).or_default() += value;
            }
        }
        scrape
    }

    /// Adds up an equation in total and for each dataset; returns how often it stood there.
    fn add_up(
        &self,
        (prefix, left, right): (&str, &str, &[&str]),
        problems: &mut Vec<String>,
    ) -> u64 {
        let mut stood = 0;
        let everything = std::iter::once(("all", &self.all));
        let of_datasets = self.of_datasets.iter().map(|(dataset, own)| (&**dataset, own));
        for (whose, numbers) in everything.chain(of_datasets) {
            let value = |name: &str| numbers.get(&format!("{prefix}{name}")).copied();
            let Some(expected) = value(left) else { continue };
            stood += 1;
            let parts: Vec<u64> = right.iter().map(|name| value(name).unwrap_or(0)).collect();
            let sum: u64 = parts.iter().sum();
            if sum != expected {
                problems.push(format!(
                    "{whose}: {prefix}{left} {expected}, {right:?} {parts:?}, which is {sum}"
                ));
            }
        }
        stood
    }
}
