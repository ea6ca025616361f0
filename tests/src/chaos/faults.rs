//! Every plug that can be pulled, and how it is put back.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::links;
use super::scene::{DEAD, PREFIX, QUEUE, Scene};
use super::storm::Storm;
use super::writer::Kind;
use crate::Filler;
use crate::wait::{eventually, holds};

/// What a fault befalls. Two faults at the same time befall different parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Shippers, their hosts, and their links.
    Shipper,
    /// Indexers, and their links.
    Indexer,
    /// RabbitMQ.
    Broker,
    /// Elasticsearch.
    Search,
    /// More than one of them.
    All,
}

impl Part {
    /// Whether faults of both may be there at the same time.
    pub fn goes_with(self, other: Self) -> bool {
        self != other && self != Self::All && other != Self::All
    }
}

type Act = Box<dyn Fn(&mut Scene, usize)>;

/// A plug.
pub struct Fault {
    /// Its row in the report, and in `docs/plugs.md`.
    pub name: String,
    /// What it befalls.
    pub part: Part,
    /// How many there are of it.
    pub targets: usize,
    /// Pulls it.
    pub begin: Act,
    /// Puts it back.
    pub end: Act,
}

impl Fault {
    pub(super) fn new(
        name: &str,
        (part, targets): (Part, usize),
        begin: impl Fn(&mut Scene, usize) + 'static,
        end: impl Fn(&mut Scene, usize) + 'static,
    ) -> Self {
        Self { name: name.to_owned(), part, targets, begin: Box::new(begin), end: Box::new(end) }
    }
}

/// All that can be done to this scene.
pub fn all(scene: &Scene) -> Vec<Fault> {
    let mut faults = processes();
    faults.extend(links::faults());
    faults.extend(brokers());
    faults.extend(broker_objects());
    faults.extend(search());
    faults.extend(indices());
    if !scene.broker_disks.is_empty() {
        faults.extend(disks());
    }
    faults
}

const SHIPPERS: (Part, usize) = (Part::Shipper, 3);
const INDEXERS: (Part, usize) = (Part::Indexer, 2);
const BROKERS: (Part, usize) = (Part::Broker, 3);
const ALL_BROKERS: (Part, usize) = (Part::Broker, 1);
const NODES: (Part, usize) = (Part::Search, 2);
const ALL_NODES: (Part, usize) = (Part::Search, 1);
const EVERYTHING: (Part, usize) = (Part::All, 1);

const HOUR: Duration = Duration::from_hours(1);

fn processes() -> Vec<Fault> {
    vec![
        Fault::new(
            "shipper killed with -9",
            SHIPPERS,
            |scene, n| scene.sites[n].shipper.kill(),
            |scene, n| scene.sites[n].shipper.restart(),
        ),
        Fault::new(
            "shipper stopped",
            SHIPPERS,
            |scene, n| scene.sites[n].shipper.stop(),
            |scene, n| scene.sites[n].shipper.restart(),
        ),
        Fault::new(
            "shipper suspended",
            SHIPPERS,
            |scene, n| scene.sites[n].shipper.suspend(),
            |scene, n| scene.sites[n].shipper.resume(),
        ),
        Fault::new(
            "shipper killed with -9, its checkpoint deleted",
            SHIPPERS,
            |scene, n| {
                scene.sites[n].shipper.kill();
                for file in std::fs::read_dir(&scene.sites[n].state).expect("a directory").flatten()
                {
                    std::fs::remove_file(file.path()).ok();
                }
            },
            |scene, n| scene.sites[n].shipper.restart(),
        ),
        Fault::new(
            "indexer killed with -9",
            INDEXERS,
            |scene, n| scene.desks[n].indexer.kill(),
            |scene, n| scene.desks[n].indexer.restart(),
        ),
        Fault::new(
            "indexer stopped",
            INDEXERS,
            |scene, n| scene.desks[n].indexer.stop(),
            |scene, n| scene.desks[n].indexer.restart(),
        ),
        Fault::new(
            "indexer suspended",
            INDEXERS,
            |scene, n| scene.desks[n].indexer.suspend(),
            |scene, n| scene.desks[n].indexer.resume(),
        ),
        Fault::new(
            "clock of a shipper an hour ahead, then right again",
            SHIPPERS,
            |scene, n| scene.sites[n].clock.step_forwards(HOUR),
            |scene, n| scene.sites[n].clock.step_backwards(HOUR),
        ),
        Fault::new(
            "clock of an indexer an hour behind, then right again",
            INDEXERS,
            |scene, n| scene.desks[n].clock.step_backwards(HOUR),
            |scene, n| scene.desks[n].clock.step_forwards(HOUR),
        ),
    ]
}

