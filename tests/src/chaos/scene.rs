//! The whole chain on this machine: hosts with shippers, three brokers, two indexers, two
//! Elasticsearch nodes, and links between them that can be harmed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::lines;
use super::site::{Site, urls};
use super::storm::Storm;
use super::worker::Worker;
use super::writer::Kind;
use crate::cluster::{BrokerCluster, SearchCluster};
use crate::program::{Program, binary};
use crate::wait::{eventually, holds};
use crate::{Amqp, Clock, Elastic, Filler, Mount, TcpProxy};

/// The queue of documents, and that of dead letters.
pub const QUEUE: &str = "omphalos.index";
/// Where refused documents are.
pub const DEAD: &str = "omphalos.dead";
/// What index names begin with.
pub const PREFIX: &str = "chaos";

const BROKERS: usize = 3;
const SEARCH_NODES: usize = 2;
/// Room for the data of one broker, and of one Elasticsearch node, in bytes.
const BROKER_BYTES: u64 = 600 << 20;
const SEARCH_BYTES: u64 = 1 << 30;

/// An indexer and its ways.
pub struct Desk {
    /// The indexer.
    pub indexer: Worker,
    /// To the brokers.
    pub broker_links: Vec<TcpProxy>,
    /// To the nodes of Elasticsearch.
    pub search_links: Vec<TcpProxy>,
    /// The wall clock of the indexer.
    pub clock: Clock,
}

/// Everything. Fields are dropped in this order: processes first, then what they use.
pub struct Scene {
    /// The hosts.
    pub sites: Vec<Site>,
    /// The indexers.
    pub desks: Vec<Desk>,
    /// Others that load Elasticsearch.
    pub storm: Option<Storm>,
    /// What fills a server's disk.
    pub filler: Option<Filler>,
    /// RabbitMQ.
    pub brokers: BrokerCluster,
    /// Elasticsearch.
    pub search: SearchCluster,
    /// The small disks of brokers and nodes, where there can be any.
    pub broker_disks: Vec<Mount>,
    /// Those of Elasticsearch.
    pub search_disks: Vec<Mount>,
    /// Something was deleted by hand that was confirmed, so that an audit has to bring it back.
    pub is_robbed: bool,
    directory: PathBuf,
}

impl Scene {
    /// Starts everything in an empty directory.
    pub fn start(directory: &Path, seed: u64) -> Self {
        let disks = |name: &str, count: usize, bytes: u64| -> Vec<Mount> {
            let place = |number| directory.join(format!("{name}{number}/data"));
            (0..count).map_while(|number| disk(&place(number), bytes)).collect()
        };
        let broker_disks = disks("rabbit", BROKERS, BROKER_BYTES);
        let search_disks = disks("search", SEARCH_NODES, SEARCH_BYTES);
        let brokers = std::thread::scope(|scope| {
            let brokers =
                scope.spawn(|| BrokerCluster::start(directory, BROKERS, &[BROKER_SETTING]));
            (SearchCluster::start(directory, SEARCH_NODES, &SEARCH_SETTINGS), brokers.join())
        });
        let (search, brokers) = (brokers.0, brokers.1.expect("the brokers start"));
        let mut scene = Self {
            sites: Vec::new(),
            desks: Vec::new(),
            storm: None,
            filler: None,
            brokers,
            search,
            broker_disks,
            search_disks,
            is_robbed: false,
            directory: directory.to_owned(),
        };
        scene.open_desks();
        scene.open_sites(seed);
        scene
    }

    fn broker_ports(&self) -> Vec<u16> {
        (0..self.brokers.size()).map(|number| self.brokers.port(number)).collect()
    }

    fn open_desks(&mut self) {
        for name in ["indexer1", "indexer2"] {
            let clock = Clock::new(&self.directory.join(format!("{name}.clock")));
            let link = |port: &u16| TcpProxy::before(*port);
            let broker_links: Vec<TcpProxy> = self.broker_ports().iter().map(link).collect();
            let search_ports: Vec<u16> =
                (0..self.search.size()).map(|number| self.search.node(number).port()).collect();
            let search_links: Vec<TcpProxy> = search_ports.iter().map(link).collect();
            let search =
                search_links.iter().map(|link| format!("http://127.0.0.1:{}", link.port()));
            let program =
                Program::new("omphalos-indexer", &self.directory.join(format!("{name}.log")))
                    .option("--amqp-url", urls(&broker_links))
                    .option("--elasticsearch-url", search.collect::<Vec<_>>().join(","))
                    .option("--index-prefix", PREFIX)
                    .option("--index-replicas", 1)
                    .with_clock(clock.file());
            let indexer = Worker::start(name, program);
            self.desks.push(Desk { indexer, broker_links, search_links, clock });
        }
    }

    fn open_sites(&mut self, seed: u64) {
        for (number, kind) in (1u64..).zip(Kind::ALL) {
            let name = format!("web{number}");
            let directory = self.directory.join(&name);
            std::fs::create_dir_all(&directory).expect("a directory");
            let ports = self.broker_ports();
            self.sites.push(Site::start(&directory, &name, kind, &ports, seed + number));
        }
    }

    /// Every process under test.
    pub fn workers(&mut self) -> impl Iterator<Item = &mut Worker> {
        let shippers = self.sites.iter_mut().map(|site| &mut site.shipper);
        shippers.chain(self.desks.iter_mut().map(|desk| &mut desk.indexer))
    }

