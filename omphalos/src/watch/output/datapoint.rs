//! A datapoint as OpenTSDB takes it (<http://opentsdb.net/docs/build/html/user_guide/writing/index.html>).

use std::collections::BTreeMap;
use std::fmt::Write;

use omphalos_live::SeriesPoint;
use serde::{Deserialize, Serialize};

/// Instead of a value where lines have none, and where there were too many different ones.
const NONE: &str = "none";
const OTHER: &str = "_other";
/// What follows the prefix for each class of status.
const CLASSES: [&str; 6] =
    ["status.none", "status.1xx", "status.2xx", "status.3xx", "status.4xx", "status.5xx"];
const PERCENTILES: [&str; 3] = ["latency.p50", "latency.p95", "latency.p99"];

/// A value of a metric at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Datapoint {
    /// The metric.
    pub metric: String,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// Its value.
    pub value: serde_json::Number,
    /// At least one.
    pub tags: BTreeMap<String, String>,
}

/// The datapoints of a step and series: hits, bytes, errors, each class of status that there is, and
/// percentiles in seconds.
pub fn datapoints(prefix: &str, names: &[String], point: &SeriesPoint) -> Vec<Datapoint> {
    let values = point.values.iter().map(|value| match value {
        _ if point.is_rest => OTHER.to_owned(),
        Some(value) => clean(value),
        None => NONE.to_owned(),
    });
    let tags: BTreeMap<String, String> = names.iter().cloned().zip(values).collect();
    let one = |name: &str, value: serde_json::Number| Datapoint {
        metric: format!("{prefix}.{name}"),
        timestamp: point.at.div_euclid(1000),
        value,
        tags: tags.clone(),
    };
    let sums = [("hits", point.hits), ("bytes", point.bytes), ("errors", point.errors)];
    let classes = CLASSES.into_iter().zip(point.classes).filter(|(_, hits)| *hits > 0);
    let mut all: Vec<Datapoint> =
        sums.into_iter().chain(classes).map(|(name, value)| one(name, value.into())).collect();
    for (name, nanos) in PERCENTILES.into_iter().zip(point.latency.into_iter().flatten()) {
        #[expect(clippy::cast_precision_loss, reason = "a time for a graph")]
        let seconds = nanos as f64 / 1e9;
        all.extend(serde_json::Number::from_f64(seconds).map(|seconds| one(name, seconds)));
    }
    all
}

/// With the characters that names of metrics and tags may have, and no others: letters, digits, and
/// `-_./`.
pub fn clean(text: &str) -> String {
    let is_allowed = |character: char| character.is_alphanumeric() || "-_./".contains(character);
    let clean: String =
        text.chars().map(|character| if is_allowed(character) { character } else { '_' }).collect();
    if clean.is_empty() { NONE.to_owned() } else { clean }
}

impl Datapoint {
    /// The line of the telnet protocol.
    pub fn line(&self) -> String {
        let mut line = format!("put {} {} {}", self.metric, self.timestamp, self.value);
        for (name, value) in &self.tags {
            // Writing to a text does not fail.
            write!(line, " {name}={value}").unwrap_or_default();
        }
        line.push('\n');
        line
    }

    /// Whether it is for the same place, whatever its value: a server may write that otherwise.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.metric, self.timestamp, &self.tags) == (&other.metric, other.timestamp, &other.tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> SeriesPoint {
        SeriesPoint {
            at: 1_795_000_020_000,
            values: vec![Some("web-1".into()), None, Some("a b=c\n".into())],
            is_rest: false,
            hits: 3,
            bytes: 30,
            errors: 1,
            classes: [0, 0, 2, 0, 0, 1],
            latency: Some([1_000_000, 2_000_000, 1_500_000_000]),
        }
    }

    #[test]
    fn a_step_is_some_datapoints_with_the_same_tags() {
        let names = ["host", "user", "path"].map(str::to_owned);
        let points = datapoints("omphalos", &names, &point());
        let shown: Vec<String> = points.iter().map(Datapoint::line).collect();
        let tags = "host=web-1 path=a_b_c_ user=none\n";
        let expected = [
            "hits 1795000020 3",
            "bytes 1795000020 30",
            "errors 1795000020 1",
            "status.2xx 1795000020 2",
            "status.5xx 1795000020 1",
            "latency.p50 1795000020 0.001",
            "latency.p95 1795000020 0.002",
            "latency.p99 1795000020 1.5",
        ]
        .map(|rest| format!("put omphalos.{rest} {tags}"));
        assert_eq!(shown, expected);
        let rest = SeriesPoint { is_rest: true, latency: None, ..point() };
        assert_eq!(datapoints("x", &names, &rest)[0].tags["host"], "_other");
    }

    #[test]
    fn nothing_that_a_log_says_breaks_a_line_or_a_name() {
        assert_eq!(clean("a b\nput x 1 2 y=z"), "a_b_put_x_1_2_y_z");
        assert_eq!(clean("/Grüße/1-2_3.4"), "/Grüße/1-2_3.4");
        assert_eq!(clean(""), "none");
    }
}
