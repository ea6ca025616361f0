//! What parsing costs: lines in memory become documents in memory, in one thread, whose processor time is
//! taken. Each row is a ratio of two sides that were measured in turn, the best of many each; what one
//! reads is as long as what the other reads, or both are divided by their bytes.

mod lines;

use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};
use omphalos_common::event::DocumentId;
use omphalos_parser::scribe::{Desk, Line, Origin, Recipe};
use omphalos_parser::settings::RecipeSettings;
use omphalos_parser::{Documents, Time};
use serde_json::{Value, json};

use crate::table::Table;
use lines::Lines;

/// So many lines are read at once: as many as a few reads of a file have, which stay in the cache.
const LINES: usize = 4_000;
/// So often each side is measured.
const ROUNDS: usize = 60;
/// The documents of so many bytes are a batch, whose room the next one takes.
const BATCH_BYTES: usize = 256 * 1024;

/// The groups of these are the same: the one is read by the format, the other by the crate alone.
const REGEX: &str = r#"^(?<source.address>\S+) - (?<user.name>\S+) \[(?<time>[^\]]+)\] "(?<http.request.method>[A-Z]+) (?<url.original>\S+) HTTP/(?<http.version>[0-9.]+)" (?<http.response.status_code>[0-9]+) (?<http.response.body.bytes>[0-9]+) "(?<http.request.referrer>[^"]*)" "(?<user_agent.original>[^"]*)"$"#;
const GROK: &str = r#"%{NOTSPACE:source.address} - %{NOTSPACE:user.name} \[%{DATA:time}\] "%{WORD:http.request.method} %{NOTSPACE:url.original} HTTP/%{INT:http.version}\.%{INT}" %{INT:http.response.status_code} %{INT:http.response.body.bytes} "%{DATA:http.request.referrer}" "%{DATA:user_agent.original}""#;
const GROK_ALONE: &str = r#"(\S+) - (\S+) \[(.*?)\] "(\b\w+\b) (\S+) HTTP/([+-]?[0-9]+)\.(?:[+-]?[0-9]+)" ([+-]?[0-9]+) ([+-]?[0-9]+) "(.*?)" "(.*?)""#;

/// Something whose processor time is taken, and how many bytes it reads.
struct Side<'a> {
    name: &'static str,
    bytes: usize,
    run: Box<dyn FnMut() + 'a>,
    best: f64,
}

/// Measures all, and adds the rows.
pub fn measure(table: &mut Table) {
    let lines = Lines::draw(LINES);
    let mut sides = sides(&lines);
    for _ in 0..ROUNDS {
        for side in &mut sides {
            let begun = seconds();
            (side.run)();
            side.best = side.best.min(seconds() - begun);
        }
    }
    let per_byte = |name: &str| {
        let side = sides.iter().find(|side| side.name == name).expect("a side of this name");
        side.best / side.bytes as f64 * 1e9
    };
    let mut row = |what: &str, one: &str, other: &str, target: &str| {
        let (one, other) = (per_byte(one), per_byte(other));
        let details = format!("{one:.2} against {other:.2} ns a byte");
        table.ratio(what, one / other, target, &details);
    };
    row("combined to documents, against finding its blanks and quotes", "combined", "marks", "");
    row("combined by its format string, against built in", "its string", "combined", "≤ 1.1 ×");
    for (name, what) in [
        ("with length", "combined and one variable more, by a format string"),
        ("main", "nginx `main`, by its format string"),
        ("w3c", "w3c, as IIS writes it"),
        ("old syslog", "syslog, RFC 3164"),
        ("new syslog", "syslog, RFC 5424 with structured data"),
        ("logfmt", "logfmt"),
        ("haproxy", "haproxy"),
    ] {
        row(&format!("{what}, against combined"), name, "combined", "≤ 1.3 ×");
    }
    row("JSON to documents, against `simd-json` alone", "json", "simd-json", "≤ 1.5 ×");
    row("`regex`, against the crate alone", "regex", "regex alone", "≤ 1.3 ×");
    row("`grok`, against the crate alone", "grok", "grok alone", "≤ 1.3 ×");
    row("combined with `module`, against without", "module", "combined", "≤ 1.1 ×");
    row("combined with a step `set`, against without", "step", "combined", "");
}

