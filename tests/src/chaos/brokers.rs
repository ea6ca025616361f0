//! The plugs of RabbitMQ.

use super::faults::{ALL_BROKERS, BROKERS, EVERYTHING, Fault};
use super::scene::{QUEUE, Scene};
use crate::wait::{eventually, holds};

/// What can happen to RabbitMQ.
pub fn faults() -> Vec<Fault> {
    let mut faults = nodes();
    faults.extend(alarms());
    faults.extend(objects());
    faults
}

fn nodes() -> Vec<Fault> {
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
    ]
}

fn alarms() -> Vec<Fault> {
    vec![
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

fn objects() -> Vec<Fault> {
    vec![
        Fault::new(
            "exchange deleted",
            ALL_BROKERS,
            |scene, _| scene.amqp().delete_exchange("omphalos.logs"),
            |_, _| {},
        ),
        Fault::new(
            "queue deleted with what is in it",
            EVERYTHING,
            delete_what_waits,
            |scene, _| {
                scene.desks.iter_mut().for_each(|desk| desk.indexer.restart());
                scene.settle_queues();
            },
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

/// A queue that is deleted while messages wait in it, because nobody takes them.
fn delete_what_waits(scene: &mut Scene, _: usize) {
    scene.desks.iter_mut().for_each(|desk| desk.indexer.kill());
    eventually("messages wait", || {
        let ready = scene.amqp().ready(QUEUE)?;
        holds(ready >= 10, ready)
    });
    scene.is_robbed = true;
    scene.amqp().delete_queue(QUEUE);
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
