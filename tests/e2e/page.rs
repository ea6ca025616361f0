//! The page's REST API: what is stored and what comes, by one address, for who may ask.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use jiff::Timestamp;
use omphalos_tests::{LogFile, Program, Stack, eventually, holds};
use reqwest::blocking::{Client, Response};
use serde_json::Value;

use crate::run::Alone;

/// The lines of the log; each with a path of its own below one of these sections.
const LINES: u64 = 250;
const SECTIONS: [&str; 2] = ["api", "shop"];

/// Appends lines of now, with numbers from `from` on.
pub fn append(log: &mut LogFile, from: u64, lines: u64, status: u16) {
    let now = Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
    let mut text = String::new();
    for number in from..from + lines {
        let section = SECTIONS[usize::from(number % 5 == 0)];
        writeln!(
            text,
            "10.0.0.{} - - [{now}] \"GET /{section}/{number} HTTP/1.1\" {status} 100 \"-\" \"agent <b>{}</b>\"",
            number % 3,
            number % 2
        )
        .expect("a text");
    }
    log.append_text(&text);
}

/// The address in what a process says.
pub fn page_of(process: &Program) -> String {
    process.wait_for_log("the page is at ");
    let said = process.log();
    let behind = said.split("the page is at ").nth(1).expect("an address");
    behind.split_whitespace().next().expect("an address").trim_end_matches('/').to_owned()
}

fn get(page: &str, path: &str) -> Response {
    Client::new().get(format!("{page}/api/v1/{path}")).send().expect("an answer")
}

fn json(page: &str, path: &str) -> Value {
    let answer = get(page, path);
    let (status, text) = (answer.status(), answer.text().expect("a text"));
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
}

