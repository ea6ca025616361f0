//! The spool as its callers see it: order, acknowledgement, restarts, limits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::segment::{HEADER_BYTES, RECORD_OVERHEAD};
use super::{AppendError, Spool, SpoolError, SpoolOptions, SpoolReader, SpoolRecord, open};

mod damage;
mod model;

/// A start of the machine.
const BOOT: u64 = 7;
/// Three of the records that [`body`] makes fill a segment of this size.
const SMALL: u64 = HEADER_BYTES + 3 * (RECORD_OVERHEAD + 10);

fn options(directory: &Path, max_bytes: u64, segment_bytes: u64) -> SpoolOptions {
    SpoolOptions { directory: directory.to_owned(), max_bytes, segment_bytes }
}

/// A spool with small segments.
fn small(directory: &Path) -> (Spool, SpoolReader) {
    Spool::open_in_boot(options(directory, 1 << 20, SMALL), BOOT).unwrap()
}

fn body(number: u64) -> Vec<u8> {
    format!("{number:010}").into_bytes()
}

/// Appends records one by one, each with the body of its number.
fn fill(spool: &Spool, count: u64) {
    for _ in 0..count {
        let expected = spool.end();
        let numbers = spool.append([body(expected).as_slice()]).unwrap();
        assert_eq!(numbers, expected..expected + 1);
    }
}

fn take(reader: &mut SpoolReader) -> Option<SpoolRecord> {
    reader.next(Duration::ZERO).unwrap()
}

/// The numbers of all that can be read now; their bodies are checked.
fn drain(reader: &mut SpoolReader) -> Vec<u64> {
    let records = std::iter::from_fn(|| take(reader));
    let checked = records.inspect(|record| assert_eq!(record.body, body(record.number)));
    checked.map(|record| record.number).collect()
}

fn acknowledge(spool: &Spool, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| spool.acknowledge(number));
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "spool")).collect();
    paths.sort();
    paths
}

fn bytes_on_disk(directory: &Path) -> u64 {
    segments(directory).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

fn scanned(spool: &Spool, from: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    let visit = |number, bytes: &[u8]| {
        assert_eq!(bytes, body(number));
        numbers.push(number);
    };
    spool.scan(from, visit).unwrap();
    numbers
}

#[test]
fn records_come_in_order_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    assert_eq!(take(&mut reader), None);
    let group = [body(0), body(1)];
    assert_eq!(spool.append(group.iter().map(Vec::as_slice)).unwrap(), 0..2);
    assert_eq!(spool.append([]).unwrap(), 2..2);
    assert_eq!(drain(&mut reader), [0, 1]);
    fill(&spool, 10);
    assert_eq!(drain(&mut reader), (2..12).collect::<Vec<_>>());
    assert_eq!(take(&mut reader), None);
    assert_eq!((spool.end(), spool.floor(), spool.backlog()), (12, 0, 12));
}

#[test]
fn records_of_any_size_come_back_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) =
        Spool::open_in_boot(options(directory.path(), 1 << 30, 1 << 20), BOOT).unwrap();
    let bodies: Vec<Vec<u8>> = [0, 1, 300, 262_136, 262_137, 3 << 20, 0, 700_000, 5]
        .iter()
        .zip(1u8..)
        .map(|(size, byte)| vec![byte; *size])
        .collect();
    for group in bodies.chunks(2) {
        spool.append(group.iter().map(Vec::as_slice)).unwrap();
    }
    for expected in &bodies {
        assert_eq!(&take(&mut reader).unwrap().body, expected);
    }
    let too_large = vec![0; super::MAX_BODY + 1];
    let error = spool.append([b"fits".as_slice(), &too_large]).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }), "{error}");
    assert_eq!((spool.end(), take(&mut reader)), (9, None));
}

