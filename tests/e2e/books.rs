//! The books add up in every scrape: under load, through kills, cuts and an absent Elasticsearch, on
//! every road.

use std::fs;
use std::path::Path;

use omphalos_tests::udp::free_address;
use omphalos_tests::{Link, Load, LogFile, Program, Scraper, Stack, TcpProxy, eventually, holds};

use crate::run::Alone;

/// Lines that are begun, joined, wrapped, empty, and not understood.
fn odd_lines(number: u64) -> [(&'static str, String); 3] {
    let time = format!("2026-11-22T10:{:02}:{:02}Z", number / 60 % 60, number % 60);
    [
        ("trace.log", format!("event {number}\n  and more of it\n  and more\n\n")),
        (
            "cri.log",
            format!("{time} stdout P begun {number},\n{time} stderr F x\n{time} stdout F done\n"),
        ),
        (
            "site.log",
            format!("#Fields: date time c-ip\n2026-11-22 10:00:00 10.0.0.1\nnumber {number}\n"),
        ),
    ]
}

/// An access log that is written on and on, with empty lines, and odd logs beside it.
fn load(directory: &Path, lines: u64) -> Load {
    let mut others = odd_lines(0).map(|(name, _)| (name, LogFile::create(&directory.join(name))));
    Load::start(LogFile::create(&directory.join("access.log")), lines, move |log, times| {
        if times % 7 == 0 {
            log.append_text("\n");
        }
        for ((_, other), (_, text)) in others.iter_mut().zip(odd_lines(times)) {
            other.append_text(&text);
        }
    })
}

/// The tables of [`load`]'s logs.
fn monitors(directory: &Path) -> String {
    let table = |name: &str, rest: &str| {
        let path = directory.join(name).display().to_string();
        format!("[[monitor]]\npaths = [\"{path}\"]\n{rest}\n")
    };
    [
        table("access.log", "parser = \"combined\""),
        table("trace.log", "parser = \"raw\"\ndataset = \"trace\"\nmultiline = \"indent\"\nmultiline_timeout = \"50ms\""),
        table("cri.log", "parser = \"raw\"\ndataset = \"pods\"\ncontainer = \"cri\""),
        table("site.log", "parser = \"w3c\"\ndataset = \"site\""),
    ]
    .concat()
}

fn with_config(program: Program, directory: &Path, text: &str) -> Program {
    let path = directory.join("omphalos.toml");
    fs::write(&path, text).expect("a configuration");
    program.option("--config", path.display())
}

#[test]
fn every_scrape_of_one_process_adds_up_under_load_and_kills() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let process = with_config(alone.with_state("run"), directory, &monitors(directory));
    let process = process.args(["--checkpoint-interval", "20ms", "--batch-flush-interval", "20ms"]);
    let mut process = process.listening();
    let log = directory.join("null.log");
    let state = directory.join("null-state");
    let mut thrown =
        with_config(Program::new("omphalos-shipper", &log), directory, &monitors(directory))
            .args(["--transport", "null"])
            .option("--state-dir", state.display())
            .listening();
    let load = load(directory, 50);
    process.restart();
    thrown.restart();
    let scraper = Scraper::start(&[process.port(), thrown.port()], 2);
    for round in 1..=4 {
        load.wait_for_more(2_000);
        scraper.wait_for(round * 1_000);
        process.kill();
        thrown.kill();
        process.restart();
        thrown.restart();
    }
    load.wait_for_more(2_000);
    scraper.wait_for(5_000);
    drop(load.stop());
    assert_eq!(process.terminate(), Some(0), "{}", process.log());
    let seen = scraper.finish();
    assert!(seen.moving > 1_000, "{} scrapes while something moved", seen.moving);
    for column in
        ["lines_joined_total", "lines_skipped_total", "lines_held", "parse_failures_total"]
    {
        assert!(seen.largest[&format!("omphalos_shipper_{column}")] > 0, "{column}");
    }
}

