//! A shipper, a relay or an indexer, by its last heartbeat.

use std::collections::HashMap;
use std::time::Duration;

use omphalos_common::clean::shortened;
use omphalos_common::clock::now_millis;
use omphalos_common::heartbeat::Heartbeat;
use serde_json::{Value, json};

use crate::top::number::{bytes, rate, span};
use crate::top::text::clean;

/// So many intervals may pass without a heartbeat, and so many milliseconds more, before a host is silent.
const SILENT_AFTER: f64 = 3.0;
const LEEWAY: i64 = 5_000;
/// Whoever would need longer to read on is behind, in seconds; less than so many bytes are nothing.
const BEHIND: f64 = 60.0;
const NOTHING: u64 = 1024 * 1024;
/// So many characters of names and of problems are shown.
const LONGEST_NAME: usize = 64;
const LONGEST_PROBLEM: usize = 300;

/// How somebody is, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing was heard for a while.
    Silent,
    /// Something is wrong.
    Problem(String),
    /// Lines wait.
    Behind,
    /// All is well.
    Ok,
}

/// Somebody, and how.
#[derive(Debug, Clone)]
pub struct Member {
    /// What was heard last.
    pub heartbeat: Heartbeat,
    /// When, in milliseconds since 1970.
    pub last: i64,
    /// How it is, since then.
    pub state: State,
    /// Whether somebody vouches for who sent that.
    pub vouched: bool,
}

/// Whose a heartbeat is: the host and the program, and whether somebody vouches for that, so that a
/// heartbeat of anybody cannot stand in for that of the host.
pub type Key = (String, String, bool);

impl Member {
    /// By this heartbeat; `None` if that has no time.
    pub fn new(heartbeat: Heartbeat, vouched: bool, now: i64) -> Option<Self> {
        let last = heartbeat.millis()?;
        let state = state_of(&heartbeat, now.saturating_sub(last));
        Some(Self { heartbeat, last, state, vouched })
    }

    /// Who this is.
    pub fn key(&self) -> Key {
        let Heartbeat { host, service, .. } = &self.heartbeat;
        (host.name.clone(), service.name.clone(), self.vouched)
    }

    /// Whether somebody has to look after it.
    pub fn is_bad(&self) -> bool {
        matches!(self.state, State::Silent | State::Problem(_))
    }

    /// What the table says.
    pub fn row(&self, now: i64) -> [String; 8] {
        let Heartbeat { host, service, omphalos, .. } = &self.heartbeat;
        let said = &omphalos.heartbeat;
        let lag = format!("{}, {}", bytes(said.lag_bytes), span(seconds(said.lag_seconds)));
        let started = self.heartbeat.started_millis().unwrap_or(self.last);
        let program = service.name.strip_prefix("omphalos-").unwrap_or(&service.name);
        [
            short(&host.name, LONGEST_NAME),
            short(program, LONGEST_NAME),
            short(&service.version, LONGEST_NAME),
            span(whole_seconds(now.saturating_sub(self.last))),
            lag,
            rate(said.lines_per_second),
            span(whole_seconds(self.last.saturating_sub(started))),
            self.state_shown(),
        ]
    }

    fn state_shown(&self) -> String {
        let mut shown = match &self.state {
            State::Silent => "silent".to_owned(),
            State::Problem(what) => format!("problem: {}", short(what, LONGEST_PROBLEM)),
            State::Behind => "behind".to_owned(),
            State::Ok => "ok".to_owned(),
        };
        if !self.vouched {
            shown.push_str(" (unvouched)");
        }
        shown
    }

    /// The same for a program.
    pub fn json(&self) -> Value {
        let Heartbeat { host, service, omphalos, time, .. } = &self.heartbeat;
        let said = &omphalos.heartbeat;
        let state = match &self.state {
            State::Silent => "silent",
            State::Problem(_) => "problem",
            State::Behind => "behind",
            State::Ok => "ok",
        };
        json!({
            "host": host.name,
            "program": service.name,
            "version": service.version,
            "state": state,
            "vouched": self.vouched,
            "last": time,
            "seconds_ago": whole_seconds(now_millis().saturating_sub(self.last)).as_secs(),
            "heartbeat": said
        })
    }
}

/// What anybody may have made as long as a message: nobody could read the table.
fn short(text: &str, most: usize) -> String {
    clean(&shortened(text, most))
}

/// The worst first, and then by name.
pub fn sort(members: &mut [Member]) {
    members.sort_by(|one, other| {
        one.state.cmp(&other.state).then_with(|| one.key().cmp(&other.key()))
    });
}

/// The newest heartbeat of each.
#[derive(Debug, Default)]
pub struct Newest(HashMap<Key, Member>);

impl Newest {
    /// So many hosts are told apart.
    pub const MOST: usize = 100_000;

