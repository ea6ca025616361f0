//! What goes to and fro besides the data: marks and heartbeats to the receiver, and its requests.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, recv, send};

use super::{FIRST_MARK, Link, Route, is_passing, is_too_large};
use crate::udp::control::{Mark, Request};
use crate::udp::datagram::{Datagram, DatagramKind};
use crate::udp::keys::Keys;
use crate::udp::message::Packer;

/// The longest answer of a receiver.
const ANSWER_BYTES: usize = 2048;
/// Requests that are remembered, so that a repeated one is answered once.
const REQUESTS: usize = 256;

impl Route {
    /// Sends what parity is due, and that nothing will follow.
    pub fn end(&mut self, keys: Option<&Keys>) {
        if !self.ended {
            self.ended = true;
            if let Err(error) = self.close_group(keys) {
                self.fail(&error);
                return;
            }
            while !self.queue.is_empty() && self.send_some() {}
        }
        self.mark_after = FIRST_MARK;
        self.send_mark(keys);
    }

    pub(super) fn send_mark(&mut self, keys: Option<&Keys>) {
        if self.plain {
            return;
        }
        let mark = Mark {
            first: self.first,
            next: self.next,
            documents: self.documents,
            end: self.ended,
            answers: self.ring.is_some(),
            host: &self.host,
        };
        let (mut body, mut datagram) = (Vec::new(), Vec::new());
        mark.write(&mut body);
        let header = Datagram { kind: DatagramKind::Mark, stream: self.stream, number: self.marks };
        if let Err(error) = header.write(keys, &body, &mut datagram) {
            self.fail(&error.into());
            return;
        }
        self.marks += 1;
        self.marked = Instant::now();
        self.metrics.marks.inc();
        let Link::Up { socket, .. } = &self.link else { return };
        match socket.send(&datagram) {
            Ok(bytes) => drop(self.metrics.bytes.inc_by(bytes as u64)),
            Err(error) if is_passing(&error) => {}
            Err(error) => self.fail(&error),
        }
    }

    /// Sends a heartbeat, a JSON document, past what is queued and past the pace, which is that of documents;
    /// `false` when it could not go at once. It has no number among the data, and is not kept.
    ///
    /// # Errors
    /// When it cannot be packed or sealed.
    pub fn send_heartbeat(
        &mut self,
        keys: Option<&Keys>,
        packer: &mut Packer,
        document: &[u8],
    ) -> io::Result<bool> {
        let room = self.size().saturating_sub(Datagram::overhead(self.sealed));
        let Some(body) = packer.pack_heartbeat(document, room)? else { return Ok(false) };
        let (kind, stream, number) = (DatagramKind::Heartbeat, self.stream, self.heartbeats);
        let mut datagram = Vec::new();
        Datagram { kind, stream, number }.write(keys, &body, &mut datagram)?;
        self.heartbeats += 1;
        let Link::Up { socket, .. } = &self.link else { return Ok(false) };
        // Without waiting for room in the socket, as documents do.
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(socket.as_raw_fd(), &datagram, flags).map_err(io::Error::from) {
            Ok(bytes) => {
                self.metrics.bytes.inc_by(bytes as u64);
                return Ok(true);
            }
            Err(error) if is_passing(&error) => {}
            Err(error) if is_too_large(&error) => drop(self.fit_the_path()),
            Err(error) => self.fail(&error),
        }
        Ok(false)
    }

    /// Reads what the receiver asks for, and whether there is one.
    pub(super) fn listen(&mut self, keys: Option<&Keys>) {
        let mut buffer = [0; ANSWER_BYTES];
        loop {
            let Link::Up { socket, .. } = &self.link else { return };
            let length = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => length,
                Err(error) => {
                    let error = io::Error::from(error);
                    if !is_passing(&error) {
                        self.fail(&error);
                    }
                    return;
                }
            };
            let Some(answer) = buffer.get_mut(..length) else {
                self.metrics.refused.inc();
                continue;
            };
            match Datagram::read(keys, answer) {
                // Without keys nobody can be believed.
                Ok((header, body))
                    if keys.is_some()
                        && header.kind == DatagramKind::Request
                        && header.stream == self.stream =>
                {
                    match Request::read(body) {
                        Ok(request) => self.answer(header.number, &request),
                        Err(_) => drop(self.metrics.refused.inc()),
                    }
                }
                _ => drop(self.metrics.refused.inc()),
            }
        }
    }

    fn answer(&mut self, number: u64, request: &Request) {
        if self.requests.contains(&number) {
            self.metrics.refused.inc();
            return;
        }
        self.requests.push_back(number);
        if self.requests.len() > REQUESTS {
            self.requests.pop_front();
        }
        self.heard = Some(Instant::now());
        // Not backwards: requests may overtake each other.
        if request.settled.wrapping_sub(self.settled) < u64::MAX / 2 {
            self.settled = request.settled;
        }
        self.metrics.requests.inc();
        let Some(ring) = &self.ring else { return };
        for (first, length) in &request.ranges {
            for offset in 0..u64::from(*length) {
                match ring.get(first.wrapping_add(offset)) {
                    Some(datagram) => {
                        self.queue.push_back(datagram.to_vec());
                        self.metrics.resent.inc();
                    }
                    None => drop(self.metrics.not_kept.inc()),
                }
            }
        }
        // What a request may ask for is bounded, and so is what waits here.
        while !self.queue.is_empty() && self.send_some() {}
    }

    /// Whether the receiver may still ask for something.
    pub fn is_awaited(&self) -> bool {
        self.ring.is_some() && self.next != self.first && self.settled != self.next
    }

    /// How long the receiver has been silent.
    pub fn unheard_since(&self, begun: Instant) -> Duration {
        self.heard.map_or(begun, |heard| heard.max(begun)).elapsed()
    }
}
