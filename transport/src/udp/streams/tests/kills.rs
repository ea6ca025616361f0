//! A receiver that is killed at any moment: the ledger that was saved last, and the spool, must make
//! the streams that it had.

use super::*;

/// What was on disk after a step.
struct Saved {
    ledger: Ledger,
    records: usize,
}

/// A scene of which everything that was ever on disk is known.
struct History {
    scene: Scene,
    saved: Vec<Saved>,
}

impl History {
    fn new(sealed: bool) -> Self {
        let mut scene = Scene::new();
        scene.arrival.sealed = sealed;
        let mut history = Self { scene, saved: Vec::new() };
        history.save();
        history
    }

    fn save(&mut self) {
        let ledger = self.scene.streams.ledger(0, 0);
        self.saved.push(Saved { ledger, records: self.scene.sink.records().count() });
    }

    fn step(&mut self, step: impl FnOnce(&mut Scene)) {
        step(&mut self.scene);
        self.save();
    }

    /// The streams of a receiver that saved its ledger after one step, and was killed after another.
    fn restarted(&self, saved: &Saved, killed: &Saved) -> Scene {
        let now = self.scene.arrival.now;
        let mut streams = Streams::restore(saved.ledger.clone(), now);
        let records = self.scene.sink.records().take(killed.records).skip(saved.records);
        for record in records {
            streams.recover(&Record::read(record).unwrap(), now);
        }
        Scene { streams, ..Scene::new() }
    }

    /// Calls with the streams after a restart, and with those of a ledger that was saved at the kill.
    fn kill_everywhere(&self, mut check: impl FnMut(Scene, Scene, &str)) {
        for (at, killed) in self.saved.iter().enumerate() {
            for (since, saved) in self.saved.iter().enumerate().take(at + 1) {
                let (mut found, mut expected) =
                    (self.restarted(saved, killed), self.restarted(killed, killed));
                if killed.ledger.streams.iter().any(|stream| !stream.pieces.is_empty()) {
                    // Pieces are in memory only. That their numbers exist, the next mark tells.
                    for scene in [&mut found, &mut expected] {
                        scene.arrival.sealed = self.scene.arrival.sealed;
                        scene.mark(1, 50, 15);
                    }
                }
                let what = format!("saved after step {since}, killed after step {at}");
                check(found, expected, &what);
            }
        }
    }
}

/// All that is known, after what is missing was given up, without what leaves nothing behind.
fn account(mut scene: Scene) -> Ledger {
    scene.wait(Duration::from_millis(1));
    scene.wait(PATIENCE);
    scene.wait(PATIENCE);
    let mut ledger = scene.streams.ledger(0, 0);
    let totals = ledger.streams.iter_mut().map(|stream| &mut stream.counts);
    for counts in totals.chain([&mut ledger.totals]) {
        (counts.repeated, counts.parity) = (0, 0);
        counts.refused.clear();
    }
    ledger
}

fn piece(scene: &mut Scene, number: u64, index: u16) {
    let (before, documents) = (14, u16::from(index == 0));
    scene.send(1, number, &Data { before, documents, piece: Some((index, 3)), ..whole() });
}

