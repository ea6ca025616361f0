//! Computes the aggregations of a search, one segment after the other. What is known of a segment is not computed
//! again.

use std::sync::Arc;
use std::time::Instant;

use tantivy::aggregation::agg_req::Aggregations as TantivyAggregations;
use tantivy::aggregation::intermediate_agg_result::{
    IntermediateAggregationResult, IntermediateAggregationResults,
};
use tantivy::aggregation::{
    AggContextParams, AggregationError, AggregationLimitsGuard, DistributedAggregationCollector,
};
use tantivy::collector::Collector;
use tantivy::query::Weight;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{SegmentReader, TantivyError};

use super::collect::{Gathered, Gatherer};
use super::kept::{Question, Seen};
use super::until::Until;
use crate::aggregation;
use crate::attempt::look_at_memory;
use crate::error::ApiError;
use crate::query::shard_failure;

/// What is computed so far, of all indices.
#[derive(Default)]
pub struct Results {
    /// What it came to.
    pub merged: Option<IntermediateAggregationResults>,
    /// What is computed, as it is planned for the last index.
    pub planned: TantivyAggregations,
}

/// Adds what is computed in one segment to that of others.
///
/// # Errors
/// When they do not go together.
pub fn add(
    merged: &mut Option<IntermediateAggregationResults>,
    computed: IntermediateAggregationResults,
) -> Result<(), ApiError> {
    match merged {
        None => *merged = Some(computed),
        Some(merged) => merged.merge_fruits(computed).map_err(refused)?,
    }
    Ok(())
}

/// The hits of a query in a segment.
type Hits<'a> = (&'a dyn Weight, u32, &'a SegmentReader);

/// Aggregations of an index.
pub struct Computed<'a> {
    /// What is computed.
    pub planned: &'a TantivyAggregations,
    /// How the index divides texts.
    pub tokenizers: &'a TokenizerManager,
    /// What it may cost.
    pub limits: &'a AggregationLimitsGuard,
    /// When it ends.
    pub deadline: Instant,
}

impl Computed<'_> {
    /// Computes all of them.
    pub fn collector_of_all(&self) -> Until<DistributedAggregationCollector> {
        self.collector(self.planned.clone())
    }

    fn collector(&self, planned: TantivyAggregations) -> Until<DistributedAggregationCollector> {
        let context = AggContextParams::new(self.limits.clone(), self.tokenizers.clone());
        let inner = DistributedAggregationCollector::from_aggs(planned, context);
        Until { inner, deadline: self.deadline }
    }

    /// The hits of segments, each of which is kept, and of which may be known what some aggregations come to.
    ///
    /// # Errors
    /// What tantivy refuses.
    pub fn of_kept(
        &self,
        gatherer: &Gatherer,
        question: &Question,
        weight: &dyn Weight,
        segments: &[(u32, &SegmentReader)],
    ) -> Result<(Gathered, IntermediateAggregationResults), ApiError> {
        let mut gathered = Gathered::default();
        let (mut large, mut small) = (Vec::new(), Vec::new());
        for (number, segment) in segments.iter().copied() {
            let found = gatherer.collect_segment(weight, number, segment);
            let part = found.and_then(|part| part).map_err(refused)?;
            let is_whole = part.count == u64::from(segment.max_doc());
            gathered.add(part);
            let seen = Seen { segment, number, is_whole };
            if seen.is_large() { large.push(seen) } else { small.push(seen) }
        }
        let mut merged = None;
        if !large.is_empty() {
            add(&mut merged, self.together(question, weight, &large)?)?;
        }
        let all: Vec<&str> = self.planned.keys().map(String::as_str).collect();
        for seen in small {
            add(&mut merged, self.one(question, weight, seen, &all)?)?;
        }
        Ok((gathered, merged.unwrap_or_default()))
    }

    /// What they come to in several segments.
    fn together(
        &self,
        question: &Question,
        weight: &dyn Weight,
        segments: &[Seen<'_>],
    ) -> Result<IntermediateAggregationResults, ApiError> {
        let (known, unknown) = question.known(segments);
        let mut merged = None;
        if !unknown.is_empty() {
            for seen in segments {
                add(&mut merged, self.one(question, weight, *seen, &unknown)?)?;
            }
        }
        let mut merged = merged.unwrap_or_default();
        if segments.len() > 1 && Instant::now() < self.deadline {
            question.keep(segments, &merged);
        }
        put(&mut merged, known)?;
        Ok(merged)
    }

    /// What those of these names come to in one segment.
    fn one(
        &self,
        question: &Question,
        weight: &dyn Weight,
        seen: Seen<'_>,
        names: &[&str],
    ) -> Result<IntermediateAggregationResults, ApiError> {
        look_at_memory();
        let (mut known, mut unknown) = question.known(&[seen]);
        known.retain(|(name, _)| names.contains(name));
        unknown.retain(|name| names.contains(name));
        let mut computed = IntermediateAggregationResults::default();
        if !unknown.is_empty() {
            let planned = unknown.iter().filter_map(|name| self.planned.get_key_value(*name));
            let planned = planned.map(|(name, plan)| (name.clone(), plan.clone()));
            let collector = self.collector(planned.collect());
            let found = collector.collect_segment(weight, seen.number, seen.segment);
            computed = found.and_then(|computed| computed).map_err(refused)?;
            if Instant::now() < self.deadline {
                question.keep(&[seen], &computed);
            }
        }
        put(&mut computed, known)?;
        Ok(computed)
    }
}

/// Puts what is known to what is computed.
fn put(
    computed: &mut IntermediateAggregationResults,
    known: Vec<(&str, Arc<IntermediateAggregationResult>)>,
) -> Result<(), ApiError> {
    for (name, result) in known {
        let result = IntermediateAggregationResult::clone(&result);
        computed.push(name.to_owned(), result).map_err(refused)?;
    }
    Ok(())
}

/// The hits of one segment, and all that is computed of them.
///
/// # Errors
/// What tantivy refuses.
pub fn all_of(
    both: &(Gatherer, Until<DistributedAggregationCollector>),
    (weight, number, segment): Hits<'_>,
) -> Result<(Gathered, IntermediateAggregationResults), ApiError> {
    let (part, computed) = both.collect_segment(weight, number, segment).map_err(refused)?;
    Ok((part.map_err(refused)?, computed.map_err(refused)?))
}

/// What tantivy says, in Elasticsearch's words.
pub fn refused(error: TantivyError) -> ApiError {
    match error {
        TantivyError::AggregationError(AggregationError::BucketLimitExceeded { .. }) => {
            aggregation::too_many_buckets()
        }
        TantivyError::AggregationError(AggregationError::MemoryExceeded { limit, .. }) => {
            let reason = format!("Data too large: the aggregations need more than {limit}");
            ApiError { status: 429, ..shard_failure("circuit_breaking_exception", reason) }
        }
        TantivyError::AggregationError(error) => {
            shard_failure("illegal_argument_exception", error.to_string())
        }
        TantivyError::InvalidArgument(reason) | TantivyError::SchemaError(reason) => {
            shard_failure("illegal_argument_exception", reason)
        }
        other => ApiError::from(other),
    }
}
