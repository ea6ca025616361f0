//! What only goes forward (a pipe, a FIFO, a socket, an archive) against a file with the same bytes.
//!
//! The kind of fault: something looks at a place again (a line that was shipped unfinished, an event, a
//! piece of a container's line, padding, half a character), which a file allows and a stream does not.
//! So whatever is written, however it is cut and wherever its writer pauses, a stream must give the very
//! documents of the file, be at rest in each pause, and be over when it ends.

use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use omphalos_common::config::Period;
use omphalos_parser::scribe::multiline::MultilineKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::rig::Rig;
use super::*;
use crate::monitor::Ended;
use crate::monitor::read::content::{Pipe, Window};
use crate::monitor::read::pipe::Piece;
use crate::monitor::read::tail::Waits;

const WAITS: Waits = Waits { event: Duration::from_secs(1), line: Duration::from_secs(1) };
/// Longer than anything waits.
const PAUSE: Duration = Duration::from_hours(1);
/// As small as it may be, so that little is more than it has room for.
const BUFFER_BYTES: usize = 1600;
const MOST_PIECES: usize = 200;

/// What files are like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    Utf16,
    Multiline,
    Cri,
    Docker,
    CriMultiline,
}

const SHAPES: [Shape; 6] =
    [Shape::Plain, Shape::Utf16, Shape::Multiline, Shape::Cri, Shape::Docker, Shape::CriMultiline];

/// What is in them.
#[derive(Debug, Clone)]
enum Item {
    /// A word of so many letters; whether it goes on in the next piece, and its line ends.
    Line {
        letters: usize,
        indented: bool,
        partial: bool,
        ended: bool,
    },
    Empty,
    Nuls(usize),
    Bytes(Vec<u8>),
}

/// What happens when so much is written.
#[derive(Debug, Clone, Copy)]
enum Then {
    Nothing,
    Look,
    Pause,
}

fn item() -> impl Strategy<Value = Item> {
    let letters = prop_oneof![6 => 1usize..30, 1 => 900usize..1100, 1 => 1500usize..4000];
    let line = (letters, any::<bool>(), prop::bool::weighted(0.3), prop::bool::weighted(0.8));
    let line = line.prop_map(|(letters, indented, partial, ended)| Item::Line {
        letters,
        indented,
        partial,
        ended,
    });
    let nuls = prop_oneof![2 => 1usize..8, 3 => 8usize..40, 1 => 1400usize..5000];
    prop_oneof![
        8 => line,
        1 => Just(Item::Empty),
        3 => nuls.prop_map(Item::Nuls),
        1 => vec(any::<u8>(), 1..5).prop_map(Item::Bytes),
    ]
}

fn bytes_of(shape: Shape, items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, item) in items.iter().enumerate() {
        match item {
            Item::Line { letters, indented, partial, ended } => {
                let indent = if *indented { "  " } else { "" };
                let text = format!("{indent}{number}{}", "x".repeat(*letters));
                let time = "2026-11-22T10:00:00Z";
                let line = match shape {
                    Shape::Cri | Shape::CriMultiline => {
                        let tag = if *partial { "P" } else { "F" };
                        let stream = if *letters % 5 == 0 { "stderr" } else { "stdout" };
                        format!("{time} {stream} {tag} {text}")
                    }
                    Shape::Docker => {
                        let end = if *partial { "" } else { "\\n" };
                        format!(r#"{{"log":"{text}{end}","stream":"stdout","time":"{time}"}}"#)
                    }
                    _ => text,
                };
                bytes.extend(line.into_bytes());
                bytes.extend(ended.then_some(b'\n'));
            }
            Item::Empty => bytes.push(b'\n'),
            Item::Nuls(count) => bytes.extend(std::iter::repeat_n(0, *count)),
            Item::Bytes(other) => bytes.extend(other),
        }
    }
    if matches!(shape, Shape::Utf16) {
        let text = String::from_utf8_lossy(&bytes);
        let marked = format!("\u{feff}{text}");
        return marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    }
    bytes
}

