//! Archives, standard input, charsets, containers and events of several lines, case by case.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use omphalos_common::config::{Period, Size};

use super::rig::Rig;
use crate::monitor::Ended;
use omphalos_parser::ParserKind;
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::MultilineKind;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Lines without a time, so many bytes that they prove a copy.
fn lines(range: std::ops::Range<u32>) -> String {
    range.fold(String::new(), |text, number| format!("{text}line {number} without a time\n"))
}

#[test]
fn archives_are_read_once_and_only_where_they_are_wanted() {
    for (paths, archives, read) in
        [("*", false, 1), ("*", true, 3), ("app.log.2.gz", false, 1), ("app.log.*.zst", false, 1)]
    {
        let mut rig = Rig::new(&[paths]);
        rig.input().archives = archives;
        rig.append("app.log.1", "one\n");
        rig.append("app.log.2.gz", gzip(b"two\n"));
        rig.append("app.log.3.zst", zstd::encode_all(&b"three\n"[..], 1).unwrap());
        rig.start();
        rig.settle();
        assert_eq!(rig.shipped.len(), read, "{paths} {archives}");
        rig.stop();
        rig.start();
        rig.settle();
        assert_eq!(rig.shipped.len(), read, "{paths} {archives}, again");
    }
}

/// Ships 100 lines; then 50 more are written, and the log is rotated, compressed and begun anew with
/// another ten, while nobody looks.
fn compress_while_stopped(rig: &mut Rig) {
    rig.append("app.log", lines(0..100));
    rig.start();
    rig.settle();
    rig.stop();
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.append("app.log.1.gz", gzip(lines(0..150).as_bytes()));
    rig.append("app.log", lines(150..160));
}

#[test]
fn an_archive_of_a_shipped_file_adds_only_what_is_missing() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.input().archives = true;
    compress_while_stopped(&mut rig);
    rig.start();
    rig.settle();
    let counts = rig.counts();
    assert_eq!((rig.shipped.len(), counts.len()), (160, 160));
}

#[test]
fn the_rest_of_a_file_that_was_compressed_is_found_though_archives_are_not_read() {
    let mut rig = Rig::new(&["app.log"]);
    compress_while_stopped(&mut rig);
    rig.append("app.log.2.gz", gzip(b"older\n"));
    rig.start();
    rig.settle();
    assert_eq!(rig.counts().len(), 160);
    assert_eq!(rig.shipped.len(), 160);
}

/// The kind of fault: what is inside an archive is not sought in, so nobody reads again what stands
/// before the place from which on another rule holds.
#[test]
fn directives_hold_behind_a_change_of_what_is_set_in_archives_too() {
    let line = |number| format!("2026-11-28 12:00:0{number} 198.51.100.{number} GET 200\n");
    let begin = format!("#Fields: date time c-ip cs-method sc-status\n{}", line(1));
    let all = (2..6).fold(begin.clone(), |all, number| all + &line(number));
    for name in ["app.log", "app.log.1.gz", "app.log.1.zst"] {
        let mut rig = Rig::new(&["app.log*"]);
        rig.input().archives = true;
        rig.recipe().parser = ParserKind::W3c;
        rig.append("app.log", &begin);
        rig.start();
        rig.settle();
        rig.stop();
        fs::remove_file(rig.path("app.log")).unwrap();
        rig.append(
            name,
            match name.rsplit_once('.').unwrap().1 {
                "gz" => gzip(all.as_bytes()),
                "zst" => zstd::encode_all(all.as_bytes(), 1).unwrap(),
                _ => all.clone().into_bytes(),
            },
        );
        rig.recipe().dataset = Some("shop".to_owned());
        rig.start();
        rig.settle();
        let mut addresses = BTreeMap::new();
        for shipped in &rig.shipped {
            assert!(!shipped.has_tag("parse_failure"), "{name}: {shipped:?}");
            let id = format!("{:?}", shipped.id);
            addresses.insert(id, shipped.document["source"]["ip"].as_str().unwrap().to_owned());
        }
        let mut addresses: Vec<String> = addresses.into_values().collect();
        addresses.sort_unstable();
        let expected: Vec<String> = (1..6).map(|number| format!("198.51.100.{number}")).collect();
        assert_eq!(addresses, expected, "{name}");
    }
}