    /// Takes in a heartbeat; the member, if it is a new one.
    pub fn take(&mut self, heartbeat: Heartbeat, vouched: bool, now: i64) -> Option<&Member> {
        let member = Member::new(heartbeat, vouched, now)?;
        let key = member.key();
        if let Some(known) = self.0.get_mut(&key) {
            if known.last < member.last {
                *known = member;
            }
            return None;
        }
        if self.0.len() >= Self::MOST {
            return None;
        }
        Some(self.0.entry(key).or_insert(member))
    }

    /// Whether there is one of these.
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// All, as they are now.
    pub fn into_members(self, now: i64) -> Vec<Member> {
        let members = self.0.into_values();
        members.filter_map(|it| Member::new(it.heartbeat, it.vouched, now)).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn state_of(heartbeat: &Heartbeat, age: i64) -> State {
    let said = &heartbeat.omphalos.heartbeat;
    let allowed = (said.interval_seconds.max(0.0) * SILENT_AFTER * 1000.0) as i64;
    if age > allowed.saturating_add(LEEWAY) {
        return State::Silent;
    }
    if let Some(problem) = said.problems.first() {
        return State::Problem(problem.clone());
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let takes_long =
        said.lag_bytes > NOTHING && said.lag_bytes as f64 > said.bytes_per_second * BEHIND;
    if said.lag_seconds > BEHIND || takes_long {
        return State::Behind;
    }
    State::Ok
}

fn whole_seconds(millis: i64) -> Duration {
    Duration::from_secs(u64::try_from(millis / 1000).unwrap_or(0))
}

/// Somebody else may have written what no duration can be.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use omphalos_common::heartbeat::{Host, Input, Maker, Now, Service};

    use super::*;

    fn heartbeat(host: &str, now: Now) -> Heartbeat {
        let host = Host { name: host.to_owned(), id: None };
        let service = Service { name: "omphalos-shipper".to_owned(), version: "1.0".to_owned() };
        Maker::new(host, service, "", Duration::from_secs(30)).make(now)
    }

    fn behind(lag_bytes: u64, lag_seconds: f64) -> Now {
        let input = Input { path: "/a".to_owned(), lag_bytes, lag_seconds };
        Now { inputs: vec![input], ..Now::default() }
    }

    fn with_problem() -> Now {
        Now { problems: vec!["amqp: gone\u{1b}[2J".to_owned()], ..Now::default() }
    }

    #[test]
    fn the_worst_come_first_and_each_says_how_it_is() {
        let mut newest = Newest::default();
        let made = [
            ("d", Now::default()),
            ("c", behind(0, 61.0)),
            ("b", with_problem()),
            ("e", behind(2 << 20, 0.0)),
            ("f", behind(1000, 1.0)),
        ];
        let now = now_millis();
        for (host, said) in made {
            assert!(newest.take(heartbeat(host, said.clone()), true, now).is_some());
            assert!(newest.take(heartbeat(host, said), true, now).is_none(), "it is there");
        }
        let mut old = heartbeat("a", with_problem());
        old.time = "2026-01-01T00:00:00Z".to_owned();
        newest.take(old, true, now);
        assert!(newest.take(heartbeat("a", Now::default()), false, now).is_some());
        let mut members = newest.into_members(now_millis());
        sort(&mut members);
        let states: Vec<(String, String)> =
            members.iter().map(|member| (member.key().0, member.state_shown())).collect();
        let shown: Vec<(&str, &str)> =
            states.iter().map(|(host, state)| (host.as_str(), state.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("a", "silent"),
                ("b", "problem: amqp: gone\u{241b}[2J"),
                ("c", "behind"),
                ("e", "behind"),
                ("a", "ok (unvouched)"),
                ("d", "ok"),
                ("f", "ok")
            ]
        );
        assert_eq!(members.iter().filter(|member| member.is_bad()).count(), 2);
    }

    #[test]
    fn silent_is_who_missed_three_of_its_own_intervals() {
        let heartbeat = heartbeat("a", Now::default());
        assert_eq!(state_of(&heartbeat, 95_000), State::Ok);
        assert_eq!(state_of(&heartbeat, 95_001), State::Silent);
        assert_eq!(state_of(&heartbeat, -95_001), State::Ok, "its clock is ahead");
    }

    #[test]
    fn the_newest_counts_in_whatever_order_they_come() {
        let mut newest = Newest::default();
        let (mut old, mut new) = (heartbeat("a", Now::default()), heartbeat("a", Now::default()));
        old.time = "2026-01-01T00:00:00Z".to_owned();
        new.time = "2026-01-02T00:00:00Z".to_owned();
        let mut nonsense = new.clone();
        nonsense.time = "yesterday".to_owned();
        for heartbeat in [old.clone(), new.clone(), old, nonsense] {
            newest.take(heartbeat, true, 0);
        }
        let members = newest.into_members(0);
        assert_eq!(
            members.iter().map(|member| &*member.heartbeat.time).collect::<Vec<_>>(),
            [new.time]
        );
    }
}
