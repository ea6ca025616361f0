//! What becomes of a delivery that was taken: its documents are gathered into bulks, and what cannot
//! be read goes to the dead letters.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use omphalos_common::clock::now_seconds;
use omphalos_common::heartbeat::INDEX_DATASET;
use omphalos_common::telemetry::{Due, SharedRepeats};
use omphalos_transport::intake::{Answer, Delivery, Load};
use omphalos_transport::wire::{self, Document, Envelope, Parcel};
use omphalos_transport::{About, Message, Origin};
use tracing::warn;

use super::{PART, Pipeline, Stage};
use crate::collector::{DeliveryId, Filing, Letter, Unsettled};
use crate::elasticsearch::{Clock, Place, Problem, with_stream};
use crate::suspects::print_of;

impl Pipeline {
    /// Takes the documents of a delivery into bulks.
    pub(super) fn take(&mut self, delivery: Delivery) -> Result<(), Unsettled> {
        let Delivery { load, origin, is_repeat, answer } = delivery;
        if answer.is_stale() || self.stage != Stage::Consuming {
            // It goes back to where it came from, or went already, and comes again.
            return Ok(());
        }
        match load {
            Load::Message(message) => {
                self.health.begin(PART, shown(&message));
                let taken = self.take_message((message, origin), is_repeat, answer);
                self.health.done(PART);
                taken
            }
            Load::Documents(parcel) => self.take_documents(&parcel, answer),
        }
    }

    fn take_documents(
        &mut self,
        parcel: &Parcel,
        answer: Box<dyn Answer>,
    ) -> Result<(), Unsettled> {
        if parcel.documents.is_empty() {
            // There is nothing in it to wait for.
            self.answers.spawn(answer.acknowledge());
            return Ok(());
        }
        let number = self.ledger.number();
        self.courier.metrics.received(parcel.documents.len());
        self.ledger.open(number, answer, parcel.documents.len());
        self.gather(number, parcel, now_seconds())
    }

    fn take_message(
        &mut self,
        (message, origin): (Message, Origin),
        is_repeat: bool,
        answer: Box<dyn Answer>,
    ) -> Result<(), Unsettled> {
        let number = self.ledger.number();
        let now = now_seconds();
        self.courier.dead.remember(number, message.about.clone());
        // Those that come for the first time are not noted: it costs something, and one death less.
        let noted = is_repeat.then(|| print_of(&message.body));
        let may_read = noted.map_or(Ok(()), |print| self.suspects.begin(print));
        let decoded = may_read
            .map_err(|deaths| wire::WireError::Deadly { deaths })
            .and_then(|()| self.decode(&message, origin, now));
        let taken = match decoded {
            Ok(mut parcel) => {
                let documents = parcel.documents.len() + parcel.refused.len();
                self.courier.metrics.received(documents);
                if is_repeat && !names_its_documents(&message.about) {
                    self.courier.metrics.possible_repeats(parcel.documents.len());
                }
                self.prefetch.observe(parcel.text.len());
                self.ledger.open(number, answer, documents);
                self.bury(number, std::mem::take(&mut parcel.refused));
                self.gather(number, &parcel, now)
            }
            Err(error) => {
                self.courier.metrics.received(1);
                self.ledger.open(number, answer, 1);
                self.bury(number, vec![(error, message.body.into())]);
                Ok(())
            }
        };
        if let Some(print) = noted {
            self.suspects.survived(print);
        }
        taken
    }

    fn decode(
        &self,
        message: &Message,
        origin: Origin,
        now: i64,
    ) -> Result<Parcel, wire::WireError> {
        let Message { body, about } = message;
        let envelope = Envelope {
            content_type: about.content_type.as_deref(),
            content_encoding: about.content_encoding.as_deref(),
            message_id: about.id.as_deref(),
            timestamp: about.made_at,
            default_dataset: &self.settings.consume.default_dataset,
            nonce: rand::random(),
            origin,
            now,
        };
        wire::decode(&envelope, body)
    }