/// The port of a URL.
fn port(url: &str) -> u16 {
    let rest = url.rsplit(':').next().expect("a port");
    rest.split('/').next().expect("a port").parse().expect("a port")
}

/// A shipper of batches, one of documents, one over UDP, its relay, and the indexer of them all, which
/// know the broker and Elasticsearch by these proxies.
fn chain(stack: &Stack, broker: &TcpProxy, search: &TcpProxy) -> [Program; 5] {
    let url = format!("amqp://guest:guest@127.0.0.1:{}/{}", broker.port(), stack.vhost());
    let udp = free_address();
    let shipper = |name: &str| {
        let own = Program::new("omphalos-shipper", &stack.path(&format!("{name}.log")));
        let own = own.option("--state-dir", stack.path(name).display()).option("--host-name", name);
        own.args(["--checkpoint-interval", "20ms", "--batch-flush-interval", "20ms"])
    };
    let batches = with_config(shipper("batches"), stack.directory(), &monitors(stack.directory()));
    let documents = shipper("documents").arg(stack.path("events.json").display()).args([
        "--parser",
        "json",
        "--batch-encoding",
        "json",
    ]);
    let over_udp = shipper("udp")
        .arg(stack.path("access.log").display())
        .args(["--parser", "combined"])
        .option("--udp", udp);
    let relay = Program::new("omphalos-indexer", &stack.path("relay.log"))
        .arg("relay")
        .option("--udp", udp)
        .option("--state-dir", stack.receiver_dir().display());
    let indexer = Program::new("omphalos-indexer", &stack.path("indexer.log"))
        .option("--elasticsearch-url", format!("http://127.0.0.1:{}", search.port()))
        .option("--index-prefix", stack.prefix())
        .option("--index-replicas", 0)
        // Elasticsearch is waited for during a third of it.
        .args(["--consume-consumer-timeout", "12s"]);
    let with_broker = |program: Program| program.option("--amqp-url", &url).listening();
    [
        with_broker(batches),
        with_broker(documents),
        over_udp.listening(),
        with_broker(relay),
        with_broker(indexer),
    ]
}

#[test]
fn every_scrape_adds_up_through_the_broker_and_over_udp_whatever_is_cut_or_killed() {
    let stack = Stack::shared();
    let broker = TcpProxy::before(port(&stack.amqp_url()));
    let search = TcpProxy::before(port(&stack.search_url()));
    let mut programs = chain(&stack, &broker, &search);
    let load = load(stack.directory(), 10);
    // Every other one cannot be what the first one was: those are indexed in their second form.
    let events = LogFile::create(&stack.path("events.json"));
    let events = Load::start(events, 0, |log, times| {
        log.append_event(if times % 2 == 0 { "{\"a\":1}" } else { "\"text\"" });
    });
    programs.iter_mut().for_each(Program::restart);
    let scraper = Scraper::start(&programs.each_ref().map(Program::port), 1);
    let mut scrapes = 0;
    for program in &mut programs {
        load.wait_for_more(500);
        broker.set(Link::Cut);
        program.kill();
        program.restart();
        scrapes += 800;
        scraper.wait_for(scrapes);
    }
    let [.., indexer] = &programs;
    let wait_for = |column: &str| {
        eventually(&format!("documents are {column}"), || {
            let count = indexer.metric(&format!("omphalos_documents_{column}_total"));
            holds(count > 0.0, count)
        });
    };
    wait_for("indexed");
    search.set(Link::Refuse);
    wait_for("returned");
    search.set(Link::Open);
    wait_for("mapping_conflict");
    load.wait_for_more(500);
    scraper.wait_for(5_000);
    drop((load.stop(), events.stop()));
    let seen = scraper.finish();
    assert!(seen.moving > 1_000, "{} scrapes while something moved", seen.moving);
    assert!(seen.largest["omphalos_relay_documents_confirmed_total"] > 0);
}
