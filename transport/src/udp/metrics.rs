//! The receivers' account as metrics: sums as counters, and the streams as gauges, which may go.

use std::collections::BTreeMap;
use std::fmt::Error;

use omphalos_common::telemetry::encode_counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use super::datagram::Refusal;
use super::ledger::{Ledger, StreamAccount};
use super::receiver::Accountant;
use super::streams::Skipped;

/// The streams that lost most are shown; more would make scrapes slow.
const MOST_STREAMS: usize = 1000;

/// The label of what is counted for each reason.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// The labels of a stream.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Stream {
    stream: String,
    host: String,
}

/// Reads the account when scraped.
#[derive(Debug)]
pub struct UdpReceiverMetrics(pub Accountant);

impl Collector for UdpReceiverMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let ledger = self.0.ledger();
        encode_totals(&mut encoder, &ledger)?;
        encode_skipped(&mut encoder, self.0.skipped())?;
        encode_streams(&mut encoder, ledger.streams)?;
        let spool = self.0.spool();
        for (name, help, value) in [
            ("spool_records", "Records in the spool that are not delivered yet", spool.backlog()),
            ("spool_bytes", "Bytes of the spool on disk", spool.bytes()),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

fn encode_totals(encoder: &mut DescriptorEncoder<'_>, ledger: &Ledger) -> Result<(), Error> {
    let totals = &ledger.totals;
    for (name, help, value) in [
        ("received", "Datagrams with documents that came by themselves, in time", totals.received),
        ("restored", "Datagrams restored from parity", totals.restored),
        ("resent", "Datagrams that came after they were asked for", totals.resent),
        ("late", "Datagrams that came after they were given up", totals.late),
        ("given_up", "Datagrams that did not come in time", totals.given_up),
        ("repeated", "Datagrams that had been received before", totals.repeated),
        ("parity", "Parity datagrams received", totals.parity),
        ("marks", "Marks received", totals.marks),
        ("heartbeats", "Heartbeats received", totals.heartbeats),
        ("lines", "Datagrams of plain NDJSON", totals.lines),
        (
            "kernel_drops",
            "Datagrams that the kernel dropped, as the socket told",
            totals.kernel_drops,
        ),
    ] {
        let name = format!("udp_datagrams_{name}");
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(&name, help, None, counter.metric_type())?)?;
    }
    for (name, help, value) in [
        ("udp_documents_received", "Documents in accepted datagrams", totals.documents),
        ("udp_bytes_received", "Bytes of all datagrams that were read", totals.bytes),
    ] {
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
    }
    // All reasons from the beginning: Prometheus sees no increase from nothing to 1.
    let mut refused: BTreeMap<&str, u64> =
        Refusal::ALL.iter().map(|refusal| (refusal.name(), 0)).collect();
    refused.extend(totals.refused.iter().map(|(reason, count)| (&**reason, *count)));
    let refused = refused.into_iter().map(|(reason, count)| ([("reason", reason)], count));
    encode_counters(encoder, ("udp_datagrams_refused", "Datagrams that were not accepted"), refused)
}

fn encode_skipped(encoder: &mut DescriptorEncoder<'_>, skipped: Skipped) -> Result<(), Error> {
    let Skipped { ledger, records, refused } = skipped;
    let family = Family::<Reason, Gauge>::default();
    for (reason, count) in [("ledger", ledger), ("record", records), ("refused", refused)] {
        let label = Reason { reason: reason.to_owned() };
        family.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    let help = "Streams of the ledger and records of the spool that the last start could not use";
    let name = "udp_recovery_skipped";
    family.encode(encoder.encode_descriptor(name, help, None, family.metric_type())?)
}

type Of = fn(&StreamAccount) -> u64;

fn encode_streams(
    encoder: &mut DescriptorEncoder<'_>,
    mut streams: Vec<StreamAccount>,
) -> Result<(), Error> {
    let count = ConstGauge::new(i64::try_from(streams.len()).unwrap_or(i64::MAX));
    let help = "Streams that are followed, at most 1000 of which are listed";
    count.encode(encoder.encode_descriptor("udp_streams", help, None, count.metric_type())?)?;
    streams.sort_by_key(|stream| std::cmp::Reverse(stream.counts.lost()));
    streams.truncate(MOST_STREAMS);
    let gauges: [(&str, &str, Of); 4] = [
        ("received", "Datagrams of a stream that were received", |stream| {
            let counts = &stream.counts;
            counts.received.saturating_add(counts.repaired()).saturating_add(counts.late)
        }),
        ("missing", "Datagrams of a stream that may still come", |stream| stream.missing),
        ("lost", "Datagrams of a stream that are lost", |stream| stream.counts.lost()),
        ("documents_missing", "Documents of a stream that were sent and not received", |stream| {
            stream.documents_sent.saturating_sub(stream.counts.documents)
        }),
    ];
    for (name, help, value) in gauges {
        let family = Family::<Stream, Gauge>::default();
        for stream in &streams {
            let label = Stream { stream: stream.stream.clone(), host: stream.host.clone() };
            family.get_or_create(&label).set(i64::try_from(value(stream)).unwrap_or(i64::MAX));
        }
        let name = format!("udp_stream_{name}");
        family.encode(encoder.encode_descriptor(&name, help, None, family.metric_type())?)?;
    }
    Ok(())
}
