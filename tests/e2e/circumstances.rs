//! Bad input and bad circumstances: each a clear message that names the thing.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use lapin::types::AMQPValue;
use omphalos_tests::program::is_root;
use omphalos_tests::{LogFile, Program, Stack, eventually, holds};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A shipper that sends nowhere, with its state in `directory`.
fn nowhere(directory: &Path) -> Program {
    Program::new("omphalos-shipper", &directory.join("shipper.log"))
        .args(["--transport", "null"])
        .option("--state-dir", directory.join("state").display())
}

/// A directory that everybody may write to.
pub fn directory() -> tempfile::TempDir {
    let directory = tempfile::TempDir::with_prefix("omphalos-test-").expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    directory
}

#[test]
fn a_missing_file_is_waited_for_and_said_once() {
    let directory = directory();
    let path = directory.path().join("later.log");
    let shipper =
        nowhere(directory.path()).arg(path.display()).option("--rescan-interval", "200ms").start();
    shipper.wait_for_log("the file is not there; waiting for it");
    fs::write(&path, "now\n").expect("a log");
    shipper.wait_for_log("reading");
    assert_eq!(shipper.count_in_log("waiting for it"), 1, "{}", shipper.log());
    // In a single pass nobody waits, and that is a failure.
    let once = nowhere(&directory.path().join("once")).arg("/nowhere/x.log").arg("--once");
    fs::create_dir(directory.path().join("once")).expect("a directory");
    let once = once.run();
    assert_eq!(once.code, Some(1), "{}", once.output);
    assert!(once.output.contains("/nowhere/x.log: the file is not there"), "{}", once.output);
}

#[test]
fn a_pattern_that_matches_nothing_is_waited_for() {
    let directory = directory();
    let shipper = nowhere(directory.path()).arg(directory.path().join("*.txt").display()).start();
    shipper.wait_for_log("no file matches; waiting for one");
    fs::write(directory.path().join("a.txt"), "now\n").expect("a log");
    shipper.wait_for_log("reading");
}

#[test]
fn what_may_not_be_read_is_named_and_tried_again() {
    let directory = directory();
    let secret = directory.path().join("secret.log");
    fs::write(&secret, "x\n").expect("a log");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("permissions");
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("permissions");
    let shipper = nowhere(directory.path())
        .arg(secret.display())
        .arg(closed.display())
        .option("--rescan-interval", "200ms")
        .as_nobody()
        .start();
    shipper.wait_for_log("cannot read the file; trying again");
    shipper.wait_for_log("cannot look there");
    let log = shipper.log();
    assert!(
        log.contains(&format!("path={}", secret.display())) && log.contains("Permission denied"),
        "{log}"
    );
    assert!(log.contains(&format!("path={}", closed.display())), "{log}");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).expect("permissions");
    shipper.wait_for_log("reading");
    assert_eq!(shipper.count_in_log("cannot look there"), 1, "said once");
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    let directory = directory();
    let config = directory.path().join("shipper.toml");
    let refused = |text: &str, arguments: &[&str]| {
        fs::write(&config, text).expect("a configuration");
        let log = directory.path().join("refused.log");
        fs::remove_file(&log).ok();
        let shipper = Program::new("omphalos-shipper", &log)
            .option("--config", config.display())
            .args(arguments.iter().copied())
            .run();
        assert_eq!(shipper.code, Some(2), "{}", shipper.output);
        shipper.output
    };
    let monitor = "[[monitor]]\npaths = [\"/a\"]\n";
    for (text, arguments, expected) in [
        ("[amqp]\nurll = [\"x\"]\n", &[][..], "unknown setting `urll`"),
        ("[amqp]\nurll = [\"x\"]\n", &[], "did you mean `url`?"),
        ("stop_grace = 5\n", &[], "`stop_grace`: expected a time such as \"250ms\""),
        ("state_dir = \n", &[], "shipper.toml: line 1, column 13: "),
        ("", &[], "nothing to read: name files"),
        (
            monitor,
            &["/b"],
            "FILE is given on the command line, and monitor.paths in the configuration file",
        ),
        (
            "[[monitor]]\npaths = [\"/a\"]\nparser = \"xml\"\n",
            &[],
            "`monitor.parser`: expected one of auto, clf",
        ),
        (monitor, &["--amqp", "http://user:secret@x"], "amqp.url: expected amqp://"),
        (monitor, &["--amqp-url-file", "/nowhere/url"], "amqp.url_file: cannot read /nowhere/url"),
        (
            monitor,
            &["--amqp", "amqp://a", "--amqp-url-file", "/nowhere/url"],
            "both amqp.url and amqp.url_file are set",
        ),
        (monitor, &["--batch-bytes", "many"], "--batch-bytes: expected a size such as \"64KiB\""),
        (monitor, &["--log-level", "noisy=="], "log_level: expected trace, debug"),
        (monitor, &["--no-such-flag"], "unexpected argument '--no-such-flag'"),
    ] {
        let output = refused(text, arguments);
        assert!(output.contains(expected), "{arguments:?} {text}\n{output}");
        assert!(!output.contains("secret"), "{output}");
    }
    let missing = Program::new("omphalos-shipper", &directory.path().join("missing.log"))
        .args(["--config", "/nowhere/shipper.toml"])
        .run();
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.output.contains("cannot read the configuration file /nowhere/shipper.toml"),
        "{}",
        missing.output
    );
}

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

