//! The W3C extended log file format, as IIS, CloudFront and others write it: the file itself
//! names its fields, and may change them in the middle.
//! <https://www.w3.org/TR/WD-logfile.html>
//!
//! Times are UTC, but for `date-local` and `time-local`, which are the server's and do not say where
//! that is: they are read in the zone of the settings, else as UTC, and then said to be assumed.
//! A time without a date is of the day of the `#Date` directive, or of the next one where it is earlier
//! than that. It is told by line and directive alone, and not by the lines before: ids have the time in
//! them, and must not depend on where reading began. So it is said to be assumed.
//!
//! Which writer a line is from tells how its user agent is written. CloudFront's columns are known by
//! their names (`x-edge-…`) or stand apart by tabs: `%22` is a quote there, and a plus is a plus.
//! Elsewhere values stand apart by blanks: in quotes they are as they were sent, else a plus stands
//! for a blank, as IIS writes it, and a percent sign is one.

mod columns;
#[cfg(test)]
mod tests;

use std::ops::Range;

use jiff::tz::TimeZone;
use memchr::memchr;

use self::columns::{Column, Columns, MAX_COLUMNS, Meaning};
use super::access::{parse_number, present, status_code};
use super::address::Address;
use super::request::{Request, Texts};
use super::text::{is_clean, push_percent_decoded};
use super::time::{Calendar, Time};
use super::{Fields, List, Parse, Parsed, Preface};

/// Remembers the directives in force.
#[derive(Debug, Default)]
pub struct W3cParser {
    columns: Columns,
    /// Of the `#Date` directive, for files whose lines have a time only.
    date: Option<Vec<u8>>,
    /// The same with its time of day, if it has one.
    begun: Option<Time>,
    /// The zone of local times, if it is known.
    zone: Option<TimeZone>,
    /// The values of the current line, in the order of the columns.
    values: Vec<Range<usize>>,
    /// The user agent as it was sent, where it was written otherwise.
    user_agent: Vec<u8>,
    /// The list that proxies made, likewise.
    forwarded: Vec<u8>,
}

impl Parse for W3cParser {
    fn preface(&self) -> Preface {
        Preface::Directives(&["#Fields:", "#Date:"])
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
        if self.columns.list.is_empty() {
            return unread("no #Fields directive before this line");
        }
        self.split(line);
        if self.values.len() != self.columns.list.len() {
            return unread("the line has not as many values as #Fields names");
        }
        self.user_agent.clear();
        self.forwarded.clear();
        self.read_encoded(line);
        let mut row = Row::default();
        row.clock.date = self.date.as_deref();
        let mut problem = None;
        for (column, range) in self.columns.list.iter().zip(&self.values) {
            let Some(value) = present(value_at(line, range)) else { continue };
            let filled = match column {
                Column::Field(meaning) => row.fill(*meaning, value, others),
                Column::Other(name) => {
                    others.add(name.borrowed(), value);
                    Ok(())
                }
                Column::Forwarded(name) => {
                    let list = if self.forwarded.is_empty() { value } else { &self.forwarded };
                    if !row.fields.take_forwarded(list) {
                        others.add(name.borrowed(), value);
                    }
                    Ok(())
                }
                Column::TlsVersion(name) => {
                    add_tls_version(name.borrowed(), value, others);
                    Ok(())
                }
            };
            problem = problem.or(filled.err());
        }
        self.finish(calendar, line, row, problem)
    }
}

impl W3cParser {
    /// A parser of files whose local times are those of `zone`.
    pub(super) fn in_zone(zone: Option<TimeZone>) -> Self {
        Self { zone, ..Self::default() }
    }

    fn follow(&mut self, directive: &[u8]) {
        let text = String::from_utf8_lossy(directive);
        let Some((name, value)) = text.split_once(':') else { return };
        match name.to_ascii_lowercase().as_str() {
            "fields" => self.columns = Columns::named(value),
            "date" => {
                let mut parts = value.split_ascii_whitespace().map(str::as_bytes);
                let (date, clock) = (parts.next(), parts.next());
                let time = |date, clock| Calendar::default().read_date_and_clock(date, clock);
                self.begun = date.zip(clock).and_then(|(date, clock)| time(date, clock));
                self.date = date.map(<[u8]>::to_vec);
            }
            _ => {}
        }
    }

