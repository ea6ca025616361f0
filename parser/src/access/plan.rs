//! Lines by the server's own format string: compiled once to steps, of which each takes a value up to
//! the literal behind it, from left to right.

mod compile;
mod directives;
#[cfg(test)]
mod tests;
mod variables;
mod what;

use std::fmt::Write as _;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::{AccessParser, is_escaped, present};
use crate::request::Texts;
use crate::text::is_plain;
use crate::time::{Calendar, TimeRule};
use crate::{Fields, Format, List, Parse, Parsed};

pub use what::{Row, What};

/// Where a value ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// At the first place that has the literal.
    Literal,
    /// There, at a quote that is not escaped.
    Quote,
    /// There, but not behind a comma or at a colon between blanks.
    List,
    /// There, where a time follows.
    Time,
    /// Before this byte, which belongs to what follows, or at the literal behind that.
    Before(u8),
    /// There, at the last quote of the line.
    End,
    /// There, but before the first blank.
    Word,
    /// There, but before the first tab: tabs stand between the values of the line.
    Cell,
}

/// A variable, and the literal behind it.
#[derive(Debug)]
struct Step {
    what: What,
    until: Until,
    literal: Box<[u8]>,
    /// The variable as it is written.
    label: Box<str>,
    /// Whether a backslash before a quote makes that a part of the value.
    has_escapes: bool,
}

/// A format string, compiled.
#[derive(Debug)]
pub struct Plan {
    lead: Box<[u8]>,
    steps: Box<[Step]>,
    /// How many quotes are in its literals.
    quotes: usize,
    texts: Texts,
}

/// The format of lines that are written by the format string `text`, whose times without a zone are as
/// `times` says.
///
/// # Errors
/// When it is none, in words for the user.
pub fn format(text: &str, times: &TimeRule) -> Result<Format, String> {
    let plan = compile::compile(text, times)?;
    // The same is faster by the parser that knows nothing else, and reads more of what is odd.
    if let Some(known) = compile::known(text) {
        return Ok(Format::new(move || known));
    }
    let plan = Arc::new(plan);
    Ok(Format::new(move || PlanParser { plan: Arc::clone(&plan), problem: String::new() }))
}

/// The format of nginx's `main`.
pub fn main(times: &TimeRule) -> Format {
    const MAIN: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" \"$http_x_forwarded_for\"";
    // It is one, as a test sees.
    format(MAIN, times).unwrap_or_else(|_| Format::new(AccessParser::combined))
}

/// Reads lines by a plan.
#[derive(Debug)]
struct PlanParser {
    plan: Arc<Plan>,
    problem: String,
}

impl Parse for PlanParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Self { plan, problem } = self;
        let mut row = Row::default();
        row.fields.texts = plan.texts;
        let read = plan.read(calendar, line, &mut row, others);
        let Row { mut fields, time, problem: mut found } = row;
        let quotes = || memchr_iter(b'"', line).count();
        if plan.texts != Texts::Literal && read.is_ok() && is_plain(line) && quotes() == plan.quotes
        {
            fields.texts = Texts::Plain;
        }
        fields.more |= fields.hides_a_host();
        if let Err(stop) = read {
            problem.clear();
            plan.tell(&stop, line, problem);
            found = Some(problem);
        }
        Parsed::Event { time, is_assumed: false, fields: Fields::Request(fields), problem: found }
    }
}

/// Where a line is another than the format says.
struct Stop {
    /// The step behind which something else was expected; before the first one, it is the beginning.
    step: Option<usize>,
    /// Where that was looked for.
    at: usize,
    /// Whether that is the end of the line.
    is_end: bool,
}

impl Plan {
    fn read<'a>(
        &'a self,
        calendar: &mut Calendar,
        line: &'a [u8],
        row: &mut Row<'a>,
        others: &mut List<'a>,
    ) -> Result<(), Stop> {
        let mut rest =
            line.strip_prefix(&*self.lead).ok_or(Stop { step: None, at: 0, is_end: false })?;
        for (at, step) in self.steps.iter().enumerate() {
            let begins = line.len() - rest.len();
            let stop = |length| Stop { step: Some(at), at: begins + length, is_end: false };
            let (value, after) = step.split(rest).map_err(stop)?;
            rest = after;
            if let Some(value) = present(value)
                && let Err(problem) = step.what.put(calendar, value, row, others)
            {
                row.problem = row.problem.or(Some(problem));
            }
        }
        if rest.trim_ascii().is_empty() {
            return Ok(());
        }
        let step = self.steps.len().checked_sub(1);
        Err(Stop { step, at: line.len() - rest.len(), is_end: true })
    }

    /// Says where a line is another than the format.
    #[cold]
    fn tell(&self, stop: &Stop, line: &[u8], out: &mut String) {
        const SHOWN: usize = 40;
        let Stop { step, at, is_end } = *stop;
        let found = line.get(at..).unwrap_or_default();
        let found = String::from_utf8_lossy(found.get(..SHOWN).unwrap_or(found));
        let step = step.and_then(|step| self.steps.get(step));
        let literal = step.map_or(&self.lead, |step| &step.literal);
        let literal = String::from_utf8_lossy(literal);
        let column = at + 1;
        let behind =
            step.map_or("at its beginning".to_owned(), |step| format!("behind {}", step.label));
        let expected =
            if is_end { "the end of the line".to_owned() } else { format!("{literal:?}") };
        let told = write!(
            out,
            "column {column}: expected {expected} {behind}, as the format says, found {found:?}"
        );
        debug_assert!(told.is_ok(), "a text takes all");
    }
}

