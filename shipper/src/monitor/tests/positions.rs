//! Whether a position is noticed to belong to other content, and found again where its content is.

use super::*;
use crate::monitor::know::beside::{Beside, Neighbours, Search, find_beside};
use crate::monitor::know::copies::{self, Candidate, Origin, Standing, standing};

/// A file that was read to its end.
fn read_log(content: &str) -> (Log, Tail) {
    let mut log = Log::raw(content);
    let mut tail = log.open();
    log.read(&mut tail).confirm(&mut tail);
    (log, tail)
}

#[test]
fn other_content_is_noticed_whether_shorter_or_longer() {
    for other in
        ["", "f", "First\nsecond\n", "first\nother!\n", "other\n and longer\nthan before\n"]
    {
        let (mut log, mut tail) = read_log("first\nsecond\n");
        log.rewrite(other);
        assert!(!log.fits(&tail.entry(0)), "{other:?}");
        let shipped = log.look(&mut tail);
        assert_eq!((shipped.look, shipped.documents.len()), (Look::Rewritten, 0), "{other:?}");
        assert_eq!(tail.offset(), 13);
    }
}

#[test]
fn other_content_is_noticed_after_a_restart_before_anything_is_confirmed() {
    for other in ["", "fir", "other\n", "other and longer\n"] {
        let mut log = Log::raw("first\n");
        let mut tail = log.open();
        log.read(&mut tail);
        let mut again = log.reopen(&tail.entry(0));
        assert_eq!(again.offset(), 0);
        log.rewrite(other);
        assert_eq!(log.look(&mut again).look, Look::Rewritten, "{other:?}");
    }
}

#[test]
fn the_same_content_written_anew_is_read_on() {
    let (mut log, mut tail) = read_log("first\nsecond\n");
    log.rewrite("first\nsecond\nthird\n");
    assert_eq!(log.read(&mut tail).lines(), ["third"]);
}

#[test]
fn a_file_that_was_empty_has_nothing_to_be_rewritten() {
    let (mut log, mut tail) = read_log("");
    log.rewrite("first\n");
    assert_eq!(log.read(&mut tail).lines(), ["first"]);
}

#[test]
fn the_rest_of_a_truncated_file_is_read_from_its_copy() {
    let (mut log, mut tail) = read_log("first\nsecond\n");
    log.append("third\n");
    let copy = log.path.with_file_name("app.log.1");
    fs::copy(&log.path, &copy).unwrap();
    log.rewrite("new\n");
    assert_eq!(log.look(&mut tail).look, Look::Rewritten);
    let position = tail.entry_at_offset();
    let search = Search {
        standing: &|_| Ok(Standing::Emptied),
        is_taken: &|key| key == log.key(),
        is_permitted: &|_, _| true,
        is_watched: &|_| true,
    };
    let found = find_beside(&position, &search, &mut Neighbours::default()).unwrap();
    let Beside::Found(path, content) = found else { panic!("it is not found") };
    assert_eq!(path, copy);
    let key = content.key().unwrap();
    tail.follow(content).unwrap();
    assert_eq!(log.read(&mut tail).lines(), ["third"]);
    assert_eq!((tail.key, &tail.path), (key, &log.path));
}

#[test]
fn the_position_of_reading_is_ahead_of_what_is_confirmed() {
    let mut log = Log::raw("first\nsecond\n");
    let mut tail = log.open();
    log.read(&mut tail);
    assert_eq!((tail.entry(0).offset, tail.entry_at_offset().offset), (0, 13));
    assert!(log.fits(&tail.entry(0)) && log.fits(&tail.entry_at_offset()));
    // What was read is known, though nothing of it is confirmed.
    log.rewrite("other\nsecond\n");
    assert!(!log.fits(&tail.entry(0)));
}

#[test]
fn an_entry_that_has_seen_nothing_belongs_to_its_own_file_only() {
    let log = Log::raw("");
    let entry = log.open().entry(0);
    let other = log.path.with_file_name("app.log.1");
    fs::write(&other, "first\n").unwrap();
    let mut content = Content::open(&other).unwrap();
    let entries = [entry.clone()];
    let candidate = Candidate { path: &other, key: content.key().unwrap(), modified: 0 };
    let original = copies::find_original(&mut content, candidate, entries.iter()).unwrap();
    assert!(matches!(original, Origin::Own), "{original:?}");
    let same = matching::find_same(&mut content, entry.key, entries.iter()).unwrap();
    assert_eq!(same, Some(&entry));
    let beside = |is_taken: &dyn Fn(FileKey) -> bool| {
        let search = Search {
            standing: &standing,
            is_taken,
            is_permitted: &|_, _| true,
            is_watched: &|_| false,
        };
        match find_beside(&entry, &search, &mut Neighbours::default()).unwrap() {
            Beside::Found(path, _) => Some(path),
            Beside::Nothing | Beside::Unsettled => None,
        }
    };
    assert_eq!(beside(&|key| key == entry.key), None);
    assert_eq!(beside(&|_| false), Some(log.path.clone()));
}

#[test]
fn an_entry_is_not_given_to_a_file_of_another_logical_name() {
    let (log, tail) = read_log("first\n");
    let entries = [tail.entry(0)];
    for (name, is_found) in [("app.log.old", false), ("app.log-20261122", true)] {
        let copy = log.path.with_file_name(name);
        fs::copy(&log.path, &copy).unwrap();
        let search = Search {
            standing: &|_| Ok(Standing::Emptied),
            is_taken: &|key| key == log.key(),
            is_permitted: &|_, _| true,
            is_watched: &|_| true,
        };
        let beside = find_beside(&entries[0], &search, &mut Neighbours::default());
        assert_eq!(matches!(beside.unwrap(), Beside::Found(..)), is_found, "{name}");
    }
}

#[test]
fn an_unfinished_line_that_was_shipped_proves_which_file_it_is() {
    let mut log = Log::raw("first");
    let mut tail = log.open();
    log.read(&mut tail);
    log.ship_unfinished_line(&mut tail).confirm(&mut tail);
    let entry = tail.entry(0);
    log.append(" and more");
    assert!(log.fits(&entry));
    log.rewrite("other content\n");
    assert!(!log.fits(&entry), "its first line would get the time of the old one");
}
