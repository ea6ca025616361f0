//! Whatever is in a line or a message, it costs about as much as others of its size, and what is made of
//! it is in proportion.

use std::fmt::Write as _;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use omphalos_common::event::DocumentId;
use omphalos_live::{LineReader, Place};
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::{MultilineKind as Kind, Rule};
use omphalos_parser::scribe::{Desk, Finish, Line, Origin, Recipe, Scribe};
use omphalos_parser::{Documents, ParserKind, Time};
use omphalos_tests::worst::{self, BYTES, Worst};
use omphalos_transport::wire::{CONTENT_TYPE_JSON, CONTENT_TYPE_NDJSON, Envelope, decode};

/// A MiB of anything costs at most so many times as much as one of usual lines: it is 9 times for a file of
/// nothing but `#Fields`, 8 for odd names, and less for all others; the rest is for busy machines. What is
/// not linear costs hundreds and thousands of times as much.
const MOST_TIMES: f64 = 20.0;

/// A document is at most so many times as long as its line,
const MOST_ROOM: usize = 4;
/// a control character as JSON is so many bytes more,
const OF_CONTROL: usize = 2;
/// and all that is around a line has so many.
const OF_FRAME: usize = 9 * 1024;

/// Seconds of this thread's CPU that `work` takes: the best of some runs.
fn seconds(mut work: impl FnMut()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
        Duration::from(time).as_secs_f64()
    };
    let mut once = || {
        let begun = now();
        work();
        now() - begun
    };
    // What is slow need not be measured well.
    let first = once();
    if first > 2.0 { first } else { (0..2).map(|_| once()).fold(first, f64::min) }
}

/// Takes documents and looks at how large they are.
#[derive(Default)]
struct Scale {
    document: Vec<u8>,
    documents: usize,
    /// The one that is most out of proportion: its length, and what it may have.
    worst: Option<(usize, usize)>,
}

impl Desk for Scale {
    fn put(
        &mut self,
        _: u64,
        own: Option<Time>,
        text: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        self.document.clear();
        write(
            &mut self.document,
            own.unwrap_or(Time::from_seconds(0)),
            DocumentId::from_bytes([0; 16]),
        );
        self.documents += 1;
        let controls = text.iter().filter(|byte| **byte < 0x20 || **byte == 0x7f).count();
        let most = MOST_ROOM * text.len() + OF_CONTROL * controls + OF_FRAME;
        let found = (self.document.len(), most);
        let is_worse = |(length, most): (usize, usize)| found.0 * most > length * found.1;
        if self.worst.is_none_or(is_worse) {
            self.worst = Some(found);
        }
    }
}

fn recipe(parser: ParserKind) -> Recipe {
    Recipe {
        format: parser.format(),
        dataset: "test".to_owned(),
        encoding: EncodingSetting::Auto,
        container: Container::None,
        multiline: None,
        keep_original: false,
        max_line_bytes: BYTES,
        finish: Finish::default(),
    }
}

/// Reads a file as the monitor does, but for its buffers.
fn read(recipe: &Recipe, text: &[u8]) -> Outcome {
    let origin = Origin { host_name: "web1", host_id: "id", path: b"/x.log" };
    let mut scribe: Scribe<()> = recipe.scribe(origin);
    scribe.see_beginning(text);
    let (mut documents, mut scale) = (Documents::default(), Scale::default());
    let (mut start, mut lines) = (0, 0);
    for end in scribe.charset().line_ends(text) {
        let line = Line { bytes: &text[start..end], offset: start as u64, is_ascii: false };
        scribe.take(line, &|| (), &mut documents, &mut scale);
        (start, lines) = (end, lines + 1);
    }
    scribe.end_all(&mut documents, &mut scale);
    scale.outcome(lines)
}

/// What came of a text.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    /// The length of the document that is most out of proportion, and what it may have.
    worst: (usize, usize),
    /// Lines and documents, whichever are more: each has a price of its own.
    pieces: usize,
}

impl Scale {
    fn outcome(&self, lines: usize) -> Outcome {
        Outcome { worst: self.worst.unwrap_or_default(), pieces: self.documents.max(lines) }
    }
}

