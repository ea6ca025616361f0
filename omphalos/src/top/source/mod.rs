//! Where lines come from.

pub mod files;
pub mod fleet;
pub mod pacing;

use super::figures::SourceState;

/// What is known of where lines come from, for whoever shows it.
pub trait Source: Send + Sync {
    /// How each file, or other source, is.
    fn states(&self) -> Vec<SourceState>;
}
