//! Building the stages and joining them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::ConfigError;
use omphalos_common::own_files::create_directory;
use omphalos_common::rounds::Round;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Telemetry;
use omphalos_transport::Window;
use omphalos_transport::amqp::{
    AmqpSender, AmqpSenderOptions, Broker, Receiver, ReceiverMetrics, ReceiverOptions,
    SenderMetrics, Topology,
};
use omphalos_transport::intake::{Intake, Intakes};
use omphalos_transport::local::LocalReceiver;
use omphalos_transport::spool::{Spool, SpoolOptions};
use omphalos_transport::udp::{
    Feed, LedgerFile, Receivers, RecordReader, UdpIntake, UdpReceiverMetrics,
};
use tokio::task::JoinHandle;
use tracing::info;

use crate::collector::{Courier, DEAD_FILE_NAME, DeadFile, DeadLetters, Gate};
use crate::config::Settings;
use crate::elasticsearch::Client;
use crate::heartbeat;
use crate::metrics::IndexerMetrics;
use crate::pipeline::Pipeline;
use crate::relay::{Relay, RelayMetrics, Source};

/// Deliveries to ask for before the size of messages is known.
const FIRST_PREFETCH: u16 = 16;

/// Dead letters in flight: few and small.
const DEAD_WINDOW: Window = Window { messages: 256, bytes: 8 * 1024 * 1024 };
/// What a relay may have in flight, as the shipper by default.
const RELAY_WINDOW: Window = Window { messages: 1024, bytes: 8 * 1024 * 1024 };
/// A connection on which a confirm takes longer is given up.
const CONFIRM_TIMEOUT: Duration = Duration::from_mins(1);

/// A segment of the spool, in bytes.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// What the process around the indexer gives it.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The stretch of work that it is a part of.
    pub round: Round,
    /// Where it counts, for who wants to look.
    pub metrics: IndexerMetrics,
    /// The way from a shipper in the same process, which is taken instead of the queue.
    pub local: Option<LocalReceiver>,
    /// The name of this host, where it is not the system's.
    pub host: Option<String>,
}

/// Checks all that can be known of settings without asking servers.
///
/// # Errors
/// When one cannot be used; the message names it.
pub fn check(settings: &Settings) -> anyhow::Result<()> {
    settings.check()?;
    if settings.receives_amqp() {
        Broker::new(&settings.amqp, "omphalos-indexer")?;
    }
    Client::new(&settings.elasticsearch, settings.bulk.gzip)?;
    Ok(())
}

/// The same of a relay's.
///
/// # Errors
/// As [`check`].
pub fn check_relay(settings: &Settings) -> anyhow::Result<()> {
    settings.check()?;
    if settings.receives_amqp() {
        return Err(ConfigError::invalid(
            "relay takes documents over UDP only: give it [[receive]] tables with kind = \"udp\" and listen, or --udp ADDRESS",
        )
        .into());
    }
    Broker::new(&settings.amqp, "omphalos-indexer relay")?;
    Ok(())
}

/// A process of its own: indexes until told to stop; with `drain`, until nothing is left.
///
/// # Errors
/// [`ConfigError`] for settings that cannot be used; anything else when a stage failed.
pub async fn run(settings: Settings, drain: bool, round: Round) -> anyhow::Result<()> {
    settings.check()?;
    let _serving = round.kept.serve(settings.process.listening(), round.telemetry.routes()).await?;
    let stop = round.stop.clone();
    run_in(Surroundings { round, ..Surroundings::default() }, settings, drain, stop).await
}

