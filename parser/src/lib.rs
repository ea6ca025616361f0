//! From a line to the fields of an ECS document.
//!
//! A parser borrows a line and says what is in it: the time, if the line has one, and the fields
//! it is certain of. It does no I/O, keeps no clock and refuses nothing: a line that it cannot
//! read in full comes back with a problem, and is shipped whole in `message`.
//!
//! To add a format: write `parser/src/yourformat.rs` with a type that implements [`Parse`], and add a
//! row to the one list, in `formats.rs`. A row makes a [`Format`] of what settings say: that is
//! checked once, and makes the parser of each file. Settings that a format has for itself are fields
//! of its parser, which the closure in its row fills in. What it finds goes into one of the forms of
//! [`Fields`], or by any names into the [`List`] beside it; the document need not know of it.

mod access;
mod address;
#[cfg(test)]
mod allocations;
mod app;
mod aws;
mod database;
pub mod detect;
mod document;
mod fields;
mod formats;
mod haproxy;
mod journald;
mod json;
mod klog;
mod level;
mod logfmt;
mod lookup;
pub mod pages;
mod pattern;
mod proxies;
mod raw;
mod request;
pub mod scribe;
mod security;
mod server_error;
mod services;
pub mod settings;
pub mod steps;
mod syslog;
mod table;
mod text;
mod url;
mod w3c;
mod words;

#[cfg(test)]
mod tests;

pub use document::{
    Documents, Event, Explainer, Frame, ModuleKind, Onlooker, Place, Shape, Watcher, Written,
};
pub use fields::{Fields, List, Name, Value};
pub use formats::{Format, ParserKind};
pub use lookup::Seen;
pub use omphalos_common::event::DocumentId;
pub use omphalos_common::json::without_halves;
use omphalos_common::time;
pub use request::Request;
pub use scribe::Origin;
pub use time::{Calendar, Time, TimeFormat, TimeRule, Told};

use std::fmt;

/// What every format implements: the parser of one file, with what it remembers of the file.
pub trait Parse: fmt::Debug + Send {
    /// What is in `line`, which has no line end, and is not blank. Fields that have no place in the
    /// forms of [`Fields`] are added to `others`.
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a>;

    /// Whether lines have a time that can be read, as a rule.
    fn has_times(&self) -> bool {
        true
    }

    /// By which lines that stand earlier in the file lines are read.
    fn preface(&self) -> Preface {
        Preface::None
    }
}

/// What lines of a format are read by that stands earlier in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preface {
    /// Nothing.
    None,
    /// Lines that begin with `#`: the last of each of these names, in any case.
    Directives(&'static [&'static str]),
    /// The first line, which names the columns.
    Header,
}

/// What a parser found in a line.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one line")]
pub enum Parsed<'a> {
    /// Something to ship.
    Event {
        /// The line's own time.
        time: Option<Time>,
        /// Whether the time is not all the line's own: it has no zone, and none is known for the file, or
        /// its day is concluded from elsewhere. It may be hours or a day off.
        is_assumed: bool,
        /// What the parser is certain of.
        fields: Fields<'a>,
        /// Why the rest was not understood; the line is then shipped in `message` as well.
        problem: Option<&'a str>,
    },
    /// Nothing to ship: the line speaks about the file, such as `#Fields`.
    Directive,
}
