//! Heartbeats: they say how shippers, relays and indexers are, and are nobody's lines and in nobody's way.
//! `omphalos fleet` lists them, and rules of alerts can be about them.

use std::time::{Duration, Instant};

use lapin::BasicProperties;
use omphalos_common::heartbeat::{Host, Maker, Now, Service};
use omphalos_tests::udp::free_address;
use omphalos_tests::{Elastic, LogFile, Program, Stack, eventually, holds};
use serde_json::Value;

use crate::run::Alone;
use crate::top::{lines, printed};

/// What a run of `omphalos fleet --json` printed, and its exit code.
struct Printed {
    code: Option<i32>,
    members: Vec<Value>,
    output: String,
}

impl Printed {
    /// The state of a program on a host.
    fn state(&self, host: &str, program: &str) -> &str {
        let is_it = |member: &&Value| member["host"] == host && member["program"] == program;
        let found = self.members.iter().find(is_it);
        found.map_or("absent", |member| member["state"].as_str().expect("a state"))
    }
}

impl Printed {
    /// Whether somebody vouches for the only shipper.
    fn is_vouched(&self) -> bool {
        let mut shippers = self.members.iter().filter(|one| one["program"] == "omphalos-shipper");
        let vouched = shippers.next().expect("a shipper")["vouched"].as_bool();
        assert!(shippers.next().is_none(), "{}", self.output);
        vouched.expect("yes or no")
    }
}

fn run(program: Program) -> Printed {
    let log = program.log();
    let exited = program.run();
    let output = exited.output.get(log.len()..).unwrap_or_default().to_owned();
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let members = lines.map(|line| serde_json::from_str(line).expect(line)).collect();
    Printed { code: exited.code, members, output }
}

fn fleet(stack: &Stack) -> Program {
    Program::new("omphalos", &stack.path("fleet.out"))
        .args(["fleet", "--json"])
        .option("--url", stack.search_url())
        .option("--index-prefix", stack.prefix())
}

fn lines_of(stack: &Stack) -> Elastic {
    Elastic::new(&stack.search_url(), &format!("{}-access", stack.prefix()))
}

fn audit(stack: &Stack, log: &LogFile) -> Option<i32> {
    let audit = Program::new("omphalos", &stack.path("audit.out"))
        .args(["audit", "--parser", "combined", "--host-name", "web1"])
        .arg(log.path().display())
        .option("--state-dir", stack.path("state").display())
        .option("--elasticsearch-url", stack.search_url())
        .option("--index-prefix", stack.prefix())
        .run();
    println!("{}", audit.output);
    audit.code
}

const OFTEN: [&str; 2] = ["--heartbeat-interval", "100ms"];

#[test]
fn heartbeats_say_how_programs_are_and_are_no_lines() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    let indexer = stack.indexer().args(OFTEN).start();
    indexer.wait_for_log("consuming from");
    let mut shipper = stack.shipper(log.path()).args(OFTEN).listening().start();
    log.append(500);
    let published = || shipper.metric("omphalos_amqp_sender_heartbeats_published_total");
    eventually("heartbeats are published", || holds(published() > 10.0, shipper.log()));
    log.append(500);
    log.assert_indexed_once(&lines_of(&stack));
    let all = eventually("both are well, and the shipper says what it did", || {
        let printed = run(fleet(&stack));
        let books = printed.members.iter().find(|one| one["program"] == "omphalos-shipper");
        let is_done = books.is_some_and(|one| {
            let said = &one["heartbeat"];
            said["books"]["confirmed"] == 1_000 && said["lag_bytes"] == 0
        });
        let is_well = is_done && printed.members.len() == 2 && printed.code == Some(0);
        if is_well { Ok(printed) } else { Err(printed.output) }
    });
    let shown = all.members.iter().find(|one| one["program"] == "omphalos-shipper").expect("it");
    let said = &shown["heartbeat"];
    assert_eq!((&shown["host"], &shown["state"]), (&"web1".into(), &"ok".into()));
    assert_eq!(said["books"]["read"], 1_000);
    assert_eq!(said["inputs"][0]["path"], log.path().to_str().expect("a text"));
    assert_eq!((&said["inputs_total"], &said["lag_bytes"]), (&1.into(), &0.into()));
    assert_eq!(said["problems"], Value::Array(Vec::new()));
    let fleet_index = Elastic::new(&stack.search_url(), &format!("{}-fleet", stack.prefix()));
    assert_eq!(fleet_index.type_of("omphalos.heartbeat.lag_seconds"), "double");
    let read = shipper.metric("omphalos_lines_read_total");
    assert!((read - 1_000.0).abs() < 0.5, "{read}: no heartbeat is a line");
    // A search finds lines, and an audit finds all of them.
    let search = |query: &str| {
        let program = Program::new("omphalos", &stack.path("search.out"));
        program
            .args(["search", query, "--limit", "1"])
            .option("--url", stack.search_url())
            .option("--index-prefix", stack.prefix())
            .run()
            .output
    };
    assert!(search("*").contains("1,000 lines match"), "{}", search("*"));
    assert_eq!(shipper.terminate(), Some(0));
    assert_eq!(audit(&stack, &log), Some(0));
}

