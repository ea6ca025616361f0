//! Listeners that stay open while a process takes new settings: whoever connects meanwhile waits with the system,
//! and is not refused.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;

/// The listeners of a process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<Open>>>);

#[derive(Debug)]
struct Open {
    /// As it was asked for; the port may be 0.
    address: SocketAddr,
    listener: Arc<TcpListener>,
    is_used: bool,
}

impl Kept {
    /// Listens at an address, by the listener that was there in the round before, if there was one.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn listen(&self, address: SocketAddr) -> std::io::Result<Arc<TcpListener>> {
        let is_it = |open: &&mut Open| open.address == address && !open.is_used;
        if let Some(open) = self.open().iter_mut().find(is_it) {
            open.is_used = true;
            return Ok(Arc::clone(&open.listener));
        }
        let listener = Arc::new(TcpListener::bind(address).await?);
        self.open().push(Open { address, listener: Arc::clone(&listener), is_used: true });
        Ok(listener)
    }

    /// A round begins, which has not asked for any yet.
    pub fn begin_round(&self) {
        self.open().iter_mut().for_each(|open| open.is_used = false);
    }

    /// Closes those that the present round, which has begun, did not ask for.
    pub fn drop_unused(&self) {
        self.open().retain(|open| open.is_used);
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_stays_as_long_as_it_is_asked_for() {
        let kept = Kept::default();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let address = |listener: &TcpListener| listener.local_addr().unwrap();
        let first = address(&kept.listen(any).await.unwrap());
        let second = address(&kept.listen(any).await.unwrap());
        assert_ne!(first, second, "each who asks gets one");
        kept.begin_round();
        assert_eq!(address(&kept.listen(any).await.unwrap()), first);
        kept.drop_unused();
        drop(TcpListener::bind(second).await.expect("it is free"));
        TcpListener::bind(first).await.expect_err("it is kept");
    }
}