#[test]
fn a_certificate_that_is_not_trusted_is_explained_and_a_given_authority_is_trusted() {
    let directory = directory();
    let authority = authority();
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])
        .expect("parameters")
        .signed_by(&key, &authority)
        .expect("a certificate");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a PEM file");
        path.display().to_string()
    };
    let ca = file("ca.pem", &authority.pem());
    let port = omphalos_tests::free_port();
    let settings = [
        format!("listeners.ssl.default=127.0.0.1:{port}"),
        format!("ssl_options.cacertfile={ca}"),
        format!("ssl_options.certfile={}", file("server.pem", &certificate.pem())),
        format!("ssl_options.keyfile={}", file("server.key", &key.serialize_pem())),
        "ssl_options.verify=verify_none".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let stack = Stack::with_broker(&settings);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(1_000);
    let url = format!("amqps://guest:guest@localhost:{port}/%2f");
    let shipper = |state: &str| {
        Program::new("omphalos-shipper", &stack.path(&format!("{state}.log")))
            .arg(log.path().display())
            .args(["--parser", "combined"])
            .option("--state-dir", stack.path(state).display())
            .option("--amqp-url", &url)
    };
    let distrustful = shipper("distrustful").start();
    distrustful.wait_for_log("the broker's certificate is not trusted");
    distrustful.wait_for_log("give its authority with amqp.ca_file");
    let shipped = shipper("trusting").option("--amqp-ca-file", &ca).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    log.assert_indexed_once(&stack.elastic());
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

#[test]
fn without_a_place_to_remember_nothing_is_shipped() {
    let directory = directory();
    let path = directory.path().join("a.log");
    fs::write(&path, "one\n").expect("a log");
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("a directory");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o555)).expect("permissions");
    let shipper = nowhere(directory.path()).arg(path.display()).as_nobody().listening().start();
    shipper.wait_for_log("nothing is shipped that could not be remembered");
    assert_eq!(shipper.http("/readyz"), None);
    assert!(shipper.metric("omphalos_lines_read_total") < 0.5);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).expect("permissions");
    eventually("it is shipped when it can be remembered", || {
        let read = shipper.metric("omphalos_lines_read_total");
        holds(read > 0.5, shipper.log())
    });
}

#[test]
fn a_full_state_directory_stops_the_reading_until_there_is_room() {
    if !is_root() {
        println!("skipped: only root can mount a small file system");
        return;
    }
    let directory = directory();
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("a directory");
    let mount = |arguments: &[&str]| {
        assert!(Command::new("mount").args(arguments).status().expect("mount").success());
    };
    let target = state.display().to_string();
    mount(&["-t", "tmpfs", "-o", "size=64k", "none", &target]);
    let path = directory.path().join("a.log");
    fs::write(&path, "one\n").expect("a log");
    // Full when it is started, and then once more.
    fs::write(state.join("filler"), vec![0; 64 * 1024]).ok();
    let mut shipper = nowhere(directory.path()).arg(path.display()).listening().start();
    shipper.wait_for_log("trying again, for ever");
    assert_eq!(shipper.http("/readyz"), None);
    fs::remove_file(state.join("filler")).expect("room");
    eventually("the first line is read", || {
        holds(shipper.metric("omphalos_lines_read_total") > 0.5, shipper.log())
    });
    fs::write(state.join("filler"), vec![0; 64 * 1024]).ok();
    let mut file = fs::File::options().append(true).open(&path).expect("a log");
    file.write_all(b"two\n").expect("a log");
    shipper.wait_for_log("reading stops until it can be saved");
    file.write_all(b"three\n").expect("a log");
    assert_eq!(shipper.http("/readyz"), None);
    fs::remove_file(state.join("filler")).expect("room");
    shipper.wait_for_log("the checkpoint can be saved again");
    eventually("the rest is read", || {
        let read = shipper.metric("omphalos_lines_read_total");
        holds(read > 2.5, read)
    });
    let errors = shipper.log().lines().filter(|line| line.contains("ERROR")).count();
    assert!(errors <= 3, "each is said at most every half minute: {}", shipper.log());
    assert_eq!(shipper.terminate(), Some(0));
    assert!(Command::new("umount").arg(&target).status().expect("umount").success());
}

