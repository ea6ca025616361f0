//! Bad input and bad circumstances: each a clear message that names the thing.

mod servers;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use omphalos_tests::program::is_root;
use omphalos_tests::{LogFile, Program, Stack, eventually, holds};

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
