//! What a crash, a bad disk or a careless hand can do to the files.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::spool::open::GAP;
use crate::spool::segment::{self, Beginning, SegmentHeader};

/// Where the first record of a segment begins.
const HEADER: usize = 40;

/// Reopens and reads all, acknowledging it; afterwards the spool must work as if nothing was.
fn survivors(directory: &Path) -> (Vec<u64>, u64) {
    let (spool, mut reader) = small(directory);
    let numbers = drain(&mut reader);
    acknowledge(&spool, numbers.iter().copied());
    let damaged = spool.damaged();
    assert_eq!((spool.backlog(), spool.floor()), (0, spool.end()), "{numbers:?}");
    fill(&spool, 4);
    let end = spool.end();
    assert_eq!(drain(&mut reader), (end - 4..end).collect::<Vec<_>>());
    acknowledge(&spool, end - 4..end);
    spool.save(u64::MAX).unwrap();
    assert_eq!((spool.bytes(), spool.backlog()), (bytes_on_disk(directory), 0));
    (numbers, damaged)
}

fn filled(count: u64) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _reader) = small(directory.path());
    fill(&spool, count);
    directory
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_tail_torn_at_any_byte_ends_at_the_last_good_record() {
    // The record 4 is the second in its segment.
    let whole = usize::try_from(HEADER_BYTES + 2 * (RECORD_OVERHEAD + 10)).unwrap();
    for length in 0..=whole {
        let directory = filled(5);
        let path = segments(directory.path()).pop().unwrap();
        change(&path, |bytes| bytes.truncate(length));
        let expected = match length {
            58..76 => vec![0, 1, 2, 3],
            76 => vec![0, 1, 2, 3, 4],
            _ => vec![0, 1, 2],
        };
        // Behind the header, it is no more than an append that was cut short.
        let damaged = u64::from(length < HEADER);
        assert_eq!(survivors(directory.path()), (expected, damaged), "{length}");
    }
}

#[test]
fn a_tail_torn_by_the_machine_is_damage() {
    let directory = filled(5);
    let path = segments(directory.path()).pop().unwrap();
    change(&path, |bytes| bytes.truncate(70));
    let options = options(directory.path(), 1 << 20, SMALL);
    let (spool, mut reader) = Spool::open_in_boot(options, BOOT + 1).unwrap();
    assert_eq!((drain(&mut reader), spool.damaged()), (vec![0, 1, 2, 3], 1));
}

#[test]
fn a_number_is_not_given_out_again_after_a_damaged_end() {
    let directory = filled(5);
    let path = segments(directory.path()).pop().unwrap();
    change(&path, |bytes| bytes[HEADER + 30] ^= 1);
    for start in 0..3 {
        let (spool, mut reader) = small(directory.path());
        // What was skipped at the first start is known at the others.
        assert_eq!(spool.damaged(), u64::from(start == 0));
        assert_eq!((spool.end(), spool.backlog()), (3 + 1 + GAP, 4));
        assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
    }
}

#[test]
fn damage_in_the_middle_costs_the_rest_of_its_segment_only() {
    let directory = filled(9);
    change(&segments(directory.path())[1], |bytes| bytes[HEADER + 20] ^= 1);
    let (spool, mut reader) = small(directory.path());
    assert_eq!(scanned(&spool, 0), [0, 1, 2, 3, 6, 7, 8]);
    assert_eq!((drain(&mut reader), spool.damaged()), (vec![0, 1, 2, 3, 6, 7, 8], 2));
    reader.rewind();
    assert_eq!((drain(&mut reader), spool.damaged()), (vec![0, 1, 2, 3, 6, 7, 8], 2));
    assert_eq!(spool.backlog(), 7);
    drop((spool, reader));
    assert_eq!(survivors(directory.path()), (vec![0, 1, 2, 3, 6, 7, 8], 2));
}

#[test]
fn a_segment_that_is_gone_or_cut_short_is_passed() {
    for cut in [None, Some(0), Some(10), Some(HEADER_BYTES), Some(HEADER_BYTES + 3)] {
        let directory = filled(9);
        let path = &segments(directory.path())[1];
        match cut {
            None => fs::remove_file(path).unwrap(),
            Some(length) => {
                change(path, |bytes| bytes.truncate(usize::try_from(length).unwrap()));
            }
        }
        assert_eq!(survivors(directory.path()), (vec![0, 1, 2, 6, 7, 8], 3), "{cut:?}");
    }
}

#[test]
fn a_number_in_two_segments_is_delivered_once() {
    let directory = filled(9);
    let other = tempfile::tempdir().unwrap();
    let (spool, _reader) =
        Spool::open_in_boot(options(other.path(), 1 << 20, 1 << 18), BOOT).unwrap();
    fill(&spool, 5);
    fs::copy(&segments(other.path())[0], &segments(directory.path())[0]).unwrap();
    let (spool, reader) = small(directory.path());
    assert_eq!(scanned(&spool, 0), (0..9).collect::<Vec<_>>());
    drop((spool, reader));
    assert_eq!(survivors(directory.path()), ((0..9).collect(), 0));
}