    /// Looks at the counters of all processes.
    pub fn look(&mut self) {
        self.workers().for_each(Worker::look);
    }

    /// A client of a broker that is there.
    pub fn amqp(&mut self) -> Amqp {
        let number = self.broker();
        Amqp::connect(&format!("{}/%2f", self.brokers.node(number).url()))
    }

    /// The number of a broker that is there.
    pub fn broker(&mut self) -> usize {
        let is_there = |number: &usize| {
            let node = self.brokers.node(*number);
            node.is_started() && !node.is_suspended()
        };
        (0..BROKERS).find(is_there).expect("a broker that is there")
    }

    /// `rabbitmqctl` at a broker that is there.
    pub fn rabbitmqctl(&mut self, arguments: &[&str]) -> String {
        let number = self.broker();
        self.brokers.node(number).rabbitmqctl(arguments)
    }

    /// A client of a node of Elasticsearch that is there.
    pub fn elastic(&mut self) -> Elastic {
        let is_there = |number: &usize| {
            let node = self.search.node(*number);
            node.is_started() && !node.is_suspended()
        };
        let number = (0..SEARCH_NODES).find(is_there).unwrap_or(0);
        Elastic::new(&self.search.node(number).url(), PREFIX)
    }

    /// Waits until the queue is known to all brokers for good.
    pub fn settle_queues(&mut self) {
        let mut declared = || {
            let queues = self.rabbitmqctl(&["-q", "list_queues", "name"]);
            holds(queues.contains(QUEUE) && queues.contains(DEAD), &queues)
        };
        eventually("the queues are declared", &mut declared);
        self.brokers.sync_queue_names();
    }

    /// How many lines there are.
    pub fn written(&self) -> u64 {
        self.sites.iter().map(|site| site.writer.written()).sum()
    }

    /// Whether a line of this number is in the index, for a site.
    pub fn has_line(elastic: &Elastic, site: &Site, number: u64) -> bool {
        let query = json!({ "query": { "bool": { "filter": [
            lines::query(number),
            { "prefix": { "log.file.path": site.logs.display().to_string() } },
        ] } } });
        let path = format!("{PREFIX}-*/_count?ignore_unavailable=true");
        let found = elastic.request(reqwest::Method::POST, &path, Some(&query));
        found.is_ok_and(|(_, answer)| answer["count"].as_u64() > Some(0))
    }

    /// The dead letters: the number of the line of each, and from which site.
    pub fn dead_letters(&mut self) -> BTreeSet<(PathBuf, u64)> {
        let number = self.broker();
        let output = Command::new(binary("omphalos"))
            .args(["dead", "show", "--amqp-url"])
            .arg(format!("{}/%2f", self.brokers.node(number).url()))
            .output()
            .expect("omphalos dead show runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "omphalos dead show: {errors}");
        let letters = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        let mut dead = BTreeSet::new();
        for letter in letters {
            let letter = letter.expect("JSON");
            let body = &letter["body"];
            let path = PathBuf::from(body["log"]["file"]["path"].as_str().unwrap_or_default());
            let directory = path.parent().unwrap_or(&path).to_owned();
            let number = lines::number_of(body);
            dead.insert((directory, number.unwrap_or_else(|| panic!("a dead letter: {letter}"))));
        }
        dead
    }

    /// Ships again what was lost by a hand that deleted it.
    pub fn repair(&mut self) {
        let search = self.elastic().url().to_owned();
        let number = self.broker();
        let amqp = format!("{}/%2f", self.brokers.node(number).url());
        for site in &self.sites {
            let output = Command::new(binary("omphalos"))
                .arg("audit")
                .args(site.files_to_audit())
                .arg("--repair")
                .arg("--config")
                .arg(&site.settings)
                .args(["--elasticsearch", &search, "--index-prefix", PREFIX, "--amqp-url", &amqp])
                .arg("--state-dir")
                .arg(&site.state)
                .output()
                .expect("omphalos audit runs");
            let said = [output.stdout, output.stderr]
                .map(|text| String::from_utf8_lossy(&text).into_owned());
            assert!(output.status.success(), "omphalos audit: {}{}", said[0], said[1]);
        }
        self.is_robbed = false;
    }
}

/// A small disk, in a directory that is made for it.
fn disk(at: &Path, bytes: u64) -> Option<Mount> {
    std::fs::create_dir_all(at).expect("a directory");
    Mount::memory_of(at, bytes)
}

/// The alarm is raised while there is still some room.
const BROKER_SETTING: &str = "disk_free_limit.absolute=100MB";

/// A queue that is soon full, so that others can make it refuse; and disks that are soon too full.
const SEARCH_SETTINGS: [&str; 7] = [
    // A node whose disk is so full that it cannot take the state of the cluster is left out after this, not after 90 s.
    "cluster.follower_lag.timeout=10s",
    "thread_pool.write.queue_size=8",
    "cluster.info.update.interval=10s",
    "cluster.routing.allocation.disk.threshold_enabled=true",
    "cluster.routing.allocation.disk.watermark.low=60mb",
    "cluster.routing.allocation.disk.watermark.high=50mb",
    "cluster.routing.allocation.disk.watermark.flood_stage=40mb",
];
