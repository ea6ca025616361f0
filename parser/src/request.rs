//! What is known of one request to a web server, in whatever format it was logged, and what ECS
//! calls it: `source`, `url`, `http`, `user`, `user_agent`, `destination`, `event.duration`.
//! <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>

use std::net::Ipv6Addr;

use memchr::{memchr, memmem};

use super::document::Rest;
use super::fields::close;
use super::text::{push_escaped, unescaped};

/// How the texts of a line become JSON text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// They are printable ASCII without quotes and backslashes: copied.
    Plain,
    /// The server escaped them with backslashes.
    #[default]
    Escaped,
    /// They stand as they are, and a backslash is a backslash.
    Literal,
}

/// What is known of one request. All texts are as they stand in the line.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// What the texts are like.
    pub texts: Texts,
    /// Address or name of the client.
    pub client: Option<&'a [u8]>,
    /// Authenticated user.
    pub user: Option<&'a [u8]>,
    /// Virtual host, perhaps with a port.
    pub host: Option<&'a [u8]>,
    /// Request method.
    pub method: Option<&'a [u8]>,
    /// Request target as it was sent.
    pub target: Option<&'a [u8]>,
    /// Path, where the format has it apart from the query.
    pub path: Option<&'a [u8]>,
    /// Query, where the format has it apart from the path.
    pub query: Option<&'a [u8]>,
    /// `1.1` of `HTTP/1.1`.
    pub version: Option<&'a [u8]>,
    /// Response status.
    pub status: Option<u16>,
    /// Bytes of the response body.
    pub bytes: Option<u64>,
    /// Bytes of the request.
    pub request_bytes: Option<u64>,
    /// The page that led here.
    pub referrer: Option<&'a [u8]>,
    /// The client's software.
    pub user_agent: Option<&'a [u8]>,
    /// Address of the server.
    pub server: Option<&'a [u8]>,
    /// Port of the server.
    pub server_port: Option<u16>,
    /// How long it took, in nanoseconds; written by the document as `event.duration`.
    pub duration_nanos: Option<u64>,
    /// Whether the line holds more than the fields say, so that it is shipped in `message` too.
    pub more: bool,
}

impl Request<'_> {
    /// Appends the fields, each group with a comma before it and with what of `rest` belongs into it.
    pub(super) fn write(&self, out: &mut Vec<u8>, rest: &mut Rest<'_, '_>) {
        let mut json = Members { out, texts: self.texts, rest };
        if let Some(client) = self.client {
            json.group(b",\"source\":{", "source", |json| json.address(client));
        }
        self.write_url(&mut json);
        self.write_http(&mut json);
        if let Some(user) = self.user {
            json.group(b",\"user\":{", "user", |json| json.text(b"\"name\":\"", user));
        }
        if let Some(agent) = self.user_agent {
            json.group(b",\"user_agent\":{", "user_agent", |json| {
                json.text(b"\"original\":\"", agent);
            });
        }
        if self.server.is_some() || self.server_port.is_some() {
            json.group(b",\"destination\":{", "destination", |json| {
                if let Some(server) = self.server {
                    json.address(server);
                }
                json.number(b"\"port\":", self.server_port.map(u64::from));
            });
        }
    }

    fn write_url(&self, json: &mut Members<'_, '_, '_>) {
        let Url { domain, port, path, query } = self.url();
        let original = self.target;
        if [domain, path, query, original].iter().all(Option::is_none) {
            return;
        }
        json.group(b",\"url\":{", "url", |json| {
            let texts = [
                (&b"\"domain\":\""[..], domain),
                (b"\"original\":\"", original),
                (b"\"path\":\"", path),
                (b"\"query\":\"", query),
            ];
            for (name, value) in texts {
                if let Some(value) = value {
                    json.text(name, value);
                }
            }
            json.number(b"\"port\":", port);
        });
    }

    fn write_http(&self, json: &mut Members<'_, '_, '_>) {
        let has_request =
            self.method.is_some() || self.referrer.is_some() || self.request_bytes.is_some();
        let has_response = self.status.is_some() || self.bytes.is_some();
        if !has_request && !has_response && self.version.is_none() {
            return;
        }
        json.group(b",\"http\":{", "http", |json| {
            if has_request {
                json.group(b"\"request\":{", "http.request", |json| {
                    if let Some(method) = self.method {
                        json.text(b"\"method\":\"", method);
                    }
                    if let Some(referrer) = self.referrer {
                        json.text(b"\"referrer\":\"", referrer);
                    }
                    json.number(b"\"bytes\":", self.request_bytes);
                });
                json.out.push(b',');
            }
            if has_response {
                json.group(b"\"response\":{", "http.response", |json| {
                    json.number(b"\"status_code\":", self.status.map(u64::from));
                    if self.bytes.is_some() {
                        json.group(b"\"body\":{", "http.response.body", |json| {
                            json.number(b"\"bytes\":", self.bytes);
                        });
                        json.out.push(b',');
                    }
                });
                json.out.push(b',');
            }
            if let Some(version) = self.version {
                json.text(b"\"version\":\"", version);
            }
        });
    }

    /// Takes the target apart: origin form `/path?query`, absolute form `http://host/path`,
    /// authority form `host:port` of CONNECT, or `*` (RFC 9112, section 3.2).
    fn url(&self) -> Url<'_> {
        let mut url = Url { path: self.path, query: self.query, ..Url::default() };
        (url.domain, url.port) = self.host.map_or((None, None), split_port);
        let Some(target) = self.target else { return url };
        let mut rest = target;
        if self.method == Some(b"CONNECT") {
            (url.domain, url.port) = split_port(target);
            return url;
        }
        if !target.starts_with(b"/")
            && let Some(position) = memmem::find(target, b"://")
        {
            let authority = target.split_at(position + "://".len()).1;
            let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?'));
            let (host, path) = authority.split_at(end.unwrap_or(authority.len()));
            (url.domain, url.port) = split_port(host);
            rest = path;
        }
        let (path, query) = match memchr(b'?', rest) {
            Some(position) => (rest.get(..position), rest.get(position + 1..)),
            None => (Some(rest), None),
        };
        url.path = path.filter(|path| !path.is_empty());
        url.query = query.filter(|query| !query.is_empty());
        url
    }
}

