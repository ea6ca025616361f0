//! The kind of fault: lines that a shipper has read by one rule (of format and times) are read by
//! another, and are there twice, because ids depend on it. Whatever is set for an import, it reads
//! what a process beside it has begun as that one does.

use std::fs::{self, OpenOptions};
use std::io::Write;

use omphalos_tests::Exited;

use super::{Alone, row};

const LINE: &str = "{\"time\":\"2026-11-28 10:00:00\",\"message\":\"a\"}\n";

/// All that may be set for an import.
const SETTINGS: [&[&str]; 5] = [
    &[],
    &["--time-zone", "+05:00"],
    &["--parser", "json"],
    &["--parser", "raw"],
    &["--parser", "combined"],
];

fn count_of(finished: &Exited, name: &str) -> Option<u64> {
    assert_eq!(finished.code, Some(0), "{}", finished.output);
    row(&finished.output, name)
}

#[test]
fn lines_that_a_process_has_shipped_are_there_once_whatever_is_set_for_an_import() {
    let alone = Alone::new();
    let file = alone.directory.path().join("a.log");
    let append = |lines: usize| {
        let log = OpenOptions::new().create(true).append(true).open(&file);
        log.expect("a file").write_all(LINE.repeat(lines).as_bytes()).expect("it is written");
    };
    let run = |arguments: &[&str]| alone.with_state("run").arg(file.display()).args(arguments);
    append(3);
    let mut first = run(&["--parser", "json"]).start();
    alone.elastic().wait_for_count(3);
    assert_eq!(first.terminate(), Some(0));
    append(2);
    let mut second = run(&["--parser", "json", "--time-zone", "+05:00"]).start();
    alone.elastic().wait_for_count(5);
    let import = |path: &std::path::Path, arguments: &[&str]| {
        fs::remove_dir_all(alone.directory.path().join("state/import")).ok();
        alone.with_state("import").arg(path.display()).args(arguments).run()
    };
    let rotated = file.with_extension("log.1");
    fs::copy(&file, &rotated).expect("a copy");
    for path in [&file, &rotated] {
        for arguments in SETTINGS {
            let done = import(path, arguments);
            assert_eq!(count_of(&done, "indexed"), Some(0), "{arguments:?}: {}", done.output);
            assert_eq!(count_of(&done, "duplicate"), Some(5), "{arguments:?}: {}", done.output);
            let both = "parser = \"json\", then parser = \"json\", time_zone = \"+05:00\"";
            let said = if arguments == SETTINGS[1] {
                "were read with parser = \"json\", and are read so again, or they would be there twice; what comes after is read with parser = \"json\", time_zone = \"+05:00\"".to_owned()
            } else if path == &file {
                format!("{}: it was begun with {both}, and is read so to its end", path.display())
            } else {
                // Nobody else reads on in a copy.
                format!(
                    "{}: its lines up to byte 225 were read with {both}, and are read so again",
                    path.display()
                )
            };
            assert!(done.output.contains(&said), "{arguments:?}: {}", done.output);
        }
    }
    assert_eq!(second.terminate(), Some(0));
    // What comes behind is read as the process will.
    append(1);
    let done = import(&file, &["--parser", "raw"]);
    assert_eq!(count_of(&done, "indexed"), Some(1), "{}", done.output);
    let mut third = run(&["--parser", "json", "--time-zone", "+05:00"]).start();
    append(1);
    alone.elastic().wait_for_count(7);
    assert_eq!(third.terminate(), Some(0));
}

/// The kind of fault: what an import remembers is not looked for where it is the only one that does.
#[test]
fn lines_that_only_an_import_has_shipped_are_found_by_an_audit_whatever_is_set_for_it() {
    let (alone, store) = (Alone::new(), Alone::new());
    let mut running = store.with_state("run").start();
    running.wait_for_log("the store in");
    let file = alone.directory.path().join("a.log");
    // Without a time that anybody could know, too.
    fs::write(&file, LINE.repeat(2) + "{\"n\":1}\n").expect("a file");
    let import = alone.with_state("import").arg(file.display());
    let import = import.option("--elasticsearch-url", &store.url).args(["--time-zone", "+05:00"]);
    assert_eq!(count_of(&import.run(), "indexed"), Some(3));
    for arguments in SETTINGS {
        let audit = alone.omphalos("audit").arg(file.display()).args(arguments);
        let audit = audit.option("--state-dir", alone.directory.path().join("state").display());
        let audited = audit.option("--elasticsearch", &store.url).run();
        assert_eq!(count_of(&audited, "found"), Some(3), "{arguments:?}: {}", audited.output);
    }
    assert_eq!(running.terminate(), Some(0));
}
