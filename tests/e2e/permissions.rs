//! The least that each program needs of RabbitMQ and of Elasticsearch. The manual has the lines and the
//! roles; here users get exactly these, and every program must do its work with them, and say which one
//! it lacks where it does not have it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};

use lapin::BasicProperties;
use omphalos_tests::interposer::Request;
use omphalos_tests::{Action, Interposer, LogFile, Program, Stack, eventually, holds, repository};
use serde_json::{Value, json};

use crate::audit::delete_at;

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).expect("a page")
}

/// The words of a line that a shell would be given, which has no quotes but plain ones.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// Users of the manual's names in the scene's virtual host, with the permissions of the manual.
struct Users {
    names: Vec<String>,
}

impl Users {
    fn new(stack: &Stack) -> Self {
        let page = page("transport.md");
        let lines = page
            .lines()
            .filter_map(|line| line.strip_prefix("    rabbitmqctl set_permissions -p / "));
        let mut names = Vec::new();
        for line in lines {
            let words = words(line);
            let [name, configure, write, read] = &words[..] else { panic!("{line}") };
            let user = Self::user(stack, name);
            stack.rabbitmqctl(&["add_user", &user, "secret"]);
            stack.rabbitmqctl(&[
                "set_permissions",
                "-p",
                stack.vhost(),
                &user,
                configure,
                write,
                read,
            ]);
            names.push(name.clone());
        }
        Self { names }
    }

    /// Users are the whole broker's, and others use it too.
    fn user(stack: &Stack, name: &str) -> String {
        format!("{name}-{}", stack.vhost())
    }

    /// The broker's URL for one of them.
    fn url(&self, stack: &Stack, name: &str) -> String {
        assert!(self.names.iter().any(|known| known == name), "{name} is not in the manual");
        let user = Self::user(stack, name);
        stack.amqp_url().replace("guest:guest", &format!("{user}:secret"))
    }
}

const PASSIVE: [&str; 2] = ["--amqp-topology", "passive"];

fn shipper(stack: &Stack, url: &str, log: &LogFile) -> Program {
    Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .arg(log.path().display())
        .args(["--parser", "combined", "--host-name", "web1"])
        .option("--state-dir", stack.path("state").display())
        .option("--amqp-url", url)
}

fn indexer(stack: &Stack, url: &str, search_url: &str) -> Program {
    Program::new("omphalos-indexer", &stack.path("indexer.log"))
        .option("--amqp-url", url)
        .option("--elasticsearch-url", search_url)
        .option("--index-prefix", stack.prefix())
        .option("--index-replicas", 0)
}

fn tool(stack: &Stack, url: &str, words: &[&str]) -> Program {
    Program::new("omphalos", &stack.path("omphalos.log")).args(words).option("--amqp-url", url)
}

/// Runs a program to its good end; its output since the last time.
fn done(stack: &Stack, program: Program) -> String {
    let exited = program.run();
    assert_eq!(exited.code, Some(0), "{}", exited.output);
    fs::remove_file(stack.path("omphalos.log")).ok();
    exited.output
}

#[test]
fn each_program_does_its_work_with_the_permissions_of_the_manual_alone() {
    let stack = Stack::shared();
    let users = Users::new(&stack);
    let url = |name: &str| users.url(&stack, name);
    let elastic = stack.elastic();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(300);

    // The first indexer declares; without it there is nothing that a shipper could publish to.
    let declared = indexer(&stack, &url("omphalos-indexer"), &stack.search_url());
    let mut declaring = declared.start();
    declaring.wait_for_log("consuming from");
    let shipped = shipper(&stack, &url("omphalos-shipper"), &log).args(PASSIVE).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    elastic.wait_for_count(300);
    assert_eq!(declaring.terminate(), Some(0));

    // A dead letter, of a message that is none.
    let amqp = stack.amqp();
    amqp.publish("omphalos.logs", "x.y", BasicProperties::default(), b"what?");
    log.append(100);
    let shipped = shipper(&stack, &url("omphalos-shipper"), &log).args(PASSIVE).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let passive = indexer(&stack, &url("omphalos-passive-indexer"), &stack.search_url());
    let drained = passive.args(PASSIVE).arg("--drain").run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
    elastic.wait_for_count(400);

    let tool_url = url("omphalos-tool");
    let tool = |words: &[&str]| tool(&stack, &tool_url, words).args(PASSIVE);
    assert!(done(&stack, tool(&["dead", "list"])).ends_with("1 dead letters\n"));
    let replayed = done(&stack, tool(&["dead", "replay", "--all"]));
    assert!(replayed.contains("1 dead letters published again"), "{replayed}");
    let passive =
        indexer(&stack, &url("omphalos-passive-indexer"), &stack.search_url()).args(PASSIVE);
    let _indexing = passive.start();
    let documents = elastic.documents(&["log.offset"]);
    let offsets = documents.iter().take(3).map(|(_, document)| &document["log"]["offset"]);
    delete_at(&elastic, offsets.map(|offset| offset.as_u64().expect("an offset")));
    let audit =
        tool(&["audit", &log.path().display().to_string(), "--parser", "combined", "--repair"])
            .args(["--host-name", "web1", "--index-prefix", stack.prefix()])
            .option("--state-dir", stack.path("state").display())
            .option("--elasticsearch-url", stack.search_url());
    let repaired = done(&stack, audit);
    assert!(repaired.contains("shipped 3 missing documents, and found all of them"), "{repaired}");
    eventually("it is a dead letter again", || {
        let letters = amqp.ready("omphalos.dead")?;
        holds(letters == 1, letters)
    });
    let dropped = done(&stack, tool(&["dead", "drop", "--all", "--yes"]));
    assert!(dropped.ends_with("1 dead letters dropped\n"), "{dropped}");
}

