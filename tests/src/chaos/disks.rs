//! Disks that are full.

use super::faults::{BROKERS, Fault, NODES, SHIPPERS};
use crate::Filler;

/// What can happen to disks.
pub fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "disk full under a shipper's state",
            SHIPPERS,
            |scene, n| scene.sites[n].filler = Some(Filler::fill(&scene.sites[n].state)),
            |scene, n| scene.sites[n].filler = None,
        ),
        Fault::new(
            "disk full under a broker",
            BROKERS,
            |scene, n| scene.filler = Some(Filler::fill(scene.broker_disks[n].path())),
            // The quorum queues of RabbitMQ 3.10 end on a node that has no room at all, and only a
            // restart brings them back.
            |scene, n| {
                scene.filler = None;
                scene.brokers.node(n).kill();
                scene.brokers.node(n).start();
            },
        ),
        Fault::new(
            "disk full under Elasticsearch",
            NODES,
            |scene, n| scene.filler = Some(Filler::fill(scene.search_disks[n].path())),
            |scene, _| scene.filler = None,
        ),
    ]
}
