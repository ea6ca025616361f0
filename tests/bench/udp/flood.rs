//! A flood of hostile datagrams at full speed, beside a shipper whose datagrams are sealed.

use std::path::Path;
use std::time::Instant;

use omphalos_tests::{Flood, Harm, Hostile, UdpProxy};
use omphalos_transport::udp::Totals;

use super::receiving::Receiving;
use super::sending::udp_shipper;
use super::source::{Source, settings};
use super::{ETHERNET, SEED};
use crate::measure::{cost, load, own_memory};
use crate::table::Table;

/// The rate of the shipper: half of the default, some 200,000 documents a second.
const RATE: &str = "16MiB";
/// Datagrams that the attacker has seen on the path.
const SEEN: usize = 1000;
/// Documents that are sent before, so that all buffers have their size.
const WARM_UP: u64 = 200_000;
const WARM_UP_RATE: u64 = 16 * 1024 * 1024;
/// How often what depends on luck is measured.
const RUNS: usize = 3;

/// What a flood did.
struct Outcome {
    /// Percent of the shipper's documents.
    lost: f64,
    /// Datagrams a second of the flood.
    flood: f64,
    /// Resident memory of this process before and after, in MiB. The shipper is another process,
    /// and the flood has its memory before.
    memory: [f64; 2],
    totals: Totals,
}

/// A shipper's losses under a flood.
pub fn measure(directory: &Path, source: &Source, log: &Path, keys: &Path, table: &mut Table) {
    let run = |workers, retransmit| run(directory, (source, log), keys, (workers, retransmit));
    let outcome = run(1, true);
    let Outcome { flood, memory: [before, after], totals, .. } = &outcome;
    table.row(
        "flooded with hostile datagrams; sealed, with udp.retransmit, documents lost",
        &format!("{:.4} %", outcome.lost),
        "0",
        &format!(
            "{flood:.0} hostile datagrams a second; of all datagrams the kernel dropped {}, {} were sent again; load {}",
            totals.kernel_drops,
            totals.resent,
            load()
        ),
    );
    table.row(
        "the receiver's memory during that",
        &format!("{:+.1} MiB", after - before),
        "flat",
        &format!("{before:.1} MiB before, {after:.1} MiB after, most of it the scene's"),
    );
    let runs: Vec<Outcome> = (0..RUNS).map(|_| run(2, false)).collect();
    let lost: Vec<String> = runs.iter().map(|run| format!("{:.2} %", run.lost)).collect();
    let drops: Vec<String> = runs.iter().map(|run| run.totals.kernel_drops.to_string()).collect();
    table.row(
        "the same with two workers and without udp.retransmit, documents lost",
        &lost.join(", "),
        "",
        &format!(
            "{RUNS} runs: in some both share a socket, as their ports fall; the kernel dropped {}",
            drops.join(", ")
        ),
    );
}

fn run(
    directory: &Path,
    (source, log): (&Source, &Path),
    keys: &Path,
    (workers, retransmit): (usize, bool),
) -> Outcome {
    let receiving = Receiving::start(directory, workers, Some(keys));
    let (warm, seen) = warm_up(&receiving, source, keys);
    let kinds = [
        Hostile::Random,
        Hostile::Truncated(seen.clone()),
        Hostile::Replayed(seen.clone()),
        Hostile::Forged(seen),
    ];
    let mut command = udp_shipper(directory, log, receiving.address(), Some(keys));
    command.args(["--udp-mtu", ETHERNET, "--udp-rate", RATE]);
    if retransmit {
        command.arg("--udp-retransmit");
    }
    let begun = Instant::now();
    let flood = Flood::start(receiving.address(), SEED, &kinds);
    let before = own_memory();
    cost(&mut command);
    let after = own_memory();
    let seconds = begun.elapsed().as_secs_f64();
    let flood = flood.stop() as f64 / seconds;
    let totals = receiving.wait(warm + 1_000_000).totals;
    let here = receiving.wait_for_consumer() - warm;
    receiving.stop();
    let lost = (1_000_000.0 - here as f64) / 1e6 * 100.0;
    Outcome { lost, flood, memory: [before, after], totals }
}

/// Has the receiver take a stream, and somebody on the path see it; returns how many documents
/// that was, and what was seen.
fn warm_up(receiving: &Receiving, source: &Source, keys: &Path) -> (u64, Vec<Vec<u8>>) {
    let proxy = UdpProxy::start(receiving.address(), SEED, Harm::NONE);
    proxy.capture(SEEN);
    let mut settings = settings(proxy.address(), ETHERNET, WARM_UP_RATE);
    settings.key_file = Some(keys.to_owned());
    let sent = source.send(&settings, WARM_UP);
    proxy.settle();
    receiving.wait(sent);
    let opened = receiving.wait_for_consumer();
    assert_eq!(opened, sent, "the warm-up was lost in part");
    (sent, proxy.captured())
}
