//! Documents from someone else's producer: plain JSON or NDJSON, checked in full because nothing
//! vouches for them, and given the id, the day and the time that the shipper gives to ours.

mod anew;
mod time;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use omphalos_common::event::{clean_name, content_id, day_of};
use omphalos_common::heartbeat;
use omphalos_common::json::{may_have_halves, members_of, without_halves};
use omphalos_common::time::{Calendar, TimeMembers, TimeRule};

use super::decode::to_u32;
use super::{Document, Envelope, Parcel, WireError};
use crate::message::Origin;
use anew::{NewTime, Teller};
use time::OwnTime;

/// The two fields of a foreign document that decide where it is filed.
#[derive(Deserialize)]
struct Filing<'a> {
    #[serde(rename = "@timestamp", borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(rename = "event.dataset", borrow)]
    dataset: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    dataset: Option<Cow<'a, str>>,
}

/// What some write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Whether this could be a JSON object.
pub(super) fn begins_an_object(text: &[u8]) -> bool {
    without_mark(text).trim_ascii_start().starts_with(b"{")
}

/// A message that is one JSON document, perhaps written over several lines.
pub(super) fn decode_one(envelope: &Envelope<'_>, mut text: Vec<u8>) -> Result<Parcel, WireError> {
    // A line feed inside a JSON text is white space (inside a string it must be escaped), so a
    // blank does as well, and the document becomes one line.
    for byte in &mut text {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    let mut parcel = empty(envelope);
    push(&mut parcel, envelope, without_mark(&text).trim_ascii(), 1)?;
    Ok(parcel)
}

/// What was written by nobody knows whom, even where it came from a user who ships.
fn empty(envelope: &Envelope<'_>) -> Parcel {
    Parcel {
        made_at: envelope.timestamp,
        origin: Origin::Foreign,
        sender: envelope.origin,
        ..Parcel::default()
    }
}

/// So many bad lines are told from their neighbours; a message with more is no NDJSON at all, and what
/// is kept of it is the message.
const MOST_REFUSED: usize = 100;

/// A message with a JSON document on each line; empty lines are skipped. A line that is none does
/// not take the others with it.
pub(super) fn decode_lines(envelope: &Envelope<'_>, text: &[u8]) -> Result<Parcel, WireError> {
    let mut parcel = empty(envelope);
    let lines = without_mark(text).split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
    if lines.clone().nth(super::MAX_DOCUMENTS).is_some() {
        return Err(WireError::TooMany { what: "lines" });
    }
    for (number, line) in lines {
        match push(&mut parcel, envelope, line, number + 1) {
            Ok(()) => {}
            // The bound on what a message may hold is one of all its lines together.
            Err(error @ WireError::TooLarge { .. }) => return Err(error),
            Err(error) if parcel.refused.len() >= MOST_REFUSED => return Err(error),
            Err(error) => parcel.refused.push((error, line.to_vec())),
        }
    }
    if parcel.documents.is_empty() && parcel.refused.is_empty() {
        return Err(WireError::Empty);
    }
    Ok(parcel)
}

fn push(
    parcel: &mut Parcel,
    envelope: &Envelope<'_>,
    document: &[u8],
    line: usize,
) -> Result<(), WireError> {
    let refuse = |reason: String| WireError::Document { line, reason };
    if !document.starts_with(b"{") {
        return Err(refuse("it does not begin with {".to_owned()));
    }
    // As text, because the parser does not look into the strings that it skips.
    let text = std::str::from_utf8(document).map_err(|error| refuse(error.to_string()))?;
    // The same as our own shipper does with them.
    let whole = may_have_halves(text).then(|| without_halves(text));
    let text = whole.as_deref().unwrap_or(text);
    let filing: Filing<'_> =
        serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    let (own_time, new_time) = time_of(envelope, &filing, text).map_err(refuse)?;
    let id = content_id(own_time.unwrap_or(0), &identity(envelope, line, document));
    let dataset = dataset_of(&filing, envelope.default_dataset);
    let start = parcel.text.len();
    match new_time {
        None => parcel.text.extend_from_slice(text.as_bytes()),
        Some(time) => {
            anew::write(&mut parcel.text, text, time).map_err(|error| refuse(error.to_string()))?;
        }
    }
    let end = parcel.text.len();
    if end > super::MAX_DECODED_BYTES {
        return Err(WireError::TooLarge { limit: super::MAX_DECODED_BYTES });
    }
    parcel.text.push(b'\n');
    parcel.documents.push(Document {
        id: Box::from(id.as_str()),
        dataset,
        day: own_time.or(envelope.timestamp).map(day_of),
        start: to_u32(start),
        end: to_u32(end),
    });
    Ok(())
}

/// What the id is made of: the message id and the position keep equal documents of different
/// messages apart, the content keeps different documents apart whatever their producer numbers.
///
/// Nothing tells whether two messages without an id are one: each delivery is then documents of its
/// own, because to lose an event is worse than to have it twice.
fn identity(envelope: &Envelope<'_>, line: usize, document: &[u8]) -> Vec<u8> {
    let mut bytes = match envelope.message_id {
        None | Some("") => format!("{:032x}\0\0{line}\0", envelope.nonce).into_bytes(),
        Some(message_id) => format!("{message_id}\0{line}\0").into_bytes(),
    };
    bytes.extend_from_slice(document);
    bytes
}

/// The second at which it happened, if the document says that, and the time that it has to be given.
///
/// Kibana and every search by time need `@timestamp`, so a document that says no time at all gets that
/// of its message, or that of its arrival.
fn time_of(
    envelope: &Envelope<'_>,
    filing: &Filing<'_>,
    text: &str,
) -> Result<(Option<i64>, Option<NewTime>), String> {
    let raw = filing.timestamp.map(RawValue::get);
    let new_time = match raw.and_then(time::read) {
        Some(OwnTime::Plain(seconds)) => return Ok((Some(seconds), None)),
        // There is no number for a leap second, so what is said in its place is marked.
        Some(OwnTime::Odd(time)) if raw.is_some_and(|raw| raw.contains(":60")) => {
            NewTime { time, teller: Teller::Nobody }
        }
        Some(OwnTime::Odd(time)) => NewTime { time, teller: Teller::Timestamp },
        None => match told_by_others(text) {
            Some(time) => time,
            None => return Ok((None, Some(assumed(envelope)?))),
        },
    };
    Ok((Some(new_time.time.as_second()), Some(new_time)))
}

/// The time that another member says, of those that a line of the shipper is asked for.
fn told_by_others(text: &str) -> Option<NewTime> {
    let members = members_of(text)?;
    let mut found = TimeMembers::default();
    for (name, value) in &members {
        found.see(name, value.get());
    }
    let mut calendar = Calendar::default();
    let time = found.read_others(&mut calendar, &TimeRule::default())?;
    let teller = if calendar.take_assumed() { Teller::Nobody } else { Teller::Member };
    let time = Timestamp::new(time.seconds, i32::try_from(time.nanos).ok()?).ok()?;
    Some(NewTime { time, teller })
}

fn assumed(envelope: &Envelope<'_>) -> Result<NewTime, String> {
    let seconds = envelope.timestamp.unwrap_or(envelope.now);
    let time = Timestamp::from_second(seconds).map_err(|_| {
        format!("no member of it says a time that can be read, and that of its message, {seconds}, is none in seconds since the epoch")
    })?;
    Ok(NewTime { time, teller: Teller::Nobody })
}

fn dataset_of(filing: &Filing<'_>, default: &str) -> Arc<str> {
    let nested = filing
        .event
        // A struct would take an array for the list of its members.
        .filter(|event| event.get().starts_with('{'))
        .and_then(|event| serde_json::from_str::<Event<'_>>(event.get()).ok())
        .and_then(|event| event.dataset);
    let dotted =
        filing.dataset.and_then(|raw| serde_json::from_str::<Cow<'_, str>>(raw.get()).ok());
    match nested.or(dotted) {
        Some(name) if name == heartbeat::DATASET => Arc::from(heartbeat::INDEX_DATASET),
        Some(name) => Arc::from(clean_name(&name)),
        None => Arc::from(default),
    }
}
