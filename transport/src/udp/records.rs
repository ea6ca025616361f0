//! What is in a record of the spool: documents, with where they came from.

use super::{Accountant, Content, Opener, Payload, Record};
use crate::Origin;
use crate::wire::{self, CONTENT_TYPE_JSON, CONTENT_TYPE_NDJSON, Envelope, WireError};
use omphalos_common::event::day_of;
use omphalos_common::heartbeat::{self, Heartbeat};
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
            Payload::Heartbeat { stream, number, message, .. } => {
                (Some(stream), self.read_heartbeat(&record, (stream, number), message))
            }
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
        let at = came_at(record)?;
        // The same text may come again and mean something new: the number tells that apart, and
        // makes the same id whenever the record is read again.
        let message_id = format!("udp-{at}-{number}");
        let envelope = self.envelope(CONTENT_TYPE_NDJSON, &message_id, at);
        let mut parcel = wire::decode(&envelope, lines)?;
        for document in &mut parcel.documents {
            document.day.get_or_insert(day_of(at));
        }
        Ok(Content { host: record.from.ip().to_string(), parcel, ..Content::default() })
    }

    /// A heartbeat, read as from anybody, sealed or not: nothing but its sender's word says whose it is, and
    /// it takes nobody's id.
    fn read_heartbeat(
        &mut self,
        record: &Record<'_>,
        (stream, number): (u64, u64),
        message: &[u8],
    ) -> Result<Content, WireError> {
        let document = self.opener.open_heartbeat(message)?;
        let heartbeat: Heartbeat = serde_json::from_slice(&document)
            .map_err(|error| WireError::Document { line: 1, reason: error.to_string() })?;
        if heartbeat.event.dataset != heartbeat::DATASET {
            let reason =
                format!("it is no heartbeat, whose event.dataset is {}", heartbeat::DATASET);
            return Err(WireError::Document { line: 1, reason });
        }
        // One that is sent again is the same.
        let message_id = format!("udp-{stream:016x}-heartbeat-{number}");
        let at = came_at(record)?;
        let parcel = wire::decode(&self.envelope(CONTENT_TYPE_JSON, &message_id, at), &document)?;
        Ok(Content { host: heartbeat.host.name, parcel, is_heartbeat: true, ..Content::default() })
    }

    /// What is known of documents that anybody may have sent.
    fn envelope<'a>(
        &'a self,
        content_type: &'static str,
        message_id: &'a str,
        at: i64,
    ) -> Envelope<'a> {
        Envelope {
            content_type: Some(content_type),
            content_encoding: None,
            message_id: Some(message_id),
            timestamp: Some(at),
            default_dataset: &self.default_dataset,
            nonce: 0,
            origin: Origin::Foreign,
            now: at,
        }
    }
}

/// When a record came, in seconds since the epoch.
fn came_at(record: &Record<'_>) -> Result<i64, WireError> {
    i64::try_from(record.at).map_err(|_| WireError::Header {
        reason: format!(
            "a record of the spool that came at {}, expected seconds since the epoch",
            record.at
        ),
    })
}

/// The first is worth a line; the ledger tells how many there are.
fn warn_at_a_rate(record: &Record<'_>, error: &WireError) {
    static UNREADABLE: SharedRepeats = SharedRepeats::new();
    if let Some(Due { repeats }) = UNREADABLE.due() {
        warn!(repeats, from = %record.from, "a datagram, or a line of one, cannot be read and is dropped: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use omphalos_common::heartbeat::{Host, INDEX_DATASET, Maker, Now, Service};

    use super::*;
    use crate::udp::Packer;

    fn heartbeat() -> Vec<u8> {
        let host = Host { name: "Web 1".to_owned(), id: None };
        let service = Service { name: "omphalos-shipper".to_owned(), version: "1".to_owned() };
        let mut maker = Maker::new(host, service, "", Duration::from_secs(30));
        maker.make(Now::default()).to_json().unwrap()
    }

    /// What is read of a heartbeat that came under this number, in a record of that one.
    fn read(document: &[u8], (number, record): (u64, u64), sealed: bool) -> Option<Content> {
        let packed = Packer::new("", 1).unwrap().pack_heartbeat(document, 60_000).unwrap().unwrap();
        let payload = Payload::Heartbeat { stream: 7, sealed, number, message: &packed };
        let mut bytes = Vec::new();
        Record { at: 9, from: "[::1]:9".parse().unwrap(), payload }.write(&mut bytes);
        RecordReader::new(None, "logs").unwrap().read(record, &bytes)
    }

    #[test]
    fn a_heartbeat_is_the_document_of_nobody_who_is_vouched_for_and_the_same_when_it_comes_again() {
        let sent = heartbeat();
        for sealed in [false, true] {
            let Content { host, parcel, is_heartbeat, .. } = read(&sent, (3, 1), sealed).unwrap();
            assert!(is_heartbeat);
            assert_eq!((host.as_str(), parcel.origin), ("Web 1", Origin::Foreign));
            let [document] = parcel.documents.as_slice() else { panic!("{parcel:?}") };
            assert_eq!(&*document.dataset, INDEX_DATASET);
            assert_eq!(parcel.text.strip_suffix(b"\n"), Some(&*sent));
            let id = |numbers| read(&sent, numbers, sealed).unwrap().parcel.documents[0].id.clone();
            assert_eq!(id((3, 2)), document.id);
            assert_ne!(id((4, 1)), document.id);
        }
        let other = String::from_utf8(sent).unwrap().replace(heartbeat::DATASET, "access");
        for document in [other.as_bytes(), b"{\"message\":\"a line\"}", b"no JSON"] {
            assert!(read(document, (3, 1), true).is_none());
        }
    }
}
