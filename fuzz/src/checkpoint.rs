//! What is remembered on disk: the checkpoint of a shipper, and the ledger of a receiver of datagrams.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use omphalos_parser::settings::RecipeSettings;
use omphalos_shipper::monitor::fuzzing::{Rounds, of_text, parse, serialize};
use omphalos_shipper::monitor::{Ended, FileKey, MonitorSettings};
use omphalos_transport::udp::LedgerFile;
use omphalos_transport::udp::fuzzing::{Account, datagram};

use super::{directory, one_of};

const ALL: [fn(&[u8]); 4] = [raw, checksummed, started, ledger];

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    if let Some((what, text)) = data.split_first() {
        one_of(&ALL, *what)(text);
    }
}

/// A file of any bytes.
fn raw(bytes: &[u8]) {
    if let Ok(entries) = parse(bytes) {
        let written = serialize(entries.clone()).expect("it is plain data");
        assert_eq!(parse(&written).expect("it is whole").len(), entries.len());
    }
}

/// A file whose length and checksum fit.
fn checksummed(text: &[u8]) {
    let Ok(mut entries) = parse(&of_text(text)) else { return };
    let written = serialize(entries.clone()).expect("it is plain data");
    entries.sort_by(|left, right| left.path.cmp(&right.path).then(left.key.cmp(&right.key)));
    assert_eq!(parse(&written), Ok(entries));
}

/// What a shipper does whose checkpoint says this of the file that is there.
fn started(text: &[u8]) {
    let Ok(mut entries) = parse(&of_text(text)) else { return };
    let directory = directory();
    let path = directory.path().join("a.log");
    fs::write(&path, "a line\n{\"b\":1}\n127.0.0.1 - - [x]\n").expect("it is written");
    let about = fs::metadata(&path).expect("it is there");
    for entry in entries.iter_mut().take(2) {
        entry.path.clone_from(&path);
        entry.key = FileKey { device: about.dev(), inode: about.ino(), born: None };
    }
    let state = directory.path().join("state");
    fs::create_dir(&state).expect("it is made");
    let bytes = serialize(entries).expect("it is plain data");
    fs::write(state.join("checkpoint"), bytes).expect("it is written");
    let table = MonitorSettings {
        paths: vec![path.display().to_string()],
        recipe: RecipeSettings::default(),
        ..MonitorSettings::default()
    };
    let Some(mut rounds) = Rounds::start(&[table], &PathBuf::from(&state)) else { return };
    let ended = rounds.settle(|_, _| {});
    assert!(!matches!(ended, Some(Ended::Broken(_))), "{ended:?}");
}

/// A ledger of any bytes, and a datagram after it.
fn ledger(bytes: &[u8]) {
    let directory = directory();
    let file = LedgerFile::new(directory.path());
    fs::write(file.path(), bytes).expect("it is written");
    let Ok(Some(ledger)) = file.load() else { return };
    let mut account = Account::restored(ledger);
    for stream in 0..3 {
        for number in [0, 9] {
            let mark = [[0; 8], [0, 0, 0, 0, 0, 0, 0, 9], [1; 8]].concat();
            let mark = datagram(None, 2, (stream, number), &[&mark[..], b"\x02h"].concat());
            let data = datagram(None, 0, (stream, number), b"\0\0\0\0\0\0\0\x01\0\x01\0m");
            for mut bytes in [mark, data] {
                // Refused or taken.
                account.take(None, &mut bytes).ok();
            }
        }
    }
    account.wait(std::time::Duration::from_mins(1));
    file.save(&account.ledger()).expect("it is written");
    assert!(file.load().is_ok_and(|ledger| ledger.is_some()));
}