/// A stream of events, each line of which comes soon.
fn stream(page: &str, path: &str) -> impl Iterator<Item = String> + use<> {
    let address = page.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
    write!(stream, "GET /api/v1/{path} HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("sent");
    BufReader::new(stream).lines().map(|line| line.expect("a line soon"))
}

/// The data of the next event of this name.
fn next(events: &mut impl Iterator<Item = String>, name: &str) -> Value {
    events.find(|line| *line == format!("event: {name}")).expect("an event");
    let data = events.next().expect("its data");
    serde_json::from_str(data.strip_prefix("data: ").expect("its data")).expect("JSON")
}

struct Served {
    alone: Alone,
    log: LogFile,
    process: Program,
    page: String,
}

/// A process with lines that are stored.
fn served(arguments: &[&str]) -> Served {
    let alone = Alone::new();
    let mut log = LogFile::create(&alone.directory.path().join("access.log"));
    append(&mut log, 0, LINES, 200);
    let process = alone
        .with_state("run")
        .arg(log.path().display())
        .args(["--parser", "combined", "--page-listen", "127.0.0.1:0"])
        .args(arguments)
        .start();
    let page = page_of(&process);
    Served { alone, log, process, page }
}

#[test]
fn one_address_tells_what_is_stored_and_what_comes() {
    let Served { alone: _alone, mut log, mut process, page } = served(&[]);
    let overview = eventually("all lines are counted", || {
        let overview = json(&page, "overview?since=1h&top=section,path,client&n=3");
        holds(overview["summary"]["hits"] == LINES, &overview["summary"])?;
        Ok::<_, String>(overview)
    });
    assert_eq!(overview["origin"], "stored");
    assert_eq!(overview["tops"][0]["rows"][0]["key"]["text"], "/api");
    assert_eq!(overview["tops"][0]["rows"][0]["hits"]["value"], 200);
    let trend = overview["tops"][0]["trends"][0].as_array().expect("a trend");
    assert_eq!(trend.iter().filter_map(Value::as_u64).sum::<u64>(), 200);
    assert_eq!(json(&page, "summary?since=1h&filter=path:/shop/*")["summary"]["hits"], 50);
    assert_eq!(json(&page, "top/agent?since=1h")["top"]["rows"][0]["hits"]["value"], 125);
    let key = json(&page, "key/section/%2Fshop?since=1h&n=2");
    assert_eq!(
        (&key["row"]["hits"]["value"], key["lines"].as_array().map(Vec::len)),
        (&Value::from(50), Some(2))
    );
    assert_eq!(json(&page, "series?since=1h")["series"]["step"], 30_000);
    assert_eq!(json(&page, "sources")["sources"][0]["lines"], LINES);
    assert_eq!(json(&page, "health")["status"], "ok");
    every_line_once(&page);
    around(&page);
    fields(&page);

    let mut events = stream(&page, "live?topics=overview,lines,health&filter=status:503&since=1h");
    assert_eq!(next(&mut events, "health")["status"], "ok");
    append(&mut log, LINES, 3, 200);
    append(&mut log, LINES + 3, 2, 503);
    let lines = next(&mut events, "lines");
    assert_eq!(lines["lines"][0]["url"]["path"], "/api/253", "{lines}");
    eventually("figures go on", || {
        let overview = next(&mut events, "overview");
        holds(overview["summary"]["hits"] == 2, &overview["summary"])
    });
    drop(events);
    assert_eq!(process.terminate(), Some(0));
}

fn every_line_once(page: &str) {
    let mut paths = BTreeSet::new();
    let mut after = String::new();
    loop {
        let answer = json(page, &format!("lines?since=1h&n=100&order=oldest{after}"));
        for line in answer["lines"].as_array().expect("lines") {
            let path = line["document"]["url"]["path"].as_str().expect("a path");
            assert!(paths.insert(path.to_owned()), "{path} is there twice");
        }
        let Some(next) = answer["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paths.len() as u64, LINES);
    let rows = get(page, "lines/download?since=1h&format=csv&columns=url.path,source.address");
    let rows = rows.text().expect("rows");
    assert_eq!(rows.lines().count() as u64, LINES + 1);
    assert!(rows.starts_with("\"url.path\",\"source.address\"\r\n\"/"), "{rows}");
    let all = get(page, "lines/download?since=1h&n=120").text().expect("lines");
    assert_eq!(all.lines().filter(|line| line.starts_with("{\"@timestamp\"")).count(), 120);
}

fn around(page: &str) {
    let found = json(page, "lines?since=1h&n=1&filter=path:%22/api/101%22");
    let log = &found["lines"][0]["document"]["log"];
    let (path, offset) = (log["file"]["path"].as_str().expect("a path"), &log["offset"]);
    let around = json(page, &format!("lines/around?path={path}&offset={offset}&n=2"));
    let lines = around["lines"].as_array().expect("lines");
    let paths: Vec<_> = lines.iter().map(|line| &line["document"]["url"]["path"]).collect();
    assert_eq!(paths, ["/api/99", "/shop/100", "/api/101", "/api/102", "/api/103"]);
    assert_eq!(around["at"], 2);
}

fn fields(page: &str) {
    let fields = json(page, "fields");
    let has = |name: &str| {
        fields["fields"].as_array().is_some_and(|all| all.iter().any(|field| field["name"] == name))
    };
    assert!(has("url.path") && has("source.address"), "{fields}");
    let values = json(page, "fields/ip?since=1h&part=0.1");
    assert_eq!(values["values"][0]["value"], "10.0.0.1", "{values}");
    let values = json(page, "fields/status?since=1h");
    assert_eq!(
        (&values["field"], &values["values"][0]["hits"]),
        (&Value::from("http.response.status_code"), &Value::from(LINES))
    );
}

#[test]
fn elasticsearch_answers_as_the_store_does() {
    let stack = Stack::shared();
    let url = stack.search_url();
    let arguments =
        ["--elasticsearch-url", &url, "--index-prefix", stack.prefix(), "--index-replicas", "0"];
    let Served { alone: _alone, log: _log, mut process, page } = served(&arguments);
    eventually("all lines are counted", || {
        let overview = json(&page, "overview?since=1h&top=section,path,client&n=3");
        holds(overview["summary"]["hits"] == LINES, &overview["summary"])?;
        holds(overview["tops"][0]["rows"][0]["hits"]["value"] == 200, &overview["tops"][0])
    });
    assert_eq!(json(&page, "summary?since=1h&filter=path:/shop/*")["summary"]["hits"], 50);
    assert_eq!(get(&page, "summary?filter=status:&since=1h").status(), 400);
    every_line_once(&page);
    around(&page);
    fields(&page);
    assert_eq!(json(&page, "fleet")["members"].as_array().map(Vec::len), Some(0));
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn every_refusal_is_a_problem_and_nobody_foreign_is_answered() {
    let Served { alone: _alone, log: _log, process, page } =
        served(&["--listen-hosts", "logs.example"]);
    for (path, status, parameter) in [
        ("lines?n=0", 400, "n"),
        ("lines?since=x", 400, "since"),
        ("lines?after=x", 400, "after"),
        ("summary?filter=(a", 400, "filter"),
        ("summary?fitler=a", 400, "fitler"),
        ("lines/around?path=/x&offset=-1", 400, "offset"),
        ("live?topics=x", 400, "topics"),
        ("nothing", 404, ""),
        ("key/section/%2Fnone", 404, ""),
    ] {
        let answer = get(&page, path);
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = serde_json::from_str(&answer.text().expect("a text")).expect("JSON");
        assert_eq!(problem["parameter"].as_str().unwrap_or_default(), parameter, "{problem}");
    }
    let client = Client::new();
    let ask = |headers: &[(&str, &str)]| {
        let request = client.get(format!("{page}/api/v1/openapi.json"));
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .expect("an answer")
    };
    for (headers, expected) in [
        (&[][..], 200),
        (&[("origin", page.as_str())], 200),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("host", "logs.example"), ("origin", "https://logs.example")], 200),
        (&[("origin", "http://127.0.0.1:1")], 403),
        (&[("origin", "http://localhost")], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("host", "evil.example")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
    ] {
        assert_eq!(ask(headers).status(), expected, "{headers:?}");
    }
    let answer = ask(&[]);
    let policy = answer.headers()["content-security-policy"].to_str().expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    let described: Value = serde_json::from_str(&answer.text().expect("a text")).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let needs_more = |path: &str| ["{", "live", "around"].iter().any(|part| path.contains(part));
    for (path, operations) in paths.iter().filter(|(path, _)| !needs_more(path)) {
        let path = path.trim_start_matches("/api/v1/");
        let is_read = operations.get("get").is_some();
        assert!(!is_read || get(&page, path).status().is_success(), "{path}");
    }
    assert_eq!(
        client.post(format!("{page}/api/v1/health")).send().expect("an answer").status(),
        403
    );
    drop(process);
}

#[test]
fn a_process_without_a_store_shows_what_it_reads_and_a_token_keeps_others_out() {
    let alone = Alone::new();
    let path = alone.directory.path();
    let mut log = LogFile::create(&path.join("access.log"));
    append(&mut log, 0, 10, 200);
    let shipper = || {
        Program::new("omphalos", &path.join("run.out"))
            .args(["run", "--parser", "combined", "--udp", "127.0.0.1:9", "--state-dir"])
            .arg(path.join("state").display())
            .arg(log.path().display())
    };
    let refused = shipper().option("--page-listen", "0.0.0.0:0").run();
    assert_eq!(refused.code, Some(2));
    assert!(refused.output.contains("set page.token_file"), "{}", refused.output);
    fs::write(path.join("token"), "0123456789abcdef\n").expect("a token");
    let process = shipper()
        .option("--page-listen", "127.0.0.1:0")
        .option("--page-token-file", path.join("token").display())
        .start();
    let page = page_of(&process);
    assert_eq!(get(&page, "summary").status(), 401);
    let client = Client::new();
    let told = |token: &str| {
        let request = client
            .post(format!("{page}/api/v1/session"))
            .body(format!("{{\"token\":\"{token}\"}}"));
        request.header("content-type", "application/json").send().expect("an answer")
    };
    assert_eq!(told("0123456789abcdee").status(), 401);
    let cookie =
        told("0123456789abcdef").headers()["set-cookie"].to_str().expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let ask = |path: &str| {
        let request = client.get(format!("{page}/api/v1/{path}")).header("cookie", &cookie);
        let text = request.send().expect("an answer").text().expect("a text");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    assert_eq!(ask("summary")["origin"], "live");
    append(&mut log, 10, 5, 404);
    eventually("what comes is counted", || {
        let overview = ask("overview?top=path");
        holds(overview["summary"]["classes"]["client_error"] == 5, &overview)
    });
    assert_eq!(ask("lines?n=2")["lines"].as_array().map(Vec::len), Some(2));
    assert_eq!(ask("summary?filter=a")["parameter"], "filter");
}

#[test]
fn the_page_is_small_is_served_by_the_program_and_opens_in_a_browser() {
    let Served { alone, log: _log, process, page } = served(&[]);
    let client = Client::builder().no_gzip().build().expect("a client");
    let ask = |path: &str, accepted: &str| {
        let request = client.get(format!("{page}{path}")).header("accept-encoding", accepted);
        request.send().expect("an answer")
    };
    let text = ask("/", "identity").text().expect("a page");
    assert!(text.starts_with("<!doctype html>") && text.contains("src=\"/page.js\""), "{text}");
    let mut first_load = 0;
    for path in ["/", "/page.js", "/page.css"] {
        let answer = ask(path, "gzip, deflate, br, zstd");
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{path}");
        let tag = answer.headers()["etag"].clone();
        first_load += answer.bytes().expect("a body").len();
        let again = client.get(format!("{page}{path}")).header("if-none-match", tag);
        assert_eq!(again.send().expect("an answer").status(), 304, "{path}");
    }
    assert!(first_load <= 80 * 1024, "{first_load}");

    let directory = alone.directory.path();
    let (browser, opened) = (directory.join("browser"), directory.join("opened"));
    let script = format!("#!/bin/sh\nprintf %s \"$1\" > {}\n", opened.display());
    fs::write(&browser, script).expect("a browser");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("a browser");
    let open = Program::new("omphalos", &directory.join("open.out"))
        .arg("open")
        .option("--state-dir", directory.join("state").display())
        .variable("BROWSER", browser.display());
    assert_eq!(open.run().code, Some(0));
    assert_eq!(fs::read_to_string(opened).expect("an address"), format!("{page}/"));
    drop(process);
}
