//! The books: what became of every line that was read, for each dataset.
//!
//! At any moment `read = confirmed + in flight + skipped + joined`. All columns stand behind one lock,
//! which is taken once a read, once a confirmed batch and once a scrape: a count moves from one column to
//! another within it, and a scrape sees all of them at the same moment.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use omphalos_common::telemetry::{encode_counters, encode_gauges};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use omphalos_parser::scribe::Counts;

/// What was done so far, over all files of a dataset, or in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Lines read, of which is known what became of them.
    pub lines: u64,
    /// Bytes of those lines, and of those that are held.
    pub bytes: u64,
    /// Documents delivered.
    pub confirmed: u64,
    /// Documents made and not delivered.
    pub in_flight: u64,
    /// Lines that make no document.
    pub skipped: u64,
    /// Of these, how many steps dropped.
    pub dropped: u64,
    /// Lines that went into the document of the line before them.
    pub joined: u64,
    /// Lines of events that have not ended.
    pub held: u64,
}

/// How many lines of events that have not ended a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Before something was done with it.
    pub before: u64,
    /// After that.
    pub after: u64,
}

/// The columns of a dataset.
#[derive(Debug, Clone, Default)]
struct Page {
    lines: u64,
    bytes: u64,
    confirmed: u64,
    in_flight: u64,
    empty: u64,
    directives: u64,
    joined: u64,
    held: u64,
    failures: u64,
    untimed: u64,
    /// Of each step that may drop lines, how many it has.
    dropped: Vec<(Arc<str>, u64)>,
}

type Pages = BTreeMap<Arc<str>, Page>;

/// The books; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Books(Arc<Mutex<Pages>>);

impl Books {
    /// Opens the page of a dataset, so that scrapes show it from the beginning, and what these steps drop.
    pub fn open(&self, dataset: &Arc<str>, dropping: &[Arc<str>]) {
        let mut pages = self.pages();
        let page = pages.entry(Arc::clone(dataset)).or_default();
        for step in dropping {
            page.drop_by(step, 0);
        }
    }

    /// Enters what a turn of a file found, and how many lines the file holds.
    pub fn enter(&self, dataset: &Arc<str>, counts: &Counts, held: Held) {
        let mut pages = self.pages();
        let page = pages.entry(Arc::clone(dataset)).or_default();
        page.lines += counts.lines;
        page.bytes += counts.bytes;
        page.in_flight += counts.documents;
        page.empty += counts.empty;
        page.directives += counts.directives;
        page.joined += counts.joined;
        page.failures += counts.failures;
        page.untimed += counts.untimed;
        for (step, count) in &counts.dropped {
            page.drop_by(step, *count);
        }
        debug_assert!(page.held >= held.before, "a file holds what was entered before");
        page.held = (page.held + held.after).saturating_sub(held.before);
    }

    /// Documents of a dataset that were in flight are delivered.
    pub fn confirm(&self, dataset: &str, documents: usize) {
        if let Some(page) = self.pages().get_mut(dataset) {
            debug_assert!(page.in_flight >= documents as u64, "what is delivered was in flight");
            page.in_flight = page.in_flight.saturating_sub(documents as u64);
            page.confirmed += documents as u64;
        }
    }

    /// The sums of one dataset.
    pub fn of(&self, dataset: &str) -> Sums {
        self.pages().get(dataset).map_or_else(Sums::default, Page::sums)
    }

