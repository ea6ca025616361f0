//! What a value of a line says, by a format string or by its place, and which field that is.

use super::super::{is_version, parse_number as number, present, read_request, status_code};
use crate::List;
use crate::address::Address;
use crate::fields::{Name, Value};
use crate::request::{Request, Texts};
use crate::time::{Calendar, Time, TimeRule};
use crate::words::{add_tls_version, nanos_of};

/// What a variable says.
#[derive(Debug, Clone)]
pub enum What {
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
    /// A point in time beside that of the line.
    Moment(Name<'static>, TimeRule),
    /// Values with commas or blanks between them.
    List(Name<'static>),
    /// What is of no use.
    Nothing,
}

impl What {
    /// Whether it may have blanks without quotes around it.
    pub(super) fn may_have_blanks(&self) -> bool {
        match self {
            Self::Request
            | Self::Path
            | Self::Referrer
            | Self::UserAgent
            | Self::Time(_)
            | Self::Nothing => true,
            Self::Text(name) => !is_word(name.as_str()),
            what => what.is_list(),
        }
    }

    /// Whether it may hold blanks behind its commas.
    pub(super) fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Forwarded | Self::Addresses { .. } | Self::Numbers { .. } | Self::Floats { .. }
        )
    }
}

/// Whether the field of this name has no blanks, whatever is logged: by the field of ECS, or by the variable
/// or directive behind the object of its server.
fn is_word(field: &str) -> bool {
    const FIELDS: [&str; 9] = [
        "http.request.id",
        "host.hostname",
        "tls.cipher",
        "tls.curve",
        "tls.client.server_name",
        "tls.client.hash.sha1",
        "tls.client.x509.serial_number",
        "tls.next_protocol",
        "source.geo.country_iso_code",
    ];
    const VARIABLES: [&str; 24] = [
        "upstream.name",
        "upstream.alternative_name",
        "upstream.cache_status",
        "request_method",
        "request_uri",
        "args",
        "query_string",
        "server_protocol",
        "https",
        "pipe",
        "pid",
        "request_completion",
        "proxy_host",
        "proxy_protocol_addr",
        "proxy_protocol_server_addr",
        "namespace",
        "ingress_name",
        "service_name",
        "peer",
        "identity",
        "log_id",
        "handler",
        "connection_status",
        "method",
    ];
    let objects = ["nginx.access.", "nginx.ingress_controller.", "apache.access."];
    FIELDS.contains(&field)
        || objects
            .iter()
            .filter_map(|object| field.strip_prefix(object))
            .any(|name| VARIABLES.contains(&name))
}

/// What a line says.
#[derive(Default)]
pub struct Row<'a> {
    pub fields: Request<'a>,
    pub time: Option<Time>,
    pub problem: Option<&'a str>,
}

impl What {
    /// Adds what a value that is there says.
    pub fn put<'a>(
        &'a self,
        calendar: &mut Calendar,
        value: &'a [u8],
        row: &mut Row<'a>,
        others: &mut List<'a>,
    ) -> Result<(), &'static str> {
        let fields = &mut row.fields;
        let size = || number(value).map(Some).ok_or("the size is not a number");
        match self {
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
            What::Time(rule) if row.time.is_none() => {
                let time = rule.read(calendar, value).ok_or("the time cannot be read")?;
                row.time = Some(time);
            }
            What::Moment(name, rule) => {
                let time = rule.read(calendar, value).ok_or("a time cannot be read")?;
                let mut text = Vec::new();
                calendar.write(&mut text, time);
                others.add(name.borrowed(), text);
            }
            what => put_other(what, value, fields.texts, others)?,
        }
        Ok(())
    }
}

/// What is none of a request's own fields.
fn put_other<'a>(
    what: &'a What,
    value: &'a [u8],
    texts: Texts,
    others: &mut List<'a>,
) -> Result<(), &'static str> {
    let text = |value: &'a [u8]| Value::Text(texts.read(value));
    match what {
        What::Text(name) => others.add(name.borrowed(), text(value)),
        What::Number(name) => others.add(name.borrowed(), number(value).ok_or(NO_NUMBER)?),
        What::Float(name) => others.add(name.borrowed(), float(value).ok_or(NO_NUMBER)?),
        What::TlsVersion => add_tls_version(others, value),
        What::List(name) => {
            others.add(name.borrowed(), one_or_all(elements(value).map(Value::from)));
        }
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
            let numbers = elements(value).map(|text| number(text).map(Value::Unsigned));
            add_list(others, (last, list), numbers)?;
        }
        What::Floats { last, list } => {
            let numbers = elements(value).map(|text| float(text).map(Value::Float));
            add_list(others, (last, list), numbers)?;
        }
        _ => {}
    }
    Ok(())
}

const NO_NUMBER: &str = "a value that is a number by the format is none";

/// The elements of a list as nginx makes it of servers that it asked: `10.0.0.1:80, 10.0.0.2:80 : 10.1.0.1:80`.
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
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
    values: impl Iterator<Item = Option<Value<'a>>> + Clone,
) -> Result<(), &'static str> {
    if values.clone().any(|value| value.is_none()) {
        return Err(NO_NUMBER);
    }
    match one_or_all(values.flatten()) {
        Value::List(values) if values.is_empty() => {}
        Value::List(mut values) => {
            let end = match values.last() {
                Some(Value::Unsigned(number)) => Value::Unsigned(*number),
                Some(Value::Float(number)) => Value::Float(*number),
                _ => return Ok(()),
            };
            values.truncate(List::MOST);
            others.add(list.borrowed(), values);
            others.add(last.borrowed(), end);
        }
        one => others.add(last.borrowed(), one),
    }
    Ok(())
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
