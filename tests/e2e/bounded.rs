//! What must not grow while something is away: memory, logs, descriptors, and the crowd that comes
//! back.

use std::fs;
use std::time::{Duration, Instant};

use omphalos_tests::chaos::{INDEXER_MEMORY, SHIPPER_MEMORY};
use omphalos_tests::{Link, LogFile, Program, Stack, TcpProxy, eventually, holds, rest};

/// How many descriptors a process has.
fn descriptors(program: &Program) -> usize {
    fs::read_dir(format!("/proc/{}/fd", program.id())).expect("its descriptors").count()
}

/// How many threads a process has.
fn threads(program: &Program) -> usize {
    fs::read_dir(format!("/proc/{}/task", program.id())).expect("its threads").count()
}

/// The port of a URL.
fn port(url: &str) -> u16 {
    let rest = url.rsplit(':').next().expect("a port");
    rest.split('/').next().expect("a port").parse().expect("a port")
}

#[test]
fn memory_is_bounded_while_what_is_downstream_is_away_under_full_load() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let search = TcpProxy::before(port(&stack.search_url()));
    let url = format!("http://127.0.0.1:{}", search.port());
    let limit = ["--amqp-queue-max-bytes", "4MiB"];
    let indexer = stack.indexer_to(&url).args(limit).listening().start();
    let shipper = stack.shipper(log.path()).args(limit).listening().start();
    log.append(5_000);
    stack.elastic().wait_for_count(5_000);
    let before =
        (descriptors(&shipper), threads(&shipper), descriptors(&indexer), threads(&indexer));
    search.set(Link::Refuse);
    // Several times what the queue, the windows and the buffers of everyone hold together.
    log.append(200_000);
    shipper.wait_for_log("is queue \"omphalos.index\" full");
    search.set(Link::Open);
    log.assert_indexed_once(&stack.elastic());
    let peaks = (shipper.peak_memory(), indexer.peak_memory());
    println!("shipper {} MiB, indexer {} MiB", peaks.0 >> 20, peaks.1 >> 20);
    assert!(peaks.0 < SHIPPER_MEMORY, "the shipper had {} bytes", peaks.0);
    assert!(peaks.1 < INDEXER_MEMORY, "the indexer had {} bytes", peaks.1);
    eventually("descriptors and threads are as many as before", || {
        let now =
            (descriptors(&shipper), threads(&shipper), descriptors(&indexer), threads(&indexer));
        let is_back = now.0 <= before.0 + 1 && now.1 <= before.1 && now.2 <= before.2 + 4;
        holds(is_back && now.3 <= before.3, format!("{before:?}, then {now:?}"))
    });
}

#[test]
fn connections_that_break_again_and_again_fill_no_log() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let proxies =
        [TcpProxy::before(port(&stack.amqp_url())), TcpProxy::before(port(&stack.search_url()))];
    let vhost = stack.vhost();
    let broker = format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", proxies[0].port());
    let search = format!("http://127.0.0.1:{}", proxies[1].port());
    let indexer = stack.indexer_to(&search).option("--amqp-url", &broker).start();
    let shipper = stack.shipper(log.path()).option("--amqp-url", &broker).start();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(15) {
        log.append(20);
        for proxy in &proxies {
            proxy.set(Link::Cut);
        }
        rest(Duration::from_millis(100));
    }
    log.assert_indexed_once(&stack.elastic());
    for program in [&shipper, &indexer] {
        let lines = program.log().lines().count();
        assert!(lines < 40, "{lines} lines in 15 s of cuts:\n{}", program.log());
    }
    let cuts = proxies[0].counts().cut;
    assert!(cuts < 300, "{cuts} connections to the broker were there to be cut: no storm");
}

#[test]
fn two_hundred_shippers_that_come_back_together_topple_no_broker() {
    const FLEET: usize = 200;
    const LINES: u64 = 20;
    let mut stack = Stack::with_broker(&[]);
    let _indexer = stack.indexer().start();
    let mut logs = Vec::new();
    let mut fleet = Vec::new();
    for number in 0..FLEET {
        let directory = stack.path(&format!("host{number}"));
        fs::create_dir(&directory).expect("a directory");
        let mut log = LogFile::create(&directory.join("access.log"));
        log.append(LINES);
        // There are fewer instances of inotify than shippers, and other tests need some.
        let shipper = Program::new("omphalos-shipper", &directory.join("shipper.log"))
            .arg(log.path().display())
            .args(["--parser", "combined", "--watch", "poll"])
            .option("--host-name", format!("host{number}"))
            .option("--state-dir", directory.join("state").display())
            .option("--amqp-url", stack.amqp_url())
            .start();
        logs.push(log);
        fleet.push(shipper);
    }
    let all = LINES * FLEET as u64;
    stack.elastic().wait_for_count(all);
    stack.broker().wait_for_queue("/", "omphalos.index");
    stack.broker().kill();
    for log in &mut logs {
        log.append(LINES);
    }
    stack.broker().start();
    let begun = Instant::now();
    omphalos_tests::log_file::assert_logs_indexed_once(&stack.elastic(), &logs);
    println!("{FLEET} shippers were through again after {:?}", begun.elapsed());
    let said: usize = fleet.iter().map(|shipper| shipper.log().lines().count()).sum();
    assert!(said < FLEET * 20, "{said} lines of log");
}
