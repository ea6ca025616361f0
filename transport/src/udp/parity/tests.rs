use std::collections::{BTreeMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::reader::Refused;
use super::*;

const PLENTY: usize = 64 << 20;

/// A datagram on its way.
#[derive(Debug, Clone)]
enum Sent {
    Data(u64, Vec<u8>),
    Parity(ParityHeader, Vec<u8>),
}

fn share(text: &str) -> ParityShare {
    text.parse().unwrap()
}

/// What `writer` makes of these bodies as one group: the data datagrams, then the parity.
fn send(writer: &mut GroupWriter, first: u64, bodies: &[Vec<u8>]) -> Vec<Sent> {
    let mut sent = Vec::new();
    for (number, body) in (0..).map(|index| first.wrapping_add(index)).zip(bodies) {
        assert!(writer.push(number, body));
        sent.push(Sent::Data(number, body.clone()));
    }
    writer.finish(|header, shard| sent.push(Sent::Parity(*header, shard.to_vec())));
    assert!(writer.opened().is_none());
    sent
}

/// Gives the reader a datagram, as its receiver would; what it restores joins `restored`.
fn receive(
    reader: &mut GroupReader,
    datagram: &Sent,
    restored: &mut Vec<(u64, Vec<u8>)>,
) -> Result<(), Refused> {
    let emit = |number, body: &[u8]| restored.push((number, body.to_vec()));
    match datagram {
        Sent::Data(number, body) => reader.note(*number, body, emit),
        Sent::Parity(header, shard) => {
            let mut bytes = header.encode().to_vec();
            bytes.extend_from_slice(shard);
            let (header, shard) = ParityHeader::decode(&bytes).unwrap();
            reader.parity(&header, shard, emit)
        }
    }
}

fn receive_all(reader: &mut GroupReader, datagrams: &[Sent]) -> Vec<(u64, Vec<u8>)> {
    let mut restored = Vec::new();
    for datagram in datagrams {
        assert_eq!(receive(reader, datagram, &mut restored), Ok(()));
    }
    restored
}

/// A group of `count` bodies of different lengths, with its parity.
fn group(first: u64, count: u8, text: &str) -> Vec<Sent> {
    let bodies: Vec<_> =
        (1..=count).map(|index| vec![index; 3 * usize::from(index) % 50 + 1]).collect();
    send(&mut GroupWriter::new(share(text)), first, &bodies)
}

/// Few short bodies, about as many as a group can have, or few of any length.
fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![
        8 => vec(vec(any::<u8>(), 1..40), 1..40),
        2 => vec(vec(any::<u8>(), 1..12), 500..=GROUP_MAX_DATAGRAMS),
        1 => vec((any::<u8>(), 1..=BODY_MAX_BYTES).prop_map(|(byte, size)| vec![byte; size]), 1..5),
    ]
}

fn first_number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), (0..600_u64).prop_map(|before| u64::MAX - before)]
}

/// A group, its datagrams shuffled, and how many parity datagrams it has.
fn shuffled() -> impl Strategy<Value = (Vec<Sent>, usize)> {
    (bodies(), 1..=PERCENT_MAX, first_number()).prop_flat_map(|(bodies, percent, first)| {
        let sent = send(&mut GroupWriter::new(ParityShare { percent }), first, &bodies);
        let parity = sent.len() - bodies.len();
        (Just(sent).prop_shuffle(), Just(parity))
    })
}

