//! What the broker has answered so far, and which messages it means.

use lapin::Confirmation;

use super::SenderSupervisor;

/// All answers of the broker that were there at once, none of them judged yet.
#[derive(Default)]
pub(super) struct Round {
    confirmed: Vec<u64>,
    refused: Vec<u64>,
    /// The message ids of what came back.
    returned: Vec<Option<String>>,
    failure: Option<lapin::Error>,
}

/// What a round means for messages that are not delivered by it.
pub(super) struct Judged {
    pub(super) refused: Vec<u64>,
    pub(super) returned: Vec<u64>,
    pub(super) failure: Option<lapin::Error>,
}

impl Round {
    /// Notes an answer.
    pub(super) fn add(&mut self, number: u64, outcome: lapin::Result<Confirmation>) {
        match outcome {
            Ok(confirmation) => {
                let list =
                    if confirmation.is_ack() { &mut self.confirmed } else { &mut self.refused };
                list.push(number);
                if let Some(returned) = confirmation.take_message() {
                    let id = returned.delivery.properties.message_id().as_ref();
                    self.returned.push(id.map(|id| id.as_str().to_owned()));
                }
            }
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }
}

impl SenderSupervisor {
    /// Judges what was answered: what is confirmed and did not come back is delivered.
    ///
    /// # Errors
    /// When a return does not say which message it was. Then nothing of the round is believed:
    /// whichever message was meant would be counted as delivered.
    pub(super) fn judge(&mut self, round: Round) -> Result<Judged, String> {
        let Round { confirmed, refused, returned, failure } = round;
        for id in returned {
            self.returned.insert(self.number_of(id.as_deref())?);
        }
        let (returned, confirmed): (Vec<u64>, Vec<u64>) =
            confirmed.into_iter().partition(|number| self.returned.remove(number));
        for number in confirmed {
            self.confirmed(number);
        }
        Ok(Judged { refused, returned, failure })
    }

    /// Which message under way was returned with this id.
    fn number_of(&self, id: Option<&str>) -> Result<u64, String> {
        let prefix = &self.options.id_prefix;
        let number = id
            .and_then(|id| id.strip_prefix(prefix.as_str())?.strip_prefix('-')?.parse().ok())
            .filter(|number| self.pending.contains_key(number));
        number.ok_or_else(|| {
            format!(
                "the broker returned a message with the id {}, expected one under way, {prefix}-NUMBER; a proxy or plugin in between may change ids; publishing what is not confirmed again",
                id.map_or_else(|| "(none)".to_owned(), |id| format!("{id:?}"))
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use lapin::message::{BasicReturnMessage, Delivery};
    use omphalos_common::telemetry::Health;
    use tokio::sync::{mpsc, oneshot};

    use super::super::super::{AmqpSenderOptions, Queued};
    use super::super::{Place, Reports, Taken};
    use super::*;
    use crate::amqp::{AmqpSettings, Broker, SenderMetrics, Topology};
    use crate::message::About;
    use crate::{Message, Window};

    /// A supervisor of three messages, 0 to 2, and what makes known that they are delivered.
    fn supervisor() -> (SenderSupervisor, Vec<oneshot::Receiver<()>>) {
        let settings = AmqpSettings::default();
        let broker = Arc::new(Broker::new(&settings, "test").unwrap());
        let options = AmqpSenderOptions {
            part: "test",
            exchange: "logs".to_owned(),
            id_prefix: "web-1".to_owned(),
            window: Window { messages: 10, bytes: 1000 },
            confirm_timeout: Duration::from_secs(1),
        };
        let place = Place { broker, topology: Topology::new(&settings) };
        let taken = Taken { queue: mpsc::channel(1).1, heartbeats: mpsc::channel(1).1 };
        let reports = Reports { metrics: SenderMetrics::default(), health: Health::default() };
        let mut supervisor = SenderSupervisor::new(place, options, reports, taken);
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let (done, delivered) = oneshot::channel();
            let message = Message { body: "{}".into(), about: About::default() };
            supervisor.take(Some(Queued { message, done }));
            waiting.push(delivered);
        }
        (supervisor, waiting)
    }

    fn returned(id: Option<&str>) -> Confirmation {
        let mut delivery = Delivery::mock(0, "logs".into(), "a.b".into(), false, Vec::new());
        if let Some(id) = id {
            delivery.properties =
                std::mem::take(&mut delivery.properties).with_message_id(id.into());
        }
        let reply_text = "NO_ROUTE".into();
        Confirmation::Ack(Some(BasicReturnMessage { delivery, reply_code: 312, reply_text }))
    }

    #[test]
    fn a_return_that_came_with_another_confirm_is_told_by_its_id() {
        let (mut supervisor, mut waiting) = supervisor();
        let mut round = Round::default();
        round.add(0, Ok(returned(Some("web-1-1"))));
        round.add(1, Ok(Confirmation::Ack(None)));
        let judged = supervisor.judge(round).unwrap();
        assert_eq!((judged.refused, judged.returned), (vec![], vec![1]));
        assert!(waiting[0].try_recv().is_ok());
        assert!(waiting[1].try_recv().is_err());
    }

    #[test]
    fn a_return_that_names_no_message_under_way_confirms_nothing() {
        for id in [None, Some("nonsense"), Some("web-1-x"), Some("web-2-1"), Some("web-1-7")] {
            let (mut supervisor, mut waiting) = supervisor();
            let mut round = Round::default();
            round.add(0, Ok(returned(id)));
            round.add(1, Ok(Confirmation::Ack(None)));
            let reason = supervisor.judge(round).err().unwrap();
            assert!(reason.contains("expected one under way, web-1-NUMBER"), "{id:?}: {reason}");
            assert!(waiting.iter_mut().all(|delivered| delivered.try_recv().is_err()), "{id:?}");
            assert_eq!(supervisor.pending.len(), 3, "{id:?}");
        }
    }
}