fn brokers() -> Vec<Fault> {
    vec![
        Fault::new(
            "a broker killed with -9",
            BROKERS,
            |scene, n| scene.brokers.node(n).kill(),
            |scene, n| scene.brokers.node(n).start(),
        ),
        Fault::new(
            "a broker stopped",
            BROKERS,
            |scene, n| scene.brokers.node(n).stop(),
            |scene, n| scene.brokers.node(n).start(),
        ),
        Fault::new(
            "a broker suspended",
            BROKERS,
            |scene, n| scene.brokers.node(n).suspend(),
            |scene, n| scene.brokers.node(n).resume(),
        ),
        Fault::new(
            "two of three brokers killed with -9",
            BROKERS,
            |scene, n| {
                scene.brokers.node(n).kill();
                scene.brokers.node((n + 1) % 3).kill();
            },
            |scene, _| scene.brokers.start_all(),
        ),
        Fault::new(
            "all brokers killed with -9",
            ALL_BROKERS,
            |scene, _| (0..3).for_each(|n| scene.brokers.node(n).kill()),
            |scene, _| scene.brokers.start_all(),
        ),
        Fault::new(
            "memory alarm on a broker",
            BROKERS,
            |scene, n| alarm(scene, n, &["set_vm_memory_high_watermark", "0.00001"]),
            |scene, n| alarm(scene, n, &["set_vm_memory_high_watermark", "0.6"]),
        ),
        Fault::new(
            "disk alarm on a broker",
            BROKERS,
            |scene, n| alarm(scene, n, &["set_disk_free_limit", "900GB"]),
            |scene, n| alarm(scene, n, &["set_disk_free_limit", "100MB"]),
        ),
    ]
}

fn alarm(scene: &mut Scene, node: usize, arguments: &[&str]) {
    scene.brokers.node(node).rabbitmqctl(arguments);
}

fn broker_objects() -> Vec<Fault> {
    vec![
        Fault::new(
            "exchange deleted",
            ALL_BROKERS,
            |scene, _| scene.amqp().delete_exchange("omphalos.logs"),
            |_, _| {},
        ),
        Fault::new(
            "queue deleted with what is in it",
            ALL_BROKERS,
            |scene, _| {
                scene.is_robbed = true;
                scene.amqp().delete_queue(QUEUE);
            },
            |scene, _| scene.settle_queues(),
        ),
        Fault::new(
            "consumers cancelled by the broker",
            EVERYTHING,
            cancel_consumers,
            |scene, _| {
                scene.settle_queues();
            },
        ),
        Fault::new(
            "all connections closed by the broker",
            ALL_BROKERS,
            |scene, _| drop(scene.rabbitmqctl(&["close_all_connections", "chaos"])),
            |_, _| {},
        ),
        Fault::new(
            "broker password changed",
            ALL_BROKERS,
            |scene, _| {
                scene.rabbitmqctl(&["change_password", "guest", "another"]);
                scene.rabbitmqctl(&["close_all_connections", "chaos"]);
            },
            |scene, _| drop(scene.rabbitmqctl(&["change_password", "guest", "guest"])),
        ),
    ]
}

