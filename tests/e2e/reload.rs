//! Settings that change while a process runs: taken whole or not at all, and no line is lost or repeated.

use std::fs;
use std::path::Path;

use omphalos_tests::{Load, LogFile, Program, Stack, eventually, holds};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::circumstances::directory;
use crate::run::Alone;

/// Tells the process of a configuration to read it again, as an operator does; returns the exit code and what
/// was said.
fn reload(program: &'static str, words: &[&str], config: &Path) -> (Option<i32>, String) {
    let log = config.with_extension("reload");
    fs::remove_file(&log).ok();
    let exited =
        Program::new(program, &log).args(words).arg("reload").option("--config", config.display());
    let exited = exited.run();
    (exited.code, exited.output)
}

/// A program with a configuration that changes.
struct Changing<'a> {
    program: &'static str,
    words: &'static [&'static str],
    process: &'a Program,
    config: std::path::PathBuf,
    /// The settings that always stand in it.
    base: String,
    /// Settings that can be used, one of them beside those.
    good: &'static [&'static str],
    /// What cannot, and what is said of it.
    bad: &'static [(&'static str, &'static str)],
}

impl Changing<'_> {
    /// Changes the settings and has them read, by a signal or by the command.
    fn change(&self, random: &mut SmallRng) {
        let done =
            || (self.process.count_in_log("reloaded: "), self.process.count_in_log("not reloaded"));
        let (taken, refused) = done();
        let is_bad = random.random_ratio(1, 3);
        let (more, expected) = if is_bad {
            self.bad[random.random_range(0..self.bad.len())]
        } else {
            (self.good[random.random_range(0..self.good.len())], "")
        };
        fs::write(&self.config, format!("{}{more}", self.base)).expect("a configuration");
        if random.random() {
            self.process.signal("-HUP");
        } else {
            let (code, said) = reload(self.program, self.words, &self.config);
            assert_eq!(code, Some(if is_bad { 2 } else { 0 }), "{more}: {said}");
            assert!(said.contains(expected), "{expected}: {said}");
            if is_bad {
                // The command has refused them itself.
                self.process.signal("-HUP");
            }
        }
        eventually(&format!("{} has heard of {more:?}", self.program), || {
            let now = done();
            let is_it = if is_bad { now.1 > refused } else { now.0 > taken };
            holds(is_it, self.process.log())
        });
        assert!(self.process.log().contains(expected), "{expected}: {}", self.process.log());
    }
}

const BAD: [(&str, &str); 2] =
    [("[batch]\nbytes = 1\n", "batch.bytes: expected 1KiB to 64MiB"), ("feild = 1\n", "feild")];

/// The settings of a shipper of one log.
fn shipper_settings(stack: &Stack, log: &LogFile) -> String {
    format!(
        "state_dir = {:?}\nhost_name = \"web1\"\namqp.url = [{:?}]\n[[monitor]]\npaths = [{:?}]\nparser = \"combined\"\n",
        stack.path("state").display().to_string(),
        stack.amqp_url(),
        log.path().display().to_string()
    )
}

/// The settings of an indexer.
fn indexer_settings(stack: &Stack) -> String {
    format!(
        "state_dir = {:?}\namqp.url = [{:?}]\nelasticsearch.url = [{:?}]\nindex.prefix = {:?}\nindex.replicas = 0\n",
        stack.path("indexer-state").display().to_string(),
        stack.amqp_url(),
        stack.search_url(),
        stack.prefix()
    )
}

#[test]
fn reloads_at_random_moments_under_load_lose_and_repeat_no_line() {
    const SEED: u64 = 2026;
    let mut random = SmallRng::seed_from_u64(SEED);
    let stack = Stack::shared();
    let (shipper_config, indexer_config) = (stack.path("shipper.toml"), stack.path("indexer.toml"));
    let log = LogFile::create(&stack.path("access.log"));
    let base = shipper_settings(&stack, &log);
    fs::write(&shipper_config, &base).expect("a configuration");
    let indexer_base = indexer_settings(&stack);
    fs::write(&indexer_config, &indexer_base).expect("a configuration");
    let program = |name: &'static str, config: &Path| {
        let program = Program::new(name, &config.with_extension("log")).under(&["setsid"]);
        program.option("--config", config.display()).listening().start()
    };
    let shipper = program("omphalos-shipper", &shipper_config);
    let indexer = program("omphalos-indexer", &indexer_config);
    let changing = [
        Changing {
            program: "omphalos-shipper",
            words: &[],
            process: &shipper,
            config: shipper_config,
            base,
            good: &[
                "fields.env = \"prod\"\n",
                "[[monitor.step]]\nstep = \"set\"\nfield = \"labels.a\"\nvalue = \"b\"\n",
                "[batch]\nbytes = \"2KiB\"\n",
                "",
            ],
            bad: &BAD,
        },
        Changing {
            program: "omphalos-indexer",
            words: &[],
            process: &indexer,
            config: indexer_config,
            base: indexer_base,
            good: &["[bulk]\nbytes = \"64KiB\"\n", "[bulk]\ngzip = true\n", ""],
            bad: &[("[bulk]\nbytes = 1\n", "bulk.bytes"), ("feild = 1\n", "feild")],
        },
    ];
    for socket in ["state/omphalos-shipper.sock", "indexer-state/omphalos-indexer.sock"] {
        let socket = stack.path(socket);
        eventually("the process can be told", || holds(socket.exists(), socket.display()));
    }
    let load = Load::start(log, 20, |_, _| {});
    for _ in 0..10 {
        load.wait_for_more(random.random_range(1..400));
        changing[random.random_range(0..2)].change(&mut random);
    }
    let log = load.stop();
    stack.elastic().wait_for_count(log.written());
    log.assert_indexed_once(&stack.elastic());
    for process in [&shipper, &indexer] {
        let taken = process.count_in_log("reloaded: ");
        let reloads = process.metric("omphalos_reloads_total");
        assert!(taken == 0 || reloads > 0.0, "{}", process.log());
    }
}

