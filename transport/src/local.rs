//! Within one process: the messages that would go to a broker go straight to the indexer.
//!
//! Promises: a message counts as delivered when the indexer has acknowledged it, which it does when
//! each document has its final verdict; so the checkpoint moves only past what is indexed, and what a
//! dying process had in here is read again. The window bounds what is not acknowledged, in messages
//! and in bytes; a full one makes the sender wait. Nothing is kept on disk, and nothing is delivered
//! twice: what is not answered when the process stops is a receipt that says so.

use std::io;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tracing::debug;

use crate::batch::BatchSettings;
use crate::intake::{Answer, Delivery, Intake, Load};
use crate::messages::{BatchMessages, MessageRoad, SendMessage, heartbeat_messages};
use crate::road::{Open, Plan, Site};
use crate::{Message, Origin, Receipt, Window};

/// Both ends of a new transport.
pub fn local(window: Window) -> (LocalSender, LocalReceiver) {
    // More permits cannot be asked for at once, and no window needs them.
    let bytes = u32::try_from(window.bytes).unwrap_or(u32::MAX).max(1);
    let messages = window.messages.clamp(1, MOST_MESSAGES);
    let (queue, deliveries) = mpsc::channel(messages);
    let room = Room {
        messages: Arc::new(Semaphore::new(messages)),
        bytes: Arc::new(Semaphore::new(bytes as usize)),
        most: bytes,
    };
    (LocalSender { queue, room }, LocalReceiver { deliveries })
}

/// A bound on the bound: the channel keeps no room in advance, but its count has a limit.
const MOST_MESSAGES: usize = 1 << 20;

/// What the window has left.
#[derive(Debug, Clone)]
struct Room {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// All bytes of the window: a larger message takes them all, and so passes alone.
    most: u32,
}

/// The shipper's end; cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalSender {
    queue: mpsc::Sender<(Message, ToSender)>,
    room: Room,
}

impl LocalSender {
    /// Gives the message to the indexer as soon as the window has room for it.
    pub async fn send(&self, message: Message) -> Receipt {
        let (done, receipt) = Receipt::new();
        let bytes = u32::try_from(message.body.len()).unwrap_or(u32::MAX);
        let bytes = bytes.min(self.room.most);
        let messages = Arc::clone(&self.room.messages).acquire_owned().await;
        let bytes = Arc::clone(&self.room.bytes).acquire_many_owned(bytes).await;
        // Neither semaphore is ever closed.
        if let (Ok(messages), Ok(bytes)) = (messages, bytes) {
            let answer = ToSender { done, _room: (messages, bytes) };
            // Without a receiver the answer is dropped, which resolves the receipt to `false`.
            drop(self.queue.send((message, answer)).await);
        }
        receipt
    }
}

impl LocalSender {
    /// Gives the message to the indexer if the window has room for it now.
    pub fn offer(&self, message: Message) {
        let bytes = u32::try_from(message.body.len()).unwrap_or(u32::MAX);
        let bytes = bytes.min(self.room.most);
        let messages = Arc::clone(&self.room.messages).try_acquire_owned();
        let bytes = Arc::clone(&self.room.bytes).try_acquire_many_owned(bytes);
        if let (Ok(messages), Ok(bytes)) = (messages, bytes) {
            let (done, _) = Receipt::new();
            let answer = ToSender { done, _room: (messages, bytes) };
            drop(self.queue.try_send((message, answer)));
        }
    }
}

impl SendMessage for LocalSender {
    async fn send(&self, message: Message) -> Receipt {
        Self::send(self, message).await
    }
}

/// The road to the indexer in this process.
pub struct LocalPlan {
    /// The shipper's end of the channel.
    pub sender: LocalSender,
    /// How batches are encoded.
    pub batch: BatchSettings,
}

impl Plan for LocalPlan {
    fn shown(&self) -> String {
        "the indexer in this process".to_owned()
    }

    fn open(self: Box<Self>, site: &Site) -> io::Result<Open> {
        let level = self.batch.compression_level;
        let messages = BatchMessages::new(&site.host, self.batch.encoding, level)?;
        let offered = self.sender.clone();
        let id_prefix = format!("{}-{:016x}", site.host, rand::random::<u64>());
        let mut message_of = heartbeat_messages("omphalos-shipper", &site.host, &id_prefix);
        let road = Open::new(MessageRoad::new(messages, self.sender, site));
        Ok(road.with_heartbeats(move |document| offered.offer(message_of(document))))
    }
}

/// The answer that a message waits for. Not giving it means that nothing is known of the message.
#[derive(Debug)]
struct ToSender {
    done: oneshot::Sender<()>,
    /// Goes back to the window with the answer, given or not.
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Answer for ToSender {
    fn acknowledge(self: Box<Self>) -> BoxFuture<'static, ()> {
        if self.done.send(()).is_err() {
            debug!(
                "the shipper had given up a message that is indexed; it reads it again at the next start"
            );
        }
        Box::pin(std::future::ready(()))
    }
}

