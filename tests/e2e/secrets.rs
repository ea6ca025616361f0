//! No part of a password is ever said: every program, with every URL that is refused, unreachable or
//! not let in, in what it prints, logs and serves.

mod misplaced;

use std::fs;
use std::path::PathBuf;

use omphalos_tests::{Program, Stack, free_port};
use tempfile::TempDir;

/// The two halves of the password; what may stand between them is what moves the host.
const HALVES: [&str; 2] = ["Hunter", "Zwei99"];

fn assert_silent(text: &str, about: &str) {
    for half in HALVES {
        assert!(!text.contains(half), "{half} was said: {about}\n{text}");
    }
}

struct Scene {
    directory: TempDir,
    file: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let directory = TempDir::with_prefix("omphalos-secrets-").expect("a directory");
        let file = directory.path().join("a.log");
        fs::write(&file, "one\n").expect("a file");
        Self { directory, file }
    }

    /// A program with a state directory of its own.
    fn program(&self, name: &'static str, arguments: &[&str]) -> Program {
        let log = self.directory.path().join("log");
        fs::remove_file(&log).ok();
        Program::new(name, &log).args(arguments)
    }

    /// How a command ends that reads the file and knows both servers.
    fn run(
        &self,
        name: &'static str,
        arguments: &[&'static str],
        url: (&str, &str),
    ) -> (Option<i32>, String) {
        let file = self.file.display().to_string();
        let named = |argument: &&'static str| {
            if *argument == "FILE" { file.clone() } else { (*argument).to_owned() }
        };
        let mut program = self.program(name, &[]).args(arguments.iter().map(named));
        program = program.option(url.0, url.1);
        if !matches!(arguments.first(), Some(&("search" | "dead" | "audit"))) {
            program = program.option("--state-dir", self.directory.path().join("state").display());
        }
        let ended = program.run();
        (ended.code, ended.output)
    }
}

/// What each program is asked to do, and with which flag it takes an URL.
const ASKED: &[(&str, &[&str], &str)] = &[
    ("omphalos-shipper", &["--once", "FILE"], "--amqp-url"),
    ("omphalos-shipper", &["check", "FILE"], "--amqp-url"),
    ("omphalos-indexer", &["--drain"], "--amqp-url"),
    ("omphalos-indexer", &["check"], "--amqp-url"),
    ("omphalos", &["dead", "list"], "--amqp-url"),
    ("omphalos", &["audit", "FILE"], "--amqp-url"),
    ("omphalos", &["import", "FILE"], "--amqp-url"),
    ("omphalos", &["run", "FILE"], "--amqp-url"),
    ("omphalos-indexer", &["--drain"], "--elasticsearch-url"),
    ("omphalos-indexer", &["check"], "--elasticsearch-url"),
    ("omphalos", &["audit", "FILE"], "--elasticsearch-url"),
    ("omphalos", &["import", "FILE"], "--elasticsearch-url"),
    ("omphalos", &["run", "FILE"], "--elasticsearch-url"),
    ("omphalos", &["search", "x"], "--elasticsearch-url"),
];

#[test]
fn a_password_that_moves_the_host_is_refused_and_not_repeated() {
    let scene = Scene::new();
    for (name, arguments, flag) in ASKED {
        let scheme = if *flag == "--amqp-url" { "amqp" } else { "http" };
        for between in ["@", "/", "#", "?", "@x/y@", ","] {
            let password = HALVES.join(between);
            let url = format!("{scheme}://user:{password}@127.0.0.1:9/");
            let (code, output) = scene.run(name, arguments, (flag, &url));
            let about = format!("{name} {arguments:?} {flag} {url}");
            assert_eq!(code, Some(2), "{about}\n{output}");
            assert!(output.contains("%40 for @"), "it says what to write: {about}\n{output}");
            assert_silent(&output, &about);
        }
        for url in [
            format!("ftp://user:{}@127.0.0.1:9/", HALVES.concat()),
            format!("user:{}@127.0.0.1:9", HALVES.concat()),
            format!("{scheme}://user:{}", HALVES.concat()),
            format!("{scheme}://user:{}@", HALVES.concat()),
        ] {
            let (code, output) = scene.run(name, arguments, (flag, &url));
            let about = format!("{name} {arguments:?} {flag} {url}");
            assert_eq!(code, Some(2), "{about}\n{output}");
            assert_silent(&output, &about);
        }
    }
}

#[test]
fn a_server_that_is_not_there_or_refuses_is_told_of_without_the_password() {
    let scene = Scene::new();
    let stack = Stack::shared();
    let closed = free_port();
    let password = HALVES.concat();
    let refusing = stack.amqp_url().replace("guest:guest", &format!("guest:{password}"));
    let broker = format!("amqp://user:{password}@127.0.0.1:{closed}/");
    let elastic = format!("http://user:{password}@127.0.0.1:{closed}/");
    for (name, arguments, flag) in ASKED {
        let is_asking = arguments.iter().any(|word| matches!(*word, "check" | "dead" | "search"));
        if !is_asking {
            continue;
        }
        let urls = if *flag == "--amqp-url" { vec![&broker, &refusing] } else { vec![&elastic] };
        for url in urls {
            let (code, output) = scene.run(name, arguments, (flag, url));
            assert_ne!(code, Some(0), "{name} {arguments:?} {url}\n{output}");
            assert_silent(&output, &format!("{name} {arguments:?} {flag} {url}"));
        }
    }
}