#[test]
fn one_process_reloads_its_files_and_rules_and_keeps_its_listeners_open() {
    let alone = Alone::new();
    let path = alone.directory.path();
    let (config, state) = (path.join("run.toml"), path.join("state"));
    let (mut first, mut second) =
        (LogFile::create(&path.join("a.log")), LogFile::seeded(&path.join("b.log"), 7));
    first.append(100);
    let first_path = first.path().display().to_string();
    let base = |more: &str| {
        format!(
            "state_dir = {:?}\nstore.listen = {:?}\npage.listen = \"off\"\n[[monitor]]\npaths = [{:?}{more}]\nparser = \"combined\"\n",
            state.display().to_string(),
            alone.url.trim_start_matches("http://"),
            first_path,
        )
    };
    fs::write(&config, base("")).expect("a configuration");
    let mut process = Program::new("omphalos", &path.join("run.log"))
        .arg("run")
        .option("--config", config.display())
        .listening()
        .start();
    alone.elastic().wait_for_count(100);
    // Whoever connects while it changes its settings waits, and is not refused.
    let port = process.port();
    let asking = std::thread::spawn(move || {
        (0..300).all(|_| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    });
    second.append(50);
    let store = alone.url.trim_start_matches("http://").to_owned();
    let searching = std::thread::spawn(move || {
        // One connection, which is not closed either.
        let client = reqwest::blocking::Client::new();
        (0..100).all(|_| client.get(format!("http://{store}/")).send().is_ok())
    });
    let more = format!(", {:?}", second.path().display().to_string());
    fs::write(&config, base(&more)).expect("a configuration");
    let (code, said) = reload("omphalos", &["run"], &config);
    assert_eq!(code, Some(0), "{said}");
    alone.elastic().wait_for_count(150);
    assert!(asking.join().expect("it asks"), "nobody is refused");
    assert!(searching.join().expect("it asks"), "the store stays open");
    fs::write(&config, base(&more) + "[[alert]]\nmeasure = \"nothing\"\n")
        .expect("a configuration");
    let (code, said) = reload("omphalos", &["run"], &config);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("alert.measure: expected one of hits"), "{said}");
    first.append(10);
    alone.elastic().wait_for_count(160);
    // The store's own settings: it is closed and opened again.
    fs::write(&config, "store.max_age = \"300d\"\n".to_owned() + &base(&more))
        .expect("a configuration");
    let (code, said) = reload("omphalos", &["run"], &config);
    assert_eq!(code, Some(0), "{said}");
    first.append(10);
    alone.elastic().wait_for_count(170);
    assert_eq!(process.terminate(), Some(0), "{}", process.log());
}

/// What nobody can know before it is tried.
#[test]
fn settings_that_turn_out_to_be_unusable_are_left_again_for_those_of_before() {
    let directory = directory();
    let path = directory.path();
    let config = path.join("shipper.toml");
    let mut log = LogFile::create(&path.join("access.log"));
    log.append(10);
    let settings = |state: &str| {
        format!(
            "state_dir = {:?}\ntransport = \"null\"\n[[monitor]]\npaths = [{:?}]\n",
            path.join(state).display().to_string(),
            log.path().display().to_string()
        )
    };
    let start = |state: &str, name: &str| {
        let config = path.join(name);
        fs::write(&config, settings(state)).expect("a configuration");
        let shipper = Program::new("omphalos-shipper", &path.join(format!("{name}.log")))
            .under(&["setsid"])
            .option("--config", config.display())
            .listening()
            .start();
        shipper.wait_for_log("reading");
        shipper
    };
    let _other = start("taken", "other.toml");
    let mut shipper = start("state", "shipper.toml");
    fs::write(&config, settings("taken")).expect("a configuration");
    // By the signal: the command would look for the process in the directory that the file names now.
    shipper.signal("-HUP");
    shipper.wait_for_log("going on with the settings of before");
    assert!(shipper.log().contains("is in use by another process"), "{}", shipper.log());
    shipper.wait_for_log_times("reading", 2);
    assert!(shipper.sample("omphalos_reloads_total{outcome=\"refused\"}") > 0.0);
    assert_eq!(shipper.terminate(), Some(0), "{}", shipper.log());
}