/// The indexer's end. Handing messages back would be for the sake of a broker, so nothing is handed
/// back here.
#[derive(Debug)]
pub struct LocalReceiver {
    deliveries: mpsc::Receiver<(Message, ToSender)>,
}

impl Intake for LocalReceiver {
    /// Waits for ever when there is no sender any more.
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        Box::pin(async {
            match self.deliveries.recv().await {
                Some((message, answer)) => {
                    let answer = Box::new(answer);
                    let (load, origin) = (Load::Message(message), Origin::Own);
                    Some(Delivery { load, origin, is_repeat: false, answer })
                }
                None => std::future::pending().await,
            }
        })
    }

    fn stop(&mut self) {
        self.deliveries.close();
    }

    /// Whether all senders are gone and nothing is left of what they sent.
    fn is_quiet(&self) -> bool {
        self.deliveries.is_closed() && self.deliveries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::About;
    use crate::batch::{Batch, Chunk};
    use crate::wire::{self, Envelope};
    use omphalos_common::event::content_id;

    fn message(body: impl Into<Bytes>) -> Message {
        let about = About::new("access.web1", wire::CONTENT_TYPE_BATCH);
        Message { about: about.encoded(wire::CONTENT_ENCODING_ZSTD), body: body.into() }
    }

    async fn next(receiver: &mut LocalReceiver) -> (Message, Box<dyn Answer>) {
        match receiver.next().await {
            Some(Delivery { load: Load::Message(message), answer, .. }) => (message, answer),
            _ => panic!("no message"),
        }
    }

    async fn waits<T>(work: impl Future<Output = T>) -> bool {
        tokio::time::timeout(Duration::from_millis(50), work).await.is_err()
    }

    #[tokio::test]
    async fn a_batch_arrives_as_it_was_sent_and_is_confirmed_when_it_is_answered() {
        let id = content_id(1_700_000_000, b"line");
        let chunk = Chunk {
            source: "0".repeat(32).into(),
            id_version: Some(2),
            path: "/a".into(),
            dataset: "access".into(),
            start: 0,
            end: 8,
            ids: vec![id],
            days: vec![19_675],
            starts: vec![0],
        };
        let batch = Batch { body: b"{\"a\":1}\n".to_vec(), chunks: vec![chunk] };
        let body = wire::Encoder::new("web1", 1).unwrap().encode(&batch, 1_700_000_000).unwrap();
        let (sender, mut receiver) = local(Window { messages: 2, bytes: 1 << 20 });
        let mut receipt = sender.send(message(body)).await;
        let (message, answer) = next(&mut receiver).await;
        let envelope = Envelope {
            content_type: Some(wire::CONTENT_TYPE_BATCH),
            content_encoding: Some(wire::CONTENT_ENCODING_ZSTD),
            default_dataset: "external",
            now: 1_700_000_001,
            ..Envelope::default()
        };
        let parcel = wire::decode(&envelope, &message.body).unwrap();
        let document = &parcel.documents[0];
        let text = &parcel.text[document.start as usize..document.end as usize];
        assert_eq!((text, &*document.id), (&b"{\"a\":1}"[..], id.as_str()));
        assert!(waits(&mut receipt).await, "it is not answered yet");
        answer.acknowledge().await;
        assert!(receipt.await);
    }

    #[tokio::test]
    async fn what_is_not_answered_bounds_what_is_sent_in_messages_and_in_bytes() {
        let (sender, mut receiver) = local(Window { messages: 2, bytes: 100 });
        let first = sender.send(message(vec![0; 1000])).await;
        assert!(waits(sender.send(message(vec![0; 1]))).await, "a message too large passes alone");
        next(&mut receiver).await.1.acknowledge().await;
        assert!(first.await);
        for _ in 0..2 {
            drop(sender.send(message(vec![0; 1])).await);
        }
        assert!(waits(sender.send(message(vec![0; 1]))).await, "two are there");
        let taken = receiver.next().await;
        assert!(waits(sender.send(message(vec![0; 1]))).await, "taking is not answering");
        drop(taken);
        assert!(!waits(sender.send(message(vec![0; 1]))).await);
    }

    #[tokio::test]
    async fn what_is_never_answered_is_not_delivered() {
        let (sender, mut receiver) = local(Window { messages: 4, bytes: 100 });
        let taken = sender.send(message(vec![1])).await;
        let waiting = sender.send(message(vec![2])).await;
        drop(receiver.next().await);
        assert!(!taken.await);
        receiver.stop();
        drop(receiver);
        assert!(!waiting.await);
        assert!(!sender.send(message(vec![3])).await.await);
    }

    #[tokio::test]
    async fn it_is_finished_when_senders_are_gone_and_all_is_taken() {
        let (sender, mut receiver) = local(Window { messages: 4, bytes: 100 });
        drop(sender.send(message(vec![1])).await);
        assert!(!receiver.is_quiet());
        drop(sender);
        assert!(!receiver.is_quiet());
        drop(receiver.next().await);
        assert!(receiver.is_quiet());
        assert!(waits(receiver.next()).await);
    }
}