fn data_of(datagrams: &[Sent]) -> BTreeMap<u64, Vec<u8>> {
    let data = datagrams.iter().filter_map(|datagram| match datagram {
        Sent::Data(number, body) => Some((*number, body.clone())),
        Sent::Parity(..) => None,
    });
    data.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn as_many_losses_as_parity_are_repaired_in_any_order((sent, parity) in shuffled(), few in 0..9_usize) {
        let (lost, arrived) = sent.split_at(parity.saturating_sub(few));
        let mut reader = GroupReader::new(PLENTY);
        let restored = receive_all(&mut reader, arrived);
        let unique: BTreeMap<_, _> = restored.iter().cloned().collect();
        prop_assert_eq!(unique.len(), restored.len());
        // With fewer losses than parity, late data may be restored before it comes.
        let data = data_of(&sent);
        prop_assert!(unique.iter().all(|(number, body)| data.get(number) == Some(body)));
        prop_assert!(data_of(lost).keys().all(|number| unique.contains_key(number)));
        if few == 0 {
            prop_assert_eq!(unique, data_of(lost));
        }
        // What comes late of a group that is done is neither kept nor restored again.
        prop_assert_eq!(receive_all(&mut reader, &sent), vec![]);
        prop_assert_eq!(reader.bytes(), 0);
    }

    #[test]
    fn one_loss_too_many_restores_nothing((sent, parity) in shuffled()) {
        let (_, arrived) = sent.split_at(parity + 1);
        prop_assert_eq!(receive_all(&mut GroupReader::new(PLENTY), arrived), vec![]);
    }

    #[test]
    fn hostile_bytes_neither_panic_nor_grow(
        datagrams in vec((any::<bool>(), 0..20_u64, vec(0..4_u8, 0..40)), 0..300),
        limit_bytes in 0..4000_usize,
    ) {
        let mut reader = GroupReader::new(limit_bytes);
        for (is_data, number, bytes) in datagrams {
            let header = ParityHeader::decode(&bytes);
            // Half of the headers are ones that pass, and overlap and disagree with each other.
            let counts = bytes.get(..4).unwrap_or(&[0; 4]);
            let forged = ParityHeader {
                first: u64::MAX.wrapping_add(number),
                data: u16::from(counts[0]),
                parity: u16::from(counts[1]),
                index: u16::from(counts[2]),
            };
            let (header, shard) = header.unwrap_or((forged, &bytes));
            let outcome = if is_data {
                reader.note(number, &bytes, |_, _| {})
            } else {
                reader.parity(&header, shard, |_, body| assert!(!body.is_empty()))
            };
            prop_assert!(!matches!(outcome, Err(Refused::Repair(_))));
            prop_assert!(reader.bytes() <= limit_bytes);
        }
    }

    #[test]
    fn a_header_comes_back_as_it_went(first: u64, data in 1..=512_u16, parity in 1..=512_u16) {
        let header = ParityHeader { first, data, parity, index: parity - 1 };
        let bytes = [header.encode().as_slice(), &[7; 4]].concat();
        prop_assert_eq!(ParityHeader::decode(&bytes), Some((header, [7; 4].as_slice())));
    }

    #[test]
    fn random_bytes_are_no_panic_to_a_header(bytes in vec(any::<u8>(), 0..100)) {
        prop_assert!(ParityHeader::decode(&bytes).is_none_or(|(header, _)| header.data <= 512));
    }
}

#[test]
fn a_header_that_no_sender_writes_is_refused() {
    let header = ParityHeader { first: 1, data: 2, parity: 2, index: 1 };
    let decoded = |header: ParityHeader, shard_bytes: usize| {
        let bytes = [header.encode().as_slice(), &vec![0; shard_bytes]].concat();
        ParityHeader::decode(&bytes).is_some()
    };
    assert!(decoded(header, 4) && decoded(header, 65_504));
    assert!(decoded(ParityHeader { data: 512, ..header }, 8192));
    for shard_bytes in [0, 2, 3, 5, 65_506] {
        assert!(!decoded(header, shard_bytes), "{shard_bytes}");
    }
    for data in [0, 513, u16::MAX] {
        assert!(!decoded(ParityHeader { data, ..header }, 4), "{data}");
    }
    for parity in [0, 1, 513] {
        assert!(!decoded(ParityHeader { parity, ..header }, 4), "{parity}");
    }
    assert!(!decoded(ParityHeader { index: 2, ..header }, 4));
    assert!(!decoded(ParityHeader { data: 512, ..header }, 8194));
    assert!(!decoded(ParityHeader { parity: 512, ..header }, 8194));
    assert_eq!(header.encode(), [0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2, 0, 1]);
}

#[test]
fn a_share_is_a_percentage_and_nothing_else() {
    assert_eq!(share("10%").to_string(), "10%");
    for text in ["", "%", "10", "0%", "51%", "100%", "-1%", "+5%", "1.5%", " 5%", "5 %", "999%"] {
        let error = text.parse::<ParityShare>().unwrap_err().to_string();
        let expected = format!("expected a share such as \"10%\" (1% to 50%), found \"{text}\"");
        assert_eq!(error, expected);
    }
}

#[test]
fn parity_is_the_least_that_makes_up_for_the_share() {
    assert_eq!(share("10%").parity_of(512), 57);
    assert_eq!(share("50%").parity_of(512), 512);
    for percent in 1..=PERCENT_MAX {
        for data in 1..=GROUP_MAX_DATAGRAMS {
            let parity = ParityShare { percent }.parity_of(data);
            let enough = |parity| 100 * parity >= usize::from(percent) * (data + parity);
            assert!(enough(parity) && (parity == 1 || !enough(parity - 1)), "{percent} {data}");
        }
    }
}