impl Step {
    /// The value that `rest` begins with, and what is behind its literal; where that is missing, where it
    /// was looked for.
    fn split<'a>(&self, rest: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), usize> {
        let Some(first) = self.literal.first() else {
            return match self.until {
                Until::Before(byte) => Ok(rest.split_at(memchr(byte, rest).unwrap_or(rest.len()))),
                Until::Word => Ok(rest.split_at(memchr(b' ', rest).unwrap_or(rest.len()))),
                _ if self.takes(rest) => Ok((rest, &[])),
                _ => Err(0),
            };
        };
        if self.until == Until::Word {
            return self.split_word(*first, rest);
        }
        if let Until::Before(byte) = self.until {
            let end = memchr(*first, rest).ok_or(0_usize)?;
            let (value, _) = rest.split_at(end);
            return Ok(rest.split_at(memchr(byte, value).unwrap_or(end)));
        }
        for end in memchr_iter(*first, rest) {
            let (value, found) = rest.split_at(end);
            match behind(found, &self.literal) {
                Some(after) if self.ends(value, found, after) => {
                    return if self.takes(value) { Ok((value, after)) } else { Err(0) };
                }
                // What is in quotes has ended, and something else stands behind it.
                None if self.until == Until::Quote
                    && found.starts_with(b"\" ")
                    && !self.is_escaped(value) =>
                {
                    return Err(end);
                }
                _ => {}
            }
        }
        Err(0)
    }

    /// The same of a value without blanks.
    fn split_word<'a>(&self, first: u8, rest: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), usize> {
        if first == b' ' {
            // Words are short: what looks at many bytes at once takes longer to begin.
            let end = rest.iter().position(|byte| *byte == b' ').ok_or(0_usize)?;
            let (value, found) = rest.split_at(end);
            return behind(found, &self.literal).map(|after| (value, after)).ok_or(end);
        }
        // A value may have the first byte of its literal in it, as an address has colons.
        let mut blank = None;
        for end in memchr_iter(first, rest) {
            let (value, found) = rest.split_at(end);
            if let Some(after) = behind(found, &self.literal) {
                let blank = *blank.get_or_insert_with(|| memchr(b' ', value));
                return blank.map_or(Ok((value, after)), Err);
            }
        }
        Err(memchr(b' ', rest).unwrap_or(0))
    }

    /// Whether a quote behind `value` is a part of it.
    fn is_escaped(&self, value: &[u8]) -> bool {
        self.has_escapes && is_escaped(value)
    }

    /// Whether a value that may have blanks has none that it cannot have.
    fn takes(&self, value: &[u8]) -> bool {
        let mut blanks = memchr_iter(b' ', value);
        match self.until {
            Until::List => blanks.all(|at| {
                let before = at.checked_sub(1).and_then(|at| value.get(at));
                matches!(before, Some(b',' | b':')) || value.get(at + 1) == Some(&b':')
            }),
            // `bob smith` may be a user; a word that is absent is another field.
            Until::Time => {
                !value.split(|byte| *byte == b' ').any(|word| word == b"-") || value == b"-"
            }
            Until::Cell => memchr(b'\t', value).is_none(),
            _ => true,
        }
    }

    /// Whether a value ends at its literal here, and not at a later one.
    fn ends(&self, value: &[u8], found: &[u8], after: &[u8]) -> bool {
        match self.until {
            Until::Literal | Until::Before(_) | Until::Word | Until::Cell => true,
            Until::Quote => !self.is_escaped(value),
            Until::List => {
                let is_between = found.starts_with(b" ")
                    && (value.ends_with(b",")
                        || value.ends_with(b" :")
                        || found.starts_with(b" : "));
                !is_between
            }
            Until::Time => looks_like_time(after),
            // The last quote of a line.
            Until::End => !self.is_escaped(value) && matches!(after.first(), None | Some(b' ')),
        }
    }
}

/// What stands behind `literal`, with which `text` begins. Literals are so short that they are compared
/// byte by byte.
#[inline]
fn behind<'a>(text: &'a [u8], literal: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(literal.len())?;
    head.iter().zip(literal).all(|(found, expected)| found == expected).then_some(rest)
}

/// Whether a time stands at the beginning, by its shape.
fn looks_like_time(text: &[u8]) -> bool {
    text.iter().take(2).all(u8::is_ascii_digit)
        && matches!(text.get(..5), Some([_, _, b'/', ..] | [_, _, b'0'..=b'9', b'0'..=b'9', _]))
}

impl AccessParser {
    /// Which of these writes what `text` says.
    fn of_format(text: &str) -> Option<Self> {
        Some(match text {
            "%h %l %u %t \"%r\" %>s %b" => Self::clf().exact(),
            "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
            | "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\""
            | "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"" => {
                Self::combined().exact()
            }
            _ => return None,
        })
    }
}
