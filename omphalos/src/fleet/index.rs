//! Heartbeats that are stored: who there was, and the last one of each.

use anyhow::Context;
use jiff::Timestamp;
use omphalos_common::clock::now_millis;
use omphalos_common::heartbeat::{DATASET, Heartbeat, INDEX_DATASET};
use serde_json::{Value, json};

use super::member::{Member, Newest};
use crate::search::Asker;

/// Those of the last two minutes are asked for together, which are those of all that are not silent.
const RECENT: i64 = 120_000;
/// So many of them at most, which every server allows; the others are asked for one by one.
const MOST_TOGETHER: usize = 10_000;
/// So many hosts at most.
const MOST_HOSTS: usize = 10_000;
/// So many of those for which nobody vouches: whoever invents names must not keep us busy.
const MOST_UNVOUCHED: usize = 1_000;
/// Programs of one host.
const MOST_PROGRAMS: usize = 20;

/// Whoever was heard.
pub struct Found {
    /// The last heartbeat of each.
    pub members: Vec<Member>,
    /// Whether there are no others.
    pub is_all: bool,
}

/// The last heartbeat of each since then. Those for which nobody vouches are not in the indices of the
/// fleet.
///
/// # Errors
/// When the index cannot be asked, or the answer cannot be read.
pub async fn read(asker: &Asker, since: Timestamp) -> anyhow::Result<Found> {
    let now = now_millis();
    let recent = Timestamp::from_millisecond(now - RECENT).unwrap_or(since).max(since);
    let mut newest = Newest::default();
    let mut is_all = true;
    let places = [
        (asker.of(INDEX_DATASET), true, MOST_HOSTS),
        (asker.but(INDEX_DATASET), false, MOST_UNVOUCHED),
    ];
    for (asker, vouched, most) in places {
        let together = asker.whole(&newest_of(&filter(recent, &[]), MOST_TOGETHER)).await?;
        take_all(&mut newest, &together, vouched, now);
        let known = known(&asker, since, most).await?;
        is_all &= known.is_all;
        for (host, program) in known.pairs {
            let key = (host, program, vouched);
            if !newest.has(&key) {
                let names = [("host.name", key.0.as_str()), ("service.name", key.1.as_str())];
                let one = asker.whole(&newest_of(&filter(since, &names), 1)).await?;
                take_all(&mut newest, &one, vouched, now);
            }
        }
    }
    Ok(Found { members: newest.into_members(now_millis()), is_all })
}

fn filter(since: Timestamp, names: &[(&str, &str)]) -> Value {
    let mut filters = vec![
        json!({ "term": { "event.dataset": DATASET } }),
        json!({ "range": { "@timestamp": { "gte": since.to_string() } } }),
    ];
    filters.extend(names.iter().map(|(field, name)| json!({ "term": { *field: name } })));
    json!({ "bool": { "filter": filters } })
}

fn newest_of(query: &Value, size: usize) -> Value {
    let by_time = json!([{ "@timestamp": { "order": "desc", "unmapped_type": "date" } }]);
    json!({ "size": size, "query": query, "sort": by_time, "track_total_hits": false })
}

/// What is no heartbeat is none of the fleet.
fn take_all(newest: &mut Newest, answer: &Value, vouched: bool, now: i64) {
    let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
    for hit in hits.into_iter().flatten() {
        if let Ok(heartbeat) = serde_json::from_value::<Heartbeat>(hit["_source"].clone()) {
            newest.take(heartbeat, vouched, now);
        }
    }
}

/// Hosts and programs.
#[derive(Default)]
struct Known {
    pairs: Vec<(String, String)>,
    is_all: bool,
}

/// The hosts and programs that were heard since then, those with the most heartbeats if there are too many.
async fn known(asker: &Asker, since: Timestamp, most: usize) -> anyhow::Result<Known> {
    let programs = json!({ "terms": { "field": "service.name", "size": MOST_PROGRAMS } });
    let hosts = json!({
        "terms": { "field": "host.name", "size": most }, "aggs": { "programs": programs }
    });
    let body = json!({
        "size": 0, "query": filter(since, &[]), "track_total_hits": false, "aggs": { "hosts": hosts }
    });
    let answer = asker.whole(&body).await?;
    // Without an index there are no aggregations.
    let Some(hosts) = answer.pointer("/aggregations/hosts") else {
        return Ok(Known { is_all: true, ..Known::default() });
    };
    let is_all = hosts["sum_other_doc_count"] == 0;
    let hosts = hosts["buckets"].as_array().context("the answer has no list of hosts")?;
    let pairs = hosts.iter().flat_map(|host| {
        let programs = host.pointer("/programs/buckets").and_then(Value::as_array);
        let name = |bucket: &Value| bucket["key"].as_str().map(str::to_owned);
        programs.into_iter().flatten().filter_map(move |program| name(host).zip(name(program)))
    });
    Ok(Known { pairs: pairs.take(most).collect(), is_all })
}
