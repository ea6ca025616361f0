use super::*;
use crate::udp::control::MAX_RANGES;
use crate::udp::datagram::DatagramKind;
use crate::udp::ledger::Ledger;

mod kills;

/// The version of the dictionary that we carry; the rest of a message does not matter here.
const MESSAGE: &[u8] = &[1, 0, 0, 0];
const PATIENCE: Duration = Duration::from_secs(5);

struct Scene {
    streams: Streams,
    sink: Sink,
    arrival: Arrival,
}

impl Scene {
    fn new() -> Self {
        let from = "10.0.0.1:4000".parse().unwrap();
        let arrival = Arrival { from, worker: 0, now: Instant::now(), at: 7, sealed: true };
        let mut sink = Sink::default();
        sink.room = u64::MAX;
        Self { streams: Streams::default(), sink, arrival }
    }

    fn send(&mut self, stream: u64, number: u64, data: &Data<'_>) {
        let mut body = Vec::new();
        data.write(&mut body);
        let header = Datagram { kind: DatagramKind::Data, stream, number };
        self.streams.data(&self.arrival, &header, &body, &mut self.sink);
    }

    /// Sends whole messages of two documents each.
    fn send_all(&mut self, stream: u64, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let data = Data { before: 2 * number, documents: 2, ..whole() };
            self.send(stream, number, &data);
        }
    }

    fn mark(&mut self, stream: u64, number: u64, next: u64) -> Vec<Request> {
        let mark =
            Mark { first: 0, next, documents: 2 * next, end: false, answers: true, host: "h" };
        let mut body = Vec::new();
        mark.write(&mut body);
        let header = Datagram { kind: DatagramKind::Mark, stream, number };
        self.streams.mark(&self.arrival, &header, &body, &mut self.sink)
    }

    fn heartbeat(&mut self, stream: u64, number: u64, message: &[u8]) {
        let header = Datagram { kind: DatagramKind::Heartbeat, stream, number };
        self.streams.heartbeat(&self.arrival, &header, message, &mut self.sink);
    }

    fn wait(&mut self, time: Duration) -> Vec<Request> {
        self.arrival.now += time;
        let mut asked = Vec::new();
        let when = (self.arrival.now, true);
        self.streams.age(0, when, PATIENCE, |_, _, request| asked.push(request.clone()));
        asked
    }

    fn account(&self, stream: u64) -> StreamAccount {
        let id = format!("{stream:016x}");
        self.streams.ledger(0, 0).streams.into_iter().find(|found| found.stream == id).unwrap()
    }

    fn refused(&self, reason: Refusal) -> u64 {
        self.streams.ledger(0, 0).totals.refused.get(reason.name()).copied().unwrap_or_default()
    }
}

fn whole() -> Data<'static> {
    Data { before: 0, documents: 1, parity: false, piece: None, message: MESSAGE }
}

#[test]
fn what_is_missing_is_given_up_after_a_while_and_taken_when_it_comes_late() {
    let mut scene = Scene::new();
    scene.send_all(1, [0, 1, 4, 6, 4]);
    scene.wait(Duration::from_millis(50));
    let account = scene.account(1);
    assert_eq!((account.missing, account.counts.lost(), account.counts.repeated), (3, 0, 1));
    scene.send_all(1, [5]);
    scene.wait(PATIENCE);
    let account = scene.account(1);
    assert_eq!((account.missing, account.counts.lost(), account.counts.received), (0, 2, 5));
    assert_eq!(account.unseen, [(2, 2)]);
    scene.send_all(1, [3]);
    let account = scene.account(1);
    assert_eq!((account.counts.lost(), account.counts.late), (1, 1));
    assert_eq!((account.counts.documents, account.documents_sent), (12, 14));
    assert_eq!(scene.sink.records().count(), 6);
}

