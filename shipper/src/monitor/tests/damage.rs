//! Archives that are not whole, or are none.
//!
//! The kind of fault: something cannot be read to its end, and nobody is told. So an archive is cut at
//! every byte, and each of its bytes is changed: a single pass must either give exactly the lines that
//! were packed, or name the file and end as incomplete; what it ships besides true lines is tagged, or
//! comes with a word that it may be wrong.

use std::fs;
use std::io::Write;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::rig::Rig;
use crate::monitor::Ended;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// As the program `zstd` does it: with a checksum.
fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const FIRST: &str = "one line\nand another one\n";
const SECOND: &str = "a third\nthe last line\n";

/// Archives of the same lines, by name, and where each of their members ends.
fn archives() -> Vec<(&'static str, Vec<u8>, Vec<usize>)> {
    let whole = format!("{FIRST}{SECOND}");
    let mut archives = Vec::new();
    for (name, pack) in
        [("app.log.gz", gzip as fn(&[u8]) -> Vec<u8>), ("app.log.zst", zstd as fn(&[u8]) -> _)]
    {
        let (one, two) = (pack(FIRST.as_bytes()), pack(SECOND.as_bytes()));
        archives.push((name, pack(whole.as_bytes()), Vec::new()));
        archives.push((name, [&one[..], &two].concat(), vec![one.len()]));
    }
    archives
}

/// What a single pass makes of a file with these bytes.
fn pass(name: &str, bytes: &[u8]) -> (Rig, Ended) {
    let mut rig = Rig::new(&[name]);
    rig.append(name, bytes);
    rig.once = true;
    rig.start();
    let ended = rig.finish();
    (rig, ended)
}

/// Whether all lines of the archive came out, and nothing was said; otherwise the file must be named.
fn is_whole(rig: &Rig, name: &str, ended: &Ended) -> bool {
    let path = rig.path(name).display().to_string();
    match ended {
        Ended::Settled => {
            let expected: Vec<&str> = FIRST.lines().chain(SECOND.lines()).collect();
            assert_eq!(rig.lines(), expected, "something is missing or wrong, and nobody says so");
            true
        }
        Ended::Incomplete(missed) => {
            assert!(missed.len() == 1 && missed[0].starts_with(&path), "{missed:?}");
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_archive_that_is_cut_at_any_byte_is_named_and_gives_the_lines_before() {
    for (name, bytes, ends) in archives() {
        for length in 0..bytes.len() {
            let (rig, ended) = pass(name, &bytes[..length]);
            let place = format!("{name} cut at {length} of {}", bytes.len());
            if ends.contains(&length) {
                // What ends where a member does is whole.
                assert_eq!(ended, Ended::Settled, "{place}");
                assert_eq!(rig.lines(), FIRST.lines().collect::<Vec<_>>(), "{place}");
                continue;
            }
            assert!(!is_whole(&rig, name, &ended), "{place}");
            let lines: Vec<&str> = FIRST.lines().chain(SECOND.lines()).collect();
            for (shipped, line) in rig.shipped.iter().zip(&lines) {
                let is_begun = shipped.has_tag("unfinished") && line.starts_with(shipped.line());
                assert!(shipped.line() == *line || is_begun, "{place}: {:?}", shipped.line());
            }
            assert!(rig.shipped.len() <= lines.len(), "{place}");
        }
    }
}

#[test]
fn an_archive_with_any_byte_changed_gives_its_lines_or_is_named() {
    for (name, bytes, _) in archives() {
        let mut damaged = 0;
        for place in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] ^= change;
                let (rig, ended) = pass(name, &bytes);
                if is_whole(&rig, name, &ended) {
                    continue;
                }
                damaged += 1;
                let Ended::Incomplete(missed) = &ended else { panic!("{ended:?}") };
                let doubted = missed[0].contains("may be wrong");
                let lines: Vec<&str> = FIRST.lines().chain(SECOND.lines()).collect();
                for shipped in &rig.shipped {
                    let is_true = lines.contains(&shipped.line());
                    let what = format!("{name} changed at {place}: {:?}", shipped.line());
                    assert!(is_true || shipped.has_tag("unfinished") || doubted, "{what}");
                }
            }
        }
        assert!(damaged > bytes.len(), "{name}: only {damaged} were noticed");
    }
}