/// Everything that may happen to a stream, one thing a step.
fn lived(sealed: bool) -> History {
    let mut history = History::new(sealed);
    history.step(|scene| scene.send_all(1, [0]));
    history.step(|scene| drop(scene.mark(1, 0, 1)));
    history.step(|scene| scene.send_all(1, [1, 2, 5]));
    history.step(|scene| scene.send_all(1, [1]));
    history.step(|scene| drop(scene.wait(Duration::from_millis(1))));
    history.step(|scene| drop(scene.wait(Duration::from_millis(50))));
    history.step(|scene| scene.send_all(1, [4]));
    history.step(|scene| drop(scene.wait(PATIENCE)));
    history.step(|scene| scene.send_all(1, [3]));
    history.step(|scene| piece(scene, 7, 1));
    history.step(|scene| piece(scene, 6, 0));
    history.step(|scene| drop(scene.wait(Duration::from_millis(1))));
    history.step(|scene| piece(scene, 8, 2));
    history.step(|scene| {
        scene.arrival.from = "10.0.0.2:5000".parse().unwrap();
        let mut body = Vec::new();
        Data { before: 15, documents: 2, ..whole() }.write(&mut body);
        let Scene { streams, sink, arrival } = scene;
        let stream = streams.streams.get_mut(&1).unwrap();
        take_restored(stream, vec![(9, body)], arrival, sink);
    });
    history.step(|scene| scene.send_all(2, [3]));
    history.step(|scene| drop(scene.mark(1, 1, 15)));
    history.step(|scene| piece(scene, 11, 1));
    history.step(|scene| scene.lines(1));
    history.step(|scene| scene.heartbeat(1, 0, MESSAGE));
    history.step(|scene| scene.heartbeat(4, 3, MESSAGE));
    history.step(|scene| drop(scene.mark(3, 0, 0)));
    history
}

impl Scene {
    fn lines(&mut self, count: usize) {
        for _ in 0..count {
            self.streams.lines();
            let Arrival { at, from, .. } = self.arrival;
            self.sink.push(&Record { at, from, payload: Payload::Lines(b"{}\n") });
        }
    }
}

#[test]
fn the_spool_makes_up_for_a_ledger_that_was_not_saved_in_time() {
    for sealed in [false, true] {
        lived(sealed).kill_everywhere(|restarted, expected, what| {
            assert_eq!(account(restarted), account(expected), "sealed {sealed}, {what}");
        });
    }
}

#[test]
fn after_a_kill_a_stream_goes_on_and_nobody_else_may_add_to_it() {
    for sealed in [false, true] {
        lived(sealed).kill_everywhere(|mut restarted, _, what| {
            let known: Vec<u64> = restarted.streams.streams.keys().copied().collect();
            for stream in known {
                restarted.arrival.sealed = sealed;
                restarted.send_all(stream, [20]);
                let before = restarted.account(stream);
                assert_eq!((before.next, before.sealed), (21, Some(sealed)), "{what}");
                if sealed {
                    restarted.arrival.sealed = false;
                    restarted.send_all(stream, [21]);
                    restarted.mark(stream, 60, 30);
                    assert_eq!(restarted.account(stream), before, "{what}");
                }
            }
        });
    }
}

/// Pieces are only in memory, so what the ledger says of them is not true after a restart.
#[test]
fn pieces_that_went_with_the_receiver_are_asked_for_again() {
    let mut history = History::new(true);
    history.step(|scene| drop(scene.mark(1, 0, 0)));
    history.step(|scene| piece(scene, 0, 0));
    history.step(|scene| piece(scene, 1, 1));
    history.step(|scene| drop(scene.wait(Duration::from_millis(1))));
    let told = history.scene.mark(1, 1, 2);
    assert_eq!(told, [Request { settled: 0, ranges: Vec::new() }], "the sender must keep them");
    history.save();
    let killed = history.saved.last().unwrap();
    let mut restarted = history.restarted(killed, killed);
    let asked = restarted.mark(1, 2, 3);
    assert_eq!(asked, [Request { settled: 0, ranges: vec![(0, 3)] }]);
    for index in 0..3 {
        piece(&mut restarted, u64::from(index), index);
    }
    let account = restarted.account(1);
    assert_eq!((account.missing, account.counts.documents), (0, 1));
    assert_eq!(restarted.sink.records().count(), 2, "a mark and a message");
}

