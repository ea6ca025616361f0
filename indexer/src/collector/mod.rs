//! The collector: what takes the documents of deliveries and gives one final verdict on each.
//!
//! - `ledger`: which documents of which delivery have none yet
//! - `bulk`: the body of a request; `courier` carries it until each document has a verdict, which
//!   `reply` reads from the answer, behind a `gate` that is closed while the cluster takes nothing
//! - `conflict`: the second form of a document whose fields clash with the mapping
//! - `concurrency`: how many requests are in flight
//! - `settings`: the `[bulk]` and `[index]` tables
//! - `dead`, `dead_file`: where refused documents go
//! - [`Unsettled`]: why documents were left without a verdict

mod bulk;
mod concurrency;
mod conflict;
mod courier;
mod dead;
mod dead_file;
mod gate;
mod ledger;
mod reply;
mod settings;
mod tally;
mod unsettled;

pub(crate) use bulk::Placed;
pub use bulk::{Bulk, BulkBuilder, DeliveryId, Filing};
pub use concurrency::Concurrency;
pub(crate) use conflict::second_form;
pub use courier::{Courier, Done};
pub use dead::{DeadLetters, Letter, Stored};
pub use dead_file::{DEAD_FILE_NAME, DeadFile, FileLetter, read_lines};
pub use gate::Gate;
pub use ledger::Ledger;
pub(crate) use reply::{Verdict, verdicts};
pub use settings::{BULK_SETTINGS, BulkSettings, INDEX_SETTINGS, IndexNaming, IndexSettings};
pub use unsettled::Unsettled;
