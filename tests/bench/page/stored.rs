//! The overview of ten million documents in the embedded store.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use omphalos_common::event::content_id;
use omphalos_indexer::collector::{BulkBuilder, Filing};
use omphalos_tests::{Elastic, rest};

use super::{OVERVIEW, Scene, wanted};
use crate::indexer::{BULK_BYTES, replay};
use crate::measure::load;
use crate::shipper::make_log;
use crate::store::ndjson;
use crate::table::Table;

/// Different documents, which are stored again and again with other times and ids.
const DIFFERENT: u64 = 100_000;
/// Over how long they are spread, up to now.
const SPREAD: i64 = 24 * 3600;
/// How often each question is asked.
const TIMES: u32 = 21;
/// How long the number of segments stays the same when nothing is merged any more.
const STILL: Duration = Duration::from_secs(10);

/// Measures it.
pub fn measure(directory: &Path, table: &mut Table) {
    let documents = wanted("OMPHALOS_PAGE_DOCUMENTS", 10_000_000);
    let log = make_log(directory, DIFFERENT);
    let text = std::fs::read_to_string(ndjson(directory, &log)).expect("documents");
    let templates: Vec<&str> = text.lines().collect();
    let scene = Scene::start(directory);
    let store = Elastic::new(&scene.store, "omphalos");
    let begun = Instant::now();
    fill(&scene.store, &templates, documents);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{documents} documents stored in {seconds:.0} s");
    settle(&store);
    assert_eq!(store.count(), Ok(documents));
    for (what, hours) in [("the overview of all", 25), ("the overview of the last 6 hours", 6)] {
        let mut times = Vec::new();
        for number in 0..TIMES {
            // Another moment each time, so that no answer is one that was given before.
            let since = Timestamp::now() - jiff::SignedDuration::from_hours(hours);
            let since = since - jiff::SignedDuration::from_millis(number.into());
            let begun = Instant::now();
            let overview = scene.ask(&format!("overview?since={since}&{OVERVIEW}"));
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            assert!(overview["summary"]["hits"].as_u64() > Some(0), "{overview}");
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        table.row(
            &format!("the page: {what}, {documents} documents in the store, p50"),
            &format!("{:.0} ms", times[times.len() / 2]),
            "≤ 300 ms",
            &format!(
                "the first {first:.0} ms, {TIMES} times {:.0} to {:.0} ms, load {}",
                times[0],
                times[times.len() - 1],
                load()
            ),
        );
    }
}

/// Stores documents that end now, the oldest first.
fn fill(url: &str, templates: &[&str], documents: u64) {
    let first = Timestamp::now().as_second() - SPREAD;
    let mut number = 0;
    while number < documents {
        let mut bodies: Vec<Bytes> = Vec::new();
        while bodies.len() < 16 && number < documents {
            let mut bulk = BulkBuilder::with_capacity(BULK_BYTES);
            while bulk.bytes() < BULK_BYTES && number < documents {
                let of_all = i64::try_from(number).expect("a number");
                let all = i64::try_from(documents).expect("a number");
                let second = first + SPREAD * of_all / all;
                let time = Timestamp::from_second(second).expect("a time");
                let template =
                    templates[usize::try_from(number).expect("a number") % templates.len()];
                let (_, rest) = template.split_once("Z\"").expect("a time");
                let document = format!(
                    "{{\"@timestamp\":\"{}\"{rest}",
                    time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
                );
                let id = content_id(second, number.to_string().as_bytes());
                bulk.push(&filing(time), id.as_str(), document.as_bytes(), 0);
                number += 1;
            }
            bodies.push(bulk.finish().body());
        }
        replay(url, &bodies);
    }
}

/// Where documents of a day are, as the indexer has it.
fn filing(time: Timestamp) -> Filing {
    let index = format!("omphalos-access-{}", time.strftime("%Y.%m.%d"));
    Filing { index: Arc::from(index), dataset: Arc::from("access"), day: None, made_at: None }
}

/// Waits until nothing is merged any more.
fn settle(store: &Elastic) {
    let mut before = String::new();
    loop {
        let path = "_cat/indices/omphalos-*?format=json&bytes=b&h=store.size,docs.count";
        let now = store.must(reqwest::Method::GET, path, &serde_json::Value::Null).to_string();
        if now == before {
            println!("stored as {now}");
            return;
        }
        before = now;
        rest(STILL);
    }
}
