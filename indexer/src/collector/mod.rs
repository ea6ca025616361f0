//! Collectors: what takes the documents of deliveries and gives one final verdict on each.

mod dead;
pub mod elasticsearch;
mod ledger;
mod names;

pub use dead::{Came, DeadLetters, Letter};
pub use ledger::Ledger;
pub use names::{IndexNames, IndexPeriod, NameRules};
