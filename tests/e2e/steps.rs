//! What is done with documents before they leave, from the settings to the store and the audit.

use std::fs;
use std::path::{Path, PathBuf};

use omphalos_tests::{Elastic, Embedded, Program, Stack, eventually, holds};
use reqwest::Method;
use serde_json::{Value, json};

use crate::run::Alone;

/// Of a hundred requests, every tenth is for somebody's health, and every second one of a card.
fn access_log() -> String {
    let line = |number: u32| {
        let path = if number.is_multiple_of(10) { "/health" } else { "/shop/item.html" };
        format!(
            "203.0.113.{number} - ann [26/Feb/2026:10:00:{:02} +0100] \"GET {path}?token=t{number}&card=4111111111111111 HTTP/1.1\" {} 7 \"-\" \"curl/8\"\n",
            number % 60,
            if number.is_multiple_of(3) { 404 } else { 200 },
        )
    };
    (0..100).map(line).collect()
}

const STEPS: &str = r#"
[[monitor.step]]
step = "drop"
name = "health"
field = "url.path"
pattern = "^/health"

[[monitor.step]]
step = "mask"

[[monitor.step]]
step = "hash"
fields = ["user.name"]
key_file = "KEY"

[[monitor.step]]
step = "sample"
one_of = 2
field = "http.response.status_code"
pattern = "^2"
"#;

/// The log, and the settings that read it.
fn files(alone: &Alone) -> (PathBuf, PathBuf) {
    let directory = alone.directory.path();
    let (log, settings) = (directory.join("access.log"), directory.join("omphalos.toml"));
    fs::write(&log, access_log()).expect("the log");
    let key = directory.join("key");
    fs::write(&key, "0123456789abcdef").expect("the key");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key, mode).expect("its mode");
    let text = format!(
        "fields.labels.site = \"north\"\n[[monitor]]\npaths = [{:?}]\nparser = \"combined\"\nmodule = \"nginx\"\nfields.labels.env = \"prod\"\n{}",
        log.display().to_string(),
        STEPS.replace("KEY", &key.display().to_string()),
    );
    fs::write(&settings, text).expect("the settings");
    (log, settings)
}

