//! From a line to the fields of an ECS document.
//!
//! A parser borrows a line and says what is in it: the time, if the line has one, and the fields
//! it is certain of. It does no I/O, keeps no clock and refuses nothing: a line that it cannot
//! read in full comes back with a problem, and is shipped whole in `message`.
//!
//! To add a format: write `parser/src/yourformat.rs` with a type that implements [`Parse`], and add a
//! line to each of the lists in this file: [`ParserKind`], [`ParserKind::NAMES`] and
//! [`ParserKind::parser`].

mod access;
mod document;
mod json;
mod raw;
mod request;
pub mod scribe;
pub mod settings;
mod text;
mod time;
mod w3c;

#[cfg(test)]
mod tests;

pub use document::{Documents, Event, Frame, Shape};
pub use time::{Calendar, Time};

use std::fmt;

use json::JsonFields;
use request::Request;
use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};

/// Which format a file has.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ParserKind {
    /// Common Log Format: `host ident user [time] "request" status bytes`.
    Clf,
    /// The same with `"referrer" "user agent"`; nginx's and Apache's usual format.
    Combined,
    /// Combined with the virtual host in front.
    VhostCombined,
    /// W3C extended log file format, with the `#Fields` that the file names.
    W3c,
    /// A JSON object a line.
    Json,
    /// Any text.
    Raw,
}

impl ParserKind {
    /// The names as they are written in settings.
    pub const NAMES: &'static [&'static str] =
        &["clf", "combined", "vhost_combined", "w3c", "json", "raw"];

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<ValueError>::new(name)).ok()
    }

    /// A parser for one file.
    pub fn parser(self) -> Box<dyn Parse> {
        match self {
            Self::Clf => Box::new(access::AccessParser::clf()),
            Self::Combined => Box::new(access::AccessParser::combined()),
            Self::VhostCombined => Box::new(access::AccessParser::vhost_combined()),
            Self::W3c => Box::new(w3c::W3cParser::default()),
            Self::Json => Box::new(json::JsonParser),
            Self::Raw => Box::new(raw::RawParser),
        }
    }

    /// The dataset of files whose settings name none.
    pub fn default_dataset(self) -> &'static str {
        match self {
            Self::Clf | Self::Combined | Self::VhostCombined | Self::W3c => "access",
            Self::Json => "json",
            Self::Raw => "raw",
        }
    }
}

/// What every format implements: the parser of one file, with what it remembers of the file.
pub trait Parse: fmt::Debug + Send {
    /// What is in `line`, which has no line end, and is not blank.
    fn parse<'a>(&'a mut self, calendar: &mut Calendar, line: &'a [u8]) -> Parsed<'a>;

    /// Whether lines are read by directives that stand earlier in the file, and begin with `#`.
    fn has_directives(&self) -> bool {
        false
    }
}

/// What a parser found in a line.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one line")]
pub enum Parsed<'a> {
    /// Something to ship.
    Event {
        /// The line's own time.
        time: Option<Time>,
        /// What the parser is certain of.
        fields: Fields<'a>,
        /// Why the rest was not understood; the line is then shipped in `message` as well.
        problem: Option<&'static str>,
    },
    /// Nothing to ship: the line speaks about the file, such as `#Fields`.
    Directive,
}

/// The fields of one line.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one line")]
pub enum Fields<'a> {
    /// A request to a web server.
    Request(Request<'a>),
    /// A JSON object.
    Json(JsonFields<'a>),
    /// None: the line itself is the message.
    Message,
}
