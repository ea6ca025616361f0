//! The W3C extended log file format, as IIS, CloudFront and others write it: the file itself
//! names its fields, and may change them in the middle.
//! <https://www.w3.org/TR/WD-logfile.html>
//!
//! Times are UTC. What ECS has no place for goes to `w3c.<field>`.

use std::borrow::Cow;
use std::ops::Range;

use super::access::{parse_number, present, status_code};
use super::address::Address;
use super::request::{Request, Texts};
use super::text::is_plain;
use super::time::{Calendar, Time};
use super::{Fields, List, Name, Parse, Parsed};

/// No server writes so many fields; a hostile `#Fields` could.
const MAX_COLUMNS: usize = 256;

/// Remembers the directives in force.
#[derive(Debug, Default)]
pub struct W3cParser {
    columns: Vec<Column>,
    /// Of the `#Date` directive, for files whose lines have a time only.
    date: Option<Vec<u8>>,
    /// Where the values of the current line are, in the order of the columns.
    values: Vec<Range<usize>>,
    /// The user agent with its blanks restored.
    user_agent: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
enum Column {
    Date,
    Time,
    Client,
    User,
    Server,
    ServerPort,
    Host,
    Method,
    Path,
    Query,
    Target,
    Version,
    Status,
    Bytes,
    RequestBytes,
    TimeTaken,
    UserAgent,
    Referrer,
    /// What ECS has no place for, by its name in the document.
    Other(Name<'static>),
}

impl Column {
    /// Field identifiers of the format, and those that IIS and CloudFront add.
    fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "date" => Self::Date,
            "time" => Self::Time,
            "c-ip" | "c-dns" => Self::Client,
            "cs-username" | "c-username" => Self::User,
            "s-ip" | "s-dns" => Self::Server,
            "s-port" => Self::ServerPort,
            "cs-host" | "cs(host)" | "x-host-header" => Self::Host,
            "cs-method" => Self::Method,
            "cs-uri-stem" => Self::Path,
            "cs-uri-query" => Self::Query,
            "cs-uri" => Self::Target,
            "cs-version" | "cs-protocol-version" => Self::Version,
            "sc-status" => Self::Status,
            "sc-bytes" => Self::Bytes,
            "cs-bytes" => Self::RequestBytes,
            "time-taken" => Self::TimeTaken,
            "cs(user-agent)" => Self::UserAgent,
            "cs(referer)" => Self::Referrer,
            other => Self::Other(Name::cleaned("w3c", other.trim_end_matches(')'))),
        }
    }
}

impl Parse for W3cParser {
    fn has_directives(&self) -> bool {
        true
    }

    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if let Some(directive) = line.strip_prefix(b"#") {
            self.follow(directive);
            return Parsed::Directive;
        }
        if self.columns.is_empty() {
            return unread("no #Fields directive before this line");
        }
        self.split(line);
        if self.values.len() != self.columns.len() {
            return unread("the line has not as many values as #Fields names");
        }
        self.read_user_agent(line);
        let is_plain = is_plain(line) && memchr::memchr(b'"', line).is_none();
        let texts = if is_plain { Texts::Plain } else { Texts::Literal };
        let mut fields = Request { texts, ..Request::default() };
        let mut clock = (self.date.as_deref(), None);
        let mut problem = None;
        for (column, range) in self.columns.iter().zip(&self.values) {
            let Some(value) = present(value_at(line, range)) else { continue };
            if let Column::Other(name) = column {
                others.add(name.borrowed(), value);
            }
            if let Err(reason) = fill(&mut fields, &mut clock, column, value) {
                problem = problem.or(Some(reason));
            }
        }
        fields.user_agent = present(&self.user_agent);
        let time = clock_time(calendar, clock);
        if time.is_none() && clock.1.is_some() {
            problem = problem.or(Some("the date or the time cannot be read"));
        }
        Parsed::Event { time, fields: Fields::Request(fields), problem }
    }
}

impl W3cParser {
    fn follow(&mut self, directive: &[u8]) {
        let text = String::from_utf8_lossy(directive);
        let Some((name, value)) = text.split_once(':') else { return };
        match name.to_ascii_lowercase().as_str() {
            "fields" => {
                let names = value.split_ascii_whitespace().take(MAX_COLUMNS);
                self.columns = names.map(Column::named).collect();
            }
            "date" => {
                let date = value.split_ascii_whitespace().next();
                self.date = date.map(|date| date.as_bytes().to_vec());
            }
            _ => {}
        }
    }

