//! Lines by the server's own format string: compiled once to steps, of which each takes a value up to
//! the literal behind it, from left to right.

mod compile;
mod directives;
#[cfg(test)]
mod tests;
mod variables;

use std::fmt::Write as _;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::{AccessParser, is_escaped, is_version, present, read_request, status_code};
use crate::address::Address;
use crate::fields::{Name, Value};
use crate::request::{Request, Texts};
use crate::text::{is_plain, unescaped};
use crate::time::{Calendar, Time, TimeRule};
use crate::{Fields, Format, List, Parse, Parsed};

use super::parse_number as number;

/// What a variable says.
#[derive(Debug, Clone)]
enum What {
    Client,
    ClientPort,
    User,
    Host,
    Request,
    Method,
    Target,
    Path,
    Query,
    Version,
    Scheme,
    Status,
    BodyBytes,
    ResponseBytes,
    RequestBytes,
    Referrer,
    UserAgent,
    Server,
    ServerPort,
    Forwarded,
    /// How long it took, in units of so many nanoseconds.
    Duration(u64),
    Time(TimeRule),
    TlsVersion,
    Reused,
    Text(Name<'static>),
    Number(Name<'static>),
    Float(Name<'static>),
    /// Several values of servers that were asked one after another, of which the last one answered.
    Addresses {
        list: Name<'static>,
        ip: Name<'static>,
        port: Name<'static>,
    },
    Numbers {
        last: Name<'static>,
        list: Name<'static>,
    },
    Floats {
        last: Name<'static>,
        list: Name<'static>,
    },
    /// What is of no use.
    Nothing,
}

impl What {
    /// Whether it may hold blanks behind its commas.
    fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Forwarded | Self::Addresses { .. } | Self::Numbers { .. } | Self::Floats { .. }
        )
    }
}

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
    /// With the line.
    End,
}

/// A variable, and the literal behind it.
#[derive(Debug)]
struct Step {
    what: What,
    until: Until,
    literal: Box<[u8]>,
    /// The variable as it is written.
    label: Box<str>,
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
        let mut row = Row { fields: Request::default(), time: None, problem: None };
        let read = plan.read(calendar, line, &mut row, others);
        let Row { mut fields, time, problem: mut found } = row;
        fields.texts = plan.texts;
        let quotes = || memchr_iter(b'"', line).count();
        if plan.texts == Texts::Escaped && read.is_ok() && is_plain(line) && quotes() == plan.quotes
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
    /// The step whose literal is missing; before the first one, it is the beginning.
    step: Option<usize>,
    /// Where that was looked for.
    at: usize,
}

/// What a line says.
struct Row<'a> {
    fields: Request<'a>,
    time: Option<Time>,
    problem: Option<&'a str>,
}

impl Plan {
    fn read<'a>(
        &'a self,
        calendar: &mut Calendar,
        line: &'a [u8],
        row: &mut Row<'a>,
        others: &mut List<'a>,
    ) -> Result<(), Stop> {
        let mut rest = line.strip_prefix(&*self.lead).ok_or(Stop { step: None, at: 0 })?;
        for (at, step) in self.steps.iter().enumerate() {
            let stop = Stop { step: Some(at), at: line.len() - rest.len() };
            let (value, after) = step.split(rest).ok_or(stop)?;
            rest = after;
            if let Some(value) = present(value)
                && let Err(problem) = step.put(calendar, value, row, others)
            {
                row.problem = row.problem.or(Some(problem));
            }
        }
        row.fields.more |= !rest.trim_ascii().is_empty();
        Ok(())
    }

    /// Says where a line is another than the format.
    #[cold]
    fn tell(&self, stop: &Stop, line: &[u8], out: &mut String) {
        const SHOWN: usize = 40;
        let Stop { step, at } = *stop;
        let found = line.get(at..).unwrap_or_default();
        let found = String::from_utf8_lossy(found.get(..SHOWN).unwrap_or(found));
        let step = step.and_then(|step| self.steps.get(step));
        let literal = step.map_or(&self.lead, |step| &step.literal);
        let literal = String::from_utf8_lossy(literal);
        let column = at + 1;
        let behind =
            step.map_or("at its beginning".to_owned(), |step| format!("behind {}", step.label));
        let told = write!(
            out,
            "column {column}: expected {literal:?} {behind}, as the format says, found {found:?}"
        );
        debug_assert!(told.is_ok(), "a text takes all");
    }
}

