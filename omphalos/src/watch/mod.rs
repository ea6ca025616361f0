//! Watching lines: what is raised and cleared, and who is told.

pub mod deliver;
