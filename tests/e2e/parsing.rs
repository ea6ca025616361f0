//! `omphalos parse` prints what `omphalos run` stores, whatever is in the files and in the settings.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use omphalos_tests::Program;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::run::Alone;

/// A document without its time, where that is one of discovery, by its file and offset.
type Documents = BTreeMap<(String, u64), Value>;

const FILES: usize = 80;

/// Pieces of lines of all formats, and what breaks them.
const PIECES: &[&str] = &[
    "203.0.113.7 - alice [22/Nov/2026:12:15:00 +0100] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"curl\"",
    "host.example 203.0.113.7 - - [22/Nov/2026:12:15:01 +0000] \"GET / HTTP/1.0\" 404 - \"x\" \"y\" z",
    "#Fields: date time c-ip cs-method sc-status x-more",
    "#Date: 2026-11-22 10:00:00",
    "2026-11-22 10:00:00 192.0.2.1 GET 200 more",
    "{\"@timestamp\":\"2026-11-22T10:00:00.25Z\",\"level\":\"warn\",\"log\":{\"level\":\"x\"}}",
    "{\"log\":\"from docker\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-22T10:00:00.5Z\"}",
    "{\"log\":\"cut \",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:00:01Z\"}",
    "2026-11-22T10:00:00.500000000+02:00 stdout P begun ",
    "2026-11-22T10:00:00.600000000+02:00 stdout F ended",
    "Exception in thread \"main\" java.lang.IllegalStateException: x",
    "\tat org.example.Main.main(Main.java:1)",
    "Caused by: java.io.IOException",
    "  indented",
    "größe ☃ \"quoted\" \\ back",
    "START of something",
    "x",
    "",
    "\u{1}\u{7f}",
];

#[test]
fn omphalos_parse_prints_what_omphalos_run_stores() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let alone = Alone::new();
    let logs = alone.directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut tables = String::new();
    let mut files = Vec::new();
    for number in 0..FILES {
        let (path, table) = draw(&logs, number, &mut random);
        tables.push_str(&table);
        files.push(path);
    }
    let settings = alone.directory.path().join("omphalos.toml");
    fs::write(&settings, &tables).unwrap();
    let parsed = parsed(&alone, &settings, &files);
    assert!(parsed.len() > FILES, "{} documents", parsed.len());
    let run = alone.with_state("run").option("--config", settings.display()).start();
    alone.elastic().wait_for_count(parsed.len() as u64);
    let stored: Documents =
        alone.elastic().documents(&[]).into_iter().map(|(_, document)| keyed(document)).collect();
    drop(run);
    for (place, document) in &parsed {
        assert_eq!(stored.get(place), Some(document), "seed {seed}, {place:?}\n{tables}");
    }
    assert_eq!(stored.len(), parsed.len(), "seed {seed}\n{tables}");
}

#[test]
fn an_archive_that_ends_in_the_middle_is_named_and_the_exit_code_says_so() {
    let alone = Alone::new();
    let path = alone.directory.path().join("cut.log.gz");
    let lines: Vec<String> =
        (0..20_000).map(|number| format!("{number} {}", number * 7919)).collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(lines.join("\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let output = alone.directory.path().join("parse.out");
    let parse = Program::new("omphalos", &output).arg("parse").arg(path.display());
    let exited = parse.run();
    assert_eq!(exited.code, Some(1), "{}", exited.output);
    assert!(exited.output.contains("the archive ends in the middle"), "{}", exited.output);
    assert!(exited.output.lines().count() > 1000);
}

/// A file, and the `[[monitor]]` table that reads it.
fn draw(logs: &Path, number: usize, random: &mut SmallRng) -> (PathBuf, String) {
    let encoding = *["auto", "utf-8", "latin-1", "utf-16le", "utf-16be"].choose(random).unwrap();
    let is_packed = random.random_ratio(1, 5);
    let path = logs.join(format!("f{number}.log{}", if is_packed { ".gz" } else { "" }));
    let text = content(encoding, random);
    if is_packed {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&text).unwrap();
        fs::write(&path, packed.finish().unwrap()).unwrap();
    } else {
        fs::write(&path, &text).unwrap();
    }
    let parser = ["clf", "combined", "vhost_combined", "w3c", "json", "raw"].choose(random);
    let container = ["none", "none", "docker", "cri"].choose(random);
    let multiline = [
        "multiline = \"none\"",
        "multiline = \"java\"",
        "multiline = \"indent\"",
        "multiline = \"count\"\nmultiline_count = 3",
        "multiline = \"start\"\nmultiline_pattern = \"^[A-Z]\"",
        "multiline = \"continuation\"\nmultiline_pattern = \"^\\\\s\"",
    ];
    let table = format!(
        "[[monitor]]\npaths = [{:?}]\nparser = {:?}\nencoding = {encoding:?}\ncontainer = {:?}\n{}\nkeep_original = {}\nmax_line_bytes = \"{}B\"\nmultiline_timeout = \"200ms\"\nunfinished_after = \"200ms\"\n",
        path.display().to_string(),
        parser.unwrap(),
        container.unwrap(),
        multiline.choose(random).unwrap(),
        random.random_bool(0.5),
        [256, 300, 4096].choose(random).unwrap(),
    );
    (path, table)
}

/// Lines, well formed or not, as bytes of some encoding; sometimes any bytes, marks, padding.
fn content(encoding: &str, random: &mut SmallRng) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..random.random_range(1..12) {
        let repeats = if random.random_ratio(1, 12) { random.random_range(2..40) } else { 1 };
        for _ in 0..repeats {
            text.push_str(PIECES.choose(random).unwrap());
        }
        text.push_str(["\n", "\n", "\n", "\r\n", "\n\n"].choose(random).unwrap());
    }
    if random.random_bool(0.5) {
        text.push_str("a last line without an end");
    }
    if random.random_ratio(1, 3) {
        text.insert(0, '\u{feff}');
    }
    let is_wide = encoding.starts_with("utf-16") || encoding == "auto" && random.random_bool(0.3);
    let mut bytes = match (is_wide, encoding) {
        (true, "utf-16be") => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        (true, _) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        (false, _) => text.into_bytes(),
    };
    for _ in 0..random.random_range(0..3) {
        let at = random.random_range(0..=bytes.len());
        let odd: &[u8] = [&[0xff][..], &[0; 9], &[0], b"\xc3", &[0; 40]].choose(random).unwrap();
        bytes.splice(at..at, odd.iter().copied());
    }
    bytes
}

