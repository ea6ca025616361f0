//! Sites without a broker: what `omphalos run` could not index is in a file, and is looked at, replayed
//! and dropped there; what is missing is brought back along the same road as in the process itself.
//! However often it is done, and wherever it is killed, each document is there once, and what is
//! refused again is a dead letter again, once.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use omphalos_tests::{Action, Elastic, Embedded, Interposer, LogFile, Program, eventually, holds};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit::delete_at;
use crate::run::Alone;

/// Where its lines go.
pub const INDEX: &str = "omphalos-app-2026.11.22";

/// A mapping that takes orders with an id, and nothing more.
pub fn strict() -> Value {
    let keywords = |names: &[&str]| -> Value {
        let all = names.iter().map(|name| ((*name).to_owned(), json!({"type": "keyword"})));
        json!({"properties": Value::Object(all.collect())})
    };
    json!({"mappings": {"dynamic": "strict", "properties": {
        "@timestamp": {"type": "date"},
        "ecs": keywords(&["version"]),
        "event": keywords(&["dataset"]),
        "host": keywords(&["id", "name"]),
        "log": {"properties": {"file": keywords(&["path"]), "offset": {"type": "long"}}},
        "order": {"properties": {"id": {"type": "long"}}},
    }}})
}

/// Lines of which each second one has a field that such a mapping refuses.
fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        let more = if number % 2 == 0 { "" } else { ",\"note\":\"x\"" };
        writeln!(
            text,
            "{{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"order\":{{\"id\":{number}{more}}}}}"
        )
        .unwrap();
        text
    })
}

/// A process with a log of JSON lines.
pub struct Site {
    /// Where everything is.
    pub alone: Alone,
    /// The log.
    pub log: PathBuf,
}

impl Site {
    /// With an empty log.
    pub fn new() -> Self {
        let alone = Alone::new();
        let log = alone.directory.path().join("app.json");
        fs::write(&log, "").expect("a log");
        Self { alone, log }
    }

    /// The process, started.
    pub fn run(&self) -> Program {
        let run = self.alone.with_state("run").arg(self.log.display());
        run.args(["--parser", "json", "--dataset", "app", "--checkpoint-interval", "20ms"])
            .listening()
            .start()
    }

    /// Appends lines, of which each second one is refused.
    pub fn write(&self, numbers: std::ops::Range<u64>) {
        let mut text = fs::read_to_string(&self.log).expect("the log");
        text.push_str(&lines(numbers));
        fs::write(&self.log, text).expect("the log");
    }

    fn dead(&self, words: &[&str]) -> String {
        self.dead_with(words, 0)
    }

    /// The same with an exit code.
    fn dead_with(&self, words: &[&str], code: i32) -> String {
        let done = self.alone.with_state("dead").args(words).run();
        assert_eq!(done.code, Some(code), "{}", done.output);
        // The output of all runs is in one file.
        fs::remove_file(self.alone.directory.path().join("dead.out")).expect("the output");
        done.output
    }

    /// Lets them be taken from now on.
    pub fn allow_notes(&self) {
        let note = json!({"properties": {"order": {"properties": {"note": {"type": "keyword"}}}}});
        self.alone.elastic().must(Method::PUT, &format!("{INDEX}/_mapping"), &note);
    }
}

/// Waits until so many are dead letters.
pub fn wait_for_dead(process: &Program, letters: u32) {
    eventually("they are dead letters", || {
        let dead = process.metric("omphalos_indexer_documents_dead_total");
        holds((dead - f64::from(letters)).abs() < 0.5, dead)
    });
}

