//! Collectors: what takes the documents of deliveries and gives one final verdict on each.

mod dead;
mod dead_file;
pub mod elasticsearch;
mod ledger;
mod names;

pub use dead::{DeadLetters, Letter, Stored};
pub use dead_file::DeadFile;
pub use ledger::Ledger;
pub use names::{IndexNames, IndexPeriod, NameRules};
