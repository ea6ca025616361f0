#![expect(clippy::cast_precision_loss, reason = "numbers of tests are small")]

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;

const CAPACITY: usize = 8;

fn key(text: &[u8]) -> Key<'_> {
    Key::new(xxh3_64(text), text)
}

fn figures(bytes: u64, is_error: bool) -> Figures {
    Figures { bytes, is_error, class: if is_error { 5 } else { 2 }, ..Figures::default() }
}

/// Sums of hits, bytes and errors, and what each may be off by.
type Sums = BTreeMap<String, ([u64; 3], [u64; 3])>;

/// A line: its key, its bytes, and whether it is an error.
type One = (u16, u64, bool);

/// Few keys have most of the lines, and many have one.
fn lines(most: usize) -> impl Strategy<Value = Vec<One>> {
    let number = prop_oneof![0u16..4, 0u16..12, 0u16..2000];
    let bytes = prop_oneof![Just(0), 1u64..100, Just(50_000)];
    prop::collection::vec((number, bytes, prop::bool::weighted(0.1)), 0..most)
}

fn table_of(lines: &[One], capacity: usize) -> Table {
    let mut table = Table::new(capacity);
    for (number, bytes, is_error) in lines {
        table.take(key(number.to_string().as_bytes()), &figures(*bytes, *is_error));
    }
    table
}

/// The sums of each key, as they are.
fn truth(lines: &[One]) -> BTreeMap<String, [u64; 3]> {
    let mut truth = BTreeMap::new();
    for (number, bytes, is_error) in lines {
        let [hits, sum, errors]: &mut [u64; 3] = truth.entry(number.to_string()).or_default();
        (*hits, *sum, *errors) = (*hits + 1, *sum + bytes, *errors + u64::from(*is_error));
    }
    truth
}

fn of_counts(counts: &Counts) -> [u64; 3] {
    [counts.hits, counts.bytes, counts.errors]
}

fn of_over(over: &Over) -> [u64; 3] {
    [over.hits, over.bytes, over.errors]
}

/// What is promised of keys with their sums: what each is off by, and what is not there.
fn check(found: &Sums, floor: Over, lines: &[One], capacity: usize) {
    let truth = truth(lines);
    let floor = of_over(&floor);
    for (text, (sums, over)) in found {
        let real = truth.get(text).copied().unwrap_or_default();
        for measure in 0..3 {
            let (sum, over, real) = (sums[measure], over[measure], real[measure]);
            assert!(sum >= real && sum - over <= real, "{text}: {real} is not in {sum} - {over}");
            assert!(over <= floor[measure], "{text}: {over} is more than the floor");
        }
    }
    for (text, real) in &truth {
        let is_below = (0..3).all(|measure| real[measure] <= floor[measure]);
        assert!(found.contains_key(text) || is_below, "{text} with {real:?} is missing");
    }
    let all = truth.values().fold([0; 3], |all, one| [0, 1, 2].map(|at| all[at] + one[at]));
    let shares = [capacity, capacity / 4, capacity / 4].map(|share| share as u64);
    for measure in 0..3 {
        let share = shares[measure];
        assert!(floor[measure] * share <= all[measure], "{floor:?} of {all:?} is too much");
    }
    if truth.len() <= capacity {
        assert_eq!(floor, [0; 3], "all keys had room");
    }
}

fn sums(table: &Table) -> Sums {
    let name = |key: Key<'_>| String::from_utf8_lossy(key.text).into_owned();
    let entries = table.entries();
    entries
        .map(|(key, entry)| (name(key), (of_counts(&entry.counts), of_over(&entry.over))))
        .collect()
}

fn merged(tables: &[Table]) -> (Sums, Over) {
    let mut merger = Merger::new(Depth::Sums);
    for table in tables {
        merger.add(table, None);
    }
    let floor = merger.floor();
    let name = |key: Key<'_>| String::from_utf8_lossy(key.text).into_owned();
    let merged = merger.finish().into_iter();
    let sums = merged.map(|one| (name(one.key), (of_counts(&one.counts), of_over(&one.over))));
    (sums.collect(), floor)
}