    /// Values stand apart by tabs if there is any, else by blanks; one that begins with a quote
    /// ends with a quote.
    fn split(&mut self, line: &[u8]) {
        self.values.clear();
        let tabs = memchr::memchr(b'\t', line).is_some();
        let is_gap = |byte: &u8| if tabs { *byte == b'\t' } else { *byte == b' ' };
        let mut start = 0;
        while let Some(rest) = line.get(start..).filter(|rest| !rest.is_empty()) {
            if self.values.len() > MAX_COLUMNS {
                return;
            }
            if !tabs && rest.first().is_some_and(is_gap) {
                start += 1;
                continue;
            }
            if let Some(inside) = rest.strip_prefix(b"\"")
                && let Some(length) = memchr::memchr(b'"', inside)
                && inside.get(length + 1).is_none_or(is_gap)
            {
                self.values.push(start + 1..start + 1 + length);
                start += length + 3;
            } else {
                let length = rest.iter().position(is_gap).unwrap_or(rest.len());
                self.values.push(start..start + length);
                start += length + 1;
            }
        }
    }

    /// IIS writes a plus for each blank, CloudFront %20.
    fn read_user_agent(&mut self, line: &[u8]) {
        self.user_agent.clear();
        let mut pairs = self.columns.iter().zip(&self.values);
        let agent = pairs.find(|(column, _)| **column == Column::UserAgent);
        let Some((_, range)) = agent else { return };
        let value = value_at(line, range);
        let blanks: Cow<'_, [u8]> = match memchr::memmem::find(value, b"%20") {
            Some(_) => Cow::Owned(String::from_utf8_lossy(value).replace("%20", " ").into_bytes()),
            None => Cow::Borrowed(value),
        };
        let restored = blanks.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte });
        self.user_agent.extend(restored);
    }
}

/// A value of the line that was split.
fn value_at<'a>(line: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    debug_assert!(range.end <= line.len(), "the values are those of this line");
    line.get(range.clone()).unwrap_or_default()
}

/// Date and time of the line, as far as they are known.
type Clock<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn fill<'a>(
    fields: &mut Request<'a>,
    clock: &mut Clock<'a>,
    column: &Column,
    value: &'a [u8],
) -> Result<(), &'static str> {
    let whole = |problem| parse_number(value).ok_or(problem);
    match column {
        Column::Date => clock.0 = Some(value),
        Column::Time => clock.1 = Some(value),
        Column::Client => fields.client = Some(Address::read(value)),
        Column::User => fields.user = Some(value),
        Column::Server => fields.server = Some(Address::read(value)),
        Column::Host => fields.host = Some(value),
        Column::Method => fields.method = Some(value),
        Column::Path => fields.path = Some(value),
        Column::Query => fields.query = Some(value),
        Column::Target => fields.target = Some(value),
        Column::Version => fields.version = Some(value.strip_prefix(b"HTTP/").unwrap_or(value)),
        Column::Referrer => fields.referrer = Some(value),
        Column::ServerPort => {
            let port = whole("the port is not a number")?;
            fields.server_port = Some(u16::try_from(port).map_err(|_| "the port is too large")?);
        }
        Column::Status => fields.status = Some(status_code(whole("the status is not a number")?)?),
        Column::Bytes => fields.bytes = Some(whole("the size is not a number")?),
        Column::RequestBytes => fields.request_bytes = Some(whole("the size is not a number")?),
        Column::TimeTaken => {
            fields.duration_nanos = Some(duration(value).ok_or("the duration is not a number")?);
        }
        Column::UserAgent | Column::Other(_) => {}
    }
    Ok(())
}

/// Milliseconds (IIS), or seconds with decimals (the format itself, CloudFront).
fn duration(value: &[u8]) -> Option<u64> {
    const LONGEST_FRACTION: usize = 9;
    let Some(dot) = memchr::memchr(b'.', value) else {
        return parse_number(value)?.checked_mul(1_000_000);
    };
    let (seconds, fraction) = value.split_at(dot);
    let fraction = fraction.get(1..).filter(|digits| digits.len() <= LONGEST_FRACTION)?;
    let mut nanos = fraction.to_vec();
    nanos.resize(LONGEST_FRACTION, b'0');
    parse_number(seconds)?.checked_mul(1_000_000_000)?.checked_add(parse_number(&nanos)?)
}

fn clock_time(calendar: &mut Calendar, clock: Clock<'_>) -> Option<Time> {
    calendar.read_date_and_clock(clock.0?, clock.1?)
}

fn unread(problem: &'static str) -> Parsed<'static> {
    Parsed::Event { time: None, fields: Fields::Message, problem: Some(problem) }
}