#[derive(Default)]
struct Url<'a> {
    domain: Option<&'a [u8]>,
    port: Option<u64>,
    path: Option<&'a [u8]>,
    query: Option<&'a [u8]>,
}

/// Splits `host:port` and `[v6]:port`.
fn split_port(authority: &[u8]) -> (Option<&[u8]>, Option<u64>) {
    let host_end = authority.iter().rposition(|byte| *byte == b']').unwrap_or(0);
    let colon = authority.iter().rposition(|byte| *byte == b':').filter(|at| *at > host_end);
    let port = colon
        .and_then(|at| authority.get(at + 1..))
        .and_then(super::access::parse_number)
        .filter(|port| u16::try_from(*port).is_ok());
    let host = match (port, colon) {
        (Some(_), Some(at)) => authority.split_at(at).0,
        _ => authority,
    };
    (Some(host).filter(|host| !host.is_empty()), port)
}

/// Writes the members of an object, each followed by a comma that the end of the object takes back.
struct Members<'o, 'l, 'a> {
    out: &'o mut Vec<u8>,
    texts: Texts,
    rest: &'o mut Rest<'l, 'a>,
}

impl Members<'_, '_, '_> {
    /// `object` is the group's name with those of the groups around it.
    fn group(&mut self, opening: &[u8], object: &str, write: impl FnOnce(&mut Self)) {
        self.out.extend_from_slice(opening);
        write(self);
        if self.rest.is_woven {
            self.rest.write_into(self.out, object);
        }
        close(self.out, b'}');
    }

    /// `name` includes the opening quote of the value.
    fn text(&mut self, name: &[u8], value: &[u8]) {
        self.out.extend_from_slice(name);
        match self.texts {
            Texts::Plain => self.out.extend_from_slice(value),
            Texts::Escaped => push_escaped(self.out, &unescaped(value)),
            Texts::Literal => push_escaped(self.out, value),
        }
        self.out.extend_from_slice(b"\",");
    }

    fn number(&mut self, name: &[u8], value: Option<u64>) {
        if let Some(value) = value {
            self.out.extend_from_slice(name);
            self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            self.out.push(b',');
        }
    }

    /// `address`, and `ip` or `domain` according to what it is: the mapping of `ip` refuses
    /// anything but an address.
    fn address(&mut self, address: &[u8]) {
        let bare = address.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
        let address = bare.unwrap_or(address);
        self.text(b"\"address\":\"", address);
        if is_ip(address) {
            self.text(b"\"ip\":\"", address);
        } else if is_domain(address) {
            self.text(b"\"domain\":\"", address);
        }
    }
}

fn is_ip(text: &[u8]) -> bool {
    if memchr(b':', text).is_some() {
        return std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    }
    is_ipv4(text)
}

/// Dotted decimal, without leading zeros, which Elasticsearch refuses too.
fn is_ipv4(text: &[u8]) -> bool {
    let mut parts = 0;
    let mut number: Option<u16> = None;
    for byte in text {
        match (byte, number) {
            (b'0'..=b'9', None) => number = Some(u16::from(byte - b'0')),
            (b'0'..=b'9', Some(1..=25)) => {
                number = number.map(|number| number * 10 + u16::from(byte - b'0'));
            }
            (b'.', Some(0..=255)) => {
                parts += 1;
                number = None;
            }
            _ => return false,
        }
    }
    parts == 3 && matches!(number, Some(0..=255))
}

fn is_domain(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    proptest! {
        #[test]
        fn addresses_are_recognised_as_the_standard_library_does(text in "[0-9.]{0,17}") {
            prop_assert_eq!(is_ipv4(text.as_bytes()), text.parse::<Ipv4Addr>().is_ok());
        }

        #[test]
        fn every_address_is_recognised(bits in any::<u32>()) {
            prop_assert!(is_ipv4(Ipv4Addr::from(bits).to_string().as_bytes()));
        }
    }
}
