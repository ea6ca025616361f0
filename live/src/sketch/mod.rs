//! What is kept of lines instead of the lines: figures whose size is bounded whatever comes, and that
//! can be merged.

mod clients;
mod counts;
mod index;
mod key_latency;
mod latency;
mod merge;
mod registers;
mod table;
mod uniques;

pub use clients::Clients;
pub use counts::{Counts, Figures, Over};
pub use index::Index;
pub use key_latency::{KeyLatency, WITHIN as KEY_LATENCY_WITHIN, bucket};
pub use latency::{Latency, WITHIN as LATENCY_WITHIN};
pub use merge::{Depth, Merged, Merger};
pub use table::{KEY_BYTES, Key, Table};
pub use uniques::Uniques;

#[cfg(test)]
mod tests;
