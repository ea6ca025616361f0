//! `omphalos top --since`: figures of what is stored are those of the lines that were read, in the store
//! and in Elasticsearch alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use omphalos_tests::{Program, Stack};
use serde_json::Value;

use crate::run::Alone;

const LINES: u64 = 3_000;
const DIMENSIONS: [&str; 11] = [
    "section",
    "path",
    "client",
    "user",
    "referrer",
    "agent",
    "status",
    "method",
    "vhost",
    "source",
    "service.name",
];

/// Requests of all kinds: with and without a path, a user, a status, bytes of the body or of all, and with
/// empty segments.
fn write_log(path: &Path) {
    let mut text = String::new();
    let paths =
        ["/", "//", "/a", "/a/", "/a/b", "/ab", "/a/b/c?d=e", "", "rel/x", "/é/1", "/a b/c"];
    for number in 0..LINES {
        let pick = |of: u64| (number * number + number / 7) % of;
        let at = jiff::Timestamp::from_second(
            i64::try_from(1_795_300_000 + number * 11).expect("a time"),
        );
        let mut members = serde_json::Map::new();
        let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
        add("@timestamp", at.expect("a time").to_string().into());
        let path = paths[usize::try_from(pick(13) % 11).expect("an index")];
        if pick(17) != 0 {
            add("url.path", path.into());
        }
        if pick(5) != 0 {
            add("http.response.status_code", (100 + 101 * (pick(6) % 5)).into());
        }
        match pick(3) {
            0 => drop(add("http.response.body.bytes", (number * 3).into())),
            1 => drop(add("http.response.bytes", (number * 5).into())),
            _ => {}
        }
        add("http.request.method", ["GET", "POST", "PUT"][usize::from(pick(9) < 4)].into());
        add("source.address", format!("192.0.2.{}", pick(60)).into());
        add("url.domain", format!("host{}.example", pick(4)).into());
        add("service.name", format!("svc{}", pick(7)).into());
        if pick(4) == 0 {
            add("user.name", format!("user{}", pick(23)).into());
        }
        if pick(2) == 0 {
            add("http.request.referrer", format!("https://e.example/{}", pick(31)).into());
            add("event.duration", (1_000_000 + number * 1_000).into());
        }
        add("user_agent.original", format!("agent {} (x; y)", pick(19)).into());
        writeln!(text, "{}", Value::Object(members)).expect("a text");
    }
    std::fs::write(path, text).expect("a log");
}

fn figures(directory: &Path, arguments: &[&str]) -> Value {
    let output = directory.join("top.out");
    std::fs::remove_file(&output).ok();
    let run = Program::new("omphalos", &output).arg("top").args(arguments).run();
    assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.output);
    let json = run.output.lines().find_map(|line| serde_json::from_str(line).ok());
    json.unwrap_or_else(|| panic!("no figures: {}", run.output))
}

/// What must be the same: the sums of all, and those of each key.
fn sums(figures: &Value) -> BTreeMap<String, Value> {
    let mut sums = BTreeMap::new();
    for name in ["hits", "bytes", "errors", "classes"] {
        sums.insert(name.to_owned(), figures["summary"][name].clone());
    }
    sums.insert("slowest".to_owned(), figures["summary"]["latency"]["max"].clone());
    for of in ["statuses", "methods", "top"] {
        for row in figures[of]["rows"].as_array().unwrap_or_else(|| panic!("{figures}")) {
            let key = row["key"]["text"].as_str().expect("a key");
            let values = ["hits", "bytes", "errors"].map(|name| row[name]["value"].clone());
            let slowest = row["latency"]["max"].clone();
            sums.insert(
                format!("{of} {key}"),
                serde_json::json!([values, row["classes"], slowest]),
            );
        }
        sums.insert(format!("lines with a value of {of}"), figures[of]["hits"].clone());
    }
    sums
}

/// Compares the figures of the file with those of what is stored.
fn compare(directory: &Path, log: &str, stored: &[&str]) {
    for (at, dimension) in DIMENSIONS.into_iter().enumerate() {
        let by = ["hits", "bytes", "errors", "latency", "clients"][at % 5];
        for filter in [None, Some("status:>=400 AND NOT path:/a*"), Some("method:GET user1*")] {
            // All keys: of equal ones, either may come first.
            let mut asked = vec!["--json", "-c", "100", "--dimension", dimension, "--by", by];
            asked.extend(filter.iter().flat_map(|filter| ["--filter", filter]));
            let of_file = figures(directory, &[&asked, &[log, "--parser", "json"][..]].concat());
            let of_store = figures(directory, &[&asked, stored].concat());
            assert_eq!(sums(&of_store), sums(&of_file), "{dimension} by {by}, {filter:?}");
            let clients = |figures: &Value| figures["summary"]["clients"]["count"].as_f64();
            let (ours, theirs) = (clients(&of_file).unwrap(), clients(&of_store).unwrap());
            assert!((ours - theirs).abs() <= ours * 0.05, "{ours} and {theirs} clients");
        }
    }
}

#[test]
fn figures_of_what_is_stored_are_those_of_its_lines() {
    let stack = Stack::shared();
    let alone = Alone::new();
    let directory = alone.directory.path();
    let log = directory.join("requests.json");
    write_log(&log);
    let log = log.to_str().expect("a name");
    let import = |program: Program| {
        let imported = program.arg(log).args(["--parser", "json"]).run();
        assert_eq!(imported.code, Some(0), "{}", imported.output);
    };
    import(stack.import());
    stack.elastic().wait_for_count(LINES);
    let since = ["--since", "2026-11-01"];
    let elasticsearch = stack.search_url();
    let there = ["--url", &elasticsearch, "--index-prefix", stack.prefix()];
    compare(directory, log, &[&since, &there[..]].concat());

    let _store = alone.start_store();
    import(alone.with_state("import"));
    alone.elastic().wait_for_count(LINES);
    compare(directory, log, &[&since, &["--url", &alone.url][..]].concat());
}

#[test]
fn what_cannot_be_asked_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        let output = directory.path().join("top.out");
        std::fs::remove_file(&output).ok();
        let run = Program::new("omphalos", &output).arg("top").args(arguments).run();
        (run.code, run.output)
    };
    for (arguments, code, said) in [
        (&["--since", "1h", "--once", "--url", "http://127.0.0.1:1"][..], 1, "connection refused"),
        (
            &["--since", "1h", "--once", "--store-listen", "127.0.0.1:1"],
            1,
            "start one (omphalos run",
        ),
        (&["--since", "yesterday", "--once"], 2, "--since: expected a length of time"),
        (&["--since", "2999-01-01", "--once"], 2, "is not before now"),
        (&["--since", "1h", "--until", "2h", "--once"], 2, "nothing can be between"),
        (&["--since", "1h", "/var/log/x"], 2, "not for files"),
        (&["--until", "1h"], 2, "--since"),
        (&["--udp", "127.0.0.1:0", "--once"], 2, "has no end and no beginning"),
        (&["--udp", "nowhere", "--batch", "1"], 2, "expected HOST:PORT"),
    ] {
        let (found, output) = run(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {output}");
        assert!(output.contains(said), "{arguments:?}: {output}");
    }
}