/// The kind of fault: who says that a host is well is whoever can publish.
#[test]
fn a_heartbeat_for_which_nobody_vouches_stands_in_for_that_of_no_host() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().args(["--consume-shipper-users", "guest"]).start();
    let mut shipper = stack.shipper(log.path()).args(OFTEN).arg("--amqp-user-id").start();
    let states = || {
        let printed = run(fleet(&stack));
        let of_shipper = |one: &&Value| one["program"] == "omphalos-shipper";
        let state = |one: &Value| (one["state"].clone(), one["vouched"].clone());
        let states: Vec<(Value, Value)> =
            printed.members.iter().filter(of_shipper).map(state).collect();
        (states, printed.output)
    };
    let are = |expected: &[(&str, bool)]| {
        let expected: Vec<(Value, Value)> =
            expected.iter().map(|(state, vouched)| ((*state).into(), (*vouched).into())).collect();
        eventually("the states", || {
            let (states, output) = states();
            holds(states == expected, output)
        });
    };
    are(&[("ok", true)]);
    shipper.kill();
    are(&[("silent", true)]);
    let host = Host { name: "web1".to_owned(), id: None };
    let service = Service { name: "omphalos-shipper".to_owned(), version: "9".to_owned() };
    let mut maker = Maker::new(host, service, "", Duration::from_mins(10));
    let forged = maker.make(Now::default()).to_json().expect("a heartbeat");
    let properties = BasicProperties::default().with_content_type("application/json".into());
    stack.amqp().publish("omphalos.logs", "_heartbeat.web1", properties, &forged);
    are(&[("silent", true), ("ok", false)]);
    assert_eq!(run(fleet(&stack)).code, Some(1));
}

#[test]
fn whoever_watches_a_fleet_counts_no_heartbeats() {
    let stack = Stack::shared();
    let log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let shipper = stack.shipper(log.path()).args(OFTEN).listening().start();
    let published = || shipper.metric("omphalos_amqp_sender_heartbeats_published_total");
    eventually("heartbeats are published", || holds(published() > 10.0, shipper.log()));
    let heard = Program::new("omphalos", &stack.path("fleet.out"))
        .args(["fleet", "--json", "--wait", "3s"])
        .option("--amqp-url", stack.amqp_url());
    let heard = run(heard);
    assert_eq!((heard.code, heard.state("web1", "omphalos-shipper")), (Some(0), "ok"));
    let before = published();
    let top = Program::new("omphalos", &stack.path("top.out"))
        .args(["top", "--json", "--batch", "20", "--refresh", "100ms"])
        .option("--amqp-url", stack.amqp_url())
        .run();
    assert!(published() > before + 5.0, "{} {before}", published());
    let figures = printed(&top.output);
    assert!(figures.iter().all(|figures| lines(figures) == 0), "{}", top.output);
}

