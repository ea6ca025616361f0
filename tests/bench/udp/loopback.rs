//! How fast one worker takes documents without losing any: the rate of a sender is raised until
//! something is lost, or until the sender cannot go faster. The spool is included: all that came is
//! written, read again, opened and acknowledged meanwhile.

use std::path::Path;
use std::time::Instant;

use super::receiving::Receiving;
use super::source::{Source, settings};
use super::{ETHERNET, LOOPBACK};
use crate::measure::{load, own_seconds, thread_seconds};
use crate::table::Table;

/// Documents of each step.
const DOCUMENTS: u64 = 1_000_000;
/// Rates of the sender in MiB a second: the first is the default, nobody waits for the last.
const RATES: [u64; 4] = [32, 64, 128, 3000];
/// How often each rate is tried: a busy machine may lose something at any.
const RUNS: usize = 2;
const MIB: u64 = 1024 * 1024;

/// One step.
struct Step {
    rate: u64,
    /// Documents a second, from the first one sent until the last one was received.
    speed: f64,
    lost: u64,
    drops: u64,
    /// Processor seconds for 1,000,000 documents, in words.
    cost: String,
}

impl Step {
    fn lost_nothing(&self) -> bool {
        self.lost == 0 && self.drops == 0
    }
}

/// Raises the rate, for packets of both sizes.
pub fn measure(directory: &Path, source: &Source, table: &mut Table) {
    for mtu in [ETHERNET, LOOPBACK] {
        let mut good: Option<Step> = None;
        let mut bad = None;
        for rate in RATES {
            let steps = (0..RUNS).map(|_| step(directory, source, mtu, rate));
            let (well, badly): (Vec<Step>, Vec<Step>) = steps.partition(Step::lost_nothing);
            if well.is_empty() {
                bad = badly.into_iter().next();
                break;
            }
            let best = good.into_iter().chain(well);
            good = best.max_by(|a, b| a.speed.total_cmp(&b.speed));
        }
        let reached = good.as_ref().map_or_else(String::new, |step| {
            format!("with udp.rate = {} MiB; {}; load {}", step.rate, step.cost, load())
        });
        let limit = bad.map_or_else(String::new, |Step { rate, lost, drops, .. }| {
            format!("; with {rate} MiB {lost} documents lost, {drops} datagrams by the kernel")
        });
        table.row(
            &format!("one worker on the loopback, documents a second with none lost, mtu {mtu}"),
            &format!("{:.0}", good.map_or(0.0, |step| step.speed)),
            "≥ 200,000",
            &(reached + &limit),
        );
    }
}

fn step(directory: &Path, source: &Source, mtu: &str, rate: u64) -> Step {
    let receiving = Receiving::start(directory, 1, None);
    let settings = settings(receiving.address(), mtu, rate * MIB);
    let (before, sender, begun) = (own_seconds(), thread_seconds(), Instant::now());
    let sent = source.send(&settings, DOCUMENTS);
    let sender = thread_seconds() - sender;
    let ledger = receiving.wait(sent);
    let seconds = begun.elapsed().as_secs_f64();
    let lost = sent - receiving.wait_for_consumer();
    let receiver = own_seconds() - before;
    let consumer = receiving.stop();
    let million = |seconds: f64| seconds / sent as f64 * 1e6;
    let cost = format!(
        "CPU for 1,000,000: {:.2} s to send, {:.2} s to receive and spool, {:.2} s to read the spool and open",
        million(sender),
        million(receiver - consumer),
        million(consumer)
    );
    Step { rate, speed: sent as f64 / seconds, lost, drops: ledger.totals.kernel_drops, cost }
}
