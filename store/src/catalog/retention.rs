//! Which indices are deleted, because the store is too large or they are too old.

use std::sync::Arc;
use std::time::Duration;

use tantivy::DateTime;
use tantivy::columnar::MonotonicallyMappableToU64;

use crate::index::Index;

/// The field that age is told by.
const TIME: &str = "@timestamp";

/// The names of indices that have to go, each with the reason: first those that are too old, then
/// the oldest of the others while they are too large together. The youngest one stays in any case, and
/// so do those that are being written: a backfill may be older than anything else.
pub(super) fn overdue(
    indices: &[Arc<Index>],
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
) -> Vec<(String, String)> {
    if max_age.is_none() && max_bytes.is_none() {
        return Vec::new();
    }
    let now = jiff::Timestamp::now();
    let mut aged: Vec<_> = indices.iter().map(|index| (youngest(index), index)).collect();
    aged.sort_by_key(|(youngest, index)| (*youngest, index.name().to_owned()));
    aged.pop();
    aged.retain(|(_, index)| index.last_write().is_none());
    let mut overdue = Vec::new();
    let mut kept = Vec::new();
    for (youngest, index) in aged {
        let age = now.duration_since(youngest).unsigned_abs();
        match max_age {
            Some(limit) if youngest < now && age > limit => {
                let why =
                    format!("its youngest document is of {youngest}, and max_age is {limit:?}");
                overdue.push((index.name().to_owned(), why));
            }
            _ => kept.push(index),
        }
    }
    let Some(limit) = max_bytes else { return overdue };
    let gone = |index: &&Arc<Index>| overdue.iter().any(|(name, _)| name == index.name());
    let mut bytes: u64 =
        indices.iter().filter(|index| !gone(index)).map(|index| index.bytes()).sum();
    for index in kept {
        if bytes <= limit {
            break;
        }
        let own = index.bytes();
        let why = format!("all indices take {bytes} bytes, and max_bytes is {limit}");
        overdue.push((index.name().to_owned(), why));
        bytes = bytes.saturating_sub(own);
    }
    overdue
}

/// When the youngest document of an index is of; without any, when the index was made. Where neither
/// can be told it counts as the youngest of all: what is not known to be old is kept.
fn youngest(index: &Index) -> jiff::Timestamp {
    let made = jiff::Timestamp::from_millisecond(index.about().created);
    let made = made.unwrap_or(jiff::Timestamp::MAX);
    let Some(place) = index.place(TIME) else { return made };
    let searcher = index.searcher();
    let newest = searcher.segment_readers().iter().filter_map(|segment| {
        let column = segment.fast_fields().date(&place.column).ok()?;
        (column.num_docs() > 0).then(|| column.max_value().to_u64())
    });
    let newest = newest.max().map(DateTime::from_u64).map(DateTime::into_timestamp_nanos);
    newest.and_then(|nanos| jiff::Timestamp::from_nanosecond(nanos.into()).ok()).unwrap_or(made)
}
