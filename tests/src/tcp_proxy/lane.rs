//! One direction of one connection: what was read and is not written yet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::Link;

/// What a lane holds at most, give or take a part.
const CAPACITY: usize = 1 << 20;
const PART: usize = 64 << 10;
/// How many parts a lane reads before others have their turn.
const TURN: usize = 16;
/// Another capacity, for a sender that is to notice that the link is slow.
const THROTTLED: usize = 16 << 10;

/// Between two looks at a throttled lane.
const TICK: Duration = Duration::from_millis(10);

pub(super) struct Lane {
    parts: VecDeque<Part>,
    held: usize,
    end: End,
    /// Whether bytes were thrown away that were to be followed by others, or an end was.
    is_sunk: bool,
    /// What a throttled lane may write by now, and since when it gets more.
    allowance: usize,
    refilled: Instant,
}

struct Part {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
}

/// Whether the sender has ended its side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// It has, and the receiver is told at this time, after all that is held.
    Due(Instant),
    /// The receiver was told first, by the link; what the sender still sends is read.
    ForcedOpen,
    /// Both are done.
    Over,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            parts: VecDeque::new(),
            held: 0,
            end: End::Open,
            is_sunk: false,
            allowance: 0,
            refilled: Instant::now(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end == End::Over
    }

    /// Whether bytes of the sender are missing at the receiver, or its end.
    pub(super) fn is_sunk(&self) -> bool {
        self.is_sunk
    }

    /// Throws away what is held and what comes; returns how much is held.
    pub(super) fn sink(&mut self) -> usize {
        self.parts.clear();
        self.is_sunk |= self.held > 0 || matches!(self.end, End::Due(_));
        std::mem::take(&mut self.held)
    }

    /// Tells the receiver that nothing comes any more; returns how many bytes are lost so.
    pub(super) fn force_end(&mut self, to: &TcpStream) -> usize {
        let lost = self.sink();
        match self.end {
            End::Open => self.end = End::ForcedOpen,
            End::Due(_) => self.end = End::Over,
            End::ForcedOpen | End::Over => return lost,
        }
        // Whoever has left already needs not be told.
        to.shutdown(Shutdown::Write).ok();
        lost
    }

    pub(super) fn wants_to_read(&self, link: Link) -> bool {
        let room = match link {
            Link::Throttle(_) => THROTTLED,
            _ => CAPACITY,
        };
        matches!(self.end, End::Open | End::ForcedOpen) && self.held < room
    }

    pub(super) fn wants_to_write(&self, link: Link, now: Instant) -> bool {
        let may = !matches!(link, Link::Throttle(_)) || self.allowance > 0;
        may && self.parts.front().is_some_and(|part| part.due <= now)
    }

    /// When there is something to do that no socket tells.
    pub(super) fn next(&self, link: Link, now: Instant) -> Option<Instant> {
        let due = match (self.parts.front(), self.end) {
            (Some(part), _) => part.due,
            (None, End::Due(due)) => due,
            (None, _) => return None,
        };
        match link {
            Link::BlackHole => None,
            Link::Throttle(_) => Some(due.max(now + TICK)),
            _ => (due > now).then_some(due),
        }
    }

    /// Reads what has come, and returns how much of it was thrown away.
    pub(super) fn read(&mut self, mut from: &TcpStream, link: Link) -> io::Result<usize> {
        let mut lost = 0;
        let mut space = vec![0; PART];
        for _ in 0..TURN {
            if !self.wants_to_read(link) {
                break;
            }
            let length = match from.read(&mut space) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // A black hole lets no reset through either.
                Ok(0) | Err(_) if link == Link::BlackHole => {
                    self.end = End::Due(Instant::now());
                    self.is_sunk = true;
                    break;
                }
                Ok(0) => {
                    self.end = match self.end {
                        End::ForcedOpen => End::Over,
                        _ => End::Due(due(link)),
                    };
                    break;
                }
                Ok(length) => length,
                Err(error) => return Err(error),
            };
            if link == Link::BlackHole || self.end == End::ForcedOpen {
                self.is_sunk |= link == Link::BlackHole;
                lost += length;
            } else {
                self.held += length;
                let bytes = space[..length].to_vec();
                self.parts.push_back(Part { due: due(link), bytes, written: 0 });
            }
        }
        Ok(lost)
    }

    /// Writes what is due as far as the receiver has room.
    pub(super) fn write(&mut self, mut to: &TcpStream, link: Link) -> io::Result<()> {
        let now = Instant::now();
        self.refill(link, now);
        while self.wants_to_write(link, now) {
            let Some(part) = self.parts.front_mut() else { break };
            let mut rest = &part.bytes[part.written..];
            if let Link::Throttle(_) = link {
                rest = &rest[..rest.len().min(self.allowance)];
            }
            let length = match to.write(rest) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                written => written?,
            };
            self.allowance = self.allowance.saturating_sub(length);
            self.held -= length;
            part.written += length;
            if part.written == part.bytes.len() {
                self.parts.pop_front();
            }
        }
        if self.parts.is_empty() && matches!(self.end, End::Due(due) if due <= now) {
            self.end = End::Over;
            to.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    fn refill(&mut self, link: Link, now: Instant) {
        let Link::Throttle(rate) = link else { return };
        let rate = u128::from(rate);
        let more = (now - self.refilled).as_micros() * rate / 1_000_000;
        if more > 0 {
            // What a lane did not use for long it does not get afterwards.
            let most = usize::try_from(rate / 10).expect("a small number").max(1);
            let more = usize::try_from(more).unwrap_or(most);
            self.allowance = self.allowance.saturating_add(more).min(most);
            self.refilled = now;
        }
    }
}

fn due(link: Link) -> Instant {
    let delay = if let Link::Delay(delay) = link { delay } else { Duration::ZERO };
    Instant::now() + delay
}
