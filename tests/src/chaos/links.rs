//! The plugs between two processes.

use std::time::Duration;

use super::faults::{Fault, INDEXERS, NODES, Part, SHIPPERS};
use super::scene::Scene;
use crate::TcpProxy;
use crate::tcp_proxy::{Link, Side};

/// Between whom.
#[derive(Clone, Copy)]
enum Way {
    ShipperToBroker,
    IndexerToBroker,
    IndexerToSearch,
    /// Between the nodes themselves.
    SearchToSearch,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::ShipperToBroker => "shipper to broker",
            Self::IndexerToBroker => "indexer to broker",
            Self::IndexerToSearch => "indexer to Elasticsearch",
            Self::SearchToSearch => "Elasticsearch node to node",
        }
    }

    fn target(self) -> (Part, usize) {
        match self {
            Self::ShipperToBroker => SHIPPERS,
            Self::IndexerToBroker | Self::IndexerToSearch => INDEXERS,
            Self::SearchToSearch => NODES,
        }
    }

    fn links(self, scene: &Scene, number: usize) -> &[TcpProxy] {
        match self {
            Self::ShipperToBroker => &scene.sites[number].links,
            Self::IndexerToBroker => &scene.desks[number].broker_links,
            Self::IndexerToSearch => &scene.desks[number].search_links,
            Self::SearchToSearch => std::slice::from_ref(scene.search.link(number)),
        }
    }

    fn set(self, scene: &Scene, number: usize, link: Link) {
        for proxy in self.links(scene, number) {
            proxy.set(link);
        }
    }
}

/// What can be done to each way.
pub fn faults() -> Vec<Fault> {
    let harms = [
        ("refused", Link::Refuse),
        ("cut", Link::Cut),
        ("200 ms longer each way", Link::Delay(Duration::from_millis(200))),
        ("throttled to 20 kB/s", Link::Throttle(20_000)),
        ("swallowing everything", Link::BlackHole),
        ("closed on one side by the client", Link::HalfClose(Side::ToServer)),
        ("closed on one side by the server", Link::HalfClose(Side::ToClient)),
    ];
    let ways =
        [Way::ShipperToBroker, Way::IndexerToBroker, Way::IndexerToSearch, Way::SearchToSearch];
    let each = ways.iter().flat_map(|way| harms.iter().map(move |harm| (*way, *harm)));
    each.map(|(way, (harm, link))| {
        Fault::new(
            &format!("{}: {harm}", way.name()),
            way.target(),
            move |scene, number| way.set(scene, number, link),
            move |scene, number| way.set(scene, number, Link::Open),
        )
    })
    .collect()
}