    /// Values stand apart by tabs if there is any, else by blanks; one that begins with a quote
    /// ends with a quote.
    fn split(&mut self, line: &[u8]) {
        self.values.clear();
        let tabs = memchr(b'\t', line).is_some();
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
                && let Some(length) = memchr(b'"', inside)
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

    /// User agent and list of proxies as they were sent, if this line has them written otherwise.
    fn read_encoded(&mut self, line: &[u8]) {
        for (column, range) in self.columns.list.iter().zip(&self.values) {
            let out = match column {
                Column::Field(Meaning::UserAgent) => &mut self.user_agent,
                Column::Forwarded(_) => &mut self.forwarded,
                _ => continue,
            };
            let value = value_at(line, range);
            let is_quoted = range.start.checked_sub(1).and_then(|at| line.get(at)) == Some(&b'"');
            if self.columns.are_of_cloudfront || memchr(b'\t', line).is_some() {
                push_percent_decoded(out, value);
            } else if !is_quoted {
                out.extend(value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }));
            }
        }
    }

    fn finish<'a>(
        &'a self,
        calendar: &mut Calendar,
        line: &'a [u8],
        row: Row<'a>,
        mut problem: Option<&'static str>,
    ) -> Parsed<'a> {
        let Row { mut fields, clock, duration } = row;
        if fields.user_agent.is_some() && !self.user_agent.is_empty() {
            fields.user_agent = Some(&self.user_agent);
        }

        let is_all_plain =
            is_clean(line) && is_clean(&self.user_agent) && is_clean(&self.forwarded);
        fields.texts = if is_all_plain { Texts::Plain } else { Texts::Literal };
        join_port(fields.client, &mut fields.client_port, &mut fields.more);
        join_port(fields.server, &mut fields.server_port, &mut fields.more);
        fields.more |= fields.hides_a_host() || clock.has_half();
        if let Some(value) = duration {
            let nanos = self.nanos_of(value);
            problem = problem.or(nanos.is_none().then_some("the duration is not a number"));
            fields.duration_nanos = nanos;
        }
        let mut time = clock.time(calendar, self.zone.as_ref());
        if time.is_none() && clock.has_time() {
            problem = problem.or(Some("the date or the time cannot be read"));
        }
        let mut is_assumed = time.is_some() && clock.is_local() && self.zone.is_none();
        if clock.is_of_directive()
            && let Some((begun, of_that_day)) = self.begun.zip(time)
        {
            if of_that_day.as_nanos() < begun.as_nanos() {
                is_assumed = true;
                time = Some(of_that_day_or_next(of_that_day, begun));
            } else if of_that_day.seconds + LATE_SECONDS >= begun.seconds + DAY_SECONDS {
                // The last minutes of that day, or a line of the day before that was a little late.
                is_assumed = true;
            }
        }
        Parsed::Event { time, is_assumed, fields: Fields::Request(fields), problem }
    }

    /// Seconds if they have decimals (the format itself) or CloudFront writes them; else milliseconds,
    /// as IIS has them.
    fn nanos_of(&self, value: &[u8]) -> Option<u64> {
        const LONGEST_FRACTION: usize = 9;
        let (seconds, fraction) = match memchr(b'.', value) {
            Some(dot) => (value.get(..dot)?, value.get(dot + 1..)?),
            None if self.columns.are_of_cloudfront => (value, &b"0"[..]),
            None => return parse_number(value)?.checked_mul(1_000_000),
        };
        let mut digits = [b'0'; LONGEST_FRACTION];
        digits.get_mut(..fraction.len())?.copy_from_slice(fraction);
        let nanos = parse_number(&digits).filter(|_| !fraction.is_empty())?;
        parse_number(seconds)?.checked_mul(1_000_000_000)?.checked_add(nanos)
    }
}