fn sides(lines: &Lines) -> Vec<Side<'_>> {
    let string = |text: &str| json!({"parser": "access", "format": text});
    let combined = &lines.combined;
    let step = json!([{"step": "set", "field": "labels.tier", "value": "front"}]);
    vec![
        side("marks", combined, || {
            black_box(memchr::memchr2_iter(b' ', b'"', combined.as_bytes()).count());
        }),
        format("combined", combined, json!({"parser": "combined"})),
        format("its string", combined, string(lines::COMBINED)),
        format("with length", &lines.with_length, string(lines::WITH_LENGTH)),
        format("main", &lines.main, string(lines::MAIN)),
        format("w3c", &lines.w3c, json!({"parser": "w3c"})),
        format("old syslog", &lines.old_syslog, json!({"parser": "syslog"})),
        format("new syslog", &lines.new_syslog, json!({"parser": "syslog"})),
        format("logfmt", &lines.logfmt, json!({"parser": "logfmt"})),
        format("haproxy", &lines.haproxy, json!({"parser": "haproxy"})),
        format("json", &lines.json, json!({"parser": "json"})),
        side("simd-json", &lines.json, read_json(&lines.json)),
        format("regex", combined, json!({"parser": "regex", "format": REGEX})),
        side("regex alone", combined, matches_of(REGEX, true, combined)),
        format("grok", combined, json!({"parser": "grok", "format": GROK})),
        side("grok alone", combined, matches_of(GROK_ALONE, false, combined)),
        format("module", combined, json!({"parser": "combined", "module": "nginx"})),
        format("step", combined, json!({"parser": "combined", "step": step})),
    ]
}

fn side<'a>(name: &'static str, text: &str, run: impl FnMut() + 'a) -> Side<'a> {
    Side { name, bytes: text.len(), run: Box::new(run), best: f64::INFINITY }
}

/// A format as settings say it, from lines to documents.
fn format<'a>(name: &'static str, text: &'a str, settings: Value) -> Side<'a> {
    let settings: RecipeSettings = serde_json::from_value(settings).expect("settings");
    let recipe = settings.recipe().expect("settings that can be used");
    let (mut documents, mut batch) = (Documents::default(), Batch(Vec::new()));
    side(name, text, move || read(&recipe, text.as_bytes(), &mut documents, &mut batch))
}

fn read(recipe: &Recipe, text: &[u8], documents: &mut Documents, batch: &mut Batch) {
    let origin = Origin {
        host_name: "web1.example.com",
        host_id: "9f86d081884c7d65",
        path: b"/var/log/nginx/access.log",
    };
    let mut scribe = recipe.scribe::<()>(origin);
    let now = jiff::Timestamp::now().as_second();
    scribe.see_written(Some(now));
    let mut begins = 0;
    for line_feed in memchr::memchr_iter(b'\n', text) {
        let end = line_feed + 1;
        let line = Line { bytes: &text[begins..end], offset: begins as u64, is_ascii: true };
        scribe.take(line, &|| (), documents, batch);
        begins = end;
    }
    assert_eq!(scribe.counts.failures, 0, "a line is not understood");
}

/// Where documents are put.
struct Batch(Vec<u8>);

impl Desk for Batch {
    fn put(
        &mut self,
        _: u64,
        own: Option<Time>,
        _: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        if self.0.len() > BATCH_BYTES {
            black_box(&self.0);
            self.0.clear();
        }
        let time = own.expect("each line has a time");
        write(&mut self.0, time, DocumentId::from_bytes([0; 16]));
    }
}

/// The other side of JSON: the values of each line, borrowed from it.
fn read_json(text: &str) -> impl FnMut() {
    let mut buffers = simd_json::Buffers::new(4096);
    let mut line = Vec::new();
    move || {
        for json in text.lines() {
            // It writes into what it reads.
            line.clear();
            line.extend_from_slice(json.as_bytes());
            let value = simd_json::to_borrowed_value_with_buffers(&mut line, &mut buffers);
            black_box(value.expect("JSON"));
        }
    }
}

/// The other side of patterns: where the groups of each line are.
fn matches_of<'a>(pattern: &str, is_unicode: bool, text: &'a str) -> impl FnMut() + use<'a> {
    let mut builder = regex::bytes::RegexBuilder::new(pattern);
    let regex = builder.unicode(is_unicode).build().expect("a regular expression");
    let mut places = regex.capture_locations();
    move || {
        for line in text.lines() {
            assert!(regex.captures_read(&mut places, line.as_bytes()).is_some());
            black_box(&places);
        }
    }
}

/// Processor time of this thread; that of `getrusage` is not exact enough for runs as short as these.
fn seconds() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}
