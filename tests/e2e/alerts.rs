//! The alert rules that the manual gives: Prometheus loads them, each fires when what it warns of is
//! there and not before, and they name nothing that no program has. A rule with a misspelt name is
//! silent for ever, and nobody notices.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use omphalos_tests::prometheus::{JOB, promtool};
use omphalos_tests::udp::free_address;
use omphalos_tests::{
    Action, Embedded, Interposer, LogFile, Program, Prometheus, eventually, free_port, holds,
    repository,
};
use tempfile::TempDir;

use crate::dashboard;
use crate::metrics::manual;

fn path() -> PathBuf {
    repository().join("docs/prometheus/omphalos.rules.yml")
}

fn rules() -> String {
    fs::read_to_string(path()).expect("the rules")
}

/// The names of the alerts.
fn alerts(rules: &str) -> BTreeSet<&str> {
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.collect()
}

/// What a pattern of a rule stands for: `(a|b)` is one of them, `(a)?` is `a` or nothing.
fn expanded(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('(') else { return vec![pattern.to_owned()] };
    let (inner, after) = rest.split_once(')').expect(pattern);
    let (after, is_optional) = match after.strip_prefix('?') {
        Some(after) => (after, true),
        None => (after, false),
    };
    let words = inner.split('|').chain(is_optional.then_some(""));
    let rests = expanded(after);
    words.flat_map(|word| rests.iter().map(move |rest| format!("{before}{word}{rest}"))).collect()
}

/// All names of metrics in a text, patterns expanded.
pub fn metrics_in(text: &str) -> BTreeSet<String> {
    let quoted = text.split("{__name__=~\"").skip(1);
    let patterns = quoted.map(|rest| rest.split('"').next().expect("a pattern"));
    patterns.flat_map(expanded).collect()
}

/// The names of all samples that programs serve, by the manual, of which another test shows that it
/// says what they serve.
pub fn served() -> BTreeSet<String> {
    let names: BTreeSet<String> = manual().into_values().flatten().collect();
    let of_parts = ["omphalos_", "omphalos_shipper_", "omphalos_indexer_"];
    let ends = ["", "_total"];
    let all = |name: &String| -> Vec<String> {
        of_parts.iter().flat_map(|part| ends.map(|end| format!("{part}{name}{end}"))).collect()
    };
    names.iter().flat_map(all).collect()
}

#[test]
fn prometheus_takes_the_rules_and_programs_serve_what_they_name() {
    let path = path().display().to_string();
    promtool(&["check", "rules", &path]).unwrap_or_else(|said| panic!("{said}"));
    let (rules, served) = (rules(), served());
    let unknown: Vec<_> = metrics_in(&rules).difference(&served).cloned().collect();
    assert!(unknown.is_empty(), "no program has {unknown:?}");
    let manual = fs::read_to_string(repository().join("docs/operations.md")).expect("the page");
    assert!(manual.contains("prometheus/omphalos.rules.yml"), "the manual names the file");
}

/// When a circumstance begins, in minutes.
const BEGIN: u32 = 30;
/// For how long it is looked at.
const END: u32 = 70;

/// A circumstance as series: an alert that fires, and the metrics behind it. Such a one has first the
/// one value and from [`BEGIN`] on the other, to which the third is added every minute.
type Circumstance = (&'static str, &'static str, &'static [(&'static str, [u32; 3])]);

/// A counter that counts once.
const ONCE: [u32; 3] = [0, 1, 0];
/// A gauge that says yes from then on.
const YES: [u32; 3] = [0, 1, 0];
/// One that says no.
const NO: [u32; 3] = [1, 0, 0];