fn log_of(shape: Shape) -> Log {
    let mut log = Log::raw("");
    log.buffer_bytes = BUFFER_BYTES;
    log.container = match shape {
        Shape::Cri | Shape::CriMultiline => Container::Cri,
        Shape::Docker => Container::Docker,
        _ => Container::None,
    };
    if matches!(shape, Shape::Multiline | Shape::CriMultiline) {
        log.multiline = Rule::new(MultilineKind::Indent, None, None).unwrap();
    }
    log
}

/// The same bytes as a file and as a stream.
struct Pair {
    log: Log,
    file: Tail,
    stream: Tail,
    writer: Option<SyncSender<Piece>>,
    of_file: Vec<Value>,
    of_stream: Vec<Value>,
    now: Instant,
}

impl Pair {
    fn new(shape: Shape) -> Self {
        let log = log_of(shape);
        let (writer, received) = sync_channel(MOST_PIECES);
        let pipe = Content::Pipe(Window::new(Pipe::new(received)));
        Self {
            file: log.open(),
            stream: log.open_content(&log.path, pipe, None),
            writer: Some(writer),
            log,
            of_file: Vec::new(),
            of_stream: Vec::new(),
            now: Instant::now(),
        }
    }

    fn write(&mut self, piece: &[u8]) {
        if !piece.is_empty() {
            self.log.append(piece);
            self.writer.as_ref().unwrap().send(Ok(piece.to_vec())).unwrap();
        }
    }

    fn look(&mut self) {
        self.of_file.extend(wholes(self.log.read(&mut self.file)));
        self.of_stream.extend(wholes(self.log.read(&mut self.stream)));
    }

    fn pause(&mut self) {
        self.look();
        self.now += PAUSE;
        self.of_file.extend(wholes(due(&mut self.log, &mut self.file, self.now)));
        self.of_stream.extend(wholes(due(&mut self.log, &mut self.stream, self.now)));
    }

    fn end(&mut self) {
        self.writer = None;
        self.look();
        self.of_file.extend(wholes(self.log.ship_unfinished_line(&mut self.file)));
        assert!(self.stream.is_complete(), "the stream ended, and it is not over");
        let more = self.log.ship_unfinished_line(&mut self.stream);
        assert!(more.documents.is_empty(), "something was left behind the end");
    }

    fn compare(&self) {
        compare(&self.of_stream, &self.of_file);
    }
}

fn compare(found: &[Value], expected: &[Value]) {
    assert!(found == expected, "found {:#?}\nexpected {:#?}", brief(found), brief(expected));
}

/// Documents in a few words.
fn brief(documents: &[Value]) -> Vec<String> {
    let shown = |document: &Value| {
        let line: String = text(&document["event"]["original"]).chars().take(20).collect();
        let length = text(&document["event"]["original"]).len();
        let (tags, error) = (&document["tags"], &document["error"]);
        format!("{} {line:?}… {length} {tags} {error}", document["log"]["offset"])
    };
    documents.iter().map(shown).collect()
}

/// Ships what waits for more, as it is done after a pause: there must be nothing then that waits.
fn due(log: &mut Log, tail: &mut Tail, now: Instant) -> Shipped {
    let shipped = log.work(tail, |tail, tools| {
        tail.read_due(now, WAITS, tools).unwrap();
        Look::AtEnd
    });
    let due = tail.due(WAITS);
    assert!(due.is_none_or(|due| due > now), "it wakes the monitor for ever");
    shipped
}

fn wholes(shipped: Shipped) -> impl Iterator<Item = Value> {
    shipped.documents.into_iter().map(|document| document.whole)
}

/// `bytes` in pieces, and what happens after each.
fn pieces<'b>(bytes: &'b [u8], cuts: &[(Index, Then)]) -> Vec<(&'b [u8], Then)> {
    let mut places: Vec<(usize, Then)> =
        cuts.iter().map(|(place, then)| (place.index(bytes.len() + 1), *then)).collect();
    places.sort_by_key(|(place, _)| *place);
    let mut start = 0;
    let mut pieces = Vec::new();
    for (end, then) in places {
        pieces.push((&bytes[start..end], then));
        start = end;
    }
    pieces.push((&bytes[start..], Then::Nothing));
    pieces
}

