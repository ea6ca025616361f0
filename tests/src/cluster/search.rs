//! An Elasticsearch cluster.

use std::path::Path;

use crate::TcpProxy;
use crate::port::Port;
use crate::server::{Engine, Server};

/// What a node gets where `OMPHALOS_ES_HEAP` does not say it: there are several.
const HEAP: &str = "400m";

/// Elasticsearch 9 nodes that are joined. Each can be killed, stopped, suspended and started again,
/// on the same port.
///
/// Of two nodes only one has a vote: while that one is away nobody is master, and the other one
/// alone refuses writes. Three stand the loss of any one. A node that is started is ready once it
/// has found a master: see [`Server::begin_start`] and [`Self::start_all`].
pub struct SearchCluster {
    nodes: Vec<Server>,
    /// Before each node, the way on which the others reach it.
    links: Vec<TcpProxy>,
    /// Behind the links, kept while nodes are down.
    _ports: Vec<Port>,
}

impl SearchCluster {
    /// Starts so many nodes in directories below `directory`, joined and ready.
    pub fn start(directory: &Path, size: usize, settings: &[&str]) -> Self {
        // For the nodes among themselves; each must know the others' before one of them runs.
        let reserved: Vec<Port> = (0..size).map(|_| Port::reserve()).collect();
        let ports: Vec<u16> = reserved.iter().map(Port::number).collect();
        let links: Vec<TcpProxy> = ports.iter().map(|port| TcpProxy::before(*port)).collect();
        let address = |link: &TcpProxy| format!("127.0.0.1:{}", link.port());
        let addresses: Vec<String> = links.iter().map(address).collect();
        let names: Vec<String> = (0..size).map(|number| format!("search{number}")).collect();
        let node = |(name, (port, link)): (&String, (&u16, &TcpProxy))| {
            let mut words = vec![
                "discovery.type=multi-node".to_owned(),
                format!("cluster.name=omphalos-{}", ports[0]),
                format!("cluster.initial_master_nodes={}", names.join(",")),
                format!("discovery.seed_hosts={}", addresses.join(",")),
                format!("node.name={name}"),
                format!("transport.port={port}"),
                format!("transport.publish_port={}", link.port()),
            ];
            words.extend(settings.iter().map(|setting| (*setting).to_owned()));
            let engine = Engine::Es9.name();
            let server = Server::new("elasticsearch.sh", &[engine], &directory.join(name), &words);
            let heap = std::env::var("OMPHALOS_ES_HEAP").unwrap_or_else(|_| HEAP.to_owned());
            server.variable("OMPHALOS_ES_HEAP", heap)
        };
        let nodes = names.iter().zip(ports.iter().zip(&links)).map(node).collect();
        let mut cluster = Self { nodes, links, _ports: reserved };
        cluster.start_all();
        cluster
    }

    /// A node.
    pub fn node(&mut self, number: usize) -> &mut Server {
        &mut self.nodes[number]
    }

    /// The way on which the other nodes reach a node.
    pub fn link(&self, number: usize) -> &TcpProxy {
        &self.links[number]
    }

    /// How many nodes there are, up or down.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// The URLs of all nodes, up or down.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// Starts every node that is down, at the same moment, and waits until all are ready.
    pub fn start_all(&mut self) {
        super::start_all(&mut self.nodes);
    }
}

impl Drop for SearchCluster {
    fn drop(&mut self) {
        super::stop_all(&mut self.nodes);
    }
}
