//! Tables: files whose first lines name the columns of all others. CSV, TSV and their like, and Zeek's logs.

mod csv;
#[cfg(test)]
mod tests;
mod zeek;

pub use csv::{CsvParser, is_header, open_quote};
pub use zeek::ZeekParser;
