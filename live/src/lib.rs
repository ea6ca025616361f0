//! Figures of the lines as they come, for consoles, pages and alerts: since the start, and over a
//! sliding window. It knows no terminal, no HTTP and no files.
//!
//! [`Live`] is owned by one thread, which gives it lines ([`Live::take`]) and asks it
//! ([`Live::ask`]). What it keeps is bounded whatever comes, and an answer that is not exact says by
//! how much it may be off.

pub mod alert;
mod answer;
mod asking;
mod dimension;
pub mod filter;
mod hit;
mod live;
mod question;
mod recent;
mod series;
mod settings;
mod sketch;
mod step;
#[cfg(test)]
mod tests;
mod timeline;

pub use answer::{
    About, Answer, Classes, Counted, Detail, KeyName, Line, Missing, Point, Quantiles, Rate, Row,
    Series, Sum, Summary, Top,
};
pub use dimension::Dimension;
pub use filter::{Filter, FilterProblem};
pub use hit::{
    Document, DocumentProblem, DocumentReader, Hit, LineReader, NoOthers, Others, Place, section,
    with_event,
};
pub use live::Live;
pub use question::{By, KeyId, Question, Scope};
pub use series::{MOST_TAGS, SeriesOf, SeriesPoint, SeriesSettings};
pub use settings::{MOST_DIMENSIONS, Pace, Settings, SettingsProblem};
