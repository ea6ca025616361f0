//! How batches travel: the message and its receipt, the bytes of a batch ([`wire`]), the [`spool`]
//! in which messages wait on disk, and a room for each road. A road has two ends, so it lives here
//! whole, with the test of the round trip beside it. Nothing here knows the shipper or the indexer.

pub mod amqp;
pub mod batch;
pub mod dead_letter;
pub mod intake;
pub mod local;
pub mod message;
pub mod messages;
mod receipt;
pub mod road;
pub mod spool;
pub mod udp;
pub mod wire;

pub use message::{About, Message, Origin};
pub use receipt::{Receipt, Window};
