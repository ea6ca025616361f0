//! `omphalos import`: archives and old files, once, however often it is interrupted.

use std::fs::{self, File};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use omphalos_tests::{LogFile, Stack, eventually, holds};

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

#[test]
fn what_cannot_be_imported_is_refused_with_what_to_do() {
    let alone = Alone::new();
    let archive = alone.directory.path().join("a.log.xz");
    fs::write(&archive, "x").expect("a file");
    for (file, expected) in [
        ("/nowhere/a.log".to_owned(), "cannot read /nowhere/a.log"),
        (alone.directory.path().display().to_string(), "expected a file; name the files"),
        (archive.display().to_string(), ".xz archives are not read; unpack it"),
    ] {
        let refused = alone.with_state("import").arg(file).run();
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        assert!(refused.output.contains(expected), "{}", refused.output);
    }
}