const CIRCUMSTANCES: &[Circumstance] = &[
    ("OmphalosDown", "", &[("up", NO)]),
    ("OmphalosFileBehind", "shipper", &[("file_lag_seconds{path=\"/a\"}", [2, 61, 60])]),
    ("OmphalosFileUnreadable", "shipper", &[("files_unreadable", YES)]),
    ("OmphalosBrokerAway", "shipper", &[("amqp_sender_connected", NO)]),
    ("OmphalosBrokerAway", "indexer", &[("amqp_receiver_connected", NO)]),
    ("OmphalosBrokerBlocks", "shipper", &[("amqp_sender_blocked", YES)]),
    ("OmphalosQueueFull", "shipper", &[("amqp_sender_messages_refused_total", ONCE)]),
    ("OmphalosUnroutable", "indexer", &[("amqp_sender_messages_returned_total", ONCE)]),
    ("OmphalosHeld", "indexer", &[("held", YES)]),
    ("OmphalosWithoutShard", "indexer", &[("without_shard", YES)]),
    ("OmphalosSpoolGrows", "indexer", &[("spool_records", [0, 5, 10])]),
    ("OmphalosUdpDestinationAway", "shipper", &[("udp_sender_up{to=\"a:1\"}", NO)]),
    ("OmphalosDeadLetters", "indexer", &[("documents_dead_total{reason=\"empty\"}", ONCE)]),
    (
        "OmphalosDeadLettersDropped",
        "indexer",
        &[("documents_dropped_total{reason=\"dead_letters_full\"}", ONCE)],
    ),
    ("OmphalosBytesLost", "shipper", &[("bytes_lost_total{reason=\"deleted\"}", ONCE)]),
    (
        "OmphalosParseFailures",
        "shipper",
        &[
            ("parse_failures_total{dataset=\"a\"}", [0, 3, 0]),
            ("lines_read_total{dataset=\"a\"}", [0, 100, 0]),
            ("documents_confirmed_total{dataset=\"a\"}", [0, 100, 0]),
        ],
    ),
    ("OmphalosArchiveDamaged", "shipper", &[("archives_damaged_total", ONCE)]),
    ("OmphalosUdpLost", "indexer", &[("udp_datagrams_given_up_total", ONCE)]),
    ("OmphalosUdpRefused", "indexer", &[("udp_datagrams_refused_total{reason=\"corrupt\"}", ONCE)]),
    (
        "OmphalosUdpNotSent",
        "shipper",
        &[("udp_sender_documents_dropped_total{reason=\"too_large\"}", ONCE)],
    ),
    ("OmphalosRecoverySkipped", "indexer", &[("udp_recovery_skipped{reason=\"record\"}", YES)]),
    ("OmphalosMappingConflict", "indexer", &[("documents_mapping_conflict_total", ONCE)]),
    ("OmphalosStoreDamaged", "", &[("omphalos_store_indices_damaged", YES)]),
    ("OmphalosReloadRefused", "", &[("omphalos_reloads_total{outcome=\"refused\"}", ONCE)]),
    ("OmphalosDatabaseRefused", "shipper", &[("geoip_databases_refused_total", ONCE)]),
    ("OmphalosStorePanics", "", &[("omphalos_store_panics_total", ONCE)]),
    (
        "OmphalosBooksOff",
        "shipper",
        &[
            ("lines_read_total{dataset=\"a\"}", [5, 9, 2]),
            ("documents_confirmed_total{dataset=\"a\"}", [3, 6, 2]),
            ("documents_in_flight{dataset=\"a\"}", [2, 2, 0]),
        ],
    ),
    (
        "OmphalosBooksOff",
        "indexer",
        &[
            ("documents_received_total", [5, 9, 2]),
            ("documents_indexed_total", [4, 7, 2]),
            ("documents_in_flight", [1, 1, 0]),
        ],
    ),
    (
        "OmphalosBooksOff",
        "indexer",
        &[
            ("relay_documents_received_total", [5, 9, 2]),
            ("relay_documents_confirmed_total", [5, 7, 2]),
        ],
    ),
];

/// What the names of a part's metrics begin with. In one process both ends may be with the broker.
fn prefixes(part: &str, name: &str, in_one_process: bool) -> Vec<String> {
    match part {
        "" => vec![String::new()],
        _ if !in_one_process => vec!["omphalos_".to_owned()],
        _ if name.starts_with("amqp_sender_") => {
            vec!["omphalos_shipper_".to_owned(), "omphalos_indexer_".to_owned()]
        }
        part => vec![format!("omphalos_{part}_")],
    }
}

/// A test for promtool: with these series only this alert fires, and not before its circumstance is
/// there. Where nothing is to fire, the series stay as they are in the beginning.
fn test_of((alert, part, series): &Circumstance, in_one_process: bool, fires: bool) -> String {
    let mut text = format!("  - name: {alert} {part}\n    interval: 1m\n    input_series:\n");
    for (name, [before, first, step]) in *series {
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let comma = if labels == "}" { "" } else { ", " };
        let labels = format!("{{job=\"{JOB}\", instance=\"web1\"{comma}{labels}");
        let values = if fires {
            format!("{before}x{} {first}+{step}x{}", BEGIN - 1, END - BEGIN)
        } else {
            format!("{before}x{END}")
        };
        for prefix in prefixes(part, name, in_one_process) {
            writeln!(text, "      - series: '{prefix}{name}{labels}'\n        values: '{values}'")
                .unwrap();
        }
    }
    text.push_str("    promql_expr_test:\n");
    let minutes = (0..END).filter(|minute| *minute < BEGIN || !fires);
    for minute in minutes.step_by(7) {
        expect(&mut text, minute, "ALERTS{alertstate=\"firing\"}", "");
    }
    if fires {
        let query = format!(
            "max(max_over_time(ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}[{}m]))",
            END - BEGIN
        );
        expect(&mut text, END, &query, "{}");
        let others = format!(
            "max_over_time(ALERTS{{alertname!=\"{alert}\", alertstate=\"firing\"}}[{END}m])"
        );
        expect(&mut text, END, &others, "");
    }
    text
}

