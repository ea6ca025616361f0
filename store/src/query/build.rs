//! From a [`Query`] to one of tantivy's, for one index.

use std::cell::Cell;
use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tantivy::Searcher;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, Occur, Query as TantivyQuery, TermQuery,
    TermSetQuery,
};
use tantivy::schema::{IndexRecordOption, Term as TantivyTerm};

use super::between::between;
use super::date::{Dates, Rounding, Viewpoint};
use super::pattern::{Maker, TooLong, Wildcard};
use super::phrase::InOrder;
use super::refusal::{illegal, misfit, shard_failure};
use super::statistics::{Known, Scored};
use super::values;
use super::{Bool, Kind, Match, Minimum, Pattern, Phrase, Query, Range, Term};
use super::{exists, keyword};
use crate::error::ApiError;
use crate::index::{Index, Place, beyond};
use crate::mapping::FieldKind;

/// Up to so many values are asked for one by one; more of them are one question.
const FEW_TERMS: usize = 16;

/// What all that is asked of one index may cost; a word of one field costs 1.
const MOST_COST: usize = 65_536;
/// What a pattern costs: it is compared with many values.
pub(super) const PATTERN_COST: usize = 64;

/// A query of tantivy's.
pub(super) type Built = Box<dyn TantivyQuery>;

/// Makes tantivy's queries for one index.
pub struct Builder<'a> {
    pub(super) index: &'a Index,
    searcher: &'a Searcher,
    pub(super) view: Viewpoint,
    /// For scores.
    known: Known,
    /// What was built so far.
    cost: Cell<usize>,
}

impl<'a> Builder<'a> {
    /// For an index as it is seen by a searcher, at a time.
    pub fn new(index: &'a Index, searcher: &'a Searcher, now: Timestamp) -> Self {
        let view = Viewpoint { now, zone: TimeZone::UTC };
        Self { index, searcher, view, known: Known::default(), cost: Cell::new(0) }
    }

    /// Counts what is to be built: words are few and fields are few, and yet each word of a text may be
    /// asked of each field.
    pub(super) fn spend(&self, cost: usize) -> Result<(), ApiError> {
        self.cost.set(self.cost.get().saturating_add(cost));
        if self.cost.get() <= MOST_COST {
            return Ok(());
        }
        Err(shard_failure(
            "too_many_clauses",
            "the query asks too much: too many words or patterns, of too many fields; name the fields that are meant",
        ))
    }

    /// The moment that a date in a request means.
    ///
    /// # Errors
    /// When it means none.
    pub fn moment(
        &self,
        dates: &Dates,
        text: &str,
        rounding: Rounding,
    ) -> Result<Timestamp, ApiError> {
        dates
            .read(text, &self.view, rounding)
            .map_err(|reason| shard_failure("parse_exception", reason))
    }

    /// The query; `None` where nothing in the index can match it.
    ///
    /// # Errors
    /// What does not fit the index's fields.
    pub fn build(&self, query: &Query) -> Result<Option<Built>, ApiError> {
        let boost = query.boost;
        match &query.kind {
            Kind::MatchAll => Ok(Some(all(boost))),
            Kind::MatchNone => Ok(None),
            Kind::Match(query) => self.matching(query, boost),
            Kind::Phrase(query) => self.phrase(query, boost),
            Kind::Term(query) => self.term(query, boost),
            Kind::Terms(field, values) => self.terms(field, values, boost),
            Kind::Range(query) => {
                if let field @ ("_id" | "_index") = query.field.as_str() {
                    return Err(misfit(format!(
                        "Field [{field}] of type [{field}] does not support range queries"
                    )));
                }
                self.range(query, boost)
            }
            // Patterns that fit Elasticsearch's own fields are refused by it, for one or another of them.
            Kind::Exists(field) if field == "*" || field.starts_with("_*") => {
                Err(misfit(format!("[{field}] does not support exists queries: name the fields")))
            }
            Kind::Exists(field) if field == "_source" => {
                Err(shard_failure("query_shard_exception", "The _source field is not searchable"))
            }
            Kind::Exists(field) => Ok(self.exists(field, boost)),
            Kind::Pattern(query) => {
                if query.field == "_id" {
                    let kind = if query.is_prefix { "prefix" } else { "wildcard" };
                    return Err(shard_failure(
                        "query_shard_exception",
                        format!(
                            "Can only use {kind} queries on keyword, text and wildcard fields - not on [_id] which is of type [_id]"
                        ),
                    ));
                }
                self.pattern(query, boost)
            }
            Kind::Ids(ids) => Ok(self.ids(ids.iter().map(String::as_str), boost)),
            Kind::Bool(query) => self.boolean(query, boost),
            Kind::Constant(query) => {
                let inner = self.build(query)?;
                Ok(inner.map(|inner| constant(inner, boost)))
            }
            Kind::Text(query) => self.text(query, boost),
        }
    }

