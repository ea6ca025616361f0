//! How far each file is delivered, what its lines' ids depend on, and how that survives a crash.

pub mod checkpoint;
pub mod clock;
pub mod entry;
pub mod identity;
pub mod line_numbers;
pub mod progress;
pub mod saver;
pub mod state;
