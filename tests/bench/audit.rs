//! An audit of a whole log, against a bare loop that asks for the same ids in requests of the same
//! size.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use omphalos_common::clock::now_seconds;
use omphalos_common::event::{DocumentId, day_of};
use omphalos_indexer::collector::IndexSettings;
use omphalos_indexer::elasticsearch::IndexNames;
use omphalos_tests::program::binary;
use omphalos_tests::{Elastic, Engine, Program, Server};

use crate::measure::{Cost, best, cost, load, runtime};
use crate::table::Table;

const RUNS: usize = 3;
/// As the audit does.
const PORTION_BYTES: u64 = 4 * 1024 * 1024;
const IN_FLIGHT: usize = 4;

/// Indexes the log, and compares.
pub fn measure(directory: &Path, log: &Path, table: &mut Table) {
    let search = Server::search(Engine::Es9, &directory.join("audit-search"), &[]);
    let documents = index(directory, log, &search);
    let elastic = Elastic::new(&search.url(), "omphalos");
    let total: u64 = elastic.indices().values().sum();
    assert_eq!(total, documents, "documents in the index");
    let requests = requests(&elastic, log, documents);
    let (mut bare, mut ours) = (f64::INFINITY, Vec::new());
    for _ in 0..RUNS {
        bare = bare.min(ask(&search.url(), &requests, documents));
        ours.push(audit(log, &search));
    }
    let Cost { wall, cpu, peak } = best(&ours);
    let rate = |seconds: f64| documents as f64 / seconds;
    table.row(
        "audit of a log, lines/s, against a bare `_mget` loop with the same ids in the same batches",
        &format!("{:.0} %", bare / wall * 100.0),
        "≥ 80 %",
        &format!(
            "{:.0} lines/s against {:.0}, {documents} lines, {} requests, load {}",
            rate(wall),
            rate(bare),
            requests.len(),
            load()
        ),
    );
    table.row(
        "the same: the audit's own CPU, peak RSS",
        &format!("{cpu:.2} s, {peak:.1} MiB"),
        "< 64 MiB",
        "start to end, reading and parsing included",
    );
}

/// Ships and indexes the log; returns how many documents it has.
fn index(directory: &Path, log: &Path, search: &Server) -> u64 {
    let broker = Server::rabbitmq(&directory.join("audit-rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let shipped = Program::new("omphalos-shipper", &directory.join("audit-shipper.log"))
        .arg(log.display())
        .args(["--parser", "combined", "--once"])
        .option("--state-dir", directory.join("audit-state").display())
        .option("--amqp-url", &url)
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let drained = Program::new("omphalos-indexer", &directory.join("audit-indexer.log"))
        .option("--amqp-url", &url)
        .option("--elasticsearch-url", search.url())
        .option("--index-replicas", 0)
        .arg("--drain")
        .run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
    let text = std::fs::read(log).expect("the log");
    text.split_inclusive(|byte| *byte == b'\n').count() as u64
}

/// The paths and bodies that ask for all documents in the order of the log, each for as many as an
/// audit asks for at once.
fn requests(elastic: &Elastic, log: &Path, documents: u64) -> Vec<(String, Bytes)> {
    let mut ids: Vec<(u64, String)> = elastic
        .documents(&["log.offset"])
        .into_iter()
        .map(|(id, document)| (document["log"]["offset"].as_u64().expect("an offset"), id))
        .collect();
    ids.sort_unstable();
    let at_once = usize::try_from(PORTION_BYTES * documents / parsed_bytes(log)).expect("a size");
    let mut names =
        IndexNames::new(IndexSettings::default().name_rules("external").expect("the defaults"));
    let dataset = Arc::from("access");
    let mut requests = Vec::new();
    for portion in ids.chunks(at_once) {
        let mut groups: HashMap<Arc<str>, Vec<&str>> = HashMap::new();
        for (_, id) in portion {
            let [a, b, c, d, ..] = DocumentId::parse(id).expect("our id").to_bytes();
            let day = day_of(i64::from(u32::from_be_bytes([a, b, c, d])));
            let index = names.name(&dataset, Some(day), None, now_seconds());
            groups.entry(index).or_default().push(id);
        }
        for (index, ids) in groups {
            let path =
                format!("{index}/_mget?_source=false&filter_path=docs.found,docs.error.type");
            let body = format!("{{\"ids\":[\"{}\"]}}", ids.join("\",\""));
            requests.push((path, Bytes::from(body)));
        }
    }
    requests
}

/// How large the documents of the log are.
fn parsed_bytes(log: &Path) -> u64 {
    let output = Command::new(binary("omphalos"))
        .args(["parse", "--parser", "combined"])
        .arg(log)
        .output()
        .expect("omphalos parse runs");
    output.stdout.len() as u64
}

/// Sends the requests, as many at once as an audit does, and reads the answers; the seconds it took.
fn ask(url: &str, requests: &[(String, Bytes)], documents: u64) -> f64 {
    let client = reqwest::Client::new();
    let url = url.trim_end_matches('/');
    let begun = Instant::now();
    let found: usize = runtime().block_on(async {
        let answers = stream::iter(requests.iter().cloned()).map(|(path, body)| {
            let request = client.post(format!("{url}/{path}"));
            async move {
                let sent = request.header("Content-Type", "application/json").body(body).send();
                let text = sent.await.expect("an answer").text().await.expect("a body");
                text.matches("true").count()
            }
        });
        answers.buffered(IN_FLIGHT).fold(0, async |sum, found| sum + found).await
    });
    assert_eq!(found as u64, documents);
    begun.elapsed().as_secs_f64()
}

fn audit(log: &Path, search: &Server) -> Cost {
    let mut command = Command::new(binary("omphalos"));
    command.arg("audit").arg(log).args(["--parser", "combined", "--elasticsearch", &search.url()]);
    cost(&mut command)
}
