//! Batches as messages, and what the roads that carry messages have in common.

use std::io;

use bytes::Bytes;
use omphalos_common::clock::now_seconds;
use omphalos_common::event::clean_name;
use omphalos_common::heartbeat::routing_key;

use crate::batch::{Batch, Encoding};
use crate::message::{About, Message};
use crate::receipt::Receipt;
use crate::road::{Road, Site};
use crate::wire;

/// Makes the messages of batches.
pub struct BatchMessages {
    encoder: wire::Encoder,
    encoding: Encoding,
    /// Cleaned for routing keys.
    host: String,
}

impl BatchMessages {
    /// For batches of the host that is called `host`, at zstd level `level`.
    ///
    /// # Errors
    /// When zstd refuses the level.
    pub fn new(host: &str, encoding: Encoding, level: i32) -> io::Result<Self> {
        let encoder = wire::Encoder::new(host, level)?;
        Ok(Self { encoder, encoding, host: clean_name(host) })
    }

    /// The messages of `batch`, made now.
    ///
    /// # Errors
    /// When zstd fails, or the body and the chunks disagree.
    pub fn of(&mut self, batch: &Batch) -> io::Result<Vec<Message>> {
        batch.check()?;
        let about = |content_type: &'static str| {
            About::new(format!("{}.{}", batch.dataset(), self.host), content_type)
                .made("omphalos-shipper", now_seconds())
        };
        if self.encoding == Encoding::Json {
            return Ok(split(&batch.body, &about(wire::CONTENT_TYPE_JSON)));
        }
        let about = about(wire::CONTENT_TYPE_BATCH).encoded(wire::CONTENT_ENCODING_ZSTD);
        let body = self.encoder.encode(batch, now_seconds())?;
        Ok(vec![Message { body, about }])
    }
}

/// Makes the messages of heartbeats of `program`, on a host that is called `host`. Their ids begin with
/// `id_prefix`, which must differ between processes.
pub fn heartbeat_messages(
    program: &'static str,
    host: &str,
    id_prefix: &str,
) -> impl FnMut(Vec<u8>) -> Message + Send + use<> {
    let host = host.to_owned();
    let prefix = format!("{id_prefix}-heartbeat");
    let mut number = 0_u64;
    move |document| {
        number += 1;
        heartbeat_message(program, &host, format!("{prefix}-{number}"), document.into())
    }
}

/// The message with this id of a heartbeat of a host that is called `host`, published by `program`.
pub fn heartbeat_message(program: &'static str, host: &str, id: String, body: Bytes) -> Message {
    let about = About::new(routing_key(&clean_name(host)), wire::CONTENT_TYPE_JSON)
        .made(program, now_seconds());
    Message { body, about: About { id: Some(id), ..about } }
}

/// Each line of `body` as a message.
fn split(body: &[u8], about: &About) -> Vec<Message> {
    let body = Bytes::copy_from_slice(body);
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', &body);
    let messages = ends.map(|end| {
        let document = body.slice(start..end);
        start = end + 1;
        Message { body: document, about: about.clone() }
    });
    messages.collect()
}

/// The end of a road that takes messages; cheap to clone.
pub trait SendMessage: Clone + Send + 'static {
    /// Sends a message as soon as the road has room for it.
    fn send(&self, message: Message) -> impl Future<Output = Receipt> + Send;
}

/// A road that carries each batch as one or more messages.
pub struct MessageRoad<S> {
    messages: BatchMessages,
    sender: S,
    site: Site,
}

impl<S: SendMessage> MessageRoad<S> {
    /// The road along which `sender` carries what `messages` makes of batches.
    pub fn new(messages: BatchMessages, sender: S, site: &Site) -> Self {
        Self { messages, sender, site: site.clone() }
    }
}

impl<S: SendMessage> Road for MessageRoad<S> {
    fn send(&mut self, batch: &Batch) -> io::Result<Option<Receipt>> {
        let messages = self.messages.of(batch)?;
        let Site { runtime, give_up, .. } = &self.site;
        Ok(runtime.block_on(async {
            let mut receipts = Vec::with_capacity(messages.len());
            for message in messages {
                tokio::select! {
                    biased;
                    () = give_up.cancelled() => return None,
                    receipt = self.sender.send(message) => receipts.push(receipt),
                }
            }
            Some(Receipt::of_all(receipts))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_of_a_batch_whose_body_and_chunks_disagree() {
        for encoding in [Encoding::Batch, Encoding::Json] {
            let mut messages = BatchMessages::new("web1", encoding, 1).unwrap();
            for batch in crate::batch::tests::disagreeing() {
                assert!(messages.of(&batch).is_err(), "{batch:?}");
            }
        }
    }
}
