//! The way from a command that has documents to Elasticsearch or the store: an indexer in this
//! process, behind the same channel as in `omphalos run`. What is refused for good becomes a dead
//! letter in the file of the state directory, as there.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::{ConfigError, Period};
use omphalos_common::rounds::Round;
use omphalos_common::shutdown::Shutdown;
use omphalos_indexer::collector::{DEAD_FILE_NAME, DeadFile};
use omphalos_indexer::config as indexer;
use omphalos_indexer::metrics::{IndexerMetrics, Sums};
use omphalos_transport::local::{LocalSender, local};
use omphalos_transport::{Message, Receipt, Window};
use tokio::task::JoinHandle;

/// What may be under way at once.
pub const WINDOW: Window = Window { messages: 2048, bytes: 8 * 1024 * 1024 };

/// An indexer that works until it is closed.
pub struct LocalRoad {
    sender: LocalSender,
    metrics: IndexerMetrics,
    stop: Shutdown,
    indexing: JoinHandle<anyhow::Result<()>>,
}

impl LocalRoad {
    /// Starts an indexer that writes where `settings` say, and dead letters below `state_dir`.
    ///
    /// # Errors
    /// When dead letters could not be kept there.
    pub fn start(mut settings: indexer::Settings, state_dir: &Path) -> Result<Self, ConfigError> {
        state_dir.clone_into(&mut settings.state_dir);
        let path = state_dir.join(DEAD_FILE_NAME);
        DeadFile::new(&path, 0).try_out().map_err(|error| {
            ConfigError::invalid(format!(
                "what Elasticsearch refuses is kept in {}, which cannot be written: {error}; do this as the user whose file it is, or name the state directory of the process that ships: --state-dir",
                path.display()
            ))
        })?;
        // It takes from nobody but us.
        settings.receive.clear();
        settings.heartbeat_interval = Period(Duration::ZERO);
        let (sender, receiver) = local(WINDOW);
        let metrics = IndexerMetrics::default();
        let surroundings = omphalos_indexer::Surroundings {
            round: Round::default(),
            metrics: metrics.clone(),
            local: Some(receiver),
            host: None,
        };
        let stop = Shutdown::new();
        let stopped = stop.clone();
        let indexing = tokio::spawn(async move {
            omphalos_indexer::run_in(surroundings, settings, false, stopped).await
        });
        Ok(Self { sender, metrics, stop, indexing })
    }

    /// Sends a message, when the window has room for it. The receipt is true when each of its documents
    /// is indexed, was there already, or is a dead letter.
    pub async fn send(&self, message: Message) -> Receipt {
        self.sender.send(message).await
    }

    /// Ends the indexer; returns what became of the documents.
    ///
    /// # Errors
    /// When it failed.
    pub async fn close(self) -> anyhow::Result<Sums> {
        self.stop.cancel();
        self.indexing.await.context("the indexer is gone")??;
        Ok(self.metrics.totals())
    }
}
