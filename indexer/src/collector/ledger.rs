//! Which documents of which delivery have no final verdict yet. A delivery is acknowledged when
//! all of its documents have one, and not before.

use std::collections::HashMap;
use std::time::Instant;

use super::bulk::DeliveryId;
use omphalos_transport::intake::Answer;

/// The deliveries that are not answered.
#[derive(Debug, Default)]
pub struct Ledger {
    pending: HashMap<DeliveryId, Pending>,
    next: DeliveryId,
    documents: usize,
}

#[derive(Debug)]
struct Pending {
    answer: Box<dyn Answer>,
    documents: usize,
    since: Instant,
}

impl Ledger {
    /// A number for the next delivery.
    pub fn number(&mut self) -> DeliveryId {
        self.next += 1;
        self.next
    }

    /// Notes a delivery of so many documents, which must not be none.
    pub fn open(&mut self, number: DeliveryId, answer: Box<dyn Answer>, documents: usize) {
        self.documents += documents;
        self.pending.insert(number, Pending { answer, documents, since: Instant::now() });
    }

    /// So many documents of a delivery have a final verdict. Returns its answer when that was the
    /// last of them.
    pub fn settle(&mut self, number: DeliveryId, documents: usize) -> Option<Box<dyn Answer>> {
        let pending = self.pending.get_mut(&number)?;
        pending.documents = pending.documents.saturating_sub(documents);
        self.documents = self.documents.saturating_sub(documents);
        if pending.documents > 0 {
            return None;
        }
        self.pending.remove(&number).map(|pending| pending.answer)
    }

    /// Forgets all deliveries, because they go back to the broker; returns how many documents
    /// they had left.
    pub fn abandon(&mut self) -> usize {
        self.pending.clear();
        std::mem::take(&mut self.documents)
    }

    /// How many deliveries are not answered.
    pub fn deliveries(&self) -> usize {
        self.pending.len()
    }

    /// Since when the oldest delivery has been waiting that the broker takes away one day.
    pub fn oldest(&self) -> Option<Instant> {
        let timed = self.pending.values().filter(|pending| pending.answer.is_timed());
        timed.map(|pending| pending.since).min()
    }
}
