//! What servers answer, and what is printed of it.

use omphalos::fuzzing::{audited, line};
use omphalos_common::heartbeat::Heartbeat;
use omphalos_indexer::collector::{FileLetter, Filing};
use omphalos_indexer::elasticsearch::Problem;
use omphalos_indexer::fuzzing::{again, bulk_reply, refusal};
use omphalos_live::{DocumentReader, Filter, Hit};
use serde_json::Value;

use super::{check_document, one_of};

const ALL: [fn(&[u8]); 6] = [bulk, refused, audit, document, heartbeat, second];

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    if let Some((what, body)) = data.split_first() {
        one_of(&ALL, *what)(body);
    }
}

/// To `_bulk`.
fn bulk(body: &[u8]) {
    for documents in 0..4 {
        if let Some((taken, problems)) = bulk_reply(body, documents) {
            assert_eq!(taken + problems.len(), documents);
            problems.iter().for_each(check_problem);
        }
    }
}

/// Anything but success.
fn refused(body: &[u8]) {
    for status in [400, 503] {
        check_problem(&refusal(status, body));
    }
}

fn check_problem(problem: &Problem) {
    let short = problem.in_short();
    assert!(short.to_string().len() <= problem.to_string().len() + 100);
}

/// To `_mget` and to searches of an audit.
fn audit(body: &[u8]) {
    for asked in 0..3 {
        let (found, _) = audited(body, asked);
        assert!(found.is_none_or(|found| found == asked));
    }
}

/// A document that a search found, shown and counted.
fn document(text: &[u8]) {
    let mut reader = DocumentReader::default();
    if let Ok(document) = reader.read(text) {
        let filter = Filter::new("path:/a* AND NOT status:200 error").expect("a filter");
        filter.matches(&document.hit());
        let _: (Option<i64>, Hit<'_>) = (document.time(), document.hit());
    }
    let (Ok(json), Ok(document)) = (std::str::from_utf8(text), serde_json::from_slice(text)) else {
        return;
    };
    let document: Value = document;
    for width in [None, Some(0), Some(1), Some(80)] {
        let line = line(&document, json, width);
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// What a host says of itself, and a line of the file of dead letters.
fn heartbeat(body: &[u8]) {
    if let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(body) {
        let _: [Option<i64>; 2] = [heartbeat.millis(), heartbeat.started_millis()];
        let written = heartbeat.to_json().expect("it is written");
        assert!(serde_json::from_slice::<Heartbeat>(&written).is_ok());
    }
    if let Some(letter) = FileLetter::parse(body) {
        assert!(letter.body().len() <= body.len());
    }
}

/// A document that did not fit its mapping, in the form that does.
fn second(document: &[u8]) {
    // All that comes so far is on one line.
    if document.contains(&b'\n') {
        return;
    }
    let filing =
        Filing { index: "i".into(), dataset: "d".into(), day: None, made_at: Some(1_700_000_000) };
    for reason in ["failed to parse field [@timestamp]", "\u{1b}[31m\n"] {
        let problem = Problem {
            status: 400,
            kind: "document_parsing_exception".to_owned(),
            reason: reason.to_owned(),
        };
        if let Some(form) = again(document, &problem, &filing) {
            check_document(&form);
        }
    }
}
