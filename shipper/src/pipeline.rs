//! Between the monitor and the transport: batches are encoded on a thread of their own, sent, and
//! reported back when they are confirmed.

use std::sync::mpsc::{Receiver, RecvTimeoutError};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use omphalos_common::event::clean_name;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Health;
use omphalos_transport::amqp::Sender;
use omphalos_transport::batch::Batch;
use omphalos_transport::local::LocalSender;
use omphalos_transport::udp::{self, UdpSenderMetrics};
use omphalos_transport::wire;
use omphalos_transport::{About, Message, Receipt};
use tokio::sync::mpsc;
use tracing::error;

use crate::batch::ClosedBatch;
use crate::config::Encoding;
use crate::metrics::ShipperMetrics;
use crate::monitor::{Bodies, End, Inbox, TailId};
use crate::now_seconds;

/// A batch as messages.
#[derive(Debug)]
pub struct Encoded {
    messages: Vec<Message>,
    owners: Vec<(TailId, u64)>,
    documents: usize,
    dataset: String,
}

/// What a batch becomes.
pub enum Outlet {
    /// Messages for the broker, or for the indexer in this process.
    Messages(Encoding),
    /// Datagrams, which the encoder sends itself: there is nothing to wait for.
    Datagrams(Box<Datagrams>),
    /// Nothing.
    Nothing,
}

/// What datagrams need.
pub struct Datagrams {
    /// How they are sent.
    pub options: udp::SenderOptions,
    /// What is counted.
    pub metrics: UdpSenderMetrics,
    /// Where it is said that nobody listens.
    pub health: Health,
    /// Set when what could not be sent by then is not.
    pub give_up: Shutdown,
}

/// The encoder; [`Encoder::run`] is its thread.
pub struct Encoder {
    /// Batches from the monitor.
    pub batches: Receiver<ClosedBatch>,
    /// Where messages go.
    pub encoded: mpsc::Sender<Encoded>,
    /// Where buffers go back to.
    pub bodies: Bodies,
    /// Whom to tell that there is room.
    pub inbox: Inbox,
    /// What a batch becomes.
    pub outlet: Outlet,
    /// zstd level.
    pub level: i32,
    /// The host, as it is and cleaned for routing keys.
    pub host: (String, String),
}

impl Encoder {
    /// Encodes until there are no more batches.
    ///
    /// # Errors
    /// When the compressor cannot be had.
    pub fn run(mut self) -> std::io::Result<()> {
        match std::mem::replace(&mut self.outlet, Outlet::Nothing) {
            Outlet::Messages(encoding) => self.encode(Some(encoding)),
            Outlet::Datagrams(datagrams) => self.send_datagrams(*datagrams),
            Outlet::Nothing => self.encode(None),
        }
    }

    /// Makes messages, or none, of each batch.
    fn encode(self, encoding: Option<Encoding>) -> std::io::Result<()> {
        let mut batches = BatchMessages::new(&self.host.0, self.level)?;
        while let Ok(closed) = self.batches.recv() {
            self.inbox.put(|news| news.room = true);
            let ClosedBatch { batch, owners, .. } = closed;
            let dataset = batch.dataset().to_owned();
            let documents = batch.documents();
            let messages = match encoding {
                Some(Encoding::Batch) => {
                    vec![batches.message(&batch)?]
                }
                Some(Encoding::Json) => self.json_messages(&dataset, &batch.body),
                None => Vec::new(),
            };
            self.bodies.give_back(batch.body);
            if self.encoded.blocking_send(Encoded { messages, owners, documents, dataset }).is_err()
            {
                break;
            }
        }
        Ok(())
    }