/// What a line says, before it is put together.
#[derive(Default)]
struct Row<'a> {
    fields: Request<'a>,
    clock: Clock<'a>,
    duration: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    fn fill(
        &mut self,
        meaning: Meaning,
        value: &'a [u8],
        others: &mut List<'a>,
    ) -> Result<(), &'static str> {
        let fields = &mut self.fields;
        let size = || parse_number(value).map(Some).ok_or("the size is not a number");
        match meaning {
            Meaning::Date => (self.clock.date, self.clock.has_own_date) = (Some(value), true),
            Meaning::Time => self.clock.time = Some(value),
            Meaning::LocalDate => self.clock.local.0 = Some(value),
            Meaning::LocalTime => self.clock.local.1 = Some(value),
            Meaning::Client => fields.client = Some(Address::read(value)),
            Meaning::ClientPort => fields.client_port = Some(port(value)?),
            Meaning::User => fields.user = Some(value),
            Meaning::Server => fields.server = Some(Address::read(value)),
            Meaning::ServerPort => fields.server_port = Some(port(value)?),
            Meaning::Host => fields.host = Some(value),
            Meaning::Scheme => fields.scheme = Some(value),
            Meaning::Method => fields.method = Some(value),
            Meaning::Path => fields.path = Some(value),
            Meaning::Query => fields.query = Some(value),
            Meaning::Target => fields.target = Some(value),
            Meaning::Version => {
                fields.version = Some(value.strip_prefix(b"HTTP/").unwrap_or(value));
            }
            Meaning::Status => fields.status = Some(status_code(value)?),
            Meaning::ResponseBytes => fields.response_bytes = size()?,
            Meaning::BodyBytes => fields.bytes = size()?,
            Meaning::RequestBytes => fields.request_bytes = size()?,
            Meaning::TimeTaken => self.duration = Some(value),
            Meaning::UserAgent => fields.user_agent = Some(value),
            Meaning::Referrer => fields.referrer = Some(value),
            Meaning::TlsCipher => others.add("tls.cipher", value),
            Meaning::RequestId => others.add("http.request.id", value),
            Meaning::MimeType => others.add("http.response.mime_type", value),
            // They have names of their own for what is none.
            Meaning::TlsVersion | Meaning::Forwarded => {}
        }
        Ok(())
    }
}

/// Date and time of the line, as far as they are known.
#[derive(Debug, Default, Clone, Copy)]
struct Clock<'a> {
    date: Option<&'a [u8]>,
    has_own_date: bool,
    time: Option<&'a [u8]>,
    local: (Option<&'a [u8]>, Option<&'a [u8]>),
}

impl Clock<'_> {
    fn time(self, calendar: &mut Calendar, zone: Option<&TimeZone>) -> Option<Time> {
        if self.is_local() {
            return calendar.read_local_date_and_clock(self.local.0?, self.local.1?, zone);
        }
        calendar.read_date_and_clock(self.date?, self.time?)
    }

    fn has_time(self) -> bool {
        self.time.is_some() || self.is_local()
    }

    /// Whether the date is none of the line.
    fn is_of_directive(self) -> bool {
        !self.has_own_date && !self.is_local()
    }

    fn is_local(self) -> bool {
        matches!(self.local, (Some(_), Some(_)))
    }

    /// Whether a part is in no field, because the other is missing.
    fn has_half(self) -> bool {
        self.has_own_date && self.time.is_none() || self.local.0.is_some() != self.local.1.is_some()
    }
}

/// A line may be so much later in its file than the one behind it.
const LATE_SECONDS: i64 = 300;
const DAY_SECONDS: i64 = 86_400;

/// A time of day that is earlier than that of the directive `begun`, on whose day it is given: a line
/// that was a little late, or one of the day after.
fn of_that_day_or_next(time: Time, begun: Time) -> Time {
    let is_late = time.seconds + LATE_SECONDS >= begun.seconds;
    Time { seconds: time.seconds + if is_late { 0 } else { DAY_SECONDS }, ..time }
}

/// Takes a port that stands behind an address. Where there are two, one has no field.
fn join_port(address: Option<Address<'_>>, port: &mut Option<u16>, more: &mut bool) {
    let Some(beside) = address.and_then(|address| address.port) else { return };
    *more |= *port.get_or_insert(beside) != beside;
}

fn port(value: &[u8]) -> Result<u16, &'static str> {
    let port = parse_number(value).ok_or("the port is not a number")?;
    u16::try_from(port).map_err(|_| "the port is too large")
}

/// `TLSv1.3`, in the two parts that ECS has (<https://www.elastic.co/docs/reference/ecs/ecs-tls>).
fn add_tls_version<'a>(name: super::Name<'a>, value: &'a [u8], others: &mut List<'a>) {
    let (protocol, version) = match value {
        [b'T', b'L', b'S', b'v', version @ ..] => ("tls", version),
        [b'S', b'S', b'L', b'v', version @ ..] => ("ssl", version),
        _ => return others.add(name, value),
    };
    if !matches!(version, [b'0'..=b'9'] | [b'0'..=b'9', b'.', b'0'..=b'9']) {
        return others.add(name, value);
    }
    others.add("tls.version", version);
    others.add("tls.version_protocol", protocol);
}

/// A value of the line that was split.
fn value_at<'a>(line: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    debug_assert!(range.end <= line.len(), "the values are those of this line");
    line.get(range.clone()).unwrap_or_default()
}

fn unread(problem: &'static str) -> Parsed<'static> {
    Parsed::Event { time: None, is_assumed: false, fields: Fields::Message, problem: Some(problem) }
}