/// The same of a table, whose first line names the columns and nothing else says so.
#[test]
fn the_first_line_of_a_table_holds_for_all_of_it() {
    let begin = "time,shop\n2026-11-28T12:00:01Z,s1\n";
    // The last one may go on, and is held where it is not the end of an archive.
    let all = format!(
        "{begin}2026-11-28T12:00:02Z,s2\n2026-11-28T12:00:03Z,\"s\n3\"\n2026-11-28T12:00:04Z,last\n"
    );
    for name in ["app.csv", "app.csv.1.gz"] {
        let mut rig = Rig::new(&["app.csv*"]);
        rig.input().archives = true;
        rig.recipe().parser = ParserKind::Csv;
        rig.append("app.csv", begin);
        rig.start();
        rig.settle();
        rig.stop();
        fs::remove_file(rig.path("app.csv")).unwrap();
        rig.append(
            name,
            if name == "app.csv" { all.clone().into_bytes() } else { gzip(all.as_bytes()) },
        );
        rig.start();
        rig.settle();
        rig.stop();
        let shops: BTreeMap<String, String> = rig
            .shipped
            .iter()
            .map(|shipped| {
                assert!(!shipped.has_tag("parse_failure"), "{name}: {shipped:?}");
                (format!("{:?}", shipped.id), shipped.document["shop"].as_str().unwrap().to_owned())
            })
            .collect();
        let mut shops: Vec<String> = shops.into_values().filter(|shop| shop != "last").collect();
        shops.sort_unstable();
        assert_eq!(shops, ["s\n3", "s1", "s2"], "{name}");
    }
}

#[test]
fn a_copy_is_not_done_with_before_its_original_is_delivered() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", lines(0..100));
    rig.start();
    rig.look();
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.look();
    rig.save();
    // What was read of the original is lost with the process, and the original is gone.
    rig.crash();
    rig.start();
    rig.settle();
    assert_eq!(rig.counts().len(), 100);
}

#[test]
fn a_damaged_archive_is_read_up_to_the_damage_and_counted() {
    let mut rig = Rig::new(&["*.gz"]);
    let mut bytes = gzip(lines(0..50_000).as_bytes());
    let middle = bytes.len() / 2;
    bytes[middle..middle + 100].fill(0xff);
    rig.append("app.log.1.gz", bytes);
    rig.start();
    rig.settle();
    // Behind the damage there may be anything, until the archive's checksum tells.
    let read = rig.shipped.len();
    assert_eq!(rig.lines()[..1000], lines(0..1000).lines().collect::<Vec<_>>());
    assert_eq!(rig.metric("archives_damaged"), 1);
    rig.stop();
    rig.start();
    rig.settle();
    assert_eq!(rig.shipped.len(), read);
}

#[test]
fn an_archive_that_ends_in_the_middle_is_read_on_when_it_is_complete() {
    let mut rig = Rig::new(&["*.gz"]);
    let bytes = gzip(lines(0..50_000).as_bytes());
    rig.append("app.log.1.gz", &bytes[..bytes.len() / 2]);
    rig.start();
    rig.settle();
    rig.append("app.log.1.gz", &bytes[bytes.len() / 2..]);
    rig.settle();
    assert_eq!((rig.shipped.len(), rig.counts().len()), (50_000, 50_000));
}

#[test]
fn standard_input_is_read_to_its_end_and_then_everything_is_delivered() {
    let mut rig = Rig::new(&["-"]);
    let (pieces, received) = sync_channel(8);
    rig.pipe = Some(received);
    rig.start();
    pieces.send(Ok(b"one\ntw".to_vec())).unwrap();
    rig.touch("-");
    rig.settle();
    assert_eq!(rig.lines(), ["one"]);
    pieces.send(Ok(b"o\nthree".to_vec())).unwrap();
    drop(pieces);
    rig.touch("-");
    assert_eq!(rig.finish(), Ended::Settled);
    assert_eq!(rig.lines(), ["one", "two", "three"]);
    assert_eq!(rig.shipped[0].document["log"]["file"]["path"], "-");
}