#[test]
fn a_group_is_full_at_512_datagrams_or_4_mib() {
    let mut writer = GroupWriter::new(share("10%"));
    assert!(writer.opened().is_none() && !writer.is_full());
    for number in 0..512 {
        assert!(!writer.is_full() && writer.push(number, b"x"));
    }
    assert!(writer.is_full() && !writer.push(512, b"x"));
    let mut parity = 0;
    writer.finish(|_, _| parity += 1);
    assert_eq!(parity, 57);

    let longest = vec![1; BODY_MAX_BYTES];
    let taken = (0..600).take_while(|number| writer.push(*number, &longest)).count();
    assert_eq!(taken, GROUP_MAX_BYTES / (BODY_MAX_BYTES + PREFIX_BYTES));
    assert!(writer.is_full());
}

#[test]
fn a_body_that_would_stretch_a_group_too_far_begins_the_next() {
    let mut writer = GroupWriter::new(share("10%"));
    for number in 0..100 {
        assert!(writer.push(number, b"x"));
    }
    assert!(!writer.is_full() && !writer.push(100, &vec![1; BODY_MAX_BYTES]));
    writer.finish(|_, shard| assert_eq!(shard.len(), 4));
    assert!(writer.push(100, &vec![1; BODY_MAX_BYTES]));
}

#[test]
fn a_gap_in_the_numbers_begins_the_next_group() {
    let mut writer = GroupWriter::new(share("10%"));
    assert!(writer.push(u64::MAX, b"x") && writer.opened().is_some());
    assert!(!writer.push(1, b"x") && !writer.push(u64::MAX, b"x"));
    assert!(writer.push(0, b"x"));
    assert!(!GroupWriter::new(share("1%")).push(0, b""));
    assert!(!GroupWriter::new(share("1%")).push(0, &vec![0; BODY_MAX_BYTES + 1]));
}

#[test]
fn a_shard_that_no_sender_writes_has_no_body() {
    assert_eq!(body_of(&[0, 2, 7, 8, 0, 0]), Some([7, 8].as_slice()));
    for shard in [&[0, 0, 0, 0], &[0, 3, 7, 8], &[0, 1, 7, 8], &[0xff; 4], [0].as_slice()] {
        assert_eq!(body_of(shard), None, "{shard:?}");
    }
}

#[test]
fn an_empty_group_has_no_parity() {
    GroupWriter::new(share("50%")).finish(|_, _| panic!("a parity shard of nothing"));
}

#[test]
fn a_writer_makes_the_same_of_a_group_whatever_it_had_before() {
    let mut used = GroupWriter::new(share("30%"));
    for count in [1_u8, 200, 3, 64, 7] {
        let bodies: Vec<_> = (1..=count).map(|index| vec![9; usize::from(index)]).collect();
        let fresh = send(&mut GroupWriter::new(share("30%")), 5, &bodies);
        assert_eq!(format!("{:?}", send(&mut used, 5, &bodies)), format!("{fresh:?}"));
    }
}

#[test]
fn a_complete_group_leaves_nothing_behind() {
    let sent = group(u64::MAX - 3, 10, "20%");
    let mut reader = GroupReader::new(PLENTY);
    let (before, last) = sent.split_at(sent.len() - 1);
    let (data, parity) = before.split_at(10);
    assert_eq!(receive_all(&mut reader, data), vec![]);
    assert!(reader.bytes() > 0);
    assert_eq!(receive_all(&mut reader, parity), vec![]);
    assert_eq!(reader.bytes(), 0);
    assert_eq!(receive_all(&mut reader, last), vec![]);
    assert_eq!(receive_all(&mut reader, data), vec![]);
    assert_eq!(reader.bytes(), 0);
}

#[test]
fn duplicates_count_once() {
    let sent = group(40, 10, "20%");
    let (data, parity) = sent.split_at(10);
    let mut reader = GroupReader::new(PLENTY);
    for datagram in [&data[..8], &data[..8], &parity[..1], &parity[..1]] {
        assert_eq!(receive_all(&mut reader, datagram), vec![]);
    }
    assert_eq!(receive_all(&mut reader, &parity[1..2]).len(), 2);
}

