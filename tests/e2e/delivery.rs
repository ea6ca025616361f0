//! The main job: lines of a file become documents in Elasticsearch, each once.

use std::fmt::Write as _;
use std::fs;

use lapin::types::ShortString;
use omphalos_tests::log_file::assert_each_once;
use omphalos_tests::{Load, LogFile, Stack, eventually, holds};
use serde_json::{Value, json};

#[test]
fn a_hundred_thousand_lines_arrive_each_once_with_the_right_fields() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(100_000);
    log.append_text(
        "203.0.113.7 - alice [22/Nov/2026:12:15:00 +0100] \"GET /shop?n=99999999 HTTP/1.1\" 404 512 \"-\" \"curl/8.5\"\n",
    );
    let shipped = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let indexed = stack.indexer().arg("--drain").run();
    assert_eq!(indexed.code, Some(0), "{}", indexed.output);

    let elastic = stack.elastic();
    assert_eq!(elastic.count(), Ok(100_001));
    let found = elastic.search("url.query:\"n=99999999\"");
    let document = found.first().expect("the last line");
    assert_eq!(document["@timestamp"], "2026-11-22T11:15:00Z");
    assert_eq!(document["source"]["ip"], "203.0.113.7");
    assert_eq!(document["user"]["name"], "alice");
    assert_eq!(document["http"]["response"], json!({"status_code": 404, "body": {"bytes": 512}}));
    assert_eq!(document["url"]["path"], "/shop");
    assert_eq!(document["log"]["file"]["path"], log.path().display().to_string());
    assert_eq!(document["host"]["name"], "web1");
    assert_eq!(document["event"]["dataset"], "access");
    assert_eq!(elastic.type_of("source.ip"), "ip");
    assert_eq!(elastic.type_of("@timestamp"), "date");
    assert_eq!(elastic.type_of("http.response.status_code"), "long");
    assert_eq!(elastic.search("source.ip:\"203.0.113.0/24\" AND user.name:alice").len(), 1);
    assert!(elastic.indices().keys().any(|name| name.ends_with("-access-2026.11.22")));

    // Shipping the same file again, without a checkpoint, adds nothing.
    fs::remove_dir_all(stack.path("state")).expect("the state directory");
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    assert_eq!(elastic.count(), Ok(100_001));
}

#[test]
fn lines_appended_while_running_arrive_and_the_books_balance() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let mut indexer = stack.indexer().listening().start();
    let mut shipper = stack.shipper(log.path()).listening().start();
    let load = Load::start(log, 100, |log, times| {
        if times % 10 == 0 {
            log.append_text("\n");
        }
    });
    load.wait_for_more(20_000);
    let log = load.stop();
    log.assert_indexed_once(&stack.elastic());

    eventually("the shipper's books balance", || {
        let read = shipper.metric("omphalos_lines_read_total");
        let confirmed = shipper.metric("omphalos_documents_confirmed_total");
        let skipped = shipper.metric("omphalos_lines_skipped_total");
        let in_flight = shipper.metric("omphalos_documents_in_flight");
        let books =
            format!("{read} read, {confirmed} confirmed, {skipped} skipped, {in_flight} in flight");
        let lag = shipper.metric("omphalos_file_lag_bytes");
        #[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "counts are exact")]
        let balanced =
            read == confirmed + skipped && in_flight == 0.0 && confirmed == log.written() as f64;
        holds(balanced && skipped > 0.0 && lag.abs() < 0.5, books)
    });
    eventually("the indexer's books balance", || {
        let received = indexer.metric("omphalos_documents_received_total");
        let indexed = indexer.metric("omphalos_documents_indexed_total");
        let in_flight = indexer.metric("omphalos_documents_in_flight");
        #[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "counts are exact")]
        let balanced = received == indexed && in_flight == 0.0 && indexed == log.written() as f64;
        holds(balanced, format!("{received} received, {indexed} indexed, {in_flight} in flight"))
    });
    for program in [&shipper, &indexer] {
        assert_eq!(program.http("/healthz").as_deref(), Some("ok\n"));
        assert_eq!(program.http("/readyz").as_deref(), Some("ok\n"));
    }
    assert_eq!(shipper.terminate(), Some(0));
    assert_eq!(indexer.terminate(), Some(0));
    assert!(shipper.log().contains("everything that was read is delivered and remembered"));
}

