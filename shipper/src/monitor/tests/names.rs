//! What names files and what finds them: names that look like patterns, or are no text.
//!
//! The kind of fault: what a shell hands over as a name is taken for a pattern, or a pattern for a name,
//! and then nothing is read, or another file, and nobody says so.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use omphalos_common::config::path_text;

use super::rig::Rig;
use crate::monitor::Ended;
use crate::monitor::find::discover::Watched;

/// The lines of a single pass over `paths` below a directory that has these files, sorted.
fn pass(paths: &[&str], files: &[&str]) -> (Vec<String>, Ended) {
    let mut rig = Rig::new(paths);
    for file in files {
        rig.append(file, format!("{file}\n"));
    }
    rig.once = true;
    rig.start();
    let ended = rig.finish();
    let mut lines: Vec<String> = rig.lines().into_iter().map(str::to_owned).collect();
    lines.sort_unstable();
    (lines, ended)
}

#[test]
fn what_is_there_is_a_name_and_anything_else_a_pattern() {
    for (path, files, expected) in [
        ("app[1].log", &["app[1].log", "app1.log"][..], &["app[1].log"][..]),
        ("app[1].log", &["app1.log", "app2.log"], &["app1.log"]),
        ("app[12].log", &["app1.log", "app2.log"], &["app1.log", "app2.log"]),
        ("app[.log", &["app[.log"], &["app[.log"]),
        // Whoever can make a file of that name does not hide the others.
        ("*.log", &["*.log", "app.log"], &["*.log", "app.log"]),
        ("a?.log", &["a?.log", "ab.log"], &["a?.log", "ab.log"]),
        ("{a,b}.log", &["a.log", "b.log", "c.log"], &["a.log", "b.log"]),
        ("{a,b}.log", &["a.log", "{a,b}.log"], &["{a,b}.log"]),
        ("{a,b}*.log", &["a1.log", "b2.log", "c.log"], &["a1.log", "b2.log"]),
        ("{4f2a}.log", &["{4f2a}.log"], &["{4f2a}.log"]),
    ] {
        let (lines, ended) = pass(&[path], files);
        assert_eq!(lines, expected, "{path}");
        assert_eq!(ended, Ended::Settled, "{path}");
    }
}

#[test]
fn a_name_with_brackets_is_found_when_it_comes_later() {
    let mut rig = Rig::new(&["app[1].log"]);
    rig.start();
    rig.settle();
    rig.append("app[1].log", "one\n");
    rig.settle();
    rig.append("app[1].log", "two\n");
    rig.settle();
    assert_eq!(rig.lines(), ["one", "two"]);
}

#[test]
fn a_single_pass_names_each_pattern_that_matches_nothing() {
    let (lines, ended) = pass(&["*.log", "*.txt", "{x,y}.out"], &["a.log"]);
    assert_eq!(lines, ["a.log"]);
    let Ended::Incomplete(missed) = ended else { panic!("{ended:?}") };
    assert_eq!(missed.len(), 3, "{missed:?}");
    let expected = ["*.txt: no file matches", "x.out: the file is not", "y.out: the file is not"];
    for (missed, expected) in missed.iter().zip(expected) {
        assert!(missed.contains(expected), "{missed}");
    }
}

/// Nobody who names a directory means nothing.
#[test]
fn a_single_pass_names_each_directory_in_which_nothing_is_to_be_read() {
    for (exclude, files, is_empty) in [
        (&[][..], &[][..], true),
        (&[], &["logs/.hidden"], true),
        (&["*.gz"], &["logs/a.gz"], true),
        (&["*.gz"], &["logs/a.gz", "logs/a.log"], false),
    ] {
        let mut rig = Rig::new(&["another.log", "logs"]);
        rig.append("another.log", "one\n");
        rig.input().exclude = exclude.iter().map(|&pattern| pattern.to_owned()).collect();
        fs::create_dir(rig.path("logs")).unwrap();
        for file in files {
            rig.append(file, "a line\n");
        }
        rig.once = true;
        rig.start();
        let ended = rig.finish();
        let expected = format!("{}: no file to be read is in it", rig.path("logs").display());
        match ended {
            Ended::Incomplete(missed) if is_empty => assert_eq!(missed, [expected], "{files:?}"),
            ended => assert!(!is_empty && ended == Ended::Settled, "{files:?}: {ended:?}"),
        }
        assert_eq!(rig.lines()[0], "one");
    }
}

#[test]
fn what_a_shell_would_replace_is_refused_with_what_to_do() {
    let refused = |path: &str| Watched::new(&[path.to_owned()], &[]).err().unwrap_or_default();
    for path in ["~", "~/app.log", "~root/*.log"] {
        assert!(refused(path).contains("write the whole path"), "{path}: {}", refused(path));
    }
    assert_eq!(refused("~app.log"), "");
    let many = "{a,b}".repeat(20);
    assert!(refused(&many).contains("more patterns than can be looked for"), "{}", refused(&many));
    // A relative pattern is below a directory whose own name is no pattern.
    assert_eq!(refused("*.log"), "");
}

#[test]
fn a_name_that_is_no_text_can_be_given() {
    let mut rig = Rig::new(&["app.log"]);
    let name = OsStr::from_bytes(b"caf\xe9 [1]*.log");
    let path = rig.path("").join(Path::new(name));
    fs::write(&path, "one\n").unwrap();
    rig.append("caf? [1]*.log", "another\n");
    rig.input().paths = vec![path_text(path.as_os_str())];
    rig.once = true;
    rig.start();
    assert_eq!(rig.finish(), Ended::Settled);
    assert_eq!(rig.lines(), ["one"]);
}
