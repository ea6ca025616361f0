//! Servers that are one: a RabbitMQ cluster whose nodes come and go.

mod search;

pub use self::search::SearchCluster;

use std::path::Path;

use serde_json::Value;

use crate::server::Server;

/// RabbitMQ nodes that are joined. Each can be killed, stopped, suspended and started again, on
/// the same port.
///
/// A node that is started waits for those that were up when it went down: after an end of all of
/// them, [`Self::start_all`] starts those that are down at the same moment. Whoever starts them one
/// by one uses [`Server::begin_start`] for each first.
pub struct BrokerCluster {
    nodes: Vec<Server>,
    /// By which the nodes find each other. It outlives every node.
    _registry: Server,
}

impl BrokerCluster {
    /// Starts so many nodes in directories below `directory`, joined and ready; `settings` are
    /// lines of `rabbitmq.conf`.
    pub fn start(directory: &Path, size: usize, settings: &[&str]) -> Self {
        let shared = directory.join("cluster");
        let registry = Server::new("epmd.sh", &[], &shared, &[""; 0]).started();
        let node = |number: usize| {
            let words = words(&shared, number, settings);
            Server::new("rabbitmq.sh", &[], &directory.join(name(number)), &words)
        };
        let nodes = (0..size).map(node).collect();
        let mut cluster = Self { nodes, _registry: registry };
        // The first one founds the cluster: those who join must find it there.
        cluster.nodes[0].start();
        cluster.start_all();
        assert!(cluster.is_whole(), "{}", cluster.nodes[0].rabbitmqctl(&["cluster_status"]));
        cluster
    }

    /// A node.
    pub fn node(&mut self, number: usize) -> &mut Server {
        &mut self.nodes[number]
    }

    /// How many nodes there are, up or down.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// The port of a node, also while it is down.
    pub fn port(&self, number: usize) -> u16 {
        self.nodes[number].port()
    }

    /// The URLs of all nodes, up or down.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// Starts every node that is down, at the same moment, and waits until all are ready.
    pub fn start_all(&mut self) {
        start_all(&mut self.nodes);
    }

    /// Whether all nodes are up, and each sees all of them. What a node says alone may be old news,
    /// for the time of `net_ticktime`.
    pub fn is_whole(&self) -> bool {
        self.nodes.iter().all(|node| {
            node.is_started()
                && !node.is_suspended()
                && running(node).is_some_and(|running| running == self.size())
        })
    }

    /// Makes every node that runs write down the names of its queues: see
    /// [`Server::sync_queue_names`].
    pub fn sync_queue_names(&self) {
        for node in self.nodes.iter().filter(|node| node.is_started() && !node.is_suspended()) {
            node.sync_queue_names();
        }
    }
}

impl Drop for BrokerCluster {
    fn drop(&mut self) {
        stop_all(&mut self.nodes);
    }
}

/// How many nodes a node sees, itself included, unless it is parted from some.
fn running(node: &Server) -> Option<usize> {
    let arguments = ["-q", "--timeout", "10", "cluster_status", "--formatter", "json"];
    let status: Value = serde_json::from_str(&node.try_rabbitmqctl(&arguments).ok()?).ok()?;
    let is_parted = status.get("partitions")?.as_object().is_some_and(|parts| !parts.is_empty());
    if is_parted { None } else { status.get("running_nodes")?.as_array().map(Vec::len) }
}

/// A node's name, and its directory's.
fn name(number: usize) -> String {
    format!("rabbit{number}")
}

/// What a node of the cluster is started with.
fn words(shared: &Path, number: usize, settings: &[&str]) -> Vec<String> {
    let mut words = vec![format!("cluster={}", shared.display()), format!("node={}", name(number))];
    if !settings.iter().any(|setting| setting.starts_with("cluster_partition_handling=")) {
        // A partition, such as a long suspension makes, lasts for ever by default, and with
        // pause_minority too (seen with 3.10; it seems that a node that goes on is connected again
        // before it counts itself alone).
        words.push("cluster_partition_handling=autoheal".to_owned());
    }
    if number > 0 {
        words.push("cluster_formation.peer_discovery_backend=classic_config".to_owned());
        for (key, peer) in [(1, 0), (2, number)] {
            let nodes = format!("cluster_formation.classic_config.nodes.{key}");
            words.push(format!("{nodes}={}@localhost", name(peer)));
        }
    }
    words.extend(settings.iter().map(|setting| (*setting).to_owned()));
    words
}

/// Starts all that are down at the same moment; none may be ready before others are there.
fn start_all(nodes: &mut [Server]) {
    for node in nodes.iter_mut().filter(|node| !node.is_started()) {
        node.begin_start();
    }
    for node in nodes {
        node.finish_start();
    }
}

/// Stops all at the same moment: each would else wait for a cluster that is not there any more.
fn stop_all(nodes: &mut [Server]) {
    let stopping: Vec<_> = nodes.iter_mut().filter_map(Server::begin_stop).collect();
    for mut script in stopping {
        script.wait().ok();
    }
}
