//! A file keeps the ids that it was begun with, whatever new files get.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use flate2::Compression;
use flate2::write::GzEncoder;
use omphalos_common::ids::{IdKeys, IdMakers, IdScheme};

use super::rig::{Rig, Shipped};
use omphalos_parser::ParserKind;

const OLD: &str = "00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100";

/// A line with a time of its own, and a number.
fn line(number: u32) -> String {
    format!("{{\"time\":\"2026-11-22T00:00:{:02}Z\",\"n\":{number}}}\n", number % 60)
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(line).collect()
}

fn number(shipped: &Shipped) -> i64 {
    shipped.document["n"].as_i64().unwrap()
}

fn rig() -> Rig {
    let mut rig = Rig::new(&["*.log*"]);
    rig.recipe().parser = ParserKind::Json;
    rig.input().archives = true;
    rig
}

/// Names these keys in a file.
fn set_keys(rig: &mut Rig, keys: &[&str]) {
    let path = rig.path("../keys");
    fs::write(&path, keys.join("\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    rig.settings.id_key_file = Some(path);
}

/// How often each line arrived under ids of its own is once, and those ids are made so.
fn assert_made(rig: &Rig, name: &str, first: &str, scheme: IdScheme) {
    let keys = IdKeys::parse(&format!("{OLD}\n{NEW}")).unwrap();
    let makers = IdMakers::new("id1", &keys);
    let maker = makers.of(scheme).unwrap();
    let path = rig.path(name);
    let source = maker.source_id(path.as_os_str().as_encoded_bytes(), first.trim().as_bytes());
    let mut checked = 0;
    for shipped in &rig.shipped {
        let log = &shipped.document["log"];
        if log["file"]["path"].as_str().unwrap().starts_with(path.to_str().unwrap()) {
            let number = number(shipped);
            // Midnight of 2026-11-22.
            let seconds = 1_795_305_600 + number % 60;
            let offset = log["offset"].as_u64().unwrap();
            let id = maker.document_id(source, offset, seconds, shipped.line().as_bytes());
            assert_eq!(shipped.id, id, "{scheme} of {}", shipped.line());
            checked += 1;
        }
    }
    assert!(checked > 0 && rig.counts().values().all(|ids| *ids == 1), "{:?}", rig.counts());
}

fn print_of(key: &str) -> IdScheme {
    IdKeys::parse(key).unwrap().of_new_files()
}

/// What the checkpoint on disk says.
fn checkpoint(rig: &Rig) -> String {
    fs::read_to_string(rig.settings.state_dir.join("checkpoint")).unwrap_or_default()
}

#[test]
fn a_file_of_an_old_checkpoint_keeps_its_ids_to_its_end_and_new_files_get_others() {
    let mut rig = rig();
    rig.settings.id_version = 1;
    rig.append("old.log", lines(0..40));
    rig.start();
    rig.settle();
    rig.append("old.log", lines(40..50));
    rig.look();
    rig.save();
    rig.shipped.extend(rig.held_documents());
    assert!(
        !checkpoint(&rig).contains("id_"),
        "as before there were versions: {}",
        checkpoint(&rig)
    );
    // What was on its way arrived, and is sent again by the new program.
    rig.crash();
    rig.settings.id_version = 2;
    rig.start();
    rig.settle();
    assert_eq!(rig.shipped.len(), 60, "ten lines came again");
    rig.append("old.log", lines(50..55));
    rig.append("new.log", lines(100..140));
    rig.look();
    assert!(rig.has_waited(), "a new file is remembered before anything of it leaves");
    rig.settle();
    rig.stop();
    assert!(checkpoint(&rig).contains("\"id_version\":2"), "{}", checkpoint(&rig));
    rig.start();
    fs::rename(rig.path("old.log"), rig.path("old.log.1")).unwrap();
    rig.append("old.log.1", lines(55..60));
    rig.append("old.log", lines(200..240));
    rig.settle();
    assert_eq!(rig.counts().len(), 60 + 40 + 40);
    let of_new: Vec<_> = rig.shipped.iter().filter(|one| number(one) >= 200).cloned().collect();
    rig.shipped.retain(|one| number(one) < 200);
    assert_made(&rig, "old.log", &line(0), IdScheme::Unkeyed);
    assert_made(&rig, "new.log", &line(100), IdScheme::OfHost);
    rig.shipped = of_new;
    assert_made(&rig, "old.log", &line(200), IdScheme::OfHost);
}

#[test]
fn the_rest_of_an_old_file_has_its_ids_in_a_copy_and_in_an_archive() {
    for is_archive in [false, true] {
        let mut rig = rig();
        rig.settings.id_version = 1;
        rig.append("a.log", lines(0..40));
        rig.start();
        rig.settle();
        rig.stop();
        rig.settings.id_version = 2;
        // Rotated while nobody read it, with lines that nobody has seen.
        let text = lines(0..60);
        if is_archive {
            let file = fs::File::create(rig.path("a.log.1.gz")).unwrap();
            let mut encoder = GzEncoder::new(file, Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap();
        } else {
            fs::write(rig.path("a.log.1"), text).unwrap();
        }
        fs::write(rig.path("a.log"), "").unwrap();
        rig.start();
        rig.settle();
        assert_eq!(rig.shipped.len(), 60, "is_archive: {is_archive}");
        assert_made(&rig, "a.log", &line(0), IdScheme::Unkeyed);
    }
}

#[test]
fn a_key_is_for_files_that_are_begun_with_it() {
    let mut rig = rig();
    set_keys(&mut rig, &[OLD]);
    rig.append("old.log", lines(0..40));
    rig.start();
    rig.look();
    // The key is on disk before a line leaves: it may be another one after a crash.
    assert!(rig.has_waited() && rig.held_documents().len() == 40);
    let print = print_of(OLD).key().unwrap().to_string();
    assert!(checkpoint(&rig).contains(&print), "{}", checkpoint(&rig));
    rig.shipped.extend(rig.held_documents());
    rig.crash();
    set_keys(&mut rig, &[NEW, OLD]);
    rig.append("new.log", lines(100..140));
    rig.start();
    rig.settle();
    assert_eq!((rig.shipped.len(), rig.counts().len()), (120, 80), "forty lines came again");
    assert_made(&rig, "old.log", &line(0), print_of(OLD));
    assert_made(&rig, "new.log", &line(100), print_of(NEW));
}

#[test]
fn a_key_that_is_gone_makes_no_other_ids() {
    let mut rig = rig();
    set_keys(&mut rig, &[OLD]);
    rig.append("old.log", lines(0..40));
    rig.start();
    rig.look();
    rig.crash();
    // The program refuses to start so; this is the monitor alone.
    set_keys(&mut rig, &[NEW]);
    rig.start();
    rig.settle();
    rig.report();
    assert!(rig.shipped.is_empty());
    let trouble = rig.health.problems();
    assert!(
        trouble.iter().any(|text| text.contains("the key of its ids is not known")),
        "{trouble:?}"
    );
}
