//! AMQP 0-9-1 as RabbitMQ speaks it: both ends of the transport, and the topology between them.
//!
//! Promises: a message that the sender calls delivered was routed to a queue and confirmed by the
//! broker (publisher confirms, `mandatory`, persistent); a delivery that the receiver hands out is
//! acknowledged by its user or comes again. A connection that fails is rebuilt from nothing,
//! forever, with backoff; lapin's own recovery is not used (lapin#450, lapin#434).

mod access;
mod broker;
mod dead_queue;
mod depth;
mod metrics;
mod properties;
mod receiver;
mod road;
mod sender;
mod settings;
mod topology;
mod watch;

pub use broker::{Broker, BrokerLink, ConnectError};
pub use dead_queue::{DeadMessage, DeadQueue, DeadQueueError, Replayed};
pub use depth::waiting_messages;
pub use metrics::{ReceiverMetrics, SenderMetrics};
pub use receiver::{Receiver, ReceiverOptions};
pub use road::AmqpPlan;
pub use sender::{AmqpSender, AmqpSenderOptions, Heartbeats};
pub use settings::{AMQP_SETTINGS, AmqpSettings, TopologyMode};
pub use topology::{Topology, TopologyError};
pub use watch::{SHARES, Sample, WatchedMessage, Watcher};
