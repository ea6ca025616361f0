//! The members of a JSON object that may hold the time of an event, whoever wrote it: the one list of
//! their names, and how their values are read.

use super::{Calendar, Time, TimeFormat, TimeRule};
use crate::json::{Member, members_of};

/// How many names of members hold the time of an event.
const TIME_MEMBERS: usize = 18;

/// Members that hold the time of an event, as loggers call them, in the order in which they are
/// asked. Every member of every line comes by here: the compiler looks at lengths first.
#[inline]
fn rank(name: &str) -> Option<usize> {
    Some(match name {
        "@timestamp" => 0,
        "timestamp" => 1,
        "time" => 2,
        "ts" => 3,
        "t" => 4,
        "@t" => 5,
        "datetime" => 6,
        "date" => 7,
        "asctime" => 8,
        "eventTime" => 9,
        "timeMillis" => 10,
        "instant" => 11,
        "__REALTIME_TIMESTAMP" => 12,
        "time_iso8601" => 13,
        "time_local" => 14,
        "requestReceivedTimestamp" => 15,
        "event_time" => 16,
        "Timestamp" => 17,
        _ => return None,
    })
}

/// Those of an object that are there.
#[derive(Debug, Default)]
pub struct TimeMembers<'a>([Option<&'a str>; TIME_MEMBERS]);

impl<'a> TimeMembers<'a> {
    /// Whether a member of this name may hold a time.
    pub fn is_one(name: &str) -> bool {
        rank(name).is_some()
    }

    /// Takes in a member, if it may hold a time; its rank. The last of a name is asked.
    #[inline]
    pub fn see(&mut self, name: &str, raw: &'a str) -> Option<usize> {
        let rank = rank(name)?;
        if let Some(candidate) = self.0.get_mut(rank) {
            *candidate = Some(raw);
        }
        Some(rank)
    }

    /// What `@timestamp` says.
    pub fn own(&self) -> Option<&'a str> {
        self.0.first().copied().flatten()
    }

    /// The time of the first other member that says one.
    pub fn read_others(&self, calendar: &mut Calendar, times: &TimeRule) -> Option<Time> {
        let others = self.0.iter().skip(1).flatten();
        others.into_iter().find_map(|raw| read_member(calendar, times, raw))
    }
}

/// A text in any form, a number since the epoch whose size tells its unit, or an object around one:
/// `{"$date":…}` of `MongoDB`, `{"epochSecond":…,"nanoOfSecond":…}` of Log4j, `{"seconds":…,"nanos":…}`
/// of protobuf. Where the settings say the form, it is that one.
pub fn read_member(calendar: &mut Calendar, times: &TimeRule, raw: &str) -> Option<Time> {
    match raw.as_bytes().first()? {
        b'"' => {
            let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"'))?;
            if text.contains('\\') {
                // As .NET writes a plus, and PHP a slash.
                let text: String = serde_json::from_str(raw).ok()?;
                return times.read(calendar, text.as_bytes());
            }
            times.read(calendar, text.as_bytes())
        }
        b'{' if times.takes_any() => time_inside(calendar, times, &members_of(raw)?),
        _ if times.takes_any() => calendar.read(TimeFormat::Epoch, raw.as_bytes()),
        _ => times.read(calendar, raw.as_bytes()),
    }
}

/// The time that an object is. It is looked into two levels deep, and not as deep as it goes.
fn time_inside(calendar: &mut Calendar, times: &TimeRule, members: &[Member<'_>]) -> Option<Time> {
    if let Some(date) = raw(members, "$date") {
        if !date.starts_with('{') {
            return read_member(calendar, times, date);
        }
        let number = members_of(date)?;
        let number = raw(&number, "$numberLong").filter(|raw| !raw.starts_with('{'))?;
        return read_member(calendar, times, number);
    }
    let (seconds, nanos) = [("epochSecond", "nanoOfSecond"), ("seconds", "nanos")]
        .into_iter()
        .find_map(|(seconds, nanos)| Some((raw(members, seconds)?, raw(members, nanos))))?;
    let time = calendar.read(TimeFormat::Epoch, seconds.trim_matches('"').as_bytes())?;
    let nanos = nanos.unwrap_or("0").parse().ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Time { nanos, ..time })
}

/// The value of a member, as it stands there.
fn raw<'a>(members: &[Member<'a>], name: &str) -> Option<&'a str> {
    members.iter().find(|(key, _)| key == name).map(|(_, raw)| raw.get())
}