/// A queue that is deleted while nothing is in it: its consumers are cancelled, and nothing else
/// happens. Shippers stand still meanwhile, so that nothing comes in between.
fn cancel_consumers(scene: &mut Scene, _: usize) {
    scene.sites.iter_mut().for_each(|site| site.shipper.suspend());
    let mut empty_looks = 0;
    eventually("the queue is empty", || {
        scene.look();
        let in_flight: u64 =
            scene.desks.iter().map(|desk| desk.indexer.now("documents_in_flight")).sum();
        let ready = scene.amqp().ready(QUEUE)?;
        empty_looks = if in_flight == 0 && ready == 0 { empty_looks + 1 } else { 0 };
        holds(empty_looks > 2, format!("{in_flight} in flight, {ready} ready"))
    });
    scene.amqp().delete_queue(QUEUE);
    scene.sites.iter_mut().for_each(|site| site.shipper.resume());
}

fn search() -> Vec<Fault> {
    vec![
        Fault::new(
            "an Elasticsearch node killed with -9",
            NODES,
            |scene, n| scene.search.node(n).kill(),
            |scene, n| scene.search.node(n).start(),
        ),
        Fault::new(
            "an Elasticsearch node stopped",
            NODES,
            |scene, n| scene.search.node(n).stop(),
            |scene, n| scene.search.node(n).start(),
        ),
        Fault::new(
            "an Elasticsearch node suspended",
            NODES,
            |scene, n| scene.search.node(n).suspend(),
            |scene, n| scene.search.node(n).resume(),
        ),
        Fault::new(
            "all Elasticsearch nodes killed with -9",
            ALL_NODES,
            |scene, _| (0..2).for_each(|n| scene.search.node(n).kill()),
            |scene, _| scene.search.start_all(),
        ),
        Fault::new(
            "Elasticsearch refuses with 429",
            ALL_NODES,
            |scene, _| scene.storm = Some(Storm::begin(scene.elastic().url())),
            |scene, _| {
                let refused = scene.storm.take().map_or(0, |storm| storm.refused());
                assert!(refused > 0, "the storm made Elasticsearch refuse something");
                scene.elastic().must(Method::DELETE, "storm", &Value::Null);
            },
        ),
    ]
}

fn indices() -> Vec<Fault> {
    let set = |scene: &mut Scene, value: Value| {
        scene.elastic().set("", &json!({ "index.blocks.read_only_allow_delete": value }));
    };
    let switch = |scene: &mut Scene, action: &str| {
        for index in access_indices(scene) {
            scene.elastic().must(Method::POST, &format!("{index}/{action}"), &Value::Null);
        }
    };
    vec![
        Fault::new(
            "indices made read-only",
            ALL_NODES,
            move |scene, _| set(scene, json!(true)),
            move |scene, _| set(scene, Value::Null),
        ),
        Fault::new(
            "index closed while it is written",
            ALL_NODES,
            move |scene, _| switch(scene, "_close"),
            move |scene, _| switch(scene, "_open"),
        ),
        Fault::new(
            "index deleted",
            ALL_NODES,
            |scene, _| {
                scene.is_robbed = true;
                for index in access_indices(scene) {
                    scene.elastic().must(Method::DELETE, &index, &Value::Null);
                }
            },
            |_, _| {},
        ),
        Fault::new(
            "documents that the mapping refuses",
            ALL_NODES,
            |scene, _| {
                let site = scene.sites.iter().find(|site| site.kind == Kind::Compressed);
                site.expect("a site with such lines").writer.write_refused(100);
            },
            |scene, _| {
                let (_, refused) = scene.written();
                eventually("the dead letters are there", || {
                    let ready = u64::from(scene.amqp().ready(DEAD)?);
                    holds(ready >= refused, format!("{ready} of {refused}"))
                });
            },
        ),
    ]
}

/// The indices of access logs, open or closed.
fn access_indices(scene: &mut Scene) -> Vec<String> {
    let path = format!("_cat/indices/{PREFIX}-access-*?format=json&expand_wildcards=all");
    let answer = scene.elastic().must(Method::GET, &path, &Value::Null);
    let indices = answer.as_array().expect("a list").iter();
    indices.map(|index| index["index"].as_str().expect("a name").to_owned()).collect()
}

fn disks() -> Vec<Fault> {
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

/// How long a fault lasts at least and at most.
pub const LENGTHS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));
