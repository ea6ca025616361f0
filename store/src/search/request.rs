//! What a search asks for: its body and the parameters of its URL.

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{FieldPattern, From};
use super::sort::{self, By, SortField};
use super::source::SourceFilter;
use crate::aggregation::{self, Aggregations};
use crate::error::ApiError;
use crate::json::Unique;
use crate::params::{Params, duration};
use crate::query::{self, Query, illegal, parsing, shard_failure, token};

/// As `index.max_result_window`.
pub const WINDOW: usize = 10_000;
/// How many hits are shown without `size`.
const USUAL_SIZE: usize = 10;
/// Hits are counted so far without `track_total_hits`.
const USUAL_TOTAL: u64 = 10_000;
/// No search takes longer.
const LONGEST: Duration = Duration::from_mins(1);

/// What Elasticsearch knows, and this store does not.
const UNSUPPORTED: [&str; 18] = [
    "collapse",
    "explain",
    "ext",
    "highlight",
    "indices_boost",
    "knn",
    "min_compatible_shard_node",
    "post_filter",
    "profile",
    "rank",
    "rescore",
    "retriever",
    "runtime_mappings",
    "script_fields",
    "seq_no_primary_term",
    "slice",
    "suggest",
    "version",
];

/// How far hits are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalHits {
    /// Not at all.
    Untold,
    /// Up to this many.
    UpTo(u64),
    /// All of them.
    All,
}

/// Parameters of a URL that say the same as keys of a body.
pub const PARAMETERS: [&str; 24] = [
    "_source",
    "_source_excludes",
    "_source_includes",
    "allow_partial_search_results",
    "batched_reduce_size",
    "ccs_minimize_roundtrips",
    "default_operator",
    "df",
    "from",
    "lenient",
    "max_concurrent_shard_requests",
    "pre_filter_shard_size",
    "preference",
    "q",
    "request_cache",
    "routing",
    "scroll",
    "search_type",
    "size",
    "sort",
    "timeout",
    "track_scores",
    "track_total_hits",
    "typed_keys",
];

/// A search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// What is searched for.
    pub query: Query,
    /// How many hits are skipped.
    pub from: usize,
    /// How many are shown.
    pub size: usize,
    /// What they are sorted by; by score where this is empty.
    pub sort: Vec<SortField>,
    /// The sort values of the last hit that is not wanted.
    pub search_after: Option<Vec<Value>>,
    /// How far they are counted.
    pub total: TotalHits,
    /// What of documents is shown.
    pub source: SourceFilter,
    /// Values that are shown beside.
    pub fields: Vec<FieldPattern>,
    /// What is computed over all hits.
    pub aggregations: Aggregations,
    /// When the search ends in any case.
    pub timeout: Duration,
    /// Hits that score less are none.
    pub min_score: Option<f32>,
    /// Whether scores are computed when hits are sorted by something else.
    pub track_scores: bool,
    /// Whether hits are without their ids.
    pub hides_ids: bool,
    /// Whether names of aggregations say of which kind they are.
    pub typed_keys: bool,
    /// The point in time that is searched, and how long it lives on.
    pub point_in_time: Option<(String, Option<Duration>)>,
}

