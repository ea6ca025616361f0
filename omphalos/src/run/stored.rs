//! The embedded store of a process. It stays open while the process takes other settings, unless they are those of
//! the store: searches go on meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use omphalos_store::StoreOptions;
use tokio::sync::Mutex;

use super::chain::{Embedded, listen};

/// The last request to a store that was closed may still hold it for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a store is opened with, where it listens, and by which names it may be asked.
pub type Wish = (StoreOptions, SocketAddr, Vec<String>);

/// The store that is open, if one is.
#[derive(Default)]
pub struct Stored(Mutex<Option<(Wish, Embedded)>>);

impl Stored {
    /// Opens a store, or leaves open the one that is as it should be; where it answers.
    ///
    /// # Errors
    /// When the directory or the address cannot be used, or the store that was open cannot be closed.
    pub async fn open(&self, wish: Wish) -> anyhow::Result<String> {
        let mut open = self.0.lock().await;
        let mut patience = Duration::ZERO;
        match open.take() {
            Some((was, embedded)) if was == wish => {
                let url = embedded.url();
                *open = Some((was, embedded));
                return Ok(url);
            }
            Some((_, embedded)) => {
                embedded.close().await?;
                patience = PATIENCE;
            }
            None => {}
        }
        let (options, address, hosts) = &wish;
        let listener = listen(*address, &options.directory).await?;
        let embedded = Embedded::start_within(patience, options, listener, hosts).await?;
        let url = embedded.url();
        *open = Some((wish, embedded));
        Ok(url)
    }

    /// Closes the one that is open.
    ///
    /// # Errors
    /// When what serves it panicked.
    pub async fn close(&self) -> anyhow::Result<()> {
        match self.0.lock().await.take() {
            Some((_, embedded)) => embedded.close().await,
            None => Ok(()),
        }
    }
}