proptest! {
    #[test]
    fn sums_are_within_the_bound_and_what_is_missing_is_below_it(lines in lines(600)) {
        for end in [lines.len() / 3, lines.len()] {
            let mut table = table_of(&lines[..end], CAPACITY);
            check(&sums(&table), table.floor(), &lines[..end], CAPACITY);
            table.seal();
            check(&sums(&table), table.floor(), &lines[..end], CAPACITY);
            prop_assert!(table.entries().count() <= CAPACITY * 3 / 2);
        }
    }

    #[test]
    fn merging_keeps_the_bound(parts in prop::collection::vec(lines(120), 0..8)) {
        let all = parts.concat();
        let mut tables: Vec<Table> = parts.iter().map(|part| table_of(part, CAPACITY)).collect();
        let mut sum = Table::new(CAPACITY);
        for table in &tables {
            sum.add(table);
        }
        check(&sums(&sum), sum.floor(), &all, CAPACITY);
        let (found, floor) = merged(&tables);
        check(&found, floor, &all, CAPACITY);
        // Whether they are small or not makes no difference but for what was let go.
        tables.iter_mut().for_each(Table::seal);
        let (found, floor) = merged(&tables);
        check(&found, floor, &all, CAPACITY);
    }

    #[test]
    fn merged_parts_are_the_whole_where_all_is_exact(parts in prop::collection::vec(lines(60), 0..6)) {
        let whole = table_of(&parts.concat(), 4096);
        let tables: Vec<Table> = parts.iter().map(|part| table_of(part, 4096)).collect();
        let mut sum = Table::new(4096);
        for table in &tables {
            sum.add(table);
        }
        prop_assert_eq!(sums(&sum), sums(&whole));
        prop_assert_eq!(merged(&tables).0, sums(&whole));
    }

    #[test]
    fn merged_sets_of_clients_are_the_whole(parts in prop::collection::vec(prop::collection::vec(0u64..3000, 0..200), 0..6)) {
        let hash = |number: &u64| xxh3_64(&number.to_le_bytes());
        let (mut whole, mut sum) = (Uniques::default(), Uniques::default());
        let (mut few, mut few_sum) = (Clients::default(), Clients::default());
        for part in &parts {
            let (mut uniques, mut clients) = (Uniques::default(), Clients::default());
            for number in part {
                whole.take(hash(number));
                uniques.take(hash(number));
                few.take(hash(number));
                clients.take(hash(number));
            }
            sum.add(&uniques);
            clients.shrink();
            few_sum.add(&clients);
        }
        let real = parts.concat().iter().collect::<HashSet<_>>().len() as u64;
        prop_assert_eq!(sum.count(), whole.count());
        prop_assert_eq!(few_sum.count(), few.count());
        prop_assert!(whole.error() > 0.0 || whole.count() == real);
        prop_assert!(few.error() > 0.0 || few.count() == real);
        prop_assert!(whole.count().abs_diff(real) as f64 <= real as f64 * whole.error() * 5.0 + 0.5);
        prop_assert!(few.count().abs_diff(real) as f64 <= real as f64 * few.error() * 5.0 + 0.5);
    }

    #[test]
    fn times_are_read_back_within_what_is_said(
        mut nanos in prop::collection::vec(prop_oneof![0u64..3000, 1000u64..50_000_000, 0u64..3_600_000_000_000], 1..300),
        split in 0usize..300,
    ) {
        let split = split.min(nanos.len());
        let (mut all, mut keyed) = (Latency::default(), KeyLatency::default());
        for part in [&nanos[..split], &nanos[split..]] {
            let (mut some, mut some_keyed) = (Latency::default(), KeyLatency::default());
            for one in part {
                some.take(*one);
                some_keyed.take(*one, bucket(*one));
            }
            some_keyed.shrink();
            all.add(&some);
            keyed.add(&some_keyed);
        }
        nanos.sort_unstable();
        prop_assert_eq!((all.most(), keyed.most()), (*nanos.last().unwrap(), *nanos.last().unwrap()));
        prop_assert_eq!((all.count(), keyed.count()), (nanos.len() as u64, nanos.len() as u64));
        for of_thousand in [1, 500, 950, 990, 1000] {
            let real = nanos[(nanos.len() * of_thousand).div_ceil(1000) - 1];
            let within = |found: u64, error: f64| {
                // What takes less than a few microseconds is not told apart.
                found.abs_diff(real) as f64 <= real as f64 * error + 2048.0
            };
            let of_thousand = of_thousand as u64;
            prop_assert!(within(all.at(of_thousand), LATENCY_WITHIN), "{} for {real}", all.at(of_thousand));
            prop_assert!(within(keyed.at(of_thousand), KEY_LATENCY_WITHIN), "{} for {real}", keyed.at(of_thousand));
        }
    }
}

#[test]
fn uniques_are_estimated_within_a_few_standard_errors() {
    let (mut all, mut few) = (Uniques::default(), Clients::default());
    let mut next = 1;
    for number in 1..=300_000_u64 {
        let hash = xxh3_64(&number.to_le_bytes());
        all.take(hash);
        few.take(hash);
        if number == next {
            next = next * 5 / 4 + 1;
            let off = |count: u64| count.abs_diff(number) as f64 / number as f64;
            assert!(off(all.count()) <= all.error() * 4.0, "{} for {number}", all.count());
            assert!(off(few.count()) <= few.error() * 4.0, "{} for {number}", few.count());
        }
    }
    assert_eq!(Uniques::default().count(), 0);
}

#[test]
fn long_keys_are_told_apart_by_all_of_their_text() {
    let mut table = Table::new(16);
    let (mut one, mut other) = (vec![b'x'; 1 << 20], vec![b'x'; 1 << 20]);
    (one[1 << 19], other[1 << 19]) = (b'1', b'2');
    let longer = [&one[..], b"x"].concat();
    for text in [&one, &other, &one, &longer] {
        table.take(key(text), &figures(1, false));
    }
    for text in [&b""[..], b"", b"\0", b"\0\0", b"\xff\xfe", "\u{fffd}".as_bytes()] {
        table.take(key(text), &figures(1, false));
    }
    let hits: Vec<u64> = table.entries().map(|(_, entry)| entry.counts.hits).collect();
    assert_eq!(hits, [2, 1, 1, 2, 1, 1, 1, 1]);
    assert!(table.entries().all(|(key, _)| key.text.len() <= 192));
    assert_eq!(table.by_hash(xxh3_64(&other)).unwrap().1.counts.hits, 1);
}

#[test]
fn keys_with_the_same_hash_are_two() {
    let mut table = Table::new(16);
    for text in [b"a", b"b", b"a"] {
        table.take(Key::new(7, text), &figures(1, false));
    }
    let hits: Vec<u64> = table.entries().map(|(_, entry)| entry.counts.hits).collect();
    assert_eq!(hits, [2, 1]);
}
