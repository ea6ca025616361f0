//! The books, at moments when nothing is under way: what was written, read, confirmed, indexed and
//! refused must be the same number of lines, to the line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::scene::{QUEUE, Scene};
use super::worker::Worker;
use crate::wait::{eventually, holds};

/// How long everything must look the same, before it is believed to be still where something is
/// missing: an archive is read when it has not changed for two seconds, and looked at each second.
const STILL: Duration = Duration::from_secs(5);

/// What the books came to.
#[derive(Debug, Default)]
pub struct Books {
    /// How often they were compared.
    pub compared: u32,
    /// Lines that a hand deleted, and an audit, or a repeat that was on its way, brought back.
    pub repaired: u64,
    /// Documents that Elasticsearch has, and that were not counted as indexed: its answer was lost,
    /// or who counted was killed.
    pub unanswered: u64,
}

impl Books {
    /// Holds the writers still, waits until nothing is under way, and compares.
    pub fn compare(&mut self, scene: &mut Scene) {
        scene.sites.iter().for_each(|site| site.writer.pause());
        let missing = wait_for_rest(scene);
        let was_robbed = scene.is_robbed;
        if was_robbed {
            self.repaired += missing;
            scene.repair();
            let missing = wait_for_rest(scene);
            assert_eq!(missing, 0, "lines are missing after the audit's repair");
        } else {
            assert_eq!(missing, 0, "lines are missing");
        }
        scene.look();
        for site in &scene.sites {
            balance_shipper(&site.shipper);
        }
        for desk in &scene.desks {
            balance_indexer(&desk.indexer);
        }
        self.compare_sums(scene, was_robbed);
        self.compared += 1;
        scene.sites.iter().for_each(|site| site.writer.settle());
        scene.sites.iter().for_each(|site| site.writer.resume());
    }

    /// What all processes counted, through all their lives, against what is in Elasticsearch.
    fn compare_sums(&mut self, scene: &mut Scene, was_robbed: bool) {
        let written = scene.written();
        let sum = |name: &str| scene.desks.iter().map(|desk| desk.indexer.ever(name)).sum::<u64>();
        let (indexed, duplicate) = (sum("documents_indexed"), sum("documents_duplicate"));
        let kills: u32 = scene.desks.iter().map(|desk| desk.indexer.kills).sum();
        let mut expected = written + self.repaired;
        if was_robbed {
            // Lines that were sent a second time anyway came back without an audit.
            let returned = indexed.saturating_sub(expected);
            self.repaired += returned;
            expected += returned;
        }
        assert!(indexed <= expected, "{indexed} documents indexed, and only {expected} written");
        // Where an answer of Elasticsearch was lost, its documents are counted when they come
        // again, as duplicates; what is counted just before a kill -9, nobody sees.
        assert!(
            kills > 0 || expected <= indexed + duplicate,
            "{expected} written, {indexed} indexed and {duplicate} duplicates"
        );
        self.unanswered = expected - indexed;
    }
}

/// read = confirmed + skipped + joined + in flight, of this life.
fn balance_shipper(shipper: &Worker) {
    let [read, confirmed, skipped, joined, in_flight, lost] = [
        "lines_read",
        "documents_confirmed",
        "lines_skipped",
        "lines_joined",
        "documents_in_flight",
        "bytes_lost",
    ]
    .map(|name| shipper.now(name));
    let name = &shipper.name;
    assert_eq!(read, confirmed + skipped + joined + in_flight, "the books of {name}");
    assert_eq!((in_flight, lost), (0, 0), "{name}: in flight, bytes lost");
}

/// received = indexed + duplicate + dead-lettered + returned + in flight, of this life.
fn balance_indexer(indexer: &Worker) {
    let [received, indexed, duplicate, dead, returned, in_flight, dropped] = [
        "documents_received",
        "documents_indexed",
        "documents_duplicate",
        "documents_dead",
        "documents_returned",
        "documents_in_flight",
        "documents_dropped",
    ]
    .map(|name| indexer.now(name));
    let name = &indexer.name;
    let answered = indexed + duplicate + dead + returned + in_flight;
    assert_eq!(received, answered, "the books of {name}");
    assert_eq!((in_flight, dropped), (0, 0), "{name}: in flight, dropped");
}

/// Waits until nothing is under way any more; returns how many lines are neither in Elasticsearch
/// nor among the dead letters.
fn wait_for_rest(scene: &mut Scene) -> u64 {
    let expected = scene.written();
    let mut last = BTreeMap::new();
    let mut since = Instant::now();
    let documents = eventually("nothing is under way", || {
        scene.look();
        let mut state: BTreeMap<String, u64> = BTreeMap::new();
        for worker in scene.workers() {
            let in_flight = worker.now("documents_in_flight");
            state.insert(format!("{} in flight", worker.name), in_flight);
        }
        state.insert("in the queue".to_owned(), scene.amqp().ready(QUEUE)?.into());
        let is_idle = state.values().all(|count| *count == 0);
        for worker in scene.workers() {
            let turned = worker.now("lines_read") + worker.now("documents_received");
            state.insert(format!("{} read", worker.name), turned);
        }
        let documents = scene.elastic().count()?;
        assert!(documents <= expected, "{documents} documents of {expected} lines");
        state.insert("documents".to_owned(), documents);
        if !is_idle || state != last {
            since = Instant::now();
        }
        last.clone_from(&state);
        let is_complete = is_idle && documents == expected;
        holds(is_complete || since.elapsed() >= STILL, format!("of {expected}: {state:?}"))?;
        Ok::<u64, String>(documents)
    });
    let dead = scene.dead_letters();
    assert!(dead.is_empty(), "dead letters, of lines that have a second form: {dead:?}");
    expected - documents
}
