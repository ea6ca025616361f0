//! What is answered. All times are milliseconds since 1970, and all that lines took is in nanoseconds.

use serde::Serialize;

use crate::dimension::Dimension;
use crate::question::{By, KeyId, Scope};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The figures of all lines.
    Summary(Box<Summary>),
    /// The heaviest keys.
    Top(Top),
    /// All about one key.
    Key(Box<Detail>),
    /// The figures of each step.
    Series(Series),
    /// Lines.
    Lines {
        /// The newest first.
        lines: Vec<Line>,
    },
    /// What is counted.
    Dimensions {
        /// Each dimension.
        dimensions: Vec<Counted>,
    },
    /// The dimension is not counted.
    Uncounted {
        /// Which was asked for.
        dimension: Dimension,
    },
}

/// A sum that is never too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    /// The sum.
    pub value: u64,
    /// By how much it may be too large; 0 where it is exact.
    pub at_most_over: u64,
}

/// A number of different ones.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct About {
    /// How many.
    pub count: u64,
    /// The standard error, relative; 0 where it is exact.
    pub error: f64,
    /// So many more there may be, of lines before the key was noticed.
    pub at_most_missed: u64,
}

/// How long lines took, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// Lines that say it.
    pub lines: u64,
    /// What half of them took at most.
    pub p50: u64,
    /// What 95 % of them took at most.
    pub p95: u64,
    /// What 99 % of them took at most.
    pub p99: u64,
    /// The longest.
    pub max: u64,
    /// By how much all but the longest may be off, relative.
    pub error: f64,
}

/// A speed, each second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Rate {
    /// Lines.
    pub hits: f64,
    /// Bytes of the responses.
    pub bytes: f64,
}

/// Lines by the class of their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Classes {
    /// Without a status, or with one that is none.
    pub none: u64,
    /// 100 to 199.
    pub informational: u64,
    /// 200 to 299.
    pub success: u64,
    /// 300 to 399.
    pub redirection: u64,
    /// 400 to 499.
    pub client_error: u64,
    /// 500 to 599.
    pub server_error: u64,
}

impl From<[u64; 6]> for Classes {
    fn from(classes: [u64; 6]) -> Self {
        let [none, informational, success, redirection, client_error, server_error] = classes;
        Self { none, informational, success, redirection, client_error, server_error }
    }
}

/// The figures of all lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Which lines.
    pub scope: Scope,
    /// When the first of them was at the earliest.
    pub from: Option<i64>,
    /// When the last of them was at the latest.
    pub to: Option<i64>,
    /// Lines.
    pub hits: u64,
    /// Bytes of their responses.
    pub bytes: u64,
    /// Lines that are errors.
    pub errors: u64,
    /// Lines by status.
    pub classes: Classes,
    /// On average between `from` and `to`.
    pub rate: Rate,
    /// In the last step that was complete.
    pub now: Rate,
    /// Different clients.
    pub clients: About,
    /// How long lines took, if any says it.
    pub latency: Option<Quantiles>,
    /// Lines since the start that came when their step had ended: they are in no step.
    pub late: u64,
    /// Lines since the start whose time is too far ahead of the clock: they are in no step.
    pub ahead: u64,
    /// Lines since the start that the filter left out.
    pub left_out: u64,
}

/// What a key is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyName {
    /// To ask for it.
    pub id: KeyId,
    /// Its text, or the beginning of it; what is not UTF-8 is U+FFFD.
    pub text: String,
    /// Whether the text is longer than that.
    pub is_cut: bool,
}

/// The figures of one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The key; `None` where none was noticed that was asked for.
    pub key: Option<KeyName>,
    /// Lines.
    pub hits: Sum,
    /// Bytes of their responses.
    pub bytes: Sum,
    /// Lines that are errors.
    pub errors: Sum,
    /// Lines by status, since the key was noticed.
    pub classes: Classes,
    /// Different clients.
    pub clients: About,
    /// How long lines took, since the key was noticed, if any says it.
    pub latency: Option<Quantiles>,
}

/// The heaviest keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Top {
    /// Whose keys.
    pub dimension: Dimension,
    /// What makes them heavy.
    pub by: By,
    /// Which lines.
    pub scope: Scope,
    /// Since when the dimension is counted; `None` for the start.
    pub since: Option<i64>,
    /// The heaviest first.
    pub rows: Vec<Row>,
    /// How many keys are known; there are others where something is `missing`.
    #[serde(rename = "known_keys")]
    pub keys: u64,
    /// Lines that have a value in the dimension.
    pub hits: u64,
    /// What a key had at most that is not known at all.
    pub missing: Missing,
}

/// What a key had at most that is not known; all 0 where all keys are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Missing {
    /// Lines.
    pub hits: u64,
    /// Bytes of their responses.
    pub bytes: u64,
    /// Lines that are errors.
    pub errors: u64,
}

/// All about one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detail {
    /// Its dimension.
    pub dimension: Dimension,
    /// Which lines.
    pub scope: Scope,
    /// Since when the dimension is counted; `None` for the start.
    pub since: Option<i64>,
    /// Its figures.
    pub row: Row,
    /// Its share of each step that is kept.
    pub series: Series,
    /// Its last lines, the newest first.
    pub lines: Vec<Line>,
}

/// The figures of each step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// How long a step is, in milliseconds.
    pub step: i64,
    /// Each step, the oldest first, also those without lines.
    pub points: Vec<Point>,
}

/// The figures of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// When it begins.
    pub at: i64,
    /// Whether lines may still be added.
    pub is_open: bool,
    /// Lines.
    pub hits: Sum,
    /// Bytes of their responses.
    pub bytes: Sum,
    /// Lines that are errors.
    pub errors: Sum,
    /// Lines by status.
    pub classes: Classes,
    /// Different clients.
    pub clients: About,
    /// How long lines took, if any says it.
    pub latency: Option<Quantiles>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it happened.
    pub at: i64,
    /// Its text, or the beginning of it.
    pub text: String,
}

/// A dimension that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Which.
    pub dimension: Dimension,
    /// Since when; `None` for the start.
    pub since: Option<i64>,
}
