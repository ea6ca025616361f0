//! Building the stages and joining them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Listener, Telemetry};
use omphalos_common::transport::amqp::{
    Broker, Receiver, ReceiverMetrics, ReceiverOptions, Sender, SenderMetrics, SenderOptions,
    Topology, Window,
};
use tracing::info;

use crate::collector::DeadLetters;
use crate::collector::elasticsearch::{Client, Courier, Gate, TemplateOptions};
use crate::config::Settings;
use crate::metrics::IndexerMetrics;
use crate::pipeline::Pipeline;

/// Deliveries to ask for before the size of messages is known.
const FIRST_PREFETCH: u16 = 16;

/// Dead letters in flight: few and small.
const DEAD_WINDOW: Window = Window { messages: 256, bytes: 8 * 1024 * 1024 };
const DEAD_CONFIRM_TIMEOUT: Duration = Duration::from_mins(1);

/// Indexes until told to stop; with `drain`, until the queue is empty.
///
/// # Errors
/// [`omphalos_common::config::ConfigError`] for settings that cannot be used; anything else when a
/// stage failed.
pub async fn run(settings: Settings, drain: bool, shutdown: Shutdown) -> anyhow::Result<()> {
    settings.check()?;
    let telemetry = Telemetry::default();
    let metrics = IndexerMetrics::default();
    telemetry.register(|registry| metrics.register(registry));
    let client = Client::new(&settings.elasticsearch, settings.bulk.gzip)?;
    let broker = Arc::new(Broker::new(&settings.amqp, "omphalos-indexer")?);
    let http_stop = Shutdown::new();
    if let Some(address) = settings.listen {
        let listener = Listener::bind(address).await?;
        tokio::spawn(listener.serve(telemetry.clone(), http_stop.clone()));
    }
    info!(
        "omphalos-indexer {} takes queue {:?} at {} to {}",
        env!("CARGO_PKG_VERSION"),
        settings.amqp.queue,
        broker.shown(),
        client.shown()
    );
    let (dead, dead_task) = dead_letters(&settings, &broker, &telemetry);
    let courier = Arc::new(Courier {
        client,
        gate: Gate::new(telemetry.health.clone(), metrics.held.clone()),
        dead,
        metrics,
        template: settings.index.template.then(|| template_options(&settings)),
        request_limit: AtomicUsize::new(usize::MAX),
        known_indices: std::sync::Mutex::default(),
    });
    if courier.wait_until_ready(&shutdown).await {
        let receiver = receiver(&settings, &broker, &telemetry);
        let health = telemetry.health.clone();
        let pipeline = Pipeline::new(settings, receiver, courier, health);
        pipeline.run(drain, shutdown).await?;
    }
    dead_task.abort();
    http_stop.cancel();
    Ok(())
}

fn template_options(settings: &Settings) -> TemplateOptions {
    TemplateOptions {
        prefix: settings.index.prefix.clone(),
        shards: settings.index.shards,
        replicas: settings.index.replicas,
    }
}

fn dead_letters(
    settings: &Settings,
    broker: &Arc<Broker>,
    telemetry: &Telemetry,
) -> (DeadLetters, tokio::task::JoinHandle<()>) {
    let options = SenderOptions {
        part: "dead_letters",
        exchange: settings.amqp.dead_letters.clone(),
        id_prefix: format!("dead-{:016x}", rand::random::<u64>()),
        window: DEAD_WINDOW,
        confirm_timeout: DEAD_CONFIRM_TIMEOUT,
    };
    let metrics = SenderMetrics::default();
    telemetry.register(|registry| metrics.register(registry));
    let topology = Topology::new(&settings.amqp);
    let health = telemetry.health.clone();
    let (sender, task) = Sender::start(Arc::clone(broker), topology, options, metrics, health);
    (DeadLetters::new(sender), task)
}

fn receiver(settings: &Settings, broker: &Arc<Broker>, telemetry: &Telemetry) -> Receiver {
    let options = ReceiverOptions {
        part: "amqp",
        queue: settings.amqp.queue.clone(),
        prefetch: FIRST_PREFETCH,
    };
    let metrics = ReceiverMetrics::default();
    telemetry.register(|registry| metrics.register(registry));
    let topology = Topology::new(&settings.amqp);
    let health = telemetry.health.clone();
    let (receiver, _) = Receiver::start(Arc::clone(broker), topology, options, metrics, health);
    receiver
}