#[test]
fn a_heartbeat_is_spooled_once_and_has_no_part_in_the_documents_and_numbers_of_its_stream() {
    let mut scene = Scene::new();
    scene.mark(1, 0, 0);
    scene.send_all(1, [0, 1]);
    let without = scene.account(1);
    for number in [0, 1, 1, 0] {
        scene.heartbeat(1, number, MESSAGE);
    }
    scene.heartbeat(1, 2, &[9]);
    let account = scene.account(1);
    assert_eq!((account.counts.heartbeats, account.counts.repeated), (2, 2));
    assert_eq!(scene.refused(Refusal::Dictionary), 1);
    let counts =
        Totals { heartbeats: 0, repeated: 0, refused: [].into(), ..account.counts.clone() };
    assert_eq!(StreamAccount { counts, last_heartbeat: None, ..account }, without);
    let records: Vec<Record<'_>> = scene.sink.records().filter_map(Record::read).skip(3).collect();
    let payload = |number| Payload::Heartbeat { stream: 1, sealed: true, number, message: MESSAGE };
    let found: Vec<Payload<'_>> = records.iter().map(|record| record.payload).collect();
    assert_eq!(found, [payload(0), payload(1)]);
    // Nobody without the key says how a sender with one is.
    scene.arrival.sealed = false;
    scene.heartbeat(1, 7, MESSAGE);
    assert_eq!(scene.refused(Refusal::Unsealed), 1);
    scene.arrival.sealed = true;
    scene.sink.room = 0;
    scene.heartbeat(1, 7, MESSAGE);
    assert_eq!(scene.refused(Refusal::SpoolFull), 1);
    assert_eq!(scene.account(1).last_heartbeat, Some(1));
}

#[test]
fn sums_of_what_streams_say_end_at_the_largest_number() {
    let mut scene = Scene::new();
    for stream in 1..4 {
        let data = Data { before: u64::MAX, documents: u16::MAX, ..whole() };
        scene.send(stream, 0, &data);
        let mut mark = Vec::new();
        let said =
            Mark { first: 0, next: 1, documents: u64::MAX, end: true, answers: false, host: "" };
        said.write(&mut mark);
        let header = Datagram { kind: DatagramKind::Mark, stream, number: u64::MAX };
        scene.streams.mark(&scene.arrival, &header, &mark, &mut scene.sink);
        assert_eq!(scene.account(stream).documents_sent, u64::MAX);
    }
    let record = scene.sink.records().next().unwrap().to_vec();
    let mut streams = Streams::default();
    streams.recover(&Record::read(&record).unwrap(), Instant::now());
    let mut ledger = streams.ledger(0, 0);
    assert_eq!(ledger.streams[0].documents_sent, u64::MAX);
    // As it is read from a file that anybody may have written.
    let counts = &mut ledger.streams[0].counts;
    (counts.given_up, counts.received, counts.restored) = (u64::MAX, u64::MAX, u64::MAX);
    counts.resent = 1;
    counts.refused = [("a".to_owned(), u64::MAX), ("b".to_owned(), 1)].into();
    assert_eq!((counts.repaired(), counts.all_refused()), (u64::MAX, u64::MAX));
    let mut scene = Scene { streams: Streams::restore(ledger, Instant::now()), ..Scene::new() };
    scene.send_all(1, [100_000, 300_000]);
    scene.wait(PATIENCE);
    assert_eq!(scene.account(1).counts.given_up, u64::MAX);
}

