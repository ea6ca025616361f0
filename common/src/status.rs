//! How a process is, for people beside it: what its parts say of themselves, as their heartbeats do, with rates
//! over the last seconds. `omphalos status` asks for it, and a line a minute in the log has what moved.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use crate::heartbeat::{Heartbeat, Maker, Now, State};
use crate::shutdown::Shutdown;

/// Rates are over as long a time, or over that since somebody asked last.
const TICK: Duration = Duration::from_secs(10);
/// Who asks again so soon is told the same.
const FRESH: Duration = Duration::from_secs(1);
/// So many ticks are between two lines in the log.
const TICKS_A_LINE: u32 = 6;
/// Columns of the books that say how many there are now, and not how many there were.
const PRESENT: [&str; 2] = ["in_flight", "held"];

/// What a process answers who asks how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The program, such as `omphalos-shipper`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started, RFC 3339.
    pub started: String,
    /// When it took new settings last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reloaded: Option<String>,
    /// Why it did not take those that it was told to take last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The parts of it that seem stuck, and with what.
    pub stuck: Vec<String>,
    /// Why it cannot do its job, a text for each part; nothing where it can.
    pub problems: Vec<String>,
    /// What each of its parts says.
    pub parts: Vec<Heartbeat>,
}

impl Report {
    /// Whether it can do its job.
    pub fn is_ready(&self) -> bool {
        self.stuck.is_empty() && self.problems.is_empty()
    }
}

/// The parts of a process, each of which says how it is; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<BTreeMap<&'static str, Part>>>);

struct Part {
    maker: Maker,
    now: Box<dyn Fn() -> Now + Send>,
    last: Option<(Instant, Heartbeat)>,
    /// The books as they were in the last line of the log.
    told: BTreeMap<String, u64>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Part").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Part {
    fn say(&mut self) -> Heartbeat {
        match &self.last {
            Some((at, heartbeat)) if at.elapsed() < FRESH => heartbeat.clone(),
            _ => {
                let heartbeat = self.maker.make((self.now)());
                self.last = Some((Instant::now(), heartbeat.clone()));
                heartbeat
            }
        }
    }
}

impl Status {
    /// A part that begins, and what it knows of itself when it is asked.
    pub fn begin(&self, part: &'static str, maker: Maker, now: impl Fn() -> Now + Send + 'static) {
        let part_of = Part { maker, now: Box::new(now), last: None, told: BTreeMap::new() };
        self.parts().insert(part, part_of);
    }

    /// Forgets all parts: they begin anew, with other settings.
    pub fn clear(&self) {
        self.parts().clear();
    }

    /// What all parts say now.
    pub fn say(&self) -> Vec<Heartbeat> {
        self.parts().values_mut().map(Part::say).collect()
    }

    /// Says once a minute in the log what has moved, until `stop`.
    pub async fn log(self, stop: Shutdown) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0_u32;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            self.say();
            if count > 0 && count.is_multiple_of(TICKS_A_LINE) {
                self.tell();
            }
            count = count.wrapping_add(1);
        }
    }

    /// Says what has moved since the last time.
    fn tell(&self) {
        for (name, part) in self.parts().iter_mut() {
            let Some((_, heartbeat)) = &part.last else { continue };
            let state = &heartbeat.omphalos.heartbeat;
            if let Some(line) = moved(&part.told, state) {
                info!("{name} in the last minute: {line}");
            }
            part.told.clone_from(&state.books);
        }
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has moved since the books were as they were `before`; `None` where nothing has.
fn moved(before: &BTreeMap<String, u64>, state: &State) -> Option<String> {
    let is_present = |name: &str| PRESENT.contains(&name);
    let mut text = String::new();
    for (name, count) in &state.books {
        let more = count.saturating_sub(before.get(name).copied().unwrap_or_default());
        if !is_present(name) && more > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            // It never fails.
            write!(text, "{comma}{more} {name}").ok();
        }
    }
    if text.is_empty() {
        return None;
    }
    for name in PRESENT {
        if let Some(count) = state.books.get(name).filter(|count| **count > 0) {
            write!(text, "; {count} {}", name.replace('_', " ")).ok();
        }
    }
    if state.lag_bytes > 0 {
        write!(text, "; {} behind", ByteSize(state.lag_bytes)).ok();
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::{Host, Service};

    fn maker() -> Maker {
        let host = Host { name: "web-1".to_owned(), id: None };
        let service = Service { name: "omphalos-shipper".to_owned(), version: "1".to_owned() };
        Maker::new(host, service, "", TICK)
    }

    fn state(books: &[(&str, u64)], lag_bytes: u64) -> State {
        let books = books.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        State { lag_bytes, books, ..State::default() }
    }

    #[test]
    fn the_log_has_what_moved_and_nothing_where_nothing_did() {
        let first = state(&[("confirmed", 5), ("in_flight", 2), ("read", 7), ("skipped", 0)], 2048);
        let line = moved(&BTreeMap::new(), &first);
        assert_eq!(line.as_deref(), Some("5 confirmed, 7 read; 2 in flight; 2.0 KiB behind"));
        assert_eq!(moved(&first.books, &first), None);
        let second = state(&[("confirmed", 7), ("in_flight", 0), ("read", 7), ("skipped", 0)], 0);
        assert_eq!(moved(&first.books, &second).as_deref(), Some("2 confirmed"));
    }

    #[test]
    fn every_part_says_how_it_is_and_who_asks_twice_at_once_is_told_the_same() {
        let status = Status::default();
        let count = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&count);
        status.begin("shipper", maker(), move || {
            let mut count = counted.lock().unwrap();
            *count += 1;
            Now { lines: *count, books: vec![("read", *count)], ..Now::default() }
        });
        let said = status.say();
        assert_eq!(said.len(), 1);
        assert_eq!(status.say(), said);
        assert_eq!(*count.lock().unwrap(), 1);
        status.clear();
        assert_eq!(status.say(), []);
    }
}
