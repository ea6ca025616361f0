//! The lines of a whole fleet: copies of what its shippers publish, as long as somebody watches.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use omphalos_common::clock::now_seconds;
use omphalos_common::config::ConfigError;
use omphalos_common::heartbeat;
use omphalos_common::telemetry::Health;
use omphalos_live::DocumentReader;
use omphalos_transport::Origin;
use omphalos_transport::amqp::{AmqpSettings, Broker, Sample, WatchedMessage, Watcher};
use omphalos_transport::wire::{Envelope, decode};

use super::Source;
use super::parcel::{count, show_heartbeats};
use crate::top::counter::Counter;
use crate::top::figures::{Reading, SourceState};

/// So many hosts are counted.
const MOST_HOSTS: usize = 100_000;

/// What is known of the fleet; shared with whoever shows it.
#[derive(Debug)]
pub struct Fleet {
    shown: String,
    health: Health,
    account: Mutex<Account>,
}

#[derive(Debug)]
struct Account {
    lines: u64,
    failures: u64,
    /// Messages that were dropped before they came here, or never copied.
    missed: u64,
    last: Instant,
    hosts: HashSet<Box<str>>,
}

impl Fleet {
    /// The fleet whose broker `settings` name.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(settings: &AmqpSettings) -> Result<Self, ConfigError> {
        let account = Account {
            lines: 0,
            failures: 0,
            missed: 0,
            last: Instant::now(),
            hosts: HashSet::new(),
        };
        let shown = settings.shown()?;
        Ok(Self { shown, health: Health::default(), account: Mutex::new(account) })
    }

    /// Watches until the program ends.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub async fn watch(
        self: Arc<Self>,
        settings: AmqpSettings,
        sample: Sample,
        counter: Arc<Counter>,
    ) -> anyhow::Result<bool> {
        let broker = Arc::new(Broker::new(&settings, "omphalos top")?);
        let mut watcher = Watcher::start(broker, &settings, sample, self.health.clone());
        let mut reader = DocumentReader::default();
        while let Some(watched) = watcher.next().await {
            self.take(&watched, &mut reader, &counter);
        }
        Ok(true)
    }

    fn take(&self, watched: &WatchedMessage, reader: &mut DocumentReader, counter: &Counter) {
        let WatchedMessage { message, missed } = watched;
        let about = &message.about;
        let envelope = Envelope {
            content_type: about.content_type.as_deref(),
            content_encoding: about.content_encoding.as_deref(),
            message_id: about.id.as_deref(),
            timestamp: about.made_at,
            default_dataset: "logs",
            nonce: 0,
            origin: Origin::Own,
            now: now_seconds(),
        };
        let parcel = decode(&envelope, &message.body).unwrap_or_default();
        if heartbeat::is_routed_so(&about.routing_key) {
            show_heartbeats(&parcel, reader, counter);
            return;
        }
        let failures = count(&parcel, reader, counter);
        let host = about.routing_key.rsplit('.').nth(1).unwrap_or_default();
        let mut account = self.lock();
        account.lines += parcel.documents.len() as u64;
        account.failures += failures;
        account.missed += missed;
        account.last = Instant::now();
        if account.hosts.len() < MOST_HOSTS && !account.hosts.contains(host) {
            account.hosts.insert(host.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Fleet {
    fn states(&self) -> Vec<SourceState> {
        let problem = self.health.problems().into_iter().next();
        let account = self.lock();
        let hosts = account.hosts.len();
        let name = format!("{} ({hosts} hosts)", self.shown);
        let state = problem.map_or(Reading::Following, Reading::Failed);
        vec![SourceState {
            lines: account.lines,
            failures: account.failures,
            silent_for: account.last.elapsed(),
            ..SourceState::new(name, state)
        }]
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn missed(&self) -> u64 {
        self.lock().missed
    }

    fn notice(&self) -> Option<String> {
        match self.lock().missed {
            0 => None,
            missed => Some(format!("{missed} messages were dropped, or never copied")),
        }
    }
}
