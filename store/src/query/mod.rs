//! The query DSL: what a search asks for.
//!
//! A request's JSON becomes a [`Query`], without knowledge of any index ([`parse`]); for each index
//! that is searched the query then becomes one of tantivy's ([`Builder`]), by the kinds of the
//! index's fields. What is not supported is refused by name, in Elasticsearch's words where it has
//! some for it. Depth, clauses and patterns are bounded, so that no request costs more than its
//! documents do.

mod between;
mod build;
mod date;
mod dsl;
mod exists;
mod fields;
mod keyword;
mod leaves;
mod lucene;
mod pattern;
mod phrase;
mod refusal;
mod simple;
mod sloppy;
mod statistics;
mod strings;
mod values;
mod words;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use build::Builder;
pub use date::{
    DateFormat, Dates, Rounding, Viewpoint, first_of, iso, iso_of_milliseconds, of_document,
    unit_after,
};
pub use dsl::parse;
pub(crate) use refusal::{illegal, parsing, shard_failure, token};
pub use strings::from_text;

/// A query, with its boost.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What the score is multiplied with.
    pub boost: f32,
    /// The query itself.
    pub kind: Kind,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// All documents.
    MatchAll,
    /// None.
    MatchNone,
    /// Words of a text, or a value.
    Match(Match),
    /// Words in their order.
    Phrase(Phrase),
    /// A value.
    Term(Term),
    /// One of several values.
    Terms(String, Vec<Value>),
    /// Values between others.
    Range(Range),
    /// Any value.
    Exists(String),
    /// Values that look like something.
    Pattern(Pattern),
    /// Documents of these ids.
    Ids(Vec<String>),
    /// Other queries, combined.
    Bool(Bool),
    /// Another query, with the same score for all.
    Constant(Box<Query>),
    /// Another query in one of two languages for people.
    Text(Box<strings::TextQuery>),
}

/// `match`.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The field.
    pub field: String,
    /// The words.
    pub value: Value,
    /// Whether all words must be there.
    pub all: bool,
    /// How many words must be there.
    pub minimum: Option<Minimum>,
    /// Whether a value that does not fit the field finds nothing instead of being refused.
    pub lenient: bool,
}

/// `match_phrase`.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase {
    /// The field.
    pub field: String,
    /// The words.
    pub value: Value,
    /// How far the words may be from their places.
    pub slop: u32,
    /// Whether a value that does not fit the field finds nothing instead of being refused.
    pub lenient: bool,
}

/// `term`.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The field.
    pub field: String,
    /// The value.
    pub value: Value,
    /// Whether `A` is `a`.
    pub ignore_case: bool,
}

/// `range`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Range {
    /// The field.
    pub field: String,
    /// Where it begins.
    pub from: Option<Edge>,
    /// Where it ends.
    pub to: Option<Edge>,
    /// How dates are written.
    pub format: Option<String>,
    /// Which time zone dates without one are in.
    pub time_zone: Option<String>,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The value.
    pub value: Value,
    /// Whether the value itself is in the range.
    pub included: bool,
}

/// `prefix` and `wildcard`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// The field.
    pub field: String,
    /// The pattern, with `*`, `?` and `\` where it is not a prefix.
    pub text: String,
    /// Whether it is a prefix.
    pub is_prefix: bool,
    /// Whether `A` is `a`.
    pub ignore_case: bool,
}

/// `bool`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bool {
    /// All of these, which count for the score.
    pub must: Vec<Query>,
    /// All of these, which do not.
    pub filter: Vec<Query>,
    /// Some of these.
    pub should: Vec<Query>,
    /// None of these.
    pub must_not: Vec<Query>,
    /// How many of `should`.
    pub minimum: Option<Minimum>,
}

/// `minimum_should_match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Minimum {
    /// This many, or, if negative, all but this many.
    Number(i64),
    /// So many of a hundred, or all but so many.
    Percent(i64),
}

impl Minimum {
    /// How many of `count` must match.
    pub fn of(self, count: usize) -> usize {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let wanted = match self {
            Self::Number(number) if number < 0 => count.saturating_add(number),
            Self::Number(number) => number,
            // Rounded towards zero, as what is left out is when it is negative.
            Self::Percent(percent) => {
                let part = count.saturating_mul(percent) / 100;
                if percent < 0 { count.saturating_add(part) } else { part }
            }
        };
        usize::try_from(wanted.max(0)).unwrap_or(usize::MAX)
    }
}

impl Query {
    /// All documents.
    pub const ALL: Self = Self { boost: 1.0, kind: Kind::MatchAll };

    /// The score of all that it finds, where that is the same for all and known before.
    pub fn constant_score(&self) -> Option<f32> {
        match &self.kind {
            Kind::MatchAll
            | Kind::Terms(..)
            | Kind::Range(_)
            | Kind::Exists(_)
            | Kind::Pattern(_)
            | Kind::Ids(_)
            | Kind::Constant(_) => Some(self.boost),
            Kind::Bool(query) if query.must.is_empty() && query.should.is_empty() => {
                let is_empty = query.filter.is_empty() && query.must_not.is_empty();
                Some(if is_empty { self.boost } else { 0.0 })
            }
            _ => None,
        }
    }
}

/// Documents without a field.
pub(crate) fn missing(field: &str) -> Query {
    let exists = Query { boost: 1.0, kind: Kind::Exists(field.to_owned()) };
    let bool = Bool { must_not: vec![exists], ..Bool::default() };
    Query { boost: 1.0, kind: Kind::Bool(bool) }
}
