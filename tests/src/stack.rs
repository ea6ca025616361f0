//! The scene of a test: a broker, a search engine, a directory, and names that no other test uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::program::Program;
use crate::server::{Engine, Server};
use crate::{Amqp, Elastic, repository};

/// A directory, a virtual host and an index prefix of one test's own.
pub struct Stack {
    directory: TempDir,
    vhost: String,
    prefix: String,
    broker: Broker,
    search: Search,
}

enum Broker {
    Shared,
    Own(Server),
}

enum Search {
    Shared,
    Own(Server),
}

/// The servers that tests share which do not break them.
struct Shared {
    amqp_url: String,
    /// Beside the broker's data; `None` for a broker that someone else runs.
    rabbitmqctl: Option<String>,
    search_url: String,
    // Kept alive for the whole run; they end with it.
    _servers: Vec<Server>,
}

static SHARED: OnceLock<Shared> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn shared() -> &'static Shared {
    SHARED.get_or_init(|| {
        let directory = directory_of_this_run();
        let mut servers = Vec::new();
        let mut rabbitmqctl = None;
        let amqp_url = std::env::var("OMPHALOS_TEST_AMQP_URL").unwrap_or_else(|_| {
            let server = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
            rabbitmqctl = Some(directory.join("rabbitmq/rabbitmqctl").display().to_string());
            servers.push(server);
            servers.last().expect("just pushed").url()
        });
        let search_url = std::env::var("OMPHALOS_TEST_ES_URL").unwrap_or_else(|_| {
            let server = Server::search(Engine::Es9, &directory.join("search"), &[]);
            servers.push(server);
            servers.last().expect("just pushed").url()
        });
        Shared { amqp_url, rabbitmqctl, search_url, _servers: servers }
    })
}

/// The tool of the shared broker.
fn rabbitmqctl() -> &'static str {
    shared().rabbitmqctl.as_deref().unwrap_or("rabbitmqctl")
}

/// A directory that outlives statics, and is removed by the next run.
fn directory_of_this_run() -> PathBuf {
    let parent = repository().join("target/e2e");
    for old in fs::read_dir(&parent).into_iter().flatten().flatten() {
        let pid = old.file_name().into_string().unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            fs::remove_dir_all(old.path()).ok();
        }
    }
    let directory = parent.join(std::process::id().to_string());
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

impl Stack {
    /// A scene on the shared servers, for tests that do not break them.
    pub fn shared() -> Self {
        let stack = Self::new(Broker::Shared, Search::Shared);
        Amqp::create_vhost(rabbitmqctl(), &stack.vhost);
        stack
    }

    /// Has the administrator of the shared broker do something.
    pub fn rabbitmqctl(&self, arguments: &[&str]) {
        let output =
            Command::new(rabbitmqctl()).args(arguments).output().expect("rabbitmqctl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {said}");
    }

    /// A scene on the shared broker with a search engine of its own.
    pub fn with_search(engine: Engine, settings: &[&str]) -> Self {
        let mut stack = Self::shared();
        let directory = stack.path("search");
        stack.search = Search::Own(Server::search(engine, &directory, settings));
        stack
    }

    /// A scene with a broker of its own, and the shared search engine.
    pub fn with_broker(settings: &[&str]) -> Self {
        let mut stack = Self::new(Broker::Shared, Search::Shared);
        "/".clone_into(&mut stack.vhost);
        let directory = stack.path("rabbitmq");
        stack.broker = Broker::Own(Server::rabbitmq(&directory, settings));
        stack
    }

    /// A scene with servers of its own, to be killed.
    pub fn own() -> Self {
        let mut stack = Self::with_broker(&[]);
        let directory = stack.path("search");
        stack.search = Search::Own(Server::search(Engine::Es9, &directory, &[]));
        stack
    }

    fn new(broker: Broker, search: Search) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}-{number}", std::process::id());
        let directory = TempDir::with_prefix("omphalos-test-").expect("a directory");
        Self { directory, vhost: name.clone(), prefix: name, broker, search }
    }

    /// A path in the scene's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The scene's own directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where the broker is, with the scene's virtual host.
    pub fn amqp_url(&self) -> String {
        let base = match &self.broker {
            Broker::Shared => shared().amqp_url.clone(),
            Broker::Own(server) => format!("amqp://guest:guest@127.0.0.1:{}", server.port()),
        };
        let vhost = if self.vhost == "/" { "%2f" } else { &self.vhost };
        format!("{}/{vhost}", Amqp::without_vhost(&base))
    }

    /// Where the search engine is.
    pub fn search_url(&self) -> String {
        match &self.search {
            Search::Shared => shared().search_url.clone(),
            Search::Own(server) => format!("http://127.0.0.1:{}", server.port()),
        }
    }

    /// The broker, where it is the scene's own.
    pub fn broker(&mut self) -> &mut Server {
        match &mut self.broker {
            Broker::Own(server) => server,
            Broker::Shared => panic!("the broker is shared"),
        }
    }

    /// The search engine, where it is the scene's own.
    pub fn search_server(&mut self) -> &mut Server {
        match &mut self.search {
            Search::Own(server) => server,
            Search::Shared => panic!("the search engine is shared"),
        }
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// A client of the broker.
    pub fn amqp(&self) -> Amqp {
        Amqp::connect(&self.amqp_url())
    }

    /// A client of the search engine that sees the scene's indices.
    pub fn elastic(&self) -> Elastic {
        Elastic::new(&self.search_url(), &self.prefix)
    }

    /// What the scene's index names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A shipper of the file `log` with the combined format, and whatever is added to it.
    pub fn shipper(&self, log: &Path) -> Program {
        Program::new("omphalos-shipper", &self.path("shipper.log"))
            .arg(log.display())
            .args(["--parser", "combined", "--host-name", "web1"])
            .option("--state-dir", self.path("state").display())
            .option("--amqp-url", self.amqp_url())
    }

    /// An indexer.
    pub fn indexer(&self) -> Program {
        self.indexer_to(&self.search_url())
    }

    /// An indexer that finds Elasticsearch under another URL.
    pub fn indexer_to(&self, search_url: &str) -> Program {
        Program::new("omphalos-indexer", &self.path("indexer.log"))
            .option("--amqp-url", self.amqp_url())
            .option("--elasticsearch-url", search_url)
            .option("--index-prefix", &self.prefix)
            .option("--index-replicas", 0)
    }

    /// An import into Elasticsearch.
    pub fn import(&self) -> Program {
        Program::new("omphalos", &self.path("import.out"))
            .arg("import")
            .option("--state-dir", self.path("state").display())
            .option("--elasticsearch-url", self.search_url())
            .option("--index-prefix", &self.prefix)
    }

    /// The tool `omphalos` with a subcommand that knows the broker.
    pub fn omphalos(&self, arguments: &[&str]) -> Program {
        Program::new("omphalos", &self.path("omphalos.log"))
            .args(arguments)
            .option("--amqp-url", self.amqp_url())
    }
}
