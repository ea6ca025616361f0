//! For `fuzz/` and the replay of its inputs: what is read of what people type, of settings, and of
//! the replies of servers. Nothing of the product uses it.

use jiff::tz::TimeZone;
use omphalos_common::config::{ConfigError, from_text};
use serde_json::Value;

use crate::alerts::{Alerting, rules};
use crate::audit::{found, hits};
use crate::search::{Lines, Query};

/// The query that is sent for what was typed, and the fields that it asks of.
pub fn query(typed: &str) -> (Value, Vec<String>) {
    let query = Query::new(typed, None, None);
    let names = query.named.iter().map(|named| named.name.clone()).collect();
    (query.of_lines(), names)
}

/// How many rules the `[[alert]]` tables of a file are.
///
/// # Errors
/// What cannot be used.
pub fn alerts(file: &str) -> Result<usize, ConfigError> {
    rules(&from_text::<Alerting>(file)?.alert).map(|rules| rules.len())
}

/// A document as a line for people, as wide as a terminal where that is given.
pub fn line(document: &Value, json: &str, width: Option<usize>) -> String {
    Lines { colour: false, zone: TimeZone::UTC, width }.line(document, json)
}

/// What `audit` reads of an answer about so many documents, and of one to a search.
pub fn audited(reply: &[u8], asked: usize) -> (Option<usize>, Option<usize>) {
    let found = found(reply, asked).ok().map(|found| found.len());
    (found, hits(reply).ok().map(|hits| hits.len()))
}
