//! From JSON to [`Aggregations`].

use serde_json::{Map, Value};

use super::interval::{Interval, milliseconds};
use super::options::Options;
use super::{
    Aggregation, Aggregations, DateHistogram, Figure, Histogram, Kind, OneRange, Ranges, Target,
    Terms, What,
};
use crate::error::ApiError;
use crate::query::{self, illegal, parsing, token};

/// Aggregations in aggregations.
const MOST_DEPTH: usize = 10;
/// The most aggregations in one request.
const MOST: usize = 200;
/// Offsets of date histograms go so far at most, in milliseconds: some three thousand years.
const LARGEST_OFFSET: i64 = 100_000_000_000_000;
/// Buckets of `terms`, as `search.max_buckets` has it.
const MOST_TERMS: u32 = 65_536;
/// The same, as often as filters above them repeat them.
const MOST_REPEATED: usize = 10_000;
/// Ranges, filters and percentiles in one.
const MOST_PARTS: usize = 1_000;
const USUAL_PERCENTS: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

/// Reads `aggs`.
///
/// # Errors
/// What is wrong with them.
pub fn parse(members: &Map<String, Value>) -> Result<Aggregations, ApiError> {
    let all = Parser { depth: 0, count: 0 }.all(members)?;
    if repeated(&all) > MOST_REPEATED {
        return Err(illegal(format!(
            "a search has at most {MOST_REPEATED} aggregations here, counted for each filter of [filters] above them"
        )));
    }
    Ok(all)
}

/// How many there are when each filter has those below it for itself.
fn repeated(all: &Aggregations) -> usize {
    let each = |one: &Aggregation| match &one.kind {
        Kind::Filters(filters) => {
            filters.len().saturating_mul(repeated(&one.below).saturating_add(1))
        }
        _ => repeated(&one.below).saturating_add(1),
    };
    all.0.iter().map(each).fold(0, usize::saturating_add)
}

struct Parser {
    depth: usize,
    count: usize,
}

impl Parser {
    fn all(&mut self, members: &Map<String, Value>) -> Result<Aggregations, ApiError> {
        self.depth += 1;
        self.count += members.len();
        if self.depth > MOST_DEPTH || self.count > MOST {
            return Err(illegal(format!(
                "a search has at most {MOST} aggregations, {MOST_DEPTH} deep, here"
            )));
        }
        let mut found = Vec::with_capacity(members.len());
        for (name, value) in members {
            if name.contains(['[', ']', '>']) || name.is_empty() {
                return Err(parsing(format!(
                    "Invalid aggregation name [{name}]. Aggregation names cannot contain '[', ']', or '>'"
                )));
            }
            found.push(self.one(name, value)?);
        }
        self.depth -= 1;
        Ok(Aggregations(found))
    }

    fn one(&mut self, name: &str, value: &Value) -> Result<Aggregation, ApiError> {
        let Value::Object(members) = value else {
            return Err(parsing(format!(
                "Found two aggregation type definitions in [{name}] or none: {}",
                token(value)
            )));
        };
        let mut kind = None;
        let mut below = Aggregations::default();
        let mut meta = None;
        for (key, value) in members {
            match (key.as_str(), value) {
                ("aggs" | "aggregations", Value::Object(members)) => below = self.all(members)?,
                ("meta", Value::Object(_)) => meta = Some(value.clone()),
                (other, Value::Object(options)) if kind.is_none() => {
                    kind = Some(kind_of(other, options)?);
                }
                (other, Value::Object(_)) => {
                    return Err(parsing(format!(
                        "Found two aggregation type definitions in [{name}]: one of them is [{other}]"
                    )));
                }
                (other, value) => {
                    return Err(parsing(format!(
                        "Expected [START_OBJECT] under [{other}], but got a [{}] in [{name}]",
                        token(value)
                    )));
                }
            }
        }
        let kind =
            kind.ok_or_else(|| parsing(format!("Missing definition for aggregation [{name}]")))?;
        if matches!(kind, Kind::Figure(_)) && !below.is_empty() {
            return Err(illegal(format!("Aggregator [{name}] cannot accept sub-aggregations")));
        }
        Ok(Aggregation { name: name.to_owned(), kind, below, meta })
    }
}

