//! `omphalos top`: the traffic of files or of a fleet, live.

pub mod console;
pub mod figures;
