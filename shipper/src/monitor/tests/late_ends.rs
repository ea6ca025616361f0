//! A first line whose end comes late, where the format of the file is still to be found out.
//!
//! The kind of fault: what is shipped of such a line is made before the choice, and what is made after it
//! has another parser, another time and another id, so one line is there twice. So whatever the line
//! is, and whatever happens between the line and its end, it is one document, and that of the format
//! which the file has when it is read at once. And half a line decides nothing, though it may look like a
//! whole one of another format.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use omphalos_common::config::Period;
use omphalos_parser::ParserKind;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::MultilineKind;

use serde_json::Value;

use super::rig::{Rig, Shipped};

const ACCESS: &str = "198.51.100.1 - - [28/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 10";

/// What may happen between a line and its end.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    Restart,
    Kill,
    KillAfterDelivery,
    Rename,
    RenameWhileStopped,
    Copy,
}

const ALL: [Between; 7] = [
    Between::Nothing,
    Between::Restart,
    Between::Kill,
    Between::KillAfterDelivery,
    Between::Rename,
    Between::RenameWhileStopped,
    Between::Copy,
];

/// How the lines of a file are wrapped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Plain,
    Marked,
    Utf16,
    Indent,
    Docker,
    Cri,
}

const SHAPES: [Shape; 6] =
    [Shape::Plain, Shape::Marked, Shape::Utf16, Shape::Indent, Shape::Docker, Shape::Cri];

impl Shape {
    fn rig(self) -> Rig {
        let mut rig = Rig::new(&["a.log", "a.log.1"]);
        rig.input().unfinished_after = Period(Duration::ZERO);
        rig.input().multiline_timeout = Period(Duration::ZERO);
        let recipe = rig.recipe();
        recipe.parser = ParserKind::Auto;
        recipe.container = match self {
            Self::Docker => Container::Docker,
            Self::Cri => Container::Cri,
            _ => Container::None,
        };
        if self == Self::Indent {
            recipe.multiline = MultilineKind::Indent;
        }
        rig
    }

    fn bytes(self, text: &str) -> Vec<u8> {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        match self {
            Self::Plain | Self::Indent => text.into(),
            Self::Marked => format!("\u{feff}{text}").into(),
            Self::Utf16 => wide(&format!("\u{feff}{text}")),
            Self::Docker => {
                let log = serde_json::to_string(&format!("{text}\n")).unwrap();
                format!(r#"{{"log":{log},"stream":"stdout","time":"2026-11-28T12:00:01Z"}}"#).into()
            }
            Self::Cri => format!("2026-11-28T12:00:01Z stdout F {text}").into(),
        }
    }

    fn end(self) -> &'static [u8] {
        if self == Self::Utf16 { b"\n\0" } else { b"\n" }
    }
}

fn lines() -> Vec<String> {
    vec![
        r#"{"@timestamp":"2026-11-28T10:00:00Z","message":"a"}"#.to_owned(),
        r#"{"message":"without a time"}"#.to_owned(),
        ACCESS.to_owned(),
        format!("{ACCESS} \"-\" \"curl/8\""),
        format!("www.example.com:443 {ACCESS} \"-\" \"curl/8\""),
        "just some text".to_owned(),
        "2026-11-28T10:00:00Z text with a time".to_owned(),
        r#"{"half":"#.to_owned(),
        "198.51.100.1 - - [28/Nov/2026:12:00:01 +0000] \"GET / HT".to_owned(),
        "# a comment".to_owned(),
    ]
}

fn happen(between: Between, rig: &mut Rig) {
    let (path, rotated) = (rig.path("a.log"), rig.path("a.log.1"));
    match between {
        Between::Nothing => {}
        Between::Restart => {
            rig.stop();
            rig.start();
        }
        Between::Kill | Between::KillAfterDelivery => {
            rig.crash();
            rig.start();
        }
        Between::Rename => fs::rename(path, rotated).unwrap(),
        Between::RenameWhileStopped => {
            rig.stop();
            fs::rename(path, rotated).unwrap();
            rig.start();
        }
        Between::Copy => {
            fs::copy(&path, &rotated).unwrap();
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        }
    }
}

