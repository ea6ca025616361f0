//! Gathers the hits of a search: those that stand first, how many there are, and the best score.
//!
//! Keeps twice as many as are wanted, at most, in each segment. Once the deadline has passed,
//! nothing more is gathered; all ends where the client goes, or memory does not suffice.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::Weight;
use tantivy::{DocId, Score, Searcher, SegmentOrdinal, SegmentReader};

use super::rank::{Class, Criterion, Place, Rank, Ranker};
use crate::attempt::{look, look_at_memory};

/// The clock is looked at once for so many documents.
const BETWEEN_LOOKS: u64 = 8_192;
/// Documents that tantivy hands over at once.
const BLOCK: usize = tantivy::COLLECT_BLOCK_BUFFER_LEN;

/// A hit, wherever it is.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// Where it stands, by each criterion.
    pub ranks: Vec<Rank>,
    /// How well it matches, if that was asked.
    pub score: Score,
    /// The number of the index among those that are searched.
    pub index: usize,
    /// The segment.
    pub segment: SegmentOrdinal,
    /// The document in it.
    pub document: DocId,
}

/// How hits are put in order, and which are wanted.
#[derive(Debug)]
pub struct Order {
    /// The criteria, and whether strings that are not there come first.
    pub criteria: Vec<(Criterion, bool)>,
    /// Only hits after this one.
    pub after: Option<After>,
    /// How many are kept.
    pub keep: usize,
    /// Hits that score less are none.
    pub min_score: Option<Score>,
    /// Whether scores are computed.
    pub needs_scores: bool,
    /// When to stop.
    pub deadline: Instant,
    /// How far hits have to be counted.
    pub count_to: u64,
}

/// The last hit that is not wanted.
#[derive(Debug, Clone)]
pub struct After {
    /// Its values of the criteria, or of the first of them.
    pub ranks: Vec<Rank>,
    /// Which hit it is, if those after it with the same values are wanted too.
    pub tie: Option<Tie>,
}

/// Index, segment and document.
pub type Tie = (usize, SegmentOrdinal, DocId);

impl Order {
    /// Whether all hits of a segment are counted, and are all that are aggregated.
    pub fn counts_all(&self) -> bool {
        self.keep == 0 && self.after.is_none() && !self.needs_scores
    }

    /// The order of two hits.
    pub fn compare(&self, one: &Ranked, other: &Ranked) -> Ordering {
        let pairs = one.ranks.iter().zip(&other.ranks).zip(&self.criteria);
        let unequal = pairs
            .map(|((one, other), (criterion, first))| criterion.compare(one, other, *first))
            .find(|order| *order != Ordering::Equal);
        let place = |hit: &Ranked| (hit.index, hit.segment, hit.document);
        unequal.unwrap_or_else(|| place(one).cmp(&place(other)))
    }
}

/// What is gathered.
#[derive(Debug, Default)]
pub struct Gathered {
    /// How many hits there are, up to a little more than had to be counted.
    pub count: u64,
    /// The first ones, in no order.
    pub hits: Vec<Ranked>,
    /// The best score.
    pub max_score: Option<Score>,
    /// Whether the deadline passed before the end.
    pub is_late: bool,
}

/// Gathers the hits of one index.
pub struct Gatherer {
    /// The order of hits.
    pub order: Arc<Order>,
    /// The columns of the criteria in this index.
    pub columns: Vec<Option<String>>,
    /// The index's number.
    pub index: usize,
    /// How many documents are before each segment.
    pub firsts: Vec<u64>,
}

/// How many documents are before each segment that a searcher sees.
pub fn firsts(searcher: &Searcher) -> Vec<u64> {
    let segments = searcher.segment_readers().iter();
    let sums = segments.scan(0, |next, segment| {
        let first = *next;
        *next += u64::from(segment.max_doc());
        Some(first)
    });
    sums.collect()
}

