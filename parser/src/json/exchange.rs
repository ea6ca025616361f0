//! Requests in JSON lines, as the servers and services write them that have their own members for them:
//! Caddy, Traefik, Envoy, Kubernetes' audit, `CloudTrail`, Google Cloud. What they say stays under its name,
//! and is also in the fields of ECS, if the line has no such objects itself.

use std::borrow::Cow;

use omphalos_common::json::{Raw, items_of};

use super::outline::Hint;
use super::profile::text;
use super::{JsonFields, Member};
use crate::address::{Address, AddressKind};
use crate::fields::{List, Value, split_first};
use crate::url::Url;
use crate::words::number;

/// The objects that fields are added to: a line that has one itself keeps it.
const ROOTS: [&str; 9] =
    ["source", "destination", "url", "http", "user", "user_agent", "event", "cloud", "network"];

/// Which of them wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Caddy,
    Traefik,
    Envoy,
    Audit,
    CloudTrail,
    Cloud,
}

/// Whether a name is one by which [`Server::of`] tells a server.
pub fn is_of_server(name: &str) -> bool {
    matches!(
        name,
        "request"
            | "resp_headers"
            | "bytes_read"
            | "size"
            | "response_code"
            | "response_flags"
            | "upstream_host"
            | "upstream_cluster"
            | "eventSource"
            | "eventName"
            | "DownstreamStatus"
            | "auditID"
            | "httpRequest"
    )
}

impl Server {
    fn of(fields: &JsonFields<'_>) -> Option<Self> {
        let mut found = None;
        // Which of those were seen that say it together.
        let mut bits = 0_u8;
        for Member { name, raw, hint } in &fields.members {
            match &**name {
                _ if !hint.may_be(Hint::SERVER) => {}
                "request" if raw.get().starts_with('{') => bits |= 0b1,
                "resp_headers" | "bytes_read" | "size" => bits |= 0b10,
                "response_code" => bits |= 0b100,
                "response_flags" | "upstream_host" | "upstream_cluster" => bits |= 0b1000,
                "eventSource" => bits |= 0b1_0000,
                "eventName" => bits |= 0b10_0000,
                "DownstreamStatus" => found = Some(Self::Traefik),
                "auditID" => found = Some(Self::Audit),
                "httpRequest" if raw.get().starts_with('{') => found = Some(Self::Cloud),
                _ => {}
            }
        }
        let found = found.or(match bits {
            bits if bits & 0b11 == 0b11 => Some(Self::Caddy),
            bits if bits & 0b1100 == 0b1100 => Some(Self::Envoy),
            bits if bits & 0b11_0000 == 0b11_0000 => Some(Self::CloudTrail),
            _ => None,
        })?;
        // The audit's `user` is its own object, to which nothing is added.
        let has_own = fields.members.iter().any(|member| {
            let (root, _) = split_first(&member.name);
            ROOTS.contains(&root) && !(found == Self::Audit && root == "user")
        });
        (!has_own).then_some(found)
    }

    /// The field that a member is.
    fn field(self, name: &str) -> Option<Field> {
        let is_it = |(server, known, _): &&(Self, &str, Field)| *server == self && *known == name;
        FIELDS.iter().find(is_it).map(|(_, _, field)| *field)
    }

