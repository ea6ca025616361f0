//! What the page may change where that is allowed, how much may be asked of it, what proves it over HTTPS, and
//! what a process tells of the alerts that it shows.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use omphalos_tests::{LogFile, Program, eventually, holds};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::blocking::{Client, Response};
use reqwest::{Certificate, Method};
use serde_json::Value;

use crate::page::{append, page_of};
use crate::run::Alone;
use crate::without_broker::{INDEX, Site, strict, wait_for_dead};

fn ask(page: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Client::new().request(method, format!("{page}/api/v1/{path}"));
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().expect("an answer")
}

fn json(answer: Response) -> Value {
    let text = answer.text().expect("a text");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// A process with a page and six dead letters.
fn with_letters(site: &Site, arguments: &[&str]) -> (Program, String) {
    let process = site
        .alone
        .with_state("run")
        .arg(site.log.display())
        .args(["--parser", "json", "--dataset", "app", "--page-listen", "127.0.0.1:0"])
        .args(arguments)
        .listening()
        .start();
    process.wait_for_log("the store in");
    site.alone.elastic().must(Method::PUT, INDEX, &strict());
    site.write(0..12);
    wait_for_dead(&process, 6);
    let page = page_of(&process);
    (process, page)
}

#[test]
fn dead_letters_are_replayed_and_dropped_where_that_is_allowed_and_by_no_foreign_page() {
    let site = Site::new();
    let (process, page) = with_letters(&site, &["--page-allow-actions"]);
    let dead = || json(ask(&page, Method::GET, "dead", &[]));
    let first = dead();
    assert_eq!(first["letters"].as_array().map(Vec::len), Some(6), "{first}");
    assert_eq!(first["allowed"]["drop"], true);
    let host = page.trim_start_matches("http://");
    for (method, path, headers, status) in [
        (Method::DELETE, "dead?all=true", vec![], 403),
        (Method::POST, "dead/replay?all=true", vec![("content-type", "text/plain")], 403),
        (Method::DELETE, "dead?all=true", vec![JSON, ("origin", "http://evil.example")], 403),
        (Method::DELETE, "dead?all=true", vec![JSON, ("sec-fetch-site", "cross-site")], 403),
        (Method::DELETE, "dead?all=true", vec![JSON, ("host", "evil.example")], 403),
        (Method::GET, "dead/replay?all=true", vec![JSON], 403),
        (Method::DELETE, "dead", vec![JSON], 400),
        (Method::POST, "dead/replay?id=a&all=true", vec![JSON], 400),
    ] {
        let answer = ask(&page, method.clone(), path, &headers);
        assert_eq!(answer.status(), status, "{method} {path} {headers:?}");
    }
    let id = first["letters"][0]["id"].as_str().expect("an id").to_owned();
    let own = [JSON, ("host", host), ("origin", page.as_str()), ("sec-fetch-site", "same-origin")];
    let dropped = json(ask(&page, Method::DELETE, &format!("dead?id={id}"), &own));
    assert_eq!(dropped["dropped"], 1);
    assert_eq!(dead()["letters"].as_array().map(Vec::len), Some(5));
    let replayed = |expected: &str| {
        let begun = ask(&page, Method::POST, "dead/replay?all=true", &own);
        assert_eq!(begun.status(), 202);
        eventually("it has ended", || {
            let dead = dead();
            let told = dead["last"]["told"].as_str().unwrap_or_default().to_owned();
            holds(dead["last"]["what"] == "replay" && told.contains(expected), &dead["last"])?;
            Ok::<_, String>(dead)
        })
    };
    let still = replayed("5 dead letters were refused again");
    assert_eq!(
        (&still["last"]["state"], still["letters"].as_array().map(Vec::len)),
        (&Value::from("failed"), Some(5))
    );
    site.allow_notes();
    let none = replayed("5 dead letters replayed: 5 indexed");
    assert_eq!(
        (&none["last"]["state"], none["letters"].as_array().map(Vec::len)),
        (&Value::from("done"), Some(0))
    );
    site.alone.elastic().wait_for_count(11);
    let counted =
        |labels: &str| process.sample(&format!("omphalos_page_actions_total{{{labels}}}"));
    assert!((counted("what=\"replay\",outcome=\"done\"") - 1.0).abs() < 0.1);
    assert!((counted("what=\"drop\",outcome=\"refused\"") - 1.0).abs() < 0.1, "{}", process.log());
    assert!(process.log().contains("asked by the page to drop dead letters"), "{}", process.log());
}

#[test]
fn nothing_is_changed_where_nobody_allows_it() {
    let site = Site::new();
    let (_process, page) = with_letters(&site, &[]);
    let refused = ask(&page, Method::DELETE, "dead?all=true", &[JSON]);
    assert_eq!(refused.status(), 403);
    assert!(refused.text().expect("a text").contains("page.allow_actions is not set"));
    assert_eq!(ask(&page, Method::POST, "dead/replay?all=true", &[JSON]).status(), 403);
    let dead = json(ask(&page, Method::GET, "dead", &[]));
    assert_eq!(dead["letters"].as_array().map(Vec::len), Some(6));
    assert_eq!(
        (&dead["allowed"]["replay"], &dead["allowed"]["drop"]),
        (&false.into(), &false.into())
    );
}

/// The first bytes of what comes on a connection.
fn status(mut stream: &TcpStream) -> String {
    let mut start = [0; 12];
    stream.read_exact(&mut start).expect("an answer");
    String::from_utf8_lossy(&start).into_owned()
}

#[test]
fn who_asks_without_end_is_told_when_to_ask_again() {
    let alone = Alone::new();
    let run = alone.with_state("run").args(["--page-listen", "127.0.0.1:0", "/nowhere"]);
    let process = run.start();
    let page = page_of(&process);
    let host = page.trim_start_matches("http://");
    let watch = || {
        let mut stream = TcpStream::connect(host).expect("a connection");
        write!(stream, "GET /api/v1/live?topics=health HTTP/1.1\r\nhost: {host}\r\n\r\n")
            .expect("sent");
        stream
    };
    let streams: Vec<TcpStream> = (0..140).map(|_| watch()).collect();
    let refused = streams.iter().filter(|stream| status(stream) == "HTTP/1.1 429").count();
    assert_eq!(refused, 140 - 128);
    drop(streams);
    eventually("there is room again", || {
        let found = status(&watch());
        holds(found == "HTTP/1.1 200", found)
    });
    // One request behind the other, as fast as they are answered.
    let mut connection = TcpStream::connect(host).expect("a connection");
    let requests = format!("GET /api/v1/health HTTP/1.1\r\nhost: {host}\r\n\r\n").repeat(3000);
    let last = format!("GET /icon.svg HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let mut sending = connection.try_clone().expect("a connection");
    let sender = std::thread::spawn(move || sending.write_all((requests + &last).as_bytes()));
    let mut answers = String::new();
    connection.read_to_string(&mut answers).expect("answers");
    sender.join().expect("a sender").expect("sent");
    let count = |text: &str| answers.matches(text).count();
    let refused = count("HTTP/1.1 429");
    assert!(count("HTTP/1.1 200") >= 100 && refused >= 100, "{refused}");
    assert_eq!(count("retry-after: 1\r\n"), refused);
    let problem = "\"title\":\"Too much is asked\",\"status\":429,\"detail\":\"your address sends more than 60 requests a second; ask again in 1 s\"";
    assert_eq!(count(problem), refused);
}

fn pem(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).expect("a PEM file");
    path.display().to_string()
}

#[test]
fn over_https_a_real_client_trusts_the_certificate_and_the_cookie_is_secure() {
    let alone = Alone::new();
    let path = alone.directory.path();
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
    let authority = authority.expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).expect("parameters");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    let token = pem(path, "token", "0123456789abcdef\n");
    let run = || {
        alone
            .with_state("run")
            .args(["--page-listen", "127.0.0.1:0", "--page-token-file", &token, "/nowhere"])
            .option("--page-certificate-file", pem(path, "page.pem", &certificate.pem()))
    };
    let refused = run().run();
    assert_eq!(refused.code, Some(2));
    assert!(refused.output.contains("expected page.key_file beside it"), "{}", refused.output);
    let key = pem(path, "page.key", &key.serialize_pem());
    let process = run().option("--page-key-file", key).start();
    process.wait_for_log_times("the page is at https://", 1);
    let said = process.log();
    let page =
        said.rsplit("the page is at ").next().and_then(|text| text.split_whitespace().next());
    let page = page.expect("an address").trim_end_matches('/').to_owned();
    let trusting = Certificate::from_pem(authority.pem().as_bytes()).expect("an authority");
    let client = Client::builder().add_root_certificate(trusting).build().expect("a client");
    let told = client
        .post(format!("{page}/api/v1/session"))
        .header(JSON.0, JSON.1)
        .header("origin", &page)
        .body("{\"token\":\"0123456789abcdef\"}");
    let told = told.send().expect("an answer");
    assert_eq!(told.status(), 204);
    let cookie = told.headers()["set-cookie"].to_str().expect("a cookie");
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let page_of_it = client.get(&page).send().expect("the page");
    assert_eq!(page_of_it.status(), 200);
    let secure = page_of_it.headers().get("strict-transport-security");
    assert_eq!(secure, None, "other ports of this name are not ours to decide about");
    assert!(Client::new().get(&page).send().is_err(), "nobody vouches for it");
    assert!(Client::new().get(page.replace("https:", "http:")).send().is_err());
    let opened = Program::new("omphalos", &path.join("open.out"))
        .args(["open", "--print", "--state-dir"])
        .arg(path.join("state").display())
        .run();
    assert!(opened.output.contains(&page), "{}", opened.output);
}