#[test]
fn a_gap_is_asked_for_until_it_is_filled_and_what_then_comes_is_repaired() {
    let mut scene = Scene::new();
    assert_eq!(scene.mark(1, 0, 0), [Request::default()]);
    scene.send_all(1, [0, 3]);
    assert_eq!(scene.wait(Duration::from_millis(1)), [], "it may only be overtaken");
    let expected = Request { settled: 1, ranges: vec![(1, 2)] };
    assert_eq!(scene.wait(Duration::from_millis(50)), std::slice::from_ref(&expected));
    assert_eq!(scene.wait(Duration::from_millis(50)), [], "the answer is on its way");
    scene.send_all(1, [5]);
    scene.wait(Duration::from_millis(1));
    let new = Request { settled: 1, ranges: vec![(4, 1)] };
    assert_eq!(scene.wait(Duration::from_millis(20)), [new], "a new gap does not wait");
    scene.send_all(1, [4]);
    assert_eq!(scene.wait(Duration::from_millis(100)), [expected]);
    scene.send_all(1, [1]);
    scene.send_all(1, [2]);
    assert_eq!(scene.wait(Duration::from_millis(100)), []);
    assert_eq!(scene.account(1).counts.resent, 3);
    // The last ones are lost: the mark tells.
    let asked = scene.mark(1, 1, 8);
    assert_eq!(asked, [Request { settled: 6, ranges: vec![(6, 2)] }]);
    scene.send_all(1, [6, 7]);
    assert_eq!(scene.mark(1, 2, 8), [Request { settled: 8, ranges: Vec::new() }]);
    assert_eq!(scene.mark(1, 2, 8), [], "a replayed mark gets no answer");
}

#[test]
fn requests_are_bounded_however_much_is_missing() {
    let mut scene = Scene::new();
    scene.mark(1, 0, 0);
    scene.send_all(1, (0..2000).map(|number| number * 2));
    let asked = scene.mark(1, 1, 60_000);
    assert!(asked.iter().all(|request| request.ranges.len() <= MAX_RANGES));
    let numbers =
        asked.iter().flat_map(|request| &request.ranges).map(|(_, length)| u64::from(*length));
    assert_eq!(numbers.sum::<u64>(), 1000);
    let asked = scene.mark(2, 0, 60_000);
    assert_eq!(asked, [Request { settled: 0, ranges: vec![(0, 1000)] }]);
}

#[test]
fn nobody_without_a_key_gets_an_answer_or_touches_a_sealed_stream() {
    let mut scene = Scene::new();
    scene.mark(1, 0, 0);
    scene.arrival.sealed = false;
    assert_eq!(scene.mark(1, 1, 9), []);
    scene.send_all(1, [0]);
    assert_eq!((scene.account(1).next, scene.refused(Refusal::Unsealed)), (0, 2));
    assert_eq!(scene.mark(2, 0, 9), []);
}

#[test]
fn pieces_are_put_together_in_any_order_or_counted_as_incomplete() {
    let mut scene = Scene::new();
    let piece = |index: u16, message| {
        let documents = u16::from(index == 0);
        Data { documents, piece: Some((index, 3)), message, ..whole() }
    };
    scene.send(1, 2, &piece(2, b"c"));
    scene.send(1, 0, &piece(0, &[1, 2]));
    assert_eq!(scene.sink.records().count(), 0);
    scene.send(1, 1, &piece(1, b"b"));
    let record = scene.sink.records().next().unwrap().to_vec();
    let Payload::Message { message, pieces, first, .. } = Record::read(&record).unwrap().payload
    else {
        panic!("no message");
    };
    assert_eq!((message, pieces, first), (&[1, 2, b'b', b'c'][..], 3, 0));
    scene.send(1, 3, &piece(0, &[1]));
    scene.send(1, 5, &piece(2, b"c"));
    scene.wait(Duration::from_millis(1));
    scene.wait(PATIENCE);
    assert_eq!(scene.refused(Refusal::Incomplete), 2);
    assert_eq!(scene.account(1).counts.documents, 1);
}

#[test]
fn pieces_without_end_are_refused_beyond_a_limit() {
    let mut scene = Scene::new();
    let piece = vec![1; 60_000];
    for message in 0..400 {
        let data = Data { piece: Some((0, 2)), message: &piece, ..whole() };
        scene.send(1, message * 2, &data);
    }
    assert!(scene.refused(Refusal::TooLarge) > 100);
    assert!(scene.streams.streams[&1].piece_bytes() <= 16 * 1024 * 1024);
}

