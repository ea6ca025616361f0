//! What is on disk is not what was written: it costs the index that it is in, and nothing else.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_tests::{Elastic, LogFile, Program, eventually, holds};
use reqwest::Method;
use serde_json::json;

use crate::run::Alone;

const LINES: u64 = 400;
/// What a request may take that others do not hold up, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The files of the segments of an index.
fn segments(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("data")).expect("an index").flatten();
    let kinds = ["store", "idx", "term", "pos", "fast", "fieldnorm", "ids"];
    let is_one = |path: &PathBuf| {
        path.extension().and_then(|kind| kind.to_str()).is_some_and(|kind| kinds.contains(&kind))
    };
    files.map(|file| file.path()).filter(is_one).collect()
}

/// Every search that reads something else of an index; whatever is answered, it is answered.
fn search_all_ways(elastic: &Elastic, index: &str) -> Vec<u16> {
    let ways = [
        json!({ "query": { "match_all": {} }, "size": 1000 }),
        json!({ "query": { "query_string": { "query": "url.path:*a* OR message:*a* OR GET" } } }),
        json!({ "sort": [{ "@timestamp": "desc" }], "size": 100 }),
        json!({ "size": 0, "aggs": { "a": { "terms": { "field": "url.path" } }, "b": {
            "percentiles": { "field": "http.response.body.bytes" } } } }),
        json!({ "query": { "ids": { "values": ["a", "b"] } } }),
        json!({ "query": { "match_phrase": { "user_agent.original": "Mozilla Firefox" } } }),
    ];
    let path = format!("{index}/_search");
    let ask = |body| elastic.request(Method::POST, &path, Some(body)).expect("an answer").0;
    ways.iter().map(ask).collect()
}

fn health(elastic: &Elastic) -> String {
    let health = elastic.request(Method::GET, "_cluster/health", None).expect("health").1;
    health["status"].as_str().expect("a status").to_owned()
}

#[test]
fn a_flipped_byte_costs_one_index_and_a_repair_brings_back_what_the_files_have() {
    let alone = Alone::new();
    let mut log = LogFile::create(&alone.directory.path().join("access.log"));
    log.append(LINES);
    let start = || {
        let run = alone.with_state("run").arg(log.path().display());
        run.args(["--parser", "combined", "--checkpoint-interval", "20ms"]).start()
    };
    let mut run = start();
    let elastic = alone.elastic();
    elastic.wait_for_count(LINES);
    elastic.must(Method::PUT, "other/_doc/1", &json!({ "a": 1 }));
    assert_eq!(run.terminate(), Some(0));
    let indices = alone.directory.path().join("state/store/indices");
    let damaged = fs::read_dir(&indices).expect("indices").flatten().map(|it| it.path());
    let damaged: Vec<PathBuf> = damaged
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().contains("access"))
        })
        .collect();
    for index in &damaged {
        let file =
            segments(index).into_iter().find(|file| file.extension() == Some("fast".as_ref()));
        let file = file.expect("a file of columns");
        let mut bytes = fs::read(&file).expect("its bytes");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).expect("it is changed");
    }
    let mut run = start();
    for index in &damaged {
        let name = index.file_name().expect("a name").to_string_lossy();
        run.wait_for_log(&format!("index {name} is damaged ("));
    }
    run.wait_for_log("omphalos audit --repair");
    eventually("the store listens", || {
        elastic.request(Method::GET, "other/_doc/1", None).map_err(|error| error.to_string())
    });
    assert_eq!(elastic.request(Method::GET, "other/_doc/1", None).expect("an answer").0, 200);
    assert_eq!(health(&elastic), "red");
    assert_eq!(elastic.count(), Ok(0), "what is set aside is not searched");
    eventually("it is brought back", || {
        let output = alone.directory.path().join("audit.out");
        let audit = Program::new("omphalos", &output)
            .args(["audit", &log.path().display().to_string(), "--parser", "combined", "--repair"])
            .option("--state-dir", alone.directory.path().join("state").display())
            .option("--store-listen", alone.url.trim_start_matches("http://"))
            .run();
        fs::remove_file(&output).expect("the output");
        holds(audit.code == Some(0) && elastic.count() == Ok(LINES), audit.output)
    });
    log.assert_indexed_once(&elastic);
    fs::remove_dir_all(alone.directory.path().join("state/store/damaged")).expect("it is deleted");
    assert_eq!(health(&elastic), "green");
    assert_eq!(run.terminate(), Some(0));
}

