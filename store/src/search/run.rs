//! Runs a search over several indices.
//!
//! Each index is searched by itself; the hits of all are put in order, and only those that are shown
//! are read.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use serde_json::value::RawValue;
use tantivy::collector::Collector;
use tantivy::query::{EmptyQuery, EnableScoring};
use tantivy::schema::Value as _;
use tantivy::{DocAddress, Searcher, SegmentReader, TantivyDocument};

use super::answer::{Hit, Hits, SearchAnswer, Shards, Total};
use super::collect::{After, Gathered, Gatherer, Order, Ranked, firsts};
use super::computed::{Computed, Results, add, all_of, refused};
use super::criteria;
use super::fields;
use super::kept::{Question, is_kept};
use super::rank::{Class, Criterion, Rank, float};
use super::request::{SearchRequest, TotalHits};
use super::sort::By;
use crate::aggregation::{self, Planner, Printer};
use crate::attempt::{look, look_at_memory};
use crate::error::ApiError;
use crate::index::{Index, ignored, patience};
use crate::json::Json;
use crate::query::{Builder, Dates, Kind, Rounding, Viewpoint};

/// Documents are shown up to so many bytes; one is shown however large it is.
const MOST_SHOWN: usize = 32 << 20;

/// What is searched: indices, as they were at a moment.
pub type View = Vec<(Arc<Index>, Searcher)>;

/// Indices as they are now.
///
/// # Errors
/// 503 where one is damaged.
pub fn view(indices: Vec<Arc<Index>>) -> Result<View, ApiError> {
    let end = patience();
    let seen = |index: Arc<Index>| {
        index.await_sound(end)?;
        let searcher = index.searcher();
        Ok((index, searcher))
    };
    indices.into_iter().map(seen).collect()
}

/// What was found, and the last hit, from which a scroll goes on.
pub struct Found {
    /// The answer.
    pub answer: SearchAnswer,
    /// The last hit that is shown.
    pub last: Option<Ranked>,
}

/// Searches. `after` is the last hit of the page before, in a scroll.
///
/// # Errors
/// What does not fit the fields, and what the aggregations may not cost.
pub fn search(
    request: &SearchRequest,
    view: &View,
    after: Option<&Ranked>,
) -> Result<Found, ApiError> {
    let begun = Instant::now();
    let mut search = Search::prepare(request, view, (begun, after))?;
    let (mut gathered, mut is_nothing, results) = search.everything()?;
    let (mut aggregations, is_rough) = search.printed(results)?;
    if is_rough && !gathered.is_late {
        // So many buckets are hardly ever needed, and cost more.
        search.is_exact = true;
        let results;
        (gathered, is_nothing, results) = search.everything()?;
        (aggregations, _) = search.printed(results)?;
    }
    let timed_out = gathered.is_late;
    let (hits, last) = search.hits(gathered, is_nothing)?;
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let shards = Shards::all(view.len());
    let (scroll_id, pit_id) = (None, None);
    let answer = SearchAnswer { scroll_id, pit_id, took, timed_out, shards, hits, aggregations };
    Ok(Found { answer, last })
}

/// How many documents a query finds.
///
/// # Errors
/// What does not fit the fields.
pub fn count(query: &crate::query::Query, view: &View) -> Result<u64, ApiError> {
    let mut count = 0;
    for (index, searcher) in view {
        look();
        count += index.reading(|| {
            let builder = Builder::new(index, searcher, jiff::Timestamp::now());
            let Some(query) = builder.build(query)? else { return Ok(0) };
            let found = searcher.search(&*query, &tantivy::collector::Count);
            Ok(found.map_err(refused)? as u64)
        })?;
    }
    Ok(count)
}

struct Search<'a> {
    request: &'a SearchRequest,
    view: &'a View,
    order: Arc<Order>,
    moment: Viewpoint,
    /// The score of all hits, where it is known before.
    known_score: Option<f32>,
    limits: tantivy::aggregation::AggregationLimitsGuard,
    /// Whether buckets are counted in full, however many there are.
    is_exact: bool,
    few_words: RefCell<HashMap<String, bool>>,
}