impl Gatherer {
    /// Whether hits come in the order they are wanted in, so that the first are enough.
    fn comes_in_order(&self) -> bool {
        let order = &self.order;
        let is_sorted = order.criteria.iter().all(|(criterion, _)| {
            matches!(criterion.class, Class::Document | Class::ShardDocument)
                && !criterion.is_descending
        });
        is_sorted && !order.needs_scores
    }
}

impl Collector for Gatherer {
    type Fruit = Gathered;
    type Child = SegmentGatherer;

    fn for_segment(
        &self,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentGatherer> {
        let order = Arc::clone(&self.order);
        let first = self.firsts.get(segment as usize).copied().unwrap_or_default();
        let place = Place { index: self.index, first };
        let mut rankers = Vec::with_capacity(order.criteria.len());
        for ((criterion, first), column) in order.criteria.iter().zip(&self.columns) {
            rankers.push(Ranker::new(criterion, column.as_deref(), *first, (reader, place))?);
        }
        let mut after = None;
        if let Some(wanted) = &order.after {
            let keys = rankers.iter().zip(&wanted.ranks).zip(&order.criteria);
            let keys: tantivy::Result<Vec<u128>> =
                keys.map(|((ranker, rank), (_, first))| ranker.key_of(rank, *first)).collect();
            after = Some((keys?, wanted.tie));
        }
        Ok(SegmentGatherer {
            order,
            rankers,
            after,
            place: (self.index, segment),
            entries: Vec::new(),
            threshold: None,
            count: 0,
            until_look: 0,
            max_score: None,
            is_late: false,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.order.needs_scores
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Gathered>>) -> tantivy::Result<Gathered> {
        let mut whole = Gathered::default();
        for segment in segments {
            whole.add(segment?);
        }
        Ok(whole)
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<tantivy::Result<Gathered>> {
        look();
        let mut gatherer = self.for_segment(segment, reader)?;
        let alive = reader.alive_bitset();
        if self.order.needs_scores {
            weight.for_each(reader, &mut |document, score| {
                if alive.is_none_or(|alive| alive.is_alive(document)) {
                    gatherer.collect(document, score);
                }
            })?;
            return Ok(gatherer.harvest());
        }
        if self.order.counts_all() {
            gatherer.count = u64::from(weight.count(reader)?);
            return Ok(gatherer.harvest());
        }
        let in_order = self.comes_in_order();
        let mut documents = weight.scorer(reader, 1.0)?;
        let mut block = [0; BLOCK];
        loop {
            let filled = documents.fill_buffer(&mut block);
            let found = block.get(..filled).unwrap_or_default();
            match alive {
                None => gatherer.collect_block(found),
                Some(alive) => {
                    for document in found.iter().filter(|document| alive.is_alive(**document)) {
                        gatherer.collect(*document, 0.0);
                    }
                }
            }
            let is_enough = in_order
                && gatherer.entries.len() >= self.order.keep
                && gatherer.count > self.order.count_to;
            if filled < BLOCK || is_enough || gatherer.is_late {
                return Ok(gatherer.harvest());
            }
        }
    }
}

impl Gathered {
    /// Takes in what was gathered elsewhere.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.hits.extend(other.hits);
        self.max_score = match (self.max_score, other.max_score) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        self.is_late |= other.is_late;
    }
}

/// Gathers the hits of one segment.
pub struct SegmentGatherer {
    order: Arc<Order>,
    rankers: Vec<Ranker>,
    after: Option<(Vec<u128>, Option<Tie>)>,
    place: (usize, SegmentOrdinal),
    entries: Vec<Entry>,
    /// Once there are enough, a hit whose first key is larger is not among the first.
    threshold: Option<u128>,
    count: u64,
    until_look: u64,
    max_score: Option<Score>,
    is_late: bool,
}

struct Entry {
    first: u128,
    /// By the other criteria.
    others: Box<[u128]>,
    document: DocId,
    score: Score,
}

impl Entry {
    fn key(&self) -> (u128, &[u128], DocId) {
        (self.first, &self.others, self.document)
    }
}

impl SegmentGatherer {
    fn look(&mut self, documents: u64) {
        self.until_look = self.until_look.saturating_sub(documents);
        if self.until_look == 0 {
            self.until_look = BETWEEN_LOOKS;
            self.is_late |= Instant::now() >= self.order.deadline;
            look_at_memory();
        }
    }

    fn offer(&mut self, first: u128, document: DocId, score: Score) {
        let is_behind = self.threshold.is_some_and(|threshold| {
            first > threshold || (first == threshold && self.rankers.len() <= 1)
        });
        if is_behind {
            return;
        }
        let others: Box<[u128]> =
            self.rankers.iter().skip(1).map(|ranker| ranker.key(document, score)).collect();
        let entry = Entry { first, others, document, score };
        if self.is_before_wanted(&entry) {
            return;
        }
        self.entries.push(entry);
        if self.entries.len() >= 2 * self.order.keep.max(64) {
            self.cut();
        }
    }

    fn is_before_wanted(&self, entry: &Entry) -> bool {
        let Some((keys, tie)) = &self.after else { return false };
        let own = std::iter::once(entry.first).chain(entry.others.iter().copied());
        // Without criteria, or with some that are not told, hits are equal by those that are.
        match own.take(keys.len()).cmp(keys.iter().copied()) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => {
                let (index, segment) = self.place;
                tie.is_none_or(|tie| (index, segment, entry.document) <= tie)
            }
        }
    }

    /// Keeps the first ones.
    fn cut(&mut self) {
        let keep = self.order.keep;
        if keep == 0 || self.entries.len() <= keep {
            return;
        }
        self.entries.select_nth_unstable_by(keep - 1, |one, other| one.key().cmp(&other.key()));
        self.entries.truncate(keep);
        if let Some(last) = self.entries.last() {
            self.threshold = Some(last.first);
        }
    }
}

impl SegmentCollector for SegmentGatherer {
    type Fruit = tantivy::Result<Gathered>;

    fn collect(&mut self, document: DocId, score: Score) {
        self.look(1);
        if self.is_late || self.order.min_score.is_some_and(|least| score < least) {
            return;
        }
        self.count += 1;
        if self.order.needs_scores {
            self.max_score = Some(self.max_score.map_or(score, |best| best.max(score)));
        }
        if self.order.keep == 0 {
            return;
        }
        // Without criteria all stand at the same place.
        let first = self.rankers.first().map_or(0, |ranker| ranker.key(document, score));
        self.offer(first, document, score);
    }

    fn collect_block(&mut self, documents: &[DocId]) {
        self.look(documents.len() as u64);
        if self.is_late {
            return;
        }
        self.count += documents.len() as u64;
        if self.order.keep == 0 {
            return;
        }
        let mut values = [0; BLOCK];
        let plain = self.rankers.first().and_then(|ranker| {
            let column = ranker.plain_column()?;
            let values = values.get_mut(..documents.len())?;
            column.values.get_vals(documents, values);
            Some(ranker.is_turned())
        });
        for (document, value) in documents.iter().zip(values) {
            let first = match plain {
                Some(true) => !u128::from(value),
                Some(false) => u128::from(value),
                None => self.rankers.first().map_or(0, |ranker| ranker.key(*document, 0.0)),
            };
            self.offer(first, *document, 0.0);
        }
    }

    fn harvest(mut self) -> tantivy::Result<Gathered> {
        self.cut();
        let (index, segment) = self.place;
        let mut hits = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let keys = std::iter::once(entry.first).chain(entry.others.iter().copied());
            let ranks: tantivy::Result<Vec<Rank>> =
                self.rankers.iter().zip(keys).map(|(ranker, key)| ranker.rank(key)).collect();
            let (score, document) = (entry.score, entry.document);
            hits.push(Ranked { ranks: ranks?, score, index, segment, document });
        }
        Ok(Gathered { count: self.count, hits, max_score: self.max_score, is_late: self.is_late })
    }
}
