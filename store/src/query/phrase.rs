//! Words in their order, found and scored as Lucene does.
//!
//! tantivy's own phrases count each place where the words stand as one however far they are apart, and
//! stop the process in some combinations, as it takes for granted that nobody asks for earlier documents.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

use super::sloppy::Sloppy;
use super::statistics::{Known, has_lengths, weight};

/// Documents in which words stand in their places, or near them.
#[derive(Debug, Clone)]
pub(super) struct InOrder {
    /// The words, with their places in the phrase.
    pub words: Vec<(usize, Term)>,
    /// How far they may be from there.
    pub slop: u32,
    /// For scores.
    pub known: Known,
}

impl Query for InOrder {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let mut prepared = Prepared { phrase: self.clone(), rarity: 0.0, average: 0.0 };
        if let (EnableScoring::Enabled { searcher, .. }, Some((_, first))) =
            (scoring, self.words.first())
        {
            let statistics = self.known.of(searcher, first.field())?;
            for (_, word) in &self.words {
                prepared.rarity += statistics.rarity(word)?;
            }
            prepared.average = statistics.length(first.field())?;
        }
        Ok(Box::new(prepared))
    }
}

struct Prepared {
    phrase: InOrder,
    rarity: f32,
    average: f32,
}

impl Prepared {
    /// The documents of a segment, with their scores.
    fn found(&self, segment: &SegmentReader) -> tantivy::Result<Vec<(DocId, Score)>> {
        let Some((_, first)) = self.phrase.words.first() else { return Ok(Vec::new()) };
        let lengths = if has_lengths(segment.schema(), first.field()) {
            segment.get_fieldnorms_reader(first.field())?
        } else {
            FieldNormReader::constant(segment.max_doc(), 1)
        };
        let index = segment.inverted_index(first.field())?;
        let mut words = Vec::with_capacity(self.phrase.words.len());
        for (_, word) in &self.phrase.words {
            let option = IndexRecordOption::WithFreqsAndPositions;
            let Some(postings) = index.read_postings(word, option)? else { return Ok(Vec::new()) };
            words.push(postings);
        }
        let mut matcher = Matcher::new(&self.phrase);
        let mut found = Vec::new();
        let mut document = 0;
        while let Some(next) = common(&mut words, document) {
            let often = matcher.often(&mut words);
            if often > 0.0 {
                found.push((next, self.score(often, &lengths, next)));
            }
            document = next + 1;
        }
        Ok(found)
    }

    fn score(&self, often: f32, lengths: &FieldNormReader, document: DocId) -> Score {
        #[expect(clippy::cast_precision_loss, reason = "lengths are not precise")]
        let length = lengths.fieldnorm(document) as f32;
        self.rarity * weight(often, length, self.average)
    }
}

/// The first document from here on that has all words.
fn common(words: &mut [SegmentPostings], from: DocId) -> Option<DocId> {
    let mut wanted = from;
    loop {
        let mut furthest = wanted;
        for word in &mut *words {
            let at = if word.doc() < furthest { word.seek(furthest) } else { word.doc() };
            furthest = furthest.max(at);
        }
        if furthest == TERMINATED {
            return None;
        }
        if words.iter().all(|word| word.doc() == furthest) {
            return Some(furthest);
        }
        wanted = furthest;
    }
}

/// Counts how often the words of a document stand in their places.
struct Matcher {
    offsets: Vec<i64>,
    sloppy: Option<Sloppy>,
    places: Vec<Vec<u32>>,
}

impl Matcher {
    fn new(phrase: &InOrder) -> Self {
        let offsets: Vec<i64> =
            phrase.words.iter().map(|(place, _)| i64::try_from(*place).unwrap_or(0)).collect();
        let same: Vec<usize> = phrase
            .words
            .iter()
            .map(|(_, word)| phrase.words.iter().position(|(_, other)| other == word).unwrap_or(0))
            .collect();
        let sloppy = (phrase.slop > 0).then(|| Sloppy::new(&offsets, &same, phrase.slop));
        Self { places: vec![Vec::new(); offsets.len()], offsets, sloppy }
    }

    fn often(&mut self, words: &mut [SegmentPostings]) -> f32 {
        for (word, places) in words.iter_mut().zip(&mut self.places) {
            word.positions(places);
        }
        match &mut self.sloppy {
            Some(sloppy) => sloppy.often(&self.places),
            None => self.exactly(),
        }
    }

    fn exactly(&self) -> f32 {
        let (Some(first), Some(offset)) = (self.places.first(), self.offsets.first()) else {
            return 0.0;
        };
        let fits = |start: i64| {
            self.places.iter().zip(&self.offsets).all(|(places, offset)| {
                u32::try_from(start + offset)
                    .is_ok_and(|place| places.binary_search(&place).is_ok())
            })
        };
        let starts = first.iter().filter(|place| fits(i64::from(**place) - offset));
        #[expect(clippy::cast_precision_loss, reason = "scores are not precise")]
        let often = starts.count() as f32;
        often
    }
}

impl Weight for Prepared {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let found = self.found(segment)?;
        if found.is_empty() {
            return Ok(Box::new(EmptyScorer));
        }
        Ok(Box::new(Found { found, at: 0, boost }))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("words in their order", 1.0))
    }
}

/// Goes through documents that are known.
struct Found {
    found: Vec<(DocId, Score)>,
    at: usize,
    boost: Score,
}

impl DocSet for Found {
    fn advance(&mut self) -> DocId {
        self.at = (self.at + 1).min(self.found.len());
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let rest = self.found.get(self.at..).unwrap_or_default();
        self.at += rest.partition_point(|(document, _)| *document < target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.found.get(self.at).map_or(TERMINATED, |(document, _)| *document)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.found.len()).unwrap_or(u32::MAX)
    }
}

impl Scorer for Found {
    fn score(&mut self) -> Score {
        self.found.get(self.at).map_or(0.0, |(_, score)| score * self.boost)
    }
}
