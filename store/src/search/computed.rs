//! Computes the aggregations of a search, one segment after the other. What is known of a segment is not computed
//! again.

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
use super::kept::Question;
use super::until::Until;
use crate::aggregation;
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

    /// The hits of one segment, of which may be known what some aggregations come to.
    ///
    /// # Errors
    /// What tantivy refuses.
    pub fn counted(
        &self,
        gatherer: &Gatherer,
        question: &Question,
        (weight, number, segment): Hits<'_>,
    ) -> Result<(Gathered, IntermediateAggregationResults), ApiError> {
        let found = gatherer.collect_segment(weight, number, segment);
        let part = found.and_then(|part| part).map_err(refused)?;
        let is_whole = part.count == u64::from(segment.max_doc());
        let (known, unknown) = question.known(segment, is_whole);
        let mut computed = IntermediateAggregationResults::default();
        if !unknown.is_empty() {
            let planned = unknown.iter().filter_map(|name| self.planned.get_key_value(*name));
            let planned = planned.map(|(name, plan)| (name.clone(), plan.clone()));
            let found = self.collector(planned.collect()).collect_segment(weight, number, segment);
            computed = found.and_then(|computed| computed).map_err(refused)?;
            if Instant::now() < self.deadline {
                question.keep(segment, is_whole, &computed);
            }
        }
        for (name, result) in known {
            let result = IntermediateAggregationResult::clone(&result);
            computed.push(name.to_owned(), result).map_err(refused)?;
        }
        Ok((part, computed))
    }
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
