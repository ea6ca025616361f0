//! Clusters whose nodes come and go: that the scene of other tests is what they take it for.

use omphalos_tests::{Amqp, BrokerCluster, Elastic, SearchCluster, eventually, holds, rest};

use std::fs;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const QUEUE: &str = "quorum";

fn publish(client: &Amqp, count: u32) {
    let properties = BasicProperties::default().with_delivery_mode(2);
    for _ in 0..count {
        client.publish("", QUEUE, properties.clone(), b"a message");
    }
}

fn declare(cluster: &BrokerCluster, client: &Amqp) {
    let kind = AMQPValue::LongString("quorum".into());
    client.declare_queue(QUEUE, &[("x-queue-type", kind)]);
    cluster.sync_queue_names();
}

fn wait_until_whole(cluster: &BrokerCluster) {
    eventually("the cluster is whole", || holds(cluster.is_whole(), "it is not"));
}

fn count_all(client: &Amqp) -> u32 {
    let mut count = 0;
    while client.take(QUEUE).is_some() {
        count += 1;
    }
    count
}

#[test]
fn a_quorum_queue_outlives_any_one_node_and_the_end_of_all() {
    let directory = TempDir::new().expect("a directory");
    let begun = Instant::now();
    let mut cluster = BrokerCluster::start(directory.path(), 3, &[]);
    println!("started in {:?}", begun.elapsed());
    let urls = cluster.urls();
    let client = Amqp::connect(&urls[1]);
    declare(&cluster, &client);
    publish(&client, 100);
    for dead in [0, 2] {
        cluster.node(dead).kill();
        publish(&client, 100);
        assert!(!cluster.is_whole());
        let begun = Instant::now();
        cluster.node(dead).start();
        println!("node {dead} again in {:?}", begun.elapsed());
        wait_until_whole(&cluster);
    }
    for node in [2, 0, 1] {
        cluster.node(node).kill();
    }
    drop(client);
    let begun = Instant::now();
    cluster.start_all();
    println!("all again in {:?}", begun.elapsed());
    wait_until_whole(&cluster);
    assert_eq!(count_all(&Amqp::connect(&urls[0])), 300);
}

#[test]
fn nodes_of_a_broker_start_in_any_order() {
    let directory = TempDir::new().expect("a directory");
    let mut cluster = BrokerCluster::start(directory.path(), 3, &[]);
    let client = Amqp::connect(&cluster.urls()[0]);
    declare(&cluster, &client);
    publish(&client, 10);
    drop(client);
    for node in [0, 1, 2] {
        cluster.node(node).stop();
    }
    // The first to stop cannot be ready before the last one is there.
    let begun = Instant::now();
    for node in [0, 1, 2] {
        cluster.node(node).begin_start();
        rest(Duration::from_secs(1));
    }
    for node in [0, 1, 2] {
        cluster.node(node).finish_start();
    }
    println!("all again in {:?}", begun.elapsed());
    wait_until_whole(&cluster);
    assert_eq!(count_all(&Amqp::connect(&cluster.urls()[2])), 10);
}

#[test]
fn a_broker_that_stands_still_for_a_while_is_a_member_again() {
    let directory = TempDir::new().expect("a directory");
    let mut cluster = BrokerCluster::start(directory.path(), 3, &["net_ticktime=5"]);
    let client = Amqp::connect(&cluster.urls()[0]);
    declare(&cluster, &client);
    cluster.node(2).suspend();
    publish(&client, 10);
    let begun = Instant::now();
    eventually("the others part from it", || {
        let log = fs::read_to_string(directory.path().join("rabbit0/log")).expect("a log");
        holds(log.contains("node rabbit2@localhost down"), "they do not")
    });
    println!("parted after {:?}", begun.elapsed());
    publish(&client, 10);
    cluster.node(2).resume();
    let begun = Instant::now();
    wait_until_whole(&cluster);
    println!("whole again in {:?}", begun.elapsed());
    assert_eq!(count_all(&Amqp::connect(&cluster.urls()[1])), 20);
    // What is suspended when a test ends does not stay.
    cluster.node(1).suspend();
}

fn wait_for_green(elastic: &Elastic, nodes: u64) {
    eventually("the cluster is green", || {
        let path = "_cluster/health?wait_for_status=green&timeout=1s";
        let (_, health) = elastic.request(Method::GET, path, None).map_err(|e| e.to_string())?;
        let is_whole = health["status"] == "green" && health["number_of_nodes"] == nodes;
        holds(is_whole, health)
    });
}

#[test]
fn a_search_node_that_was_killed_is_a_member_again() {
    let directory = TempDir::new().expect("a directory");
    let begun = Instant::now();
    let mut cluster = SearchCluster::start(directory.path(), 2, &[]);
    println!("started in {:?}", begun.elapsed());
    let urls = cluster.urls();
    let elastic = |node: usize| Elastic::new(&urls[node], "documents");
    let settings = json!({"settings": {"number_of_shards": 1, "number_of_replicas": 1}});
    elastic(0).must(Method::PUT, "documents-1", &settings);
    wait_for_green(&elastic(0), 2);
    let mut count = 0;
    for dead in [0, 1] {
        elastic(dead).must(Method::POST, "documents-1/_doc", &json!({"a": 1}));
        count += 1;
        cluster.node(dead).kill();
        let begun = Instant::now();
        cluster.node(dead).start();
        println!("node {dead} again in {:?}", begun.elapsed());
        wait_for_green(&elastic(dead), 2);
        println!("green again in {:?}", begun.elapsed());
    }
    elastic(0).must(Method::POST, "_refresh", &Value::Null);
    for node in [0, 1] {
        assert_eq!(elastic(node).count(), Ok(count));
    }
}