#[test]
fn what_run_could_not_index_is_listed_replayed_and_dropped_while_it_runs_and_after() {
    let site = Site::new();
    let mut process = site.run();
    process.wait_for_log("the store in");
    let elastic = site.alone.elastic();
    elastic.must(Method::PUT, INDEX, &strict());
    site.write(0..400);
    wait_for_dead(&process, 200);
    elastic.wait_for_count(200);
    let listed = site.dead(&["list", "--limit", "150"]);
    assert!(listed.contains("strict_dynamic_mapping_exception"), "{listed}");
    assert!(listed.ends_with("150 dead letters; 50 more not looked at (--limit)\n"), "{listed}");
    assert!(site.dead(&["show"]).contains("\"note\": \"x\""));

    // The cause is there still: they come back, each once.
    let again = site.dead_with(&["replay", "--all"], 1);
    assert!(
        again.contains(
            "200 dead letters replayed: 0 indexed, 0 there already, 200 refused again and kept"
        ),
        "{again}"
    );
    assert!(site.dead(&["list", "--limit", "1000"]).ends_with("\n200 dead letters\n"));
    site.allow_notes();
    let replayed = site.dead(&["replay", "--all"]);
    assert!(
        replayed.contains("200 dead letters replayed: 200 indexed, 0 there already, 0 refused"),
        "{replayed}"
    );
    elastic.wait_for_count(400);
    assert!(site.dead(&["list"]).ends_with("0 dead letters\n"));

    // Nobody has the store open.
    elastic.must(Method::PUT, "omphalos-app-2026.11.23", &strict());
    let text = lines(1000..1100).replace("11-22", "11-23");
    let old = fs::read_to_string(&site.log).expect("the log");
    fs::write(&site.log, old + &text).expect("the log");
    wait_for_dead(&process, 250);
    elastic.wait_for_count(450);
    assert_eq!(process.terminate(), Some(0));
    let alone = site.dead_with(&["replay", "--type", "strict_dynamic_mapping_exception"], 1);
    assert!(
        alone.contains("50 dead letters replayed: 0 indexed, 0 there already, 50 refused"),
        "{alone}"
    );
    let dropped = site.dead(&["drop", "--all", "--yes"]);
    assert!(dropped.ends_with("50 dead letters dropped\n"), "{dropped}");
    process.restart();
    process.wait_for_log_times("the store in", 2);
    site.alone.elastic().wait_for_count(450);
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn a_store_that_is_open_elsewhere_is_said_with_what_to_do() {
    let site = Site::new();
    let process = site.run();
    process.wait_for_log("the store in");
    let state = site.alone.directory.path().join("state");
    fs::write(state.join("dead-letters.ndjson"), "").expect("a file");
    let other = Alone::new();
    let refused = other
        .omphalos("dead")
        .args(["replay", "--all"])
        .option("--state-dir", state.display())
        .run();
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    for expected in
        ["is used by another process", "name the address where it listens: --store-listen"]
    {
        assert!(refused.output.contains(expected), "{}", refused.output);
    }
}

/// The kind of fault: a command that could not do all of it ends as if it had.
#[test]
fn what_dead_cannot_do_is_in_its_exit_code() {
    let site = Site::new();
    let directory = site.alone.directory.path();
    let file = directory.join("letters.ndjson");
    let dead = |words: &[&str], option: &str, path: &Path| {
        let output = directory.join("dead.out");
        let program = Program::new("omphalos", &output).arg("dead").args(words);
        let done = program.option(option, path.display()).run();
        fs::remove_file(output).expect("the output");
        done
    };
    letters(&file, 0..3);
    let whole = dead(&["list"], "--dead-file", &file);
    assert_eq!(whole.code, Some(0), "{}", whole.output);
    let text = fs::read_to_string(&file).expect("letters");
    fs::write(&file, format!("{text}{{\"x-omph\n")).expect("letters");
    for words in [&["list"][..], &["show"], &["drop", "--id", "B", "--yes"]] {
        let done = dead(words, "--dead-file", &file);
        assert_eq!(done.code, Some(1), "{words:?}: {}", done.output);
        assert!(done.output.contains("1 lines of"), "{words:?}: {}", done.output);
    }
    let nowhere = directory.join("nowhere");
    for (option, expected) in
        [("--state-dir", "state_dir: there is no directory"), ("--dead-file", "there is no")]
    {
        for words in [&["list"][..], &["show"], &["replay", "--all"], &["drop", "--all", "--yes"]] {
            let done = dead(words, option, &nowhere);
            assert_eq!(done.code, Some(2), "{words:?} {option}: {}", done.output);
            assert!(done.output.contains(expected), "{words:?} {option}: {}", done.output);
        }
    }
    // Nothing was refused yet.
    fs::create_dir(&nowhere).expect("a directory");
    assert_eq!(dead(&["list"], "--state-dir", &nowhere).code, Some(0));
}

/// Dead letters of so many orders, as a process writes them.
fn letters(path: &Path, numbers: std::ops::Range<u64>) {
    let text = numbers.fold(String::new(), |mut text, number| {
        let letter = json!({
            "x-omphalos-status": "400", "x-omphalos-type": "t", "x-omphalos-reason": "r",
            "x-omphalos-at": "1795300000", "x-omphalos-made-at": "1795300000", "x-omphalos-day": "20779",
            "x-omphalos-id": format!("A{number:021}"), "x-omphalos-index": INDEX, "x-omphalos-dataset": "app",
            "document": lines(number..number + 1).trim_end(),
        });
        writeln!(text, "{letter}").unwrap();
        text
    });
    fs::write(path, text).expect("dead letters");
}

/// The ids in a file of dead letters.
fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("dead letters");
    let id = |line: &str| {
        let letter: Value = serde_json::from_str(line).expect("a letter");
        letter["x-omphalos-id"].as_str().expect("an id").to_owned()
    };
    text.lines().map(id).collect()
}

