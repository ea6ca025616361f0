//! What is in a record of the spool: documents, with where they came from.

use super::{Accountant, Content, Opener, Payload, Record};
use crate::Origin;
use crate::wire::{self, CONTENT_TYPE_NDJSON, Envelope, WireError};
use omphalos_common::event::day_of;
use omphalos_common::telemetry::{Due, SharedRepeats};
use tracing::warn;

/// Makes documents of the records of the spool.
pub struct RecordReader {
    opener: Opener,
    /// Told of what cannot be read; `None` where no record ever comes.
    accountant: Option<Accountant>,
    default_dataset: String,
}

impl RecordReader {
    /// A reader that gives plain lines this dataset if they name none.
    ///
    /// # Errors
    /// When zstd has no memory.
    pub fn new(accountant: Option<Accountant>, default_dataset: &str) -> std::io::Result<Self> {
        Ok(Self { opener: Opener::new()?, accountant, default_dataset: default_dataset.to_owned() })
    }

    /// The documents in the record of this number; `None` when there are none to deliver, or they
    /// cannot be read, which is counted and said.
    pub fn read(&mut self, number: u64, bytes: &[u8]) -> Option<Content> {
        let Some(record) = Record::read(bytes) else {
            self.count_unreadable(None);
            return None;
        };
        let (stream, content) = match record.payload {
            Payload::Message { stream, sealed, pieces, documents, message, .. } => {
                let content = self.opener.open(usize::from(documents), message, pieces > 0);
                // Anybody may have sent what is not sealed, whatever line it says it was.
                let is_sealed = sealed == Some(true);
                (Some(stream), content.map(|it| if is_sealed { it } else { it.foreign() }))
            }
            // It is in the spool for the account only.
            Payload::Mark { .. } => return None,
            Payload::Lines(lines) => (None, self.read_lines(number, &record, lines)),
        };
        match content {
            Ok(mut content) => {
                for (error, _) in std::mem::take(&mut content.parcel.refused) {
                    warn_at_a_rate(&record, &error);
                    self.count_unreadable(stream);
                }
                Some(content).filter(|content| !content.parcel.documents.is_empty())
            }
            Err(error) => {
                warn_at_a_rate(&record, &error);
                self.count_unreadable(stream);
                None
            }
        }
    }

    fn count_unreadable(&self, stream: Option<u64>) {
        if let Some(accountant) = &self.accountant {
            accountant.unreadable(stream);
        }
    }

    fn read_lines(
        &self,
        number: u64,
        record: &Record<'_>,
        lines: &[u8],
    ) -> Result<Content, WireError> {
        let at = i64::try_from(record.at).map_err(|_| WireError::Header {
            reason: format!(
                "a record of the spool that came at {}, expected seconds since the epoch",
                record.at
            ),
        })?;
        // The same text may come again and mean something new: the number tells that apart, and
        // makes the same id whenever the record is read again.
        let message_id = format!("udp-{at}-{number}");
        let envelope = Envelope {
            content_type: Some(CONTENT_TYPE_NDJSON),
            content_encoding: None,
            message_id: Some(&message_id),
            timestamp: Some(at),
            default_dataset: &self.default_dataset,
            nonce: 0,
            origin: Origin::Foreign,
            now: at,
        };
        let mut parcel = wire::decode(&envelope, lines)?;
        for document in &mut parcel.documents {
            document.day.get_or_insert(day_of(at));
        }
        Ok(Content { host: record.from.ip().to_string(), parts: Vec::new(), parcel })
    }
}

/// The first is worth a line; the ledger tells how many there are.
fn warn_at_a_rate(record: &Record<'_>, error: &WireError) {
    static UNREADABLE: SharedRepeats = SharedRepeats::new();
    if let Some(Due { repeats }) = UNREADABLE.due() {
        warn!(repeats, from = %record.from, "a datagram, or a line of one, cannot be read and is dropped: {error}");
    }
}
