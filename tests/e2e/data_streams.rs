//! Documents in data streams, as Elastic's own dashboards look for them: each once in a backing index, and found
//! by search and audit. Of the servers of the tests, only OpenSearch has an API for them; `engines` has one running.

use std::fs;

use omphalos_tests::{Elastic, LogFile, Program, Stack, eventually, holds};
use reqwest::Method;
use serde_json::{Value, json};

const STREAMS: [&str; 2] = ["--index-naming", "data_stream"];

/// A namespace of the scene's own: a dash would end it.
fn namespace(stack: &Stack) -> String {
    stack.prefix().replace('-', "_")
}

fn indexer(stack: &Stack) -> Program {
    stack.indexer().args(STREAMS).option("--index-namespace", namespace(stack))
}

/// Ships a log as one that nobody has shipped before, and indexes it; what the indexer said.
fn ship(stack: &Stack, log: &LogFile, arguments: &[&str]) -> String {
    fs::remove_dir_all(stack.path("state")).ok();
    fs::remove_file(stack.path("indexer.log")).ok();
    let shipped = stack.shipper(log.path()).args(arguments).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let drained = indexer(stack).arg("--drain").run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
    drained.output
}

fn count(elastic: &Elastic, stream: &str) -> u64 {
    elastic.must(Method::POST, &format!("{stream}/_refresh"), &Value::Null);
    let answer = elastic.must(Method::GET, &format!("{stream}/_count"), &Value::Null);
    answer["count"].as_u64().expect("a count")
}

fn found(elastic: &Elastic, stream: &str, field: &str, value: &str) -> u64 {
    let query = json!({ "query": { "term": { field: value } } });
    let answer = elastic.must(Method::POST, &format!("{stream}/_count"), &query);
    answer["count"].as_u64().expect("a count")
}

/// A line is once in a backing index, and search and audit find it, also behind a rollover; `stack` has OpenSearch.
pub fn have_each_line_once_in_a_backing_index(stack: &Stack) {
    let elastic = stack.elastic();
    let mut log = LogFile::create(&stack.path("streams.log"));
    log.append(300);
    let stream = format!("logs-access-{}", namespace(stack));
    ship(stack, &log, &[]);
    let again = ship(stack, &log, &[]);
    assert!(again.contains("duplicate=300"), "{again}");
    assert_eq!(count(&elastic, &stream), 300);
    let generation = || {
        let answer = elastic.must(Method::GET, &format!("_data_stream/{stream}"), &Value::Null);
        answer["data_streams"][0]["generation"].as_u64().expect("a generation")
    };
    assert_eq!(generation(), 1, "it is a data stream, and no index");
    for (field, value) in [
        ("data_stream.type", "logs"),
        ("data_stream.dataset", "access"),
        ("event.dataset", "access"),
    ] {
        assert_eq!(found(&elastic, &stream, field, value), 300, "{field}");
    }

    // What Elastic's dashboards look for says itself where it belongs.
    let mut nginx = LogFile::create(&stack.path("nginx.log"));
    nginx.append(50);
    ship(stack, &nginx, &["--module", "nginx"]);
    let of_nginx = format!("logs-nginx.access-{}", namespace(stack));
    assert_eq!(count(&elastic, &of_nginx), 50);
    assert_eq!(found(&elastic, &of_nginx, "data_stream.dataset", "nginx.access"), 50);
    assert_eq!(found(&elastic, &of_nginx, "host.hostname", "web1"), 50);

    let path = log.path().display().to_string();
    let audited = || {
        fs::remove_file(stack.path("audit.out")).ok();
        Program::new("omphalos", &stack.path("audit.out"))
            .args(["audit", &path, "--parser", "combined"])
            .args(["--host-name", "web1"])
            .args(STREAMS)
            .option("--index-namespace", namespace(stack))
            .option("--state-dir", stack.path("state").display())
            .option("--elasticsearch-url", stack.search_url())
            .run()
    };
    let audit = audited();
    assert_eq!(audit.code, Some(0), "{}", audit.output);
    let searched = Program::new("omphalos", &stack.path("search.out"))
        .args(["search", "path:*", "--since", "3650d", "--limit", "1"])
        .args(STREAMS)
        .option("--index-namespace", namespace(stack))
        .option("--elasticsearch-url", stack.search_url())
        .run();
    assert_eq!(searched.code, Some(0), "{}", searched.output);
    assert!(searched.output.contains("350 lines match"), "{}", searched.output);

    // Ids are compared within a backing index: behind a rollover, a repeat is a line of its own.
    let rolled = elastic.must(Method::POST, &format!("{stream}/_rollover"), &Value::Null);
    assert_eq!(rolled["rolled_over"], true, "{rolled}");
    assert_eq!(generation(), 2);
    log.append(20);
    ship(stack, &log, &[]);
    assert_eq!(count(&elastic, &stream), 300 + 320);
    let repeated = ship(stack, &log, &[]);
    assert!(repeated.contains("duplicate=320"), "{repeated}");
    let audit = audited();
    assert_eq!(audit.code, Some(0), "{}", audit.output);
}

#[test]
fn elasticsearch_makes_data_streams_too_and_the_embedded_store_refuses_them() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(100);
    ship(&stack, &log, &[]);
    ship(&stack, &log, &[]);
    let elastic = stack.elastic();
    let stream = format!("logs-access-{}", namespace(&stack));
    assert_eq!(count(&elastic, &stream), 100);
    // It is no index of that name, but those behind a data stream.
    let listed = elastic.must(Method::GET, &format!("{stream}/_settings"), &Value::Null);
    let names: Vec<&String> = listed.as_object().expect("indices").keys().collect();
    assert!(names.iter().all(|name| name.starts_with(".ds-logs-access-")), "{names:?}");

    let stored = Program::new("omphalos", &stack.path("run.out"))
        .args(["run", &log.path().display().to_string()])
        .args(STREAMS)
        .option("--state-dir", stack.path("stored").display())
        .run();
    assert_eq!(stored.code, Some(2), "{}", stored.output);
    assert!(stored.output.contains("the embedded store has no data streams"), "{}", stored.output);
}

/// A server that has none refuses the template, and the indexer holds everything.
pub fn are_refused(stack: &Stack) {
    fs::remove_file(stack.path("indexer.log")).ok();
    let held = indexer(stack).listening().start();
    held.wait_for_log("the index template is refused");
    eventually("it holds", || {
        let held = held.metric("omphalos_held");
        holds(held > 0.5, held)
    });
}
