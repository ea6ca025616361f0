//! How lines are grouped, by each kind; real traces are in [`traces`].

mod traces;

use proptest::prelude::*;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::*;

fn kind(name: &str) -> MultilineKind {
    MultilineKind::deserialize(StrDeserializer::<ValueError>::new(name)).unwrap()
}

fn rule(name: &str) -> Rule {
    let kind = kind(name);
    let (pattern, count) = match kind {
        MultilineKind::Start => (Some(r"^\d{4}-"), None),
        MultilineKind::Continuation => (Some(r"^([ \t]|\.\.\.)"), None),
        MultilineKind::Count => (None, Some(3)),
        _ => (None, None),
    };
    Rule::new(kind, pattern, count).unwrap().unwrap()
}

/// The lines of each event.
fn group<'a>(rule: &Rule, lines: &[&'a [u8]]) -> Vec<Vec<&'a [u8]>> {
    let mut grouping = Grouping::new(rule.clone());
    let mut events: Vec<Vec<&[u8]>> = Vec::new();
    for line in lines {
        if grouping.continues(line) {
            events.last_mut().unwrap().push(line);
        } else {
            events.push(vec![line]);
        }
    }
    events
}

/// The lines of all `events` are grouped to just these.
fn assert_events(name: &str, events: &[&str]) {
    for line_end in ["", "\r"] {
        let text = events.join("\n");
        let lines: Vec<String> = text.split('\n').map(|line| format!("{line}{line_end}")).collect();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let found: Vec<String> = group(&rule(name), &lines)
            .iter()
            .map(|event| String::from_utf8(event.join(&b'\n')).unwrap().replace('\r', ""))
            .collect();
        assert_eq!(found, events, "{name} with {line_end:?}");
    }
}

#[test]
fn kinds_have_their_names() {
    for name in MultilineKind::NAMES {
        assert_eq!(kind(name).name(), *name);
    }
}

#[test]
fn a_match_of_start_begins_an_event() {
    assert_events("start", &["no date\nnor here", "2026-01-01 a\n\n b", "2026-01-02 c", "2026-"]);
}

#[test]
fn a_match_of_continuation_continues() {
    assert_events("continuation", &[" first ever\n...", "a\n b\n... c", "", "d", "e\n\tf"]);
}

#[test]
fn indented_lines_continue() {
    assert_events("indent", &["a", "b\n c\n\td\n ", "", "  behind a blank line\n  e", "f"]);
}

#[test]
fn a_count_of_lines_makes_an_event() {
    assert_events("count", &["1\n\n 3", "4\n5\n6", "7"]);
}

#[test]
fn an_end_from_outside_makes_the_next_line_begin() {
    for name in MultilineKind::NAMES.iter().filter(|name| **name != "none") {
        let mut grouping = Grouping::new(rule(name));
        assert!(!grouping.continues(b" a"), "{name}");
        assert!(grouping.continues(b" b"), "{name}");
        grouping.end();
        assert!(!grouping.continues(b" c"), "{name}");
        assert!(grouping.continues(b" d"), "{name}");
    }
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    use MultilineKind as Kind;
    let refused = |kind, pattern, count| Rule::new(kind, pattern, count).unwrap_err();
    assert!(Rule::new(Kind::None, None, None).unwrap().is_none());
    assert!(Rule::new(Kind::Count, None, Some(2)).unwrap().is_some());
    for pattern in [None, Some("")] {
        assert_eq!(
            refused(Kind::Start, pattern, None),
            "multiline_pattern: expected a regular expression for multiline = \"start\", found none"
        );
    }
    assert_eq!(
        refused(Kind::Continuation, Some("a("), None),
        "multiline_pattern: expected a regular expression, found \"a(\": unclosed group"
    );
    assert_eq!(
        refused(Kind::Start, Some("a{1000}{1000}{1000}"), None),
        "multiline_pattern: expected a regular expression, found \"a{1000}{1000}{1000}\": \
         Compiled regex exceeds size limit of 10485760 bytes."
    );
    assert_eq!(
        refused(Kind::None, Some("a"), None),
        "multiline_pattern: expected none for multiline = \"none\""
    );
    assert_eq!(
        refused(Kind::Java, None, Some(3)),
        "multiline_count: expected none for multiline = \"java\""
    );
    assert_eq!(
        refused(Kind::Count, None, None),
        "multiline_count: expected a number of lines for multiline = \"count\", found none"
    );
    for few in [0, 1] {
        assert_eq!(
            refused(Kind::Count, None, Some(few)),
            format!("multiline_count: expected at least 2, found {few}")
        );
    }
}

/// Lines that mean something to one kind or another, one of each sort.
const LINES: &[&str] = &[
    "",
    " ",
    "\r",
    "2026-01-01 INFO a (b)",
    "plain",
    "\t",
    "  indented",
    "... c",
    "java.lang.Exception: x",
    "\tat A.f(A.java:1)",
    "Caused by: x",
    "Caused by:",
    "Exception in thread \"main\" java.lang.Error",
    "Traceback (most recent call last):",
    "ERROR Traceback (most recent call last):",
    "  + Exception Group Traceback",
    "ValueError: x",
    "Stack (most recent call last):",
    "During handling of the above exception, another exception occurred:",
    "panic: x",
    "fatal error: x",
    "runtime: x",
    "[signal SIGSEGV]",
    "goroutine 1 [running]:",
    "main.main()",
    "runtime stack:",
    "created by main.f",
    "exit status 2",
    "rax 0x1",
    "SIGQUIT: quit",
    "thread 'main' panicked at a.rs:1:1:",
    "thread 'main' panicked at 'x', a.rs:1:1",
    "thread '",
    "stack backtrace:",
    "note: run with `RUST_BACKTRACE=1`",
    "note: x",
    "Error: x",
    "Stack backtrace:",
];

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(LINES).prop_map(|line| line.as_bytes().to_vec());
    let cut = (prop::sample::select(LINES), any::<prop::sample::Index>())
        .prop_map(|(line, end)| line.as_bytes()[..end.index(line.len() + 1)].to_vec());
    prop_oneof![8 => known, 1 => cut, 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

proptest! {
    #[test]
    fn reading_again_from_an_event_gives_the_same_events(
        lines in prop::collection::vec(any_line(), 0..60),
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for name in MultilineKind::NAMES.iter().filter(|name| **name != "none") {
            let rule = rule(name);
            let events = group(&rule, &lines);
            prop_assert_eq!(events.concat(), lines.clone());
            let mut start = 0;
            for (position, event) in events.iter().enumerate() {
                prop_assert_eq!(&group(&rule, &lines[start..]), &events[position..]);
                start += event.len();
            }
        }
    }

    #[test]
    fn an_end_from_outside_is_like_a_new_file(
        lines in prop::collection::vec(any_line(), 0..40),
        end in any::<prop::sample::Index>(),
    ) {
        for name in MultilineKind::NAMES.iter().filter(|name| **name != "none") {
            let mut ended = Grouping::new(rule(name));
            let (before, after) = lines.split_at(end.index(lines.len() + 1));
            for line in before {
                ended.continues(line);
            }
            ended.end();
            let mut fresh = Grouping::new(rule(name));
            for line in after {
                prop_assert_eq!(ended.continues(line), fresh.continues(line));
            }
        }
    }
}