#[test]
fn a_second_shipper_on_the_same_state_is_refused() {
    let directory = directory();
    let path = directory.path().join("a.log");
    fs::write(&path, "one\n").expect("a log");
    let first = nowhere(directory.path()).arg(path.display()).start();
    first.wait_for_log("reading");
    let second = Program::new("omphalos-shipper", &directory.path().join("second.log"))
        .arg(path.display())
        .args(["--transport", "null"])
        .option("--state-dir", directory.path().join("state").display())
        .run();
    assert_eq!(second.code, Some(2), "{}", second.output);
    assert!(second.output.contains("is in use by another process (pid "), "{}", second.output);
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_nothing_is_lost_or_repeated() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(2_000);
    assert_eq!(stack.shipper(log.path()).arg("--once").run().code, Some(0));
    for name in ["checkpoint", "checkpoint.previous"] {
        fs::write(stack.path("state").join(name), "damaged").expect("a checkpoint");
    }
    log.append(1_000);
    let shipped = stack.shipper(log.path()).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    assert!(shipped.output.contains("the checkpoint is damaged"), "{}", shipped.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    log.assert_indexed_once(&stack.elastic());
}

#[test]
fn an_address_that_is_taken_is_refused_by_name() {
    let directory = directory();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address").to_string();
    let refused =
        nowhere(directory.path()).arg("/nowhere/x.log").option("--listen", &address).run();
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    assert!(
        refused.output.contains(&format!("listen: cannot listen on {address}")),
        "{}",
        refused.output
    );
}

/// An ordinary user may not write to `/var/lib`, and is told where things are instead.
#[test]
fn an_ordinary_user_has_a_state_directory_that_may_be_written() {
    if !is_root() {
        return;
    }
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let file = directory.path().join("a.log");
    fs::write(&file, "one\n").expect("a file");
    let states = directory.path().join("states");
    let shipper = Program::new("omphalos-shipper", &directory.path().join("shipper.log"))
        .as_nobody()
        .args(["--once", "--transport", "null"])
        .arg(file.display())
        .variable("XDG_STATE_HOME", states.display())
        .run();
    assert_eq!(shipper.code, Some(0), "{}", shipper.output);
    let state = states.join("omphalos-shipper");
    assert!(
        shipper.output.contains(&format!("checkpoint in {}", state.display())),
        "{}",
        shipper.output
    );
    assert!(state.join("checkpoint").exists(), "{}", shipper.output);
}

#[test]
fn a_parser_that_does_not_fit_is_told_of_with_the_one_that_does() {
    let directory = directory();
    let file = directory.path().join("app.log");
    let run = |name: &str, text: &str, arguments: &[&str]| {
        fs::write(&file, text).expect("a file");
        let ended = Program::new("omphalos-shipper", &directory.path().join(name))
            .args(arguments.iter().copied())
            .arg(file.display())
            .option("--state-dir", directory.path().join(format!("{name}-state")).display())
            .run();
        ended.output
    };
    let json = "{\"message\":\"x\"}\n".repeat(12);
    let once = ["--once", "--transport", "null", "--parser", "combined"];
    let said = run("once", &json, &once);
    let expected = "12 of the first 12 lines cannot be read with the parser that is set; they look like parser = \"json\"";
    assert_eq!(said.matches(expected).count(), 1, "{said}");
    let said = run("odd", &"nothing that we know\n".repeat(12), &once);
    assert!(said.contains("they are of no format that is known here"), "{said}");
    let fitting = ["--once", "--transport", "null", "--parser", "json"];
    let said = run("fitting", &json, &fitting);
    assert!(!said.contains("cannot be read with"), "{said}");
    // Behind what was read before, they are not the first.
    let said = run("fitting", &(json.clone() + &"no object\n".repeat(12)), &fitting);
    assert!(said.contains("12 of the next 12 lines cannot be read with"), "{said}");
    let check = ["check", "--transport", "null", "--parser", "clf"];
    let said = run("check", &json, &check);
    assert!(said.contains("note") && said.contains("they look like parser = \"json\""), "{said}");
}

/// The kind of fault: one failure is said twice, in the log and behind it.
#[test]
fn what_ends_a_program_is_said_once_whatever_is_logged() {
    for (level, format) in
        [("info", "human"), ("info", "json"), ("off", "human"), ("error", "human")]
    {
        let directory = directory();
        let missing = directory.path().join("missing.log");
        let once = nowhere(directory.path())
            .arg(missing.display())
            .args(["--once", "--log-level", level, "--log-format", format])
            .run();
        assert_eq!(once.code, Some(1), "{}", once.output);
        let said = once.output.matches("missing.log: the file is not there").count();
        assert_eq!(said, 1, "{level} {format}:\n{}", once.output);
    }
}
