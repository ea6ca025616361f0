//! The indexer's end: documents from the spool of the receivers.

use futures_util::future::BoxFuture;

use super::feed::{Feed, UdpAnswer};
use super::records::RecordReader;
use crate::intake::{Answer, Delivery, Intake, Load};

/// The documents in the spool.
pub struct UdpIntake {
    feed: Feed,
    records: RecordReader,
}

impl UdpIntake {
    /// Documents of the records that `feed` brings, read by `records`.
    pub fn new(feed: Feed, records: RecordReader) -> Self {
        Self { feed, records }
    }
}

impl Intake for UdpIntake {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        Box::pin(async {
            loop {
                let delivery = self.feed.next().await?;
                // It was handed back, and comes again.
                if delivery.is_stale() {
                    continue;
                }
                let (number, record, answer) = delivery.into_parts();
                match self.records.read(number, &record) {
                    Some(content) => {
                        let origin = content.parcel.origin;
                        let (load, answer) = (Load::Documents(content.parcel), Box::new(answer));
                        return Some(Delivery { load, origin, is_repeat: false, answer });
                    }
                    // Counted, and said: it is as if it had been refused at the door.
                    None => answer.acknowledge(),
                }
            }
        })
    }

    fn resume(&self, _prefetch: u16) {
        self.feed.resume();
    }

    fn pause(&self) {
        self.feed.pause();
    }

    fn stop(&mut self) {
        self.feed.stop();
    }

    fn is_quiet(&self) -> bool {
        self.feed.backlog() == 0
    }
}

impl Answer for UdpAnswer {
    fn acknowledge(self: Box<Self>) -> BoxFuture<'static, ()> {
        UdpAnswer::acknowledge(*self);
        Box::pin(std::future::ready(()))
    }

    fn is_stale(&self) -> bool {
        UdpAnswer::is_stale(self)
    }
}