/// Raised with ten lines in five seconds, cleared without any; told to a command that appends to `file`.
fn busy(file: &Path) -> String {
    format!(
        "[[alert]]\nname = \"busy\"\nat_least = 10\nclear = 1\nwindow = \"5s\"\n\
         [[receiver]]\nname = \"file\"\nkind = \"command\"\n\
         command = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n",
        file.display()
    )
}

#[test]
fn what_run_raises_is_told_and_remembered_over_a_kill_and_shown_when_it_is_over() {
    let alone = Alone::new();
    let path = alone.directory.path();
    let config = path.join("omphalos.toml");
    let file = path.join("told");
    fs::write(&config, busy(&file)).expect("a configuration");
    let log = path.join("access.log");
    let mut written = LogFile::create(&log);
    let start = || {
        alone
            .with_state("run")
            .arg(log.display())
            .args(["--parser", "combined", "--page-listen", "127.0.0.1:0"])
            .option("--config", config.display())
            .listening()
            .start()
    };
    let mut process = start();
    process.wait_for_log("the store in");
    let told = || fs::read_to_string(&file).unwrap_or_default();
    append(&mut written, 0, 50, 200);
    eventually("it is raised and told", || {
        holds(told().contains("raised"), format!("{}\n{}", told(), process.log()))
    });
    eventually("it is kept", || {
        let kept = fs::read_to_string(path.join("state/alerts.json")).unwrap_or_default();
        holds(kept.contains("\"firing\"") && !kept.contains("\"waiting\":[{"), kept)
    });
    process.kill();
    let process = start();
    process.wait_for_log_times("the page is at ", 2);
    let said = process.log();
    let page =
        said.rsplit("the page is at ").next().and_then(|text| text.split_whitespace().next());
    let page = page.expect("an address").trim_end_matches('/').to_owned();
    eventually("it is cleared, and what was before the kill is shown as well", || {
        let alerts = json(ask(&page, Method::GET, "alerts?since=1h", &[]));
        let events = alerts["events"].as_array().cloned().unwrap_or_default();
        let raised = events.iter().filter(|event| event["is_raised"] == true).count();
        holds((raised, events.len()) == (1, 2), &alerts)
    });
    eventually("it is told", || holds(told().contains("cleared"), told()));
    assert_eq!(told().lines().count(), 2, "each once: {}", told());
    let summary = json(ask(&page, Method::GET, "summary?since=1h", &[]));
    assert_eq!(summary["summary"]["hits"], 50, "an alert is no line");
    let watch = Program::new("omphalos", &path.join("watch.out"))
        .args(["watch", "--alert", "at_least = 10", "--state-dir"])
        .arg(path.join("state").display())
        .arg(log.display())
        .run();
    assert!(watch.output.contains("an omphalos run that tells what it raises"), "{}", watch.output);
}
