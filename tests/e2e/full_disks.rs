//! Servers whose disk is full for a while: what they do then, and how they come back.
//!
//! Where nothing can be mounted, these say so and pass.

use std::fs;
use std::thread;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use omphalos_tests::server::Engine;
use omphalos_tests::{Amqp, Elastic, Filler, Mount, Server, eventually, holds, rest};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const QUEUE: &str = "quorum";

fn alarms(server: &Server) -> String {
    server.rabbitmqctl(&["eval", "rabbit_alarm:get_alarms()."]).trim().to_owned()
}

#[test]
fn a_broker_whose_disk_is_full_blocks_publishers_until_there_is_room() {
    let directory = TempDir::new().expect("a directory");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    let Some(_mount) = Mount::memory_of(&data, 400 << 20) else { return };
    let mut server = Server::rabbitmq(directory.path(), &["disk_free_limit.absolute=100MB"]);
    let client = Amqp::connect(&server.url());
    client.declare_queue(QUEUE, &[("x-queue-type", AMQPValue::LongString("quorum".into()))]);
    server.sync_queue_names();
    let publish = |client: &Amqp, count: u32| {
        for _ in 0..count {
            client.publish(
                "",
                QUEUE,
                BasicProperties::default().with_delivery_mode(2),
                &[b'x'; 10_000],
            );
        }
    };
    publish(&client, 200);
    assert_eq!(alarms(&server), "[]");
    for round in 0..2 {
        let filler = Filler::fill(&data);
        let begun = std::time::Instant::now();
        eventually("the alarm is raised", || {
            let alarms = alarms(&server);
            holds(alarms.contains("disk"), alarms)
        });
        println!("raised after {:?} {}", begun.elapsed(), alarms(&server));
        let url = server.url();
        let publisher = thread::spawn(move || {
            let client = Amqp::connect(&url);
            client.publish("", QUEUE, BasicProperties::default().with_delivery_mode(2), b"late");
        });
        // What it has can be taken, though the disk is really full.
        for _ in 0..50 {
            assert!(client.take(QUEUE).is_some());
        }
        rest(std::time::Duration::from_secs(2));
        assert!(!publisher.is_finished(), "it is blocked");
        drop(filler);
        let begun = std::time::Instant::now();
        eventually("the alarm is cleared", || {
            let alarms = alarms(&server);
            holds(alarms == "[]", alarms)
        });
        println!("cleared after {:?}", begun.elapsed());
        publisher.join().expect("it is published in the end");
        publish(&client, 10);
        println!("round {round}: {:?}", client.ready(QUEUE));
    }
    server.kill();
    server.start();
    let client = Amqp::connect(&server.url());
    let mut left = 0;
    while client.take(QUEUE).is_some() {
        left += 1;
    }
    println!("left {left}");
}

#[test]
fn a_search_engine_whose_disk_is_full_refuses_documents_until_there_is_room() {
    let directory = TempDir::new().expect("a directory");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    let Some(_mount) = Mount::memory_of(&data, 300 << 20) else { return };
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
    let index = |tag: &str| {
        let begun = std::time::Instant::now();
        let document = json!({"a": "b".repeat(1000)});
        let answer = elastic
            .request(Method::POST, "documents-1/_doc?timeout=2s", Some(&document))
            .expect("an answer");
        let text: String = answer.1.to_string().chars().take(400).collect();
        println!("{tag}: {} {text} ({:?})", answer.0, begun.elapsed());
        answer.0
    };
    for _ in 0..3 {
        index("before");
    }
    for round in 0..2 {
        let filler = Filler::fill(&data);
        let begun = std::time::Instant::now();
        for _ in 0..10 {
            let status = index("full");
            let health = elastic.request(Method::GET, "_cluster/health", None).unwrap();
            println!(
                "{:?} {} {}",
                begun.elapsed(),
                health.1["status"],
                health.1["unassigned_shards"]
            );
            rest(std::time::Duration::from_secs(2));
            if status == 429 {
                break;
            }
        }
        let explain = elastic.request(Method::POST, "_cluster/allocation/explain", None).unwrap();
        println!("{}", explain.1.to_string().chars().take(900).collect::<String>());
        if round == 0 {
            rest(std::time::Duration::from_secs(12));
        }
        index("full, later");
        drop(filler);
        let begun = std::time::Instant::now();
        for n in 0..20 {
            let status = index("room");
            if status == 201 {
                break;
            }
            if n == 15 {
                let answer =
                    elastic.must(Method::POST, "_cluster/reroute?retry_failed=true", &Value::Null);
                println!("reroute {}", answer.to_string().chars().take(200).collect::<String>());
            }
            rest(std::time::Duration::from_secs(2));
        }
        println!("again after {:?}", begun.elapsed());
    }
    println!("count {:?}", elastic.count());
}
