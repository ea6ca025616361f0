//! What is in the fields of a line, for whoever looks at lines without making documents of them.

use std::borrow::Cow;

use super::fields::{Fields, List, Value};
use super::request::Request;

/// What of a request is looked at most, without what its server escaped.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    /// Path of the URL.
    pub path: Option<Cow<'a, [u8]>>,
    /// Request method.
    pub method: Option<Cow<'a, [u8]>>,
    /// Response status.
    pub status: Option<u16>,
    /// Bytes of the response body, or of all of it where only that is known.
    pub bytes: Option<u64>,
    /// How long it took, in nanoseconds.
    pub duration_nanos: Option<u64>,
    /// Address or name of the client.
    pub client: Option<Cow<'a, [u8]>>,
    /// Authenticated user.
    pub user: Option<Cow<'a, [u8]>>,
    /// The page that led here.
    pub referrer: Option<Cow<'a, [u8]>>,
    /// The client's software.
    pub user_agent: Option<Cow<'a, [u8]>>,
    /// Virtual host, without its port.
    pub domain: Option<Cow<'a, [u8]>>,
}

impl<'a> Request<'a> {
    /// What is looked at most.
    pub fn seen(&'a self) -> Seen<'a> {
        let url = self.url();
        let text = |text: Option<&'a [u8]>| text.map(|text| self.text_of(text));
        Seen {
            path: text(url.path),
            method: text(self.method),
            status: self.status,
            bytes: self.bytes.or(self.response_bytes),
            duration_nanos: self.duration_nanos,
            client: text(self.client.map(|client| client.text)),
            user: self.user.map(|user| self.name_of(user)),
            referrer: text(self.referrer),
            user_agent: text(self.user_agent),
            domain: text(url.domain),
        }
    }

    fn text_of(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.texts.read(text)
    }

    fn name_of(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        self.texts.read_name(name)
    }

    /// The value of the field of this name, as the document has it.
    pub fn lookup(&'a self, name: &str) -> Option<Cow<'a, [u8]>> {
        let text = |text: Option<&'a [u8]>| text.map(|text| self.text_of(text));
        let url = || self.url();
        match name {
            "url.original" => text(self.target),
            "url.path" => text(url().path),
            "url.query" => text(url().query),
            "url.domain" => text(url().domain),
            "url.fragment" => text(url().fragment),
            "url.username" => text(url().username),
            "url.scheme" => text(self.scheme),
            "url.port" => number(url().port),
            "http.version" => text(self.version),
            "http.request.method" => text(self.method),
            "http.request.referrer" => text(self.referrer),
            "http.request.bytes" => number(self.request_bytes),
            "http.request.header.x-forwarded-for" => text(self.forwarded_list),
            "http.response.status_code" => number(self.status),
            "http.response.bytes" => number(self.response_bytes),
            "http.response.body.bytes" => number(self.bytes),
            "event.duration" => number(self.duration_nanos),
            "source.address" => text(self.client.map(|client| client.text)),
            "source.ip" => text(self.client.and_then(|client| client.ip())),
            "source.port" => number(self.client_port),
            "destination.address" => text(self.server.map(|server| server.text)),
            "destination.ip" => text(self.server.and_then(|server| server.ip())),
            "destination.port" => number(self.server_port),
            "network.forwarded_ip" => text(self.forwarded),
            "user.name" => self.user.map(|user| self.name_of(user)),
            "user_agent.original" => text(self.user_agent),
            _ => None,
        }
    }
}

fn number<'a>(value: Option<impl Into<u64>>) -> Option<Cow<'a, [u8]>> {
    value.map(|value| Cow::Owned(itoa::Buffer::new().format(value.into()).as_bytes().to_vec()))
}

impl List<'_> {
    /// The value of the first field of this name; that of several values is the first of them.
    pub fn lookup(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.fields.iter().find(|field| field.name.as_str() == name)?.value.text()
    }

    /// All values.
    pub fn texts(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.fields.iter().filter_map(|field| field.value.text())
    }
}

impl Value<'_> {
    /// Its text: numbers in decimals, objects as their JSON.
    fn text(&self) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::List(values) => return values.first()?.text(),
            Self::Json(raw) => Cow::Borrowed(raw.get().as_bytes()),
            Self::Ip(address) => Cow::Owned(address.to_string().into_bytes()),
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) | Self::Bool(_) => {
                let mut text = Vec::new();
                self.write(&mut text);
                Cow::Owned(text)
            }
        })
    }
}

impl Fields<'_> {
    /// What a line says that has the fields of a request.
    pub fn request(&self) -> Option<&Request<'_>> {
        match self {
            Self::Request(request) => Some(request),
            Self::Json(_) | Self::Listed | Self::Message => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Calendar, Parsed, ParserKind};

    #[test]
    fn fields_are_what_the_document_says() {
        let line = br#"203.0.113.7 - CORP\bob [22/Nov/2026:12:15:00 +0100] "GET /a/b?c=d HTTP/1.1" 200 17 "http://e.example/" "say \"hi\"""#;
        let (mut calendar, mut list) = (Calendar::default(), List::default());
        let mut parser = ParserKind::Combined.format().parser();
        let Parsed::Event { fields, .. } = parser.parse(&mut calendar, line, &mut list) else {
            panic!("it is an event");
        };
        let request = fields.request().expect("it is a request");
        let seen = request.seen();
        assert_eq!(seen.path.as_deref(), Some(&b"/a/b"[..]));
        assert_eq!(seen.user_agent.as_deref(), Some(&br#"say "hi""#[..]));
        assert_eq!(seen.user.as_deref(), Some(&br"CORP\bob"[..]));
        assert_eq!((seen.status, seen.bytes), (Some(200), Some(17)));
        for (name, value) in [
            ("url.query", Some("c=d")),
            ("url.original", Some("/a/b?c=d")),
            ("http.response.status_code", Some("200")),
            ("source.ip", Some("203.0.113.7")),
            ("http.version", Some("1.1")),
            ("url.port", None),
            ("nothing", None),
        ] {
            assert_eq!(request.lookup(name).as_deref(), value.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn values_of_a_list_are_texts() {
        let mut list = List::default();
        list.add("a.b", "x");
        list.add("n", 5_u64);
        list.add("l", vec![Value::from("one"), Value::from("two")]);
        let text = |name| list.lookup(name).map(|text| String::from_utf8_lossy(&text).into_owned());
        assert_eq!(text("a.b").as_deref(), Some("x"));
        assert_eq!(text("n").as_deref(), Some("5"));
        assert_eq!(text("l").as_deref(), Some("one"));
        assert_eq!(list.texts().count(), 3);
    }
}