impl<'a> Search<'a> {
    fn prepare(
        request: &'a SearchRequest,
        view: &'a View,
        (begun, after): (Instant, Option<&Ranked>),
    ) -> Result<Self, ApiError> {
        let moment = Viewpoint { now: jiff::Timestamp::now(), ..Viewpoint::default() };
        let known_score = request
            .query
            .constant_score()
            .filter(|_| request.is_by_score() && request.min_score.is_none());
        let mut criteria = Vec::with_capacity(request.sort.len());
        for field in &request.sort {
            criteria.push(criteria::criterion(field, view, &moment)?);
        }
        if request.is_by_score() && known_score.is_none() {
            let class = Class::Score;
            let missing = Rank::Number(0);
            criteria.push((Criterion { class, is_descending: true, missing, format: None }, false));
        }
        let after = match (after, &request.search_after) {
            (Some(last), _) => {
                let tie = Some((last.index, last.segment, last.document));
                Some(After { ranks: last.ranks.clone(), tie })
            }
            (None, Some(values)) => {
                let ranks: Result<Vec<Rank>, ApiError> = values
                    .iter()
                    .zip(&criteria)
                    .map(|(value, (criterion, _))| {
                        // What is shown of documents without a value.
                        let may_be_null = matches!(criterion.class, Class::Text | Class::Ip);
                        if value.is_null() && may_be_null {
                            return Ok(criterion.missing.clone());
                        }
                        let format = criterion.format.as_ref();
                        criteria::rank(criterion.class, value, format, &moment)
                    })
                    .collect();
                Some(After { ranks: ranks?, tie: None })
            }
            (None, None) => None,
        };
        let order = Order {
            criteria,
            after,
            keep: request.from + request.size,
            min_score: request.min_score,
            needs_scores: request.needs_scores() && known_score.is_none(),
            deadline: begun + request.timeout,
            count_to: match request.total {
                TotalHits::Untold => 0,
                TotalHits::UpTo(number) => number,
                TotalHits::All => u64::MAX,
            },
        };
        let limits = aggregation::limits();
        let (order, is_exact, few_words) = (Arc::new(order), false, RefCell::default());
        Ok(Self { request, view, order, moment, known_score, limits, is_exact, few_words })
    }

    /// Searches all indices: what is found, whether nothing can be, and what is computed of it.
    fn everything(&self) -> Result<(Gathered, bool, Results), ApiError> {
        let mut gathered = Gathered::default();
        let mut results = Results::default();
        let mut is_nothing = true;
        for number in 0..self.view.len() {
            look();
            if number > 0 && Instant::now() >= self.order.deadline {
                gathered.is_late = true;
                break;
            }
            let Some((index, _)) = self.view.get(number) else { continue };
            is_nothing &= index.reading(|| self.index(number, &mut gathered, &mut results))?;
        }
        Ok((gathered, is_nothing, results))
    }

    /// The column of each criterion in an index, where it has one.
    fn columns(&self, index: &Index) -> Vec<Option<String>> {
        let columns = self.request.sort.iter().map(|field| match &field.by {
            By::Field(name) => index.place(name).map(|place| place.column),
            By::Score | By::Document | By::ShardDocument => None,
        });
        let mut columns: Vec<Option<String>> = columns.collect();
        columns.resize(self.order.criteria.len(), None);
        columns
    }

