//! Trains the dictionary of the UDP transport on documents of all our parsers.
//!
//! `cargo run --release --bin dictionary -- transport/src/udp/dictionary/N.zdict`, with the
//! next version for N: a dictionary that was released never changes.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a tool for developers")]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a tool for developers")]

mod lines;

use std::path::PathBuf;

use omphalos_common::clock::now_millis;
use omphalos_common::event::DocumentId;
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::{Desk, Finish, Line, Origin, Recipe};
use omphalos_parser::{Documents, ParserKind, Time};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use lines::Format;

/// Larger ones cost cache and gain little: measured on the bench log.
const SIZE: usize = 32 * 1024;
/// Hosts, each with a file of each format.
const HOSTS: usize = 40;
const LINES: usize = 300;
/// Documents in a sample: about what a datagram holds.
const SAMPLE: usize = 8;

fn main() {
    let path = PathBuf::from(std::env::args().nth(1).expect("the file to write"));
    assert!(!path.exists(), "{} was released; choose the next number", path.display());
    let (mut samples, mut sizes) = (Vec::new(), Vec::new());
    for host in 0..HOSTS {
        for format in Format::ALL {
            for sample in samples_of(host, format) {
                sizes.push(sample.len());
                samples.extend(sample);
            }
        }
    }
    let dictionary = zstd::dict::from_continuous(&samples, &sizes, SIZE).expect("enough samples");
    std::fs::write(&path, &dictionary).expect("a place to write");
    println!(
        "{}: {} bytes, of {} samples of {} bytes on average",
        path.display(),
        dictionary.len(),
        sizes.len(),
        samples.len() / sizes.len()
    );
}

/// Texts as messages have them: a line about the parts, and documents.
fn samples_of(host: usize, format: Format) -> Vec<Vec<u8>> {
    let mut random = SmallRng::seed_from_u64((host * 31 + format as usize) as u64);
    let name = format!("{}-{}", ["web", "app", "db", "edge"][host % 4], host);
    let id = format!("{:032x}", random.random::<u128>());
    let source = format!("{:032x}", random.random::<u128>());
    let file = lines::path(format, host);
    let kind = format.parser();
    let recipe = Recipe {
        format: kind.format(),
        dataset: kind.default_dataset().to_owned(),
        encoding: EncodingSetting::Auto,
        container: Container::None,
        multiline: None,
        keep_original: false,
        max_line_bytes: 1 << 20,
        finish: Finish::default(),
    };
    let origin = Origin { host_name: &name, host_id: &id, path: file.as_bytes() };
    let mut scribe = recipe.scribe::<()>(origin);
    let text = lines::draw(format, LINES, &mut random);
    let (mut page, mut writer, mut offset) = (Page::default(), Documents::default(), 0);
    for line in text.split_inclusive('\n') {
        let line = Line { bytes: line.as_bytes(), offset, is_ascii: false };
        offset += line.bytes.len() as u64;
        scribe.take(line, &|| (), &mut writer, &mut page);
    }
    let documents = page.documents;
    let documents: Vec<&[u8]> = documents.split_inclusive(|byte| *byte == b'\n').collect();
    let mut start = random.random_range(0..10_000_000_u64);
    let mut sample = |documents: &[&[u8]]| {
        let end = start + 200 * documents.len() as u64;
        let part = serde_json::json!({
            "source": source, "path": file, "dataset": kind.default_dataset(),
            "start": start, "end": end, "count": documents.len(),
        });
        let at = 1_750_000_000 + random.random_range(0..100_000_000);
        let head = format!("{{\"v\":1,\"host\":\"{name}\",\"at\":{at},\"parts\":[{part}]}}\n");
        start = end;
        [head.into_bytes(), documents.concat()].concat()
    };
    documents.chunks(SAMPLE).map(&mut sample).collect()
}

/// Keeps documents; a line without a time has that of the line before it, or the present.
#[derive(Default)]
struct Page {
    documents: Vec<u8>,
    last: Option<Time>,
}

impl Desk for Page {
    fn put(
        &mut self,
        _: u64,
        own: Option<Time>,
        _: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        let now = || Time::from_millis(now_millis());
        let time = *self.last.insert(own.or(self.last).unwrap_or_else(now));
        write(&mut self.documents, time, DocumentId::from_bytes([0; 16]));
    }
}

/// The parser of a format.
impl Format {
    fn parser(self) -> ParserKind {
        match self {
            Self::Combined => ParserKind::Combined,
            Self::W3c => ParserKind::W3c,
            Self::Json => ParserKind::Json,
            Self::Raw => ParserKind::Raw,
        }
    }
}