#[test]
fn acknowledgements_in_any_order_move_the_floor() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    fill(&spool, 6);
    drain(&mut reader);
    acknowledge(&spool, [3, 1, 1, 5, 99]);
    assert_eq!((spool.floor(), spool.backlog()), (0, 3));
    acknowledge(&spool, [0, 0]);
    assert_eq!((spool.floor(), spool.backlog()), (2, 2));
    acknowledge(&spool, [4, 2]);
    assert_eq!((spool.floor(), spool.backlog()), (6, 0));
    fill(&spool, 1);
    assert_eq!((spool.floor(), drain(&mut reader)), (6, vec![6]));
}

#[test]
fn a_rewind_repeats_what_is_not_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    fill(&spool, 10);
    assert_eq!(drain(&mut reader).len(), 10);
    acknowledge(&spool, [0, 1, 4, 8]);
    reader.rewind();
    assert_eq!(take(&mut reader).map(|record| record.number), Some(2));
    // Late ones, from before the rewind.
    acknowledge(&spool, [3, 6]);
    assert_eq!(drain(&mut reader), [5, 7, 9]);
}

#[test]
fn what_is_not_acknowledged_is_delivered_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    fill(&spool, 8);
    drain(&mut reader);
    acknowledge(&spool, 0..5);
    spool.save(u64::MAX).unwrap();
    acknowledge(&spool, [5, 7]);
    drop((spool, reader));
    let (spool, mut reader) = small(directory.path());
    assert_eq!((spool.floor(), spool.end(), spool.damaged()), (5, 8, 0));
    assert_eq!(drain(&mut reader), [5, 6, 7]);
    fill(&spool, 2);
    assert_eq!(drain(&mut reader), [8, 9]);
    assert_eq!(spool.bytes(), bytes_on_disk(directory.path()));
}

#[test]
fn acknowledged_segments_are_deleted_and_the_others_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _reader) = small(directory.path());
    fill(&spool, 10);
    assert_eq!(segments(directory.path()).len(), 4);
    acknowledge(&spool, 0..8);
    spool.save(2).unwrap();
    assert_eq!(segments(directory.path()).len(), 4);
    spool.save(4).unwrap();
    assert_eq!(scanned(&spool, 0), (3..10).collect::<Vec<_>>());
    assert_eq!(scanned(&spool, 8), [8, 9]);
    spool.save(u64::MAX).unwrap();
    assert_eq!(scanned(&spool, 0), [6, 7, 8, 9]);
    assert_eq!(spool.bytes(), bytes_on_disk(directory.path()));
    acknowledge(&spool, 8..10);
    spool.save(u64::MAX).unwrap();
    // Only the header of a new one is left.
    assert_eq!((spool.bytes(), bytes_on_disk(directory.path())), (HEADER_BYTES, HEADER_BYTES));
}

#[test]
fn a_full_spool_refuses_until_something_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) =
        Spool::open_in_boot(options(directory.path(), 4 * SMALL, SMALL), BOOT).unwrap();
    let one = RECORD_OVERHEAD + 10;
    while spool.has_room(one) {
        fill(&spool, 1);
    }
    let (end, bytes) = (spool.end(), spool.bytes());
    assert!(bytes > 3 * SMALL && bytes <= 4 * SMALL);
    let group = [body(0), body(1), body(2), body(3)];
    let error = spool.append(group.iter().map(Vec::as_slice)).unwrap_err();
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    assert!(error.to_string().contains(&directory.path().display().to_string()), "{error}");
    assert_eq!((spool.end(), spool.bytes(), bytes_on_disk(directory.path())), (end, bytes, bytes));
    acknowledge(&spool, drain(&mut reader));
    spool.save(u64::MAX).unwrap();
    assert!(spool.has_room(3 * SMALL));
    assert_eq!(spool.append(group.iter().map(Vec::as_slice)).unwrap(), end..end + 4);
}