    /// Searches one index; whether nothing in it can be found.
    fn index(
        &self,
        number: usize,
        gathered: &mut Gathered,
        results: &mut Results,
    ) -> Result<bool, ApiError> {
        let Some((index, searcher)) = self.view.get(number) else { return Ok(true) };
        for pattern in &self.request.fields {
            pattern.check(index)?;
        }
        let builder = Builder::new(index, searcher, self.moment.now);
        let built = builder.build(&self.request.query)?;
        let is_nothing = built.is_none();
        let query = built.unwrap_or_else(|| Box::new(EmptyQuery));
        let columns = self.columns(index);
        let (order, firsts) = (Arc::clone(&self.order), firsts(searcher));
        let gatherer = Gatherer { order, columns, index: number, firsts };
        if self.request.aggregations.is_empty() {
            gathered.add(searcher.search(&*query, &gatherer).map_err(refused)?);
            return Ok(is_nothing);
        }
        let planner = Planner {
            index,
            queries: &builder,
            everything: self.view,
            is_exact: self.is_exact,
            few_words: &self.few_words,
        };
        let planned = planner.plan(&self.request.aggregations)?;
        let scoring = if gatherer.requires_scoring() {
            EnableScoring::enabled_from_searcher(searcher)
        } else {
            EnableScoring::disabled_from_searcher(searcher)
        };
        let weight = query.weight(scoring).map_err(refused)?;
        // One segment after the other, and not as tantivy does it, which keeps the results of all.
        let has_kept = self.order.counts_all() && searcher.segment_readers().iter().any(is_kept);
        let question = has_kept.then(|| {
            let searched = format!("{:?}\n{query:?}", self.request.query);
            Question::of(&self.request.aggregations, &planned, &searched)
        });
        results.planned = planned;
        let tokenizers = searcher.index().tokenizers();
        let (limits, deadline) = (&self.limits, self.order.deadline);
        let computed = Computed { planned: &results.planned, tokenizers, limits, deadline };
        let both = (gatherer, computed.collector_of_all());
        let segments = (0..).zip(searcher.segment_readers());
        let is_known = |segment: &SegmentReader| question.is_some() && is_kept(segment);
        let (kept, others): (Vec<_>, Vec<_>) = segments.partition(|(_, one)| is_known(one));
        if let Some(question) = question.filter(|_| !kept.is_empty()) {
            let (part, found) = computed.of_kept(&both.0, &question, &*weight, &kept)?;
            gathered.add(part);
            add(&mut results.merged, found)?;
        }
        for (number, segment) in others {
            look_at_memory();
            let (part, found) = all_of(&both, (&*weight, number, segment))?;
            gathered.add(part);
            add(&mut results.merged, found)?;
        }
        if results.merged.is_none() {
            // Of nothing: there is no segment.
            results.merged = Some(both.1.merge_fruits(Vec::new()).map_err(refused)?);
        }
        Ok(is_nothing)
    }

    /// The aggregations, and whether documents of buckets may not all be counted.
    fn printed(&self, results: Results) -> Result<(Option<Value>, bool), ApiError> {
        let Some(merged) = results.merged else { return Ok((None, false)) };
        let last =
            merged.into_final_result(results.planned, self.limits.clone()).map_err(refused)?;
        let kind_of = |field: &str| {
            self.view.iter().find_map(|(index, _)| index.place(field)).map(|p| p.kind)
        };
        let moment = |dates: &Dates, text: &str| {
            let read = dates.read(text, &self.moment, Rounding::Down).ok()?;
            Some(read.as_millisecond())
        };
        let typed_keys = self.request.typed_keys;
        let (left, is_rough) = (Cell::default(), Cell::default());
        let printer = Printer { kind_of: &kind_of, moment: &moment, typed_keys, left, is_rough };
        let printed = printer.print(&self.request.aggregations, &last)?;
        Ok((Some(printed), printer.is_rough.get()))
    }

    /// The hits that are shown, read from disk.
    fn hits(
        &self,
        gathered: Gathered,
        is_nothing: bool,
    ) -> Result<(Hits, Option<Ranked>), ApiError> {
        let Gathered { count, mut hits, max_score, .. } = gathered;
        hits.sort_by(|one, other| self.order.compare(one, other));
        let total = match self.request.total {
            TotalHits::Untold => None,
            TotalHits::UpTo(most) if count > most => Some(Total { value: most, relation: "gte" }),
            _ => Some(Total { value: count, relation: "eq" }),
        };
        let has_scores = self.request.is_by_score() || self.request.track_scores;
        let best = self.known_score.or(max_score).filter(|_| has_scores && !hits.is_empty());
        // Where hits are sorted by a field, Elasticsearch asks first which of several indices have any.
        let is_asked = self.view.len() > 1
            && matches!(self.request.sort.first().map(|first| &first.by), Some(By::Field(_)));
        let is_rewritten = is_nothing
            && (is_asked || self.view.is_empty())
            && !matches!(self.request.query.kind, Kind::Match(_) | Kind::Phrase(_) | Kind::Text(_))
            && self.request.size > 0;
        let max_score = match best {
            Some(best) => float(best),
            None if is_rewritten => float(0.0),
            None => Value::Null,
        };
        let mut shown = Vec::new();
        let mut last = None;
        let mut bytes = 0_usize;
        for ranked in hits.into_iter().skip(self.request.from).take(self.request.size) {
            look();
            let hit = self.hit(&ranked)?;
            bytes += hit.bytes();
            if bytes > MOST_SHOWN && !shown.is_empty() {
                return Err(too_much_shown(self.request.size));
            }
            shown.push(hit);
            last = Some(ranked);
        }
        Ok((Hits { total, max_score, hits: shown }, last))
    }