#[test]
fn what_is_called_an_archive_and_is_none_is_not_read_and_named() {
    let mut tar = vec![0; 1024];
    tar[..7].copy_from_slice(b"app.log");
    tar[257..265].copy_from_slice(b"ustar\x0000");
    tar[512..521].copy_from_slice(b"one line\n");
    for (name, bytes, word) in [
        ("a.log.gz", b"plain text\n".to_vec(), "found 70 6c 61 69"),
        ("a.log.zst", b"plain text\n".to_vec(), "give it a name without .zst"),
        ("a.log.gz", zstd(b"one\n"), "does not begin as such an archive does"),
        ("a.log.gz", vec![0; 100], "found 00 00 00 00"),
        ("a.log.gz", Vec::new(), "ends in the middle"),
        ("a.log.zst", Vec::new(), "ends in the middle"),
        ("a.tar.gz", gzip(&tar), "tar -xf"),
        ("a.tar.zst", zstd(&tar), "tar -xf"),
    ] {
        let (rig, ended) = pass(name, &bytes);
        let Ended::Incomplete(missed) = &ended else { panic!("{name}: {ended:?}") };
        assert!(missed[0].contains(word), "{missed:?}");
        assert!(rig.shipped.is_empty(), "{name}: {:?}", rig.lines());
    }
}

#[test]
fn what_stands_behind_an_archive_is_passed_over_if_it_is_zeros_and_named_otherwise() {
    let whole = gzip(b"one\n");
    for (behind, is_damaged) in [
        (&[0; 1][..], false),
        (&vec![0; 100_000], false),
        (b"garbage", true),
        (b"\0\0\0garbage", true),
        (b"\x1f\x8b", true),
    ] {
        let (rig, ended) = pass("a.log.gz", &[&whole[..], behind].concat());
        assert_eq!(rig.lines(), ["one"], "{behind:?}");
        assert_eq!(matches!(ended, Ended::Incomplete(_)), is_damaged, "{ended:?}");
    }
}

#[test]
fn an_archive_of_a_kind_that_is_not_read_is_named() {
    for name in ["a.log.xz", "a.log.bz2", "a.zip"] {
        let (rig, ended) = pass(name, b"whatever\n");
        let Ended::Incomplete(missed) = &ended else { panic!("{name}: {ended:?}") };
        assert!(missed[0].contains("archives are not read; unpack it"), "{missed:?}");
        assert!(rig.shipped.is_empty());
    }
}

#[test]
fn a_damaged_archive_is_named_by_each_single_pass_and_holds_up_nothing() {
    let mut rig = Rig::new(&["*"]);
    rig.input().archives = true;
    rig.append("a.log.gz", &gzip(b"one\ntwo\n")[..15]);
    rig.append("b.log.gz", "no archive");
    rig.append("c.log", "three\n");
    rig.once = true;
    for _ in 0..2 {
        rig.start();
        let Ended::Incomplete(missed) = rig.finish() else { panic!("nothing was said") };
        assert_eq!(missed.len(), 2, "{missed:?}");
    }
    assert_eq!(rig.counts()["three"], 1);
    // A process that goes on counts what is damaged, and is done with it.
    rig.once = false;
    rig.start();
    rig.settle();
    assert!(rig.metric("archives_damaged") >= 1);
    rig.append("c.log", "four\n");
    rig.settle();
    assert_eq!(rig.counts()["four"], 1);
    assert!(rig.rest() > Duration::ZERO);
    fs::write(rig.path("b.log.gz"), gzip(b"five\n")).unwrap();
    rig.settle();
    assert_eq!(rig.counts()["five"], 1);
}

