//! The embedded store, in this process, over its HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Hosts, Limits, serve};
use omphalos_store::{Store, StoreOptions, router};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How long a stop may take.
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// A store that serves until it is dropped.
pub struct Embedded {
    address: SocketAddr,
    shutdown: Shutdown,
    runtime: Option<Runtime>,
    /// What goes with it.
    directory: Option<TempDir>,
}

impl Embedded {
    /// With a directory of its own, which goes with it.
    pub fn start() -> Self {
        let directory = TempDir::with_prefix("omphalos-store-").expect("a directory");
        let mut store = Self::open(directory.path());
        store.directory = Some(directory);
        store
    }

    /// With what is in a directory.
    pub fn open(directory: &Path) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let options =
            StoreOptions { directory: directory.to_owned(), max_age: None, max_bytes: None };
        let store = Store::open(options).expect("a store");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        runtime.spawn(async move {
            let bounds = (Limits::STORE, Hosts::default().keeping_state());
            serve(listener, router(store), bounds, stop).await;
        });
        Self { address, shutdown, runtime: Some(runtime), directory: None }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shutdown.cancel();
        // Drops what is still being answered, so that the directory can be opened again.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(LONGEST_STOP);
        }
    }
}
