//! What `check` says last, and errors that say nothing twice.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use omphalos_tests::{Embedded, Program};

use crate::circumstances::directory;

const VALID: &str = "settings are valid";

/// The kind of fault: "valid" is said of all settings when only some were looked at.
#[test]
fn that_settings_are_valid_is_said_last_and_only_where_all_are() {
    let directory = directory();
    let file = directory.path().join("a.log");
    fs::write(&file, "a line\n").expect("a file");
    let file = file.display().to_string();
    let state = directory.path().join("state").display().to_string();
    let shipper = ["check", &file, "--parser", "raw", "--state-dir", &state];
    let (broker, elastic) = ("amqp://guest:guest@127.0.0.1:1/", "http://127.0.0.1:1");
    for (name, words, code) in [
        // The server is away, which is no fault of the settings.
        ("omphalos-shipper", [&shipper[..], &["--amqp-url", broker]].concat(), 1),
        (
            "omphalos-indexer",
            vec!["check", "--amqp-url", broker, "--elasticsearch-url", elastic],
            1,
        ),
        ("omphalos-shipper", [&shipper[..], &["--amqp-url", "amqp://u:p@ss@h/"]].concat(), 2),
        (
            "omphalos-shipper",
            [&shipper[..], &["--amqp-url", "amqps://h/", "--amqp-ca-file", "/nowhere"]].concat(),
            2,
        ),
        ("omphalos-shipper", [&shipper[..], &["--amqp-url", "http://h/"]].concat(), 2),
        ("omphalos-indexer", vec!["check", "--amqp-url", "amqp://u:p@ss@h/"], 2),
        ("omphalos-indexer", vec!["check", "--amqp-url", "http://h/"], 2),
        ("omphalos-indexer", vec!["check", "--elasticsearch-url", "amqp://h/"], 2),
    ] {
        let log = directory.path().join("said.log");
        fs::remove_file(&log).ok();
        let ended = Program::new(name, &log).args(&words).run();
        let words = format!("{}:\n{}", words.join(" "), ended.output);
        if code == 2 {
            assert!(!ended.output.contains(VALID), "{words}");
        } else {
            let last = ended.output.lines().rfind(|line| line.starts_with("ok "));
            let problem = ended.output.rfind("problem ").expect("a server that is away");
            assert!(last.is_some_and(|line| line.contains(VALID)), "{words}");
            assert!(ended.output.find(VALID) > Some(problem), "{words}");
        }
        assert_eq!(ended.code, Some(code), "{words}");
    }
}

/// The kind of fault: a server is asked for that these settings have no use for.
#[test]
fn run_looks_for_no_broker_where_none_is_named() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("a.log"), "a line\n").expect("a file");
    let elastic = Embedded::start();
    let settings = format!(
        "state_dir = {:?}\n[[monitor]]\npaths = [{:?}]\nparser = \"raw\"\n[elasticsearch]\nurl = [{:?}]\n",
        path("state"),
        path("a.log"),
        elastic.url()
    );
    fs::write(path("run.toml"), settings).expect("settings");
    let ended = Program::new("omphalos", &path("said.log"))
        .args(["run", "check"])
        .option("--config", path("run.toml").display())
        .run();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(ended.output.contains(&elastic.url()), "{}", ended.output);
    assert!(!ended.output.contains("amqp"), "{}", ended.output);
}

/// Answers every request with nothing, and gives the credentials that it was sent.
fn listener() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, sent) = mpsc::sync_channel(100);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let lines = reader.by_ref().lines().map_while(Result::ok);
            for line in lines.take_while(|line| !line.is_empty()) {
                if let Some(("authorization", value)) = line.split_once(": ") {
                    sender.send(value.to_owned()).ok();
                }
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            reader.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    (port, sent)
}