#[test]
fn a_cut_archive_of_a_file_that_was_read_is_not_waited_for_by_a_single_pass() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.input().archives = true;
    rig.once = true;
    let line = |number: u32| format!("line {number} without a time\n");
    let text = (0..3000).map(line).collect::<Vec<_>>().concat();
    rig.append("app.log", &text);
    rig.start();
    assert_eq!(rig.finish(), Ended::Settled);
    fs::write(rig.path("app.log"), "new\n").unwrap();
    let archive = gzip(text.as_bytes());
    rig.append("app.log.1.gz", &archive[..archive.len() / 2]);
    rig.start();
    let Ended::Incomplete(missed) = rig.finish() else { panic!("nothing was said") };
    assert!(
        missed.len() == 1 && missed[0].contains("the archive ends in the middle"),
        "{missed:?}"
    );
    assert_eq!(rig.counts()["new"], 1);
    assert_eq!(rig.counts().len(), 3001, "no line is there twice");
}

#[test]
fn standard_input_that_cannot_be_read_to_its_end_is_not_taken_for_one_that_ended() {
    let mut rig = Rig::new(&["-"]);
    let (pieces, received) = sync_channel(8);
    rig.pipe = Some(received);
    rig.start();
    pieces.send(Ok(b"one\ntwo".to_vec())).unwrap();
    pieces.send(Err(std::io::ErrorKind::IsADirectory.into())).unwrap();
    drop(pieces);
    rig.touch("-");
    let Ended::Incomplete(missed) = rig.finish() else { panic!("nothing was said") };
    assert_eq!(missed, ["-: is a directory; 2 lines were read of its 7 bytes of text before that"]);
    assert_eq!(rig.lines(), ["one", "two"]);
}

/// The kind of fault: what is no text is read as lines, because its name does not say what it is.
#[test]
fn what_is_no_text_is_refused_by_its_content_whatever_it_is_called() {
    let mut tar = vec![b'a'; 512];
    tar[257..265].copy_from_slice(b"ustar\x0000");
    for (bytes, expected) in [
        (gzip(FIRST.as_bytes()), "compressed with gzip"),
        (zstd(FIRST.as_bytes()), "compressed with zstd"),
        (tar, "it is a tar archive"),
        (b"BZh91AY&SY\x01\x02\n\x03\n".to_vec(), "compressed with bzip2"),
        (b"\xfd7zXZ\x00\x00\n\n".to_vec(), "compressed with xz"),
        (b"PK\x03\x04\n\n".to_vec(), "a zip archive"),
    ] {
        for name in ["app.log", "app.tgz", "app.tar", "app"] {
            let (rig, ended) = pass(name, &bytes);
            assert_eq!(rig.lines(), [""; 0], "{name} {expected}");
            let Ended::Incomplete(missed) = ended else { panic!("{name} {expected}: {ended:?}") };
            let path = rig.path(name).display().to_string();
            assert!(missed.len() == 1 && missed[0].starts_with(&path), "{missed:?}");
            assert!(missed[0].contains(expected) && missed[0].contains("unpack it"), "{missed:?}");
        }
        let mut rig = Rig::new(&["-"]);
        rig.once = true;
        let (pieces, received) = sync_channel(4);
        rig.pipe = Some(received);
        rig.start();
        pieces.send(Ok(bytes)).unwrap();
        drop(pieces);
        rig.touch("-");
        let ended = rig.finish();
        assert_eq!(rig.lines(), [""; 0], "{expected}");
        let Ended::Incomplete(missed) = ended else { panic!("{expected}: {ended:?}") };
        assert!(missed[0].contains("unpack it"), "{missed:?}");
    }
}

#[test]
fn a_file_that_was_refused_is_read_when_it_has_text() {
    let mut rig = Rig::new(&["app.log"]);
    rig.append("app.log", gzip(FIRST.as_bytes()));
    rig.start();
    rig.settle();
    assert_eq!(rig.lines(), [""; 0]);
    fs::write(rig.path("app.log"), FIRST.repeat(20)).unwrap();
    rig.touch("app.log");
    rig.rescan();
    rig.settle();
    assert_eq!(rig.lines().len(), 40);
}
