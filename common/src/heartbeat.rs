//! Heartbeats: what a shipper, a relay or an indexer says of itself every half minute, as a document of its own,
//! beside the lines and never in their way. Whoever looks at a fleet reads them from the broker or from
//! the index. Nothing goes back: a heartbeat asks for nothing, and nobody can tell a shipper anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::clean::shortened;
use crate::clock::now_millis;
use crate::config::{ConfigError, Kind, Period, Setting};
use crate::masked::masked;

/// `event.dataset` of all heartbeats.
pub const DATASET: &str = "omphalos.fleet";
/// What their indices are called behind the prefix.
pub const INDEX_DATASET: &str = "fleet";
/// The first word of their routing keys; no dataset is called so, because names begin with letters or
/// digits.
const ROUTING_WORD: &str = "_heartbeat";

/// So many inputs are listed, those that are furthest behind.
pub const MOST_INPUTS: usize = 100;
/// So many problems are listed.
const MOST_PROBLEMS: usize = 16;
/// Names of inputs and problems are cut to so many characters.
const LONGEST_TEXT: usize = 256;
/// No heartbeat is larger, in bytes.
const LARGEST: usize = 48 * 1024;
/// The first one comes so soon after the start, or after an interval if that is shorter.
const FIRST_AFTER: Duration = Duration::from_secs(2);
/// What `heartbeat_interval` can be, if not 0.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_hours(24);

/// The row of `heartbeat_interval`.
pub const HEARTBEAT_SETTINGS: &[Setting] = &[Setting::new(
    "heartbeat_interval",
    Kind::Period,
    "How often this process says how it is, in a small document that omphalos fleet and alerts read; 0s turns it off. Nothing waits for it: what cannot be sent at once is dropped, and the next one comes.",
)
.default("30s")];

/// The usual interval.
pub const USUAL_INTERVAL: Period = Period(Duration::from_secs(30));

/// The interval that is set; `None` where there are to be no heartbeats.
///
/// # Errors
/// When it cannot be used; the message names the setting.
pub fn checked_interval(period: Period) -> Result<Option<Duration>, ConfigError> {
    match period.0 {
        Duration::ZERO => Ok(None),
        interval if (SHORTEST..=LONGEST).contains(&interval) => Ok(Some(interval)),
        other => Err(ConfigError::invalid(format!(
            "heartbeat_interval: expected 100ms to 24h, or 0s for none, found {other:?}"
        ))),
    }
}

/// How a heartbeat of this host, whose name is cleaned, is routed.
pub fn routing_key(host: &str) -> String {
    format!("{ROUTING_WORD}.{host}")
}

/// The pattern of all their routing keys, for bindings.
pub fn routing_pattern() -> String {
    format!("{ROUTING_WORD}.#")
}

/// Whether what is routed so is a heartbeat.
pub fn is_routed_so(routing_key: &str) -> bool {
    routing_key.strip_prefix(ROUTING_WORD).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a broker that refuses something says that of a heartbeat.
pub fn is_refused_in(message: &str) -> bool {
    message.contains(&format!("'{ROUTING_WORD}."))
}

/// Begins to count intervals: the first one soon.
pub fn ticks(interval: Duration) -> tokio::time::Interval {
    let first = tokio::time::Instant::now() + interval.min(FIRST_AFTER);
    let mut ticks = tokio::time::interval_at(first, interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// A heartbeat, as the document that it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When it was made, RFC 3339.
    #[serde(rename = "@timestamp")]
    pub time: String,
    /// What kind of document this is.
    pub event: Event,
    /// Whose it is.
    pub host: Host,
    /// Of which program.
    pub service: Service,
    /// What it says.
    pub omphalos: Omphalos,
}

/// `event` of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `metric`.
    pub kind: String,
    /// [`DATASET`].
    pub dataset: String,
}

/// `host` of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The machine's id, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// `service` of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The program, such as `omphalos-shipper`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// `omphalos` of a heartbeat: what no other document has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Omphalos {
    /// What it says.
    pub heartbeat: State,
}

/// How a process is. All names are fixed, so that the mapping of the index does not grow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// A hash of the settings without their secrets: hosts with the same settings have the same.
    pub config: String,
    /// When the process was started, RFC 3339.
    pub started: String,
    /// How often a heartbeat comes.
    pub interval_seconds: f64,
    /// The inputs that are furthest behind.
    pub inputs: Vec<Input>,
    /// How many there are in all.
    pub inputs_total: u64,
    /// How many there are that cannot be read.
    pub inputs_unreadable: u64,
    /// How far all that are listed are behind together.
    pub lag_bytes: u64,
    /// How long the oldest line waits.
    pub lag_seconds: f64,
    /// Lines, or documents, each second since the last heartbeat.
    pub lines_per_second: f64,
    /// Bytes of them, where they are counted.
    pub bytes_per_second: f64,
    /// The columns of the books, since the start.
    pub books: BTreeMap<String, u64>,
    /// What is wrong, a text for each part.
    pub problems: Vec<String>,
}

