//! Between the monitor and the road: a thread sends batches, and a task reports them back when they
//! are delivered.

use std::sync::mpsc::{Receiver, RecvTimeoutError};

use futures_util::stream::{FuturesUnordered, StreamExt};
use omphalos_common::shutdown::Shutdown;
use omphalos_transport::Receipt;
use omphalos_transport::road::Road;
use tokio::sync::mpsc;
use tracing::warn;

use crate::metrics::ShipperMetrics;
use crate::monitor::{Bodies, ClosedBatch, End, Inbox, Owner};

/// What is said of a batch that is on its way.
#[derive(Debug)]
struct Chunks {
    owners: Vec<Owner>,
    documents: usize,
    dataset: String,
}

/// A batch that is on its way.
#[derive(Debug)]
pub struct Sent {
    receipt: Receipt,
    chunks: Chunks,
}

/// Sends batches; [`Dispatcher::run`] is its thread.
pub struct Dispatcher {
    /// Batches from the monitor.
    pub batches: Receiver<ClosedBatch>,
    /// The road that batches are sent along.
    pub road: Box<dyn Road>,
    /// To the task that waits for receipts.
    pub sent: mpsc::Sender<Sent>,
    /// Where buffers go back to.
    pub bodies: Bodies,
    /// Whom to tell that there is room.
    pub inbox: Inbox,
}

impl Dispatcher {
    /// Sends until there are no more batches.
    ///
    /// # Errors
    /// When a batch cannot be made into what the road carries.
    pub fn run(self) -> std::io::Result<()> {
        let Self { batches, mut road, sent, bodies, inbox } = self;
        loop {
            let closed = match batches.recv_timeout(road.pause()) {
                Ok(closed) => closed,
                Err(RecvTimeoutError::Timeout) => {
                    road.pulse();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            inbox.put(|news| news.room = true);
            let ClosedBatch { batch, owners, .. } = closed;
            let Some(receipt) = road.send(&batch)? else { break };
            let (documents, dataset) = (batch.documents(), batch.dataset().to_owned());
            bodies.give_back(batch.body);
            let chunks = Chunks { owners, documents, dataset };
            if sent.blocking_send(Sent { receipt, chunks }).is_err() {
                break;
            }
        }
        // The monitor need not wait for what the road does at its end.
        drop(sent);
        road.finish();
        Ok(())
    }
}

/// A batch that the road gave up while nobody had told it to.
#[derive(thiserror::Error, Debug)]
#[error(
    "a batch of {documents} documents of dataset {dataset} was given up before it was confirmed, expected a confirm; the shipper stops, and reads the batch again from the checkpoint when it is started again"
)]
pub struct GivenUp {
    documents: usize,
    dataset: String,
}

/// Reports to the monitor what is delivered, until nothing more is sent and everything is delivered,
/// or until `give_up`.
///
/// # Errors
/// When a batch will never be delivered although nobody had said `shutdown`. It would stay in flight
/// until the next start, so that is made necessary: all that is on its way is given up.
pub async fn report_deliveries(
    mut sent: mpsc::Receiver<Sent>,
    inbox: Inbox,
    metrics: ShipperMetrics,
    shutdown: Shutdown,
    give_up: Shutdown,
) -> Result<(), GivenUp> {
    let mut receipts = FuturesUnordered::new();
    let mut open = true;
    let mut result = Ok(());
    while open || !receipts.is_empty() {
        tokio::select! {
            biased;
            () = give_up.cancelled() => break,
            Some((is_delivered, chunks)) = receipts.next(), if !receipts.is_empty() => {
                if is_delivered {
                    report(&inbox, &metrics, chunks);
                } else if shutdown.is_cancelled() {
                    warn!("a batch was given up before it was confirmed; it is read again at the next start");
                } else {
                    let Chunks { documents, dataset, .. } = chunks;
                    result = Err(GivenUp { documents, dataset });
                    give_up.cancel();
                    break;
                }
            }
            next = sent.recv(), if open => match next {
                Some(Sent { receipt, chunks }) => {
                    receipts.push(async move { (receipt.await, chunks) });
                }
                None => open = false,
            },
        }
    }
    inbox.put(|news| news.end = End::Finished);
    result
}

fn report(inbox: &Inbox, metrics: &ShipperMetrics, delivered: Chunks) {
    let Chunks { owners, documents, dataset } = delivered;
    metrics.confirmed(&dataset, documents);
    inbox.put(|news| news.confirmed.extend(owners));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use omphalos_transport::intake::Intake;
    use omphalos_transport::local::{LocalReceiver, LocalSender, local};
    use omphalos_transport::{About, Message, Window};

    use super::*;
    use crate::monitor::TailId;

    async fn sent_by(road: &LocalSender, documents: usize) -> Sent {
        let message = Message { body: vec![0].into(), about: About::default() };
        let receipt = road.send(message).await;
        let owners = vec![Owner { tail: TailId::default(), chunk: 1 }];
        Sent { receipt, chunks: Chunks { owners, documents, dataset: "access".to_owned() } }
    }

    fn road() -> (LocalSender, LocalReceiver) {
        local(Window { messages: 9, bytes: 99 })
    }

    #[tokio::test]
    async fn a_batch_that_is_given_up_while_running_stops_the_shipper_and_is_named() {
        let (road, mut far_end) = road();
        let (sending, sent) = mpsc::channel(1);
        let (inbox, give_up) = (Inbox::default(), Shutdown::new());
        let reporting = tokio::spawn(report_deliveries(
            sent,
            inbox.clone(),
            ShipperMetrics::default(),
            Shutdown::new(),
            give_up.clone(),
        ));
        sending.send(sent_by(&road, 7).await).await.unwrap();
        drop(far_end.next().await);
        let reason = tokio::time::timeout(Duration::from_secs(30), reporting).await;
        let reason = reason.expect("it ends").unwrap().unwrap_err().to_string();
        assert!(
            reason.starts_with("a batch of 7 documents of dataset access was given up"),
            "{reason}"
        );
        assert!(give_up.is_cancelled(), "the road waits for nothing any more");
        let news = inbox.wait(Instant::now() + Duration::from_secs(30), Instant::now());
        assert_eq!((news.end, news.confirmed.len()), (End::Finished, 0));
    }

    #[tokio::test]
    async fn a_batch_that_is_given_up_while_stopping_is_no_failure() {
        let (road, mut far_end) = road();
        let (sending, sent) = mpsc::channel(2);
        let (inbox, shutdown) = (Inbox::default(), Shutdown::new());
        shutdown.cancel();
        for documents in [7, 8] {
            sending.send(sent_by(&road, documents).await).await.unwrap();
        }
        drop(sending);
        drop(far_end.next().await);
        if let Some(delivery) = far_end.next().await {
            delivery.answer.acknowledge().await;
        }
        let metrics = ShipperMetrics::default();
        let reporting = report_deliveries(sent, inbox.clone(), metrics, shutdown, Shutdown::new());
        tokio::time::timeout(Duration::from_secs(30), reporting).await.expect("it ends").unwrap();
        let news = inbox.wait(Instant::now() + Duration::from_secs(30), Instant::now());
        assert_eq!((news.end, news.confirmed.len()), (End::Finished, 1));
    }
}