#[test]
fn a_replay_that_is_killed_loses_and_repeats_nothing() {
    const LETTERS: u64 = 10_000;
    let directory = TempDir::with_prefix("omphalos-replay-").expect("a directory");
    let (store, file) = (Embedded::start(), directory.path().join("dead-letters.ndjson"));
    let elastic = Elastic::new(&store.url(), "omphalos");
    elastic.must(Method::PUT, INDEX, &strict());
    letters(&file, 0..LETTERS);
    for round in [1, 2] {
        let bulks = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&bulks);
        let interposer = Interposer::before(&store.url(), move |request| {
            let is_bulk = request.line.contains("_bulk");
            if is_bulk && seen.fetch_add(1, Ordering::Relaxed) >= round {
                return Action::Silence;
            }
            Action::Forward
        });
        let mut replay = Program::new("omphalos", &directory.path().join(format!("{round}.out")))
            .args(["dead", "replay", "--all"])
            .option("--dead-file", file.display())
            .option("--elasticsearch-url", interposer.url())
            .start();
        eventually("it is in the middle", || {
            let bulks = bulks.load(Ordering::Relaxed);
            holds(bulks > round, bulks)
        });
        replay.kill();
        assert_eq!(ids(&file).len() as u64, LETTERS, "they are there until all is done");
    }
    let replayed = Program::new("omphalos", &directory.path().join("last.out"))
        .args(["dead", "replay", "--all"])
        .option("--dead-file", file.display())
        .option("--elasticsearch-url", store.url())
        .run();
    assert_eq!(replayed.code, Some(1), "{}", replayed.output);
    let expected = "5000 refused again and kept";
    assert!(replayed.output.contains(expected), "{}", replayed.output);
    elastic.wait_for_count(5_000);
    let refused = ids(&file);
    assert_eq!(refused.iter().collect::<BTreeSet<_>>().len(), refused.len(), "each once");
    let odd: Vec<String> = (0..LETTERS)
        .filter(|number| number % 2 == 1)
        .map(|number| format!("A{number:021}"))
        .collect();
    assert_eq!(refused.into_iter().collect::<BTreeSet<_>>(), odd.into_iter().collect());
}