/// The same as a part of a process; with `drain` and a shipper, until that has ended too.
///
/// # Errors
/// As [`run`].
pub async fn run_in(
    surroundings: Surroundings,
    settings: Settings,
    drain: bool,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    settings.check()?;
    let Surroundings { round, metrics, local, host } = surroundings;
    let stage = IndexingStage::new(settings, round.telemetry.clone(), local.is_none())?;
    let settings = &stage.settings;
    stage.telemetry.register(|registry| metrics.register(registry));
    // Before Elasticsearch is waited for, so that they are there from the start.
    let of_receiver = stage.receiver_metrics();
    let client = Client::new(&settings.elasticsearch, settings.bulk.gzip)?;
    info!(
        "omphalos-indexer {} takes {} to {}",
        env!("CARGO_PKG_VERSION"),
        stage.shown(local.is_some()),
        client.shown()
    );
    let udp = stage.udp()?;
    heartbeat::show(settings, host.clone(), (&round.status, &metrics), &stage.telemetry.health);
    round.begin();
    let (dead, dead_task) = stage.dead_letters();
    let courier = Arc::new(Courier {
        client,
        gate: Gate::new(stage.telemetry.health.clone(), metrics.held.clone()),
        shards: Gate::of_shards(stage.telemetry.health.clone(), metrics.without_shard.clone()),
        dead,
        metrics,
        template: settings.index.template.then(|| settings.index.template_options()),
        request_limit: AtomicUsize::new(usize::MAX),
        known_indices: std::sync::Mutex::default(),
    });
    let mut result = Ok(());
    let (receivers, feed) = udp.unzip();
    if courier.wait_until_ready(&shutdown).await {
        let mut intakes: Vec<Box<dyn Intake>> = Vec::new();
        intakes.extend(stage.receiver(of_receiver).map(|queue| Box::new(queue) as Box<dyn Intake>));
        intakes.extend(local.map(|local| Box::new(local) as Box<dyn Intake>));
        if let Some(feed) = feed {
            let records = stage.record_reader(receivers.as_ref())?;
            intakes.push(Box::new(UdpIntake::new(feed, records)));
        }
        let health = stage.telemetry.health.clone();
        // Who ends when nothing is left has nothing to say.
        let _heartbeats =
            if drain { None } else { heartbeat::start(settings, host, &courier, &health)? };
        let intake = Box::new(Intakes(intakes));
        let pipeline = Pipeline::new(settings.clone(), intake, courier, health)?;
        result = pipeline.run(drain, shutdown).await;
    }
    // After the pipeline: what comes until now is in the spool at the next start.
    stop(receivers).await;
    if let Some(task) = dead_task {
        task.abort();
    }
    result
}

/// Takes documents over UDP and publishes them, until told to stop.
///
/// # Errors
/// [`ConfigError`] for settings that cannot be used; anything else when a stage failed.
pub async fn relay(settings: Settings, round: Round) -> anyhow::Result<()> {
    check_relay(&settings)?;
    let broker = Arc::new(Broker::new(&settings.amqp, "omphalos-indexer relay")?);
    let _serving = round.kept.serve(settings.process.listening(), round.telemetry.routes()).await?;
    let stage = IndexingStage::new(settings, round.telemetry.clone(), true)?;
    info!(
        "omphalos-indexer {} relays {} to {}",
        env!("CARGO_PKG_VERSION"),
        stage.shown(false),
        broker.shown()
    );
    let (receivers, feed) = stage.udp()?.context("there is a receiver")?;
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let exchange = stage.settings.amqp.exchange.clone();
    let (sender, task) = stage.sender(broker, ("amqp", &host), exchange, RELAY_WINDOW);
    let metrics = RelayMetrics::default();
    stage.telemetry.register(|registry| metrics.register(registry));
    let records = stage.record_reader(Some(&receivers))?;
    let health = stage.telemetry.health.clone();
    let said = (metrics.clone(), health.clone());
    heartbeat::show_relay(&stage.settings, &host, &round.status, said.clone());
    let _heartbeats = heartbeat::start_of_relay(&stage.settings, &host, said, sender.heartbeats())?;
    let relay = Relay::new(Source { feed, records }, sender, &host, metrics, health)?;
    round.begin();
    let result = relay.run(stage.settings.stop_grace.0, round.stop).await;
    stop(Some(receivers)).await;
    task.abort();
    result
}

/// Ends the receivers, whose threads take a moment.
async fn stop(receivers: Option<Receivers>) {
    if let Some(receivers) = receivers {
        // Fails only if the runtime is being shut down, when all ends anyway.
        drop(tokio::task::spawn_blocking(|| receivers.stop()).await);
    }
}

/// What both kinds of work stand on.
struct IndexingStage {
    settings: Settings,
    telemetry: Telemetry,
    /// `None` where nothing is received over AMQP.
    broker: Option<Arc<Broker>>,
}

impl IndexingStage {
    fn new(settings: Settings, telemetry: Telemetry, amqp: bool) -> Result<Self, ConfigError> {
        let broker = if amqp && settings.receives_amqp() {
            Some(Arc::new(Broker::new(&settings.amqp, "omphalos-indexer")?))
        } else {
            None
        };
        Ok(Self { settings, telemetry, broker })
    }

