//! Which documents of which delivery have no final verdict yet. A delivery is acknowledged when
//! all of its documents have one, and not before.

use std::collections::HashMap;
use std::time::Instant;

use super::Unsettled;
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
        debug_assert!(documents > 0, "a delivery of nothing would never be answered");
        self.documents += documents;
        self.pending.insert(number, Pending { answer, documents, since: Instant::now() });
    }

    /// So many documents of a delivery have a final verdict. Returns its answer when that was the
    /// last of them.
    ///
    /// # Errors
    /// [`Unsettled::Broken`] when the delivery is not waiting for so many: some other document's
    /// verdict would then be taken for granted.
    pub fn settle(
        &mut self,
        number: DeliveryId,
        documents: usize,
    ) -> Result<Option<Box<dyn Answer>>, Unsettled> {
        let waiting = self.pending.get(&number).map_or(0, |pending| pending.documents);
        let Some(left) = waiting.checked_sub(documents).filter(|_| waiting > 0) else {
            return Err(Unsettled::broken(format!(
                "{documents} documents of delivery {number} have a verdict, and only {waiting} were waiting for one"
            )));
        };
        self.documents -= documents;
        if left > 0 {
            if let Some(pending) = self.pending.get_mut(&number) {
                pending.documents = left;
            }
            return Ok(None);
        }
        Ok(self.pending.remove(&number).map(|pending| pending.answer))
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

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;

    #[derive(Debug)]
    struct NoAnswer;

    impl Answer for NoAnswer {
        fn acknowledge(self: Box<Self>) -> BoxFuture<'static, ()> {
            Box::pin(async {})
        }
    }

    #[test]
    fn a_delivery_is_answered_with_its_last_document_and_only_then() {
        let mut ledger = Ledger::default();
        let number = ledger.number();
        ledger.open(number, Box::new(NoAnswer), 3);
        assert!(ledger.settle(number, 2).unwrap().is_none());
        assert!(ledger.settle(number, 1).unwrap().is_some());
        assert_eq!((ledger.deliveries(), ledger.abandon()), (0, 0));
    }

    #[test]
    fn verdicts_that_nobody_waits_for_are_no_answer() {
        let mut ledger = Ledger::default();
        let number = ledger.number();
        ledger.open(number, Box::new(NoAnswer), 2);
        let error = ledger.settle(number, 3).unwrap_err().to_string();
        assert!(error.starts_with("3 documents of delivery 1"), "{error}");
        assert!(ledger.settle(number + 1, 1).is_err(), "a delivery that is not there");
        assert_eq!(ledger.abandon(), 2, "nothing was taken off");
    }
}
