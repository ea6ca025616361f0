//! What is known of one request to a web server, in whatever format it was logged, and what ECS
//! calls it: `source`, `network`, `url`, `http`, `user`, `user_agent`, `destination`, `event.duration`.
//! <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>

use std::borrow::Cow;

use super::address::{Address, AddressKind};
use super::document::{Mark, Marks, Rest};
use super::fields::close;
use super::text::{push_escaped, push_short, unescaped, unescaped_json, unescaped_name};
use super::url::{Url, extension, has_host, split_port};

/// How the texts of a line become JSON text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// They are printable ASCII without quotes and backslashes: copied.
    Plain,
    /// The server escaped them with backslashes.
    #[default]
    Escaped,
    /// The server escaped them as JSON has it.
    Json,
    /// They stand as they are, and a backslash is a backslash.
    Literal,
}

impl Texts {
    /// What a text of the line says.
    pub fn read(self, text: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Escaped => unescaped(text),
            Self::Json => unescaped_json(text),
            Self::Plain | Self::Literal => Cow::Borrowed(text),
        }
    }

    /// The same of a user's name, in which a backslash stands behind a domain.
    pub fn read_name(self, name: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Escaped => unescaped_name(name),
            texts => texts.read(name),
        }
    }
}

/// What is known of one request. All texts are as they stand in the line.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// What the texts are like.
    pub texts: Texts,
    /// Address or name of the client.
    pub client: Option<Address<'a>>,
    /// Port of the client.
    pub client_port: Option<u16>,
    /// The first address of a list that proxies made, where the client is one of the proxies.
    pub forwarded: Option<&'a [u8]>,
    /// The list, where the other fields do not say all of it.
    pub forwarded_list: Option<&'a [u8]>,
    /// Authenticated user.
    pub user: Option<&'a [u8]>,
    /// Virtual host, perhaps with a port.
    pub host: Option<&'a [u8]>,
    /// Request method.
    pub method: Option<&'a [u8]>,
    /// Request target as it was sent.
    pub target: Option<&'a [u8]>,
    /// Scheme of the URL, where the format has it.
    pub scheme: Option<&'a [u8]>,
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
    /// Bytes of the whole response.
    pub response_bytes: Option<u64>,
    /// Bytes of the request.
    pub request_bytes: Option<u64>,
    /// The page that led here.
    pub referrer: Option<&'a [u8]>,
    /// The client's software.
    pub user_agent: Option<&'a [u8]>,
    /// Address of the server.
    pub server: Option<Address<'a>>,
    /// Port of the server.
    pub server_port: Option<u16>,
    /// How long it took, in nanoseconds; written by the document as `event.duration`.
    pub duration_nanos: Option<u64>,
    /// Whether the line holds more than the fields say, so that it is shipped in `message` too.
    pub more: bool,
}

