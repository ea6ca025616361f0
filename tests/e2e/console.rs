//! The console of `omphalos top` in a real terminal: typed into, drilled, made tiny, and ended in all the
//! ways in which programs are ended.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use omphalos_tests::terminal::is_running;
use omphalos_tests::{Terminal, eventually, holds};

/// Lines of the last minute: what is older is not in the window.
fn add(path: &Path, count: u32, status: u16, target: &str) {
    let mut log = OpenOptions::new().create(true).append(true).open(path).expect("the log");
    let now = jiff::Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
    for number in 0..count {
        let client = number % 9;
        let line = format!(
            "192.0.2.{client} - - [{now}] \"GET {target} HTTP/1.1\" {status} 512 \"-\" \"curl\""
        );
        writeln!(log, "{line}").expect("a line");
    }
}

/// The first row of the table.
fn first_row(screen: &str) -> &str {
    screen.lines().find(|line| line.starts_with('▌')).unwrap_or_default()
}

#[test]
fn the_console_is_typed_into_drilled_resized_and_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    add(&log, 300, 200, "/shop/cart?x=1");
    add(&log, 100, 503, "/api/orders");
    let path = log.to_str().expect("a name");
    let terminal = Terminal::start("omphalos", &["top", path, "--window", "1h"], (100, 30));
    terminal.wait_for("both sections are shown", |screen| {
        first_row(screen).contains("/shop") && screen.contains("/api") && screen.contains("400")
    });

    terminal.press(&["e"]);
    terminal.wait_for("it is ordered by errors", |screen| first_row(screen).contains("/api"));
    terminal.press(&["h", "7"]);
    terminal.wait_for("statuses are shown", |screen| {
        first_row(screen).contains("200") && screen.contains("503") && screen.contains("STATUS")
    });
    terminal.press(&["1", "Enter"]);
    terminal.wait_for("all about a section", |screen| screen.contains("section  /shop"));
    terminal.press(&["Escape"]);
    terminal.wait_for("the table again", |screen| first_row(screen).contains("/shop"));

    terminal.press(&["/"]);
    terminal.type_text("status:>=500");
    terminal.press(&["Enter"]);
    terminal.wait_for("only errors are counted", |screen| {
        first_row(screen).contains("/api") && !screen.contains("/shop/cart")
    });
    add(&log, 50, 500, "/new/one");
    terminal.wait_for("lines that come are counted", |screen| screen.contains("/new"));

    for size in [(1, 1), (39, 9), (5, 40), (200, 2)] {
        terminal.resize(size);
        terminal.wait_for("nothing but that it is too small", |screen| !screen.contains("/new"));
    }
    terminal.resize((40, 10));
    terminal.wait_for("the least that there is", |screen| screen.contains("/api"));
    terminal.resize((200, 50));
    terminal.wait_for("all of it", |screen| first_row(screen).contains("/api"));

    terminal.press(&["?"]);
    terminal.wait_for("help", |screen| screen.contains("window: 1, 5, 15, 60 min"));
    // Not in one go: to a terminal that is Alt and a letter.
    terminal.press(&["Escape"]);
    terminal.wait_for("the table once more", |screen| {
        first_row(screen).contains("/api") && !screen.contains("window: 1, 5, 15, 60 min")
    });
    terminal.press(&["q"]);
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn the_terminal_is_given_back_whatever_ends_the_console() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    add(&log, 10, 200, "/shop");
    let path = log.to_str().expect("a name");
    let start = || {
        let terminal = Terminal::start("omphalos", &["top", path], (80, 24));
        terminal.wait_for("it is drawn", |screen| first_row(screen).contains("/shop"));
        terminal
    };
    // All that end a process unless they are caught, and can be.
    for signal in [
        "-TERM", "-HUP", "-INT", "-QUIT", "-USR1", "-USR2", "-ALRM", "-ABRT", "-VTALRM", "-PROF",
        "-IO", "-STKFLT", "-PWR", "-XCPU", "-XFSZ", "-34", "-64",
    ] {
        let terminal = start();
        let pid = terminal.pid().to_string();
        let sent = std::process::Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
        let code = terminal.wait_for_end();
        assert!(code == 0 || code > 128, "{signal}: {code}");
    }
    let terminal = start();
    terminal.press(&["C-c"]);
    terminal.wait_for_end();
    let terminal = start();
    let pid = terminal.pid();
    terminal.take_away();
    eventually("it ends with its terminal", || holds(!is_running(pid), pid));
}

#[test]
fn it_stops_and_goes_on_as_the_shell_wants_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    add(&log, 10, 200, "/shop");
    let path = log.to_str().expect("a name");
    let terminal = Terminal::start_as_job("omphalos", &["top", path], (80, 24));
    let drawn = |what: &str| {
        terminal.wait_for(what, |screen| first_row(screen).contains("/shop"));
        assert!(terminal.is_taken(), "{what}");
    };
    let stopped = |times: usize| {
        terminal.wait_for("the shell has the terminal", |screen| {
            screen.matches("Stopped").count() == times
        });
        assert!(terminal.is_free(), "{}", terminal.screen());
    };
    drawn("it is drawn");
    let pid = terminal.pid().to_string();
    let send = |signal: &str| {
        let sent = std::process::Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
    };
    let go_on = || {
        terminal.type_text("fg");
        terminal.press(&["Enter"]);
    };
    // By its key, from outside, and while something is typed.
    terminal.press(&["C-z"]);
    stopped(1);
    go_on();
    drawn("it goes on behind Ctrl-Z");
    terminal.press(&["7"]);
    terminal.wait_for("keys are taken", |screen| screen.contains("STATUS"));
    terminal.press(&["1"]);
    drawn("sections again");
    send("-TSTP");
    stopped(2);
    go_on();
    drawn("it goes on behind SIGTSTP");
    terminal.press(&["/", "C-z"]);
    stopped(3);
    go_on();
    drawn("it goes on while a filter is typed");
    terminal.press(&["Escape"]);
    terminal.wait_for("nothing is typed", |screen| screen.contains("? help"));
    // Nobody tells it of this one before.
    send("-STOP");
    terminal.wait_for("it is stopped", |screen| screen.matches("Stopped").count() > 0);
    go_on();
    drawn("it goes on behind SIGSTOP");
    terminal.press(&["q"]);
    eventually("the shell has the terminal", || holds(terminal.is_free(), terminal.screen()));
}

#[test]
fn without_a_shell_that_could_go_on_with_it_it_does_not_stop() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("access.log");
    add(&log, 10, 200, "/shop");
    let path = log.to_str().expect("a name");
    let terminal = Terminal::start("omphalos", &["top", path], (80, 24));
    terminal.wait_for("it is drawn", |screen| first_row(screen).contains("/shop"));
    terminal.press(&["C-z"]);
    terminal.wait_for("it says so", |screen| screen.contains("there is no shell"));
    terminal.press(&["q"]);
    assert_eq!(terminal.wait_for_end(), 0);
}