/// What `omphalos parse` prints for each file, by the tables of `settings`.
fn parsed(alone: &Alone, settings: &Path, files: &[PathBuf]) -> Documents {
    let output = alone.directory.path().join("parse.out");
    let names = files.iter().map(|path| path.display().to_string());
    let parse =
        Program::new("omphalos", &output).arg("parse").option("--config", settings.display());
    let exited = parse.args(names).run();
    assert_eq!(exited.code, Some(0), "{}", exited.output);
    // What is said of files goes to standard error, which is in the same file here.
    let printed = exited.output.lines().filter(|line| line.starts_with('{'));
    printed.map(|line| keyed(serde_json::from_str(line).unwrap())).collect()
}

/// A document by its place. Times near the present are those of discovery.
fn keyed(mut document: Value) -> ((String, u64), Value) {
    let path = document["log"]["file"]["path"].as_str().unwrap().to_owned();
    let offset = document["log"]["offset"].as_u64().unwrap();
    let time = document["@timestamp"].as_str().unwrap();
    let own = time.starts_with("2026-11-22T");
    if !own {
        document.as_object_mut().unwrap().remove("@timestamp");
    }
    ((path, offset), document)
}

#[test]
fn an_offset_west_of_greenwich_needs_no_equals_sign() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.json");
    fs::write(&path, "{\"time\":\"2026-11-28T10:00:00\"}\n").unwrap();
    for flags in [&["--time-zone", "-03:00"][..], &["--time-zone=-03:00"]] {
        let parsed = Program::new("omphalos", &directory.path().join("parse.out"))
            .args(["parse", "--parser", "json"])
            .args(flags)
            .arg(path.display())
            .run();
        assert_eq!(parsed.code, Some(0), "{}", parsed.output);
        assert!(parsed.output.contains("\"2026-11-28T13:00:00Z\""), "{}", parsed.output);
    }
}

/// The kind of fault: what is no text is read as lines, and nobody is told.
#[test]
fn what_is_compressed_and_not_called_so_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"{\"a\":1}\n").unwrap();
    let packed = encoder.finish().unwrap();
    for name in ["a.tgz", "a.log", "a"] {
        let path = directory.path().join(name);
        fs::write(&path, &packed).unwrap();
        let log = directory.path().join("parse.out");
        let parsed = Program::new("omphalos", &log).arg("parse").arg(path.display()).run();
        assert_eq!(parsed.code, Some(1), "{name}: {}", parsed.output);
        assert!(parsed.output.contains("it is compressed with gzip"), "{}", parsed.output);
        assert!(!parsed.output.contains("\"message\""), "{}", parsed.output);
        fs::remove_file(log).unwrap();
    }
    let mut piped = Program::new("omphalos", &directory.path().join("pipe.out"))
        .args(["parse", "-"])
        .piped()
        .start();
    piped.input().write_all(&packed).unwrap();
    assert_eq!(piped.wait().code(), Some(1), "{}", piped.log());
    assert!(piped.log().contains("unpack it before: zcat FILE"), "{}", piped.log());
}

#[test]
fn what_is_compressed_twice_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let inner: [(&[u8], &str); 3] = [
        (&gzip(b"{\"a\":1}\n"), "compressed with gzip as well"),
        (b"PK\x03\x04\x14\x00\n\n", "a zip archive as well"),
        (b"BZh91AY&SY\x00\n", "compressed with bzip2 as well"),
    ];
    for (bytes, said) in inner {
        let path = directory.path().join("a.log.gz");
        fs::write(&path, gzip(bytes)).unwrap();
        let log = directory.path().join("parse.out");
        let parsed = Program::new("omphalos", &log).arg("parse").arg(path.display()).run();
        assert_eq!(parsed.code, Some(1), "{}", parsed.output);
        assert!(parsed.output.contains(said), "{}", parsed.output);
        assert!(!parsed.output.contains("\"message\""), "{}", parsed.output);
        fs::remove_file(log).unwrap();
    }
}
