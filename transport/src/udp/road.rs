//! The shipper's end: batches as datagrams, sent by the thread that brings them. Delivered means
//! handed to the kernel, which is all that UDP can promise.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use omphalos_common::clock::now_seconds;
use omphalos_common::config::ConfigError;
use omphalos_common::shutdown::Shutdown;

use super::{
    Probe, UdpEncoding, UdpSender, UdpSenderMetrics, UdpSenderOptions, UdpSettings, probe,
};
use crate::Receipt;
use crate::batch::Batch;
use crate::road::{Open, Plan, Road, Site};

/// A road to receivers of datagrams.
pub struct UdpPlan(UdpSenderOptions);

impl UdpPlan {
    /// The road that these settings mean, from the host of this name, at this zstd level.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn new(settings: &UdpSettings, host: &str, level: i32) -> Result<Self, ConfigError> {
        settings.options(host, level).map(Self)
    }
}

impl Plan for UdpPlan {
    fn shown(&self) -> String {
        format!("udp {}", self.0.to.join(", "))
    }

    fn check(&self) -> BoxFuture<'_, Vec<Result<String, String>>> {
        let check = |to: &String| match probe(to) {
            Ok(Probe { address, datagram }) => Ok(format!(
                "udp {to}: {address}, datagrams of up to {datagram} bytes; nobody can tell from here whether they are taken: see omphalos-indexer streams"
            )),
            Err(error) => Err(format!("udp {to}: {error}")),
        };
        Box::pin(std::future::ready(self.0.to.iter().map(check).collect()))
    }

    fn open(self: Box<Self>, site: &Site) -> io::Result<Open> {
        let metrics = UdpSenderMetrics::default();
        site.telemetry.register(|registry| metrics.register(registry));
        // Plain lines are for other programs, which know no heartbeats.
        let is_ours = self.0.encoding == UdpEncoding::Omphalos;
        let mut sender = UdpSender::open(self.0, &metrics, site.telemetry.health.clone())?;
        let heartbeats = is_ours.then(|| sender.take_heartbeats());
        let road = UdpRoad { sender, give_up: site.give_up.clone() };
        Ok(Open { heartbeats, ..Open::new(road) })
    }
}

struct UdpRoad {
    sender: UdpSender,
    give_up: Shutdown,
}

impl Road for UdpRoad {
    fn send(&mut self, batch: &Batch) -> io::Result<Option<Receipt>> {
        let is_sent = self.sender.send(batch, now_seconds(), &self.give_up)?;
        Ok(is_sent.then(Receipt::kept))
    }

    fn pause(&self) -> Duration {
        self.sender.pause()
    }

    fn pulse(&mut self) {
        self.sender.pulse();
    }

    fn finish(&mut self) {
        self.sender.finish(&self.give_up);
    }
}

#[cfg(test)]
mod tests {
    use omphalos_common::telemetry::Telemetry;
    use tokio::runtime::Handle;

    use super::*;

    #[tokio::test]
    async fn only_who_speaks_to_our_own_receivers_has_heartbeats() {
        let site = Site {
            host: "web1".to_owned(),
            telemetry: Telemetry::default(),
            give_up: Shutdown::new(),
            runtime: Handle::current(),
        };
        for (encoding, expected) in [(UdpEncoding::Omphalos, true), (UdpEncoding::Ndjson, false)] {
            let to = vec!["127.0.0.1:9".to_owned()];
            let settings = UdpSettings { to, encoding, ..UdpSettings::default() };
            let plan = Box::new(UdpPlan::new(&settings, "web1", 1).unwrap());
            assert_eq!(plan.open(&site).unwrap().heartbeats.is_some(), expected);
        }
    }
}
