//! A stream's account, and the stream made from it and from the spool after a restart.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Assembly, Stream};
use crate::udp::ledger::StreamAccount;
use crate::udp::record::How;
use crate::udp::window::{Look, NumberSeen, NumberWindow};

impl Stream {
    /// A stream as its saved account says; `None` where its numbers cannot be.
    pub fn restore(
        id: u64,
        account: &StreamAccount,
        source: SocketAddr,
        now: Instant,
    ) -> Option<Self> {
        let StreamAccount { first, next, settled, unseen, .. } = account;
        let given_up = account.counts.given_up;
        let window = NumberWindow::restore(*first, *next, *settled, given_up, unseen)?;
        let mut stream = Self {
            counts: account.counts.clone(),
            host: account.host.clone(),
            documents_sent: account.documents_sent,
            last_mark: account.last_mark,
            last_heartbeat: account.last_heartbeat,
            ended: account.ended,
            sealed: account.sealed,
            answers: account.answers,
            seen_at: account.seen_at,
            ..Self::new(id, window, source, 0, now)
        };
        for (number, how) in &account.pieces {
            stream.forget_piece(*number, *how);
        }
        Some(stream)
    }

    /// Takes back that a piece came, which was only in memory and is gone.
    fn forget_piece(&mut self, number: u64, how: How) {
        let count = self.count_of(how);
        *count = count.saturating_sub(1);
        self.window.forget(number);
        if how == How::Late {
            // It was given up once already.
            self.window.reclaim();
        }
    }

    /// The account to save.
    pub fn account(&self) -> StreamAccount {
        let mut counts = self.counts.clone();
        counts.given_up = self.window.given_up();
        StreamAccount {
            stream: format!("{:016x}", self.id),
            host: self.host.clone(),
            source: self.source.to_string(),
            first: self.window.first(),
            next: self.window.next(),
            settled: self.window.settled(),
            counts,
            documents_sent: self.documents_sent,
            missing: self.window.missing(),
            unseen: self.window.unseen_at_all(),
            pieces: self.numbers_of_pieces(),
            last_mark: self.last_mark,
            last_heartbeat: self.last_heartbeat,
            ended: self.ended,
            sealed: self.sealed,
            answers: self.answers,
            seen_at: self.seen_at,
        }
    }

    /// The numbers that are pieces of messages that are not complete, and how they came.
    fn numbers_of_pieces(&self) -> Vec<(u64, How)> {
        let here = |(first, assembly): (&u64, &Assembly)| {
            let numbered = (0_u64..).zip(&assembly.pieces);
            let first = *first;
            let here = numbered.filter_map(|(index, piece)| Some((index, piece.as_ref()?.0)));
            here.map(|(index, how)| (first.wrapping_add(index), how)).collect::<Vec<_>>()
        };
        self.pieces.iter().flat_map(here).collect()
    }

    /// Notes a message that the spool had and the ledger had not, after a crash. How each of several
    /// pieces came is not known: they count like the last one.
    pub fn recover(&mut self, first: u64, pieces: u16, how: How, documents: (u64, u16)) {
        for offset in 0..u64::from(pieces.max(1)) {
            let number = first.wrapping_add(offset);
            let Ok(Look::New(seen)) = self.window.look(number) else { continue };
            self.window.see(number);
            let known = self.count_of(how);
            *known = known.saturating_add(1);
            match (seen, how) {
                // It was given up after the ledger was saved.
                (NumberSeen::Fresh, How::Late) => self.window.concede(),
                (NumberSeen::Late, How::Received | How::Resent | How::Restored) => {
                    self.window.reclaim();
                }
                _ => {}
            }
        }
        let (before, count) = documents;
        self.counts.documents = self.counts.documents.saturating_add(count.into());
        self.documents_sent = self.documents_sent.max(before.saturating_add(u64::from(count)));
    }
}