impl Request<'_> {
    /// Appends the fields, each group with a comma before it and with what of `rest` belongs into it; where
    /// what stands that steps look for, unless there is something of `rest` beside it.
    pub(super) fn write(&self, out: &mut Vec<u8>, rest: &mut Rest<'_, '_>) -> Marks {
        let mut json = Members { out, texts: self.texts, rest };
        let client = (self.client, self.client_port);
        let source = write_endpoint(&mut json, b",\"source\":{", "source", client);
        let mut marks = Marks { source, agent: None };
        if let Some(ip) = self.forwarded {
            json.group(b",\"network\":{", "network", |json| {
                json.text(b"\"forwarded_ip\":\"", ip);
            });
        }
        self.write_url(&mut json);
        self.write_http(&mut json);
        if let Some(user) = self.user {
            json.group(b",\"user\":{", "user", |json| json.name(b"\"name\":\"", user));
        }
        if let Some(agent) = self.user_agent {
            json.group(b",\"user_agent\":{", "user_agent", |json| {
                marks.agent = Some(json.marked(b"\"original\":\"", agent));
            });
            marks.agent = marks.agent.map(|mark| mark.in_last_of(json.out));
        }
        let server = (self.server, self.server_port);
        write_endpoint(&mut json, b",\"destination\":{", "destination", server);
        if json.rest.own.has_module() {
            self.write_related(&mut json);
        }
        if json.rest.is_woven { Marks::default() } else { marks }
    }

    /// Whom the request relates to: what other fields say, in one place.
    fn write_related(&self, json: &mut Members<'_, '_, '_>) {
        let forwarded = self.forwarded.map(Address::read);
        let addresses = [self.client, forwarded, self.server];
        let [client, forwarded, server] = addresses.map(|it| it.and_then(|it| it.ip()));
        let forwarded = forwarded.filter(|_| forwarded != client);
        let server = server.filter(|_| server != client && server != forwarded);
        let ips = [client, forwarded, server];
        let has_ip = ips.iter().any(Option::is_some);
        let domain = self.url().domain;
        if !has_ip && self.user.is_none() && domain.is_none() {
            return;
        }
        json.group(b",\"related\":{", "related", |json| {
            if has_ip {
                json.out.extend_from_slice(b"\"ip\":[");
                for ip in ips.into_iter().flatten() {
                    json.text(b"\"", ip);
                }
                json.end_list();
            }
            if let Some(user) = self.user {
                json.name(b"\"user\":[\"", user);
                json.end_list();
            }
            if let Some(domain) = domain {
                json.text(b"\"hosts\":[\"", domain);
                json.end_list();
            }
        });
    }

    /// Whether the target names another host than the format does: one of them has no field.
    pub(super) fn hides_a_host(&self) -> bool {
        let (Some(host), Some(target)) = (self.host, self.target) else { return false };
        has_host(self.method, target) && {
            let Url { domain, port, .. } = Url::of_target(self.method, target);
            domain.is_some() && (domain, port) != split_port(host)
        }
    }

    fn write_url(&self, json: &mut Members<'_, '_, '_>) {
        let Url { domain, port, username, path, query, fragment } = self.url();
        let (original, scheme) = (self.target, self.scheme);
        if [domain, path, query, original, scheme].iter().all(Option::is_none) {
            return;
        }
        json.group(b",\"url\":{", "url", |json| {
            json.text_if(b"\"domain\":\"", domain);
            json.text_if(b"\"original\":\"", original);
            json.text_if(b"\"path\":\"", path);
            json.text_if(b"\"query\":\"", query);
            json.text_if(b"\"fragment\":\"", fragment);
            json.text_if(b"\"username\":\"", username);
            json.text_if(b"\"scheme\":\"", scheme);
            json.number(b"\"port\":", port);
            if json.rest.own.has_module()
                && let Some(extension) = path.and_then(extension)
            {
                json.text(b"\"extension\":\"", extension);
            }
        });
    }

    fn write_http(&self, json: &mut Members<'_, '_, '_>) {
        let has_request = self.method.is_some()
            || self.referrer.is_some()
            || self.request_bytes.is_some()
            || self.forwarded_list.is_some();
        let has_response =
            self.status.is_some() || self.bytes.is_some() || self.response_bytes.is_some();
        if !has_request && !has_response && self.version.is_none() {
            return;
        }
        json.group(b",\"http\":{", "http", |json| {
            if has_request {
                json.group(b"\"request\":{", "http.request", |json| self.write_request(json));
                json.out.push(b',');
            }
            if has_response {
                json.group(b"\"response\":{", "http.response", |json| {
                    json.number(b"\"status_code\":", self.status.map(u64::from));
                    json.number(b"\"bytes\":", self.response_bytes);
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

    fn write_request(&self, json: &mut Members<'_, '_, '_>) {
        if let Some(method) = self.method {
            json.text(b"\"method\":\"", method);
        }
        if let Some(referrer) = self.referrer {
            json.text(b"\"referrer\":\"", referrer);
        }
        json.number(b"\"bytes\":", self.request_bytes);
        if let Some(list) = self.forwarded_list {
            // OpenTelemetry's name for it
            // (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>).
            json.group(b"\"header\":{", "http.request.header", |json| {
                json.text(b"\"x-forwarded-for\":\"", list);
            });
            json.out.push(b',');
        }
    }

    /// The target taken apart. What the format has apart from it goes before that.
    pub(super) fn url(&self) -> Url<'_> {
        let mut url = match self.target {
            Some(target) => Url::of_target(self.method, target),
            None => Url::default(),
        };
        if let Some(host) = self.host
            && url.domain.is_none()
        {
            (url.domain, url.port) = split_port(host);
        }
        url.path = self.path.or(url.path);
        url.query = self.query.or(url.query);
        url
    }
}

/// Writes one end of the connection, if anything is known of it.
#[inline]
fn write_endpoint<const LENGTH: usize>(
    json: &mut Members<'_, '_, '_>,
    opening: &[u8; LENGTH],
    object: &str,
    (address, port): (Option<Address<'_>>, Option<u16>),
) -> Option<Mark> {
    if address.is_none() && port.is_none() {
        return None;
    }
    let mut mark = None;
    json.group(opening, object, |json| {
        mark = address.and_then(|address| json.address(&address));
        json.number(b"\"port\":", port.map(u64::from));
    });
    mark.map(|mark: Mark| mark.in_last_of(json.out))
}

/// Writes the members of an object, each followed by a comma that the end of the object takes back.
struct Members<'o, 'l, 'a> {
    out: &'o mut Vec<u8>,
    texts: Texts,
    rest: &'o mut Rest<'l, 'a>,
}

impl Members<'_, '_, '_> {
    /// `object` is the group's name with those of the groups around it.
    #[inline]
    fn group<const LENGTH: usize>(
        &mut self,
        opening: &[u8; LENGTH],
        object: &str,
        write: impl FnOnce(&mut Self),
    ) {
        self.out.extend_from_slice(opening);
        write(self);
        if self.rest.is_woven {
            self.rest.write_into(self.out, object);
        }
        close(self.out, b'}');
    }

    /// As [`Self::text`]; where it stands.
    fn marked<const LENGTH: usize>(&mut self, name: &[u8; LENGTH], value: &[u8]) -> Mark {
        let at = self.out.len();
        self.text(name, value);
        Mark::of_last(self.out, at, name)
    }

    /// `name` includes the opening quote of the value. Its length is known to the compiler, which copies
    /// it without a call then.
    #[inline]
    fn text<const LENGTH: usize>(&mut self, name: &[u8; LENGTH], value: &[u8]) {
        self.out.extend_from_slice(name);
        if self.texts == Texts::Plain {
            push_short(self.out, value);
        } else {
            push_escaped(self.out, &self.texts.read(value));
        }
        self.out.extend_from_slice(b"\",");
    }

    /// Ends a list of texts, of which the last has a comma behind it.
    fn end_list(&mut self) {
        close(self.out, b']');
        self.out.push(b',');
    }

    /// The same of a text that may be missing.
    #[inline]
    fn text_if<const LENGTH: usize>(&mut self, name: &[u8; LENGTH], value: Option<&[u8]>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// The same of a user's name, in which a backslash stands behind a domain.
    fn name<const LENGTH: usize>(&mut self, name: &[u8; LENGTH], value: &[u8]) {
        if self.texts == Texts::Plain {
            return self.text(name, value);
        }
        self.out.extend_from_slice(name);
        push_escaped(self.out, &self.texts.read_name(value));
        self.out.extend_from_slice(b"\",");
    }

    #[inline]
    fn number<const LENGTH: usize>(&mut self, name: &[u8; LENGTH], value: Option<u64>) {
        if let Some(value) = value {
            self.out.extend_from_slice(name);
            self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            self.out.push(b',');
        }
    }

    /// `address`, and `ip` or `domain` according to what it is: the mapping of `ip` refuses
    /// anything but an address. Where that stands.
    fn address(&mut self, address: &Address<'_>) -> Option<Mark> {
        self.text(b"\"address\":\"", address.text);
        if let Some(ip) = address.ip() {
            return Some(self.marked(b"\"ip\":\"", ip));
        }
        if address.kind == AddressKind::Name {
            self.text(b"\"domain\":\"", address.text);
        }
        None
    }
}