/// Adds that a query has one result with these labels and the value 1, or none.
fn expect(text: &mut String, minute: u32, query: &str, labels: &str) {
    writeln!(text, "      - expr: '{query}'\n        eval_time: {minute}m").unwrap();
    let samples = if labels.is_empty() {
        "[]".to_owned()
    } else {
        format!("[{{labels: '{labels}', value: 1}}]")
    };
    writeln!(text, "        exp_samples: {samples}").unwrap();
}

#[test]
fn each_alert_fires_when_its_circumstance_is_there_and_no_other_does() {
    let rules = rules();
    let tried: BTreeSet<&str> = CIRCUMSTANCES.iter().map(|(alert, ..)| *alert).collect();
    assert_eq!(tried, alerts(&rules), "each alert has a circumstance");
    let served = served();
    let mut text =
        format!("rule_files: ['{}']\nevaluation_interval: 1m\ntests:\n", path().display());
    for circumstance in CIRCUMSTANCES {
        for in_one_process in [false, true] {
            for fires in [false, true] {
                text.push_str(&test_of(circumstance, in_one_process, fires));
            }
        }
        for (name, _) in circumstance.2 {
            let name = name.split('{').next().expect("a name");
            let names = prefixes(circumstance.1, name, false).into_iter();
            let is_known = name == "up"
                || names.map(|prefix| prefix + name).all(|name| served.contains(&name));
            assert!(is_known, "no program has {name}");
        }
    }
    let directory = TempDir::with_prefix("omphalos-rules-").expect("a directory");
    let file = directory.path().join("test.yml");
    fs::write(&file, text).expect("a test");
    promtool(&["test", "rules", &file.display().to_string()])
        .unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn a_reason_that_a_server_gives_for_the_first_time_alerts_too() {
    let series = "omphalos_documents_dead_total{job=\"omphalos\", instance=\"web1\"";
    let text = format!(
        "rule_files: ['{}']\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n      - series: '{series}, reason=\"empty\"}}'\n        values: '0x60'\n      - series: '{series}, reason=\"brand_new_exception\"}}'\n        values: '_x30 1x30'\n    promql_expr_test:\n      - expr: 'count(ALERTS{{alertname=\"OmphalosDeadLetters\", alertstate=\"firing\"}})'\n        eval_time: 32m\n        exp_samples: [{{labels: '{{}}', value: 1}}]\n",
        path().display()
    );
    let directory = TempDir::with_prefix("omphalos-rules-").expect("a directory");
    let file = directory.path().join("test.yml");
    fs::write(&file, text).expect("a test");
    promtool(&["test", "rules", &file.display().to_string()])
        .unwrap_or_else(|said| panic!("{said}"));
}

/// The rules for a test that has no minutes: what is to last for some need not last.
fn hasty_rules() -> String {
    let rules = rules();
    let lines = rules.lines().map(|line| match line.trim_start().strip_prefix("for: ") {
        Some(_) => "        for: 0s".to_owned(),
        None => line.replace("> 60'", "> 1'"),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

const NO_BROKER: &str = "amqp://guest:guest@127.0.0.1:1/%2f";
const NO_ELASTICSEARCH: &str = "http://127.0.0.1:1";
/// What a server says of a document that it will never take.
const REFUSED: &str =
    r#"{"error":{"type":"illegal_argument_exception","reason":"no"},"status":400}"#;

/// Programs in a directory, each with a log of its own.
struct Fleet {
    directory: TempDir,
    programs: Vec<Program>,
}

impl Fleet {
    /// The log of the program that is added next, or was added as number `number`.
    fn log(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("{number}.log"))
    }

    /// Starts a program that reads a log of so many lines, if any; returns the log.
    fn add(
        &mut self,
        lines: Option<u64>,
        program: &dyn Fn(Program) -> Program,
        name: &'static str,
    ) -> Option<LogFile> {
        let number = self.programs.len();
        let path = |end: &str| self.directory.path().join(format!("{number}.{end}"));
        let log = lines.map(|lines| {
            let mut log = LogFile::create(&self.log(number));
            log.append(lines);
            log
        });
        let new = program(Program::new(name, &path("out")));
        let new = new.option("--state-dir", path("state").display());
        let new = match &log {
            Some(log) => new.arg(log.path().display()).args(["--parser", "combined"]),
            None => new,
        };
        self.programs.push(new.listening().start());
        log
    }
}

/// What fires for each of the programs below.
const FIRING: [&[&str]; 9] = [
    &[],
    &["BrokerAway", "FileBehind", "FileUnreadable", "BytesLost"],
    &["ParseFailures", "DeadLetters", "DeadLettersDropped"],
    &["Held", "UdpRefused"],
    &[],
    &["FileBehind", "UdpDestinationAway"],
    &["BrokerAway"],
    &["BrokerAway"],
    &["Down"],
];

/// Programs whose broker is away: one with both ends in it, and a relay.
fn add_without_broker(fleet: &mut Fleet, elastic: &str) {
    let both_ends = |program: Program| {
        let program = program.arg("run").option("--amqp-url", NO_BROKER);
        program.option("--elasticsearch-url", elastic)
    };
    fleet.add(Some(0), &both_ends, "omphalos");
    let relay = |program: Program| {
        program.arg("relay").option("--udp", free_address()).option("--amqp-url", NO_BROKER)
    };
    fleet.add(None, &relay, "omphalos-indexer");
}

fn expected(ports: &[u16]) -> BTreeSet<(String, u16)> {
    let of_one = |(port, names): (&u16, &&[&str])| -> Vec<(String, u16)> {
        names.iter().map(|name| (format!("Omphalos{name}"), *port)).collect()
    };
    ports.iter().zip(&FIRING).flat_map(of_one).collect()
}

#[test]
fn prometheus_sees_what_is_wrong_with_real_programs() {
    let directory = TempDir::with_prefix("omphalos-alerts-").expect("a directory");
    let mut fleet = Fleet { directory, programs: Vec::new() };
    let circle = fleet.directory.path().join("circle.log");
    symlink(&circle, &circle).expect("a circle");
    let mut behind = LogFile::create(&fleet.directory.path().join("behind.log"));
    behind.append(10);
    let embedded = Embedded::start();
    let refusing = Interposer::before(&embedded.url(), |request| {
        if request.line.contains("_bulk") { Action::Answer(400, REFUSED) } else { Action::Forward }
    });
    let (receiver, nowhere) = (free_address(), free_address());
    let store = format!("127.0.0.1:{}", free_port());

    let well = |program: Program| program.arg("run").option("--store-listen", &store);
    fleet.add(Some(100), &well, "omphalos");
    let limits = ["--batch-in-flight-messages", "1", "--batch-bytes", "16KiB"];
    let waiting = |program: Program| {
        let program = program.args(limits).option("--amqp-url", NO_BROKER);
        let program = program.args(["--max-deleted-bytes", "1KiB", "--rescan-interval", "500ms"]);
        program.arg(circle.display()).arg(behind.path().display())
    };
    let deleted = fleet.add(Some(20_000), &waiting, "omphalos-shipper").expect("a log");
    let refused = |program: Program| {
        let program = program.arg("run").option("--elasticsearch-url", refusing.url());
        program.args(["--dead-letters-max-bytes", "1KiB", "--dataset", "odd"])
    };
    let mut odd = fleet.add(Some(0), &refused, "omphalos").expect("a log");
    let held = |program: Program| {
        program.option("--udp", receiver).option("--elasticsearch-url", NO_ELASTICSEARCH)
    };
    fleet.add(None, &held, "omphalos-indexer");
    fleet.add(Some(10), &|program: Program| program.option("--udp", receiver), "omphalos-shipper");
    let lonely = |program: Program| program.option("--udp", nowhere);
    fleet.add(Some(10), &lonely, "omphalos-shipper");
    add_without_broker(&mut fleet, &embedded.url());
    fleet.add(Some(0), &lonely, "omphalos-shipper");

    let ports: Vec<u16> = fleet.programs.iter().map(Program::port).collect();
    let directory = fleet.directory.path().join("prometheus");
    let prometheus = Prometheus::start(&directory, &hasty_rules(), &ports);
    eventually("everything was scraped some times", || {
        let scrapes = prometheus.value("min(count_over_time((up == 1)[1m:500ms]))");
        holds(scrapes.is_some_and(|scrapes| scrapes > 4.0), format!("{scrapes:?}"))
    });
    fs::remove_file(deleted.path()).expect("the log can be deleted");
    odd.append_text(&"what is this?\n".repeat(100));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(b"what is this?", receiver).expect("it can be sent");
    fleet.programs.last_mut().expect("the last one").kill();

    let expected = expected(&ports);
    eventually("the alerts fire", || {
        let mut firing = prometheus.firing();
        // Whether the spool was empty at the first scrape is a matter of chance.
        firing.retain(|(name, _)| name != "OmphalosSpoolGrows");
        holds(firing == expected, format!("{firing:?}, expected {expected:?}"))
    });
    dashboard::has_something_to_show(&prometheus);
}