/// The kind of fault: of what belongs together, a part is taken from one place and a part from another.
#[test]
fn an_address_with_a_password_goes_before_the_user_in_the_file() {
    const OF_URL: &str = "Basic dTpw";
    const OF_FILE: &str = "Basic b2xkOm9sZA==";
    let (port, sent) = listener();
    let directory = directory();
    let file = directory.path().join("omphalos.toml");
    let (with, without) =
        (format!("http://u:p@127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let user = "[elasticsearch]\nuser = \"old\"\npassword = \"old\"\n";
    let key = "[elasticsearch]\napi_key = \"old\"\n";
    for (text, url, expected) in [
        (user, &with, OF_URL),
        (key, &with, OF_URL),
        ("", &with, OF_URL),
        (user, &without, OF_FILE),
        (key, &without, "ApiKey old"),
    ] {
        fs::write(&file, text).expect("a file");
        for (name, words) in [
            ("omphalos", ["search", "x", "--url"]),
            ("omphalos-indexer", ["check", "--amqp-url=amqp://127.0.0.1:1", "--elasticsearch-url"]),
        ] {
            let log = directory.path().join("said.log");
            let program = Program::new(name, &log).args(words).arg(url);
            let ended = program.option("--config", file.display()).run();
            let found: Vec<String> = sent.try_iter().collect();
            assert!(!found.is_empty(), "{name} {text}: {}", ended.output);
            assert!(found.iter().all(|found| found == expected), "{name} {text}: {found:?}");
        }
    }
}

/// What a line says twice, but for what it says of different times.
fn said_twice(line: &str) -> Option<&str> {
    let parts = line.split([':', ';', '(', ')', ',']).map(str::trim);
    let parts: Vec<&str> = parts.filter(|part| part.split_whitespace().count() > 1).collect();
    let is_again = |(at, part): &(usize, &&str)| parts.iter().take(*at).any(|other| other == *part);
    parts.iter().enumerate().find(is_again).map(|(_, part)| *part)
}

/// The kind of fault: an error and its cause say the same, and both are printed.
#[test]
fn an_unknown_host_is_said_once() {
    let directory = directory();
    let file = directory.path().join("a.log");
    fs::write(&file, "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"a\":1}\n").expect("a file");
    let file = file.display().to_string();
    let (broker, elastic) =
        ("amqp://guest:guest@no-such-host.invalid/", "http://no-such-host.invalid:9200");
    let reads = [file.as_str(), "--parser", "json"];
    let all = [
        ("omphalos", vec!["search", "x", "--url", elastic], true),
        ("omphalos", vec!["top", "--since", "1h", "--url", elastic, "--once"], true),
        (
            "omphalos",
            vec!["audit", &file, "--parser", "json", "--host-id", "h", "--elasticsearch", elastic],
            false,
        ),
        ("omphalos-indexer", vec!["check", "--elasticsearch-url", elastic], true),
        ("omphalos-indexer", vec!["check", "--amqp-url", broker], true),
        ("omphalos-shipper", [&["check"], &reads[..], &["--amqp-url", broker]].concat(), true),
        ("omphalos-shipper", [&reads[..], &["--amqp-url", broker]].concat(), false),
        (
            "omphalos-shipper",
            [&reads[..], &["--transport", "udp", "--udp-to", "no-such-host.invalid:9"]].concat(),
            false,
        ),
        ("omphalos", [&["import"], &reads[..], &["--elasticsearch-url", elastic]].concat(), false),
        ("omphalos", [&["run"], &reads[..], &["--elasticsearch-url", elastic]].concat(), false),
    ];
    // A name service that does not answer is waited for: by all of them at the same time.
    thread::scope(|scope| {
        for (number, (name, words, ends)) in all.iter().enumerate() {
            let place = directory.path().join(number.to_string());
            scope.spawn(move || says_it_once(name, words, *ends, &place));
        }
    });
}

/// What a program says of an unknown host, be it that it goes on trying.
fn says_it_once(name: &'static str, words: &[&str], ends: bool, place: &Path) {
    fs::create_dir(place).expect("a directory");
    let mut program = Program::new(name, &place.join("said.log")).args(words);
    if words.contains(&"--parser") && !words.contains(&"audit") {
        program = program.option("--state-dir", place.join("state").display());
    }
    let output = if ends {
        let ended = program.run();
        assert_ne!(ended.code, Some(0), "{words:?}\n{}", ended.output);
        ended.output
    } else {
        let mut running = program.start();
        running.wait_for_log("lookup");
        running.kill();
        running.log()
    };
    assert!(output.contains("no-such-host.invalid"), "{words:?}\n{output}");
    for line in output.lines() {
        assert_eq!(said_twice(line), None, "{words:?}\n{line}");
    }
}