#[test]
fn an_audit_of_run_knows_its_dead_letters_and_what_is_under_way_and_brings_back_what_is_missing() {
    let (alone, store) = (Alone::new(), Embedded::start());
    let directory = alone.directory.path();
    let mut log = LogFile::create(&directory.join("access.log"));
    log.append(2_000);
    let process = alone
        .with_state("run")
        .arg(log.path().display())
        .args(["--parser", "combined", "--checkpoint-interval", "20ms"])
        .option("--elasticsearch-url", store.url())
        .start();
    let elastic = Elastic::new(&store.url(), "omphalos");
    elastic.wait_for_count(2_000);
    let audit = |more: &[&str]| {
        let done = Program::new("omphalos", &directory.join("audit.out"))
            .arg("audit")
            .arg(log.path().display())
            .args(["--parser", "combined"])
            .option("--state-dir", directory.join("state").display())
            .option("--elasticsearch-url", store.url())
            .args(more)
            .run();
        fs::remove_file(directory.join("audit.out")).expect("the output");
        done
    };
    eventually("all is delivered", || {
        let whole = audit(&[]);
        holds(whole.output.contains("found                 2,000"), whole.output)
    });
    // What stands still cannot deliver, and what is behind its checkpoint is under way.
    process.suspend();
    let mut more = LogFile::create(&directory.join("more"));
    more.append(30);
    let lines = fs::read_to_string(more.path()).expect("lines").replace("n=", "m=");
    let old = fs::read_to_string(log.path()).expect("the log");
    fs::write(log.path(), old + &lines).expect("the log");
    let live = audit(&[]);
    assert_eq!(live.code, Some(0), "{}", live.output);
    assert!(live.output.contains("not delivered            30"), "{}", live.output);
    process.resume();
    elastic.wait_for_count(2_030);

    let documents = elastic.documents(&["log.offset"]);
    let offsets = documents.iter().take(7).map(|(_, document)| &document["log"]["offset"]);
    delete_at(&elastic, offsets.map(|offset| offset.as_u64().expect("an offset")));
    eventually("they are missing", || {
        let found = audit(&[]);
        holds(
            found.code == Some(1) && found.output.contains("missing                   7"),
            found.output,
        )
    });
    let repaired = audit(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}", repaired.output);
    assert!(
        repaired.output.contains("shipped 7 missing documents, and found all of them"),
        "{}",
        repaired.output
    );
    assert_eq!(elastic.count(), Ok(2_030));
}

#[test]
fn an_audit_asks_the_store_that_the_settings_name_as_a_search_does() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    let mut log = LogFile::create(&directory.join("access.log"));
    log.append(50);
    let settings = directory.join("omphalos.toml");
    let text = format!(
        "state_dir = {:?}\n[store]\nlisten = {:?}\n[[monitor]]\npaths = [{:?}]\nparser = \"combined\"\n",
        directory.join("state"),
        alone.url.trim_start_matches("http://"),
        log.path()
    );
    fs::write(&settings, text).expect("settings");
    let process = Program::new("omphalos", &directory.join("run.out"))
        .arg("run")
        .option("--config", settings.display())
        .args(["--checkpoint-interval", "20ms"])
        .start();
    alone.elastic().wait_for_count(50);
    let output = directory.join("audit.out");
    let audit = |more: &[String]| {
        let done = Program::new("omphalos", &output)
            .arg("audit")
            .arg(log.path().display())
            .args(more)
            .run();
        fs::remove_file(&output).expect("the output");
        done
    };
    let config = ["--config".to_owned(), settings.display().to_string()];
    eventually("all is delivered", || {
        let whole = audit(&config);
        holds(whole.output.contains("found                    50"), whole.output)
    });
    let documents = alone.elastic().documents(&["log.offset"]);
    let offsets = documents.iter().take(3).map(|(_, document)| &document["log"]["offset"]);
    delete_at(&alone.elastic(), offsets.map(|offset| offset.as_u64().expect("an offset")));
    let repaired = audit(&[&config[..], &["--repair".to_owned()]].concat());
    assert_eq!(repaired.code, Some(0), "{}", repaired.output);
    assert!(repaired.output.contains("shipped 3 missing documents"), "{}", repaired.output);
    let state = directory.join("state").display().to_string();
    let listen = alone.url.trim_start_matches("http://").to_owned();
    let flags = ["--state-dir", &state, "--parser", "combined", "--store-listen", &listen];
    let flagged = audit(&flags.map(str::to_owned));
    assert_eq!(flagged.code, Some(0), "{}", flagged.output);
    drop(process);
}