#[test]
fn who_is_killed_is_silent_and_who_is_restarted_is_not_nor_anybody_when_the_broker_is() {
    const DELAY: Duration = Duration::from_secs(20);
    let mut stack = Stack::with_broker(&[]);
    let log = LogFile::create(&stack.path("access.log"));
    let often = ["--heartbeat-interval", "1s"];
    let _indexer = stack.indexer().args(often).start();
    let shipper = |host: &str| {
        Program::new("omphalos-shipper", &stack.path(&format!("{host}.log")))
            .arg(log.path().display())
            .args(["--parser", "combined", "--host-name", host])
            .args(often)
            .option("--state-dir", stack.path(host).display())
            .option("--amqp-url", stack.amqp_url())
            .start()
    };
    let (mut killed, mut restarted) = (shipper("web1"), shipper("web2"));
    let watcher = Program::new("omphalos", &stack.path("watch.out"))
        .arg("watch")
        .option("--amqp-url", stack.amqp_url())
        .option("--state-dir", stack.path("watch").display())
        .args([
            "--alert",
            "measure = \"silence\", of = \"heartbeats\", by = \"host\", at_least = \"20s\"",
        ])
        // A rule about lines sees none, and knows nobody.
        .args(["--alert", "measure = \"silence\", by = \"host\", at_least = \"1s\""])
        .start();
    watcher.wait_for_log("watching");
    let are_well = |hosts: &[&str]| {
        eventually("they are heard", || {
            let printed = run(fleet(&stack));
            let is_well = |host: &&str| printed.state(host, "omphalos-shipper") == "ok";
            holds(hosts.iter().all(is_well), &printed.output)
        });
    };
    are_well(&["web1", "web2"]);
    assert_eq!(restarted.terminate(), Some(0));
    restarted.restart();
    are_well(&["web1", "web2"]);
    stack.broker().stop();
    stack.broker().start();
    let heard = run(Program::new("omphalos", &stack.path("heard.out"))
        .args(["fleet", "--json", "--wait", "15s"])
        .option("--amqp-url", stack.amqp_url()));
    assert_eq!(heard.state("web1", "omphalos-shipper"), "ok", "{}", heard.output);
    assert_eq!(heard.state("web2", "omphalos-shipper"), "ok", "{}", heard.output);
    assert_eq!(watcher.count_in_log("raised"), 0, "{}", watcher.log());
    killed.kill();
    let begun = Instant::now();
    watcher.wait_for_log("raised");
    let took = begun.elapsed();
    println!("said {took:?} after the kill, for a delay of {DELAY:?}");
    assert!(took + Duration::from_secs(3) > DELAY, "{took:?}");
    // The machine may be busy; a test of rules has the second that is promised.
    assert!(took < DELAY + Duration::from_secs(20), "{took:?}");
    assert!(watcher.log().contains("web1 has been silent"), "{}", watcher.log());
    assert_eq!(watcher.count_in_log("raised"), 1, "{}", watcher.log());
    let printed = run(fleet(&stack));
    assert_eq!(printed.code, Some(1), "{}", printed.output);
    assert_eq!(printed.state("web1", "omphalos-shipper"), "silent");
    assert_eq!(printed.state("web2", "omphalos-shipper"), "ok");
    killed.restart();
    watcher.wait_for_log("cleared");
}

#[test]
fn a_broker_that_blocks_gets_no_heartbeats_and_all_lines() {
    let mut stack = Stack::with_broker(&[]);
    let mut log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let shipper = stack.shipper(log.path()).args(OFTEN).listening().start();
    let metric =
        |name: &str| shipper.metric(&format!("omphalos_amqp_sender_heartbeats_{name}_total"));
    eventually("heartbeats are published", || holds(metric("published") > 3.0, shipper.log()));
    stack.broker().rabbitmqctl(&["set_vm_memory_high_watermark", "0.00001"]);
    log.append(1_000);
    shipper.wait_for_log("the broker blocks publishing");
    let (published, dropped) = (metric("published"), metric("dropped"));
    eventually("heartbeats are dropped", || {
        holds(metric("dropped") > dropped + 10.0, shipper.log())
    });
    assert!(metric("published") <= published + 1.0, "none goes to a broker that blocks");
    stack.broker().rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]);
    log.append(1_000);
    log.assert_indexed_once(&lines_of(&stack));
    eventually("heartbeats go on", || holds(metric("published") > published + 3.0, shipper.log()));
}

#[test]
fn a_broker_that_refuses_heartbeats_gets_all_lines_on_the_same_connection() {
    let stack = Stack::shared();
    let user = format!("topics-{}", stack.vhost());
    stack.rabbitmqctl(&["add_user", &user, "secret"]);
    stack.rabbitmqctl(&["set_permissions", "-p", stack.vhost(), &user, ".*", ".*", ".*"]);
    for exchange in ["omphalos.logs", "omphalos.logs.watch"] {
        let topics = ["set_topic_permissions", "-p", stack.vhost(), &user, exchange];
        stack.rabbitmqctl(&[&topics[..], &["^(access|anybody)", ".*"]].concat());
    }
    let mut log = LogFile::create(&stack.path("access.log"));
    let _indexer = stack.indexer().start();
    let shipper = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(log.path().display())
        .args(["--parser", "combined", "--host-name", "web1"])
        .args(OFTEN)
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", stack.amqp_url().replace("guest:guest", &format!("{user}:secret")))
        .listening()
        .start();
    shipper.wait_for_log("no heartbeats for five minutes");
    log.append(3_000);
    log.assert_indexed_once(&lines_of(&stack));
    let connects = shipper.metric("omphalos_amqp_sender_connects_total");
    assert!((connects - 1.0).abs() < 0.5, "{connects}: {}", shipper.log());
    assert!(shipper.http("/readyz").is_some(), "{}", shipper.log());
}

