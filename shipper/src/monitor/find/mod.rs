//! Which files there are: names and patterns turned into regular files, and events that say when to
//! look again.

pub mod discover;
pub mod events;
pub mod links;
pub mod pattern;
pub mod walk;
pub mod watcher;