    fn hit(&self, ranked: &Ranked) -> Result<Hit, ApiError> {
        let gone = || ApiError::unavailable("a hit is gone from its index");
        let (index, searcher) = self.view.get(ranked.index).ok_or_else(gone)?;
        let address = DocAddress::new(ranked.segment, ranked.document);
        let read = || searcher.doc(address).map_err(refused);
        let document: TantivyDocument = index.reading(read)?;
        let own = index.own_fields();
        let id = document.get_first(own.id).and_then(|value| value.as_str().map(str::to_owned));
        let came = document.get_first(own.source);
        let came = came.as_ref().and_then(tantivy::schema::Value::as_bytes).unwrap_or_default();
        let source = &self.request.source;
        let source = if source.is_everything() {
            Some(raw(came)?)
        } else {
            match source.apply(came)? {
                None => None,
                Some(part) => Some(raw(part.to_string().as_bytes())?),
            }
        };
        let mut values = fields::Shown::default();
        if !self.request.fields.is_empty() {
            let document = value(came)?;
            values = fields::values(index, &document, &self.request.fields);
        }
        let score = match self.known_score {
            Some(score) => float(score),
            None if self.is_scored() => float(ranked.score),
            None => Value::Null,
        };
        let mut sort = Vec::new();
        if !self.request.is_by_score() {
            let pairs = self.order.criteria.iter().zip(&ranked.ranks);
            sort.extend(pairs.map(|((criterion, _), rank)| criterion.print(rank)));
        }
        Ok(Hit {
            index: index.name().to_owned(),
            id: id.filter(|_| !self.request.hides_ids),
            score,
            ignored: if self.request.hides_ids {
                Vec::new()
            } else {
                ignored_in(searcher, address)?
            },
            source,
            fields: values.fields,
            ignored_field_values: values.ignored,
            sort,
        })
    }

    /// Whether hits have scores to show.
    fn is_scored(&self) -> bool {
        let by_score = |field: &super::sort::SortField| field.by == By::Score;
        self.request.is_by_score()
            || self.request.track_scores
            || self.request.sort.iter().any(by_score)
    }
}

/// The fields of which a document has values that are not indexed.
fn ignored_in(searcher: &Searcher, address: DocAddress) -> Result<Vec<String>, ApiError> {
    let columns = searcher.segment_reader(address.segment_ord).fast_fields();
    let Some(column) = columns.str(&ignored()).map_err(refused)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for number in column.term_ords(address.doc_id) {
        let mut name = String::new();
        column.ord_to_str(number, &mut name).map_err(|error| refused(error.into()))?;
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

fn too_much_shown(size: usize) -> ApiError {
    ApiError::new(
        400,
        "content_too_long_exception",
        format!(
            "{size} hits have more than {MOST_SHOWN} bytes: ask for fewer at once ([size], and [search_after] or a scroll for the others), or for a part of them ([_source])"
        ),
    )
}

/// JSON as it is.
fn raw(text: &[u8]) -> Result<Box<RawValue>, ApiError> {
    let text = std::str::from_utf8(text).map_err(unreadable)?.trim();
    RawValue::from_string(text.to_owned()).map_err(unreadable)
}

/// A document as a value, without what that cannot have.
fn value(text: &[u8]) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice(text) {
        return Ok(value);
    }
    let text = std::str::from_utf8(text).map_err(unreadable)?;
    Json::read(text).map(|json| json.to_value()).map_err(unreadable)
}

/// A document is kept as it came, and was read then.
fn unreadable(error: impl std::fmt::Display) -> ApiError {
    ApiError::unavailable(format!("a document cannot be read: {error}"))
}
