//! The listeners and the web: what a page in somebody's browser can send is refused, and who sends half a
//! request keeps nobody out.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use omphalos_tests::Program;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::page::page_of;
use crate::run::Alone;

/// More than a process has descriptors, usually.
const HALF_REQUESTS: usize = 1_200;
/// How long a connection may take.
const SOON: Duration = Duration::from_secs(2);
const LINE: &str = "{\"create\":{}}\n{\"a\":1}\n";

fn status(address: &str, request: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn get(address: &str, path: &str, headers: &str) -> u16 {
    status(address, &format!("GET {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n"))
}

fn process(alone: &Alone) -> Program {
    let process =
        alone.with_state("run").option("--listen-hosts", "logs.example").listening().start();
    process.wait_for_log("the store in");
    process
}

#[test]
fn a_page_in_a_browser_can_neither_read_nor_write() {
    let alone = Alone::new();
    let mut process = process(&alone);
    let store = alone.url.trim_start_matches("http://").to_owned();
    let metrics = format!("127.0.0.1:{}", process.port());
    for (address, path) in
        [(&store, "/_cat/indices"), (&metrics, "/metrics"), (&metrics, "/healthz")]
    {
        for (headers, expected) in [
            ("host: localhost\r\n", 200),
            ("host: [::1]:9200\r\n", 200),
            ("host: logs.example\r\n", 200),
            ("host: logs.example\r\norigin: https://logs.example\r\n", 200),
            ("host: evil.example\r\n", 403),
            ("host: evil.example:9200\r\n", 403),
            ("host: localhost\r\norigin: http://evil.example\r\n", 403),
            ("host: localhost\r\norigin: null\r\n", 403),
            ("host: localhost\r\nsec-fetch-site: cross-site\r\n", 403),
            ("host: localhost:evil\r\n", 403),
        ] {
            assert_eq!(get(address, path, headers), expected, "{path} {headers}");
        }
    }
    let client = Client::new();
    for (kind, expected) in [
        ("text/plain", 406),
        ("application/x-www-form-urlencoded", 406),
        ("multipart/form-data", 406),
        ("application/x-ndjson", 200),
        ("application/json", 200),
        ("application/vnd.elasticsearch+x-ndjson; compatible-with=9", 200),
    ] {
        let sent = client.post(format!("{store}/w/_bulk", store = alone.url)).body(LINE);
        let answer = sent.header("Content-Type", kind).send().expect("an answer");
        assert_eq!(answer.status().as_u16(), expected, "{kind}");
    }
    let bare = client.post(format!("{}/w/_bulk", alone.url)).body(LINE).send().expect("an answer");
    assert_eq!(bare.status().as_u16(), 406);
    let answer: Value = serde_json::from_str(&bare.text().expect("text")).expect("JSON");
    let reason = answer["error"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("application/x-ndjson to _bulk"), "it says what to do: {reason}");
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn half_requests_take_neither_descriptors_nor_the_place_of_others() {
    let alone = Alone::new();
    let mut process = process(&alone);
    let metrics = format!("127.0.0.1:{}", process.port());
    let store = alone.url.trim_start_matches("http://").to_owned();
    for name in [&store, &metrics] {
        let address = &name.parse().expect("an address");
        let half: Vec<TcpStream> = (0..HALF_REQUESTS)
            .map_while(|_| {
                // Beyond those that wait with the system nobody is even connected.
                let mut stream = TcpStream::connect_timeout(address, SOON).ok()?;
                stream.write_all(b"GET / HTTP/1.1\r\nhost: local").ok()?;
                Some(stream)
            })
            .collect();
        assert!(half.len() > 150, "{} connections", half.len());
        let held = fs::read_dir(format!("/proc/{}/fd", process.id())).expect("descriptors").count();
        assert!(held < 500, "{held} descriptors");
        drop(half);
        assert_eq!(get(name, "/", "host: localhost\r\n") / 100 % 2, 0, "it answers again");
    }
    assert_eq!(process.http("/healthz").as_deref(), Some("ok\n"));
    assert_eq!(process.terminate(), Some(0));
}

/// How many lines the page finds, which go on behind those that are too much for one answer.
fn through_the_page(page: &str) -> usize {
    let (mut lines, mut after) = (0, String::new());
    loop {
        let path = format!("{page}/api/v1/lines?since=2026-11-22&n=8{after}");
        let answer = Client::new().get(path).send().expect("an answer").text().expect("a text");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        lines += answer["lines"].as_array().unwrap_or_else(|| panic!("{answer:.300}")).len();
        let Some(next) = answer["next"].as_str() else { return lines };
        after = format!("&after={next}");
    }
}

/// What one request may cost: it is refused with what to do, and soon.
#[test]
fn one_request_takes_neither_much_memory_nor_long() {
    let alone = Alone::new();
    let mut process = process(&alone);
    let client = Client::builder().timeout(Duration::from_mins(1)).build().expect("a client");
    let ask = |path: &str, body: &Value| {
        let request = client.post(format!("{}/{path}", alone.url)).body(body.to_string());
        let answer = request.header("Content-Type", "application/json").send().expect("an answer");
        (answer.status().as_u16(), answer.text().expect("text"))
    };
    for number in 0..8 {
        let time = format!("2026-11-22T01:00:0{number}Z");
        let large = json!({ "@timestamp": time, "text": "x".repeat(8 << 20) });
        let (status, answer) = ask(&format!("omphalos-big/_doc/{number}"), &large);
        assert_eq!(status, 201, "{answer}");
    }
    let filters: Vec<Value> = (0..1_000).map(|n| json!({ "term": { "n": n } })).collect();
    let nested =
        |below: &Value| json!({ "a": { "filters": { "filters": filters }, "aggs": below } });
    let bomb = json!({ "size": 0, "aggs": nested(&nested(&json!({}))) });
    let ids = |count: usize| json!({ "ids": vec!["0"; count] });
    let paths = format!("omphalos-big/_search?filter_path={}", ["a"; 101].join(","));
    for (path, body, expected) in [
        ("omphalos-big/_search", bomb, "at most 10000 aggregations"),
        ("omphalos-big/_search", json!({ "size": 8 }), "ask for fewer"),
        ("omphalos-big/_search?scroll=1m", json!({ "size": 8 }), "ask for fewer"),
        ("omphalos-big/_mget", ids(8), "in parts"),
        (&paths, json!({ "size": 1 }), "at most 100 paths"),
        ("omphalos-big/_mget", ids(20_000), "in parts"),
        ("omphalos-big/_search", json!({ "_source": vec!["a*b*c"; 2_000] }), "at most 1000 names"),
        ("omphalos-big/_doc/9", json!({ "text": "x".repeat(35 << 20) }), "a document has at most"),
        (
            "omphalos-big/_search",
            json!({ "query": { "query_string": { "query": "text:*x* ".repeat(2_000) } } }),
            "asks too much",
        ),
    ] {
        let (status, answer) = ask(path, &body);
        assert!(
            (400..500).contains(&status) && answer.contains(expected),
            "{path}: {status} {answer:.300}"
        );
    }
    assert_eq!(ask("omphalos-big/_search", &json!({ "size": 3 })).0, 200, "what fits is shown");
    let stars = ["**", "_source"].repeat(200).join(".");
    let starred = ask(&format!("omphalos-big/_search?filter_path={stars}"), &json!({ "size": 1 }));
    assert_eq!(starred, (200, "{}".to_owned()), "and soon");
    let padding = "y".repeat(7 << 20);
    let scroll = json!({ "size": 1, "query": { "match": { "other": padding } } });
    let scrolls: Vec<u16> =
        (0..4).map(|_| ask("omphalos-big/_search?scroll=1m", &scroll).0).collect();
    assert_eq!(scrolls, [200, 200, 429, 429], "their requests are kept");
    let found = alone.omphalos("search").args(["--json", "--limit", "8"]).run();
    assert_eq!(found.code, Some(0), "{:.300}", found.output);
    assert_eq!(found.output.matches("2026-11-22T01:00:0").count(), 8, "in parts");
    assert_eq!(through_the_page(&page_of(&process)), 8, "in parts as well");
    assert!(process.peak_memory() < 1 << 30, "{} bytes", process.peak_memory());
    assert_eq!(process.terminate(), Some(0));
}