#[test]
fn every_charset_comes_out_as_the_same_text() {
    let text = "naïve ÿ\nzwei\n";
    let utf16: Vec<u8> =
        "\u{feff}naïve ÿ\nzwei\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> =
        text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let marked = format!("\u{feff}{text}").into_bytes();
    for (encoding, bytes) in [
        (EncodingSetting::Auto, text.as_bytes().to_vec()),
        (EncodingSetting::Auto, marked),
        (EncodingSetting::Auto, utf16),
        (EncodingSetting::Latin1, latin),
    ] {
        let mut rig = Rig::new(&["app.log"]);
        rig.recipe().encoding = encoding;
        // In two parts, the second of which begins in the middle of a character.
        rig.append("app.log", &bytes[..bytes.len() - 3]);
        rig.start();
        rig.settle();
        rig.stop();
        rig.append("app.log", &bytes[bytes.len() - 3..]);
        rig.start();
        rig.settle();
        assert_eq!(rig.lines(), ["naïve ÿ", "zwei"], "{encoding:?}");
    }
}

#[test]
fn bytes_that_are_no_characters_stay_visible_and_are_counted() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", b"fine\ncaf\xe9\n");
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), ["fine", "caf\u{fffd}"]);
    assert_eq!(rig.metric("lines_invalid"), 1);
}

const TRACE: &str = "ERROR it failed\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n";

#[test]
fn the_lines_of_an_event_are_one_document() {
    let mut rig = Rig::new(&["app.log"]);
    rig.recipe().multiline = MultilineKind::Java;
    rig.append("app.log", format!("INFO one\n{TRACE}INFO two\n"));
    rig.start();
    rig.settle();
    let trace = TRACE.trim_end();
    assert_eq!(rig.lines(), ["INFO one", trace], "the last one may go on");
    assert_eq!(rig.metric("lines_joined"), 2);
    assert_eq!((rig.metric("lines_read"), rig.metric("lines_held")), (4, 1));
    // What is begun is read again after a crash.
    rig.crash();
    rig.append("app.log", "\tat d.E.f(E.java:2)\nINFO three\n");
    rig.start();
    rig.settle();
    let lines: Vec<String> = rig.counts().into_keys().collect();
    assert_eq!(lines, [trace, "INFO one", "INFO two\n\tat d.E.f(E.java:2)"]);
}

#[test]
fn an_event_that_nothing_follows_is_shipped_after_its_time_and_ends_there_for_ever() {
    let mut rig = Rig::new(&["app.log"]);
    rig.recipe().multiline = MultilineKind::Indent;
    rig.input().multiline_timeout = Period(Duration::ZERO);
    rig.settings.engine.checkpoint_interval = Period(Duration::from_hours(1));
    rig.append("app.log", "one\n  more\n");
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), ["one\n  more"]);
    // Delivered and not saved: the same event comes again, not a longer one.
    rig.append("app.log", "  late\n");
    rig.crash();
    rig.start();
    rig.settle();
    assert!(rig.counts().values().all(|ids| *ids == 1), "{:?}", rig.counts());
    let lines: Vec<String> = rig.counts().into_keys().collect();
    assert_eq!(lines, ["  late", "one\n  more"]);
}

#[test]
fn lines_that_are_held_are_in_a_book_until_they_are_read_and_shipped_when_their_file_is_emptied() {
    let mut rig = Rig::new(&["app.log"]);
    rig.recipe().multiline = MultilineKind::Indent;
    rig.append("app.log", "one\ntwo\n  more\n  and more\n");
    rig.start();
    rig.settle();
    let books = |rig: &Rig| {
        ["lines_read", "documents_in_flight", "lines_joined", "lines_held"]
            .map(|name| rig.metric(name))
    };
    assert_eq!(books(&rig), [1, 1, 0, 3]);
    rig.append("app.log", "three\n");
    rig.settle();
    assert_eq!(books(&rig), [4, 2, 2, 1]);
    // The last one is nowhere else any more.
    fs::write(rig.path("app.log"), "four\n").unwrap();
    rig.settle();
    assert_eq!((books(&rig), rig.metric("bytes_lost")), ([5, 3, 2, 1], 0));
    assert_eq!(rig.lines(), ["one", "two\n  more\n  and more", "three"]);
}

#[test]
fn an_archive_whose_writer_may_not_be_done_is_counted_until_it_is_read() {
    let mut rig = Rig::new(&["*.gz"]);
    let archive = gzip(b"one\n");
    rig.append("app.log.1.gz", &archive);
    rig.archive_quiet = Duration::from_hours(1);
    rig.start();
    rig.look();
    let waiting =
        |rig: &Rig| ["files_waiting ", "files_waiting_bytes "].map(|name| rig.metric(name));
    assert_eq!(waiting(&rig), [1, archive.len() as u64]);
    rig.crash();
    rig.archive_quiet = Duration::ZERO;
    rig.start();
    rig.settle();
    assert_eq!((waiting(&rig), rig.lines()), ([0, 0], vec!["one"]));
}