    fn boolean(&self, query: &Bool, boost: f32) -> Result<Option<Built>, ApiError> {
        let mut clauses: Vec<(Occur, Built)> = Vec::new();
        let mut is_possible = true;
        for must in &query.must {
            match self.build(must)? {
                Some(built) => clauses.push((Occur::Must, built)),
                // What is wrong with others is told all the same.
                None => is_possible = false,
            }
        }
        for filter in &query.filter {
            match self.build(filter)? {
                Some(built) => clauses.push((Occur::Must, constant(built, 0.0))),
                None => is_possible = false,
            }
        }
        let is_alone = query.must.is_empty() && query.filter.is_empty();
        let mut possible = 0;
        for should in &query.should {
            if let Some(built) = self.build(should)? {
                possible += 1;
                clauses.push((Occur::Should, built));
            }
        }
        // Without others one of them has to be there, whatever is asked for.
        let least = usize::from(is_alone && !query.should.is_empty());
        let minimum = query.minimum.filter(|_| !is_alone || !query.should.is_empty());
        let wanted = minimum.map_or(least, |minimum| minimum.of(query.should.len()).max(least));
        let has_positive = !clauses.is_empty();
        for must_not in &query.must_not {
            if let Some(built) = self.build(must_not)? {
                clauses.push((Occur::MustNot, built));
            }
        }
        if wanted > possible || !is_possible {
            return Ok(None);
        }
        if !has_positive {
            // Everything but what must not be; its score is 0 as it comes from no query, or 1.
            let score = if query.must_not.is_empty() { 1.0 } else { 0.0 };
            clauses.push((Occur::Must, all(score)));
        }
        Ok(Some(boosted(combined(clauses, wanted), boost)))
    }

    pub(super) fn matching(&self, query: &Match, boost: f32) -> Result<Option<Built>, ApiError> {
        let Some(place) = self.index.place(&query.field) else {
            return Ok(self.special(&query.field, &query.value, boost));
        };
        if place.kind != FieldKind::Text {
            let built = self.equal(&place, &query.value, boost);
            return if query.lenient { Ok(built.unwrap_or(None)) } else { built };
        }
        let tokens = self.tokens(&place, &values::word(&query.value))?;
        let usual = if query.all { Minimum::Percent(100) } else { Minimum::Number(1) };
        let wanted = query.minimum.unwrap_or(usual).of(tokens.len());
        let mut clauses: Vec<(Occur, Built)> = Vec::with_capacity(tokens.len());
        for (_, term) in tokens {
            let occur = if query.all { Occur::Must } else { Occur::Should };
            clauses.push((occur, self.scored(term, 1.0)));
        }
        Ok(match clauses.len() {
            0 => None,
            1 => clauses.pop().map(|(_, only)| boosted(only, boost)),
            _ => Some(boosted(combined(clauses, if query.all { 0 } else { wanted }), boost)),
        })
    }

    pub(super) fn phrase(&self, query: &Phrase, boost: f32) -> Result<Option<Built>, ApiError> {
        let Some(place) = self.index.place(&query.field) else {
            return Ok(self.special(&query.field, &query.value, boost));
        };
        if place.kind != FieldKind::Text {
            let built = self.equal(&place, &query.value, boost);
            return if query.lenient { Ok(built.unwrap_or(None)) } else { built };
        }
        let mut tokens = self.tokens(&place, &values::word(&query.value))?;
        Ok(match tokens.len() {
            0 => None,
            1 => tokens.pop().map(|(_, term)| self.scored(term, boost)),
            _ => {
                let (slop, known) = (query.slop, self.known.clone());
                Some(boosted(Box::new(InOrder { words: tokens, slop, known }), boost))
            }
        })
    }

