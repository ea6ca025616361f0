//! The indexer from a full queue, against a bare replay of ready-made `_bulk` bodies.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use lapin::BasicProperties;
use omphalos_indexer::collector::{BulkBuilder, Filing};
use omphalos_tests::{Amqp, Elastic, Engine, Program, Server, rest};
use omphalos_transport::wire::{self, Envelope, decode};
use reqwest::StatusCode;

use crate::measure::{children_seconds, runtime};
use crate::messages;
use crate::table::Table;

/// How many documents are indexed in each run; more would take too long.
const MOST_DOCUMENTS: usize = 300_000;
const RUNS: usize = 3;
/// The indexer's defaults.
pub const BULK_BYTES: usize = 5 * 1024 * 1024;
const CONCURRENCY: usize = 4;

/// Compares rates and measures the indexer's own cost.
pub fn compare(directory: &Path, table: &mut Table) {
    let search = Server::search(Engine::Es9, &directory.join("search"), &[]);
    let broker = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let (batches, documents) = some_messages(directory);
    let bodies = bulk_bodies(&batches);
    let elastic = Elastic::new(&search.url(), "omphalos");
    let (mut ours, mut theirs, mut cpu) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    install_template(directory, &search, &url);
    for _ in 0..RUNS {
        elastic.delete_all();
        theirs = theirs.min(replay(&search.url(), &bodies));
        assert_eq!(elastic.count(), Ok(documents as u64));
        elastic.delete_all();
        fill(&url, &batches);
        let (wall, seconds) = index(directory, &search, &url, documents);
        ours = ours.min(wall);
        cpu = cpu.min(seconds);
        assert_eq!(elastic.count(), Ok(documents as u64));
    }
    let rate = |seconds: f64| documents as f64 / seconds;
    table.row(
        "indexer from a full queue into Elasticsearch, docs/s, against a bare `_bulk` replay",
        &format!("{:.0} %", theirs / ours * 100.0),
        "≥ 95 %",
        &format!("{:.0} docs/s against {:.0}, {documents} documents", rate(ours), rate(theirs)),
    );
    table.row(
        "indexer's own CPU seconds per 1,000,000 documents",
        &format!("{:.2} s", cpu / documents as f64 * 1e6),
        "≤ 2.5 s",
        "start and drain included",
    );
}

/// Whole messages with about so many documents.
fn some_messages(directory: &Path) -> (Vec<Vec<u8>>, usize) {
    let mut documents = 0;
    let mut batches = Vec::new();
    for body in messages::load(&directory.join("messages")) {
        if documents >= MOST_DOCUMENTS {
            break;
        }
        documents += parcel(&body).documents.len();
        batches.push(body);
    }
    (batches, documents)
}

fn parcel(body: &[u8]) -> wire::Parcel {
    let envelope = Envelope {
        content_type: Some(wire::CONTENT_TYPE_BATCH),
        content_encoding: Some(wire::CONTENT_ENCODING_ZSTD),
        default_dataset: "external",
        ..Envelope::default()
    };
    decode(&envelope, body).expect("our own messages")
}

/// The same documents in bodies of the same size as the indexer makes.
fn bulk_bodies(batches: &[Vec<u8>]) -> Vec<Bytes> {
    let mut builder = BulkBuilder::with_capacity(BULK_BYTES);
    let mut bodies = Vec::new();
    for parcel in batches.iter().map(|body| parcel(body)) {
        for document in &parcel.documents {
            let filing = Filing {
                index: Arc::from(format!("omphalos-{}-bench", document.dataset)),
                dataset: Arc::clone(&document.dataset),
                day: document.day,
                made_at: None,
            };
            let text = &parcel.text[document.start as usize..document.end as usize];
            builder.push(&filing, &document.id, text, 0);
            if builder.bytes() >= BULK_BYTES {
                bodies.push(builder.finish().body());
            }
        }
    }
    bodies.push(builder.finish().body());
    bodies
}

/// Sends the bodies, as many at once as the indexer does; returns the seconds it took.
pub fn replay(url: &str, bodies: &[Bytes]) -> f64 {
    let client = reqwest::Client::new();
    let target =
        format!("{}/_bulk?filter_path=items.*.status,items.*.error", url.trim_end_matches('/'));
    let begun = Instant::now();
    runtime().block_on(async {
        let requests = stream::iter(bodies.iter().cloned()).map(|body| {
            let request =
                client.post(&target).header("Content-Type", "application/x-ndjson").body(body);
            async move {
                // A node that has no room says so, to this replay as to the indexer.
                let response = loop {
                    let again = request.try_clone().expect("a body in memory");
                    let response = again.send().await.expect("an answer");
                    if response.status() != StatusCode::TOO_MANY_REQUESTS {
                        break response;
                    }
                    println!("bare replay: {}", response.text().await.expect("a body"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                };
                assert!(response.status().is_success(), "{}", response.status());
                let text = response.text().await.expect("a body");
                assert!(!text.contains("error"), "{text}");
            }
        });
        requests.buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    });
    begun.elapsed().as_secs_f64()
}

fn fill(url: &str, batches: &[Vec<u8>]) {
    let amqp = Amqp::connect(url);
    amqp.purge("omphalos.index");
    let properties = messages::of_a_batch(BasicProperties::default().with_delivery_mode(2));
    for body in batches {
        amqp.publish("omphalos.logs", "access.web1", properties.clone(), body);
    }
}

fn install_template(directory: &Path, search: &Server, url: &str) {
    let indexer = indexer(&directory.join("template.log"), search, url).arg("--drain").run();
    assert_eq!(indexer.code, Some(0), "{}", indexer.output);
}

fn indexer(log: &Path, search: &Server, url: &str) -> Program {
    Program::new("omphalos-indexer", log)
        .option("--amqp-url", url)
        .option("--elasticsearch-url", search.url())
        .option("--index-replicas", 0)
}

/// Indexes what is in the queue; returns seconds until the last document, and processor seconds.
fn index(directory: &Path, search: &Server, url: &str, documents: usize) -> (f64, f64) {
    let before = children_seconds();
    let begun = Instant::now();
    let mut indexer = indexer(&directory.join("indexer.log"), search, url).listening().start();
    while indexer.metric("omphalos_documents_indexed_total") < documents as f64 {
        assert!(indexer.is_running(), "{}", indexer.log());
        rest(Duration::from_millis(20));
    }
    let wall = begun.elapsed().as_secs_f64();
    assert_eq!(indexer.terminate(), Some(0), "{}", indexer.log());
    (wall, children_seconds() - before)
}
