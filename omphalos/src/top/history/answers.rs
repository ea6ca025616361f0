//! Answers, made of what Elasticsearch or the store sends back.

use std::collections::HashMap;

use jiff::Timestamp;
use omphalos_live::{
    About, By, Classes, Detail, Dimension, KeyId, KeyName, Line, Missing, Point, Quantiles, Rate,
    Row, Scope, Series, Sum, Summary, section,
};
use serde_json::Value;

use super::requests::Top;
use crate::search::line_without_time;

/// How long a step may be, in seconds: such as people count in.
const STEPS: [u64; 19] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    604_800,
];
/// A period has about so many steps at most.
const MOST_STEPS: u64 = 120;
/// Elasticsearch's cardinality and percentiles are not exact, and state no bound: this is what is seen.
const CARDINALITY_ERROR: f64 = 0.02;
const PERCENTILE_ERROR: f64 = 0.02;
/// Fewer than these are told apart exactly.
const EXACT_CLIENTS: u64 = 100;

/// A period in steps.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its first moment, in milliseconds since 1970.
    pub from: i64,
    /// The first moment after it.
    pub to: i64,
    /// How long a step is, in seconds.
    pub step: u64,
}

impl Span {
    /// Steps are as long as they need be for a number that can be drawn.
    pub fn new(from: i64, to: i64) -> Self {
        let seconds = to.saturating_sub(from).max(0).unsigned_abs() / 1000;
        let fits = STEPS.into_iter().find(|step| seconds / step <= MOST_STEPS);
        let step = fits.unwrap_or_else(|| seconds / MOST_STEPS + 1);
        Self { from, to, step }
    }

    fn step_millis(&self) -> i64 {
        i64::try_from(self.step.saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    /// When the step begins that a moment is in.
    pub fn start_of_step(&self, at: i64) -> i64 {
        at.div_euclid(self.step_millis()).saturating_mul(self.step_millis())
    }

    /// When a step ends that has begun before this moment.
    pub fn end_of_step(&self, at: i64) -> i64 {
        self.start_of_step(at.saturating_sub(1)).saturating_add(self.step_millis())
    }

    fn seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "of milliseconds of a period")]
        let millis = self.to.saturating_sub(self.from) as f64;
        (millis / 1000.0).max(0.001)
    }
}

/// What a summary says, and what else is known of the documents.
#[derive(Debug)]
pub struct Found {
    /// The figures of all.
    pub summary: Summary,
    /// Lines that were not understood.
    pub failures: u64,
    /// When the newest happened, in milliseconds since 1970.
    pub newest: Option<i64>,
}

/// The figures of all documents.
pub fn summary_of(answer: &Value, scope: Scope, span: &Span, series: &Series) -> Found {
    let figures = at(answer, "/aggregations");
    let hits = number(at(answer, "/hits/total/value"));
    let bytes = bytes_of(figures);
    #[expect(clippy::cast_precision_loss, reason = "a rate is about right")]
    let each = |count: u64, seconds: f64| count as f64 / seconds;
    // The last step that is complete, not the one that time has just begun.
    let complete = series.points.iter().rev().find(|point| !point.is_open);
    #[expect(clippy::cast_precision_loss, reason = "a rate is about right")]
    let seconds = span.step as f64;
    let now = complete.map_or_else(Rate::default, |point| Rate {
        hits: each(point.hits.value, seconds),
        bytes: each(point.bytes.value, seconds),
    });
    let summary = Summary {
        scope,
        from: Some(span.from),
        to: Some(span.to),
        hits,
        bytes,
        errors: number(at(figures, "/errors/doc_count")),
        classes: classes_of(figures, hits),
        rate: Rate { hits: each(hits, span.seconds()), bytes: each(bytes, span.seconds()) },
        now,
        clients: clients_of(figures),
        latency: latency_of(figures),
        late: 0,
        ahead: 0,
        left_out: 0,
    };
    let failures = number(at(figures, "/failures/doc_count"));
    Found { summary, failures, newest: (hits > 0).then(|| millis(at(figures, "/newest/value"))) }
}

/// The figures of each step, also of those without documents.
pub fn series_of(figures: &Value, span: &Span) -> Series {
    let step = span.step_millis();
    let buckets: HashMap<i64, &Value> = list(at(figures, "/steps/buckets"))
        .map(|bucket| (millis(at(bucket, "/key")).div_euclid(step), bucket))
        .collect();
    let now = Timestamp::now().as_millisecond();
    let (first, end) = (span.from.div_euclid(step), span.to.saturating_sub(1).div_euclid(step));
    let points = (first..=end).map(|number| {
        let begins = number.saturating_mul(step);
        let is_open = begins.saturating_add(step) > now.min(span.to);
        point_of(buckets.get(&number).copied().unwrap_or(&Value::Null), begins, is_open)
    });
    Series { step, points: points.collect() }
}

