//! Where lines come from.

pub mod files;
pub mod fleet;
pub mod missing;
pub mod pacing;
mod parcel;
pub mod udp;

use super::figures::SourceState;

/// What is known of where lines come from, for whoever shows it.
pub trait Source: Send + Sync {
    /// How each file, or other source, is.
    fn states(&self) -> Vec<SourceState>;

    /// Begins anew with the lines that were counted already, where they can be read once more: calls
    /// `forget` between the last line of before and the first one of after. Where they cannot be read
    /// once more, what is counted begins now, and the answer is why.
    ///
    /// # Errors
    /// Why nothing would be left to count, for people; nothing is forgotten then.
    fn begin_again(&self, forget: &dyn Fn()) -> Result<Option<String>, String> {
        forget();
        Ok(Some("what came before cannot be had again".to_owned()))
    }

    /// Refuses fields that no line can have a value of.
    ///
    /// # Errors
    /// Which field that is, for people.
    fn check_fields(&self, _fields: &[&str]) -> Result<(), String> {
        Ok(())
    }

    /// Whether all lines come one way, so that none comes while it has failed.
    fn is_shared(&self) -> bool {
        false
    }

    /// How often lines went missing on the way here, as far as that is known.
    fn missed(&self) -> u64 {
        0
    }

    /// What is missing in the figures, for people.
    fn notice(&self) -> Option<String> {
        None
    }
}
