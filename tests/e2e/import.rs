//! `omphalos import`: archives and old files, once, however often it is interrupted.

mod rules;
mod twice;

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use omphalos_tests::{LogFile, Program, Stack, eventually, holds};

use crate::circumstances::directory;
use crate::files::make_fifo;
use crate::run::Alone;

/// A plain file, a .gz and a .zst, with numbered lines that go on from one to the next.
fn archives(alone: &Alone, lines: u64) -> [String; 3] {
    let directory = alone.directory.path();
    let mut log = LogFile::create(&directory.join("whole.log"));
    log.append(lines * 3);
    let text = fs::read_to_string(log.path()).expect("the log");
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let part = |number: usize| {
        let size = usize::try_from(lines).expect("a number");
        all[number * size..(number + 1) * size].concat()
    };
    let name = |name: &str| directory.join(name).display().to_string();
    let names = [name("a.log"), name("b.log.gz"), name("c.log.zst")];
    fs::write(&names[0], part(0)).expect("a file");
    let mut gzip = GzEncoder::new(File::create(&names[1]).expect("a file"), Compression::fast());
    gzip.write_all(part(1).as_bytes()).expect("written");
    gzip.finish().expect("finished");
    let packed = zstd::encode_all(part(2).as_bytes(), 1).expect("packed");
    fs::write(&names[2], packed).expect("a file");
    names
}

/// A row of the last word, without its commas.
fn row(output: &str, name: &str) -> Option<u64> {
    let line = output.lines().rev().find_map(|line| line.trim().strip_prefix(name))?;
    line.trim().replace(',', "").parse().ok()
}