#[test]
fn a_full_spool_refuses_and_the_datagram_can_be_asked_for_again() {
    let mut scene = Scene::new();
    scene.mark(1, 0, 0);
    scene.send_all(1, [0]);
    scene.sink.room = 0;
    scene.send_all(1, [1]);
    scene.sink.room = u64::MAX;
    scene.send_all(1, [2]);
    assert_eq!(scene.refused(Refusal::SpoolFull), 1);
    scene.wait(Duration::from_millis(1));
    let asked = scene.wait(Duration::from_millis(100));
    assert_eq!(asked, [Request { settled: 1, ranges: vec![(1, 1)] }]);
}

#[test]
fn a_message_that_the_spool_has_no_room_for_is_not_noted_by_its_last_piece() {
    let mut scene = Scene::new();
    scene.sink.room = 2000;
    let part = [&[1][..], &[0; 999]].concat();
    for index in 0..3 {
        let documents = u16::from(index == 0);
        let data = Data { documents, piece: Some((index, 3)), message: &part, ..whole() };
        scene.send(1, u64::from(index), &data);
    }
    assert_eq!((scene.refused(Refusal::SpoolFull), scene.sink.records().count()), (2, 0));
    assert_eq!(scene.account(1).counts.documents, 0);
}

#[test]
fn streams_are_limited_for_each_address_and_in_all() {
    let mut scene = Scene::new();
    let limit = MOST_OF_SOURCE as u64;
    for stream in 0..limit + 10 {
        scene.send_all(stream, [0]);
    }
    assert_eq!(scene.refused(Refusal::TooManyStreams), 10);
    for address in 2..30_u64 {
        scene.arrival.from = format!("10.0.0.{address}:1").parse().unwrap();
        for stream in 0..limit {
            scene.send_all(address * 1000 + stream, [0]);
        }
    }
    assert_eq!(scene.streams.streams.len(), MOST_STREAMS);
    // Those that are silent make room, but are not forgotten.
    scene.wait(CROWDED_IDLE * 2);
    assert!(scene.streams.streams.is_empty());
    scene.send_all(1, [0]);
    assert_eq!(scene.refused(Refusal::TooOld), 1, "a replay of a stream that was retired");
    scene.send_all(1, [1]);
    assert_eq!(scene.account(1).counts.received, 1);
}

#[test]
fn a_ledger_goes_on_where_it_was() {
    let mut scene = Scene::new();
    scene.mark(1, 0, 0);
    scene.send_all(1, [0, 1, 5]);
    scene.send_all(2, [0]);
    scene.streams.refuse(Refusal::Foreign);
    scene.streams.read(3, 1000);
    scene.wait(ENDED_IDLE);
    scene.send_all(1, [6]);
    let ledger = scene.streams.ledger(9, 7);
    let now = scene.arrival.now;
    let mut restored = Streams::restore(ledger.clone(), now);
    assert_eq!(restored.ledger(9, 7), ledger);
    // What the spool had beyond the ledger is added, once.
    let record = |first| Record {
        at: 7,
        from: scene.arrival.from,
        payload: Payload::Message {
            stream: 1,
            sealed: Some(true),
            first,
            pieces: 0,
            how: crate::udp::record::How::Received,
            before: 2 * first,
            documents: 2,
            message: MESSAGE,
        },
    };
    restored.recover(&record(7), now);
    restored.recover(&record(8), now);
    let account =
        restored.ledger(0, 0).streams.into_iter().find(|stream| stream.next == 9).unwrap();
    assert_eq!((account.counts.received, account.counts.documents), (6, 12));
    assert_eq!(account.documents_sent, 18);
}