    /// Objects that are looked into.
    fn has_inside(self, name: &str) -> bool {
        matches!(
            (self, name),
            (Self::Caddy, "request" | "headers")
                | (Self::Cloud, "httpRequest")
                | (Self::Audit, "responseStatus")
                | (Self::CloudTrail, "userIdentity")
        )
    }
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Text(&'static str),
    Number(&'static str),
    /// In units of so many nanoseconds.
    Duration(f64),
    Target,
    Host,
    Version,
    Client,
}

/// The members of each, and their fields.
const FIELDS: [(Server, &str, Field); 63] = [
    (Server::Caddy, "status", Field::Number("http.response.status_code")),
    (Server::Cloud, "status", Field::Number("http.response.status_code")),
    (Server::Traefik, "DownstreamStatus", Field::Number("http.response.status_code")),
    (Server::Envoy, "response_code", Field::Number("http.response.status_code")),
    (Server::Audit, "code", Field::Number("http.response.status_code")),
    (Server::Caddy, "size", Field::Number("http.response.body.bytes")),
    (Server::Traefik, "DownstreamContentSize", Field::Number("http.response.body.bytes")),
    (Server::Envoy, "bytes_sent", Field::Number("http.response.body.bytes")),
    (Server::Cloud, "responseSize", Field::Number("http.response.body.bytes")),
    (Server::Caddy, "bytes_read", Field::Number("http.request.bytes")),
    (Server::Envoy, "bytes_received", Field::Number("http.request.bytes")),
    (Server::Cloud, "requestSize", Field::Number("http.request.bytes")),
    (Server::Caddy, "duration", Field::Duration(1e9)),
    (Server::Envoy, "duration", Field::Duration(1e6)),
    (Server::Traefik, "Duration", Field::Duration(1.0)),
    (Server::Cloud, "latency", Field::Duration(1e9)),
    (Server::Caddy, "method", Field::Text("http.request.method")),
    (Server::Traefik, "RequestMethod", Field::Text("http.request.method")),
    (Server::Envoy, "method", Field::Text("http.request.method")),
    (Server::Cloud, "requestMethod", Field::Text("http.request.method")),
    (Server::Caddy, "uri", Field::Target),
    (Server::Traefik, "RequestPath", Field::Target),
    (Server::Envoy, "path", Field::Target),
    (Server::Cloud, "requestUrl", Field::Target),
    (Server::Audit, "requestURI", Field::Target),
    (Server::Caddy, "host", Field::Host),
    (Server::Traefik, "RequestHost", Field::Host),
    (Server::Envoy, "authority", Field::Host),
    (Server::Caddy, "proto", Field::Version),
    (Server::Traefik, "RequestProtocol", Field::Version),
    (Server::Envoy, "protocol", Field::Version),
    (Server::Cloud, "protocol", Field::Version),
    (Server::Traefik, "RequestScheme", Field::Text("url.scheme")),
    (Server::Caddy, "remote_ip", Field::Client),
    (Server::Traefik, "ClientHost", Field::Client),
    (Server::Envoy, "downstream_remote_address", Field::Client),
    (Server::Cloud, "remoteIp", Field::Client),
    (Server::CloudTrail, "sourceIPAddress", Field::Client),
    (Server::Audit, "sourceIPs", Field::Client),
    (Server::Caddy, "remote_port", Field::Number("source.port")),
    (Server::Traefik, "ClientPort", Field::Number("source.port")),
    (Server::Caddy, "user_id", Field::Text("user.name")),
    (Server::Traefik, "ClientUsername", Field::Text("user.name")),
    (Server::CloudTrail, "userName", Field::Text("user.name")),
    (Server::Traefik, "request_User-Agent", Field::Text("user_agent.original")),
    (Server::Envoy, "user_agent", Field::Text("user_agent.original")),
    (Server::Cloud, "userAgent", Field::Text("user_agent.original")),
    (Server::Audit, "userAgent", Field::Text("user_agent.original")),
    (Server::CloudTrail, "userAgent", Field::Text("user_agent.original")),
    (Server::Caddy, "User-Agent", Field::Text("user_agent.original")),
    (Server::Traefik, "request_Referer", Field::Text("http.request.referrer")),
    (Server::Cloud, "referer", Field::Text("http.request.referrer")),
    (Server::Caddy, "Referer", Field::Text("http.request.referrer")),
    (Server::Envoy, "request_id", Field::Text("http.request.id")),
    (Server::Audit, "auditID", Field::Text("http.request.id")),
    (Server::CloudTrail, "requestID", Field::Text("http.request.id")),
    (Server::Audit, "verb", Field::Text("event.action")),
    (Server::CloudTrail, "eventName", Field::Text("event.action")),
    (Server::CloudTrail, "eventSource", Field::Text("event.provider")),
    (Server::CloudTrail, "eventID", Field::Text("event.id")),
    (Server::CloudTrail, "awsRegion", Field::Text("cloud.region")),
    (Server::CloudTrail, "errorCode", Field::Text("error.code")),
    (Server::CloudTrail, "errorMessage", Field::Text("error.message")),
];

/// So deep are objects within objects.
const MOST_LEVELS: usize = 2;

/// Adds what is known of a request.
pub fn apply<'a>(fields: &JsonFields<'a>, others: &mut List<'a>) {
    if fields.all.may_be(Hint::SERVER)
        && let Some(server) = Server::of(fields)
    {
        add_members(server, fields, MOST_LEVELS, others);
    }
}

fn add_members<'a>(server: Server, fields: &JsonFields<'a>, levels: usize, others: &mut List<'a>) {
    for Member { name, raw, .. } in &fields.members {
        let json = raw.get();
        if server.has_inside(name) && levels > 0 {
            if let Some(inside) = super::read_object(json) {
                add_members(server, &inside, levels - 1, others);
            }
        } else if let Some(field) = server.field(name)
            && let Some(value) = first_of(*raw)
        {
            add_field(field, value, others);
        }
    }
}