#[test]
fn steps_shape_what_is_stored_and_an_audit_does_not_miss_what_they_left_out() {
    let alone = Alone::new();
    let (log, settings) = files(&alone);
    let mut running = alone
        .with_state("run")
        .option("--config", settings.display())
        .args(["--checkpoint-interval", "20ms"])
        .listening()
        .start();
    eventually("all lines are read", || {
        let read = running.metric("omphalos_shipper_lines_read_total");
        let in_flight = running.metric("omphalos_shipper_documents_in_flight");
        holds(read >= 100.0 && in_flight == 0.0, format!("{read} read, {in_flight} in flight"))
    });
    let documents: Vec<Value> =
        alone.elastic().documents(&[]).into_iter().map(|(_, document)| document).collect();
    // Thirty of the ninety others are failures, and all of these stay.
    let failures = documents.iter().filter(|one| one["event"]["outcome"] == "failure").count();
    assert_eq!(failures, 30);
    let stored = documents.len();
    assert!((31..90).contains(&stored), "{stored}");
    for document in &documents {
        assert_eq!(document["labels"], json!({"site": "north", "env": "prod"}));
        assert_eq!(document["source"]["ip"], "203.0.113.0");
        assert_eq!(document["url"]["query"], "token=***&card=***");
        assert_eq!(document["related"]["ip"], json!(["203.0.113.0"]));
        assert_eq!(document["user"]["name"].as_str().expect("a hash").len(), 32);
        assert_eq!(document["data_stream"]["dataset"], "nginx.access");
    }
    let skipped = |reason: &str| {
        running.sample(&format!(
            "omphalos_shipper_lines_skipped_total{{dataset=\"nginx_access\",reason=\"{reason}\"}}"
        ))
    };
    assert!((skipped("health") - 10.0).abs() < 0.1, "{}", skipped("health"));
    let sampled = u32::try_from(90 - stored).expect("few");
    assert!((skipped("sample") - f64::from(sampled)).abs() < 0.1, "{}", skipped("sample"));

    let audit = |more: &[&str]| {
        alone
            .with_state("audit")
            .arg(log.display())
            .option("--config", settings.display())
            .args(more)
            .run()
    };
    let audited = audit(&[]);
    assert_eq!(audited.code, Some(0), "{}", audited.output);
    for (name, count) in [("left out", 100 - stored), ("found", stored), ("missing", 0)] {
        let row = format!("  {name:<14}{count:>13}");
        assert!(audited.output.contains(&row), "{row}: {}", audited.output);
    }
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn parse_explains_what_each_step_makes_of_a_line() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let (log, settings) = (directory.join("a.log"), directory.join("omphalos.toml"));
    fs::write(&log, "user=ann from 203.0.113.7\nuser=bob\n").expect("the log");
    fs::write(
        &settings,
        "[[monitor]]\npaths = [\"/x\"]\nparser = \"regex\"\nformat = 'user=(?<user.name>\\w+)(?<message>.*)'\n[[monitor.step]]\nstep = \"mask\"\n[[monitor.step]]\nstep = \"drop\"\nname = \"bob\"\nfield = \"user.name\"\npattern = \"bob\"\n",
    )
    .expect("the settings");
    let exited = Program::new("omphalos", &directory.join("parse.out"))
        .args(["parse", "--explain"])
        .option("--config", settings.display())
        .arg(log.display())
        .run();
    assert_eq!(exited.code, Some(0), "{}", exited.output);
    let lines: Vec<&str> = exited.output.lines().collect();
    let [parsed, masked, kept, other, same, dropped] = lines[..] else {
        panic!("{}", exited.output)
    };
    assert!(parsed.starts_with("parsed           {") && parsed.contains("203.0.113.7"), "{parsed}");
    assert!(masked.starts_with("1 mask           {") && masked.contains("203.0.113.0"), "{masked}");
    assert_eq!(kept, "2 drop bob       unchanged");
    assert!(other.contains("\"bob\""), "{other}");
    assert_eq!(same, "1 mask           unchanged");
    assert_eq!(dropped, "2 drop bob       dropped");
}

/// A database of `tests/data`.
fn places(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/places")).join(name)
}

const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";