proptest::proptest! {
    #[test]
    fn no_datagrams_make_it_panic_and_the_sums_hold(
        datagrams in proptest::collection::vec(
            (1_u8..5, 0_u64..3, 0_u64..40, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)),
            1..200,
        ),
        flags in proptest::collection::vec(0_u8..4, 200),
        wait in 0_u64..9000,
    ) {
        let mut scene = Scene::new();
        let sent = datagrams.len() as u64;
        for ((kind, stream, number, mut body), flags) in datagrams.into_iter().zip(flags) {
            // Most of them almost right, or nothing would get far.
            if kind == 1 && body.len() > 20 {
                body[..10].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
                (body[10], body[11], body[13]) = (flags, body[11] & 1, body[13] & 3);
            }
            let header = |kind| Datagram { kind, stream, number };
            match kind {
                1 => scene.streams.data(&scene.arrival, &header(DatagramKind::Data), &body, &mut scene.sink),
                2 => scene.streams.parity(&scene.arrival, &header(DatagramKind::Parity), &body, &mut scene.sink),
                3 => scene.streams.heartbeat(&scene.arrival, &header(DatagramKind::Heartbeat), &body, &mut scene.sink),
                _ => drop(scene.streams.mark(&scene.arrival, &header(DatagramKind::Mark), &body, &mut scene.sink)),
            }
        }
        scene.wait(Duration::from_millis(wait));
        scene.wait(Duration::from_millis(wait));
        let ledger = scene.streams.ledger(0, 0);
        let totals = &ledger.totals;
        // Pieces that were taken and then found incomplete are in both.
        let incomplete = scene.refused(Refusal::Incomplete);
        let counted = totals.received + totals.late + totals.resent + totals.repeated
            + totals.parity + totals.marks + totals.heartbeats + totals.all_refused() - incomplete;
        proptest::prop_assert_eq!(counted, sent);
        // They hold after a restart too, and with the spool alone.
        let now = scene.arrival.now;
        let mut alone = Streams::default();
        for record in scene.sink.records() {
            alone.recover(&Record::read(record).unwrap(), now);
        }
        let restored = Streams::restore(ledger.clone(), now).ledger(0, 0);
        for stream in [&ledger, &restored, &alone.ledger(0, 0)].iter().flat_map(|ledger| &ledger.streams) {
            let counts = &stream.counts;
            let numbers = counts.received + counts.repaired() + counts.late + stream.missing + counts.lost();
            proptest::prop_assert_eq!(stream.next.wrapping_sub(stream.first), numbers);
        }
        let records = scene.sink.records().all(|bytes| Record::read(bytes).is_some());
        proptest::prop_assert!(records);
    }
}

#[test]
fn what_cannot_be_restored_is_counted() {
    let mut scene = Scene::new();
    for stream in 1..=6 {
        scene.send_all(stream, [0]);
    }
    let now = scene.arrival.now;
    let mut ledger = scene.streams.ledger(0, 0);
    // To look through all numbers from one to the other would take years.
    ledger.streams[3].settled = 2;
    ledger.streams[4].first = 9;
    (ledger.streams[4].next, ledger.streams[4].settled) = (9, 8);
    (ledger.streams[5].next, ledger.streams[5].settled) = (1 << 60, 0);
    "not hexadecimal".clone_into(&mut ledger.streams[0].stream);
    "nowhere".clone_into(&mut ledger.streams[1].source);
    let mut restored = Streams::restore(ledger.clone(), now);
    assert_eq!(restored.ledger(0, 0).streams.len(), 1);
    assert_eq!(restored.ledger(0, 0).totals, ledger.totals);
    restored.recover_nothing(7);
    // A stream that is sealed takes nothing without a seal, from the spool either.
    let record = |sealed| {
        let payload = Payload::Message {
            stream: 9,
            sealed: Some(sealed),
            first: 0,
            pieces: 0,
            how: crate::udp::record::How::Received,
            before: 0,
            documents: 2,
            message: MESSAGE,
        };
        Record { at: 7, from: "10.0.0.1:4000".parse().unwrap(), payload }
    };
    restored.recover(&record(true), now);
    restored.recover(&record(false), now);
    assert_eq!(restored.skipped(), Skipped { ledger: 5, records: 1, refused: 1 });
}
