//! The servers and the programs.

use std::path::Path;

use omphalos_tests::{Amqp, Elastic, Engine, Program, Server};
use reqwest::Method;

use crate::directory::PATH;
use crate::end::{End, Stop};

/// The log that is shipped.
pub const LOG: &str = "target/demo/access.log";
/// What the shipper says.
pub const SHIPPER_LOG: &str = "target/demo/shipper.log";
/// What the indexer says.
pub const INDEXER_LOG: &str = "target/demo/indexer.log";

/// What index and queue names begin with on servers that are not ours. Not `omphalos-demo`: two
/// index templates whose patterns overlap refuse each other, and searches in `omphalos-*` would
/// find the demo's documents.
const OWN_NAMES: &str = "demo-omphalos";

/// All that runs; it ends with this value.
pub struct Scene {
    /// The shipper.
    pub shipper: Program,
    /// The indexer.
    pub indexer: Program,
    /// The broker.
    pub amqp: Amqp,
    /// Elasticsearch.
    pub elastic: Elastic,
    /// Where that is.
    pub search_url: String,
    names: Names,
    /// Last, so that they are stopped last.
    servers: Vec<Server>,
}

/// Names of indices, queues and exchanges.
#[derive(Clone, Copy)]
enum Names {
    /// The programs' own defaults, on servers of our own.
    Default,
    /// Ones that no other uses, on servers of others.
    Own,
}

impl Names {
    fn prefix(self) -> &'static str {
        match self {
            Self::Default => "omphalos",
            Self::Own => OWN_NAMES,
        }
    }

    fn queue(self) -> String {
        format!("{}.index", self.prefix())
    }

    fn dead_letters(self) -> String {
        format!("{}.dead", self.prefix())
    }

    fn exchange(self) -> String {
        format!("{}.logs", self.prefix())
    }

    /// The options that a program needs to use these names.
    fn apply(self, program: Program) -> Program {
        match self {
            Self::Default => program,
            Self::Own => program
                .option("--amqp-exchange", self.exchange())
                .option("--amqp-queue", self.queue())
                .option("--amqp-dead-letters", self.dead_letters()),
        }
    }
}

impl Scene {
    /// Starts the servers that are not given by environment variables, and the programs.
    pub fn start(stop: &Stop) -> Result<Self, End> {
        let mut servers = Vec::new();
        let mut names = Names::Default;
        let mut given = |variable: &str| {
            let url = std::env::var(variable).ok()?;
            names = Names::Own;
            Some(url)
        };
        let amqp_url = given("OMPHALOS_TEST_AMQP_URL").unwrap_or_else(|| {
            let server = Server::rabbitmq(&Path::new(PATH).join("rabbitmq"), &[]);
            let url = server.url();
            servers.push(server);
            url
        });
        let amqp_url = with_virtual_host(&amqp_url);
        println!("RabbitMQ:       {amqp_url}");
        stop.check()?;
        let search_url = given("OMPHALOS_TEST_ES_URL").unwrap_or_else(|| {
            let server = Server::search(Engine::Es9, &Path::new(PATH).join("search"), &[]);
            let url = server.url();
            servers.push(server);
            url
        });
        let search_url = search_url.trim_end_matches('/').to_owned();
        println!("Elasticsearch:  {search_url}");
        stop.check()?;
        let elastic = Elastic::new(&search_url, names.prefix());
        let amqp = Amqp::connect(&amqp_url);
        if let Names::Own = names {
            remove_names(names, &amqp, &elastic);
        }
        let shipper = shipper(names, &amqp_url);
        let indexer = indexer(names, &amqp_url, &search_url);
        Ok(Self { shipper, indexer, amqp, elastic, search_url, names, servers })
    }

    /// What index names begin with.
    pub fn prefix(&self) -> &'static str {
        self.names.prefix()
    }

    /// Whether everything that was sent has its verdict.
    pub fn is_settled(&self) -> bool {
        let waiting = "omphalos_documents_in_flight";
        self.shipper.metric(waiting) < 0.5
            && self.amqp.ready(&self.names.queue()) == Ok(0)
            && self.indexer.metric(waiting) < 0.5
    }

    /// An error when a program ended by itself.
    pub fn check(&mut self) -> Result<(), End> {
        let shipper = ("shipper", &mut self.shipper, SHIPPER_LOG);
        let indexer = ("indexer", &mut self.indexer, INDEXER_LOG);
        for (name, program, log) in [shipper, indexer] {
            if !program.is_running() {
                return Err(End::Failed(format!("the {name} ended by itself; see {log}")));
            }
        }
        Ok(())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for program in [&mut self.shipper, &mut self.indexer] {
            if program.is_running() {
                program.kill();
            }
        }
        if let Names::Own = self.names {
            remove_names(self.names, &self.amqp, &self.elastic);
        }
        self.servers.clear();
    }
}

fn shipper(names: Names, amqp_url: &str) -> Program {
    let program = Program::new("omphalos-shipper", Path::new(SHIPPER_LOG))
        .arg(LOG)
        .option("--parser", "combined")
        .option("--state-dir", format!("{PATH}/state"))
        .option("--amqp", amqp_url);
    names.apply(program).listening().start()
}

fn indexer(names: Names, amqp_url: &str, search_url: &str) -> Program {
    let program = Program::new("omphalos-indexer", Path::new(INDEXER_LOG))
        .option("--amqp", amqp_url)
        .option("--elasticsearch", search_url)
        .option("--index-replicas", 0);
    let program = match names {
        Names::Default => program,
        Names::Own => program.option("--index-prefix", names.prefix()),
    };
    names.apply(program).listening().start()
}

/// Removes what a demo makes on servers of others, so that nothing is counted that an earlier one
/// left, and nothing stays.
fn remove_names(names: Names, amqp: &Amqp, elastic: &Elastic) {
    for name in [names.queue(), names.dead_letters()] {
        amqp.delete_queue(&name);
    }
    for name in [names.exchange(), names.dead_letters()] {
        amqp.delete_exchange(&name);
    }
    elastic.delete_all();
    let template = format!("_index_template/{}", names.prefix());
    // It need not be there.
    elastic.request(Method::DELETE, &template, None).ok();
}

/// The URL with the virtual host `/` where it names none.
fn with_virtual_host(url: &str) -> String {
    let base = Amqp::without_vhost(url);
    if url.trim_end_matches('/').len() > base.len() {
        url.to_owned()
    } else {
        format!("{base}/%2f")
    }
}
