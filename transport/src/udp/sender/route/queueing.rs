//! What is made into datagrams and waits to be sent.

use std::io;

use tracing::warn;

use super::Route;
use crate::batch::{Batch, BatchError, Chunk};
use crate::udp::data::{self, Data};
use crate::udp::datagram::{Datagram, DatagramKind, MAX_DATAGRAM};
use crate::udp::keys::Keys;
use crate::udp::message::MAX_MESSAGE;
use crate::udp::parity::GroupWriter;

impl Route {
    /// Queues a message, in pieces if it is too large for one datagram.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn push(&mut self, keys: Option<&Keys>, documents: u16, message: &[u8]) -> io::Result<()> {
        let room = self.room();
        if message.len() <= room {
            return self.push_data(keys, documents, None, message);
        }
        let piece_room = room.saturating_sub(data::PIECE_OVERHEAD).max(1);
        let pieces = u16::try_from(message.len().div_ceil(piece_room));
        let (Ok(pieces), true) = (pieces, message.len() < MAX_MESSAGE) else {
            warn!(bytes = message.len(), "a document is too large for UDP and is dropped");
            self.metrics.dropped("too_large");
            return Ok(());
        };
        for (index, piece) in (0..pieces).zip(message.chunks(piece_room)) {
            let documents = if index == 0 { documents } else { 0 };
            self.push_data(keys, documents, Some((index, pieces)), piece)?;
        }
        Ok(())
    }

    fn push_data(
        &mut self,
        keys: Option<&Keys>,
        documents: u16,
        piece: Option<(u16, u16)>,
        message: &[u8],
    ) -> io::Result<()> {
        let parity = self.groups.is_some();
        let before = self.documents;
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        Data { before, documents, parity, piece, message }.write(&mut body);
        let header = Datagram { kind: DatagramKind::Data, stream: self.stream, number: self.next };
        let mut datagram = Vec::with_capacity(body.len() + Datagram::overhead(self.sealed));
        header.write(keys, &body, &mut datagram)?;
        if let Some(ring) = &mut self.ring {
            ring.push(&datagram);
        }
        self.queue.push_back(datagram);
        self.next = self.next.wrapping_add(1);
        self.documents += u64::from(documents);
        self.metrics.datagrams.inc();
        self.metrics.documents.inc_by(u64::from(documents));
        self.push_to_group(keys, header.number, &body)?;
        self.body = body;
        Ok(())
    }

    fn push_to_group(&mut self, keys: Option<&Keys>, number: u64, body: &[u8]) -> io::Result<()> {
        let Some(groups) = &mut self.groups else { return Ok(()) };
        if !groups.push(number, body) {
            self.close_group(keys)?;
            // An empty group takes any body that fits a datagram.
            let taken = self.groups.as_mut().is_some_and(|groups| groups.push(number, body));
            debug_assert!(taken);
        }
        if self.groups.as_ref().is_some_and(GroupWriter::is_full) {
            self.close_group(keys)?;
        }
        Ok(())
    }

    /// Queues the parity of the group.
    pub(super) fn close_group(&mut self, keys: Option<&Keys>) -> io::Result<()> {
        let Self { groups: Some(groups), queue, parities, stream, metrics, .. } = self else {
            return Ok(());
        };
        let mut body = Vec::new();
        let mut sealed = Ok(());
        groups.finish(|parity, shard| {
            body.clear();
            body.extend_from_slice(&parity.encode());
            body.extend_from_slice(shard);
            let header =
                Datagram { kind: DatagramKind::Parity, stream: *stream, number: *parities };
            *parities += 1;
            let mut datagram = Vec::new();
            match header.write(keys, &body, &mut datagram) {
                Ok(()) => {
                    queue.push_back(datagram);
                    metrics.parity.inc();
                }
                Err(error) => sealed = Err(error.into()),
            }
        });
        sealed
    }

    /// Queues the documents of these chunks as plain lines.
    ///
    /// # Errors
    /// When the body and the chunks disagree.
    pub fn push_lines(
        &mut self,
        batch: &Batch,
        select: impl Fn(&Chunk) -> bool,
    ) -> Result<(), BatchError> {
        batch.check()?;
        let room = self.size();
        let mut lines = batch.body.split_inclusive(|byte| *byte == b'\n');
        let mut datagram: Vec<u8> = Vec::with_capacity(room);
        for chunk in &batch.chunks {
            let wanted = select(chunk);
            for line in lines.by_ref().take(chunk.ids.len()).filter(|_| wanted) {
                if line.len() > MAX_DATAGRAM {
                    warn!(bytes = line.len(), "a document is too large for UDP and is dropped");
                    self.metrics.dropped("too_large");
                    continue;
                }
                if !datagram.is_empty() && datagram.len() + line.len() > room {
                    self.queue.push_back(std::mem::take(&mut datagram));
                    self.metrics.datagrams.inc();
                }
                datagram.extend_from_slice(line);
                self.metrics.documents.inc();
            }
        }
        if !datagram.is_empty() {
            self.queue.push_back(datagram);
            self.metrics.datagrams.inc();
        }
        Ok(())
    }
}
