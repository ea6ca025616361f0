//! Tailing: a thread that finds files, reads them fairly, has their lines parsed into batches,
//! and keeps the checkpoint of what is confirmed.
//!
//! It reads only what it could remember: while the checkpoint cannot be saved, and while the
//! stage behind it has no room, no file is read.
//!
//! Four wings and what drives them: `find` says which files there are, `know` which is which,
//! `read` makes documents of one file, `position` says how far each is delivered; `engine` goes
//! round, and is woken by `wake`.

mod alarms;
mod batch;
mod bodies;
mod broken;
mod engine;
mod find;
#[doc(hidden)]
pub mod fuzzing;
mod know;
mod position;
mod read;
mod ready;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;
mod wake;

pub use batch::{ClosedBatch, Owner};
pub use bodies::Bodies;
pub use engine::{Ended, Joints, Monitor, MonitorOptions};
pub use find::discover::{Watched, kind_of, scan};
pub use find::watcher::WatchMode;
pub use know::again::{PeekError, Recalled, begin_again, note_unread, peek, recall};
pub use know::files::{Host, PIPE};
pub use position::clock::{Clock, LineSource, Names};
pub use position::entry::Entry;
pub use position::identity::{FileKey, logical_path};
pub use position::line_numbers::{Lines, Span, number_lines};
pub use position::state::{Other, Remembered, StateDir, StateError};
pub use read::archive::Compression;
pub use read::fit::{format_of, misfit};
pub use read::pipe::{Piece, read_pipe};
pub use read::tail::{TailId, Waits};
pub use settings::{
    Archives, ENGINE_SETTINGS, EngineSettings, Input, LogicalPath, MonitorSettings, Start,
    UNREAD_ARCHIVES, monitor_settings,
};
pub use wake::{End, Inbox};
