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
/// Programs of one host.
const MOST_PROGRAMS: usize = 20;

/// The last heartbeat of each since then. Those for which nobody vouches are not in the indices of the
/// fleet.
///
/// # Errors
/// When the index cannot be asked, or the answer cannot be read.
pub async fn read(asker: &Asker, since: Timestamp) -> anyhow::Result<Vec<Member>> {
    let now = now_millis();
    let recent = Timestamp::from_millisecond(now - RECENT).unwrap_or(since).max(since);
    let mut newest = Newest::default();
    for (asker, vouched) in [(asker.of(INDEX_DATASET), true), (asker.but(INDEX_DATASET), false)] {
        let together = asker.whole(&newest_of(&filter(recent, &[]), MOST_TOGETHER)).await?;
        take_all(&mut newest, &together, vouched, now);
        for (host, program) in known(&asker, since).await? {
            let key = (host, program, vouched);
            if !newest.has(&key) {
                let names = [("host.name", key.0.as_str()), ("service.name", key.1.as_str())];
                let one = asker.whole(&newest_of(&filter(since, &names), 1)).await?;
                take_all(&mut newest, &one, vouched, now);
            }
        }
    }
    Ok(newest.into_members(now_millis()))
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

/// All hosts and programs that were heard since then.
async fn known(asker: &Asker, since: Timestamp) -> anyhow::Result<Vec<(String, String)>> {
    let programs = json!({ "terms": { "field": "service.name", "size": MOST_PROGRAMS } });
    let hosts = json!({
        "terms": { "field": "host.name", "size": MOST_HOSTS }, "aggs": { "programs": programs }
    });
    let body = json!({
        "size": 0, "query": filter(since, &[]), "track_total_hits": false, "aggs": { "hosts": hosts }
    });
    let answer = asker.whole(&body).await?;
    // Without an index there are no aggregations.
    let Some(hosts) = answer.pointer("/aggregations/hosts/buckets") else { return Ok(Vec::new()) };
    let hosts = hosts.as_array().context("the answer has no list of hosts")?;
    let pairs = hosts.iter().flat_map(|host| {
        let programs = host.pointer("/programs/buckets").and_then(Value::as_array);
        let name = |bucket: &Value| bucket["key"].as_str().map(str::to_owned);
        programs.into_iter().flatten().filter_map(move |program| name(host).zip(name(program)))
    });
    Ok(pairs.collect())
}
