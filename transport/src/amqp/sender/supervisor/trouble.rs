//! What goes wrong with a broker, what is said of it, and when it is over.

use std::time::Instant;

use lapin::{ErrorKind, Event};
use omphalos_common::telemetry::{CALM, Due};
use tracing::{info, warn};

use super::super::heartbeats::is_about_heartbeats;
use super::{SenderSupervisor, Session};
use crate::amqp::access::{Doing, lacking};
use crate::amqp::watch::is_about_copies;

impl SenderSupervisor {
    /// Says what is wrong and waits; `false` when there is nothing left to do.
    pub(super) async fn pause_after(&mut self, reason: String) -> bool {
        self.say(reason);
        let wait = self.reconnect.next_wait();
        self.while_accepting(tokio::time::sleep(wait)).await.is_some()
    }

    /// Says what is wrong, in the log at a rate.
    fn say(&mut self, reason: String) {
        let part = self.options.part;
        if let Some(Due { repeats }) = self.trouble.due() {
            let waiting = self.pending.len();
            warn!(part, waiting, repeats, "{reason}; trying again, for ever");
        }
        self.health.problem(part, reason);
    }

    /// A full queue takes one message and refuses the next: it is over when all were taken for a
    /// while.
    pub(super) fn calm_down(&mut self) {
        let is_over = self.refused_at.is_some_and(|refused_at| refused_at.elapsed() > CALM)
            && !self.pending.values().any(|pending| pending.is_refused);
        if is_over {
            self.refused_at = None;
            self.all_is_well();
        }
    }

    pub(super) fn all_is_well(&mut self) {
        if self.trouble.over() {
            info!(part = self.options.part, "messages are confirmed again");
        }
        self.health.well(self.options.part);
    }

    /// The broker did not take these messages: they are published again after a while.
    pub(super) fn refused(&mut self, session: &mut Session, refused: Vec<u64>, returned: Vec<u64>) {
        self.metrics.refused.inc_by(refused.len() as u64);
        self.metrics.returned.inc_by(returned.len() as u64);
        let exchange = &self.options.exchange;
        let reason = if returned.is_empty() {
            format!(
                "the broker refuses messages to exchange {exchange:?}; is queue {:?} full (amqp.queue_max_bytes), or without a majority?",
                self.topology.queue
            )
        } else {
            format!(
                "exchange {exchange:?} routes to no queue; bind queue {:?} to it with the key #",
                self.topology.queue
            )
        };
        self.say(reason);
        self.refused_at = Some(Instant::now());
        for number in refused.into_iter().chain(returned) {
            if let Some(pending) = self.pending.get_mut(&number) {
                pending.is_refused = true;
                session.refused.push(number);
            }
        }
        session.retry_at = tokio::time::Instant::now() + self.resend.next_wait();
    }

    /// Takes note of a connection event; a reason when the connection is over.
    pub(super) fn notice(&mut self, session: &mut Session, event: Event) -> Option<String> {
        match event {
            Event::ConnectionBlocked(reason) => {
                warn!(part = self.options.part, %reason, "the broker blocks publishing (memory or disk alarm); waiting");
                self.health.problem(
                    self.options.part,
                    format!(
                        "the broker blocks publishing: {reason}; free memory or disk on the broker"
                    ),
                );
                self.metrics.blocked.set(1);
                session.blocked = true;
            }
            Event::ConnectionUnblocked => {
                info!(part = self.options.part, "the broker accepts messages again");
                self.metrics.blocked.set(0);
                if self.refused_at.is_none() {
                    self.health.well(self.options.part);
                }
                session.blocked = false;
                // Nothing could be confirmed meanwhile.
                let now = Instant::now();
                self.pending.values_mut().for_each(|pending| pending.published = Some(now));
            }
            Event::Error(error)
                if is_about_copies(&error, &self.options.exchange)
                    || is_about_heartbeats(&error) => {}
            Event::Error(error) => return Some(self.explain(&error)),
            _ => {}
        }
        None
    }

    pub(super) fn explain(&self, error: &lapin::Error) -> String {
        if let Some(lacking) = lacking(error, Doing::Publish) {
            return lacking;
        }
        if let ErrorKind::ProtocolError(refusal) = error.kind() {
            let text = refusal.get_message().as_str();
            if text.contains("larger than") {
                return format!(
                    "{text}; raise max_message_size on the broker, or lower batch.bytes"
                );
            }
            if text.contains("no exchange") {
                let exchange = &self.options.exchange;
                return format!("exchange {exchange:?} is gone ({text}); declaring it again");
            }
        }
        format!("the connection is lost: {error}")
    }
}