    /// The words of a text, as the field has them, with their places.
    pub(super) fn tokens(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Vec<(usize, TantivyTerm)>, ApiError> {
        let mut analyzer = self.searcher.index().tokenizer_for_field(place.field)?;
        let mut stream = analyzer.token_stream(text);
        let mut tokens = Vec::new();
        while let Some(token) = stream.next() {
            tokens.push((token.position, values::string_term(place, &token.text)));
            if tokens.len() > super::dsl::MOST_CLAUSES {
                return Err(illegal("a text of so many words is not searched for"));
            }
        }
        Ok(tokens)
    }

    fn term(&self, query: &Term, boost: f32) -> Result<Option<Built>, ApiError> {
        let Some(place) = self.index.place(&query.field) else {
            return Ok(self.special(&query.field, &query.value, boost));
        };
        let is_string = matches!(place.kind, FieldKind::Keyword { .. } | FieldKind::Text);
        let text = values::word(&query.value);
        if query.ignore_case && is_string && !text.is_empty() {
            let pattern = maker(&place, true).literal(&text).map_err(too_long)?;
            return Ok(Some(fitting(&place, pattern, boost)));
        }
        if query.ignore_case && !is_string {
            return Err(misfit(format!(
                "[{}] field does not support case insensitive term queries",
                query.field
            )));
        }
        self.equal(&place, &query.value, boost)
    }

    /// Values that are equal to one.
    fn equal(&self, place: &Place, value: &Value, boost: f32) -> Result<Option<Built>, ApiError> {
        if place.kind == FieldKind::Text {
            return Ok(Some(self.scored(values::string_term(place, &values::word(value)), boost)));
        }
        if place.kind == FieldKind::Boolean {
            let wanted = values::boolean(value)?;
            return Ok(Some(boosted(keyword::flag(&place.column, wanted), boost)));
        }
        if place.kind == FieldKind::Long
            && let Some(digits) = beyond(&values::text(value))
        {
            return Ok(Some(constant(keyword::one_of(&place.beyond(), vec![digits]), boost)));
        }
        let bounds = values::equal(place, value, &self.view)?;
        Ok(bounds.map(|bounds| match place.kind {
            FieldKind::Keyword { .. } => boosted(keyword::equal(&place.column, bounds), boost),
            _ => constant(between(bounds), boost),
        }))
    }

    fn terms(&self, field: &str, wanted: &[Value], boost: f32) -> Result<Option<Built>, ApiError> {
        let texts = || wanted.iter().map(values::word);
        if wanted.is_empty() {
            return Ok(None);
        }
        if field == "_id" {
            let ids: Vec<String> = texts().collect();
            return Ok(self.ids(ids.iter().map(String::as_str), boost));
        }
        let Some(place) = self.index.place(field) else {
            let is_here = field == "_index" && texts().any(|name| self.is_index(&name));
            return Ok(is_here.then(|| all(boost)));
        };
        if matches!(place.kind, FieldKind::Keyword { .. }) {
            return Ok(Some(constant(keyword::one_of(&place.column, texts().collect()), boost)));
        }
        if place.kind == FieldKind::Text {
            let terms = texts().map(|text| values::string_term(&place, &text));
            return Ok(Some(constant(Box::new(TermSetQuery::new(terms)), boost)));
        }
        if place.kind == FieldKind::Boolean {
            let flags: Vec<bool> = wanted.iter().map(values::boolean).collect::<Result<_, _>>()?;
            let query = exists::flags(&place.column, |flag| flags.contains(&flag));
            return Ok(Some(constant(query, boost)));
        }
        for value in wanted {
            values::may_be_listed(&place, value)?;
        }
        let mut clauses: Vec<Built> = Vec::with_capacity(wanted.len());
        if place.kind == FieldKind::Long {
            let digits: Vec<String> = texts().filter_map(|text| beyond(&text)).collect();
            if !digits.is_empty() {
                clauses.push(keyword::one_of(&place.beyond(), digits));
            }
        }
        if wanted.len() > FEW_TERMS && place.kind == FieldKind::Long {
            let mut numbers = HashSet::with_capacity(wanted.len());
            for value in wanted {
                numbers.extend(values::long(value)?);
            }
            clauses.push(exists::one_of(&place.column, numbers));
        } else {
            for value in wanted {
                clauses.extend(values::equal(&place, value, &self.view)?.map(between));
            }
        }
        Ok((!clauses.is_empty()).then(|| constant(Box::new(BooleanQuery::union(clauses)), boost)))
    }

    pub(super) fn range(&self, query: &Range, boost: f32) -> Result<Option<Built>, ApiError> {
        let Some(place) = self.index.place(&query.field) else { return Ok(None) };
        if query.from.is_none() && query.to.is_none() {
            return Ok(self.exists(&query.field, boost));
        }
        if place.kind == FieldKind::Boolean {
            let flags = values::flags_between(query)?;
            let query = exists::flags(&place.column, |flag| flags.contains(&flag));
            return Ok(Some(constant(query, boost)));
        }
        let bounds = values::between(&place, query, &self.view)?;
        Ok(bounds.map(|bounds| constant(between(bounds), boost)))
    }

    pub(super) fn exists(&self, field: &str, boost: f32) -> Option<Built> {
        if matches!(field, "_id" | "_index" | "_seq_no" | "_version") {
            return Some(all(boost));
        }
        let mut places: Vec<Place> = self.index.place(field).into_iter().collect();
        if field.contains('*') {
            let fitting = self.index.places_matching(field);
            places = fitting.into_iter().map(|(_, place)| place).collect();
        } else if places.is_empty() {
            let below = self.index.places_matching(&format!("{field}.*"));
            places.extend(below.into_iter().map(|(_, place)| place));
        }
        let places = places.iter().filter(|place| place.kind != FieldKind::Unsearchable);
        let mut found: Vec<Built> = places.map(exists::exists).collect();
        match found.len() {
            0 => None,
            1 => found.pop().map(|only| constant(only, boost)),
            _ => Some(constant(Box::new(BooleanQuery::union(found)), boost)),
        }
    }

    fn pattern(&self, query: &Pattern, boost: f32) -> Result<Option<Built>, ApiError> {
        if query.field == "_index" {
            let made = made(Maker::new(&[], query.ignore_case), query);
            let is_here = made.is_ok_and(|made| made.matches(self.index.name().as_bytes()));
            return Ok(is_here.then(|| all(boost)));
        }
        self.spend(PATTERN_COST)?;
        let Some(place) = self.index.place(&query.field) else { return Ok(None) };
        pattern_at(&place, query, boost).map(Some)
    }

    pub(super) fn ids<'b>(&self, ids: impl Iterator<Item = &'b str>, boost: f32) -> Option<Built> {
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        (!ids.is_empty()).then(|| constant(self.index.with_ids(ids), boost))
    }

