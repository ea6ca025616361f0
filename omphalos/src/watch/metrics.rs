//! What is raised, as Prometheus reads it.

use std::fmt::Error;
use std::sync::Arc;

use omphalos_common::telemetry::{encode_counter, encode_counters, encode_gauges};
use omphalos_live::{Answer, Question, Scope};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};

use super::deliver::Deliveries;
use super::output::Queue;
use crate::top::counter::Counter;

/// The alerts of what is counted.
#[derive(Debug)]
pub struct AlertMetrics(pub Arc<Counter>);

/// What became of events, by receiver.
#[derive(Debug)]
pub struct ReceiverMetrics(pub Arc<Deliveries>);

#[derive(Debug, EncodeLabelSet)]
struct OfReceiver {
    receiver: String,
    what: &'static str,
}

/// What became of datapoints.
#[derive(Debug)]
pub struct OutputMetrics(pub Vec<(String, Arc<Queue>)>);

#[derive(Debug, EncodeLabelSet)]
struct OfOutput {
    output: String,
    what: &'static str,
}

#[derive(Debug, EncodeLabelSet)]
struct OfRule {
    rule: String,
}

#[derive(Debug, EncodeLabelSet)]
struct Happened {
    rule: String,
    what: &'static str,
}

impl Collector for AlertMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let (raised, happened, left_out) =
            self.0.with_alarms(|alarms| (alarms.raised(), alarms.happened(), alarms.left_out()));
        encode_gauges(
            &mut encoder,
            ("alerts_raised", "Alerts that are raised, by rule"),
            raised.into_iter().map(|(rule, count)| (OfRule { rule }, count)),
        )?;
        encode_counters(
            &mut encoder,
            ("alert_events", "Alerts that were raised and cleared, by rule"),
            happened.into_iter().map(|(rule, what, count)| (Happened { rule, what }, count)),
        )?;
        if let Answer::Summary(summary) = self.0.ask(&Question::Summary { scope: Scope::Start }) {
            for (name, help, value) in [
                ("watch_lines", "Lines that were judged", summary.hits),
                ("watch_lines_late", "Lines that came after their step had ended", summary.late),
                ("watch_lines_ahead", "Lines too far ahead of the clock", summary.ahead),
            ] {
                encode_counter(&mut encoder, (name, help), value)?;
            }
        }
        for (name, help, value) in [
            ("watch_alerts_left_out", "Alerts that were too many to be held", left_out.alerts),
            (
                "watch_keys_left_out",
                "Lines whose keys were too many to be watched for silence",
                left_out.keys,
            ),
        ] {
            encode_counter(&mut encoder, (name, help), value)?;
        }
        Ok(())
    }
}

impl Collector for OutputMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let counts = self.0.iter().map(|(output, queue)| (output, queue.counts()));
        let counts: Vec<_> = counts.collect();
        let settled = counts.iter().flat_map(|(output, counts)| {
            let of = [
                ("stored", counts.stored),
                ("refused", counts.refused),
                ("dropped", counts.dropped),
            ];
            of.map(|(what, count)| (OfOutput { output: (*output).clone(), what }, count))
        });
        encode_counters(
            &mut encoder,
            ("output_datapoints", "Datapoints, by what became of them"),
            settled,
        )?;
        let waiting = counts.iter().map(|(output, counts)| {
            (OfOutput { output: (*output).clone(), what: "waiting" }, counts.waiting)
        });
        encode_gauges(
            &mut encoder,
            ("output_datapoints_waiting", "Datapoints that wait for the server"),
            waiting,
        )
    }
}

impl Collector for ReceiverMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let counts = self.0.counts();
        let settled = counts.iter().flat_map(|counts| {
            let of = [
                ("delivered", counts.delivered),
                ("failed", counts.failed),
                ("given_up", counts.given_up),
                ("dropped", counts.dropped),
            ];
            of.map(|(what, count)| (OfReceiver { receiver: counts.receiver.clone(), what }, count))
        });
        encode_counters(
            &mut encoder,
            (
                "receiver_events",
                "Events for receivers, by what became of them; failed counts attempts",
            ),
            settled,
        )?;
        let waiting = counts.iter().map(|counts| {
            let receiver = counts.receiver.clone();
            (OfReceiver { receiver, what: "waiting" }, counts.waiting as u64)
        });
        encode_gauges(
            &mut encoder,
            ("receiver_events_waiting", "Events that a receiver has not been told yet"),
            waiting,
        )
    }
}