fn ids(rig: &Rig) -> BTreeSet<String> {
    rig.shipped.iter().map(|shipped| format!("{:?}", shipped.id)).collect()
}

/// What was made of the line itself.
fn read_as(shipped: &Shipped) -> Value {
    let mut document = shipped.document.clone();
    for name in ["@timestamp", "host", "log"] {
        document.as_object_mut().unwrap().remove(name);
    }
    document
}

/// As what it was read, be it that its end was not there, and all of it is in the message for that.
fn format_of(document: &Value) -> (&Value, bool) {
    let mut tags = document["tags"].as_array().into_iter().flatten();
    (&document["event"]["dataset"], tags.any(|tag| tag == "parse_failure"))
}

/// What a file becomes that has the line and its end from the beginning.
fn at_once(shape: Shape, line: &str) -> Value {
    let mut rig = shape.rig();
    rig.append("a.log", [&shape.bytes(line), shape.end()].concat());
    rig.start();
    rig.settle();
    assert_eq!(rig.shipped.len(), 1, "{shape:?} {line}");
    read_as(&rig.shipped[0])
}

#[test]
fn a_first_line_whose_end_comes_late_is_one_document_of_the_format_of_the_file() {
    for shape in SHAPES {
        for line in lines() {
            let expected = at_once(shape, &line);
            let has_time = line.contains("@timestamp") || line.starts_with(ACCESS);
            let has_time = has_time || matches!(shape, Shape::Docker | Shape::Cri);
            for between in ALL {
                if matches!(between, Between::Copy) && !has_time {
                    // A copy of a part of a line proves nothing.
                    continue;
                }
                let mut rig = shape.rig();
                rig.append("a.log", shape.bytes(&line));
                rig.start();
                if matches!(between, Between::Kill) {
                    rig.look();
                    rig.shipped.extend(rig.held_documents());
                } else {
                    rig.settle();
                }
                happen(between, &mut rig);
                rig.settle();
                let name = if rig.path("a.log.1").exists() { "a.log.1" } else { "a.log" };
                rig.append(name, shape.end());
                rig.settle();
                let what = format!("{shape:?} {between:?} {line}: {:?}", rig.shipped);
                assert_eq!(ids(&rig).len(), 1, "{what}");
                let is_like =
                    |shipped: &Shipped| format_of(&shipped.document) == format_of(&expected);
                assert!(rig.shipped.iter().all(is_like), "{what}");
            }
        }
    }
}

#[test]
fn half_a_line_that_looks_like_a_whole_one_decides_nothing() {
    for shape in [Shape::Plain, Shape::Marked, Shape::Indent] {
        for line in lines() {
            let expected = at_once(shape, &line);
            let (bytes, end) = (shape.bytes(&line), shape.end());
            // Behind what is a line by itself, and somewhere else.
            let places = [ACCESS.len(), line.len() / 2, line.len() - 1];
            for place in places.into_iter().filter(|place| (1..line.len()).contains(place)) {
                let place = bytes.len() - line.len() + place;
                for restarts in [false, true] {
                    let mut rig = shape.rig();
                    rig.append("a.log", &bytes[..place]);
                    rig.start();
                    rig.settle();
                    if restarts {
                        rig.stop();
                        rig.start();
                    }
                    rig.append("a.log", [&bytes[place..], end].concat());
                    rig.append("a.log", [&bytes[bytes.len() - line.len()..], end].concat());
                    rig.settle();
                    let what = format!("{shape:?} {place} {line}: {:?}", rig.shipped);
                    let [.., first, second] = &rig.shipped[..] else { panic!("{what}") };
                    assert_eq!(read_as(first), expected, "{what}");
                    assert_eq!(read_as(second), expected, "{what}");
                }
            }
        }
    }
}
