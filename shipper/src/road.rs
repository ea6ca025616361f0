//! Which road is taken: the one place where settings become a road.

use omphalos_common::config::ConfigError;
use omphalos_transport::amqp::AmqpPlan;
use omphalos_transport::local::{LocalPlan, LocalSender};
use omphalos_transport::road::{Nowhere, Plan};
use omphalos_transport::udp::UdpPlan;

use crate::config::{Settings, TransportKind};
use crate::host;

/// The road that is set; the way to an indexer in the same process is taken instead of all others.
///
/// # Errors
/// When a setting cannot be used; the message names it.
pub fn plan(settings: &Settings, local: Option<LocalSender>) -> Result<Box<dyn Plan>, ConfigError> {
    let batch = &settings.batch;
    if let Some(sender) = local {
        return Ok(Box::new(LocalPlan { sender, batch: batch.clone() }));
    }
    Ok(match settings.transport() {
        TransportKind::Amqp => Box::new(AmqpPlan::new(&settings.amqp, batch)?),
        TransportKind::Udp => {
            let host = host::host_name(settings);
            Box::new(UdpPlan::new(&settings.udp, &host, batch.compression_level)?)
        }
        TransportKind::Null => Box::new(Nowhere),
    })
}