#[test]
fn two_workers_writing_the_same_lines_in_the_same_second_are_both_kept() {
    let stack = Stack::shared();
    let mut first = LogFile::create(&stack.path("worker-1.log"));
    let mut second = LogFile::create(&stack.path("worker-2.log"));
    first.append(5_000);
    second.append(5_000);
    assert_eq!(
        fs::read(first.path()).expect("a log"),
        fs::read(second.path()).expect("a log"),
        "the same seed writes the same lines"
    );
    let shipped = stack.shipper(&stack.path("worker-*.log")).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    assert_each_once(&stack.elastic(), &[5_000, 5_000]);
}

#[test]
fn a_stopped_shipper_goes_on_where_it_was() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    for _ in 0..3 {
        log.append(2_000);
        let mut shipper = stack.shipper(log.path()).listening().start();
        eventually("this run's lines are confirmed", || {
            let confirmed = shipper.metric("omphalos_documents_confirmed_total");
            holds(confirmed >= 2_000.0, confirmed)
        });
        assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
    }
    log.assert_indexed_once(&stack.elastic());
    let mut shipper = stack.shipper(log.path()).arg("--once").start();
    shipper.wait();
    assert!(
        shipper
            .log()
            .contains(&format!("offset={}", fs::metadata(log.path()).expect("a log").len()))
    );
}