    /// The sums of all datasets.
    pub fn sums(&self) -> Sums {
        self.pages().values().map(Page::sums).fold(Sums::default(), |all, one| Sums {
            lines: all.lines + one.lines,
            bytes: all.bytes + one.bytes,
            confirmed: all.confirmed + one.confirmed,
            in_flight: all.in_flight + one.in_flight,
            skipped: all.skipped + one.skipped,
            dropped: all.dropped + one.dropped,
            joined: all.joined + one.joined,
            held: all.held + one.held,
        })
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    fn drop_by(&mut self, step: &Arc<str>, lines: u64) {
        match self.dropped.iter_mut().find(|(name, _)| name == step) {
            Some((_, count)) => *count += lines,
            None => self.dropped.push((Arc::clone(step), lines)),
        }
    }

    fn sums(&self) -> Sums {
        let Self { lines, bytes, confirmed, in_flight, joined, held, .. } = *self;
        let dropped: u64 = self.dropped.iter().map(|(_, count)| count).sum();
        let skipped = self.empty + self.directives + dropped;
        Sums { lines, bytes, confirmed, in_flight, skipped, dropped, joined, held }
    }
}

/// A name, what it means, and the column.
type Column = (&'static str, &'static str, fn(&Page) -> u64);

const COUNTERS: [Column; 6] = [
    ("lines_read", "Lines read from files", |page| page.lines),
    ("bytes_read", "Bytes of the lines read, and of lines_held", |page| page.bytes),
    ("documents_confirmed", "Documents delivered", |page| page.confirmed),
    ("lines_joined", "Lines that went into the document of the line before them", |page| {
        page.joined
    }),
    (
        "lines_time_assumed",
        "Lines without a time of their own, which got that of the line before or of their discovery, or with one of an unknown zone",
        |page| page.untimed,
    ),
    ("parse_failures", "Lines that could not be parsed, and were shipped whole", |page| {
        page.failures
    }),
];

const GAUGES: [Column; 2] = [
    ("documents_in_flight", "Documents made of lines and not yet delivered", |page| page.in_flight),
    ("lines_held", "Lines of events that have not ended, not yet counted in lines_read", |page| {
        page.held
    }),
];

impl Collector for Books {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let pages = self.pages().clone();
        let column = |value: fn(&Page) -> u64| {
            pages.iter().map(move |(dataset, page)| ([("dataset", &**dataset)], value(page)))
        };
        for (name, help, value) in COUNTERS {
            encode_counters(&mut encoder, (name, help), column(value))?;
        }
        for (name, help, value) in GAUGES {
            encode_gauges(&mut encoder, (name, help), column(value))?;
        }
        let skipped = pages.iter().flat_map(|(dataset, page)| {
            let dropped = page.dropped.iter().map(|(step, lines)| (&**step, *lines));
            [("empty", page.empty), ("directive", page.directives)]
                .into_iter()
                .chain(dropped)
                .map(|(reason, lines)| ([("dataset", &**dataset), ("reason", reason)], lines))
        });
        let help = "Lines that make no document: empty ones, directives, and those that a step of this name dropped";
        encode_counters(&mut encoder, ("lines_skipped", help), skipped)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use omphalos_common::telemetry::Telemetry;

    use super::*;

    const DATASETS: [&str; 2] = ["access", "shop"];

    /// The sum of `names` in a scrape, of one dataset.
    fn sum(text: &str, names: &[&str], dataset: &str) -> u64 {
        let label = format!("dataset=\"{dataset}\"");
        let is_one = |line: &&str| {
            let name = line.split('{').next().unwrap_or_default();
            line.contains(&label) && names.iter().any(|own| name == format!("omphalos_{own}"))
        };
        text.lines()
            .filter(is_one)
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    #[test]
    fn every_scrape_adds_up_while_lines_are_read_and_confirmed() {
        let books = Books::default();
        let telemetry = Telemetry::default();
        telemetry.register(|registry| registry.register_collector(Box::new(books.clone())));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for dataset in DATASETS.map(Arc::from) {
                let (books, is_over) = (&books, &is_over);
                scope.spawn(move || {
                    let found = Counts {
                        lines: 11,
                        documents: 6,
                        empty: 2,
                        directives: 1,
                        joined: 1,
                        dropped: vec![(Arc::from("health"), 1)],
                        ..Counts::default()
                    };
                    while !is_over.load(Ordering::Relaxed) {
                        let more = Held { before: 0, after: 3 };
                        books.enter(&dataset, &found, more);
                        let fewer = Held { before: 3, after: 0 };
                        books.enter(&dataset, &Counts::default(), fewer);
                        books.confirm(&dataset, 4);
                        books.confirm(&dataset, 2);
                    }
                });
            }
            let mut moved = 0;
            for _ in 0..3_000 {
                let text = telemetry.metrics();
                for dataset in DATASETS {
                    let read = sum(&text, &["lines_read_total"], dataset);
                    let in_flight = sum(&text, &["documents_in_flight"], dataset);
                    let rest =
                        ["documents_confirmed_total", "lines_skipped_total", "lines_joined_total"];
                    assert_eq!(read, sum(&text, &rest, dataset) + in_flight, "{text}");
                    moved += u64::from(in_flight > 0);
                }
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(moved > 0, "nothing was in flight in any scrape");
        });
        let sums = books.sums();
        assert_eq!(sums.lines, sums.confirmed + sums.in_flight + sums.skipped + sums.joined);
    }

    #[test]
    fn a_dataset_is_shown_before_anything_is_read() {
        let books = Books::default();
        let telemetry = Telemetry::default();
        telemetry.register(|registry| registry.register_collector(Box::new(books.clone())));
        books.open(&Arc::from("access"), &[Arc::from("health")]);
        let text = telemetry.metrics();
        assert!(text.contains("omphalos_lines_read_total{dataset=\"access\"} 0\n"), "{text}");
        assert!(text.contains("omphalos_documents_in_flight{dataset=\"access\"} 0\n"), "{text}");
        let skipped = "omphalos_lines_skipped_total{dataset=\"access\",reason=\"empty\"} 0\n";
        assert!(text.contains(skipped), "{text}");
        assert!(text.contains(&skipped.replace("empty", "health")), "{text}");
    }
}
