//! Where lines come from.

pub mod files;
pub mod pacing;