#[test]
fn one_process_without_a_broker_says_how_both_of_its_parts_are() {
    let alone = Alone::new();
    let mut log = LogFile::create(&alone.directory.path().join("access.log"));
    log.append(200);
    let _running = alone
        .with_state("run")
        .args(["--parser", "combined", "--host-name", "one"])
        .args(OFTEN)
        .arg(log.path().display())
        .start();
    let printed = eventually("both are heard", || {
        let printed = run(alone.omphalos("fleet").arg("--json"));
        if printed.members.len() == 2 { Ok(printed) } else { Err(printed.output) }
    });
    assert_eq!(printed.code, Some(0), "{}", printed.output);
    for program in ["omphalos-shipper", "omphalos-indexer"] {
        assert_eq!(printed.state("one", program), "ok", "{}", printed.output);
    }
}

/// A shipper over UDP, with its log and its programs; dropped, all of them are gone.
struct Datagrams {
    stack: Stack,
    log: LogFile,
    shipper: Program,
    /// What receives: an indexer, or a relay and an indexer behind it.
    receivers: Vec<Program>,
}

impl Datagrams {
    /// Sealed or not, straight to an indexer or through a relay, which have heartbeats as often.
    fn start(is_sealed: bool, is_relayed: bool) -> Self {
        let stack = Stack::shared();
        let address = free_address();
        let log = LogFile::create(&stack.path("access.log"));
        let with_key = |program: Program, flag: &str| {
            let program = program.args(OFTEN).listening();
            if is_sealed { program.option(flag, stack.key_file().display()) } else { program }
        };
        let receiver =
            if is_relayed { stack.relay(address) } else { stack.indexer_over_udp(address) };
        let mut receivers = vec![with_key(receiver, "--receive-key-file").start()];
        receivers[0].wait_for_log("taking datagrams");
        if is_relayed {
            receivers.push(stack.indexer().args(OFTEN).start());
        }
        let shipper = stack.shipper_over_udp(log.path(), address);
        let shipper = with_key(shipper, "--udp-key-file").start();
        Self { stack, log, shipper, receivers }
    }

    /// Ships lines between heartbeats, until all are indexed and the shipper says so.
    fn ship(&mut self) -> Printed {
        let Self { stack, log, shipper, .. } = self;
        for _ in 0..2 {
            let sent = || shipper.metric("omphalos_udp_sender_heartbeats_total");
            let before = sent();
            log.append(500);
            eventually("heartbeats are sent", || holds(sent() > before + 3.0, shipper.log()));
        }
        log.assert_indexed_once(&lines_of(stack));
        eventually("the shipper says what it did", || {
            let printed = run(fleet(stack));
            let shipper = printed.members.iter().find(|one| one["program"] == "omphalos-shipper");
            let books = shipper.map(|one| &one["heartbeat"]["books"]);
            let is_said = books.is_some_and(|books| books["confirmed"] == 1_000);
            if is_said && printed.code == Some(0) { Ok(printed) } else { Err(printed.output) }
        })
    }

    /// No count of lines or documents knows of heartbeats, and none is a loss.
    fn assert_counted_apart(&self) {
        let Self { stack, shipper, .. } = self;
        for name in ["lines_read", "documents_confirmed", "udp_sender_documents"] {
            let count = shipper.metric(&format!("omphalos_{name}_total"));
            assert!((count - 1_000.0).abs() < 0.5, "{name} {count}");
        }
        let ledger = stack.wait_for_ledger("heartbeats are counted", |ledger| {
            ledger.totals.heartbeats > 6 && ledger.totals.documents == 1_000
        });
        let stream = stack.only_stream();
        assert_eq!((stream.documents_sent, stream.missing, stream.counts.lost()), (1_000, 0, 0));
        assert_eq!((ledger.totals.all_refused(), stream.next), (0, stream.counts.received));
    }