    /// Sends each batch as datagrams; what the kernel has taken counts as delivered.
    fn send_datagrams(self, datagrams: Datagrams) -> std::io::Result<()> {
        let Datagrams { options, metrics, health, give_up } = datagrams;
        let mut sender = udp::Sender::open(options, &metrics, health)?;
        loop {
            let closed = match self.batches.recv_timeout(sender.pause()) {
                Ok(closed) => closed,
                Err(RecvTimeoutError::Timeout) => {
                    sender.pulse();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.inbox.put(|news| news.room = true);
            let ClosedBatch { batch, owners, .. } = closed;
            if !sender.send(&batch, now_seconds(), &give_up)? {
                break;
            }
            let (documents, dataset) = (batch.documents(), batch.dataset().to_owned());
            self.bodies.give_back(batch.body);
            let encoded = Encoded { messages: Vec::new(), owners, documents, dataset };
            if self.encoded.blocking_send(encoded).is_err() {
                break;
            }
        }
        // The monitor need not wait for receivers that ask for something again.
        drop(self.encoded);
        sender.finish(&give_up);
        Ok(())
    }

    fn json_messages(&self, dataset: &str, body: &[u8]) -> Vec<Message> {
        let body = Bytes::copy_from_slice(body);
        let about = routed((dataset, &self.host.1), wire::CONTENT_TYPE_JSON);
        let mut start = 0;
        memchr::memchr_iter(b'\n', &body)
            .map(|end| {
                let document = body.slice(start..end);
                start = end + 1;
                Message { body: document, about: about.clone() }
            })
            .collect()
    }
}

/// Makes the messages of batches, one a batch.
pub struct BatchMessages {
    encoder: wire::Encoder,
    /// Cleaned for routing keys.
    host: String,
}

impl BatchMessages {
    /// For batches of the host that is called `host`, at zstd level `level`.
    ///
    /// # Errors
    /// When zstd refuses the level.
    pub fn new(host: &str, level: i32) -> std::io::Result<Self> {
        Ok(Self { encoder: wire::Encoder::new(host, level)?, host: clean_name(host) })
    }

    /// The message of `batch`, made now.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn message(&mut self, batch: &Batch) -> std::io::Result<Message> {
        let body = self.encoder.encode(batch, now_seconds())?;
        let about = routed((batch.dataset(), &self.host), wire::CONTENT_TYPE_BATCH);
        Ok(Message { body, about: about.encoded(wire::CONTENT_ENCODING_ZSTD) })
    }
}

fn routed((dataset, host): (&str, &str), content_type: &'static str) -> About {
    About::new(format!("{dataset}.{host}"), content_type).made("omphalos-shipper", now_seconds())
}

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Transport {
    /// To RabbitMQ.
    Amqp(Sender),
    /// To the indexer in this process.
    Local(LocalSender),
    /// Nowhere, or sent already: delivered at once.
    Null,
}

/// Sends what the encoder makes and reports confirms to the monitor, until there is no more and
/// everything is confirmed, or until `give_up`.
pub async fn deliver(
    mut encoded: mpsc::Receiver<Encoded>,
    transport: Transport,
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
            next = encoded.recv(), if open => match next {
                Some(batch) => {
                    let sending = send(&transport, batch);
                    tokio::pin!(sending);
                    // The window may be full for long: confirms go on being reported meanwhile.
                    loop {
                        tokio::select! {
                            biased;
                            () = give_up.cancelled() => break,
                            Some(delivered) = receipts.next(), if !receipts.is_empty() => {
                                report(&inbox, &metrics, delivered);
                            }
                            sent = &mut sending => {
                                receipts.push(settled(sent));
                                break;
                            }
                        }
                    }
                }
                None => open = false,
            },
        }
    }
    inbox.put(|news| news.end = End::Finished);
}

struct Sent {
    receipts: Vec<Receipt>,
    owners: Vec<(TailId, u64)>,
    documents: usize,
    dataset: String,
}

async fn send(transport: &Transport, batch: Encoded) -> Sent {
    let Encoded { messages, owners, documents, dataset } = batch;
    let mut receipts = Vec::new();
    for message in messages {
        match transport {
            Transport::Amqp(sender) => receipts.push(sender.send(message).await),
            Transport::Local(sender) => receipts.push(sender.send(message).await),
            Transport::Null => {}
        }
    }
    Sent { receipts, owners, documents, dataset }
}

/// The batch when all of its messages are confirmed; `None` when one is not, and never will be.
async fn settled(sent: Sent) -> Option<Sent> {
    let Sent { receipts, owners, documents, dataset } = sent;
    let all = join_all(receipts).await.into_iter().all(|confirmed| confirmed);
    all.then_some(Sent { receipts: Vec::new(), owners, documents, dataset })
}

fn report(inbox: &Inbox, metrics: &ShipperMetrics, delivered: Option<Sent>) {
    let Some(Sent { owners, documents, dataset, .. }) = delivered else {
        error!("a batch was given up before it was confirmed; it is read again at the next start");
        return;
    };
    metrics.confirmed(&dataset, documents);
    inbox.put(|news| news.confirmed.extend(owners));
}
