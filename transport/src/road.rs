//! The shipper's end of any road: a batch goes in, and a receipt comes back that says when the
//! road's promise is kept. What is promised, each road says itself.
//!
//! A road is planned from checked settings, so that what cannot be used is refused before anything
//! is opened, and then opened once; it works on the thread that calls it.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Telemetry;
use tokio::runtime::Handle;

use crate::batch::Batch;
use crate::receipt::Receipt;

/// A road that could be taken.
pub trait Plan: Send + Sync {
    /// Where it leads, for people.
    fn shown(&self) -> String;

    /// Tries what can be tried without sending anything: what is well, and what is not.
    fn check(&self) -> BoxFuture<'_, Vec<Result<String, String>>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Opens it; a far end that is away is not waited for.
    ///
    /// # Errors
    /// When this machine does not give what it needs.
    fn open(self: Box<Self>, site: &Site) -> io::Result<Open>;
}

/// From where a road begins.
#[derive(Debug, Clone)]
pub struct Site {
    /// The name of this host.
    pub host: String,
    /// Where a road counts, and says how it is.
    pub telemetry: Telemetry,
    /// Cancelled when what is not on its way by then is not sent any more.
    pub give_up: Shutdown,
    /// The runtime of a road that needs one; its thread is none of that runtime's.
    pub runtime: Handle,
}

/// A road that is open.
pub struct Open {
    /// The road, which takes batches.
    pub road: Box<dyn Road>,
    /// Called when the road is dropped and everything that will be answered is: `true` says that
    /// all of it was delivered.
    pub close: Box<dyn FnOnce(bool) -> BoxFuture<'static, ()> + Send>,
    /// Where it carries heartbeats, if it does.
    pub heartbeats: Option<TakeHeartbeat>,
}

/// Takes a heartbeat, a JSON document, if it can go at once; otherwise it is dropped. It has to be gone
/// before the road is closed.
pub type TakeHeartbeat = Box<dyn FnMut(Vec<u8>) + Send>;

impl Open {
    /// A road that leaves nothing behind.
    pub fn new(road: impl Road + 'static) -> Self {
        Self {
            road: Box::new(road),
            close: Box::new(|_| Box::pin(std::future::ready(()))),
            heartbeats: None,
        }
    }

    /// The same, with a way for heartbeats.
    #[must_use]
    pub fn with_heartbeats(self, take: impl FnMut(Vec<u8>) + Send + 'static) -> Self {
        Self { heartbeats: Some(Box::new(take)), ..self }
    }
}

/// The shipper's end of a road.
pub trait Road: Send {
    /// Sends a batch as soon as there is room for it; `None` when that was given up meanwhile.
    ///
    /// # Errors
    /// When it cannot be made into what the road carries.
    fn send(&mut self, batch: &Batch) -> io::Result<Option<Receipt>>;

    /// How long nothing need be done while no batch comes.
    fn pause(&self) -> Duration {
        Duration::MAX
    }

    /// Does what is due after that.
    fn pulse(&mut self) {}

    /// Does what is left to do after the last batch.
    fn finish(&mut self) {}
}

/// Nowhere: everything counts as delivered at once.
pub struct Nowhere;

impl Plan for Nowhere {
    fn shown(&self) -> String {
        "nowhere (transport null)".to_owned()
    }

    fn open(self: Box<Self>, _: &Site) -> io::Result<Open> {
        Ok(Open::new(*self))
    }
}

impl Road for Nowhere {
    fn send(&mut self, _: &Batch) -> io::Result<Option<Receipt>> {
        Ok(Some(Receipt::kept()))
    }
}
