//! The indexer's end of any road: it yields deliveries, and each is consumed by an answer. A
//! delivery that is never answered comes again, or its sender learns that nothing is known of it.

use futures_util::future::{BoxFuture, select_all};

use crate::message::{Message, Origin};
use crate::wire::Parcel;

/// What came along a road, and waits for an answer.
pub struct Delivery {
    /// The message or the documents that came.
    pub load: Load,
    /// Whether somebody vouches for who sent the message. Of documents that a road read itself, their
    /// parcel says it.
    pub origin: Origin,
    /// Whether the road says that it may have come before.
    pub is_repeat: bool,
    /// The answer that it waits for.
    pub answer: Box<dyn Answer>,
}

/// What a delivery carries.
#[derive(Debug)]
pub enum Load {
    /// A message, from whomever; nobody has looked into it.
    Message(Message),
    /// Documents, read by a road that knows how.
    Documents(Parcel),
}

/// The answer to a delivery. Not giving it means: deliver again.
pub trait Answer: Send + std::fmt::Debug {
    /// The delivery is dealt with.
    fn acknowledge(self: Box<Self>) -> BoxFuture<'static, ()>;

    /// Whether the delivery comes again without our doing, so that nobody need work on it.
    fn is_stale(&self) -> bool {
        false
    }

    /// Whether the delivery is taken away from us when the answer takes too long.
    fn is_timed(&self) -> bool {
        false
    }
}

/// The indexer's end of a road.
pub trait Intake: Send {
    /// The next delivery; `None` when the road has ended, which it should not. Nothing is lost when
    /// this is dropped before it is ready.
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>>;

    /// Sets how many messages may be unanswered, and goes on where it was paused.
    fn resume(&self, _prefetch: u16) {}

    /// Hands everything back that is not answered, for the sake of whoever else could take it; what
    /// is still in here becomes stale.
    fn pause(&self) {}

    /// Takes nothing more, for good. What was taken can still be answered.
    fn stop(&mut self);

    /// Whether nothing is left of what this process itself keeps.
    fn is_quiet(&self) -> bool {
        true
    }

    /// Whether nothing is left at the far end either, at one moment while this is waited for.
    fn is_drained(&self) -> BoxFuture<'static, bool> {
        Box::pin(std::future::ready(true))
    }
}

/// Several intakes as one.
pub struct Intakes(pub Vec<Box<dyn Intake>>);

impl Intake for Intakes {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        if self.0.is_empty() {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move {
            let next = self.0.iter_mut().map(|intake| intake.next());
            let (delivery, taken, waiting) = select_all(next).await;
            drop(waiting);
            // The others have their turn first next time.
            let roads = self.0.len();
            self.0.rotate_left((taken + 1) % roads);
            delivery
        })
    }

    fn resume(&self, prefetch: u16) {
        self.0.iter().for_each(|intake| intake.resume(prefetch));
    }

    fn pause(&self) {
        self.0.iter().for_each(|intake| intake.pause());
    }

    fn stop(&mut self) {
        self.0.iter_mut().for_each(|intake| intake.stop());
    }

    fn is_quiet(&self) -> bool {
        self.0.iter().all(|intake| intake.is_quiet())
    }

    fn is_drained(&self) -> BoxFuture<'static, bool> {
        let drained: Vec<_> = self.0.iter().map(|intake| intake.is_drained()).collect();
        Box::pin(async move {
            for drained in drained {
                if !drained.await {
                    return false;
                }
            }
            true
        })
    }
}
