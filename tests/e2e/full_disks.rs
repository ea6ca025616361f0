//! Servers whose disk is full for a while: what they do then, and how they come back.
//!
//! Where nothing can be mounted, these say so and pass.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use omphalos_tests::server::Engine;
use omphalos_tests::{Amqp, Elastic, Filler, Mount, Server, eventually, holds, rest};
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

#[test]
fn a_broker_whose_disk_is_really_full_keeps_what_it_confirmed() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 400 << 20) else { return };
    let mut server = broker(&directory);
    let url = server.url();
    let client = Amqp::connect(&url);
    publish(&client, 200);
    let filler = Filler::fill(&data);
    wait_for_alarm(&server, true);
    println!("blocked");
    for _ in 0..3 {
        let url = url.clone();
        let taken = thread::spawn(move || {
            let c = Amqp::connect(&url);
            for n in 0..40 {
                if c.take(QUEUE).is_none() {
                    println!("nothing at {n}")
                }
            }
        })
        .join();
        println!("taken: {taken:?} started {}", server.is_started());
    }
    rest(std::time::Duration::from_secs(10));
    println!(
        "is up {:?}",
        server.try_rabbitmqctl(&["-q", "list_queues", "name", "state", "messages"])
    );
    drop(filler);
    for _ in 0..6 {
        let state = server.try_rabbitmqctl(&["-q", "list_queues", "name", "state", "messages"]);
        let url = url.clone();
        let taken = thread::spawn(move || Amqp::connect(&url).take(QUEUE).is_some()).join();
        println!("taken: {taken:?} {state:?}");
        if taken.is_ok() {
            break;
        }
        rest(std::time::Duration::from_secs(3));
    }
    fs::copy(directory.path().join("log"), "/tmp/tB/rabbit-full.log").ok();
    println!("pid {}", directory.path().join("pid").exists());
    if directory.path().join("pid").exists() {
        server.kill();
    } else {
        server.stop();
    }
    server.start();
    let client = Amqp::connect(&url);
    let mut left = 0;
    while client.take(QUEUE).is_some() {
        left += 1;
    }
    println!("left {left}");
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

/// Sends a document; returns the status and the type of the error.
fn index(elastic: &Elastic) -> (u16, String) {
    let document = json!({"text": "b".repeat(1_000)});
    let path = "documents-1/_doc?timeout=1s";
    let answer = elastic.request(Method::POST, path, Some(&document));
    let (status, answer) = answer.expect("an answer");
    (status, answer["error"]["type"].as_str().unwrap_or_default().to_owned())
}

fn wait_for_status(elastic: &Elastic, expected: u16) -> u64 {
    let mut stored = 0;
    eventually("documents are answered so", || {
        let (status, error) = index(elastic);
        stored += u64::from(status == 201);
        holds(status == expected, format!("{status} {error}"))
    });
    stored
}

#[test]
fn a_search_engine_whose_disk_is_nearly_full_refuses_documents_until_there_is_room() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 300 << 20) else { return };
    let (_server, elastic) = engine(&directory);
    let mut stored = wait_for_status(&elastic, 201);
    for _ in 0..2 {
        let filler = Filler::leave(&data, 20 << 20);
        let begun = Instant::now();
        stored += wait_for_status(&elastic, 429);
        println!("429 after {:?}", begun.elapsed());
        drop(filler);
        let begun = Instant::now();
        stored += wait_for_status(&elastic, 201);
        println!("201 after {:?}", begun.elapsed());
    }
    assert_eq!(elastic.count(), Ok(stored));
}

#[test]
fn a_search_engine_whose_disk_is_really_full_takes_documents_again() {
    let directory = TempDir::new().expect("a directory");
    let Some((_mount, data)) = small_disk(&directory, 300 << 20) else { return };
    let (mut server, elastic) = engine(&directory);
    let mut stored = wait_for_status(&elastic, 201);
    for round in 0..2 {
        let filler = Filler::fill(&data);
        let begun = Instant::now();
        for _ in 0..5 + round * 10 {
            println!("{:?} {:?}", begun.elapsed(), index(&elastic));
            rest(std::time::Duration::from_secs(1));
        }
        drop(filler);
        let begun = Instant::now();
        let mut ok = false;
        for _ in 0..15 {
            let answer = index(&elastic);
            ok = answer.0 == 201;
            println!("room {:?} {answer:?}", begun.elapsed());
            if ok {
                stored += 1;
                break;
            }
            rest(std::time::Duration::from_secs(1));
        }
        let health = elastic
            .request(Method::GET, "_cluster/health?master_timeout=1s&timeout=1s", None)
            .unwrap();
        println!("health {}", health.1);
        if !ok {
            let answer = elastic
                .request(Method::POST, "_cluster/reroute?retry_failed=true&master_timeout=1s", None)
                .unwrap();
            println!("reroute {}", answer.1.to_string().chars().take(200).collect::<String>());
            rest(std::time::Duration::from_secs(2));
            let answer = index(&elastic);
            println!("after reroute {answer:?}");
            if answer.0 != 201 {
                fs::copy(directory.path().join("log"), "/tmp/tB/es-full.log").ok();
                server.stop();
                server.start();
                println!("after restart {:?}", index(&elastic));
                stored += 1;
            } else {
                stored += 1;
            }
        }
        println!("count {:?} {stored}", elastic.count());
    }
}
