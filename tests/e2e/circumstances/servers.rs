//! Brokers and search servers that are not there, are others, or cannot be trusted.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use lapin::types::AMQPValue;
use omphalos_tests::{LogFile, Program, Stack};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::directory;

#[test]
fn a_broker_that_cannot_be_used_is_explained_and_check_exits_with_1() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let base = stack.amqp_url();
    let wrong_password = base.replace("guest:guest", "guest:wrong");
    let wrong_vhost = format!("{}/nothing", base.rsplit_once('/').expect("a URL").0);
    let check = |url: &str| {
        let log_path = stack.path("check.log");
        fs::remove_file(&log_path).ok();
        Program::new("omphalos-shipper", &log_path)
            .args(["check", "--parser", "combined"])
            .arg(log.path().display())
            .option("--state-dir", stack.path("state").display())
            .option("--amqp", url)
            .run()
    };
    for (url, expected) in [
        ("amqp://guest:guest@no-such-host.invalid/", "unknown host \"no-such-host.invalid\""),
        (
            "amqp://guest:guest@127.0.0.1:1/",
            "connection refused; is RabbitMQ running on 127.0.0.1 and listening on port 1?",
        ),
        (wrong_password.as_str(), "the broker refuses user \"guest\": wrong password"),
        (wrong_vhost.as_str(), "the broker refuses the virtual host \"nothing\""),
    ] {
        let checked = check(url);
        assert_eq!(checked.code, Some(1), "{}", checked.output);
        assert!(checked.output.contains(expected), "{url}\n{}", checked.output);
        assert!(!checked.output.contains("wrong@") && !checked.output.contains("guest:guest"));
    }
    let good = check(&base);
    assert_eq!(good.code, Some(0), "{}", good.output);
    assert!(good.output.contains("connected; exchange \"omphalos.logs\""), "{}", good.output);
    assert!(good.output.contains("1 files found"), "{}", good.output);
    // A daemon keeps trying, and goes on when it can.
    let daemon = Program::new("omphalos-shipper", &stack.path("daemon.log"))
        .arg(log.path().display())
        .option("--state-dir", stack.path("daemon-state").display())
        .option("--amqp", &wrong_password)
        .start();
    daemon.wait_for_log("the broker refuses user \"guest\"");
    daemon.wait_for_log("trying again, for ever");
}

#[test]
fn a_queue_declared_differently_is_explained() {
    let stack = Stack::shared();
    stack.amqp().declare_queue(
        "omphalos.index",
        &[("x-queue-type", AMQPValue::LongString("classic".into()))],
    );
    let log = LogFile::create(&stack.path("access.log"));
    let checked = Program::new("omphalos-shipper", &stack.path("check.log"))
        .arg("check")
        .arg(log.path().display())
        .option("--state-dir", stack.path("state").display())
        .option("--amqp", stack.amqp_url())
        .run();
    assert_eq!(checked.code, Some(1), "{}", checked.output);
    assert!(
        checked.output.contains("queue \"omphalos.index\": it was declared differently"),
        "{}",
        checked.output
    );
    assert!(checked.output.contains("inequivalent arg"), "{}", checked.output);
    // Who may not or will not declare takes it as it is; but then it must be there.
    let passive = Stack::shared();
    let checked = passive.indexer().args(["check", "--amqp-topology", "passive"]).run();
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.output.contains(
            "exchange \"omphalos.dead\": it is not there; create it, or set amqp.topology"
        ),
        "{}",
        checked.output
    );
}

