//! What both ends of Omphalos share: the document and its batch, the transports, settings,
//! retry, shutdown and telemetry. Nothing here knows the shipper or the indexer.

pub mod batch;
pub mod config;
pub mod event;
pub mod ids;
pub mod retry;
pub mod shutdown;
pub mod spool;
pub mod telemetry;
pub mod tls;
pub mod transport;