/// Whoever writes to a store that listens where it was told, makes sure that it is that of the state
/// directory: `import`, `dead replay`, and `audit`, whose report would be of another store as well.
#[test]
fn a_store_of_another_state_directory_is_neither_audited_nor_repaired() {
    let (ours, other) = (Alone::new(), Alone::new());
    let mut log = LogFile::create(&ours.directory.path().join("access.log"));
    log.append(20);
    let mut running = ours
        .with_state("run")
        .arg(log.path().display())
        .args(["--parser", "combined", "--checkpoint-interval", "20ms"])
        .start();
    let mut foreign = other.with_state("run").start();
    foreign.wait_for_log("the store in");
    ours.elastic().wait_for_count(20);
    let listen = |alone: &Alone| alone.url.trim_start_matches("http://").to_owned();
    let output = ours.directory.path().join("audit.out");
    let audit = |listen: &str, more: &[&str]| {
        let done = Program::new("omphalos", &output)
            .args(["audit", &log.path().display().to_string(), "--parser", "combined"])
            .option("--state-dir", ours.directory.path().join("state").display())
            .option("--store-listen", listen)
            .args(more)
            .run();
        fs::remove_file(&output).expect("the output");
        done
    };
    for more in [&[][..], &["--repair"]] {
        let refused = audit(&listen(&other), more);
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        let expected = format!("what listens on {} is not the store in", listen(&other));
        assert!(refused.output.contains(&expected), "{}", refused.output);
    }
    assert_eq!(other.elastic().count(), Ok(0));
    eventually("all is delivered", || {
        let whole = audit(&listen(&ours), &["--repair"]);
        holds(
            whole.code == Some(0) && whole.output.contains("found                    20"),
            whole.output,
        )
    });
    assert_eq!((running.terminate(), foreign.terminate()), (Some(0), Some(0)));
}

/// An import keeps its dead letters apart from those of the process beside it, and one into another
/// place apart from both: whoever looks for dead letters looks for all, and what is replayed goes
/// where it belongs.
#[test]
fn dead_letters_of_imports_are_found_replayed_and_dropped_with_those_of_the_process() {
    let site = Site::new();
    let mut process = site.run();
    process.wait_for_log("the store in");
    site.alone.elastic().must(Method::PUT, INDEX, &strict());
    site.write(0..10);
    wait_for_dead(&process, 5);
    let directory = site.alone.directory.path();
    let old = directory.join("old.json");
    fs::write(&old, lines(100..120)).expect("a file");
    let format = ["--parser", "json", "--dataset", "app"];
    let import = || site.alone.with_state("import").arg(old.display()).args(format);
    let imported = import().run();
    assert_eq!(imported.code, Some(1), "{}", imported.output);
    let other = Embedded::start();
    let elsewhere = Elastic::new(&other.url(), "omphalos");
    elsewhere.must(Method::PUT, INDEX, &strict());
    let imported = import().option("--elasticsearch-url", other.url()).run();
    assert_eq!(imported.code, Some(1), "{}", imported.output);

    let own = directory.join("state/dead-letters.ndjson");
    let beside = directory.join("state/import/dead-letters.ndjson");
    let letters = |file: &Path, listed: &str| {
        let line = format!("    in {}", file.display());
        listed.lines().filter(|found| **found == line).count()
    };
    let listed = site.dead(&["list"]);
    assert!(listed.ends_with("\n25 dead letters\n"), "{listed}");
    assert_eq!((letters(&own, &listed), letters(&beside, &listed)), (5, 10), "{listed}");
    let as_json = site.dead(&["list", "--json"]);
    let in_file = format!("\"file\":\"{}\"", beside.display());
    assert_eq!(as_json.matches(&in_file).count(), 10, "{as_json}");
    let audited = site.alone.with_state("audit").arg(old.display()).args(format).run();
    assert_eq!(audited.code, Some(0), "{}", audited.output);
    assert!(audited.output.contains("dead-lettered            10"), "{}", audited.output);

    let id = ids(&beside).remove(0);
    // The same document was refused in both places.
    let dropped = site.dead(&["drop", "--id", &id, "--yes"]);
    assert!(dropped.ends_with("2 dead letters dropped\n"), "{dropped}");
    assert_eq!(ids(&beside).len(), 9);
    site.allow_notes();
    let replayed = site.dead_with(&["replay", "--all"], 1);
    assert!(
        replayed.contains("14 dead letters replayed: 14 indexed, 0 there already, 0 refused"),
        "{replayed}"
    );
    assert!(replayed.contains("9 dead letters in "), "those of elsewhere stay: {replayed}");
    assert_eq!((ids(&own).len(), ids(&beside).len(), elsewhere.count()), (0, 0, Ok(10)));
    let there = ["replay", "--all", "--elasticsearch-url", &other.url()];
    let refused = site.dead_with(&there, 1);
    assert!(
        refused.contains("9 dead letters replayed: 0 indexed, 0 there already, 9"),
        "{refused}"
    );
    assert_eq!(process.terminate(), Some(0));
}
