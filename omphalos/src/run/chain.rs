//! The parts of one process, joined and stopped in the order of the data: what reads files first, the
//! indexer when all that was read has its answer, the store last.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::{ConfigError, Period};
use omphalos_common::rounds::Round;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Hosts, Limits, serve};
use omphalos_indexer::config as indexer;
use omphalos_indexer::metrics::IndexerMetrics;
use omphalos_shipper::config as shipper;
use omphalos_shipper::metrics::ShipperMetrics;
use omphalos_shipper::monitor::{Other, StateDir};
use omphalos_store::{Store, StoreError, StoreOptions, router};
use omphalos_transport::local::local;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::page::{Audited, Tap};
use crate::store_owner::check_owner;

/// How long the last requests to the store may take.
const LONGEST_CLOSE: Duration = Duration::from_secs(3);

/// The parts that run in this process.
pub struct Chain {
    /// What reads files.
    pub shipper: Option<shipper::Settings>,
    /// What writes to the store, or to Elasticsearch.
    pub indexer: Option<indexer::Settings>,
    /// Who else reads the same files.
    pub others: Vec<Other>,
    /// The state directory of what reads files, where it is locked already.
    pub state: Option<StateDir>,
    /// Whether documents go from one to the other without a broker.
    pub is_local: bool,
    /// Whether to end when everything that is there now is indexed.
    pub once: bool,
}

/// Where a chain says how it is, and counts.
#[derive(Clone, Default)]
pub struct Watch {
    /// The stretch of work of the whole process.
    pub round: Round,
    /// What the shipper counts.
    pub shipper: ShipperMetrics,
    /// What the indexer counts.
    pub indexer: IndexerMetrics,
    /// Who looks at the lines that are read.
    pub tap: Option<Arc<Tap>>,
}

impl Chain {
    /// Whether all lines that are stored are read in this process.
    pub fn reads_all(&self) -> bool {
        let receives = self.indexer.as_ref().is_some_and(|indexer| !indexer.receive.is_empty());
        self.is_local && !receives
    }

    /// How the files can be audited: where it both reads them and stores their lines.
    pub fn audited(&self) -> Option<Audited> {
        let (shipper, indexer) = self.shipper.clone().zip(self.indexer.clone())?;
        indexer.elasticsearch.url.is_some().then_some(Audited { shipper, indexer })
    }

    /// Works until told to stop, or until a part fails, and then stops the others.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that cannot be used; anything else when a part failed.
    pub async fn run(self, watch: Watch, shutdown: Shutdown) -> anyhow::Result<()> {
        let (mut to_indexer, mut from_shipper) = (None, None);
        if let Some(settings) = &self.shipper
            && self.is_local
        {
            let (sender, receiver) = local(settings.batch.window());
            (to_indexer, from_shipper) = (Some(sender), Some(receiver));
        }
        let stop_shipper = shutdown.child_token();
        let stop_indexer = Shutdown::new();
        let once = self.once;
        let has_indexer = self.indexer.is_some();
        let indexing = self.indexer.map(|mut settings| {
            if once {
                settings.heartbeat_interval = Period(Duration::ZERO);
            }
            let surroundings = omphalos_indexer::Surroundings {
                // It has begun when the shipper has, where there is one.
                round: watch.round.of_part("indexer", self.shipper.is_none()),
                metrics: watch.indexer.clone(),
                local: from_shipper,
                host: self.shipper.as_ref().and_then(|settings| settings.host_name.clone()),
            };
            let (stop, ended) = (stop_indexer.clone(), stop_shipper.clone().drop_guard());
            tokio::spawn(async move {
                let result = omphalos_indexer::run_in(surroundings, settings, false, stop).await;
                // Without an indexer there is nothing to ship for.
                drop(ended);
                result
            })
        });
        let shipped = if let Some(settings) = self.shipper {
            let surroundings = omphalos_shipper::Surroundings {
                round: watch.round.of_part("shipper", true),
                metrics: watch.shipper.clone(),
                others: self.others,
                state: self.state,
                local: to_indexer,
                documents: watch.tap.as_ref().map(Tap::documents).unwrap_or_default(),
            };
            omphalos_shipper::run_in(surroundings, settings, self.once, stop_shipper).await
        } else {
            if !has_indexer {
                // The store alone.
                watch.round.begin();
            }
            stop_shipper.cancelled().await;
            Ok(())
        };
        stop_indexer.cancel();
        let indexed = match indexing {
            Some(task) => task.await.context("the indexer is gone")?,
            None => Ok(()),
        };
        // Where the indexer failed, that is why the shipper could not go on.
        indexed.and(shipped)
    }
}

/// How often is looked whether a store is free.
const GLANCE: Duration = Duration::from_millis(100);

/// The embedded store, open and serving.
pub struct Embedded {
    address: SocketAddr,
    stop: Shutdown,
    serving: JoinHandle<()>,
}

impl Embedded {
    /// Opens the store and serves it at `listener`; it may be asked by `hosts` too.
    ///
    /// # Errors
    /// [`ConfigError`] when the directory cannot be used.
    pub async fn start(
        options: &StoreOptions,
        listener: TcpListener,
        hosts: &[String],
    ) -> anyhow::Result<Self> {
        Self::start_within(Duration::ZERO, options, listener, hosts).await
    }

    /// The same, where somebody else may have it open for so long.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_within(
        patience: Duration,
        options: &StoreOptions,
        listener: TcpListener,
        hosts: &[String],
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let until = Instant::now() + patience;
        let opened = loop {
            let options = options.clone();
            match tokio::task::spawn_blocking(|| Store::open(options)).await? {
                Err(StoreError::Locked(_)) if Instant::now() < until => sleep(GLANCE).await,
                opened => break opened,
            }
        };
        let store = opened.map_err(|error| ConfigError::invalid(error.to_string()))?;
        let stop = Shutdown::new();
        let bounds = (Limits::STORE, Hosts::new(hosts).keeping_state());
        let serving = tokio::spawn(serve(listener, router(store), bounds, stop.clone()));
        Ok(Self { address, stop, serving })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it, when all requests are answered.
    ///
    /// # Errors
    /// When what serves it panicked.
    pub async fn close(self) -> anyhow::Result<()> {
        self.stop.cancel();
        match tokio::time::timeout(LONGEST_CLOSE, self.serving).await {
            Ok(served) => served.context("the store's listener failed"),
            // Somebody keeps a connection open; what was answered is on disk.
            Err(_) => Ok(()),
        }
    }
}

/// Listens at `address` for the store in `directory`.
///
/// # Errors
/// When it is taken or not ours; the message says what to do.
pub async fn listen(address: SocketAddr, directory: &Path) -> Result<TcpListener, ConfigError> {
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let is_taken = error.kind() == ErrorKind::AddrInUse;
    Err(ConfigError::invalid(if is_taken && check_owner(address, directory).await.is_ok() {
        format!(
            "store.listen: another process has the store in {} open, and serves it at {address}: an import, or another omphalos run; start this one when that has ended",
            directory.display()
        )
    } else {
        format!(
            "store.listen: cannot listen on {address}: {error}; choose another address (--store-listen), or stop what uses it"
        )
    }))
}