#[test]
fn parity_that_contradicts_its_group_is_refused() {
    let mut reader = GroupReader::new(PLENTY);
    let mut parity = |first, data, parity, shard: &[u8]| {
        reader.parity(&ParityHeader { first, data, parity, index: 0 }, shard, |_, _| {})
    };
    let first = u64::MAX - 4;
    assert_eq!(parity(first, 10, 4, &[1; 8]), Ok(()));
    assert_eq!(parity(first, 9, 4, &[1; 8]), Err(Refused::Disagrees));
    assert_eq!(parity(first, 10, 5, &[1; 8]), Err(Refused::Disagrees));
    assert_eq!(parity(first, 10, 4, &[1; 10]), Err(Refused::Disagrees));
    assert_eq!(parity(first, 10, 0, &[1; 8]), Err(Refused::Header));
    assert_eq!(parity(first, 10, 4, &[1; 7]), Err(Refused::Header));
    for (first, data) in [(first - 1, 2), (first + 1, 1), (u64::MAX, 1), (0, 1), (4, 1)] {
        assert_eq!(parity(first, data, 4, &[1; 8]), Err(Refused::Overlaps), "{first} {data}");
    }
    assert_eq!(parity(first - 2, 2, 4, &[1; 8]), Ok(()));
    assert_eq!(parity(5, 2, 4, &[1; 8]), Ok(()));
    assert_eq!(reader.note(0, &[1; 7], |_, _| {}), Err(Refused::TooLong));
    assert_eq!(reader.note(0, &[], |_, _| {}), Err(Refused::BodyLength));
    assert_eq!(reader.note(100, &[1; 7], |_, _| {}), Ok(()));
    let header = ParityHeader { first: 99, data: 2, parity: 1, index: 0 };
    assert_eq!(reader.parity(&header, &[1; 8], |_, _| {}), Err(Refused::TooLong));
}

#[test]
fn a_wrong_shard_restores_nothing_and_the_group_is_done() {
    let sent = group(7, 10, "20%");
    let mut reader = GroupReader::new(PLENTY);
    receive_all(&mut reader, &sent[..9]);
    let Sent::Parity(header, mut shard) = sent[10].clone() else { panic!("parity comes last") };
    shard.fill(0xff);
    let mut restored = Vec::new();
    let outcome = receive(&mut reader, &Sent::Parity(header, shard), &mut restored);
    assert_eq!((outcome, restored), (Err(Refused::Garbled), vec![]));
    assert_eq!(receive_all(&mut reader, &sent), vec![]);
    assert_eq!(reader.bytes(), 0);
}

#[test]
fn a_flood_stays_within_the_limit_and_the_next_group_is_repaired() {
    let limit_bytes = 200_000;
    let mut reader = GroupReader::new(limit_bytes);
    let mut random = StdRng::seed_from_u64(3);
    for _ in 0..100_000 {
        let (number, length) = (random.random(), random.random_range(2..300));
        let header = ParityHeader { first: number, data: 300, parity: 2, index: 1 };
        let outcome = if random.random() {
            reader.note(number, &vec![1; length], |_, _| {})
        } else {
            reader.parity(&header, &vec![1; 2 * length], |_, _| {})
        };
        assert_eq!(outcome, Ok(()));
        assert!(reader.bytes() <= limit_bytes);
    }
    assert!(reader.bytes() > limit_bytes / 2);
    assert_eq!(receive_all(&mut reader, &group(50, 100, "20%")[10..]).len(), 10);
}

/// Sends full groups over a wire that loses each datagram with 5%; returns sent and residual.
fn loses_five_percent(groups: u64) -> (u64, u64) {
    let mut random = StdRng::seed_from_u64(1);
    let mut writer = GroupWriter::new(share("10%"));
    let mut reader = GroupReader::new(4 << 20);
    let (mut sent, mut residual) = (0, 0);
    for first in (0..groups).map(|group| (group * 512).wrapping_sub(1000)) {
        let bodies: Vec<_> =
            (0..512_u16).map(|_| random.random::<u64>().to_be_bytes().to_vec()).collect();
        let datagrams = send(&mut writer, first, &bodies);
        let (arrived, lost): (Vec<_>, Vec<_>) =
            datagrams.into_iter().partition(|_| !random.random_bool(0.05));
        let restored: HashSet<_> = receive_all(&mut reader, &arrived).into_iter().collect();
        let lost = data_of(&lost);
        assert!(restored.iter().all(|(number, body)| lost.get(number) == Some(body)));
        sent += 512;
        residual += u64::try_from(lost.len() - restored.len()).unwrap();
    }
    (sent, residual)
}

#[test]
fn ten_percent_parity_makes_up_for_five_percent_loss() {
    assert_eq!(loses_five_percent(100), (51_200, 0));
}

#[test]
#[ignore = "a million datagrams take seconds"]
fn ten_percent_parity_makes_up_for_five_percent_loss_of_a_million() {
    let (sent, residual) = loses_five_percent(2000);
    println!("{residual} of {sent} lost for good");
    assert!(residual * 10_000 <= sent);
}