/// How far an input is behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Which it is: the path of a file.
    pub path: String,
    /// Bytes that are not delivered.
    pub lag_bytes: u64,
    /// How long the oldest of what was read waits.
    pub lag_seconds: f64,
}

/// What is known now; [`Maker`] adds what is the same in every heartbeat, and makes rates of the sums.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// All inputs, or those that are known.
    pub inputs: Vec<Input>,
    /// How many cannot be read.
    pub inputs_unreadable: u64,
    /// Lines, or documents, since the start.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The columns of the books.
    pub books: Vec<(&'static str, u64)>,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Makes the heartbeats of a process.
#[derive(Debug)]
pub struct Maker {
    host: Host,
    service: Service,
    config: String,
    started: String,
    interval: Duration,
    last: (Instant, u64, u64),
}

impl Maker {
    /// Of a program that is on this host, and was started now. `settings` is all that is set, as text
    /// without passwords and keys; what URLs have of them is left out here.
    pub fn new(host: Host, service: Service, settings: &str, interval: Duration) -> Self {
        Self {
            host,
            service,
            config: format!("{:016x}", xxh3_64(masked(settings).as_bytes())),
            started: present(),
            interval,
            last: (Instant::now(), 0, 0),
        }
    }

    /// The heartbeat of now.
    pub fn make(&mut self, now: Now) -> Heartbeat {
        let Now { mut inputs, inputs_unreadable, lines, bytes, books, mut problems } = now;
        let (at, lines_before, bytes_before) =
            std::mem::replace(&mut self.last, (Instant::now(), lines, bytes));
        let seconds = at.elapsed().as_secs_f64().max(0.001);
        let inputs_total = inputs.len() as u64;
        inputs.sort_by(|one, other| {
            let order = other.lag_bytes.cmp(&one.lag_bytes);
            order.then(other.lag_seconds.total_cmp(&one.lag_seconds))
        });
        let lag_bytes = inputs.iter().map(|input| input.lag_bytes).fold(0, u64::saturating_add);
        let lag_seconds = inputs.iter().map(|input| input.lag_seconds).fold(0.0, f64::max);
        inputs.truncate(MOST_INPUTS);
        for input in &mut inputs {
            input.path = shortened(&input.path, LONGEST_TEXT);
        }
        problems.truncate(MOST_PROBLEMS);
        let problems =
            problems.iter().map(|problem| shortened(&masked(problem), LONGEST_TEXT)).collect();
        let books = books.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let state = State {
            config: self.config.clone(),
            started: self.started.clone(),
            interval_seconds: self.interval.as_secs_f64(),
            inputs,
            inputs_total,
            inputs_unreadable,
            lag_bytes,
            lag_seconds: rounded(lag_seconds),
            lines_per_second: rate(lines, lines_before, seconds),
            bytes_per_second: rate(bytes, bytes_before, seconds),
            books,
            problems,
        };
        Heartbeat {
            time: present(),
            event: Event { kind: "metric".to_owned(), dataset: DATASET.to_owned() },
            host: self.host.clone(),
            service: self.service.clone(),
            omphalos: Omphalos { heartbeat: state },
        }
    }
}

/// The present, to the millisecond.
fn present() -> String {
    let millis = Timestamp::from_millisecond(now_millis());
    format!("{:.3}", millis.unwrap_or_default())
}

/// A time of a heartbeat, in milliseconds since 1970.
fn millis_of(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

impl Heartbeat {
    /// When it was made, in milliseconds since 1970; `None` if that cannot be read.
    pub fn millis(&self) -> Option<i64> {
        millis_of(&self.time)
    }

    /// When the process was started, likewise.
    pub fn started_millis(&self) -> Option<i64> {
        millis_of(&self.omphalos.heartbeat.started)
    }

    /// The document. Escapes may make it larger than its texts are: then it lists less.
    ///
    /// # Errors
    /// When it cannot be written, which does not happen with what [`Maker`] makes.
    pub fn to_json(mut self) -> serde_json::Result<Vec<u8>> {
        loop {
            let text = serde_json::to_vec(&self)?;
            if text.len() <= LARGEST || !self.shorten() {
                return Ok(text);
            }
        }
    }

    /// Leaves out half of the inputs that it lists, or else of the problems; `false` when there is nothing
    /// that can be left out: without any problem it would say that all is well.
    pub fn shorten(&mut self) -> bool {
        let State { inputs, problems, .. } = &mut self.omphalos.heartbeat;
        if !inputs.is_empty() {
            inputs.truncate(inputs.len() / 2);
        } else if problems.len() > 1 {
            problems.truncate(problems.len() / 2);
        } else {
            return false;
        }
        true
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is not exact")]
fn rate(now: u64, before: u64, seconds: f64) -> f64 {
    rounded(now.saturating_sub(before) as f64 / seconds)
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker() -> Maker {
        let host = Host { name: "web-1".to_owned(), id: None };
        let service = Service { name: "omphalos-shipper".to_owned(), version: "1".to_owned() };
        Maker::new(host, service, "url = amqp://a:b@c", Duration::from_secs(30))
    }

    fn input(path: &str, lag_bytes: u64) -> Input {
        Input { path: path.to_owned(), lag_bytes, lag_seconds: 1.5 }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_floats_stay_floats() {
        let now = Now {
            inputs: vec![input("/a", 1), input("/b", 7)],
            lines: 10,
            books: vec![("read", 10)],
            problems: vec!["amqp: cannot reach amqp://user:secret@mq".to_owned()],
            ..Now::default()
        };
        let made = maker().make(now);
        assert_eq!(made.omphalos.heartbeat.inputs.first().map(|input| &*input.path), Some("/b"));
        assert_eq!(made.omphalos.heartbeat.lag_bytes, 8);
        let text = String::from_utf8(made.clone().to_json().unwrap()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        // A field whose first value is 0 must not become one of whole numbers in the index.
        assert!(text.contains("\"bytes_per_second\":0.0"), "{text}");
        assert_eq!(serde_json::from_str::<Heartbeat>(&text).unwrap(), made);
        assert!(made.millis().unwrap() >= made.started_millis().unwrap());
        assert_eq!(made.time.len(), "2026-11-29T23:00:00.000Z".len());
    }

    #[test]
    fn it_is_small_whatever_inputs_and_problems_there_are() {
        for path in ["\u{1}", "\"", "ä", "a", "😀"] {
            let path = path.repeat(100_000);
            let now = Now {
                inputs: (0..5_000).map(|at| input(&path, at)).collect(),
                problems: vec![path.clone(); 50],
                ..Now::default()
            };
            let text = maker().make(now).to_json().unwrap();
            assert!(text.len() < 64 * 1024, "{}", text.len());
            let read: Heartbeat = serde_json::from_slice(&text).unwrap();
            assert_eq!(read.omphalos.heartbeat.inputs_total, 5_000);
        }
        let usual =
            Now { inputs: vec![input("/var/log/nginx/access.log", 1); 10], ..Now::default() };
        assert!(maker().make(usual).to_json().unwrap().len() < 4096);
    }

    #[test]
    fn passwords_make_no_difference_to_the_hash_of_the_settings_and_others_do() {
        let hash = |settings: &str| {
            let host = Host { name: String::new(), id: None };
            let service = Service { name: String::new(), version: String::new() };
            Maker::new(host, service, settings, Duration::from_secs(1)).config
        };
        assert_eq!(hash("url: amqp://a:b@c"), hash("url: amqp://a:other@c"));
        assert_ne!(hash("url: amqp://a:b@c"), hash("url: amqp://a:b@d"));
    }

    #[test]
    fn keys_of_heartbeats_are_those_of_no_lines() {
        assert!(is_routed_so(&routing_key("web-1")));
        for key in ["access.web-1", "_heartbeat", "_heartbeats.web-1", "heartbeat.web-1", ""] {
            assert!(!is_routed_so(key), "{key}");
        }
        assert!(!crate::event::is_clean_name(ROUTING_WORD));
        assert!(is_refused_in(
            "ACCESS_REFUSED - write access to topic '_heartbeat.web1' in exchange 'omphalos.logs'"
        ));
    }

    #[test]
    fn an_interval_is_one_that_can_be_kept_or_none() {
        let checked = |millis| checked_interval(Period(Duration::from_millis(millis)));
        assert_eq!(checked(0).unwrap(), None);
        assert_eq!(checked(100).unwrap(), Some(Duration::from_millis(100)));
        assert!(checked(99).unwrap_err().to_string().starts_with("heartbeat_interval: expected"));
    }
}
