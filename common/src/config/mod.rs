//! Settings: declared once, read from flags, environment and a TOML file, in that order of
//! precedence.
//!
//! A binary declares its settings as a table of [`Setting`] rows. From the same rows come the
//! command line ([`add_flags`]), the environment variables, the overlay onto the file ([`load()`]),
//! the reference in the manual ([`reference()`]), and the schema for editors ([`schema()`]). Rows
//! stand beside the serde struct that they are read into, in the room that they are for; a program
//! gathers those of its rooms, each of which takes what its rows name ([`Tables`]). What no row names
//! is refused. A test of each binary compares rows and structs ([`rows_without_a_place`]), so neither can have a setting that the other lacks.
//! What a setting is [`About`] says which commands have a use for it.
//!
//! One file may be for all programs: each takes the tables that its rows name and passes over those
//! of the others ([`KNOWN_TO`]).

mod agree;
mod explain;
mod file;
mod load;
mod path_text;
mod reference;
mod schema;
mod setting;
mod tables;
mod url;
mod values;

pub use agree::{load_shown_defaults, read_shown_defaults, rows_without_a_place, unclear_refusals};
pub use explain::{Explained, Origins};
pub use file::{KNOWN_TO, nearest};
pub use load::{ConfigError, Loaded, add_flags, file_given, from_text, load, load_with};
pub use path_text::{has_bytes, path_of, path_text};
pub use reference::reference;
pub use schema::schema;
pub use setting::{About, Kind, Setting};
pub use tables::{HasRows, TableError, Tables};
pub use url::{ServerUrl, decoded, is_on_this_machine, without_credentials};
pub use values::{
    Period, Size, listen_address, read_private, read_secret, read_secret_file, shown_address,
    to_listen, to_optional_listen,
};
