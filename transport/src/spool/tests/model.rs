//! Random use of the spool, against one that is kept in memory.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const MAX_BYTES: u64 = 2000;
const SEGMENT_BYTES: u64 = 300;

#[derive(Debug, Clone)]
enum Action {
    /// Records of these sizes.
    Append(Vec<usize>),
    /// Reads so many.
    Next(usize),
    /// Acknowledges the delivered record at this place, or one again.
    Acknowledge(usize),
    /// Acknowledges all that was delivered up to this place.
    AcknowledgeUpTo(usize),
    Rewind,
    /// Keeping so many records below the end.
    Save(u64),
    /// As after `kill -9`.
    Reopen,
    Scan(usize),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => proptest::collection::vec(0usize..60, 0..5).prop_map(Action::Append),
        5 => (1usize..6).prop_map(Action::Next),
        4 => any::<usize>().prop_map(Action::Acknowledge),
        2 => any::<usize>().prop_map(Action::AcknowledgeUpTo),
        1 => Just(Action::Rewind),
        2 => (0u64..30).prop_map(Action::Save),
        1 => Just(Action::Reopen),
        1 => any::<usize>().prop_map(Action::Scan),
    ]
}

/// What the spool should be.
#[derive(Default)]
struct Model {
    bodies: Vec<Vec<u8>>,
    delivered: Vec<u64>,
    acknowledged: BTreeSet<u64>,
    position: u64,
    saved: u64,
    /// Nothing from here on may be deleted.
    wanted: u64,
}

impl Model {
    fn end(&self) -> u64 {
        self.bodies.len() as u64
    }

    fn floor(&self) -> u64 {
        (0..self.end()).find(|number| !self.acknowledged.contains(number)).unwrap_or(self.end())
    }

    fn next(&mut self) -> Option<SpoolRecord> {
        let mut ahead = self.position..self.end();
        let number = ahead.find(|number| !self.acknowledged.contains(number))?;
        self.position = number + 1;
        self.delivered.push(number);
        let body = self.bodies[usize::try_from(number).unwrap()].clone();
        Some(SpoolRecord { number, body })
    }

    fn reopen(&mut self) {
        self.position = self.saved;
        self.acknowledged = (0..self.saved).collect();
        self.delivered.clear();
    }
}

/// The spool and its model.
struct Pair {
    directory: tempfile::TempDir,
    spool: Spool,
    reader: SpoolReader,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (spool, reader) = Self::open(directory.path());
        Self { directory, spool, reader, model: Model::default() }
    }

    fn open(directory: &Path) -> (Spool, SpoolReader) {
        Spool::open_in_boot(options(directory, MAX_BYTES, SEGMENT_BYTES), BOOT).unwrap()
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Append(sizes) => self.append(&sizes),
            Action::Next(count) => {
                for _ in 0..count {
                    assert_eq!(take(&mut self.reader), self.model.next());
                }
            }
            Action::Acknowledge(place) => self.acknowledge(place, false),
            Action::AcknowledgeUpTo(place) => self.acknowledge(place, true),
            Action::Rewind => {
                self.reader.rewind();
                self.model.position = self.model.floor();
            }
            Action::Save(keep) => {
                let keep_from = self.model.end().saturating_sub(keep);
                self.spool.save(keep_from).unwrap();
                self.model.saved = self.model.floor();
                self.model.wanted = self.model.wanted.max(self.model.saved.min(keep_from));
                let start = self.scan(0).unwrap_or(self.model.end());
                assert!(start <= self.model.wanted);
            }
            Action::Scan(place) => {
                self.scan(place as u64 % (self.model.end() + 1));
            }
            Action::Reopen => return self.reopen(),
        }
        self.check();
    }

    fn append(&mut self, sizes: &[usize]) {
        let start = self.model.end();
        let bodies: Vec<Vec<u8>> = sizes
            .iter()
            .zip(start..)
            .map(|(size, number)| vec![number.to_be_bytes()[7]; *size])
            .collect();
        let needed = bodies.iter().map(|body| body.len() as u64 + RECORD_OVERHEAD).sum();
        match self.spool.append(bodies.iter().map(Vec::as_slice)) {
            Ok(numbers) => {
                assert_eq!(numbers, start..start + bodies.len() as u64);
                self.model.bodies.extend(bodies);
            }
            Err(AppendError::Full { .. }) => assert!(!self.spool.has_room(needed)),
            Err(error) => panic!("{error}"),
        }
    }

    fn acknowledge(&mut self, place: usize, up_to: bool) {
        let place = place % (self.model.delivered.len() + 1);
        let Some(number) = self.model.delivered.get(place).copied() else { return };
        let before = self.model.delivered.iter().take(place).copied().filter(|_| up_to);
        for number in before.chain([number]) {
            self.spool.acknowledge(number);
            self.model.acknowledged.insert(number);
        }
    }

    /// Returns the first number on disk from this one on.
    fn scan(&self, from: u64) -> Option<u64> {
        let mut numbers = Vec::new();
        let visit = |number: u64, body: &[u8]| {
            assert_eq!(body, self.model.bodies[usize::try_from(number).unwrap()]);
            numbers.push(number);
        };
        self.spool.scan(from, visit).unwrap();
        let first = numbers.first().copied();
        let expected = first.unwrap_or(self.model.end())..self.model.end();
        assert_eq!(numbers, expected.collect::<Vec<_>>());
        assert!(first.is_none_or(|first| first == from || first <= self.model.wanted));
        first
    }

    fn reopen(&mut self) {
        // The lock goes with the old one.
        let elsewhere = tempfile::tempdir().unwrap();
        (self.spool, self.reader) = Self::open(elsewhere.path());
        (self.spool, self.reader) = Self::open(self.directory.path());
        self.model.reopen();
        self.check();
    }

    fn check(&self) {
        let (spool, model) = (&self.spool, &self.model);
        assert_eq!((spool.end(), spool.floor()), (model.end(), model.floor()));
        assert_eq!(spool.backlog(), model.end() - model.acknowledged.len() as u64);
        assert_eq!((spool.bytes(), spool.damaged()), (bytes_on_disk(self.directory.path()), 0));
        assert!(spool.bytes() <= MAX_BYTES + HEADER_BYTES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_spool_does_what_its_model_does(actions in proptest::collection::vec(action(), 0..120)) {
        let mut pair = Pair::new();
        for action in actions {
            pair.apply(action);
        }
        // In the end, all that is not acknowledged comes once more.
        pair.apply(Action::Reopen);
        while let Some(record) = pair.model.next() {
            prop_assert_eq!(take(&mut pair.reader), Some(record));
        }
        prop_assert_eq!(take(&mut pair.reader), None);
    }
}