#[test]
fn files_and_archives_are_imported_once_however_often_it_is_interrupted() {
    let alone = Alone::new();
    let files = archives(&alone, 30_000);
    let import = || {
        alone.with_state("import").args(&files).args([
            "--parser",
            "combined",
            "--checkpoint-interval",
            "20ms",
            "--bulk-documents",
            "500",
        ])
    };
    let mut interrupted = import().start();
    let address = alone.url.clone();
    eventually("a part is imported", || {
        let count = alone.elastic().count().map_err(|error| format!("{address}: {error}"))?;
        holds(count > 5_000, count)
    });
    interrupted.kill();
    let finished = import().run();
    assert_eq!(finished.code, Some(0), "{}", finished.output);
    let (read, indexed) = (row(&finished.output, "lines read"), row(&finished.output, "indexed"));
    let duplicate = row(&finished.output, "duplicate").expect("a row");
    let of_second = indexed.expect("a row") + duplicate;
    assert_eq!(read, Some(of_second), "{}", finished.output);
    assert!(of_second < 90_000, "it went on where it was: {}", finished.output);
    assert_eq!(row(&finished.output, "dead letters"), Some(0));

    // A store that is not running now; and all once more, without what was remembered.
    fs::remove_dir_all(alone.directory.path().join("state/import")).expect("removed");
    let mut running = alone.with_state("run").start();
    alone.assert_each_once(90_000);
    let again = import().run();
    assert_eq!(again.code, Some(0), "{}", again.output);
    assert_eq!(row(&again.output, "indexed"), Some(0), "{}", again.output);
    assert_eq!(row(&again.output, "duplicate"), Some(90_000), "{}", again.output);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn what_is_in_one_place_is_imported_into_another_all_the_same() {
    let (one, other) = (Alone::new(), Alone::new());
    let file = one.directory.path().join("a.log");
    fs::write(&file, "a line\n").expect("a file");
    let mut running = other.with_state("run").start();
    running.wait_for_log("the store in");
    let import = || one.with_state("import").arg(file.display());
    let first = import().run();
    assert_eq!((first.code, row(&first.output, "indexed")), (Some(0), Some(1)), "{}", first.output);
    let elsewhere = || import().option("--elasticsearch-url", &other.url).run();
    let second = elsewhere();
    assert_eq!(
        (second.code, row(&second.output, "indexed")),
        (Some(0), Some(1)),
        "{}",
        second.output
    );
    assert_eq!(other.elastic().count(), Ok(1));
    let again = elsewhere();
    assert_eq!(row(&again.output, "lines read"), Some(0), "{}", again.output);
    assert!(
        again.output.contains("nothing is new: all of it was imported before"),
        "{}",
        again.output
    );
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_store_of_somebody_else_is_not_written_to() {
    let (ours, other) = (Alone::new(), Alone::new());
    let file = ours.directory.path().join("a.log");
    fs::write(&file, "a line\n").expect("a file");
    let listen = other.url.trim_start_matches("http://").to_owned();
    let mut running = other.with_state("run").start();
    running.wait_for_log("the store in");
    let import = |state: &Alone| {
        Program::new("omphalos", &ours.directory.path().join("import.out"))
            .args(["import", &file.display().to_string(), "--store-listen", &listen])
            .option("--state-dir", state.directory.path().join("state").display())
    };
    let refused = import(&ours).run();
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    assert!(
        refused.output.contains(&format!("what listens on {listen} is not the store in")),
        "{}",
        refused.output
    );
    assert_eq!(other.elastic().count(), Ok(0), "{}", refused.output);
    // A proxy of the environment is for the world outside.
    let taken = import(&other).variable("http_proxy", "http://127.0.0.1:1").run();
    assert_eq!(taken.code, Some(0), "{}", taken.output);
    assert!(
        taken.output.contains(&format!("into http://{listen}, as omphalos-*")),
        "{}",
        taken.output
    );
    assert_eq!(other.elastic().count(), Ok(1), "{}", taken.output);
    let search = other
        .omphalos("search")
        .arg("nowhere-to-be-found")
        .variable("http_proxy", "http://127.0.0.1:1")
        .run();
    assert!(
        search.output.contains(&format!("nothing matches in omphalos-* at {}", other.url)),
        "{}",
        search.output
    );
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn what_was_imported_before_there_were_keys_is_not_there_twice() {
    let alone = Alone::new();
    let files = archives(&alone, 300);
    let import = || alone.with_state("import").args(&files).args(["--parser", "combined"]);
    let old = import().option("--id-version", "1").run();
    assert_eq!(old.code, Some(0), "{}", old.output);
    let again = |output: &str, indexed: u64| {
        assert_eq!(row(output, "indexed"), Some(indexed), "{output}");
        assert_eq!(row(output, "duplicate"), Some(900 - indexed), "{output}");
    };
    // Nothing is remembered, but what is indexed says with what ids it was made.
    let remembered = alone.directory.path().join("state/import");
    fs::remove_dir_all(&remembered).expect("removed");
    let new = import().run();
    assert_eq!(new.code, Some(0), "{}", new.output);
    again(&new.output, 0);
    // A file that was never imported has ids with a key.
    fs::remove_dir_all(&remembered).expect("removed");
    fs::remove_dir_all(alone.directory.path().join("state/store")).expect("removed");
    again(&import().run().output, 900);
    let checkpoint = fs::read_to_string(remembered.join("checkpoint")).expect("a checkpoint");
    assert_eq!(checkpoint.matches("\"id_version\":2").count(), 3, "{checkpoint}");
}

#[test]
fn an_import_of_what_a_shipper_knows_has_the_ids_of_its_checkpoint() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(400);
    let shipped = stack.shipper(log.path()).args(["--once", "--id-version", "1"]).run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    // Nobody can be asked what is indexed: it goes through the broker.
    let imported = Program::new("omphalos", &stack.path("import.log"))
        .arg("import")
        .arg(log.path().display())
        .args(["--parser", "combined", "--host-name", "web1"])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(imported.code, Some(0), "{}", imported.output);
    assert_eq!(row(&imported.output, "in the queue"), Some(400), "{}", imported.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    log.assert_indexed_once(&stack.elastic());
}

/// The kind of fault: whoever reads a file second does so by a rule of its own, and its lines are there
/// twice. It is what comes after the import that is read as it is set.
#[test]
fn what_was_imported_is_not_there_twice_when_it_is_run_with_other_rules() {
    const SAID: &str = ": its lines up to byte";
    let line =
        |second: u32| format!("{{\"time\":\"2026-11-22T01:00:0{second}\",\"n\":{second}}}\n");
    let zoned = ["--parser", "json", "--time-zone", "+05:00"];
    for (imported, run, is_said) in [
        (&["--parser", "json"][..], &["--parser", "json"][..], false),
        (&["--parser", "json"], &["--parser", "auto"], false),
        (&["--parser", "json"], &["--parser", "raw"], true),
        (&["--parser", "json"], &zoned, true),
        (&zoned, &["--parser", "json"], true),
        (&zoned, &["--parser", "auto"], true),
    ] {
        let alone = Alone::new();
        let file = alone.directory.path().join("a.log");
        fs::write(&file, (0..3).map(line).collect::<String>()).expect("a file");
        let import = alone.with_state("import").arg(file.display()).args(imported).run();
        assert_eq!(row(&import.output, "indexed"), Some(3), "{}", import.output);
        let add = |second| {
            let mut log = File::options().append(true).open(&file).expect("the file");
            log.write_all(line(second).as_bytes()).expect("written");
        };
        let run_again = || alone.with_state("run").arg(file.display()).args(run).start();
        // A second time it is known by its own checkpoint.
        let mut said = 0;
        for (second, count) in [(3, 4), (4, 5)] {
            let mut running = run_again();
            add(second);
            eventually("what comes after is indexed", || {
                let count_now = alone.elastic().count()?;
                holds(count_now >= count, count_now)
            });
            assert_eq!(
                alone.elastic().count(),
                Ok(count),
                "{imported:?} {run:?}\n{}",
                running.log()
            );
            assert_eq!(running.terminate(), Some(0));
            said = running.count_in_log(SAID);
        }
        assert_eq!(said, usize::from(is_said), "{imported:?} {run:?}");
    }
}

#[test]
fn an_import_through_the_broker_says_what_is_in_the_queue() {
    let stack = Stack::shared();
    let alone = Alone::new();
    let files = archives(&alone, 100);
    let imported = alone
        .with_state("import")
        .args(&files)
        .args(["--parser", "combined"])
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert_eq!(imported.code, Some(0), "{}", imported.output);
    assert_eq!(row(&imported.output, "in the queue"), Some(300), "{}", imported.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    stack.elastic().wait_for_count(300);
}

/// An import first reads the beginning of a file to find out with what ids it was shipped before.
#[test]
fn that_lines_have_no_time_is_said_once_a_file() {
    const SAID: &str = "some lines have no time that can be read";
    let alone = Alone::new();
    let name = |name: &str| alone.directory.path().join(name).display().to_string();
    let files = [name("a.json"), name("b.json")];
    for file in &files {
        fs::write(file, "{\"n\":1}\n{\"n\":2}\n".repeat(200)).expect("a file");
    }
    let settings = ["--parser", "json", "--batch-bytes", "1KiB"];
    let import = alone.with_state("import").args(&files).args(settings).run();
    assert_eq!(import.code, Some(0), "{}", import.output);
    assert_eq!(import.output.matches(SAID).count(), 2, "{}", import.output);
    assert_eq!(import.output.matches(&format!("{}: {SAID}", files[0])).count(), 1);
    let parse = |settings: &[&str]| {
        let output = alone.directory.path().join(format!("{}.out", settings.len()));
        Program::new("omphalos", &output).arg("parse").args(settings).arg(&files[0]).run().output
    };
    let untimed = parse(&["--parser", "json"]);
    assert_eq!(untimed.matches(SAID).count(), 1, "{untimed}");
    // With the right setting there is nothing to say.
    let timed = parse(&["--parser", "json", "--time-field", "n", "--time-format", "unix"]);
    assert_eq!(timed.matches(SAID).count(), 0, "{timed}");
    assert_eq!(timed.matches("1970-01-01T00:00:02Z").count(), 200);
}

/// The kind of fault: what is odd about a file is said by everybody who reads it, and to find out its ids
/// it is read several times.
#[test]
fn what_is_odd_about_a_file_is_said_once() {
    let alone = Alone::new();
    let name = |name: &str| alone.directory.path().join(name).display().to_string();
    let misfit = name("misfit.log");
    fs::write(&misfit, "{\"time\":\"2026-11-22T01:00:00Z\",\"n\":1}\n".repeat(500))
        .expect("a file");
    let cut = name("cut.log.gz");
    let mut gzip = GzEncoder::new(File::create(&cut).expect("a file"), Compression::none());
    gzip.write_all("a line without a time\n".repeat(20_000).as_bytes()).expect("written");
    gzip.finish().expect("finished");
    let archive = fs::read(&cut).expect("the archive");
    fs::write(&cut, &archive[..archive.len() - 100]).expect("cut");
    for (file, parser, code, said) in [
        (&misfit, "combined", 0, "lines cannot be read with the parser that is set"),
        (&misfit, "combined", 0, "have no time that can be read"),
        (&cut, "raw", 1, "the archive ends in the middle"),
    ] {
        fs::remove_dir_all(alone.directory.path().join("state")).ok();
        fs::remove_file(alone.directory.path().join("import.out")).ok();
        let import = alone.with_state("import").arg(file).args(["--parser", parser]).run();
        assert_eq!(import.code, Some(code), "{}", import.output);
        assert_eq!(import.output.matches(said).count(), 1, "{said}: {}", import.output);
        assert_eq!(
            import.output.matches("WARN").count(),
            usize::from(code == 0) * 2,
            "{}",
            import.output
        );
    }
}

#[test]
fn what_cannot_be_imported_is_refused_with_what_to_do() {
    let alone = Alone::new();
    let archive = alone.directory.path().join("a.log.xz");
    fs::write(&archive, "x").expect("a file");
    let fifo = alone.directory.path().join("fifo");
    make_fifo(&fifo);
    for (file, expected) in [
        ("/nowhere/a.log".to_owned(), "cannot read /nowhere/a.log"),
        (
            alone.directory.path().display().to_string(),
            "expected a file, found a directory; name the files in it",
        ),
        (fifo.display().to_string(), "expected a file, found a FIFO, whose lines"),
        ("/dev/null".to_owned(), "/dev/null: expected a file, found a device, whose lines"),
        ("-".to_owned(), "-: expected a file, found standard input, whose lines"),
        (archive.display().to_string(), ".xz archives are not read; unpack it"),
    ] {
        let refused = alone.with_state("import").arg(file).run();
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        assert!(refused.output.contains(expected), "{}", refused.output);
    }
}

#[test]
fn what_cannot_be_read_to_its_end_is_named_and_everything_else_is_imported() {
    let alone = Alone::new();
    let files = archives(&alone, 300);
    let archive = fs::read(&files[1]).expect("the archive");
    fs::write(&files[1], &archive[..archive.len() / 2]).expect("cut");
    let text = alone.directory.path().join("d.log.gz").display().to_string();
    fs::write(&text, "a line\n").expect("a file");
    for is_first in [true, false] {
        let import = alone.with_state("import").args(&files).arg(&text);
        let imported = import.args(["--parser", "combined"]).run();
        assert_eq!(imported.code, Some(1), "{}", imported.output);
        for expected in [
            format!("{}: the archive ends in the middle; ", files[1]),
            format!(
                "{text}: the archive is damaged: its name ends in .gz, but it does not begin as such an archive does"
            ),
        ] {
            assert!(imported.output.contains(&expected), "{}", imported.output);
        }
        assert!(!imported.output.contains("nothing is new"), "{}", imported.output);
        let indexed = row(&imported.output, "indexed").expect("a row");
        assert_eq!(indexed > 600, is_first, "{}", imported.output);
    }
}

/// The kind of fault: a name means one thing in settings and another on the command line.
#[test]
fn patterns_are_those_of_settings_and_what_is_not_there_is_refused_alike() {
    let alone = Alone::new();
    let directory = alone.directory.path();
    fs::create_dir_all(directory.join("logs/below")).expect("a directory");
    for name in ["a.log", "b.log", "c.txt", "below/d.log", "e[1].log", "f.log.bz2"] {
        let line = format!("{{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"name\":\"{name}\"}}\n");
        fs::write(directory.join("logs").join(name), line).expect("a file");
    }
    let import = |name: &str| {
        let name = directory.join("logs").join(name).display().to_string();
        let done = alone.with_state("import").args(["--parser", "json", &name]).run();
        fs::remove_file(directory.join("import.out")).expect("the output");
        (done.code, row(&done.output, "lines read"), done.output)
    };
    for (name, lines) in
        [("e[1].log", 1), ("{a,c}.*", 2), ("**/d.log", 1), ("[b].log", 1), ("f*", 0), ("*.log", 0)]
    {
        let (code, read, output) = import(name);
        // All but the archive, which settings leave out too, was imported before.
        let expected = if name == "f*" { (Some(2), None) } else { (Some(0), Some(lines)) };
        assert_eq!((code, read), expected, "{name}: {output}");
    }
    for name in ["nope", "nope*", "{nope,none}", "**/nope", "nope?[1]"] {
        let (code, _, output) = import(name);
        assert_eq!(code, Some(2), "{name}: {output}");
        assert!(output.contains("cannot read ") && output.contains("nope"), "{name}: {output}");
    }
}

/// While Elasticsearch is away there is nothing to finish: who stops an import then hears so at once,
/// and does not wait as long as a daemon would.
#[test]
fn an_import_that_is_stopped_says_so_at_once_and_ends_soon() {
    let directory = directory();
    let file = directory.path().join("a.log");
    fs::write(&file, "one\ntwo\n").expect("a file");
    let mut import = Program::new("omphalos", &directory.path().join("import.out"))
        .arg("import")
        .arg(file.display())
        .args(["--elasticsearch-url", "http://127.0.0.1:1", "--log-level", "info"])
        .option("--state-dir", directory.path().join("state").display())
        .start();
    import.wait_for_log("connection refused");
    import.signal("-INT");
    let told = Instant::now();
    import.wait_for_log("stopping: waiting a moment for the answers");
    assert!(told.elapsed() < Duration::from_secs(1), "{}", import.log());
    let code = import.wait().code();
    assert!(told.elapsed() < Duration::from_secs(6), "{:?}: {}", told.elapsed(), import.log());
    assert_eq!(code, Some(1), "{}", import.log());
    assert!(import.log().contains("the same command goes on where it stopped"), "{}", import.log());
}