#[test]
fn a_permission_that_is_missing_is_named() {
    let stack = Stack::shared();
    let users = Users::new(&stack);
    let url = |name: &str| users.url(&stack, name);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(10);
    let mut declaring = indexer(&stack, &stack.amqp_url(), &stack.search_url()).start();
    declaring.wait_for_log("consuming from");
    assert_eq!(declaring.terminate(), Some(0));

    let lacks = |name: &str, kind: &str, what: &str| {
        let user = Users::user(&stack, name);
        format!("the user {user:?} lacks the {kind} permission for {what}; grant it")
    };
    let says = |program: Program, expected: &str| {
        let running = program.start();
        running.wait_for_log(expected);
    };
    let shipping = |name: &str| shipper(&stack, &url(name), &log);
    says(
        shipping("omphalos-shipper"),
        &lacks("omphalos-shipper", "configure", "exchange 'omphalos.dead'"),
    );
    let waiting = shipping("omphalos-passive-indexer").args(PASSIVE).start();
    waiting.wait_for_log(&lacks("omphalos-passive-indexer", "write", "exchange 'omphalos.logs'"));
    // It goes on by itself when the permission is there.
    let user = Users::user(&stack, "omphalos-passive-indexer");
    stack.rabbitmqctl(&["set_permissions", "-p", stack.vhost(), &user, "^$", ".*", "^$"]);
    eventually("the lines are in the queue", || {
        let messages = stack.amqp().ready("omphalos.index")?;
        holds(messages > 0, messages)
    });
    drop(waiting);
    let indexing = |name: &str| indexer(&stack, &url(name), &stack.search_url()).args(PASSIVE);
    says(
        indexing("omphalos-shipper"),
        &lacks("omphalos-shipper", "read", "queue 'omphalos.index'"),
    );
    // It may configure, but not all that is declared may be read and bound by it.
    let half = Users::user(&stack, "omphalos-shipper");
    stack.rabbitmqctl(&["set_permissions", "-p", stack.vhost(), &half, ".*", ".*", "^$"]);
    says(
        shipping("omphalos-shipper"),
        &lacks("omphalos-shipper", "read", "exchange 'omphalos.dead'"),
    );
    let refused = tool(&stack, &url("omphalos-shipper"), &["dead", "list"]).run();
    assert_eq!(
        (refused.code, refused.output.contains("dead letters\n")),
        (Some(0), true),
        "{}",
        refused.output
    );
    stack.amqp().publish("omphalos.dead", "x", BasicProperties::default(), b"what?");
    let refused = tool(&stack, &url("omphalos-shipper"), &["dead", "list"]).run();
    assert_eq!(refused.code, Some(1), "{}", refused.output);
    assert!(
        refused.output.contains(&lacks("omphalos-shipper", "read", "queue 'omphalos.dead'")),
        "{}",
        refused.output
    );
}

/// A user of Elasticsearch with a role of the manual, as a server with security would treat it.
struct Role {
    index: String,
    /// Those of the cluster, and those of the indices.
    granted: BTreeSet<String>,
    used: BTreeSet<String>,
    refused: Vec<String>,
    /// Indices that are there.
    known: BTreeSet<String>,
}

const FORBIDDEN: &str = r#"{"error":{"type":"security_exception","reason":"action is unauthorized for this user"},"status":403}"#;

impl Role {
    fn of_manual(name: &str, prefix: &str, without: &str) -> Arc<Mutex<Self>> {
        let page = page("collector.md");
        let (_, rest) = page.split_once("```json\n").expect("roles");
        let roles: Value =
            serde_json::from_str(rest.split("```").next().expect("its end")).expect("JSON");
        let role = &roles[name];
        let indices = &role["indices"][0];
        assert_eq!(indices["names"], json!(["omphalos-*"]), "{name}");
        let all = [&role["cluster"], &indices["privileges"]].into_iter();
        let all = all.flat_map(|list| list.as_array().into_iter().flatten());
        let granted = all.map(|one| one.as_str().expect("a privilege").to_owned());
        Arc::new(Mutex::new(Self {
            index: format!("{prefix}-"),
            granted: granted.filter(|one| one != without).collect(),
            used: BTreeSet::new(),
            refused: Vec::new(),
            known: BTreeSet::new(),
        }))
    }