fn point_of(bucket: &Value, begins: i64, is_open: bool) -> Point {
    let hits = number(at(bucket, "/doc_count"));
    Point {
        at: begins,
        is_open,
        hits: exactly(hits),
        bytes: exactly(bytes_of(bucket)),
        errors: exactly(number(at(bucket, "/errors/doc_count"))),
        classes: classes_of(bucket, hits),
        clients: clients_of(bucket),
        latency: latency_of(bucket),
    }
}

/// What is known of a dimension, without its rows.
pub fn top_of(answer: &Value, top: &Top<'_>, scope: Scope) -> omphalos_live::Top {
    let figures = at(answer, "/aggregations");
    let keys = at(figures, "/keys");
    let others = number(at(keys, "/sum_other_doc_count"));
    let least = list(at(keys, "/buckets")).last();
    let of_least = |count: fn(&Value) -> u64| least.map_or(0, count);
    let unseen = number(at(keys, "/doc_count_error_upper_bound"));
    let missing = if others == 0 {
        Missing::default()
    } else {
        let hits = match top.by {
            By::Hits => others.min(of_least(|bucket| number(at(bucket, "/doc_count"))) + unseen),
            _ => others,
        };
        // Of what is not what the order is by, no more is known.
        Missing { hits, bytes: u64::MAX, errors: hits }
    };
    omphalos_live::Top {
        dimension: top.dimension.clone(),
        by: top.by,
        scope,
        since: None,
        rows: Vec::new(),
        keys: number(at(figures, "/known/value")).max(list(at(keys, "/buckets")).count() as u64),
        hits: number(at(figures, "/lines/value")),
        missing,
    }
}

/// The heaviest keys, to be asked for by name.
pub fn names_of(answer: &Value, top: &Top<'_>, most: usize) -> Vec<String> {
    let figures = at(answer, "/aggregations");
    // How heavy, and what is to be the first of those that are equally heavy.
    let mut weights: HashMap<String, (u64, u64)> = HashMap::new();
    let name = |bucket: &Value| {
        let text = text_of(bucket);
        if *top.dimension != Dimension::Section {
            return text;
        }
        String::from_utf8_lossy(section(text.as_bytes())).into_owned()
    };
    for bucket in list(at(figures, "/keys/buckets")) {
        let (weight, beside) = weights.entry(name(bucket)).or_default();
        match top.by {
            By::Bytes => *weight += bytes_of(bucket),
            By::Latency => *weight = number(at(bucket, "/latency_max/value")).max(*weight),
            By::Errors => *beside += number(at(bucket, "/doc_count")),
            By::Hits | By::Clients => *weight += number(at(bucket, "/doc_count")),
        }
    }
    for bucket in list(at(figures, "/errors/keys/buckets")) {
        weights.entry(name(bucket)).or_default().0 += number(at(bucket, "/doc_count"));
    }
    let mut weights: Vec<(String, (u64, u64))> = weights.into_iter().collect();
    weights.sort_by(|(name, weight), (other, heavier)| heavier.cmp(weight).then(name.cmp(other)));
    // By latency and by clients any of them may be the first.
    let most = if matches!(top.by, By::Latency | By::Clients) { most } else { most.min(top.most) };
    weights.into_iter().take(most).map(|(name, _)| name).collect()
}

/// The keys that came back, with their courses, in order.
pub fn rows_of(keys: &Value, top: &Top<'_>, scope: Scope, span: &Span) -> Vec<Detail> {
    let unseen = number(at(keys, "/doc_count_error_upper_bound"));
    let named = at(keys, "/buckets").as_object().into_iter().flatten();
    let named = named.map(|(name, bucket)| (name.clone(), bucket));
    let listed = list(at(keys, "/buckets")).map(|bucket| (text_of(bucket), bucket));
    let mut rows: Vec<Detail> = listed
        .chain(named)
        .map(|(text, bucket)| {
            let mut detail = detail_from(bucket, (top.dimension, &text), scope, span);
            let hits = &mut detail.row.hits;
            *hits = Sum { value: hits.value + unseen, at_most_over: unseen };
            detail
        })
        .filter(|detail| detail.row.hits.value >= top.least_hits)
        .collect();
    let weight = |row: &Row| match top.by {
        By::Hits => row.hits.value,
        By::Bytes => row.bytes.value,
        By::Errors => row.errors.value,
        By::Latency => row.latency.map_or(0, |latency| latency.p95),
        By::Clients => row.clients.count,
    };
    // Equal ones stay in the order of the server.
    rows.sort_by_key(|detail| std::cmp::Reverse(weight(&detail.row)));
    rows.truncate(top.most);
    rows
}

