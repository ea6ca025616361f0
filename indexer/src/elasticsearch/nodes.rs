//! The nodes of the cluster: requests go to them in turn, and one that does not answer is left
//! alone for a while as long as there are others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use omphalos_common::telemetry::{Due, SharedRepeats};
use tracing::warn;

use super::way::Way;

/// How long a node that did not answer is left alone.
const REST: Duration = Duration::from_secs(10);

/// All nodes.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Node>,
    next: AtomicUsize,
    trouble: SharedRepeats,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    /// The way to it.
    pub way: Way,
    /// Its address, without credentials.
    pub shown: String,
    /// The proxy on the way to it, for errors.
    pub proxy: Option<String>,
    resting_until: Mutex<Option<Instant>>,
}

impl Node {
    /// A node that answers, as far as is known.
    pub fn new(way: Way, shown: String) -> Self {
        Self { way, shown, proxy: None, resting_until: Mutex::new(None) }
    }

    /// With a proxy on the way to it.
    #[must_use]
    pub fn by_way_of(self, proxy: Option<String>) -> Self {
        Self { proxy, ..self }
    }

    fn resting_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.resting_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the node answered.
    pub fn answered(&self) {
        *self.resting_until() = None;
    }
}

impl Nodes {
    /// These nodes.
    pub fn new(nodes: Vec<Node>) -> Self {
        Self { nodes, next: AtomicUsize::new(0), trouble: SharedRepeats::default() }
    }

    /// All addresses.
    pub fn shown(&self) -> String {
        self.nodes.iter().map(|node| node.shown.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The nodes to try for one request, the best first: those that answer, in turn, before those
    /// that are left alone, of which one is tried only where there is no other.
    pub fn in_turn(&self) -> Vec<&Node> {
        let now = Instant::now();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len().max(1);
        let (before, after) = self.nodes.split_at(first);
        let order: Vec<&Node> = after.iter().chain(before).collect();
        let rests = |node: &&&Node| node.resting_until().is_some_and(|until| until > now);
        let awake: Vec<&Node> = order.iter().filter(|node| !rests(node)).copied().collect();
        if awake.is_empty() {
            order.into_iter().min_by_key(|node| *node.resting_until()).into_iter().collect()
        } else {
            awake
        }
    }

    /// A node did not answer: it is left alone for a while, which is said where others go on.
    pub fn rest(&self, node: &Node, reason: &str) {
        *node.resting_until() = Some(Instant::now() + REST);
        if self.in_turn().iter().any(|other| !std::ptr::eq(*other, node))
            && let Some(Due { repeats }) = self.trouble.due()
        {
            warn!(repeats, "{reason}; going on with the other nodes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elasticsearch::access::Access;

    fn nodes(count: usize) -> Nodes {
        let node = |number: usize| {
            let url = "http://127.0.0.1:1".parse().unwrap();
            let way = Way::new(url, &Access::plain(Duration::from_secs(1))).unwrap();
            Node::new(way, number.to_string())
        };
        Nodes::new((0..count).map(node).collect())
    }

    fn order(nodes: &Nodes) -> String {
        nodes.in_turn().iter().map(|node| node.shown.as_str()).collect()
    }

    #[test]
    fn nodes_take_turns_and_one_that_does_not_answer_is_left_alone() {
        let nodes = nodes(3);
        assert_eq!([order(&nodes), order(&nodes), order(&nodes)], ["012", "120", "201"]);
        nodes.rest(&nodes.nodes[1], "gone");
        for _ in 0..3 {
            assert!(!order(&nodes).contains('1'));
        }
        nodes.nodes[1].answered();
        assert!(order(&nodes).contains('1'));
    }

    #[test]
    fn where_all_are_left_alone_the_first_of_them_is_tried() {
        let nodes = nodes(2);
        nodes.rest(&nodes.nodes[1], "gone");
        nodes.rest(&nodes.nodes[0], "gone");
        assert_eq!([order(&nodes), order(&nodes)], ["1", "1"]);
    }
}