    /// Fields that every document has, and those that no document has.
    fn special(&self, field: &str, value: &Value, boost: f32) -> Option<Built> {
        let text = values::text(value);
        match field {
            "_id" => self.ids(std::iter::once(text.as_str()), boost),
            "_index" if self.is_index(&text) => Some(all(boost)),
            _ => None,
        }
    }

    /// Documents that have a term, scored by BM25.
    fn scored(&self, term: TantivyTerm, boost: f32) -> Built {
        let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
        boosted(Box::new(Scored { term, known: self.known.clone() }), boost)
    }

    pub(super) fn is_index(&self, pattern: &str) -> bool {
        let made = Maker::new(&[], false).wildcard(pattern);
        made.is_ok_and(|pattern| pattern.matches(self.index.name().as_bytes()))
    }
}

/// With another score.
pub(super) fn boosted(query: Built, boost: f32) -> Built {
    if (boost - 1.0).abs() < f32::EPSILON { query } else { Box::new(BoostQuery::new(query, boost)) }
}

/// All documents, with this score. tantivy itself leaves the score of its own query for them out of a sum.
pub(super) fn all(score: f32) -> Built {
    constant(Box::new(AllQuery), score)
}

/// With the same score for all.
pub(super) fn constant(query: Built, score: f32) -> Built {
    Box::new(ConstScoreQuery::new(query, score))
}

pub(super) fn combined(clauses: Vec<(Occur, Built)>, wanted: usize) -> Built {
    Box::new(BooleanQuery::with_minimum_required_clauses(clauses, wanted))
}

/// Values of a field that fit a pattern.
pub(super) fn pattern_at(place: &Place, query: &Pattern, boost: f32) -> Result<Built, ApiError> {
    if !matches!(place.kind, FieldKind::Keyword { .. } | FieldKind::Text) {
        return Err(misfit(format!(
            "Can only use wildcard and prefix queries on keyword, text and wildcard fields - not on [{}]",
            query.field
        )));
    }
    let pattern = made(maker(place, query.ignore_case), query).map_err(too_long)?;
    Ok(fitting(place, pattern, boost))
}

/// A maker of patterns for the values or words of a field.
fn maker(place: &Place, ignore_case: bool) -> Maker {
    if place.kind != FieldKind::Text || place.json_path.is_none() {
        return Maker::new(&[], ignore_case);
    }
    let prefix = values::string_term(place, "");
    Maker::new(prefix.serialized_value_bytes(), ignore_case)
}

fn made(maker: Maker, query: &Pattern) -> Result<Wildcard, TooLong> {
    if query.is_prefix { maker.prefix(&query.text) } else { maker.wildcard(&query.text) }
}

fn fitting(place: &Place, pattern: Wildcard, boost: f32) -> Built {
    let found = match place.kind {
        FieldKind::Text => exists::automatic(place.field, pattern),
        _ => keyword::fitting(&place.column, pattern),
    };
    constant(found, boost)
}

fn too_long(_: TooLong) -> ApiError {
    illegal(format!("a pattern has at most {} bytes here", super::pattern::MOST_PARTS))
}