#[test]
fn a_segment_larger_than_the_spool_allows_is_still_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) =
        Spool::open_in_boot(options(directory.path(), 400, 1 << 30), BOOT).unwrap();
    for round in 0..50 {
        fill(&spool, 6);
        acknowledge(&spool, drain(&mut reader));
        spool.save(u64::MAX).unwrap();
        assert_eq!(spool.floor(), (round + 1) * 6);
    }
}

#[test]
fn numbering_goes_on_after_all_segments_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    fill(&spool, 5);
    acknowledge(&spool, drain(&mut reader));
    spool.save(u64::MAX).unwrap();
    drop((spool, reader));
    let (spool, reader) = small(directory.path());
    assert_eq!((spool.end(), spool.floor(), spool.backlog()), (5, 5, 0));
    drop((spool, reader));
    // Even if someone else deletes them, and records may have been in there.
    for path in segments(directory.path()) {
        fs::remove_file(path).unwrap();
    }
    let (spool, mut reader) = small(directory.path());
    let start = 5 + open::GAP;
    assert_eq!((spool.end(), spool.floor(), spool.backlog()), (start, start, 0));
    fill(&spool, 2);
    assert_eq!(drain(&mut reader), [start, start + 1]);
}

#[test]
fn a_restart_of_the_machine_leaves_a_gap_in_the_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, reader) = small(directory.path());
    fill(&spool, 4);
    drop((spool, reader));
    let reopen = || Spool::open_in_boot(options(directory.path(), 1 << 20, SMALL), BOOT + 1);
    for _ in 0..2 {
        let (spool, mut reader) = reopen().unwrap();
        assert_eq!((spool.end(), spool.backlog(), spool.damaged()), (4 + open::GAP, 4, 0));
        assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
    }
    let (spool, mut reader) = reopen().unwrap();
    fill(&spool, 2);
    let numbers = drain(&mut reader);
    assert_eq!(numbers, [0, 1, 2, 3, 4 + open::GAP, 5 + open::GAP]);
    acknowledge(&spool, numbers);
    assert_eq!((spool.floor(), spool.backlog(), spool.damaged()), (spool.end(), 0, 0));
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/spool");
    let (spool, reader) = Spool::open(options(&path, 1 << 20, SMALL)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let error = Spool::open(options(&path, 1 << 20, SMALL)).unwrap_err();
    assert!(matches!(error, SpoolError::Locked { .. }));
    assert!(error.to_string().contains("deep/spool is in use by another process"), "{error}");
    drop(spool);
    assert!(Spool::open(options(&path, 1 << 20, SMALL)).is_err());
    drop(reader);
    Spool::open(options(&path, 1 << 20, SMALL)).unwrap();
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    fill(&spool, 3);
    // Root may write anywhere, so a directory in the way stands for a disk that refuses.
    let obstacle = directory.path().join("0000000000000003.spool");
    fs::create_dir(&obstacle).unwrap();
    let error = spool.append([body(3).as_slice()]).unwrap_err().to_string();
    assert!(error.contains("create") && error.contains("0000000000000003.spool"), "{error}");
    assert_eq!((spool.end(), drain(&mut reader)), (3, vec![0, 1, 2]));
    fs::remove_dir(&obstacle).unwrap();
    fill(&spool, 3);
    acknowledge(&spool, 0..4);
    fs::create_dir(directory.path().join("floor.new")).unwrap();
    let error = spool.save(u64::MAX).unwrap_err().to_string();
    assert!(error.contains("floor.new"), "{error}");
    // Deleting does not wait for the floor: it may be what makes room for it.
    assert_eq!(scanned(&spool, 0), [3, 4, 5]);
    fs::remove_dir(directory.path().join("floor.new")).unwrap();
    spool.save(u64::MAX).unwrap();
    assert_eq!(drain(&mut reader), [4, 5]);
}