/// Ships requests of clients in Berlin, in Boston and in nobody's network, and an object that is no place.
fn ship_clients(stack: &Stack, state: &str) {
    let (log, json, settings) =
        (stack.path("web.log"), stack.path("odd.json"), stack.path("places.toml"));
    let line = |address: &str| {
        format!(
            "{address} - - [26/Feb/2026:10:00:00 +0100] \"GET / HTTP/1.1\" 200 7 \"-\" \"{AGENT}\"\n"
        )
    };
    let lines: String = ["203.0.113.7", "198.51.100.7", "10.0.0.7"].map(line).concat();
    fs::write(&log, lines).expect("the log");
    let odd = r#"{"peer":{"geo":{"location":{"planet":"Mars"}}}}"#.to_owned() + "\n";
    fs::write(&json, odd).expect("the log");
    let shown = |path: &Path| path.display().to_string();
    let text = format!(
        "[[monitor]]\npaths = [{:?}]\nparser = \"combined\"\ndataset = \"clients\"\n[[monitor.step]]\nstep = \"user_agent\"\n[[monitor.step]]\nstep = \"geoip\"\ndatabase = [{:?}, {:?}]\n[[monitor]]\npaths = [{:?}]\nparser = \"json\"\ndataset = \"clients\"\n",
        shown(&log),
        shown(&places("places.mmdb")),
        shown(&places("networks.mmdb")),
        shown(&json),
    );
    fs::write(&settings, text).expect("the settings");
    let shipped = Program::new("omphalos-shipper", &stack.path("places.out"))
        .arg("--once")
        .option("--config", settings.display())
        .option("--state-dir", stack.path(state).display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
}

#[test]
fn clients_are_found_by_their_browser_and_their_place() {
    let stack = Stack::shared();
    let store = Embedded::start();
    let engines = [stack.elastic(), Elastic::new(&store.url(), stack.prefix())];
    for (number, elastic) in engines.iter().enumerate() {
        ship_clients(&stack, &format!("places-{number}"));
        let indexed = stack.indexer_to(elastic.url()).arg("--drain").run();
        assert_eq!(indexed.code, Some(0), "{}", indexed.output);
        elastic.wait_for_count(4);
        let found = elastic.search("source.ip:203.0.113.7");
        let [document] = &found[..] else { panic!("{found:?}") };
        assert_eq!(document["user_agent"]["name"], "Chrome");
        assert_eq!(document["user_agent"]["os"]["full"], "Windows 10");
        assert_eq!(document["source"]["geo"]["location"], json!({"lat": 52.52, "lon": 13.405}));
        assert_eq!(document["source"]["as"]["number"], 64496);
        assert_eq!(
            elastic.search("user_agent.name:Chrome AND source.geo.country_iso_code:US").len(),
            1
        );
        assert_eq!(elastic.search("NOT _exists_:source.geo").len(), 2);
    }
    let [elastic, store] = &engines;
    assert_eq!(elastic.type_of("source.geo.location"), "geo_point");
    let around_berlin = json!({"query": {"geo_bounding_box": {"source.geo.location": {
        "top_left": {"lat": 53, "lon": 13}, "bottom_right": {"lat": 52, "lon": 14}}}}});
    let path = format!("{}-*/_search", stack.prefix());
    let found = elastic.must(Method::POST, &path, &around_berlin);
    assert_eq!(found["hits"]["total"]["value"], 1, "{found}");
    // The store has no points: their numbers are fields.
    let found =
        store.search("source.geo.location.lat:[52 TO 53] AND source.geo.location.lon:[13 TO 14]");
    assert_eq!(found.len(), 1);
}

#[test]
fn steps_that_cannot_be_used_are_refused_where_they_stand() {
    let alone = Alone::new();
    let settings = alone.directory.path().join("omphalos.toml");
    for (steps, expected) in [
        ("[[monitor.step]]\nstep = \"explode\"\n", "unknown variant `explode`"),
        ("[[monitor.step]]\nstep = \"drop\"\nfeild = \"a\"\n", "unknown field `feild`"),
        (
            "[[monitor.step]]\nstep = \"drop\"\nfield = \"a\"\npattern = \"(\"\n",
            "number 1 (drop): pattern",
        ),
        ("fields.host.name = \"x\"\n", "host.name is what the document says of itself"),
        ("step = 5\n", "`monitor.step`: expected tables"),
        (
            "[[monitor.step]]\nstep = \"geoip\"\ndatabase = \"/etc/hostname\"\n",
            "database: /etc/hostname: expected a database in MaxMind's format",
        ),
        (
            "[[monitor.step]]\nstep = \"geoip\"\ndatabase = \"/nowhere.mmdb\"\n",
            "database: /nowhere.mmdb: cannot read it",
        ),
        (
            "patterns.A = \"%{A}\"\nparser = \"grok\"\nformat = \"%{A}\"\n",
            "the pattern \"A\" is in itself",
        ),
    ] {
        fs::write(&settings, format!("[[monitor]]\npaths = [\"/x\"]\n{steps}")).expect("settings");
        let exited = Program::new("omphalos-shipper", &alone.directory.path().join("check.out"))
            .arg("check")
            .option("--config", settings.display())
            .run();
        assert_eq!(exited.code, Some(2), "{}", exited.output);
        assert!(exited.output.contains(expected), "{expected}: {}", exited.output);
    }
}