    /// Where documents come from, for people.
    fn shown(&self, local: bool) -> String {
        let queue = self
            .broker
            .as_ref()
            .map(|broker| format!("queue {:?} at {}", self.settings.amqp.queue, broker.shown()));
        let sockets = self.settings.receive.iter().filter_map(|receive| receive.listen);
        let sockets = sockets.map(|listen| format!("udp {listen}"));
        let local = local.then(|| "what the shipper in this process reads".to_owned());
        queue.into_iter().chain(local).chain(sockets).collect::<Vec<_>>().join(" and ")
    }

    /// Starts the UDP receivers and what reads their spool; `None` where there are none.
    fn udp(&self) -> anyhow::Result<Option<(Receivers, Feed)>> {
        let options = self.settings.udp_receivers()?;
        if options.is_empty() {
            return Ok(None);
        }
        let directory = &self.settings.state_dir;
        create_directory(directory).map_err(|error| {
            ConfigError::invalid(format!(
                "state_dir: cannot make {}: {error}; choose a directory that this user may write to",
                directory.display()
            ))
        })?;
        let (spool, reader) = Spool::open(SpoolOptions {
            directory: directory.join("spool"),
            max_bytes: self.settings.spool.max_bytes.0,
            segment_bytes: SEGMENT_BYTES,
        })
        .map_err(|error| ConfigError::invalid(error.to_string()))?;
        let health = self.telemetry.health.clone();
        let file = LedgerFile::new(directory);
        let receivers = Receivers::start(options, spool.clone(), file, health)?;
        for address in receivers.addresses() {
            info!("taking datagrams at udp {address}");
        }
        let accountant = receivers.accountant();
        self.telemetry.register(|registry| {
            registry.register_collector(Box::new(UdpReceiverMetrics(accountant)));
        });
        Ok(Some((receivers, Feed::start(spool, reader)?)))
    }

    fn record_reader(&self, receivers: Option<&Receivers>) -> std::io::Result<RecordReader> {
        let accountant = receivers.map(Receivers::accountant);
        RecordReader::new(accountant, &self.settings.consume.default_dataset)
    }

    fn dead_letters(&self) -> (DeadLetters, Option<JoinHandle<()>>) {
        let Some(broker) = &self.broker else {
            let path = self.settings.state_dir.join(DEAD_FILE_NAME);
            let limit = self.settings.dead_letters.max_bytes.0;
            return (DeadLetters::in_file(DeadFile::new(&path, limit)), None);
        };
        let exchange = self.settings.amqp.dead_letters.clone();
        let broker = Arc::clone(broker);
        let (sender, task) = self.sender(broker, ("dead_letters", "dead"), exchange, DEAD_WINDOW);
        (DeadLetters::in_queue(sender), Some(task))
    }

    fn sender(
        &self,
        broker: Arc<Broker>,
        (part, prefix): (&'static str, &str),
        exchange: String,
        window: Window,
    ) -> (AmqpSender, JoinHandle<()>) {
        let options = AmqpSenderOptions {
            part,
            exchange,
            id_prefix: format!("{prefix}-{:016x}", rand::random::<u64>()),
            window,
            confirm_timeout: CONFIRM_TIMEOUT,
        };
        let metrics = SenderMetrics::default();
        self.telemetry.register(|registry| metrics.register(registry));
        let topology = Topology::new(&self.settings.amqp);
        AmqpSender::start(broker, topology, options, metrics, self.telemetry.health.clone())
    }

    /// What is counted of a queue; registered where there is one.
    fn receiver_metrics(&self) -> ReceiverMetrics {
        let metrics = ReceiverMetrics::default();
        if self.broker.is_some() {
            self.telemetry.register(|registry| metrics.register(registry));
        }
        metrics
    }

    fn receiver(&self, metrics: ReceiverMetrics) -> Option<Receiver> {
        let broker = self.broker.as_ref()?;
        let options = ReceiverOptions {
            part: "amqp",
            queue: self.settings.amqp.queue.clone(),
            prefetch: FIRST_PREFETCH,
            shipper_users: self.settings.consume.shipper_users.clone(),
        };
        let topology = Topology::new(&self.settings.amqp);
        let health = self.telemetry.health.clone();
        Some(Receiver::start(Arc::clone(broker), topology, options, metrics, health).0)
    }
}