fn kind_of(name: &str, members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let figure = |what| figure(what, members);
    match name {
        "terms" => terms(members),
        "date_histogram" => date_histogram(members),
        "histogram" => histogram(members),
        "range" => ranges("range", members),
        "date_range" => ranges("date_range", members),
        "filter" => query::parse(&Value::Object(members.clone())).map(Kind::Filter),
        "filters" => filters(members),
        "missing" => {
            let mut options = Options::new("missing", members);
            let field = options.field()?;
            options.finish().map(|()| Kind::Missing(field))
        }
        "avg" => figure(What::Average),
        "min" => figure(What::Minimum),
        "max" => figure(What::Maximum),
        "sum" => figure(What::Sum),
        "value_count" => figure(What::Count),
        "stats" => figure(What::Stats),
        "percentiles" => figure(What::Percentiles),
        "cardinality" => figure(What::Cardinality),
        other => Err(parsing(format!("Unknown aggregation type [{other}]"))),
    }
}

fn terms(members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let mut options = Options::new("terms", members);
    let field = options.field()?;
    let size = options.count("size")?.unwrap_or(10);
    if size == 0 {
        return Err(options.failed("size"));
    }
    let size = u32::try_from(size).unwrap_or(u32::MAX).min(MOST_TERMS);
    let (order, is_descending) = match options.take("order") {
        None => (Target::Count, true),
        Some(order) => target(&order).ok_or_else(|| options.failed("order"))?,
    };
    let counted = options.count("shard_size")?;
    let counted = counted.map(|given| u32::try_from(given).unwrap_or(u32::MAX).max(size));
    let usual = if order == Target::Key { size } else { (size / 2).saturating_add(size + 10) };
    let terms = Terms {
        field,
        size,
        shard_size: counted.unwrap_or(usual),
        counted,
        order,
        is_descending,
        min_doc_count: options.count("min_doc_count")?.unwrap_or(1),
        missing: options.take("missing"),
        include: options.take("include"),
        exclude: options.take("exclude"),
    };
    options.finish()?;
    Ok(Kind::Terms(terms))
}

/// `{"_key": "asc"}`, or a list of one such.
fn target(value: &Value) -> Option<(Target, bool)> {
    let members = match value {
        Value::Object(members) => members,
        Value::Array(values) => match values.as_slice() {
            [Value::Object(members)] => members,
            // What equal counts are sorted by here too.
            [Value::Object(members), Value::Object(second)]
                if second.get("_key").is_some_and(|order| order == "asc") =>
            {
                members
            }
            _ => return None,
        },
        _ => return None,
    };
    let mut members = members.iter();
    let (name, direction) = members.next()?;
    let is_descending = match direction.as_str()?.to_ascii_lowercase().as_str() {
        "asc" => false,
        "desc" => true,
        _ => return None,
    };
    let target = match (name.as_str(), name.split_once('.')) {
        ("_count", _) => Target::Count,
        ("_key" | "_term", _) => Target::Key,
        (_, Some((below, part))) => Target::Below(below.to_owned(), Some(part.to_owned())),
        (below, None) => Target::Below(below.to_owned(), None),
    };
    members.next().is_none().then_some((target, is_descending))
}

fn date_histogram(members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let mut options = Options::new("date_histogram", members);
    let field = options.field()?;
    let (mut offset, mut base) = (0, 0);
    let interval = match (options.text("fixed_interval")?, options.text("calendar_interval")?) {
        (Some(fixed), None) => Some(Interval::fixed(&fixed).ok_or_else(|| {
            illegal(format!(
                "failed to parse setting [date_histogram.fixedInterval] with value [{fixed}] as a time value: unit is missing or unrecognized"
            ))
        })?),
        (None, Some(calendar)) => {
            let read = Interval::calendar(&calendar).ok_or_else(|| {
                illegal(format!(
                    "The supplied interval [{calendar}] could not be parsed as a calendar interval."
                ))
            })?;
            (offset, base) = (read.1, read.1);
            Some(read.0)
        }
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(illegal(
                "Cannot use [fixed_interval] with [calendar_interval] configuration option.",
            ));
        }
    };
    if let Some(text) = options.text("offset")? {
        let more = milliseconds(&text).filter(|more| more.abs() <= LARGEST_OFFSET);
        let more = more.ok_or_else(|| options.failed("offset"))?;
        if let Some(Interval::Calendar(_)) = interval {
            return Err(illegal("[date_histogram] an offset of months is not supported here"));
        }
        offset += more;
    }
    match options.text("time_zone")?.as_deref() {
        None | Some("UTC" | "Z" | "+00:00") => {}
        Some(zone) => {
            return Err(illegal(format!(
                "[date_histogram] time_zone [{zone}] is not supported here, only UTC"
            )));
        }
    }
    let histogram = DateHistogram {
        field,
        interval,
        offset,
        base,
        min_doc_count: options.count("min_doc_count")?.unwrap_or(0),
        format: options.dates()?,
        is_keyed: options.flag("keyed")?.unwrap_or(false),
        extended: options.bounds("extended_bounds")?,
        hard: options.bounds("hard_bounds")?,
    };
    options.finish()?;
    Ok(Kind::DateHistogram(histogram))
}