impl Step {
    /// The value that `rest` begins with, and what is behind its literal.
    fn split<'a>(&self, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let Some(first) = self.literal.first() else {
            return match self.until {
                Until::Before(byte) => {
                    Some(rest.split_at(memchr(byte, rest).unwrap_or(rest.len())))
                }
                // One word, and all else is for the message; or all there is.
                _ if self.what.is_list() => Some((rest, &[])),
                _ => Some(rest.split_at(memchr(b' ', rest).unwrap_or(rest.len()))),
            };
        };
        if let Until::Before(byte) = self.until {
            let end = memchr(*first, rest)?;
            let (value, _) = rest.split_at(end);
            return Some(rest.split_at(memchr(byte, value).unwrap_or(end)));
        }
        for end in memchr_iter(*first, rest) {
            let (value, found) = rest.split_at(end);
            if let Some(after) = found.strip_prefix(&*self.literal)
                && self.ends(value, found, after)
            {
                return Some((value, after));
            }
        }
        None
    }

    /// Whether a value ends at its literal here, and not at a later one.
    fn ends(&self, value: &[u8], found: &[u8], after: &[u8]) -> bool {
        match self.until {
            Until::Literal | Until::Before(_) => true,
            Until::Quote => !is_escaped(value),
            Until::List => {
                let is_between = found.starts_with(b" ")
                    && (value.ends_with(b",")
                        || value.ends_with(b" :")
                        || found.starts_with(b" : "));
                !is_between
            }
            Until::Time => looks_like_time(after),
            // The last quote of a line.
            Until::End => !is_escaped(value) && matches!(after.first(), None | Some(b' ')),
        }
    }

    fn put<'a>(
        &'a self,
        calendar: &mut Calendar,
        value: &'a [u8],
        row: &mut Row<'a>,
        others: &mut List<'a>,
    ) -> Result<(), &'static str> {
        let fields = &mut row.fields;
        let size = || number(value).map(Some).ok_or("the size is not a number");
        match &self.what {
            What::Client => {
                let address = Address::read(value);
                fields.client_port = fields.client_port.or(address.port);
                fields.client = Some(address);
            }
            What::ClientPort => fields.client_port = Some(port(value)?),
            What::User => fields.user = present(value.trim_ascii()).filter(|user| *user != b"\"\""),
            What::Host => fields.host = Some(value),
            What::Request => read_request(value, fields),
            What::Method => fields.method = Some(value),
            What::Target => fields.target = Some(value),
            What::Path => fields.path = Some(value),
            What::Query => fields.query = present(value.strip_prefix(b"?").unwrap_or(value)),
            What::Version => {
                let version = value.strip_prefix(b"HTTP/").filter(|version| is_version(version));
                fields.version = Some(version.ok_or("the protocol is none such as HTTP/1.1")?);
            }
            What::Scheme => fields.scheme = Some(value),
            What::Status => fields.status = Some(status_code(value)?),
            What::BodyBytes => fields.bytes = size()?,
            What::ResponseBytes => fields.response_bytes = size()?,
            What::RequestBytes => fields.request_bytes = size()?,
            What::Referrer => fields.referrer = Some(value),
            What::UserAgent => fields.user_agent = Some(value),
            What::Server => fields.server = Some(Address::read(value)),
            What::ServerPort => fields.server_port = Some(port(value)?),
            What::Forwarded => fields.more |= !fields.take_forwarded(value),
            What::Duration(unit) => {
                let nanos = nanos_of(value, *unit).ok_or("the duration is not a number")?;
                fields.duration_nanos = fields.duration_nanos.or(Some(nanos));
            }
            What::Time(rule) => {
                let time = rule.read(calendar, value).ok_or("the time cannot be read")?;
                row.time = row.time.or(Some(time));
            }
            what => put_other(what, value, others),
        }
        Ok(())
    }
}

