//! Where lines come from.

pub mod files;
pub mod fleet;
pub mod pacing;
mod parcel;
pub mod udp;

use super::figures::SourceState;

/// What is known of where lines come from, for whoever shows it.
pub trait Source: Send + Sync {
    /// How each file, or other source, is.
    fn states(&self) -> Vec<SourceState>;

    /// Begins anew with the lines that were counted already, where they can be read once more: calls
    /// `forget` between the last line of before and the first one of after.
    fn begin_again(&self, forget: &dyn Fn()) {
        forget();
    }
}
