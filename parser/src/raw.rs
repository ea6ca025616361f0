//! Any text: the line is the message.

use super::time::Calendar;
use super::{Fields, List, Parse, Parsed};

/// Finds nothing in a line, not even a time.
#[derive(Debug)]
pub struct RawParser;

impl Parse for RawParser {
    fn parse<'a>(&'a mut self, _: &mut Calendar, _: &'a [u8], _: &mut List<'a>) -> Parsed<'a> {
        Parsed::Event { time: None, is_assumed: false, fields: Fields::Message, problem: None }
    }

    fn has_times(&self) -> bool {
        false
    }
}