impl SearchRequest {
    /// Reads a body, which may be empty, and the parameters beside it.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(body: &[u8], params: &Params) -> Result<Self, ApiError> {
        let mut request = Self::usual();
        if !body.iter().all(u8::is_ascii_whitespace) {
            request.read(&object(body)?)?;
        }
        request.read_parameters(params)?;
        request.check()?;
        Ok(request)
    }

    fn usual() -> Self {
        Self {
            query: Query::ALL,
            from: 0,
            size: USUAL_SIZE,
            sort: Vec::new(),
            search_after: None,
            total: TotalHits::UpTo(USUAL_TOTAL),
            source: SourceFilter::default(),
            fields: Vec::new(),
            aggregations: Aggregations::default(),
            timeout: LONGEST,
            min_score: None,
            track_scores: false,
            hides_ids: false,
            typed_keys: false,
            point_in_time: None,
        }
    }

    fn read(&mut self, body: &Map<String, Value>) -> Result<(), ApiError> {
        for (key, value) in body {
            match (key.as_str(), value) {
                ("query", Value::Object(_)) => self.query = query::parse(value)?,
                ("from", value) => self.from = from(value)?,
                ("size", value) => self.size = size(value)?,
                ("sort", value) => self.sort = sort::parse(value)?,
                ("search_after", Value::Array(values)) => {
                    self.search_after = Some(values.clone());
                }
                ("track_total_hits", value) => self.total = total(value)?,
                ("_source", value) => self.source = SourceFilter::parse(value)?,
                ("fields", Value::Array(values)) => {
                    FieldPattern::parse(values, From::Source, &mut self.fields)?;
                }
                ("docvalue_fields", Value::Array(values)) => {
                    FieldPattern::parse(values, From::Columns, &mut self.fields)?;
                }
                ("aggs" | "aggregations", Value::Object(members)) => {
                    self.aggregations = aggregation::parse(members)?;
                }
                ("timeout", Value::String(text)) => self.timeout = timeout(text)?,
                ("min_score", Value::Number(number)) => {
                    #[expect(clippy::cast_possible_truncation, reason = "as scores are")]
                    let score = number.as_f64().map(|score| score as f32);
                    self.min_score = score;
                }
                ("track_scores", Value::Bool(is_wanted)) => self.track_scores = *is_wanted,
                ("stored_fields", Value::String(name)) if name == "_none_" => {
                    self.hides_ids = true;
                    self.source = SourceFilter::parse(&Value::Bool(false))?;
                }
                ("pit", Value::Object(members)) => self.point_in_time = Some(pit(members)?),
                // What is off is off here too.
                ("explain" | "profile" | "version" | "seq_no_primary_term", Value::Bool(false)) => {
                }
                (key, _) if UNSUPPORTED.contains(&key) => {
                    return Err(illegal(format!("[{key}] is not supported by this store")));
                }
                (key, value) => {
                    let token = token(value);
                    return Err(parsing(format!("Unknown key for a {token} in [{key}].")));
                }
            }
        }
        Ok(())
    }

    /// The parameters count for more than the body.
    fn read_parameters(&mut self, params: &Params) -> Result<(), ApiError> {
        if let Some(query) = query_of(params)? {
            self.query = query;
        }
        if let Some(number) = params.number("size")? {
            self.size = size(&Value::from(number))?;
        }
        if let Some(number) = params.number("from")? {
            self.from = from(&Value::from(number))?;
        }
        if let Some(text) = params.text("sort") {
            self.sort = sort::from_text(text)?;
        }
        if let Some(text) = params.text("track_total_hits") {
            self.total = total(&Value::from(text))?;
        }
        if let Some(text) = params.text("timeout") {
            self.timeout = timeout(text)?;
        }
        if let Some(is_wanted) = params.switch("track_scores")? {
            self.track_scores = is_wanted;
        }
        self.typed_keys = params.switch("typed_keys")?.unwrap_or(false);
        let names = ["_source", "_source_includes", "_source_excludes"];
        if names.iter().any(|name| params.text(name).is_some()) {
            self.source = SourceFilter::from_params(params)?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), ApiError> {
        // The usual order is not told of each hit.
        if let [only] = self.sort.as_slice()
            && (&only.by, only.is_descending) == (&By::Score, true)
            && self.point_in_time.is_none()
        {
            self.sort.clear();
        }
        // Hits of a point in time have an order in which no two are equal.
        let is_told = self.sort.last().is_none_or(|last| last.by == By::ShardDocument);
        let is_broken = self.point_in_time.is_some() && !is_told;
        if is_broken {
            self.sort.push(SortField::tiebreak());
        }
        let end = self.from.saturating_add(self.size);
        if end > WINDOW {
            return Err(shard_failure(
                "illegal_argument_exception",
                format!(
                    "Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{end}]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting."
                ),
            ));
        }
        if let Some(after) = &self.search_after {
            if self.from > 0 {
                return Err(ApiError::new(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: [from] parameter must be set to 0 when [search_after] is used;",
                ));
            }
            let (given, wanted) = (after.len(), self.sort.len());
            let reason = match wanted {
                0 => "Sort must contain at least one field.".to_owned(),
                _ if given != wanted && (given + 1 != wanted || !is_broken) => {
                    format!("search_after has {given} value(s) but sort has {wanted}.")
                }
                _ => return Ok(()),
            };
            return Err(shard_failure("illegal_argument_exception", reason));
        }
        Ok(())
    }

    /// Whether the hits are those that match best.
    pub fn is_by_score(&self) -> bool {
        self.sort.is_empty()
    }

    /// Whether scores are looked at.
    pub fn needs_scores(&self) -> bool {
        self.is_by_score()
            || self.track_scores
            || self.min_score.is_some()
            || self.sort.iter().any(|field| field.by == By::Score)
    }
}