#[test]
fn a_segment_that_cannot_be_deleted_is_counted_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _reader) = small(directory.path());
    fill(&spool, 9);
    acknowledge(&spool, 0..7);
    let obstacle = segments(directory.path()).remove(1);
    fs::remove_file(&obstacle).unwrap();
    fs::create_dir(&obstacle).unwrap();
    let error = spool.save(u64::MAX).unwrap_err().to_string();
    assert!(error.contains("cannot remove") && error.contains("0000000000000003"), "{error}");
    assert_eq!(spool.bytes(), 2 * SMALL);
    fs::remove_dir(&obstacle).unwrap();
    spool.save(u64::MAX).unwrap();
    assert_eq!((spool.bytes(), bytes_on_disk(directory.path())), (SMALL, SMALL));
}

#[test]
fn a_failed_write_leaves_the_spool_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    fill(&spool, 1);
    let path = segments(directory.path()).remove(0);
    let read_only = fs::File::open(&path).unwrap();
    let good = std::mem::replace(&mut spool.shared.writer().file, read_only);
    let error = spool.append([body(1).as_slice()]).unwrap_err();
    assert!(matches!(error, AppendError::Io(_)), "{error}");
    assert!(error.to_string().contains("cannot write") && error.to_string().contains(".spool"));
    assert_eq!((spool.end(), drain(&mut reader)), (1, vec![0]));
    spool.shared.writer().file = good;
    fill(&spool, 5);
    assert_eq!(drain(&mut reader), [1, 2, 3, 4, 5]);
    assert_eq!(spool.bytes(), bytes_on_disk(directory.path()));
}

#[test]
fn a_reader_waits_for_records_and_can_be_woken() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    let long = Duration::from_mins(1);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| (reader.next(long).unwrap(), reader.next(long).unwrap()));
        fill(&spool, 1);
        spool.wake();
        let (first, second) = waiting.join().unwrap();
        // The wake may have been before the first wait or after it.
        let numbers: Vec<_> = [first, second].into_iter().flatten().map(|one| one.number).collect();
        assert_eq!(numbers, [0]);
    });
    assert_eq!(reader.next(Duration::from_millis(1)).unwrap(), None);
    spool.wake();
    assert_eq!(reader.next(long).unwrap(), None);
    // Once.
    let (begin, short) = (Instant::now(), Duration::from_millis(5));
    assert_eq!(reader.next(short).unwrap(), None);
    assert!(begin.elapsed() >= short);
}

#[test]
fn many_threads_append_while_one_reads_and_another_saves() {
    const THREADS: usize = 4;
    const GROUPS: u64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) =
        Spool::open_in_boot(options(directory.path(), 1 << 30, 4096), BOOT).unwrap();
    let begin = Barrier::new(5);
    let total = THREADS as u64 * GROUPS * 3;
    thread::scope(|scope| {
        for writer in 0..THREADS {
            let (spool, begin) = (spool.clone(), &begin);
            scope.spawn(move || {
                begin.wait();
                for group in 0..GROUPS {
                    let bodies = [0, 1, 2].map(|index| format!("{writer} {}", group * 3 + index));
                    let numbers = spool.append(bodies.iter().map(String::as_bytes)).unwrap();
                    assert_eq!(numbers.end - numbers.start, 3);
                }
            });
        }
        begin.wait();
        let mut next_of = [0u64; THREADS];
        for expected in 0..total {
            let record = reader.next(Duration::from_mins(1)).unwrap().unwrap();
            assert_eq!(record.number, expected);
            let text = String::from_utf8(record.body).unwrap();
            let (writer, index) = text.split_once(' ').unwrap();
            let writer: usize = writer.parse().unwrap();
            assert_eq!(index.parse::<u64>().unwrap(), next_of[writer]);
            next_of[writer] += 1;
            spool.acknowledge(expected);
            if expected % 100 == 0 {
                spool.save(u64::MAX).unwrap();
            }
        }
    });
    assert_eq!((spool.floor(), spool.damaged()), (total, 0));
    assert_eq!(spool.bytes(), bytes_on_disk(directory.path()));
}