#[test]
fn a_daemon_that_waits_for_its_broker_serves_no_password() {
    let scene = Scene::new();
    let url = format!("amqp://user:{}@127.0.0.1:{}/", HALVES.concat(), free_port());
    let file = scene.file.display().to_string();
    let mut shipper = scene
        .program("omphalos-shipper", &[&file])
        .option("--amqp-url", url)
        .option("--state-dir", scene.directory.path().join("state").display())
        .listening()
        .start();
    shipper.wait_for_log("connection refused");
    for path in ["/metrics", "/healthz", "/readyz"] {
        // Whatever the status is.
        let url = format!("http://127.0.0.1:{}{path}", shipper.port());
        let answer = reqwest::blocking::get(url).expect("an answer");
        assert_silent(&answer.text().expect("a text"), path);
    }
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
    assert_silent(&shipper.log(), "its log");
}

#[test]
fn a_proxy_in_use_is_told_of_without_its_password() {
    let scene = Scene::new();
    let proxy = format!("http://user:{}@127.0.0.1:{}", HALVES.concat(), free_port());
    // An address that nobody has (RFC 5737).
    let ended = scene
        .program("omphalos", &["search", "x", "--elasticsearch-url", "http://192.0.2.1:9200"])
        .variable("http_proxy", proxy)
        .run();
    assert_eq!(ended.code, Some(2), "{}", ended.output);
    assert!(ended.output.contains("the proxy of http_proxy, 127.0.0.1:"), "{}", ended.output);
    assert_silent(&ended.output, "a proxy");
    for proxy in ["http://user:SECRET", "user:SECRET", "http://127.0.0.1:1/?SECRET"] {
        let proxy = proxy.replace("SECRET", &HALVES.concat());
        let url = "http://192.0.2.1:9200";
        let ended = scene
            .program("omphalos", &["search", "x", "--elasticsearch-url", url])
            .option("--elasticsearch-request-timeout", "1s")
            .variable("http_proxy", &proxy)
            .run();
        assert_eq!(ended.code, Some(2), "{}", ended.output);
        assert_silent(&ended.output, &proxy);
    }
}

/// The kind of fault: a secret that cannot be sent ends in a panic of the crate that sends it.
#[test]
fn a_secret_with_a_control_character_is_refused_with_the_name_of_its_setting() {
    let scene = Scene::new();
    let path = scene.directory.path().join("secret");
    for between in ["\n", "\r\n", "\t", "\u{1}", "\u{7f}"] {
        let secret = format!("{}\n", HALVES.join(between));
        fs::write(&path, &secret).expect("a file");
        for (setting, user) in [("api-key", None), ("password", Some("user"))] {
            for (flag, value) in [
                (format!("--elasticsearch-{setting}"), secret.clone()),
                (format!("--elasticsearch-{setting}-file"), path.display().to_string()),
            ] {
                let mut program = scene.program("omphalos", &["search", "x"]);
                program = program.option(&flag, value);
                if let Some(user) = user {
                    program = program.option("--elasticsearch-user", user);
                }
                let ended = program.run();
                assert_eq!(ended.code, Some(2), "{flag} {between:?}\n{}", ended.output);
                let name = flag.trim_start_matches("--elasticsearch-").replace('-', "_");
                let expected = format!("elasticsearch.{name}: expected one line of text");
                assert!(ended.output.contains(&expected), "{flag}: {}", ended.output);
                assert_silent(&ended.output, &flag);
            }
        }
    }
    // White space at the ends of a file is left out.
    fs::write(&path, "key\n\n").expect("a file");
    let url = format!("http://127.0.0.1:{}", free_port());
    let ended = scene
        .program("omphalos", &["search", "x", "--elasticsearch-url", &url])
        .option("--elasticsearch-api-key-file", path.display())
        .run();
    assert!(ended.output.contains("connection refused"), "{}", ended.output);
}

/// The kind of fault: a variable that is no text counts as one that is not set.
#[test]
fn a_variable_that_is_no_text_is_refused_by_its_name() {
    let scene = Scene::new();
    for (name, words) in [
        ("omphalos-shipper", &["check"][..]),
        ("omphalos-indexer", &["check"]),
        ("omphalos", &["search", "x"]),
        ("omphalos", &["audit", "x"]),
        ("omphalos", &["dead", "list"]),
        ("omphalos", &["run"]),
    ] {
        let variable = match words[0] {
            "search" => "OMPHALOS_ELASTICSEARCH_URL",
            _ => "OMPHALOS_AMQP_URL",
        };
        let set = format!("{variable}=$(printf 'amqp://u:HunterZwei99@h/\\377')");
        let shell = ["sh", "-c", &format!("{set}; export {variable}; exec \"$@\""), "sh"];
        let ended = scene.program(name, words).under(&shell).run();
        assert_eq!(ended.code, Some(2), "{name} {words:?}\n{}", ended.output);
        let expected = format!("{variable}: expected text in UTF-8");
        assert!(ended.output.contains(&expected), "{name} {words:?}\n{}", ended.output);
        assert_silent(&ended.output, name);
    }
}