#[test]
fn status_tells_how_the_programs_are_without_a_port() {
    let directory = directory();
    let path = directory.path();
    let log = LogFile::create(&path.join("access.log"));
    let state = |name: &str| path.join(name).display().to_string();
    let (well, away) = (state("well"), state("away"));
    let status = |more: &[&str]| {
        let mut words = vec!["status"];
        words.extend(more);
        let out = path.join(format!("status-{}", more.len()));
        fs::remove_file(&out).ok();
        let exited = Program::new("omphalos", &out).args(words).run();
        (exited.code, exited.output)
    };
    let (code, said) = status(&["--state-dir", &well]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no program runs here"), "{said}");
    let shipper = |name: &str, more: &[&str]| {
        Program::new("omphalos-shipper", &path.join(format!("{name}.log")))
            .arg(log.path().display())
            .option("--state-dir", state(name))
            .args(more)
            .start()
    };
    let mut first = shipper("well", &["--transport", "null"]);
    let _second = shipper("away", &["--amqp-url", "amqp://guest:secret@127.0.0.1:1/"]);
    eventually("the first is well", || {
        let (code, said) = status(&["--state-dir", &well]);
        holds(code == Some(0) && said.contains("files        1;"), said)
    });
    eventually("the second is not, and says why", || {
        let (code, said) = status(&["--state-dir", &well, "--state-dir", &away]);
        let is_it = code == Some(1) && said.contains("well\n") && said.contains("NOT WELL");
        let has_reason = said.contains("problem      amqp: ") && !said.contains("secret");
        holds(is_it && has_reason, said)
    });
    let (_, said) = status(&["--json", "--state-dir", &well]);
    let report: Value = serde_json::from_str(&said).expect("an object a line");
    assert_eq!(report["program"], "omphalos-shipper");
    assert_eq!(report["pid"], first.id());
    first.kill();
    let (code, said) = status(&["--state-dir", &well]);
    assert_eq!(code, Some(1), "what a killed one left is no program: {said}");
}

#[test]
fn init_finds_logs_and_their_formats_and_what_it_writes_can_be_run() {
    let directory = directory();
    let path = directory.path();
    let logs = path.join("logs");
    fs::create_dir_all(logs.join("app")).expect("a directory");
    LogFile::create(&logs.join("access.log")).append(20);
    for number in 0..5 {
        let name = logs.join(format!("app/{number}.log"));
        fs::write(name, "{\"time\":\"2026-11-30T10:00:00Z\",\"level\":\"info\",\"msg\":\"x\"}\n")
            .expect("a log");
    }
    fs::write(logs.join("access.log.1"), "rotated\n").expect("a log");
    fs::write(logs.join("access.log-20261129"), "rotated\n").expect("a log");
    fs::write(logs.join("wtmp"), [0; 100]).expect("a file");
    fs::write(logs.join("cache"), [0; 100]).expect("a file");
    let config = path.join("omphalos.toml");
    let init = |more: &[&str]| {
        let out = path.join(format!("init-{}", more.len()));
        fs::remove_file(&out).ok();
        let init = Program::new("omphalos", &out).arg("init").arg(logs.display());
        let exited = init
            .option("--output", config.display())
            .option("--state-dir", path.join("state").display())
            .args(more);
        let exited = exited.run();
        (exited.code, exited.output)
    };
    let (code, said) = init(&[]);
    assert_eq!(code, Some(0), "{said}");
    let text = fs::read_to_string(&config).expect("a configuration");
    let pattern = format!("paths = [\"{}/app/*.log\"]\nparser = \"json\"", logs.display());
    assert!(text.contains(&pattern), "{text}");
    let access = format!("paths = [\"{}/access.log\"]\nparser = \"combined\"", logs.display());
    assert!(text.contains(&access), "{text}");
    assert_eq!(text.matches("[[monitor]]").count(), 2, "{text}");
    let (code, said) = init(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--force"), "{said}");
    assert_eq!(init(&["--force"]).0, Some(0));
    let check = Program::new("omphalos", &path.join("check.out"))
        .args(["run", "check"])
        .option("--config", config.display())
        .run();
    assert_eq!(check.code, Some(0), "{}", check.output);
    assert!(check.output.contains("6 files found"), "{}", check.output);
}