fn check(shape: Shape, bytes: &[u8], cuts: &[(Index, Then)]) {
    let mut pair = Pair::new(shape);
    for (piece, then) in pieces(bytes, cuts) {
        pair.write(piece);
        match then {
            Then::Nothing => {}
            Then::Look => pair.look(),
            Then::Pause => pair.pause(),
        }
        pair.compare();
    }
    pair.end();
    pair.compare();
}

/// The bytes in an archive of each kind.
fn archives(bytes: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    let gzip = encoder.finish().unwrap();
    [("app.log.gz", gzip), ("app.log.zst", zstd::encode_all(bytes, 1).unwrap())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn a_stream_gives_the_documents_of_a_file_however_it_pauses(
        shape in prop::sample::select(&SHAPES),
        items in vec(item(), 1..10),
        cuts in vec(
            (any::<Index>(), prop::sample::select(&[Then::Nothing, Then::Look, Then::Pause])),
            0..12,
        ),
    ) {
        check(shape, &bytes_of(shape, &items), &cuts);
    }

    #[test]
    fn an_archive_gives_the_documents_of_its_file(
        shape in prop::sample::select(&SHAPES),
        items in vec(item(), 1..10),
    ) {
        let bytes = bytes_of(shape, &items);
        let mut log = log_of(shape);
        log.rewrite(&bytes);
        let mut file = log.open();
        let mut expected: Vec<Value> = wholes(log.read(&mut file)).collect();
        expected.extend(wholes(log.ship_unfinished_line(&mut file)));
        for (name, archive) in archives(&bytes) {
            let path = log.path.with_file_name(name);
            fs::write(&path, archive).unwrap();
            let mut tail = log.open_content(&log.path, Content::open(&path).unwrap(), None);
            let found: Vec<Value> = wholes(log.read(&mut tail)).collect();
            compare(&found, &expected);
            prop_assert!(tail.is_complete());
        }
    }
}

#[test]
fn half_a_line_on_standard_input_is_shipped_after_its_time_and_again_when_it_is_whole() {
    let mut pair = Pair::new(Shape::Plain);
    pair.write(b"before\nWorking ");
    pair.pause();
    pair.write(b"done\nafter");
    pair.end();
    pair.compare();
    let lines: Vec<(&str, bool)> = pair
        .of_stream
        .iter()
        .map(|document| (text(&document["message"]), document["tags"][0] == "unfinished"))
        .collect();
    let expected =
        [("before", false), ("Working ", true), ("Working done", false), ("after", true)];
    assert_eq!(lines, expected);
}

#[test]
fn a_monitor_of_standard_input_ends_by_itself_whatever_stood_at_a_pause_or_at_the_end() {
    let (short, long) = ("x".repeat(100), "x".repeat(70_000));
    for (before, after, documents) in [
        ("one\nhalf ", "a line\ntwo\n", 4),
        ("one\n\0\0", "", 1),
        ("one\0\0\0\0\0\0\0\0\0\0", "", 1),
        ("one\n", "\0\0\0", 1),
        (&short, &long, 2),
        ("", "", 0),
    ] {
        let mut rig = Rig::new(&["-"]);
        rig.input().unfinished_after = Period(Duration::ZERO);
        let (pieces, received) = sync_channel(8);
        rig.pipe = Some(received);
        rig.start();
        for piece in [before, after].into_iter().filter(|piece| !piece.is_empty()) {
            pieces.send(Ok(piece.as_bytes().to_vec())).unwrap();
            rig.touch("-");
            rig.settle();
        }
        drop(pieces);
        rig.touch("-");
        assert_eq!(rig.finish(), Ended::Settled, "{before:?}");
        assert_eq!(rig.shipped.len(), documents, "{before:?}: {:?}", rig.lines());
    }
}
