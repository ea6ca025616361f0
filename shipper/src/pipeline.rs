//! Between the monitor and the road: a thread sends batches, and a task reports them back when they
//! are delivered.

use std::sync::mpsc::{Receiver, RecvTimeoutError};

use futures_util::stream::{FuturesUnordered, StreamExt};
use omphalos_common::shutdown::Shutdown;
use omphalos_transport::Receipt;
use omphalos_transport::road::Road;
use tokio::sync::mpsc;
use tracing::error;

use crate::batch::ClosedBatch;
use crate::metrics::ShipperMetrics;
use crate::monitor::{Bodies, End, Inbox, TailId};

/// What is said of a batch that is on its way.
#[derive(Debug)]
struct Chunks {
    owners: Vec<(TailId, u64)>,
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
    /// Where they go.
    pub road: Box<dyn Road>,
    /// Who waits for receipts.
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

/// Reports to the monitor what is delivered, until nothing more is sent and everything is delivered,
/// or until `give_up`.
pub async fn report_deliveries(
    mut sent: mpsc::Receiver<Sent>,
    inbox: Inbox,
    metrics: ShipperMetrics,
    give_up: Shutdown,
) {
    let mut receipts = FuturesUnordered::new();
    let mut open = true;
    while open || !receipts.is_empty() {
        tokio::select! {
            biased;
            () = give_up.cancelled() => break,
            Some(delivered) = receipts.next(), if !receipts.is_empty() => {
                report(&inbox, &metrics, delivered);
            }
            next = sent.recv(), if open => match next {
                Some(Sent { receipt, chunks }) => {
                    receipts.push(async move { receipt.await.then_some(chunks) });
                }
                None => open = false,
            },
        }
    }
    inbox.put(|news| news.end = End::Finished);
}

fn report(inbox: &Inbox, metrics: &ShipperMetrics, delivered: Option<Chunks>) {
    let Some(Chunks { owners, documents, dataset }) = delivered else {
        error!("a batch was given up before it was confirmed; it is read again at the next start");
        return;
    };
    metrics.confirmed(&dataset, documents);
    inbox.put(|news| news.confirmed.extend(owners));
}