#[test]
fn an_event_that_is_too_long_is_ended_and_nothing_of_it_is_lost() {
    let mut rig = Rig::new(&["app.log"]);
    rig.recipe().multiline = MultilineKind::Indent;
    rig.recipe().max_line_bytes = Size(1000);
    rig.append("app.log", format!("one\n{}two\n", format!(" {}\n", "x".repeat(98)).repeat(30)));
    rig.start();
    rig.settle();
    let bytes: usize = rig.lines().iter().map(|line| line.len() + 1).sum();
    assert_eq!(bytes, 4 + 30 * 100);
    assert!(rig.lines().iter().all(|line| line.len() <= 1000));
}

#[test]
fn pieces_of_container_lines_are_joined_for_each_stream() {
    let mut rig = Rig::new(&["*.log"]);
    rig.recipe().container = Container::Cri;
    let time = |second: u32| format!("2026-11-22T10:00:{second:02}.5Z");
    let text = format!(
        "{} stdout P first half,\n{} stderr F an error\n{} stdout F second half\n",
        time(1),
        time(2),
        time(3)
    );
    rig.append("cri.log", text);
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), ["an error", "first half,second half"]);
    let streams: Vec<_> =
        rig.shipped.iter().map(|shipped| shipped.document["log"]["iostream"].clone()).collect();
    assert_eq!(streams, ["stderr", "stdout"]);
    assert_eq!(rig.shipped[1].document["@timestamp"], "2026-11-22T10:00:01.500Z");
    // A piece whose rest is still to come is read again after a restart.
    rig.append("cri.log", format!("{} stdout P begun,\n", time(4)));
    rig.settle();
    rig.stop();
    rig.append("cri.log", format!("{} stdout F done\nno container line\n", time(5)));
    rig.start();
    rig.settle();
    assert_eq!(rig.lines()[2..], ["begun,done", "no container line"]);
    assert!(rig.shipped[3].has_tag("parse_failure"));
}

/// Runtimes cut at any byte. What is made into text before it is joined loses the character.
#[test]
fn a_character_that_was_cut_into_pieces_is_whole_again() {
    let text = "a€😀b";
    let docker = |piece: &[u8], is_last: bool| {
        let end = if is_last { &br"\n"[..] } else { b"" };
        [
            br#"{"log":""#,
            piece,
            end,
            br#"","stream":"stdout","time":"2026-11-22T10:00:00Z"}"#,
            b"\n",
        ]
        .concat()
    };
    let cri = |piece: &[u8], is_last: bool| {
        let tag = if is_last { &b"F "[..] } else { b"P " };
        [b"2026-11-22T10:00:00Z stdout ", tag, piece, b"\n"].concat()
    };
    for cut in 0..=text.len() {
        let (first, last) = text.as_bytes().split_at(cut);
        for (container, wrapped) in [
            (Container::Docker, [docker(first, false), docker(last, true)].concat()),
            (Container::Cri, [cri(first, false), cri(last, true)].concat()),
        ] {
            let mut rig = Rig::new(&["*.log"]);
            rig.recipe().container = container;
            rig.append("0.log", wrapped);
            rig.start();
            rig.settle();
            assert_eq!(rig.lines(), [text], "{container:?} at {cut}");
        }
    }
    // What Docker itself replaced is not ours to guess.
    let mut rig = Rig::new(&["*.log"]);
    rig.recipe().container = Container::Docker;
    rig.append("0.log", [docker(br"a\ufffd\ufffd", false), docker(br"\ufffdb", true)].concat());
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), ["a\u{fffd}\u{fffd}\u{fffd}b"]);
}

#[test]
fn docker_lines_are_unwrapped_and_their_events_joined() {
    let mut rig = Rig::new(&["*.log"]);
    rig.recipe().container = Container::Docker;
    rig.recipe().multiline = MultilineKind::Java;
    let wrap = |line: &str| {
        let line = serde_json::json!({ "log": format!("{line}\n"), "stream": "stdout", "time": "2026-11-22T10:00:00Z" });
        format!("{line}\n")
    };
    let text: String = TRACE.lines().chain(["INFO two"]).map(wrap).collect();
    rig.append("docker.log", text);
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), [TRACE.trim_end()]);
}
