//! The lines that shippers send as datagrams to this address, where no indexer listens. What comes is
//! kept on disk only while it is counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use omphalos_common::config::ConfigError;
use omphalos_common::telemetry::Health;
use omphalos_live::DocumentReader;
use omphalos_transport::spool::{Spool, SpoolOptions};
use omphalos_transport::udp::{
    Accountant, Feed, LedgerFile, ReceiveOptions, Receivers, RecordReader,
};
use tempfile::TempDir;

use super::Source;
use super::parcel::{count, show_heartbeats};
use crate::top::counter::Counter;
use crate::top::figures::{Reading, SourceState};

/// Room on disk for what comes faster than it can be counted.
const SPOOL_BYTES: u64 = 256 << 20;
const SEGMENT_BYTES: u64 = 16 << 20;

/// What is known of the datagrams; shared with whoever shows it.
pub struct Datagrams {
    shown: String,
    accountant: Accountant,
    account: Mutex<Account>,
}

struct Account {
    lines: u64,
    failures: u64,
    last: Instant,
}

/// The sockets, and what came through them.
pub struct Taking {
    feed: Feed,
    records: RecordReader,
    _receivers: Receivers,
    _directory: TempDir,
}

impl Datagrams {
    /// Listens.
    ///
    /// # Errors
    /// When an address cannot be bound, or nothing temporary be written.
    pub fn start(options: ReceiveOptions) -> anyhow::Result<(Arc<Self>, Taking)> {
        let directory = tempfile::Builder::new().prefix("omphalos-top-").tempdir()?;
        let (spool, reader) = Spool::open(SpoolOptions {
            directory: directory.path().join("spool"),
            max_bytes: SPOOL_BYTES,
            segment_bytes: SEGMENT_BYTES,
        })
        .map_err(|error| ConfigError::invalid(error.to_string()))?;
        let file = LedgerFile::new(directory.path());
        let receivers = Receivers::start(vec![options], spool.clone(), file, Health::default())?;
        let addresses: Vec<String> =
            receivers.addresses().iter().map(ToString::to_string).collect();
        let accountant = receivers.accountant();
        let records = RecordReader::new(Some(accountant.clone()), "logs")?;
        let feed = Feed::start(spool, reader)?;
        let account = Account { lines: 0, failures: 0, last: Instant::now() };
        let datagrams = Self {
            shown: format!("udp {}", addresses.join(", ")),
            accountant,
            account: Mutex::new(account),
        };
        let taking = Taking { feed, records, _receivers: receivers, _directory: directory };
        Ok((Arc::new(datagrams), taking))
    }

    /// Counts what comes until the program ends.
    ///
    /// # Errors
    /// Never.
    pub async fn watch(
        self: Arc<Self>,
        mut taking: Taking,
        counter: Arc<Counter>,
    ) -> anyhow::Result<bool> {
        let mut reader = DocumentReader::default();
        while let Some(delivery) = taking.feed.next().await {
            let (number, record, answer) = delivery.into_parts();
            let content = taking.records.read(number, &record);
            if let Some(content) = content.as_ref().filter(|content| content.is_heartbeat) {
                show_heartbeats(&content.parcel, &mut reader, &counter);
            } else if let Some(content) = content {
                let failures = count(&content.parcel, &mut reader, &counter);
                let mut account = self.lock();
                account.lines += content.parcel.documents.len() as u64;
                account.failures += failures;
                account.last = Instant::now();
            }
            answer.acknowledge();
        }
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Datagrams {
    fn states(&self) -> Vec<SourceState> {
        let ledger = self.accountant.ledger();
        let hosts = ledger.streams.len();
        let account = self.lock();
        let name = format!("{} ({hosts} senders)", self.shown);
        vec![SourceState {
            lines: account.lines,
            failures: account.failures,
            silent_for: account.last.elapsed(),
            ..SourceState::new(name, Reading::Following)
        }]
    }

    fn missed(&self) -> u64 {
        let totals = self.accountant.ledger().totals;
        totals.lost().saturating_add(totals.kernel_drops)
    }

    fn notice(&self) -> Option<String> {
        let totals = self.accountant.ledger().totals;
        losses(totals.lost().saturating_add(totals.kernel_drops), totals.all_refused())
    }
}

/// What is known to be missing, in datagrams. Those that were refused may be anybody's, and are no
/// lines of ours.
fn losses(missing: u64, refused: u64) -> Option<String> {
    let of = |count: u64, what: &str| {
        let noun = if count == 1 { "datagram was" } else { "datagrams were" };
        (count > 0).then(|| format!("{count} {noun} {what}"))
    };
    let said = [of(missing, "lost on the way"), of(refused, "refused: damaged, or not ours")];
    let said: Vec<String> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_counted_in_datagrams_and_apart_from_what_was_refused() {
        assert_eq!(losses(0, 0), None);
        assert_eq!(losses(1, 0).as_deref(), Some("1 datagram was lost on the way"));
        assert_eq!(losses(0, 7).as_deref(), Some("7 datagrams were refused: damaged, or not ours"));
        assert!(losses(2, 3).is_some_and(|both| both.contains("2 ") && both.contains("; 3 ")));
    }
}
