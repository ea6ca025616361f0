//! Series that Prometheus reads at `/metrics`: sums since the start, which only grow.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use omphalos_common::telemetry::{encode_counter, encode_counters};
use omphalos_live::SeriesPoint;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::settings::Output;

/// So many series are kept; lines of others are counted as such.
const MOST_SERIES: usize = 10_000;

type Labels = Vec<(String, String)>;

/// Sums of one output.
#[derive(Debug, Clone)]
pub struct Scraped {
    names: Arc<[String]>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    series: BTreeMap<Vec<Option<Box<str>>>, Sums>,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Sums {
    hits: u64,
    bytes: u64,
    errors: u64,
    /// Of the last step that has any.
    latency: Option<[u64; 3]>,
}

impl Scraped {
    /// Without a line.
    pub fn new(output: &Output) -> Self {
        Self { names: output.tag_names().into(), state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the points of a step.
    pub fn take(&self, points: &[SeriesPoint]) {
        let mut state = self.state();
        for point in points {
            let has_room =
                state.series.len() < MOST_SERIES || state.series.contains_key(&point.values);
            if point.is_rest || !has_room {
                state.left_out += point.hits;
                continue;
            }
            let sums = state.series.entry(point.values.clone()).or_default();
            sums.hits += point.hits;
            sums.bytes = sums.bytes.saturating_add(point.bytes);
            sums.errors += point.errors;
            sums.latency = point.latency.or(sums.latency);
        }
    }

    fn labels(&self, values: &[Option<Box<str>>]) -> Labels {
        let values = values.iter().map(|value| value.as_deref().unwrap_or_default().to_owned());
        self.names.iter().cloned().zip(values).collect()
    }
}

impl Collector for Scraped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let state = self.state();
        let of = |sum: fn(&Sums) -> u64| {
            state.series.iter().map(move |(values, sums)| (self.labels(values), sum(sums)))
        };
        encode_counters(&mut encoder, ("series_hits", "Lines, by series"), of(|sums| sums.hits))?;
        let help = "Bytes of the responses, by series";
        encode_counters(&mut encoder, ("series_bytes", help), of(|sums| sums.bytes))?;
        let help = "Lines that are errors, by series";
        encode_counters(&mut encoder, ("series_errors", help), of(|sums| sums.errors))?;
        let help = "What so much of the lines of the last step took at most, in seconds";
        let mut family =
            encoder.encode_descriptor("series_latency_seconds", help, None, MetricType::Gauge)?;
        for (values, sums) in &state.series {
            for (quantile, nanos) in
                ["0.5", "0.95", "0.99"].into_iter().zip(sums.latency.into_iter().flatten())
            {
                let mut labels = self.labels(values);
                labels.push(("quantile".to_owned(), quantile.to_owned()));
                #[expect(clippy::cast_precision_loss, reason = "a time for a graph")]
                let seconds = nanos as f64 / 1e9;
                ConstGauge::new(seconds).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Lines of series that were too many to be kept";
        encode_counter(&mut encoder, ("series_left_out", help), state.left_out)
    }
}