/// The kind of fault: what is wrong with a server is answered as a wrong setting is. Only `audit` and
/// `search` have another meaning for 1.
#[test]
fn a_server_that_is_not_there_is_no_mistake_of_who_asks() {
    let directory = directory();
    let file = directory.path().join("a.log");
    fs::write(&file, "x\n").expect("a file");
    let file = file.display().to_string();
    let (broker, elastic) = ("amqp://guest:guest@127.0.0.1:1/", "http://127.0.0.1:1");
    for (name, words, code) in [
        ("omphalos-shipper", vec!["check", &file, "--amqp-url", broker], 1),
        ("omphalos-indexer", vec!["check", "--amqp-url", broker], 1),
        ("omphalos-shipper", vec!["health", "--listen", "127.0.0.1:1"], 1),
        ("omphalos-indexer", vec!["health", "--listen", "127.0.0.1:1"], 1),
        ("omphalos", vec!["run", "health", "--listen", "127.0.0.1:1"], 1),
        ("omphalos", vec!["dead", "list", "--amqp-url", broker], 1),
        ("omphalos", vec!["search", "x", "--url", elastic], 2),
        ("omphalos", vec!["audit", &file, "--host-id", "h", "--amqp-url", broker], 2),
    ] {
        let log = directory.path().join("said.log");
        fs::remove_file(&log).ok();
        let mut program = Program::new(name, &log).args(&words);
        if words.contains(&"check") {
            // Or that of this machine is made.
            let state = directory.path().join("state");
            program = program.option("--state-dir", state.display());
        }
        let ended = program.run();
        assert_eq!(ended.code, Some(code), "{name} {words:?}\n{}", ended.output);
        let says = ended.output.contains("refused") || ended.output.contains("cannot ask");
        assert!(says, "{name} {words:?}\n{}", ended.output);
    }
}

/// A server that answers each connection with `answer`, and closes it.
fn server_of(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // What is asked is looked at, or else the answer is lost with it.
            let mut asked = [0; 4096];
            if stream.read(&mut asked).is_ok() {
                stream.write_all(answer).ok();
            }
        }
    });
    port
}

/// The kind of fault: a client with TLS, a server without one, and an error that only programmers read.
#[test]
fn who_speaks_tls_to_a_port_without_it_is_told_so() {
    let directory = directory();
    let file = directory.path().join("a.log");
    fs::write(&file, "x\n").expect("a file");
    let ca = directory.path().join("ca.pem");
    fs::write(&ca, authority().pem()).expect("a PEM file");
    let file = file.display().to_string();
    for (answer, expected) in [
        (&b"AMQP\0\0\x09\x01"[..], "speaks no TLS on port"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks no TLS on port"),
        (b"220 mail ready\r\n", "speaks no TLS on port"),
        (b"", "does it expect no TLS (amqp://)"),
    ] {
        let url = format!("amqps://guest:guest@127.0.0.1:{}/", server_of(answer));
        let log = directory.path().join("said.log");
        fs::remove_file(&log).ok();
        let checked = Program::new("omphalos-shipper", &log)
            .args(["check", &file, "--amqp-url", &url])
            .option("--amqp-ca-file", ca.display())
            .option("--state-dir", directory.path().join("state").display())
            .run();
        assert_eq!(checked.code, Some(1), "{}", checked.output);
        assert!(checked.output.contains(expected), "{answer:?}\n{}", checked.output);
        let advice = if answer.is_empty() { expected } else { "write amqp:// in amqp.url" };
        assert!(checked.output.contains(advice), "{answer:?}\n{}", checked.output);
    }
}

/// The kind of fault: a page for browsers, which proxies answer with, is said whole.
#[test]
fn of_a_page_that_a_server_answers_with_its_title_is_said_at_most() {
    let directory = directory();
    let page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 85\r\nConnection: close\r\n\r\n<html>\n<head><title>Bad  gateway</title></head>\n<body><center>nginx</center></body> .";
    let url = format!("http://127.0.0.1:{}", server_of(page));
    let address = url.trim_start_matches("http://");
    for (name, words) in [
        ("omphalos", vec!["search", "x", "--url", &url]),
        ("omphalos-indexer", vec!["check", "--elasticsearch-url", &url]),
        ("omphalos-shipper", vec!["health", "--listen", address]),
    ] {
        let log = directory.path().join("said.log");
        fs::remove_file(&log).ok();
        let ended = Program::new(name, &log).args(&words).run();
        assert_ne!(ended.code, Some(0), "{name} {words:?}\n{}", ended.output);
        let said = "a page for browsers, \"Bad gateway\"";
        assert!(ended.output.contains(said), "{name} {words:?}\n{}", ended.output);
        assert!(!ended.output.contains('<'), "{name} {words:?}\n{}", ended.output);
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}
