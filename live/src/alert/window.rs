//! The lines of one window: all of them, and those of each key.

use crate::live::Live;
use crate::sketch::{Index, Merged, Merger, Over};
use crate::step::Totals;

use super::group::{ALL, View};
use super::reading::{Amount, Latencies};

/// A window, of which as much is looked at as a view asks for.
#[derive(Debug, Default)]
pub struct Window<'a> {
    totals: Totals,
    /// Each key.
    pub keys: Vec<Merged<'a>>,
    index: Index,
    floor: Over,
}

impl<'a> Window<'a> {
    /// The window of the view whose last step is this one.
    pub fn new(live: &'a Live, view: &View, last: i64) -> Self {
        let span = last.saturating_sub(view.steps - 1)..=last;
        let steps = live.kept().filter(|step| span.contains(&step.number));
        let Some(place) = view.place else {
            let mut totals = Totals::default();
            steps.for_each(|step| totals.add(&step.totals));
            return Self { totals, ..Self::default() };
        };
        let mut merger = Merger::new(view.depth);
        steps.filter_map(|step| step.tables.get(place)).for_each(|table| merger.add(table, None));
        let floor = merger.floor();
        let (keys, index) = merger.finish_with_index();
        Self { totals: Totals::default(), keys, index, floor }
    }

    fn key(&self, hash: u64) -> Option<&Merged<'a>> {
        let key = |place: u32| self.keys.get(place as usize);
        let is_it = |place| key(place).is_some_and(|merged| merged.key.hash == hash);
        self.index.find(hash, is_it).and_then(key)
    }

    /// The lines of a key, or all.
    pub fn amount(&self, hash: u64) -> Amount {
        if hash == ALL {
            return Amount::of_all(&self.totals);
        }
        self.key(hash).map_or_else(|| Amount::absent(&self.floor), Amount::of_key)
    }

    /// How long the lines of a key took, or all.
    pub fn latencies(&self, hash: u64) -> Latencies<'_> {
        if hash == ALL {
            return Latencies::OfAll(&self.totals.latency);
        }
        self.key(hash).map_or(Latencies::None, |merged| Latencies::OfKey(&merged.latency))
    }

    /// Whether a key is in it.
    pub fn has(&self, hash: u64) -> bool {
        self.key(hash).is_some()
    }
}
