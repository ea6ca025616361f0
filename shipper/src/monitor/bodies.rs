//! The buffers that documents are written into.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers that go round between the monitor and the encoder, so that they are allocated once.
#[derive(Clone, Debug, Default)]
pub struct Bodies(Arc<Mutex<Vec<Vec<u8>>>>);

impl Bodies {
    /// More than are ever under way at once would only lie about.
    const MOST: usize = 4;

    /// A buffer to fill, empty or not.
    pub fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub fn give_back(&self, body: Vec<u8>) {
        let mut bodies = self.lock();
        if bodies.len() < Self::MOST {
            bodies.push(body);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