/// A body that is an object.
///
/// # Errors
/// When it is not.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(body).map(|Unique(value)| value) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(parsing(format!("Expected [START_OBJECT] but found [{}]", token(&other)))),
        Err(error) if error.is_eof() => Err(ApiError::new(
            400,
            "x_content_e_o_f_exception",
            format!("[{}:{}] Unexpected end of file", error.line(), error.column()),
        )),
        Err(error) => Err(ApiError::new(400, "x_content_parse_exception", error.to_string())),
    }
}

/// The query that `q` in a URL is.
///
/// # Errors
/// When it is none.
pub fn query_of(params: &Params) -> Result<Option<Query>, ApiError> {
    let all = match params.text("default_operator").map(str::to_ascii_uppercase).as_deref() {
        None | Some("OR") => false,
        Some("AND") => true,
        Some(other) => return Err(illegal(format!("operator is AND or OR, not {other}"))),
    };
    let lenient = params.switch("lenient")?;
    let query = |text| query::from_text(text, params.text("df"), all, lenient);
    params.text("q").map(query).transpose()
}

fn size(value: &Value) -> Result<usize, ApiError> {
    match value.as_i64() {
        Some(size) if size < 0 => {
            Err(illegal(format!("[size] parameter cannot be negative, found [{size}]")))
        }
        Some(size) => Ok(usize::try_from(size).unwrap_or(usize::MAX)),
        None => Err(illegal(format!("[size] is a whole number, not {value}"))),
    }
}

fn from(value: &Value) -> Result<usize, ApiError> {
    match value.as_i64() {
        Some(from) if from < 0 => {
            Err(illegal(format!("[from] parameter cannot be negative but was [{from}]")))
        }
        Some(from) => Ok(usize::try_from(from).unwrap_or(usize::MAX)),
        None => Err(illegal(format!("[from] is a whole number, not {value}"))),
    }
}

fn total(value: &Value) -> Result<TotalHits, ApiError> {
    let number = match value {
        Value::Bool(true) => return Ok(TotalHits::All),
        Value::Bool(false) => return Ok(TotalHits::Untold),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => match text.as_str() {
            "true" => return Ok(TotalHits::All),
            "false" => return Ok(TotalHits::Untold),
            text => text.parse().ok(),
        },
        _ => None,
    };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    number.map(TotalHits::UpTo).ok_or_else(|| {
        ApiError::new(400, "number_format_exception", format!("For input string: \"{text}\""))
    })
}

fn timeout(text: &str) -> Result<Duration, ApiError> {
    // None at all, as in Elasticsearch.
    let endless =
        |timeout: Duration| if timeout.is_zero() { LONGEST } else { timeout.min(LONGEST) };
    duration(text).map(endless).ok_or_else(|| {
        illegal(format!(
            "failed to parse setting [timeout] with value [{text}] as a time value: unit is missing or unrecognized"
        ))
    })
}

fn pit(members: &Map<String, Value>) -> Result<(String, Option<Duration>), ApiError> {
    let mut id = None;
    let mut life = None;
    for (key, value) in members {
        match (key.as_str(), value.as_str()) {
            ("id", Some(text)) => id = Some(text.to_owned()),
            ("keep_alive", Some(text)) => {
                let read = duration(text)
                    .ok_or_else(|| illegal(format!("keep_alive is a time, not [{text}]")))?;
                life = Some(read);
            }
            (key, _) => {
                return Err(parsing(format!("[point_in_time] unknown field [{key}]")));
            }
        }
    }
    let id = id.ok_or_else(|| parsing("[point_in_time] requires [id]"))?;
    Ok((id, life))
}