/// All about one key, whose documents alone were asked for.
pub fn detail_of(answer: &Value, key: (&Dimension, &str), scope: Scope, span: &Span) -> Detail {
    let mut figures = at(answer, "/aggregations").clone();
    if let Some(figures) = figures.as_object_mut() {
        figures.insert("doc_count".to_owned(), at(answer, "/hits/total/value").clone());
    }
    Detail { lines: lines_of(answer), ..detail_from(&figures, key, scope, span) }
}

fn detail_from(bucket: &Value, key: (&Dimension, &str), scope: Scope, span: &Span) -> Detail {
    let (dimension, text) = key;
    let hits = number(at(bucket, "/doc_count"));
    let name = KeyName { id: KeyId::of(text.as_bytes()), text: text.to_owned(), is_cut: false };
    let row = Row {
        key: Some(name),
        hits: exactly(hits),
        bytes: exactly(bytes_of(bucket)),
        errors: exactly(number(at(bucket, "/errors/doc_count"))),
        classes: classes_of(bucket, hits),
        clients: clients_of(bucket),
        latency: latency_of(bucket),
    };
    let series = series_of(bucket, span);
    Detail { dimension: dimension.clone(), scope, since: None, row, series, lines: Vec::new() }
}

/// The documents that came back, as lines.
pub fn lines_of(answer: &Value) -> Vec<Line> {
    let line = |hit: &Value| {
        let document = at(hit, "/_source");
        let at = millis(at(hit, "/sort/0"));
        let original = document.pointer("/event/original").and_then(Value::as_str);
        let text = original
            .map_or_else(|| line_without_time(document, &document.to_string()), str::to_owned);
        Line { at, text }
    };
    list(at(answer, "/hits/hits")).map(line).collect()
}

fn text_of(bucket: &Value) -> String {
    match (at(bucket, "/key_as_string"), at(bucket, "/key")) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        (_, Value::Number(number)) => {
            number.as_i64().map_or(number.to_string(), |number| number.to_string())
        }
        (_, other) => other.to_string(),
    }
}

/// What stands there; nothing where it does not.
pub fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A number that is not below 0; 0 where there is none.
fn number(value: &Value) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is too large is as large as can be, what is below 0 is 0"
    )]
    value.as_u64().or_else(|| value.as_f64().map(|number| number.round() as u64)).unwrap_or(0)
}

fn millis(value: &Value) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).unwrap_or(0)
}

fn exactly(value: u64) -> Sum {
    Sum { value, at_most_over: 0 }
}

fn bytes_of(figures: &Value) -> u64 {
    number(at(figures, "/bytes/value"))
        .saturating_add(number(at(figures, "/bytes_of_others/bytes/value")))
}

fn classes_of(figures: &Value, hits: u64) -> Classes {
    let counts = list(at(figures, "/classes/buckets"));
    let mut counts = counts.map(|part| number(at(part, "/doc_count")));
    let mut classes = [0; 6];
    for (class, count) in classes.iter_mut().skip(1).zip(&mut counts) {
        *class = count;
    }
    let known: u64 = classes.iter().sum();
    Classes { none: hits.saturating_sub(known), ..Classes::from(classes) }
}

fn clients_of(figures: &Value) -> About {
    let count = number(at(figures, "/clients/value"));
    let error = if count < EXACT_CLIENTS { 0.0 } else { CARDINALITY_ERROR };
    About { count, error, at_most_missed: 0 }
}

fn latency_of(figures: &Value) -> Option<Quantiles> {
    let lines = number(at(figures, "/latency_lines/value"));
    let percentile = |name: &str| number(at(figures, &format!("/latency/values/{name}")));
    (lines > 0).then(|| Quantiles {
        lines,
        p50: percentile("50.0"),
        p95: percentile("95.0"),
        p99: percentile("99.0"),
        max: number(at(figures, "/latency_max/value")),
        error: PERCENTILE_ERROR,
    })
}
