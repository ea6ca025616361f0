//! How one file is read: its content by offset, line by line, made into documents.

pub mod archive;
pub mod choice;
pub mod content;
pub mod directives;
pub mod fit;
pub mod foreign;
pub mod formats;
pub mod handle;
pub mod head;
pub mod pipe;
pub mod place;
pub mod tail;
pub mod unfinished;
