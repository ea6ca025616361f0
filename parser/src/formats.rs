//! The list of formats, and what the parsers of a file's format are made of.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::Parse;
use super::access::AccessParser;
use super::json::JsonParser;
use super::raw::RawParser;
use super::time::TimeRule;
use super::w3c::W3cParser;

/// Makes [`ParserKind`] of the list below, in which each format has one row.
macro_rules! formats {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $dataset:literal, $format:expr;)*) => {
        /// Which format a file has.
        #[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
        pub enum ParserKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl ParserKind {
            /// The names as they are written in settings.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// What it is called in settings.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The dataset of files whose settings name none.
            pub fn default_dataset(self) -> &'static str {
                match self { $(Self::$kind => $dataset,)* }
            }

            /// The format whose times are as `times` says: what the parsers of its files are made of.
            pub fn format_with(self, times: &TimeRule) -> Format {
                let make: fn(TimeRule) -> Format = match self { $(Self::$kind => $format,)* };
                make(times.clone())
            }
        }
    };
}

// What it is called in the code and in settings, the dataset of its files, and how it is made.
formats! {
    /// The one that the first lines of the file have ([`crate::detect`]): until that is known, any text.
    Auto, "auto", "raw", |_| Format::new(|| RawParser);
    /// Common Log Format: `host ident user [time] "request" status bytes`.
    Clf, "clf", "access", |_| Format::new(AccessParser::clf);
    /// The same with `"referrer" "user agent"`; nginx's and Apache's usual format.
    Combined, "combined", "access", |_| Format::new(AccessParser::combined);
    /// Combined with the virtual host in front.
    VhostCombined, "vhost_combined", "access", |_| Format::new(AccessParser::vhost_combined);
    /// W3C extended log file format, with the `#Fields` that the file names.
    W3c, "w3c", "access", |times: TimeRule| Format::new(move || W3cParser::in_zone(times.zone.clone()));
    /// A JSON object a line.
    Json, "json", "json", |times: TimeRule| Format::new(move || JsonParser::with(times.clone()));
    /// Any text.
    Raw, "raw", "raw", |_| Format::new(|| RawParser);
}

impl ParserKind {
    /// The format without settings of its own.
    pub fn format(self) -> Format {
        self.format_with(&TimeRule::default())
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<ValueError>::new(name)).ok()
    }
}

/// A format, checked: cheap to clone, one for all files of a `[[monitor]]` table.
#[derive(Clone)]
pub struct Format {
    make: Arc<dyn Fn() -> Box<dyn Parse> + Send + Sync>,
}

impl Format {
    /// The format whose parsers `make` makes; its settings are what `make` captures.
    pub(super) fn new<P: Parse + 'static>(make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(move || Box::new(make())) }
    }

    /// A parser for one file.
    pub fn parser(&self) -> Box<dyn Parse> {
        (self.make)()
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Format").field(&self.parser()).finish()
    }
}