/// The worst that a disk can do to a process that is running: what it reads is not what it wrote.
#[test]
fn files_that_change_under_a_running_store_end_no_process() {
    let alone = Alone::new();
    let mut log = LogFile::create(&alone.directory.path().join("access.log"));
    log.append(LINES);
    let run = alone.with_state("run").arg(log.path().display()).args(["--parser", "combined"]);
    let mut run = run.listening().start();
    let elastic = alone.elastic();
    elastic.wait_for_count(LINES);
    let indices = alone.directory.path().join("state/store/indices");
    let indices: Vec<PathBuf> =
        fs::read_dir(indices).expect("indices").flatten().map(|index| index.path()).collect();
    let files: Vec<PathBuf> = indices.iter().flat_map(|index| segments(index)).collect();
    assert!(files.len() >= 7, "{files:?}");
    let mut refused = 0;
    for (round, byte) in [0xFF, 0x00, 0x7F, 0x80].into_iter().enumerate() {
        for file in &files {
            // In place, and as long as it was: it is mapped.
            let length = fs::metadata(file).map_or(0, |about| about.len());
            if length == 0 {
                continue;
            }
            let garbage: Vec<u8> = (0..length)
                .map(|place| byte ^ u8::try_from(place * round as u64 % 251).expect("a byte"))
                .collect();
            let open = fs::OpenOptions::new().write(true).open(file).expect("a file");
            open.write_all_at(&garbage, 0).expect("it is changed");
            let statuses = search_all_ways(&elastic, "omphalos-*");
            refused += statuses.iter().filter(|status| **status >= 500).count();
            assert!(run.is_running(), "{statuses:?}\n{}", run.log());
        }
    }
    assert!(refused > 0, "nothing was noticed");
    elastic.must(Method::PUT, "other/_doc/1", &json!({ "a": 1 }));
    assert_eq!(elastic.request(Method::GET, "other/_doc/1", None).expect("an answer").0, 200);
    assert_eq!(run.http("/healthz").as_deref(), Some("ok\n"));
    assert_eq!(run.terminate(), Some(0));
}

/// Four searches can go on at a time. Those whose clients have gone make room at once.
#[test]
fn searches_of_clients_that_have_gone_hold_nobody_up() {
    let alone = Alone::new();
    let mut store = alone.start_store();
    let elastic = alone.elastic();
    let lines: Vec<String> = (0..20_000)
        .map(|n: u64| {
            let word = format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(8);
            format!("{{\"create\":{{}}}}\n{}\n", json!({ "word": word, "n": n }))
        })
        .collect();
    let client = reqwest::blocking::Client::new();
    let sent = client.post(format!("{}/slow/_bulk", alone.url)).body(lines.concat());
    let sent = sent.header("Content-Type", "application/x-ndjson").send().expect("an answer");
    assert!(sent.status().is_success());
    // Each is compared with each of twenty thousand words of more than a hundred letters.
    let patterns: Vec<_> = (0..900)
        .map(|n| json!({ "wildcard": { "word.keyword": format!("*{n}*a*b*c*d*e*f*zz") } }))
        .collect();
    let slow = json!({ "query": { "bool": { "should": patterns } } }).to_string();
    let path = format!("{}/slow/_search", alone.url);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let client = reqwest::blocking::Client::builder();
                let client = client.timeout(Duration::from_secs(2)).build().expect("a client");
                let sent = client.post(&path).header("Content-Type", "application/json");
                let gone = sent.body(slow.clone()).send();
                assert!(gone.is_err_and(|error| error.is_timeout()), "it is too fast to show it");
            });
        }
        // Meanwhile others write, and ask how it is.
        let begun = Instant::now();
        elastic.must(Method::PUT, "other/_doc/1", &json!({ "a": 1 }));
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    });
    let begun = Instant::now();
    assert_eq!(elastic.must(Method::POST, "slow/_count", &json!({}))["count"], 20_000);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(store.terminate(), Some(0));
}