/// The text of a value that says something, of an array the first.
fn first_of(raw: Raw<'_>) -> Option<Cow<'_, [u8]>> {
    if raw.get().starts_with('[') {
        return first_of(*items_of(raw.get())?.first()?);
    }
    if raw.get().starts_with('{') || raw.get() == "null" {
        return None;
    }
    match text(raw) {
        Value::Text(text) if !matches!(&*text, b"" | b"-") => Some(text),
        _ => None,
    }
}

/// A part of a text for as long as the text is there.
fn part<'a>(text: &Cow<'a, [u8]>, part: impl Fn(&[u8]) -> Option<&[u8]>) -> Option<Cow<'a, [u8]>> {
    match text {
        Cow::Borrowed(text) => {
            let text: &'a [u8] = text;
            let found = part(text)?;
            // The part is one of this text: where it begins says which.
            let start = found.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
            text.get(start..start + found.len()).map(Cow::Borrowed)
        }
        Cow::Owned(text) => part(text).map(|found| Cow::Owned(found.to_vec())),
    }
}

fn add_field<'a>(field: Field, value: Cow<'a, [u8]>, others: &mut List<'a>) {
    let mut once = |name: &'static str, value: Value<'a>| {
        if others.lookup(name).is_none() {
            others.add(name, value);
        }
    };
    match field {
        Field::Text(name) => once(name, Value::Text(value)),
        Field::Number(name) => {
            if let Some(number) = number(&value) {
                once(name, number.into());
            }
        }
        Field::Duration(unit) => {
            let text = std::str::from_utf8(&value).unwrap_or_default();
            let nanos =
                text.trim_end_matches('s').parse::<f64>().map_or(-1.0, |value| value * unit);
            if (0.0..9e15).contains(&nanos) {
                #[expect(clippy::cast_possible_truncation, reason = "it is below that")]
                once("event.duration", Value::Signed(nanos.round() as i64));
            }
        }
        Field::Version => {
            if let Some(version) = part(&value, |text| text.strip_prefix(b"HTTP/")) {
                once("http.version", Value::Text(version));
            }
        }
        Field::Host => {
            if let Some(domain) =
                part(&value, |text| Some(crate::url::split_port(text).0.unwrap_or(text)))
            {
                once("url.domain", Value::Text(domain));
            }
            if let Some(port) = crate::url::split_port(&value).1 {
                once("url.port", port.into());
            }
        }
        Field::Target => {
            if let Some(path) = part(&value, |text| Url::of_target(None, text).path) {
                once("url.path", Value::Text(path));
            }
            if let Some(query) = part(&value, |text| Url::of_target(None, text).query) {
                once("url.query", Value::Text(query));
            }
            if let Some(domain) = part(&value, |text| Url::of_target(None, text).domain) {
                once("url.domain", Value::Text(domain));
            }
            once("url.original", Value::Text(value));
        }
        Field::Client => add_client(value, once),
    }
}

fn add_client<'a>(value: Cow<'a, [u8]>, mut once: impl FnMut(&'static str, Value<'a>)) {
    let (kind, port) = (Address::read(&value).kind, Address::read(&value).port);
    if let Some(port) = port {
        once("source.port", port.into());
    }
    if let Some(ip) = part(&value, |text| Address::read(text).ip()) {
        once("source.ip", Value::Text(ip));
    } else if kind == AddressKind::Name
        && let Some(name) = part(&value, |text| Some(Address::read(text).text))
    {
        once("source.domain", Value::Text(name));
    }
    let is_all = Address::read(&value).text.len() == value.len();
    let address =
        if is_all { Some(value) } else { part(&value, |text| Some(Address::read(text).text)) };
    if let Some(address) = address {
        once("source.address", Value::Text(address));
    }
}
