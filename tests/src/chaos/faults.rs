//! Every plug that can be pulled, and how it is put back.

use std::time::Duration;

use super::scene::Scene;
use super::writer::Kind;
use super::{brokers, disks, links, processes, rotations, search};

/// What a fault befalls. Two faults at the same time befall different parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Shippers, their hosts, and their links.
    Shipper,
    /// Indexers, and their links.
    Indexer,
    /// RabbitMQ.
    Broker,
    /// Elasticsearch.
    Search,
    /// More than one of them.
    All,
}

impl Part {
    /// Whether faults of both may be there at the same time.
    pub fn goes_with(self, other: Self) -> bool {
        self != other && self != Self::All && other != Self::All
    }
}

type Act = Box<dyn Fn(&mut Scene, usize)>;

/// A plug.
pub struct Fault {
    /// Its row in the report, and in `docs/plugs.md`.
    pub name: String,
    /// What it befalls.
    pub part: Part,
    /// How many there are of it.
    pub targets: usize,
    /// Pulls it.
    pub begin: Act,
    /// Puts it back.
    pub end: Act,
}

impl Fault {
    pub(super) fn new(
        name: &str,
        (part, targets): (Part, usize),
        begin: impl Fn(&mut Scene, usize) + 'static,
        end: impl Fn(&mut Scene, usize) + 'static,
    ) -> Self {
        Self { name: name.to_owned(), part, targets, begin: Box::new(begin), end: Box::new(end) }
    }
}

/// All that can be done to this scene.
pub fn all(scene: &Scene) -> Vec<Fault> {
    let mut faults = processes::faults();
    faults.extend(rotations::faults());
    faults.extend(links::faults());
    faults.extend(brokers::faults());
    faults.extend(search::faults());
    if !scene.broker_disks.is_empty() {
        faults.extend(disks::faults());
    }
    faults
}

pub(super) const SHIPPERS: (Part, usize) = (Part::Shipper, Kind::ALL.len());
/// Those all of whose lines have times, which are the first: the ids of other lines hold only as
/// long as the checkpoint does.
pub(super) const SHIPPERS_OF_TIMED_LINES: (Part, usize) = (Part::Shipper, Kind::TIMED);
pub(super) const INDEXERS: (Part, usize) = (Part::Indexer, 2);
pub(super) const BROKERS: (Part, usize) = (Part::Broker, 3);
pub(super) const ALL_BROKERS: (Part, usize) = (Part::Broker, 1);
pub(super) const NODES: (Part, usize) = (Part::Search, 2);
pub(super) const ALL_NODES: (Part, usize) = (Part::Search, 1);
pub(super) const EVERYTHING: (Part, usize) = (Part::All, 1);

/// How long a fault lasts at least and at most.
pub const LENGTHS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));
