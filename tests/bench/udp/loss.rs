//! A path that loses datagrams, and what parity and retransmission make good.

use std::path::Path;

use omphalos_tests::udp_proxy::Kind;
use omphalos_tests::{Harm, UdpProxy};
use omphalos_transport::udp::{StreamAccount, UdpSettings};

use super::receiving::Receiving;
use super::source::{Source, settings};
use super::{ETHERNET, SEED};
use crate::table::Table;

const DOCUMENTS: u64 = 1_000_000;
/// What the path loses.
const LOSS: Harm = Harm { drop: 0.05, ..Harm::NONE };

/// What came of a stream.
struct Outcome {
    /// Percent of its documents.
    lost: f64,
    /// In words: what the ledger says, and whether the proxy agrees.
    account: String,
}

/// Sends through a path that loses one datagram in twenty, at the default rate.
pub fn measure(directory: &Path, source: &Source, keys: &Path, table: &mut Table) {
    let outcome = run(directory, source, None, |settings| "10%".clone_into(&mut settings.fec));
    table.row(
        "the path loses 5 % of data and parity; with udp.fec = \"10%\", documents lost",
        &format!("{:.4} %", outcome.lost),
        "≤ 0.01 %",
        &outcome.account,
    );
    let outcome = run(directory, source, Some(keys), |settings| {
        settings.retransmit = true;
        settings.key_file = Some(keys.to_owned());
    });
    table.row(
        "the path loses 5 % of data, marks and requests; with udp.retransmit, documents lost",
        &format!("{:.4} %", outcome.lost),
        "0",
        &outcome.account,
    );
}

fn run(
    directory: &Path,
    source: &Source,
    keys: Option<&Path>,
    change: impl FnOnce(&mut UdpSettings),
) -> Outcome {
    let receiving = Receiving::start(directory, 1, keys);
    let proxy = UdpProxy::start(receiving.address(), SEED, LOSS);
    for kind in [Kind::Parity, Kind::Mark, Kind::Request] {
        proxy.set_harm_of(kind, LOSS);
    }
    let mut settings = settings(proxy.address(), ETHERNET, UdpSettings::default().rate.0);
    change(&mut settings);
    let sent = source.send(&settings, DOCUMENTS);
    proxy.settle();
    let ledger = receiving.wait(sent);
    let lost = sent - receiving.wait_for_consumer();
    receiving.stop();
    let account = account(&ledger.streams[0], &proxy);
    // These are lost on top of what the path loses, and the proxy does not know of them.
    let drops = ledger.totals.kernel_drops + proxy.own_drops();
    let account = format!("{account}; dropped by the kernel besides: {drops}");
    Outcome { lost: lost as f64 / sent as f64 * 100.0, account }
}

/// What the ledger says in words, and whether that is what the proxy did.
fn account(stream: &StreamAccount, proxy: &UdpProxy) -> String {
    let counts = &stream.counts;
    let account = proxy.account();
    let path = account.streams.values().next().expect("a stream");
    let exact = path.seen.len() as u64 == stream.next - stream.first
        && path.forwarded.len() as u64 == counts.received + counts.resent + counts.late
        && path.missing().len() as u64 == counts.restored + counts.lost();
    format!(
        "the path lost {} of {} datagrams: {} restored, {} resent, {} late, {} lost for good; the ledger is {}",
        path.dropped.len(),
        path.seen.len(),
        counts.restored,
        counts.resent,
        counts.late,
        counts.lost(),
        if exact { "exact" } else { "NOT exact" },
    )
}