fn histogram(members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let mut options = Options::new("histogram", members);
    let field = options.field()?;
    let interval = options.number("interval")?.filter(|interval| *interval > 0.0);
    let interval =
        interval.ok_or_else(|| illegal("[interval] must be >0 for histogram aggregation"))?;
    let numbers = |options: &mut Options, name: &str| -> Result<Option<(f64, f64)>, ApiError> {
        match options.bounds(name)? {
            None => Ok(None),
            Some((min, max)) => {
                let both = min.as_f64().zip(max.as_f64());
                both.map(Some).ok_or_else(|| options.failed(name))
            }
        }
    };
    let histogram = Histogram {
        field,
        interval,
        offset: options.number("offset")?.unwrap_or(0.0),
        min_doc_count: options.count("min_doc_count")?.unwrap_or(0),
        is_keyed: options.flag("keyed")?.unwrap_or(false),
        extended: numbers(&mut options, "extended_bounds")?,
        hard: numbers(&mut options, "hard_bounds")?,
    };
    options.finish()?;
    Ok(Kind::Histogram(histogram))
}

fn ranges(kind: &'static str, members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let mut options = Options::new(kind, members);
    let field = options.field()?;
    let dates = if kind == "date_range" { Some(options.dates()?) } else { None };
    let is_keyed = options.flag("keyed")?.unwrap_or(false);
    let Some(Value::Array(values)) = options.take("ranges") else {
        return Err(illegal(format!("No [ranges] specified for the [{kind}] aggregation")));
    };
    if values.is_empty() || values.len() > MOST_PARTS {
        return Err(options.failed("ranges"));
    }
    let mut ranges = Vec::with_capacity(values.len());
    for value in values {
        let Value::Object(mut members) = value else { return Err(options.failed("ranges")) };
        let mut take = |name: &str| members.remove(name).filter(|value| !value.is_null());
        let key =
            take("key").map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned));
        let (from, to) = (take("from"), take("to"));
        if !members.is_empty() {
            return Err(options.failed("ranges"));
        }
        ranges.push(OneRange { key, from, to });
    }
    options.finish()?;
    Ok(Kind::Range(Ranges { field, ranges, is_keyed, dates }))
}

fn filters(members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let mut options = Options::new("filters", members);
    let filters = match options.take("filters") {
        Some(Value::Object(members)) => members
            .iter()
            .map(|(name, value)| Ok((Some(name.clone()), query::parse(value)?)))
            .collect::<Result<Vec<_>, ApiError>>()?,
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| Ok((None, query::parse(value)?)))
            .collect::<Result<Vec<_>, ApiError>>()?,
        _ => return Err(options.failed("filters")),
    };
    if filters.is_empty() || filters.len() > MOST_PARTS {
        return Err(illegal("[filters] cannot be empty, nor have more than 1000"));
    }
    options.finish()?;
    Ok(Kind::Filters(filters))
}

fn figure(what: What, members: &Map<String, Value>) -> Result<Kind, ApiError> {
    let mut options = Options::new(what.name(), members);
    let field = options.field()?;
    let missing = options.number("missing")?;
    let mut percents = USUAL_PERCENTS.to_vec();
    let mut is_keyed = true;
    if what == What::Percentiles {
        if let Some(given) = options.take("percents") {
            let given = given.as_array().map(|list| list.iter().map(Value::as_f64).collect());
            let given: Option<Vec<f64>> = given.unwrap_or_default();
            let fits = |list: &Vec<f64>| {
                (1..=MOST_PARTS).contains(&list.len())
                    && list.iter().all(|percent| (0.0..=100.0).contains(percent))
            };
            percents = given.filter(fits).ok_or_else(|| options.failed("percents"))?;
        }
        is_keyed = options.flag("keyed")?.unwrap_or(true);
    }
    if what == What::Cardinality {
        // Counts are as precise as they can be without it.
        options.count("precision_threshold")?;
    }
    options.finish()?;
    Ok(Kind::Figure(Figure { what, field, missing, percents, is_keyed }))
}