#[test]
fn one_plain_json_document_a_message_is_what_other_consumers_get() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(50);
    let shipped = stack.shipper(log.path()).args(["--once", "--batch-encoding", "json"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let amqp = stack.amqp();
    eventually("the messages are in the queue", || {
        let ready = amqp.ready("omphalos.index")?;
        holds(ready == 50, ready)
    });
    let message = amqp.take("omphalos.index").expect("a message");
    assert_eq!(
        message.properties.content_type().as_ref().map(ShortString::as_str),
        Some("application/json")
    );
    assert_eq!(message.routing_key, "access.web1");
    let document: Value = serde_json::from_slice(&message.body).expect("JSON");
    assert_eq!(document["url"]["query"], "n=00000000");
    // And our own indexer takes them too.
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    stack.elastic().wait_for_count(49);
}

#[test]
fn what_parse_prints_is_what_is_shipped() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(200);
    log.append_text("not a log line at all\n\n::1 - - [22/Nov/2026:12:15:00 +0000] \"-\" 408 -");
    let shipped = stack.shipper(log.path()).args(["--once", "--batch-encoding", "json"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let parsed = omphalos_tests::Program::new("omphalos", &stack.path("parse.log"))
        .args(["parse", "--parser", "combined", "--host-name", "web1"])
        .arg(log.path().display())
        .run();
    assert_eq!(parsed.code, Some(0));
    let amqp = stack.amqp();
    for line in parsed.output.lines().filter(|line| line.starts_with('{')) {
        let message = amqp.take("omphalos.index").expect("a message for each line");
        assert_eq!(String::from_utf8_lossy(&message.body), line);
    }
    assert!(amqp.take("omphalos.index").is_none());
}

#[test]
fn lines_without_a_time_keep_their_ids_when_they_are_sent_again() {
    let stack = Stack::shared();
    let path = stack.path("app.log");
    let write = |count: usize, from: usize| {
        let mut lines = String::new();
        for number in from..from + count {
            writeln!(lines, "event {number}").expect("text");
        }
        let mut file = fs::File::options().create(true).append(true).open(&path).expect("a log");
        std::io::Write::write_all(&mut file, lines.as_bytes()).expect("a log");
    };
    write(1_000, 0);
    let shipper = || {
        omphalos_tests::Program::new("omphalos-shipper", &stack.path("shipper.log"))
            .arg(path.display())
            .option("--state-dir", stack.path("state").display())
            .option("--amqp-url", stack.amqp_url())
            .arg("--once")
    };
    assert_eq!(shipper().run().code, Some(0));
    // The checkpoint of before the lines were confirmed, as a crash would leave it: the source and
    // the times of discovery are in it, the offset is not.
    let checkpoint = stack.path("state/checkpoint");
    let previous = stack.path("state/checkpoint.previous");
    let text = fs::read_to_string(&previous).expect("a previous checkpoint");
    assert!(text.contains("\"offset\":0") && text.contains("\"untimed\""), "{text}");
    fs::copy(&previous, &checkpoint).expect("a checkpoint");
    write(500, 1_000);
    assert_eq!(shipper().run().code, Some(0));
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    stack.elastic().wait_for_count(1_500);
}

#[test]
fn w3c_files_are_read_on_with_the_directives_in_force() {
    let stack = Stack::shared();
    let path = stack.path("u_ex261122.log");
    let append = |text: &str| {
        let mut file = fs::File::options().create(true).append(true).open(&path).expect("a log");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("a log");
    };
    let ship = || {
        let shipped = omphalos_tests::Program::new("omphalos-shipper", &stack.path("shipper.log"))
            .arg(path.display())
            .args(["--parser", "w3c", "--once"])
            .option("--state-dir", stack.path("state").display())
            .option("--amqp-url", stack.amqp_url())
            .run();
        assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    };
    append(
        "#Software: IIS\r\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\r\n2026-11-22 01:02:03 192.0.2.1 GET /one 200\r\n",
    );
    ship();
    append(
        "2026-11-22 01:02:04 192.0.2.1 GET /two 200\r\n#Fields: date time cs-uri-stem\r\n2026-11-22 01:02:05 /three\r\n",
    );
    ship();
    append("2026-11-22 01:02:06 /four\r\n");
    ship();
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    let elastic = stack.elastic();
    elastic.wait_for_count(4);
    for path in ["/one", "/two", "/three", "/four"] {
        assert_eq!(elastic.search(&format!("url.path:\"{path}\"")).len(), 1, "{path}");
    }
    assert!(elastic.search("tags:parse_failure").is_empty());
}

/// What nginx's own `log_format main` has behind the user agent, and a list in place of the client.
#[test]
fn addresses_that_proxies_told_are_found_by_their_network() {
    let stack = Stack::shared();
    let path = stack.path("access.log");
    let line = |client: &str, number: u8, tail: &str| {
        format!(
            "{client} - - [28/Nov/2026:12:00:0{number} +0000] \"GET /{number} HTTP/1.1\" 200 1 \"-\" \"curl\"{tail}\n"
        )
    };
    let lines = [
        line("10.0.0.1", 1, " \"203.0.113.9\""),
        line("10.0.0.1", 2, " \"203.0.113.10, 10.0.0.2\""),
        line("10.0.0.1", 3, " \"-\""),
        line("203.0.113.11, 10.0.0.3", 4, ""),
        line("[2001:db8::7]:443", 5, ""),
    ];
    fs::write(&path, lines.concat()).expect("a log");
    let shipped = omphalos_tests::Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(path.display())
        .args(["--parser", "combined", "--once"])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    let elastic = stack.elastic();
    elastic.wait_for_count(5);
    assert_eq!(elastic.type_of("network.forwarded_ip"), "ip");
    for (query, expected) in [
        ("network.forwarded_ip:\"203.0.113.0/24\"", 2),
        ("source.ip:\"203.0.113.0/24\"", 1),
        ("source.ip:\"2001:db8::/32\" AND source.port:443", 1),
        ("http.request.header.x-forwarded-for:\"203.0.113.10, 10.0.0.2\"", 1),
        ("_exists_:message OR _exists_:tags", 0),
    ] {
        assert_eq!(elastic.search(query).len(), expected, "{query}");
    }
}