    /// Splices the documents of a parcel into bulks.
    fn gather(&mut self, number: DeliveryId, parcel: &Parcel, now: i64) -> Result<(), Unsettled> {
        let limit = self.settings.bulk.bytes.as_usize();
        let limit = limit.min(self.courier.request_limit.load(Ordering::Relaxed));
        let clock = Clock { made_at: parcel.made_at, now };
        let mut room = Vec::new();
        let mut last: Option<(&Document, Filing)> = None;
        for document in &parcel.documents {
            let (start, end) = (document.start as usize, document.end as usize);
            let text = parcel.text.get(start..end).ok_or_else(|| {
                Unsettled::broken(format!(
                    "a document stands at bytes {start}-{end} of a message of {}",
                    parcel.text.len()
                ))
            })?;
            let filing = match last.take() {
                Some((before, filing))
                    if before.day == document.day
                        && Arc::ptr_eq(&before.dataset, &document.dataset) =>
                {
                    filing
                }
                _ => self.file(origin_of(document, parcel), document, clock),
            };
            if self.builder.documents() == 0 {
                self.opened = Instant::now();
            }
            let text = match self.settings.index.namespace() {
                None => text,
                Some(namespace) => with_stream(text, (&filing.dataset, namespace), &mut room),
            };
            self.builder.push(&filing, &document.id, text, number);
            last = Some((document, filing));
            let documents = self.settings.bulk.documents as usize;
            if self.builder.bytes() >= limit || self.builder.documents() >= documents {
                self.finish_bulk();
            }
        }
        Ok(())
    }

    /// Where a document goes. A dead letter of it goes there too when it is replayed, as one of a sender
    /// for whom somebody vouches, so it is told the dataset and the day that are in the name.
    fn file(&mut self, origin: Origin, document: &Document, clock: Clock) -> Filing {
        let Place { index, dataset, day } =
            self.names.place(origin, &document.dataset, document.day, clock);
        // Heartbeats of nobody in particular are filed so, and that is no trouble.
        if dataset != document.dataset && *document.dataset != *INDEX_DATASET {
            warn_of_other(&document.dataset, &index);
        }
        let day = if origin == Origin::Own { document.day } else { day };
        Filing { index, dataset, day, made_at: clock.made_at }
    }

    /// Stores messages, or lines of one, that are not what they say.
    fn bury(&mut self, number: DeliveryId, refused: Vec<(wire::WireError, Vec<u8>)>) {
        let letter = |(error, body): (wire::WireError, Vec<u8>)| {
            warn_of_unread(&error);
            let problem =
                Problem { status: 0, kind: error.kind().to_owned(), reason: error.to_string() };
            Letter { delivery: number, filing: None, id: None, body: body.into(), problem }
        };
        let letters: Vec<Letter> = refused.into_iter().map(letter).collect();
        if !letters.is_empty() {
            let courier = Arc::clone(&self.courier);
            self.bulks.spawn(async move { courier.bury_unread(number, letters).await });
        }
    }
}

/// The first is worth a line at once; the counters and the dead letters tell the rest.
fn warn_of_unread(error: &wire::WireError) {
    static UNREAD: SharedRepeats = SharedRepeats::new();
    if let Some(Due { repeats }) = UNREAD.due() {
        warn!(
            kind = error.kind(),
            repeats,
            "a message, or a line of one, cannot be read and goes to the dead letters: {error}"
        );
    }
}

/// A name is told now and then, because whoever sends it can make up as many as there are.
fn warn_of_other(dataset: &str, index: &str) {
    static OTHERS: SharedRepeats = SharedRepeats::new();
    if let Some(Due { repeats }) = OTHERS.due() {
        warn!(
            dataset,
            repeats,
            "a dataset that is named by neither index.datasets nor, for senders for whom nobody vouches, index.foreign_datasets has no indices of its own; its documents go to {index}"
        );
    }
}

/// By which rule a document is filed. The ids of heartbeats are nobody's, so what counts is the sender.
fn origin_of(document: &Document, parcel: &Parcel) -> Origin {
    if *document.dataset == *INDEX_DATASET { parcel.sender } else { parcel.origin }
}

/// What a message is called where somebody looks for it.
fn shown(Message { body, about }: &Message) -> String {
    let id = about.id.as_deref().unwrap_or("without id");
    format!("message {id} of {} bytes, routed as {}", body.len(), about.routing_key)
}

/// Whether a repeat of a message gives its documents the same ids: it has an id, or they are in it.
fn names_its_documents(about: &About) -> bool {
    about.id.as_deref().is_some_and(|id| !id.is_empty())
        || about.content_type.as_deref() == Some(wire::CONTENT_TYPE_BATCH)
}