    /// Who there is, and how: programs with their states.
    fn states(&self) -> Vec<(String, String)> {
        let printed = run(fleet(&self.stack));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let of = |one: &Value| (text(&one["program"]), text(&one["state"]));
        let mut states: Vec<(String, String)> = printed.members.iter().map(of).collect();
        states.sort();
        states
    }
}

/// Does so without a key and with one, at the same time.
fn both(work: fn(is_sealed: bool)) {
    std::thread::scope(|scope| {
        for is_sealed in [false, true] {
            scope.spawn(move || work(is_sealed));
        }
    });
}

#[test]
fn a_shipper_over_udp_has_heartbeats_which_are_no_lines_and_is_silent_when_it_is_killed() {
    both(|is_sealed| {
        let mut scene = Datagrams::start(is_sealed, false);
        let printed = scene.ship();
        assert_eq!(printed.state("web1", "omphalos-shipper"), "ok", "{}", printed.output);
        assert_eq!(printed.is_vouched(), is_sealed, "{}", printed.output);
        scene.assert_counted_apart();
        let sum = |names: &[&str]| -> f64 {
            let of = |name| scene.receivers[0].metric(&format!("omphalos_documents_{name}"));
            names.iter().map(of).sum()
        };
        let settled = ["indexed_total", "duplicate_total", "dead_total", "in_flight"];
        eventually("the books of the indexer balance", || {
            let (received, settled) = (sum(&["received_total"]), sum(&settled));
            holds((received - settled).abs() < 0.5, format!("{received} {settled}"))
        });
        assert!(sum(&["duplicate_total", "dead_total"]) < 0.5);
        assert_eq!(audit(&scene.stack, &scene.log), Some(0));
        scene.shipper.kill();
        eventually("the shipper is silent, and the indexer is not", || {
            let states = scene.states();
            let expected = [("omphalos-indexer", "ok"), ("omphalos-shipper", "silent")];
            let expected = expected.map(|(program, state)| (program.to_owned(), state.to_owned()));
            holds(states == expected, format!("{states:?}"))
        });
    });
}

#[test]
fn behind_a_relay_shippers_are_seen_at_the_broker_and_in_the_index_and_so_is_the_relay() {
    both(|is_sealed| {
        let mut scene = Datagrams::start(is_sealed, true);
        let of_relay = |scene: &Datagrams, what: &str| {
            scene.receivers[0].metric(&format!("omphalos_amqp_sender_heartbeats_{what}_total"))
        };
        eventually("the relay is connected, and says how it is", || {
            holds(of_relay(&scene, "published") > 0.0, scene.receivers[0].log())
        });
        let dropped = of_relay(&scene, "dropped");
        scene.ship();
        scene.assert_counted_apart();
        eventually("all three are well", || {
            let states = scene.states();
            let programs: Vec<&str> = states.iter().map(|(program, _)| program.as_str()).collect();
            let is_well = states.iter().all(|(_, state)| state == "ok");
            let all = ["omphalos-indexer", "omphalos-relay", "omphalos-shipper"];
            holds(is_well && programs == all, format!("{states:?}"))
        });
        for name in ["relay_documents_received", "relay_documents_confirmed"] {
            let count = scene.receivers[0].metric(&format!("omphalos_{name}_total"));
            assert!((count - 1_000.0).abs() < 0.5, "{name} {count}");
        }
        let more = of_relay(&scene, "dropped") - dropped;
        assert!(more < 0.5, "{more} of {}", of_relay(&scene, "published"));
        let heard = run(Program::new("omphalos", &scene.stack.path("heard.out"))
            .args(["fleet", "--json", "--wait", "2s"])
            .option("--amqp-url", scene.stack.amqp_url()));
        assert_eq!(heard.state("web1", "omphalos-shipper"), "ok", "{}", heard.output);
        assert_eq!(heard.members.len(), 2, "{}", heard.output);
        assert_eq!(heard.is_vouched(), is_sealed, "{}", heard.output);
        assert_eq!(run(fleet(&scene.stack)).is_vouched(), is_sealed);
        let relay = heard.members.iter().find(|one| one["program"] == "omphalos-relay");
        let books = &relay.expect("the relay")["heartbeat"]["books"];
        assert_eq!((&books["received"], &books["confirmed"]), (&1_000.into(), &1_000.into()));
        let shown = Program::new("omphalos", &scene.stack.path("shown.out"))
            .arg("fleet")
            .option("--url", scene.stack.search_url())
            .option("--index-prefix", scene.stack.prefix())
            .run();
        assert!(shown.output.contains("  relay  "), "{}", shown.output);
    });
}
