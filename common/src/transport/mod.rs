//! How batches travel: their bytes ([`wire`]) and the roads they take. A transport has two ends, so
//! it lives here whole, with the test of the round trip beside it.

pub mod amqp;
pub mod dead_letter;
pub mod local;
mod receipt;
pub mod udp;
pub mod wire;
