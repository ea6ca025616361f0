//! Which of the files that are found is which: the set of those being read, what is known of each,
//! and what becomes of it when it is renamed, copied, emptied or deleted.

pub mod again;
pub mod beside;
pub mod copies;
pub mod files;
pub mod matching;
pub mod others;
pub mod positions;
pub mod turn;