/// Compares what a MiB of the worst costs with what so many usual lines do, or as many bytes of them.
fn compare(what: &str, usual: &[u8], worst: &[Worst], mut work: impl FnMut(&[u8]) -> Outcome) {
    let base = seconds(|| _ = work(usual));
    let usual = work(usual).pieces.max(1);
    let mut wrong = String::new();
    for Worst { name, text } in worst {
        let Outcome { worst: (length, most), pieces } = work(text);
        let share = f64::from(u32::try_from(pieces.div_ceil(usual).max(1)).expect("few"));
        let times = seconds(|| _ = work(text)) / (base * share);
        let told = format!("{what}, {name}: {times:.1} times, {length} of {most} bytes");
        println!("{told}");
        if times > MOST_TIMES || length > most {
            writeln!(wrong, "{told}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "too much for one line:\n{wrong}");
}

const ACCESS: &str = "203.0.113.7 - alice [22/Nov/2026:12:15:00 +0100] \"GET /shop/item?id=7&x=%20 HTTP/1.1\" 200 5120 \"https://example.org/\" \"Mozilla/5.0 (X11)\"\n";
const JSON: &str = "{\"@timestamp\":\"2026-11-22T10:00:00.25Z\",\"log\":{\"level\":\"warn\"},\"message\":\"x y\",\"user\":{\"name\":\"a\"},\"labels\":{\"a\":\"b\",\"c\":1},\"n\":17}\n";
const ROW: &str = "2026-11-22 10:00:00 192.0.2.1 GET /a/b/c 200 curl/8.0 more\n";

#[test]
fn no_json_line_costs_more_than_its_length_allows() {
    let recipe = recipe(ParserKind::Json);
    compare("json", &worst::usual(JSON), &worst::json(), |text| read(&recipe, text));
}

#[test]
fn no_access_line_costs_more_than_its_length_allows() {
    for parser in [ParserKind::Clf, ParserKind::Combined, ParserKind::VhostCombined] {
        let recipe = recipe(parser);
        let usual = match parser {
            ParserKind::VhostCombined => format!("h.example {ACCESS}"),
            _ => ACCESS.to_owned(),
        };
        let worst = worst::access();
        compare(parser.name(), &worst::usual(&usual), &worst, |text| read(&recipe, text));
    }
}

#[test]
fn no_w3c_line_costs_more_than_its_length_allows() {
    let head = "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) x-a\n";
    let usual = [head.as_bytes(), &worst::usual(ROW)].concat();
    let recipe = recipe(ParserKind::W3c);
    compare("w3c", &usual, &worst::w3c(), |text| read(&recipe, text));
}

#[test]
fn no_line_of_services_and_tables_costs_more_than_its_length_allows() {
    for (parser, usual, worst) in worst::formats() {
        let recipe = Recipe { multiline: Rule::of_format(parser), ..recipe(parser) };
        compare(parser.name(), usual.as_bytes(), &worst, |text| read(&recipe, text));
    }
}

#[test]
fn no_text_costs_more_than_its_length_allows() {
    let usual = worst::usual(ACCESS);
    for encoding in [EncodingSetting::Utf8, EncodingSetting::Latin1] {
        let recipe = Recipe { encoding, keep_original: true, ..recipe(ParserKind::Raw) };
        // A line is in its document twice then.
        let read = |text: &[u8]| {
            let Outcome { worst: (length, most), pieces } = read(&recipe, text);
            Outcome { worst: (length / 2, most), pieces }
        };
        compare(&format!("{encoding:?}"), &usual, &worst::raw(), read);
    }
    let recipe = Recipe { encoding: EncodingSetting::Utf16Le, ..recipe(ParserKind::Json) };
    let worst: Vec<Worst> = (worst::json().into_iter().chain(worst::raw()))
        .map(|Worst { name, text }| Worst { name, text: worst::utf_16(&text) })
        .collect();
    let usual = worst::utf_16(&worst::usual(JSON));
    compare("UTF-16", &usual, &worst, |text| read(&recipe, text));
}

#[test]
fn no_line_of_a_container_and_none_that_is_joined_costs_more_than_its_length_allows() {
    let docker = "{\"log\":\"a line of some length that is usual\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:00:00Z\"}\n";
    let cri = "2026-11-22T10:00:00Z stdout F a line of some length that is usual\n";
    for (container, usual, worst) in
        [(Container::Docker, docker, worst::docker()), (Container::Cri, cri, worst::cri())]
    {
        let recipe = Recipe { container, ..recipe(ParserKind::Raw) };
        let read = |text: &[u8]| read(&recipe, text);
        compare(&format!("{container:?}"), &worst::usual(usual), &worst, read);
    }
    let usual = "a line of some length that is usual\n\tat a.b.c(D.java:1)\n";
    for kind in [Kind::Indent, Kind::Java, Kind::Python, Kind::Go, Kind::Rust] {
        let multiline = Rule::new(kind, None, None).expect("a rule");
        let recipe = Recipe { multiline, ..recipe(ParserKind::Raw) };
        let read = |text: &[u8]| read(&recipe, text);
        compare(&format!("{kind:?}"), &worst::usual(usual), &worst::joined(), read);
    }
}

#[test]
fn no_line_costs_figures_more_than_its_length_allows() {
    let read = |text: &[u8]| {
        let mut reader = LineReader::new(&ParserKind::Json.format());
        let lines = text.split(|byte| *byte == b'\n');
        let pieces = lines.clone().count();
        for line in lines {
            reader.read(line, &Place::default(), Time::from_seconds(0), |hit| hit.line.len());
        }
        Outcome { pieces, ..Outcome::default() }
    };
    compare("figures", &worst::usual(JSON), &worst::json(), read);
}

#[test]
fn no_document_of_others_costs_more_than_its_length_allows() {
    for content_type in [CONTENT_TYPE_NDJSON, CONTENT_TYPE_JSON] {
        let envelope = Envelope {
            content_type: Some(content_type),
            timestamp: Some(1_700_000_000),
            default_dataset: "external",
            now: 1_700_000_000,
            ..Envelope::default()
        };
        let work = |text: &[u8]| {
            let Ok(parcel) = decode(&envelope, text) else { return Outcome::default() };
            let pieces = parcel.documents.len() + parcel.refused.len();
            Outcome { worst: (parcel.text.len(), text.len() + OF_FRAME * pieces), pieces }
        };
        let usual = match content_type {
            CONTENT_TYPE_JSON => {
                format!("{{\"a\":[{}1]}}", JSON.replace('\n', ",").repeat(BYTES / JSON.len()))
            }
            _ => String::from_utf8(worst::usual(JSON)).expect("text"),
        };
        compare(content_type, usual.as_bytes(), &worst::documents(), work);
    }
}