    /// What a request needs; `None` where the manual has no privilege for it.
    fn needed(&mut self, request: &Request) -> Option<Vec<&'static str>> {
        let mut words = request.line.split_whitespace();
        let (method, target) = (words.next()?, words.next()?);
        let path = target.split('?').next()?.trim_start_matches('/');
        if let ("GET", "") = (method, path) {
            return Some(vec!["monitor"]);
        }
        if let ("GET" | "PUT", true) = (method, path.starts_with("_index_template/")) {
            return Some(vec!["manage_index_templates"]);
        }
        if let ("POST", "_bulk") = (method, path) {
            return self.needed_for(&request.body);
        }
        let (index, action) = path.rsplit_once('/')?;
        if !index.starts_with(&self.index) {
            return None;
        }
        match (method, action) {
            ("GET", "_mapping") => Some(vec!["view_index_metadata"]),
            ("POST", "_search" | "_mget") => Some(vec!["read"]),
            ("POST", "_refresh") => Some(vec!["maintenance"]),
            _ => None,
        }
    }

    /// What the actions of a bulk need.
    fn needed_for(&mut self, body: &[u8]) -> Option<Vec<&'static str>> {
        let mut needed = vec!["create_doc"];
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for line in lines.step_by(2) {
            let action: Value = serde_json::from_slice(line).ok()?;
            let index = action["create"]["_index"].as_str()?;
            if !index.starts_with(&self.index) {
                return None;
            }
            if self.known.insert(index.to_owned()) {
                needed.push("auto_configure");
            }
        }
        Some(needed)
    }

    fn judge(&mut self, request: &Request) -> Action {
        let needed = self
            .needed(request)
            .filter(|needed| needed.iter().all(|one| self.granted.contains(*one)));
        let Some(needed) = needed else {
            self.refused.push(request.line.clone());
            self.known.clear();
            return Action::Answer(403, FORBIDDEN);
        };
        self.used.extend(needed.into_iter().map(str::to_owned));
        Action::Forward
    }
}

fn behind(role: &Arc<Mutex<Role>>, stack: &Stack) -> Interposer {
    let role = Arc::clone(role);
    let search = stack.search_url();
    Interposer::before(&search, move |request| role.lock().expect("a role").judge(request))
}

#[test]
fn indexer_search_and_audit_do_their_work_with_the_roles_of_the_manual_alone() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(200);
    let writer = Role::of_manual("omphalos-indexer", stack.prefix(), "");
    let written = behind(&writer, &stack);
    let shipped = shipper(&stack, &stack.amqp_url(), &log).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let drained = indexer(&stack, &stack.amqp_url(), &written.url()).arg("--drain").run();
    assert_eq!(drained.code, Some(0), "{}", drained.output);
    stack.elastic().wait_for_count(200);

    let reader = Role::of_manual("omphalos-reader", stack.prefix(), "");
    let read = behind(&reader, &stack);
    // Who finds nothing is told which fields there are.
    for (query, expected) in [("status:*", 0), ("nosuchfield:1", 1)] {
        let found = Program::new("omphalos", &stack.path("omphalos.log"))
            .args(["search", query, "--since", "3650d", "--limit", "5"])
            .option("--elasticsearch-url", read.url())
            .option("--index-prefix", stack.prefix())
            .run();
        assert_eq!(found.code, Some(expected), "{}", found.output);
    }
    let audit = |expected: i32| {
        let exited = Program::new("omphalos", &stack.path("audit.log"))
            .args(["audit", &log.path().display().to_string(), "--parser", "combined"])
            .args(["--host-name", "web1", "--index-prefix", stack.prefix()])
            .option("--state-dir", stack.path("state").display())
            .option("--elasticsearch-url", read.url())
            .run();
        assert_eq!(exited.code, Some(expected), "{}", exited.output);
    };
    audit(0);
    let documents = stack.elastic().documents(&["log.offset"]);
    let offset = documents[0].1["log"]["offset"].as_u64().expect("an offset");
    delete_at(&stack.elastic(), [offset]);
    audit(1);
    for role in [&writer, &reader] {
        let role = role.lock().expect("a role");
        assert!(role.refused.is_empty(), "the manual has no privilege for {:?}", role.refused);
        assert_eq!(role.used, role.granted, "every privilege is needed");
    }
}

#[test]
fn an_indexer_without_a_privilege_holds_and_names_those_that_it_needs() {
    let stack = Stack::shared();
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(20);
    let shipped = shipper(&stack, &stack.amqp_url(), &log).arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    for without in ["create_doc", "auto_configure", "manage_index_templates"] {
        let role = Role::of_manual("omphalos-indexer", stack.prefix(), without);
        let written = behind(&role, &stack);
        let held = indexer(&stack, &stack.amqp_url(), &written.url()).listening().start();
        held.wait_for_log("auto_configure, create_doc and manage_index_templates");
        eventually("it holds", || {
            let held = held.metric("omphalos_held");
            holds(held > 0.5, held)
        });
        drop(held);
        fs::remove_file(stack.path("indexer.log")).expect("the log");
    }
    assert_eq!(stack.elastic().count(), Ok(0));
}