/// What is none of a request's own fields.
fn put_other<'a>(what: &'a What, value: &'a [u8], others: &mut List<'a>) {
    let text = |value: &'a [u8]| Value::Text(unescaped(value));
    match what {
        What::Text(name) => others.add(name.borrowed(), text(value)),
        What::Number(name) => match number(value) {
            Some(number) => others.add(name.borrowed(), number),
            None => others.more = true,
        },
        What::Float(name) => match float(value) {
            Some(number) => others.add(name.borrowed(), number),
            None => others.more = true,
        },
        What::TlsVersion => match value {
            [b'T', b'L', b'S', b'v', version @ ..] => {
                others.add("tls.version", version);
                others.add("tls.version_protocol", "tls");
            }
            [b'S', b'S', b'L', b'v', version @ ..] => {
                others.add("tls.version", version);
                others.add("tls.version_protocol", "ssl");
            }
            _ => others.add("tls.version", text(value)),
        },
        What::Reused => others.add("tls.resumed", matches!(value, b"r" | b"Resumed")),
        What::Addresses { list, ip, port } => {
            let all = || elements(value).map(Value::from);
            others.add(list.borrowed(), one_or_all(all()));
            if let Some(address) = elements(value).last().map(Address::read) {
                if let Some(address) = address.ip() {
                    others.add(ip.borrowed(), address);
                }
                if let Some(number) = address.port {
                    others.add(port.borrowed(), number);
                }
            }
        }
        What::Numbers { last, list } => {
            add_list(others, (last, list), elements(value).filter_map(number).map(Value::Unsigned));
        }
        What::Floats { last, list } => {
            add_list(others, (last, list), elements(value).filter_map(float).map(Value::Float));
        }
        _ => {}
    }
}

/// The elements of a list as nginx makes it of servers that it asked: `10.0.0.1:80, 10.0.0.2:80 : 10.1.0.1:80`.
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = list.split(|byte| matches!(byte, b',' | b' '));
    words.filter(|word| !matches!(*word, b"" | b":" | b"-"))
}

fn one_or_all<'a>(mut values: impl Iterator<Item = Value<'a>>) -> Value<'a> {
    let Some(first) = values.next() else { return Value::List(Vec::new()) };
    let mut rest = values.peekable();
    if rest.peek().is_none() {
        return first;
    }
    Value::List(std::iter::once(first).chain(rest).collect())
}

fn add_list<'a>(
    others: &mut List<'a>,
    (last, list): (&'a Name<'static>, &'a Name<'static>),
    values: impl Iterator<Item = Value<'a>>,
) {
    match one_or_all(values) {
        Value::List(values) if values.is_empty() => {}
        Value::List(mut values) => {
            let end = match values.last() {
                Some(Value::Unsigned(number)) => Value::Unsigned(*number),
                Some(Value::Float(number)) => Value::Float(*number),
                _ => return,
            };
            values.truncate(List::MOST);
            others.add(list.borrowed(), values);
            others.add(last.borrowed(), end);
        }
        one => others.add(last.borrowed(), one),
    }
}

fn port(value: &[u8]) -> Result<u16, &'static str> {
    let port = number(value).ok_or("the port is not a number")?;
    u16::try_from(port).map_err(|_| "the port is too large")
}

/// A number with decimals or without.
fn float(value: &[u8]) -> Option<f64> {
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let text = value.iter().all(is_number).then(|| std::str::from_utf8(value).ok()).flatten()?;
    text.parse().ok()
}

/// `0.123` in units of so many nanoseconds.
fn nanos_of(value: &[u8], unit: u64) -> Option<u64> {
    const MOST_DECIMALS: usize = 9;
    let (whole, decimals) = match memchr(b'.', value) {
        Some(dot) => (value.get(..dot)?, value.get(dot + 1..)?),
        None => (value, &b""[..]),
    };
    let decimals = decimals.get(..MOST_DECIMALS).unwrap_or(decimals);
    let mut nanos = number(whole)?.checked_mul(unit)?;
    let mut part = unit;
    for digit in decimals {
        part /= 10;
        nanos = nanos
            .checked_add(u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * part)?;
    }
    Some(nanos)
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
            "%h %l %u %t \"%r\" %>s %b" => Self::clf(),
            "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
            | "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\""
            | "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"" => {
                Self::combined()
            }
            _ => return None,
        })
    }
}
