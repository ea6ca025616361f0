//! Settings: declared once, read from flags, environment and a TOML file, in that order of
//! precedence.
//!
//! A binary declares its settings as a table of [`Setting`] rows. From the same rows come the
//! command line ([`add_flags`]), the environment variables, the overlay onto the file ([`load()`])
//! and the reference in the manual ([`reference()`]); the typed form is an ordinary serde struct
//! that refuses unknown keys. A test of each binary compares rows and struct, so neither can have
//! a setting that the other lacks.
//!
//! One file may be for all programs: each takes the tables that its rows name and passes over those
//! of the others ([`KNOWN_TO`]).

mod file;
mod load;
mod reference;
mod setting;
mod values;

pub use file::KNOWN_TO;
pub use load::{ConfigError, Loaded, add_flags, load, load_shown_defaults, load_with};
pub use reference::reference;
pub use setting::{HasRows, Kind, Setting};
pub use values::{Period, Size, read_private, read_secret};
