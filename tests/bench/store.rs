//! How fast the embedded store indexes and how much room documents take, against a real
//! Elasticsearch that is given the same bulks, with the same mapping, in turn.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use omphalos_common::event::content_id;
use omphalos_indexer::collector::{BulkBuilder, Filing};
use omphalos_indexer::elasticsearch::{Lifecycle, TemplateOptions, index_template};
use omphalos_tests::program::binary;
use omphalos_tests::{Elastic, Engine, Program, Server, free_port, rest};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::indexer::{BULK_BYTES, replay};
use crate::measure::{memory_of, seconds_of};
use crate::table::Table;

const RUNS: usize = 5;
/// How many documents are indexed in each run.
const MOST_DOCUMENTS: usize = 500_000;
/// How long the sizes of indices stay the same when nothing is merged any more.
const STILL: Duration = Duration::from_secs(8);

/// Indexes the same bulks in both, several times.
pub fn measure(directory: &Path, log: &Path, table: &mut Table) {
    let (bodies, documents) = bulks(&ndjson(directory, log));
    let elasticsearch = Server::search(Engine::Es9, &directory.join("store-search"), &[]);
    let listen = format!("127.0.0.1:{}", free_port());
    let mut store = Program::new("omphalos", &directory.join("store.log"))
        .arg("run")
        .option("--store-listen", &listen)
        .option("--state-dir", directory.join("store-state").display())
        .start();
    store.wait_for_log("answers at");
    let sides = [format!("http://{listen}"), elasticsearch.url()].map(|url| {
        let side = Elastic::new(&url, "omphalos");
        side.must(Method::PUT, "_index_template/omphalos", &template());
        side
    });
    let mut best = [f64::INFINITY; 2];
    let mut cpu = f64::INFINITY;
    for _ in 0..RUNS {
        for (side, best) in sides.iter().zip(&mut best) {
            side.delete_all();
            let before = seconds_of(store.id());
            let wall = replay(side.url(), &bodies);
            if *side.url() == *sides[0].url() {
                cpu = cpu.min(seconds_of(store.id()) - before);
            }
            *best = best.min(wall);
            println!("{:.0} documents a second into {}", documents as f64 / wall, side.url());
            assert_eq!(side.count(), Ok(documents as u64));
        }
    }
    let rate = |seconds: f64| documents as f64 / seconds;
    let [ours, theirs] = best;
    table.ratio(
        "the store indexes, documents a second, against Elasticsearch",
        theirs / ours,
        "≥ 3 ×",
        &format!("{:.0} against {:.0}, {documents} documents", rate(ours), rate(theirs)),
    );
    let peak = memory_of(store.id(), "VmHWM:").expect("it runs");
    table.row(
        "the store's own CPU for 1,000,000 documents; its peak RSS",
        &format!("{:.1} s; {peak:.0} MiB", cpu / documents as f64 * 1e6),
        "",
        "four bulks of 5 MiB at once, as fast as it takes them",
    );
    sides[1].must(Method::POST, "omphalos-*/_flush", &Value::Null);
    let [ours, theirs] = sides.map(|side| room(&side) / documents as f64);
    table.ratio(
        "the store on disk, against Elasticsearch",
        ours / theirs,
        "≤ 1.0 ×",
        &format!("{ours:.0} bytes a document against {theirs:.0}, merged as they do by themselves"),
    );
    assert_eq!(store.terminate(), Some(0), "{}", store.log());
}

/// The indexer's own, as it installs it on servers that lack some types, such as this one.
fn template() -> Value {
    let options = TemplateOptions {
        prefix: "omphalos".to_owned(),
        shards: 1,
        replicas: Some(0),
        refresh: None,
        lifecycle: Lifecycle::None,
        namespace: None,
    };
    let template = index_template(&options).to_string();
    let template = template.replace("match_only_text", "text").replace("wildcard", "keyword");
    serde_json::from_str(&template).expect("JSON")
}

/// The documents that the log becomes, a line each.
pub fn ndjson(directory: &Path, log: &Path) -> PathBuf {
    let path = directory.join("documents.ndjson");
    let parsed = Command::new(binary("omphalos"))
        .args(["parse", "--parser", "combined"])
        .arg(log)
        .stdout(File::create(&path).expect("the NDJSON"))
        .status();
    assert!(parsed.expect("omphalos runs").success(), "omphalos parse failed");
    path
}

/// What of a document decides about its id.
#[derive(Deserialize)]
struct Dated {
    #[serde(rename = "@timestamp")]
    time: String,
}

/// The bulks that the indexer would make of them, with ids as the shipper makes them.
fn bulks(ndjson: &Path) -> (Vec<Bytes>, usize) {
    let dataset: Arc<str> = Arc::from("access");
    let filing = Filing {
        index: Arc::from("omphalos-access-bench"),
        dataset: Arc::clone(&dataset),
        day: None,
        made_at: None,
    };
    let mut builder = BulkBuilder::with_capacity(BULK_BYTES);
    let mut bodies = Vec::new();
    let mut documents = 0;
    for line in BufReader::new(File::open(ndjson).expect("the NDJSON")).lines() {
        let line = line.expect("a line");
        let dated: Dated = serde_json::from_str(&line).expect("a document with a time");
        let numbered = format!("{documents} {line}");
        let time: Timestamp = dated.time.parse().expect("a time");
        let id = content_id(time.as_second(), numbered.as_bytes());
        builder.push(&filing, id.as_str(), line.as_bytes(), 0);
        documents += 1;
        if builder.bytes() >= BULK_BYTES {
            bodies.push(builder.finish().body());
        }
        if documents == MOST_DOCUMENTS {
            break;
        }
    }
    bodies.push(builder.finish().body());
    (bodies, documents)
}

/// How many bytes the indices have on disk, when that does not change any more.
fn room(side: &Elastic) -> f64 {
    let mut before = 0.0;
    loop {
        let path = "_cat/indices/omphalos-*?format=json&bytes=b&h=store.size";
        let answer = side.must(Method::GET, path, &Value::Null);
        let indices = answer.as_array().expect("indices").iter();
        let sizes = indices.filter_map(|index| index["store.size"].as_str()?.parse::<f64>().ok());
        let now: f64 = sizes.sum();
        if now > 0.0 && (now - before).abs() < 1.0 {
            return now;
        }
        before = now;
        rest(STILL);
    }
}
