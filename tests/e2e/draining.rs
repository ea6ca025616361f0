//! `--drain` ends when nothing is left, and not before, whatever is on its way.

use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use omphalos_common::config::Period;
use omphalos_common::telemetry::Health;
use omphalos_tests::{Amqp, Link, LogFile, Program, Stack, TcpProxy, eventually, holds};
use omphalos_transport::amqp::{
    AmqpSettings, Broker, Receiver, ReceiverMetrics, ReceiverOptions, Topology,
};
use omphalos_transport::intake::{Delivery, Intake};
use tokio::runtime::Runtime;

const QUEUE: &str = "omphalos.index";

/// A proxy before the scene's broker, and the broker's URL through it.
fn proxied(stack: &Stack) -> (TcpProxy, String) {
    let url = stack.amqp_url();
    let (base, vhost) = url.rsplit_once('/').expect("a virtual host");
    let (_, port) = base.rsplit_once(':').expect("a port");
    let proxy = TcpProxy::before(port.parse().expect("a port"));
    let url = format!("amqp://guest:guest@127.0.0.1:{}/{vhost}", proxy.port());
    (proxy, url)
}

/// Ships so many lines, in small messages.
fn ship(stack: &Stack, lines: u64, options: &[&str]) {
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(lines);
    let shipped =
        stack.shipper(log.path()).args(options).args(["--batch-bytes", "16KiB", "--once"]);
    assert_eq!(shipped.run().code, Some(0));
}

fn drain(stack: &Stack, url: &str) -> Program {
    Program::new("omphalos-indexer", &stack.path("indexer.log"))
        .option("--amqp-url", url)
        .option("--elasticsearch-url", stack.search_url())
        .option("--index-prefix", stack.prefix())
        .option("--index-replicas", 0)
        .arg("--drain")
}

#[test]
fn a_drain_waits_for_what_a_slow_broker_has_pushed_and_nobody_has_read() {
    // One message, all of which is pushed at once, and more than are pushed at once.
    for lines in [1, 2_000] {
        let stack = Stack::shared();
        ship(&stack, lines, &[]);
        let (proxy, url) = proxied(&stack);
        // A question to the broker takes longer than the time between two of them.
        proxy.set(Link::Delay(Duration::from_millis(120)));
        let drained = drain(&stack, &url).run();
        assert_eq!(drained.code, Some(0), "{}", drained.output);
        assert_eq!(stack.elastic().count(), Ok(lines), "{}", drained.output);
        assert_eq!(stack.amqp().ready(QUEUE), Ok(0));
    }
}

#[test]
fn a_queue_with_a_single_active_consumer_is_drained_too() {
    let stack = Stack::shared();
    assert_eq!(drain(&stack, &stack.amqp_url()).run().code, Some(0));
    let amqp = stack.amqp();
    amqp.delete_queue(QUEUE);
    let kind = AMQPValue::LongString("quorum".into());
    let single = AMQPValue::Boolean(true);
    amqp.declare_queue(QUEUE, &[("x-queue-type", kind), ("x-single-active-consumer", single)]);
    amqp.bind_queue(QUEUE, "omphalos.logs");
    let passive = ["--amqp-topology", "passive"];
    ship(&stack, 1_000, &passive);
    let drained = drain(&stack, &stack.amqp_url()).args(passive).run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
    assert_eq!(stack.elastic().count(), Ok(1_000), "{}", drained.output);
    assert!(!drained.output.contains("is lost"), "{}", drained.output);
}

#[test]
fn a_drain_that_is_told_to_stop_while_the_broker_is_away_stops() {
    let stack = Stack::shared();
    let (proxy, url) = proxied(&stack);
    proxy.set(Link::Refuse);
    let mut indexer = drain(&stack, &url).start();
    indexer.wait_for_log("trying again, for ever part=\"amqp\"");
    assert_eq!(indexer.terminate(), Some(0));
}

/// A receiver without a pipeline behind it: the test is the pipeline.
struct Scene {
    runtime: Runtime,
    receiver: Receiver,
    amqp: Amqp,
}

impl Scene {
    fn new(stack: &Stack, urls: Vec<String>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let heartbeat = Period(Duration::from_secs(1));
        let settings = AmqpSettings { url: Some(urls), heartbeat, ..AmqpSettings::default() };
        let broker = Arc::new(Broker::new(&settings, "test").expect("a broker"));
        let topology = Topology::new(&settings);
        let (queue, shipper_users) = (QUEUE.to_owned(), Vec::new());
        let options = ReceiverOptions { part: "amqp", queue, prefetch: 10, shipper_users };
        let _inside = runtime.enter();
        let (metrics, health) = (ReceiverMetrics::default(), Health::default());
        let (receiver, _) = Receiver::start(broker, topology, options, metrics, health);
        let amqp = stack.amqp();
        eventually("the queue is there", || amqp.ready(QUEUE));
        Self { runtime, receiver, amqp }
    }

    fn publish(&self) {
        self.amqp.publish("", QUEUE, BasicProperties::default(), b"a message");
    }

    fn next(&mut self) -> Delivery {
        let next = self.runtime.block_on(self.receiver.next());
        next.expect("the receiver goes on for ever")
    }

    fn acknowledge(&self, delivery: Delivery) {
        self.runtime.block_on(delivery.answer.acknowledge());
    }

    fn is_drained(&self) -> bool {
        self.runtime.block_on(self.receiver.is_drained())
    }
}

#[test]
fn what_was_pushed_and_is_not_answered_is_not_drained_and_consuming_goes_on() {
    let stack = Stack::shared();
    let mut scene = Scene::new(&stack, vec![stack.amqp_url()]);
    assert!(scene.is_drained(), "nothing was ever there");
    for _ in 0..3 {
        scene.publish();
        // It may be in the queue, on its way, in here, or with us.
        assert!(!scene.is_drained());
        let delivery = scene.next();
        assert!(!scene.is_drained());
        scene.acknowledge(delivery);
        assert!(scene.is_drained());
    }
}

#[test]
fn what_another_consumer_holds_is_not_waited_for() {
    let stack = Stack::shared();
    let mut other = Scene::new(&stack, vec![stack.amqp_url()]);
    other.publish();
    let theirs = other.next();
    let scene = Scene::new(&stack, vec![stack.amqp_url()]);
    assert!(scene.is_drained());
    other.acknowledge(theirs);
}

#[test]
fn what_went_down_with_a_connection_is_not_drained_before_it_came_again() {
    let stack = Stack::shared();
    let ((first, first_url), (second, second_url)) = (proxied(&stack), proxied(&stack));
    let mut scene = Scene::new(&stack, vec![first_url, second_url]);
    scene.publish();
    let lost = scene.next();
    // Neither side learns of it but by missing the other's heartbeats.
    first.set(Link::BlackHole);
    eventually("it has connected anew", || holds(second.counts().made > 0, "not yet"));
    assert!(!scene.is_drained(), "the broker believes that we have it, or it is here again");
    drop(lost);
    let again = scene.next();
    assert!(!scene.is_drained());
    scene.acknowledge(again);
    assert!(scene.is_drained());
}