#[test]
fn who_has_a_key_takes_over_what_somebody_without_one_said_before() {
    let mut scene = Scene::new();
    scene.arrival.sealed = false;
    scene.send_all(1, [1_000_000]);
    let claimed = scene.streams.ledger(0, 0);
    scene.arrival.sealed = true;
    scene.send_all(1, [0, 1]);
    assert_eq!((scene.account(1).next, scene.account(1).sealed), (2, Some(true)));
    assert_eq!(scene.streams.ledger(0, 0).totals.received, 3);
    // The same from the spool.
    let now = scene.arrival.now;
    let mut restored = Streams::restore(claimed, now);
    for record in scene.sink.records().skip(1) {
        restored.recover(&Record::read(record).unwrap(), now);
    }
    assert_eq!(restored.ledger(0, 0), scene.streams.ledger(0, 0));
}

#[test]
fn a_sealed_stream_that_was_retired_is_not_revived_by_somebody_without_a_key() {
    let mut scene = Scene::new();
    scene.send_all(1, [0]);
    scene.wait(IDLE * 2);
    let ledger = scene.streams.ledger(0, 0);
    assert_eq!((ledger.streams.len(), ledger.retired[0].sealed), (0, Some(true)));
    let mut restored = Scene { streams: Streams::restore(ledger, scene.arrival.now), ..scene };
    restored.arrival.sealed = false;
    restored.send_all(1, [1]);
    assert_eq!(restored.refused(Refusal::Unsealed), 1);
    restored.arrival.sealed = true;
    restored.send_all(1, [1]);
    assert_eq!(restored.account(1).counts.received, 1);
}

/// An older version did not write down whether a message came sealed.
#[test]
fn records_of_an_older_version_leave_it_to_the_sender_to_show_its_key() {
    let old = |stream, first| {
        let (sealed, how) = (None, crate::udp::record::How::Received);
        let (pieces, before, documents, message) = (0, 2 * first, 2, MESSAGE);
        let payload =
            Payload::Message { stream, sealed, first, pieces, how, before, documents, message };
        Record { at: 7, from: "10.0.0.1:4000".parse().unwrap(), payload }
    };
    let mut scene = Scene::new();
    let now = scene.arrival.now;
    for record in [old(1, 0), old(1, 1), old(2, 0)] {
        scene.streams.recover(&record, now);
    }
    assert_eq!((scene.account(1).next, scene.account(1).sealed), (2, None));
    // A ledger that is saved meanwhile does not make one up either.
    scene.streams = Streams::restore(scene.streams.ledger(0, 0), now);
    scene.arrival.sealed = false;
    scene.send_all(1, [2]);
    scene.send_all(2, [1]);
    scene.arrival.sealed = true;
    scene.send_all(1, [3]);
    assert_eq!((scene.account(1).counts.received, scene.account(1).sealed), (4, Some(true)));
    assert_eq!(scene.account(2).counts.received, 2);
    scene.arrival.sealed = false;
    scene.send_all(1, [4]);
    assert_eq!(scene.refused(Refusal::Unsealed), 1);
    // What the ledger knows holds for what it has not seen yet.
    scene.streams.recover(&old(1, 4), now);
    assert_eq!((scene.account(1).next, scene.account(1).sealed), (5, Some(true)));
}

#[test]
fn streams_of_the_spool_find_room_where_others_had_made_it() {
    let mut scene = Scene::new();
    for stream in 0..MOST_OF_SOURCE as u64 {
        scene.arrival.at = 7 + stream;
        scene.send_all(stream, [0]);
    }
    let ledger = scene.streams.ledger(0, 0);
    let before = scene.sink.records().count();
    scene.wait(IDLE * 2);
    scene.arrival.at += 1;
    scene.send_all(1000, [0, 1]);
    let now = scene.arrival.now;
    let mut restored = Streams::restore(ledger, now);
    for record in scene.sink.records().skip(before) {
        restored.recover(&Record::read(record).unwrap(), now);
    }
    let restored = Scene { streams: restored, ..Scene::new() };
    assert_eq!(restored.account(1000).counts.received, 2);
    assert_eq!(restored.streams.retired_order, [0], "the one that was silent for longest");
}
