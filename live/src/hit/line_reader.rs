//! From the lines of one file, without a document being made.

use std::fmt;

use omphalos_parser::{Calendar, Event, Format, List, Parse, Parsed, Shape, Time};

use super::{DocumentReader, Hit, Place, with_event};

/// Reads the lines of one file, with what its parser remembers of it.
pub struct LineReader {
    parser: Box<dyn Parse>,
    calendar: Calendar,
    documents: DocumentReader,
    /// The time of the line before, which is that of a line without one.
    before: Option<Time>,
}

impl LineReader {
    /// For a file of this format.
    pub fn new(format: &Format) -> Self {
        Self {
            parser: format.parser(),
            calendar: Calendar::default(),
            documents: DocumentReader::default(),
            before: None,
        }
    }

    /// Calls `then` with the hit of a line, which has no line end; `None` for a line that is blank or
    /// speaks about the file. A line without a time has that of the line before, or else `now`.
    pub fn read<R>(
        &mut self,
        line: &[u8],
        place: &Place<'_>,
        now: Time,
        then: impl FnOnce(&Hit<'_>) -> R,
    ) -> Option<R> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let mut others = List::default();
        let parsed = self.parser.parse(&mut self.calendar, line, &mut others);
        let Parsed::Event { time, fields, problem, is_assumed } = &parsed else { return None };
        self.before = time.or(self.before);
        let is_doubtful = self.calendar.take_assumed();
        let event = Event {
            offset: 0,
            time: self.before.unwrap_or(now),
            is_time_assumed: time.is_none() || *is_assumed || is_doubtful,
            line,
            fields,
            others: &others,
            problem: *problem,
            shape: Shape::Whole,
            stream: None,
        };
        Some(with_event(&event, place, &mut self.documents, then))
    }
}

impl fmt::Debug for LineReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LineReader").field("parser", &self.parser).finish_non_exhaustive()
    }
}
