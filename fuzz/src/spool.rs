//! A spool whose files somebody has damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omphalos_transport::spool::{Spool, SpoolOptions, SpoolReader};

use super::directory;

/// The first bytes say how many records there are, and how many are acknowledged; then comes what is
/// done to the files: which, how, where, and with what.
pub fn run(data: &[u8]) {
    let Some((&[records, acknowledged], mut harms)) = data.split_first_chunk() else { return };
    let directory = directory();
    let mut written = Written::new();
    {
        let Some((spool, _reader)) = open(directory.path()) else { return };
        for number in 0..usize::from(records % 16) {
            let body = vec![b'a' + records % 16; (number * 7) % 40];
            append(&spool, body, &mut written);
        }
        for number in 0..u64::from(acknowledged % 16) {
            spool.acknowledge(number);
        }
        if acknowledged & 0x80 != 0 {
            spool.save(u64::MAX).expect("it is saved");
        }
    }
    while let Some((&[which, how, place, length], behind)) = harms.split_first_chunk() {
        let (text, behind) = behind.split_at(usize::from(length % 64).min(behind.len()));
        harms = behind;
        harm(directory.path(), which, (how, usize::from(place)), text);
    }
    // Twice: what is found at the first start is not lost at the second.
    for _ in 0..2 {
        let Some((spool, mut reader)) = open(directory.path()) else { return };
        let before = drain(&mut reader, &written);
        append(&spool, b"after".to_vec(), &mut written);
        let after = drain(&mut reader, &written);
        assert_eq!(after.len(), 1, "what is appended is delivered");
        for number in before {
            spool.acknowledge(number);
        }
        spool.save(u64::MAX).expect("it is saved");
        let mut last = None;
        spool
            .scan(0, |number, _| {
                assert!(last < Some(number), "records are in order");
                last = Some(number);
            })
            .expect("it is read");
    }
}

fn open(directory: &Path) -> Option<(Spool, SpoolReader)> {
    let directory = directory.to_owned();
    Spool::open(SpoolOptions { directory, max_bytes: 1 << 20, segment_bytes: 120 }).ok()
}

/// What was written under each number: more than one record where the end of a file was cut off so
/// that nothing shows it.
type Written = BTreeMap<u64, Vec<Vec<u8>>>;

fn append(spool: &Spool, body: Vec<u8>, written: &mut Written) {
    let numbers = spool.append([&*body]).expect("there is room");
    written.entry(numbers.start).or_default().push(body);
}

/// Reads all, which must be what was written, each once and in order.
fn drain(reader: &mut SpoolReader, written: &Written) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(record) = reader.next(Duration::ZERO).expect("it is read") {
        let number = record.number;
        let known = written.get(&number).is_some_and(|known| known.contains(&record.body));
        assert!(known, "record {number} is what nobody wrote: {:?}", record.body);
        assert!(numbers.last() < Some(&number), "records come in order");
        numbers.push(number);
    }
    numbers
}

fn harm(directory: &Path, which: u8, (how, place): (u8, usize), text: &[u8]) {
    let files = fs::read_dir(directory).expect("it is there");
    let mut files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.retain(|path| !path.ends_with("lock"));
    if files.is_empty() {
        return;
    }
    let path = &files[usize::from(which) % files.len()];
    let mut bytes = fs::read(path).expect("it is there");
    match how % 6 {
        0 => bytes.truncate(place),
        1 => bytes.extend_from_slice(text),
        2 => {
            let behind = bytes.split_off(place.min(bytes.len()));
            bytes.extend_from_slice(text);
            bytes.extend(behind);
        }
        3 => bytes.iter_mut().skip(place).zip(text).for_each(|(byte, other)| *byte ^= other),
        4 => return fs::remove_file(path).expect("it is removed"),
        _ => {
            let name = format!("{:016x}.spool", (place as u64) << (how / 6));
            return fs::copy(path, directory.join(name)).map(|_| ()).expect("it is copied");
        }
    }
    fs::write(path, bytes).expect("it is written");
}