#[test]
fn damage_while_the_spool_is_open_is_passed() {
    for remove in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (spool, mut reader) = small(directory.path());
        fill(&spool, 5);
        let paths = segments(directory.path());
        if remove {
            for path in &paths {
                fs::remove_file(path).unwrap();
            }
        } else {
            for path in &paths {
                change(path, |bytes| bytes[HEADER] ^= 1);
            }
        }
        assert_eq!((take(&mut reader), spool.damaged(), spool.backlog()), (None, 5, 0));
        fill(&spool, 5);
        assert_eq!((drain(&mut reader), spool.floor()), (vec![5, 6, 7, 8, 9], 5));
        acknowledge(&spool, 5..10);
        spool.save(u64::MAX).unwrap();
        assert_eq!(spool.bytes(), bytes_on_disk(directory.path()));
    }
}

#[test]
fn an_empty_segment_that_is_gone_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, mut reader) = small(directory.path());
    for path in segments(directory.path()) {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(take(&mut reader), None);
    fill(&spool, 5);
    assert_eq!((drain(&mut reader), spool.damaged()), (vec![0, 1, 2, 3, 4], 0));
    assert_eq!(spool.bytes(), bytes_on_disk(directory.path()));
}

#[test]
fn a_damaged_floor_repeats_records_and_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, reader) = small(directory.path());
    fill(&spool, 10);
    for floor in [4, 7] {
        acknowledge(&spool, 0..floor);
        spool.save(0).unwrap();
    }
    drop((spool, reader));
    let first_read = || {
        let (spool, mut reader) = small(directory.path());
        assert_eq!(spool.end(), 10);
        drain(&mut reader)[0]
    };
    assert_eq!(first_read(), 7);
    change(&directory.path().join("floor"), |bytes| bytes[17] ^= 1);
    assert_eq!(first_read(), 4);
    change(&directory.path().join("floor.previous"), Vec::clear);
    assert_eq!(first_read(), 0);
}

#[test]
fn a_floor_ahead_of_what_is_left_on_disk_is_kept() {
    let directory = filled(5);
    crate::spool::floor::save(directory.path(), 100).unwrap();
    let (spool, mut reader) = small(directory.path());
    assert_eq!((spool.floor(), spool.end(), spool.backlog()), (100 + GAP, 100 + GAP, 0));
    assert_eq!(take(&mut reader), None);
}

#[test]
fn a_header_of_another_version_is_refused_and_a_damaged_one_is_not_needed() {
    let directory = filled(4);
    let paths = segments(directory.path());
    change(&paths[0], |bytes| bytes[25] ^= 1);
    assert_eq!(survivors(directory.path()).0, [0, 1, 2, 3]);
    let directory = filled(4);
    let path = segments(directory.path()).remove(0);
    change(&path, |bytes| {
        bytes[11] = 2;
        let sum = segment::checksum(&bytes[..36]);
        bytes[36..40].copy_from_slice(&sum);
    });
    let error = Spool::open(options(directory.path(), 1 << 20, SMALL)).unwrap_err().to_string();
    assert!(error.contains("0000000000000000.spool has format version 2"), "{error}");
}

#[test]
fn files_that_are_not_segments_are_left_alone() {
    let directory = filled(4);
    let names = ["0.spool", "000000000000000A.spool", "ffffffffffffffff.spool", "x.spool", "notes"];
    for name in names {
        fs::write(directory.path().join(name), b"mine").unwrap();
    }
    let (spool, mut reader) = small(directory.path());
    assert_eq!(drain(&mut reader), [0, 1, 2, 3]);
    acknowledge(&spool, 0..4);
    spool.save(u64::MAX).unwrap();
    assert!(names.iter().all(|name| directory.path().join(name).exists()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_makes_a_wrong_record(
        changes in proptest::collection::vec((0usize..4, any::<usize>(), 1u8..), 1..6),
        cut in proptest::option::of((0usize..4, any::<usize>())),
    ) {
        let directory = filled(12);
        let paths = segments(directory.path());
        for (segment, at, mask) in changes {
            change(&paths[segment], |bytes| {
                let at = at % bytes.len();
                bytes[at] ^= mask;
            });
        }
        if let Some((segment, at)) = cut {
            change(&paths[segment], |bytes| bytes.truncate(at % bytes.len()));
        }
        // `drain` compares each body.
        let (numbers, _) = survivors(directory.path());
        prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn no_file_makes_the_spool_panic(
        files in proptest::collection::vec(
            (0u64..20, proptest::collection::vec(any::<u8>(), 0..200)), 1..4
        ),
        floor in proptest::collection::vec(any::<u8>(), 0..60),
        headers in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let files: BTreeMap<u64, Vec<u8>> = files.into_iter().collect();
        for (first, bytes) in files {
            if headers {
                segment::create(directory.path(), SegmentHeader { first, after: first, boot: BOOT }).unwrap();
            }
            let path = segment::path(directory.path(), first);
            let mut whole = fs::read(&path).unwrap_or_default();
            whole.extend(bytes);
            fs::write(&path, whole).unwrap();
        }
        fs::write(directory.path().join("floor"), floor).unwrap();
        prop_assert_eq!(survivors(directory.path()).0, Vec::<u64>::new());
    }

    #[test]
    fn no_bytes_make_a_header_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert_eq!(Beginning::read(&bytes, 0), Beginning::Damage);
    }
}
