//! Servers whose disk is full for a while: what they do then, and how they come back.
//!
//! Where nothing can be mounted, these say so and pass.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use omphalos_tests::server::Engine;
use omphalos_tests::{Amqp, Elastic, Embedded, Filler, Mount, Server, eventually, holds};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

const QUEUE: &str = "quorum";

/// A server's data on a small file system of its own.
fn small_disk(directory: &TempDir, bytes: u64) -> Option<(Mount, PathBuf)> {
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    Some((Mount::memory_of(&data, bytes)?, data))
}

fn broker(directory: &TempDir) -> Server {
    let server = Server::rabbitmq(directory.path(), &["disk_free_limit.absolute=100MB"]);
    let client = Amqp::connect(&server.url());
    client.declare_queue(QUEUE, &[("x-queue-type", AMQPValue::LongString("quorum".into()))]);
    server.sync_queue_names();
    server
}

/// Publishes so many messages of 10 kB; panics where one is not confirmed.
fn publish(client: &Amqp, count: u32) {
    for _ in 0..count {
        let properties = BasicProperties::default().with_delivery_mode(2);
        client.publish("", QUEUE, properties, &[b'x'; 10_000]);
    }
}

fn wait_for_alarm(server: &Server, is_raised: bool) {
    eventually("the alarm comes or goes", || {
        let alarms = server.rabbitmqctl(&["eval", "rabbit_alarm:get_alarms()."]);
        holds(alarms.contains("resource_limit,disk") == is_raised, alarms)
    });
}

#[test]
fn a_broker_whose_disk_is_nearly_full_blocks_publishers_until_there_is_room() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 400 << 20) else { return };
    let server = broker(&directory);
    let client = Amqp::connect(&server.url());
    for _ in 0..2 {
        publish(&client, 100);
        let filler = Filler::leave(&data, 20 << 20);
        wait_for_alarm(&server, true);
        let url = server.url();
        let publisher = thread::spawn(move || publish(&Amqp::connect(&url), 1));
        // What it has can be taken still.
        for _ in 0..100 {
            assert!(client.take(QUEUE).is_some());
        }
        assert!(!publisher.is_finished(), "it is not blocked");
        assert!(client.take(QUEUE).is_none());
        drop(filler);
        wait_for_alarm(&server, false);
        publisher.join().expect("it is confirmed in the end");
        assert!(client.take(QUEUE).is_some());
    }
}

/// With RabbitMQ 3.10 the queue's process dies when it cannot write down that something was taken,
/// and stays down when there is room: the node must be started again.
#[test]
fn a_broker_whose_disk_is_really_full_keeps_what_it_confirmed() {
    const COUNT: usize = 200;
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 400 << 20) else { return };
    let mut server = broker(&directory);
    let url = server.url();
    let client = Amqp::connect(&url);
    publish(&client, 200);
    let filler = Filler::fill(&data);
    wait_for_alarm(&server, true);
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let taker = thread::spawn(move || {
        while client.take(QUEUE).is_some() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let is_down = taker.join().is_err();
    let taken = taken.load(Ordering::Relaxed);
    println!("{taken} messages were taken; the queue went down: {is_down}");
    drop(filler);
    wait_for_alarm(&server, false);
    server.kill();
    server.start();
    let client = Amqp::connect(&url);
    let left = std::iter::from_fn(|| client.take(QUEUE)).count();
    // What was taken may come again.
    assert!((COUNT - taken..=COUNT).contains(&left), "{left} are left, {taken} were taken");
    publish(&client, 1);
}

fn engine(directory: &TempDir) -> (Server, Elastic) {
    let settings = [
        "cluster.routing.allocation.disk.threshold_enabled=true",
        "cluster.routing.allocation.disk.watermark.low=60mb",
        "cluster.routing.allocation.disk.watermark.high=50mb",
        "cluster.routing.allocation.disk.watermark.flood_stage=40mb",
        "cluster.info.update.interval=10s",
    ];
    let server = Server::search(Engine::Es9, directory.path(), &settings);
    let elastic = Elastic::new(&server.url(), "documents");
    let index = json!({"settings": {"number_of_shards": 1, "number_of_replicas": 0}});
    elastic.must(Method::PUT, "documents-1", &index);
    (server, elastic)
}

/// Sends a document; returns the status and the type of the error. It is too large for the room
/// that a full disk has in the last block of a file.
fn index(elastic: &Elastic) -> (u16, String) {
    let document = json!({"text": "b".repeat(20_000)});
    let path = "documents-1/_doc?timeout=1s";
    let answer = elastic.request(Method::POST, path, Some(&document));
    let (status, answer) = answer.expect("an answer");
    (status, answer["error"]["type"].as_str().unwrap_or_default().to_owned())
}

/// Sends documents until one is answered so; returns how many were stored.
fn index_until(elastic: &Elastic, expected: u16) -> u64 {
    let mut stored = 0;
    let begun = Instant::now();
    let error = eventually("documents are answered so", || {
        let (status, error) = index(elastic);
        stored += u64::from(status == 201);
        holds(status == expected, format!("{status} {error}")).map(|()| error)
    });
    println!("{expected} {error} after {:?}", begun.elapsed());
    stored
}

#[test]
fn a_search_engine_whose_disk_is_nearly_full_refuses_documents_until_there_is_room() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 300 << 20) else { return };
    let (_server, elastic) = engine(&directory);
    let mut stored = index_until(&elastic, 201);
    for _ in 0..2 {
        let filler = Filler::leave(&data, 20 << 20);
        stored += index_until(&elastic, 429);
        drop(filler);
        stored += index_until(&elastic, 201);
    }
    assert_eq!(elastic.count(), Ok(stored));
}

/// It cannot even write down its own state, and so has no master until there is room.
#[test]
fn a_search_engine_whose_disk_is_really_full_takes_documents_again_by_itself() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 300 << 20) else { return };
    let (_server, elastic) = engine(&directory);
    let mut stored = index_until(&elastic, 201);
    for _ in 0..3 {
        let filler = Filler::fill(&data);
        for refused in [500, 503] {
            stored += index_until(&elastic, refused);
        }
        drop(filler);
        stored += index_until(&elastic, 201);
        let count = elastic.count().expect("a count");
        println!("{count} documents, {stored} stored");
        // One that was refused may be there nevertheless.
        assert!(count >= stored, "{count} of {stored}");
        stored = count;
    }
}

#[test]
fn the_embedded_store_answers_for_what_it_has_and_takes_documents_again_by_itself() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 100 << 20) else { return };
    let store = Embedded::open(&data.join("store"));
    let elastic = Elastic::new(&store.url(), "documents");
    let mut stored = index_until(&elastic, 201);
    for _ in 0..3 {
        let filler = Filler::fill(&data);
        stored += index_until(&elastic, 503);
        assert_eq!(elastic.count(), Ok(stored), "while the disk is full");
        drop(filler);
        stored += index_until(&elastic, 201);
    }
    assert_eq!(elastic.count(), Ok(stored));
    drop(store);
    let store = Embedded::open(&data.join("store"));
    assert_eq!(Elastic::new(&store.url(), "documents").count(), Ok(stored), "after a restart");
}
