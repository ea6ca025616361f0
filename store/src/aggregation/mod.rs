//! Aggregations: what is computed over all hits of a search.
//!
//! A request's JSON becomes [`Aggregations`] (`parse`); for each index that is searched these become
//! tantivy's own (`plan`), whose results are merged over the indices and printed as Elasticsearch
//! prints them (`print`). Tantivy bounds their memory and the number of buckets.

mod figures;
mod filter;
mod fits;
mod interval;
mod lists;
mod options;
mod parse;
mod plan;
mod print;
mod ranges;

use serde_json::Value;

pub use interval::Interval;
pub use parse::parse;
pub use plan::{Planner, limits, no_columns, too_many_buckets};
pub use print::Printer;

use crate::query::{Dates, Query};

/// Aggregations side by side, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aggregations(pub Vec<Aggregation>);

/// One aggregation of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// What its result is called.
    pub name: String,
    /// What is computed.
    pub kind: Kind,
    /// What is computed in each of its buckets.
    pub below: Aggregations,
    /// What comes back as it is.
    pub meta: Option<Value>,
}

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A bucket for each value.
    Terms(Terms),
    /// A bucket for each stretch of time.
    DateHistogram(DateHistogram),
    /// A bucket for each stretch of numbers.
    Histogram(Histogram),
    /// A bucket for each of some ranges.
    Range(Ranges),
    /// A bucket for what a query finds.
    Filter(Query),
    /// A bucket for each of some queries.
    Filters(Vec<(Option<String>, Query)>),
    /// A bucket for documents without a field.
    Missing(String),
    /// Numbers of a field.
    Figure(Figure),
}

/// `terms`.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The field.
    pub field: String,
    /// The most buckets that are shown.
    pub size: u32,
    /// How many of them Elasticsearch looks at before it leaves out those with few documents.
    pub shard_size: u32,
    /// How many buckets of a segment are enough to whoever asks.
    pub counted: Option<u32>,
    /// What they are sorted by.
    pub order: Target,
    /// Whether the largest is first.
    pub is_descending: bool,
    /// Buckets with fewer documents are left out.
    pub min_doc_count: u64,
    /// The value of documents without one.
    pub missing: Option<Value>,
    /// Only these values, or those that a regular expression fits.
    pub include: Option<Value>,
    /// Values that are left out.
    pub exclude: Option<Value>,
}

/// What buckets are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The number of documents.
    Count,
    /// The value.
    Key,
    /// A figure in the bucket, and which of its numbers.
    Below(String, Option<String>),
}

/// `date_histogram`.
#[derive(Debug, Clone, PartialEq)]
pub struct DateHistogram {
    /// The field.
    pub field: String,
    /// How long a bucket is; `None` when the request forgot it.
    pub interval: Option<Interval>,
    /// By how many milliseconds buckets begin later than if they were counted from 1970.
    pub offset: i64,
    /// The part of it that is the interval's own: weeks begin on Mondays.
    pub base: i64,
    /// Buckets with fewer documents are left out.
    pub min_doc_count: u64,
    /// How dates are printed.
    pub format: Dates,
    /// Whether buckets are an object.
    pub is_keyed: bool,
    /// From where to where there are buckets at least.
    pub extended: Option<(Value, Value)>,
    /// From where to where there are buckets at most.
    pub hard: Option<(Value, Value)>,
}

/// `histogram`.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The field.
    pub field: String,
    /// How long a bucket is.
    pub interval: f64,
    /// By how much buckets begin later.
    pub offset: f64,
    /// Buckets with fewer documents are left out.
    pub min_doc_count: u64,
    /// Whether buckets are an object.
    pub is_keyed: bool,
    /// From where to where there are buckets at least.
    pub extended: Option<(f64, f64)>,
    /// From where to where there are buckets at most.
    pub hard: Option<(f64, f64)>,
}

/// `range` and `date_range`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// The field.
    pub field: String,
    /// The ranges.
    pub ranges: Vec<OneRange>,
    /// Whether buckets are an object.
    pub is_keyed: bool,
    /// How dates are written, if they are ranges of dates.
    pub dates: Option<Dates>,
}

/// One of several ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct OneRange {
    /// What it is called.
    pub key: Option<String>,
    /// Its first value.
    pub from: Option<Value>,
    /// The first value after it.
    pub to: Option<Value>,
}

/// A number, or several, of a field's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Such as `avg`.
    pub what: What,
    /// The field.
    pub field: String,
    /// The value of documents without one.
    pub missing: Option<f64>,
    /// Which percentiles.
    pub percents: Vec<f64>,
    /// Whether percentiles are an object.
    pub is_keyed: bool,
}

/// Which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// `avg`.
    Average,
    /// `min`.
    Minimum,
    /// `max`.
    Maximum,
    /// `sum`.
    Sum,
    /// `value_count`.
    Count,
    /// `stats`: all of these.
    Stats,
    /// `percentiles`, estimated.
    Percentiles,
    /// `cardinality`, estimated.
    Cardinality,
}

impl What {
    /// As it is called in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Average => "avg",
            Self::Minimum => "min",
            Self::Maximum => "max",
            Self::Sum => "sum",
            Self::Count => "value_count",
            Self::Stats => "stats",
            Self::Percentiles => "percentiles",
            Self::Cardinality => "cardinality",
        }
    }
}

impl DateHistogram {
    /// The beginning of the bucket that a moment is in, if there were no offset.
    fn rounded(&self, at: i64) -> i64 {
        match self.interval {
            Some(Interval::Fixed(length)) => at - (at - self.base).rem_euclid(length),
            Some(Interval::Calendar(unit)) => {
                let at_once = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
                let first = interval::boundaries(unit, at_once, at_once, 1);
                first.and_then(|first| first.first().copied()).unwrap_or(at)
            }
            None => at,
        }
    }
}

impl Aggregations {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
