//! From what a parser found in a line, without a document being made.

use std::borrow::Cow;

use omphalos_parser::{Event, Fields, Request, Seen, Time};

use super::{DocumentReader, Hit, Others};

/// Where lines come from: the same for all lines of a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// `host.name`.
    pub host: Option<&'a [u8]>,
    /// Path of the file, or name of the stream.
    pub source: Option<&'a [u8]>,
    /// `event.dataset`.
    pub dataset: Option<&'a [u8]>,
}

impl Place<'_> {
    fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let value = match name {
            "host.name" => self.host,
            "log.file.path" => self.source,
            "event.dataset" => self.dataset,
            _ => None,
        };
        value.map(Cow::Borrowed)
    }
}

/// Calls `then` with the hit of an event that stood in `place`; `reader` is a buffer, for lines of JSON.
pub fn with_event<R>(
    event: &Event<'_>,
    place: &Place<'_>,
    reader: &mut DocumentReader,
    then: impl FnOnce(&Hit<'_>) -> R,
) -> R {
    let time = nanos(event.time);
    let others = OfEvent { event, place };
    let base = Hit {
        time,
        host: place.host,
        source: place.source,
        dataset: place.dataset,
        line: event.line,
        others: &others,
        ..Hit::default()
    };
    match event.fields {
        Fields::Request(request) => then(&of_seen(&request.seen(), base)),
        Fields::Json(_) => match reader.read(event.line) {
            Ok(document) => {
                let own = document.hit();
                let [host, source, dataset] = [
                    (own.host, place.host),
                    (own.source, place.source),
                    (own.dataset, place.dataset),
                ]
                .map(|(own, place)| own.or(place));
                let others = Joined { own: own.others, base: &others };
                then(&Hit { time, host, source, dataset, others: &others, ..own })
            }
            Err(_) => then(&base),
        },
        Fields::Listed => then(&of_seen(&listed(event), base)),
        Fields::Message => then(&base),
    }
}

/// Nanoseconds since 1970.
fn nanos(time: Time) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}

fn of_seen<'a>(seen: &'a Seen<'a>, base: Hit<'a>) -> Hit<'a> {
    Hit {
        path: seen.path.as_deref(),
        method: seen.method.as_deref(),
        status: seen.status,
        bytes: seen.bytes,
        latency: seen.duration_nanos,
        client: seen.client.as_deref(),
        user: seen.user.as_deref(),
        referrer: seen.referrer.as_deref(),
        agent: seen.user_agent.as_deref(),
        virtual_host: seen.domain.as_deref(),
        ..base
    }
}

/// What is looked at of fields in a list.
fn listed<'a>(event: &'a Event<'_>) -> Seen<'a> {
    let text = |name| event.others.lookup(name);
    let number = |name| std::str::from_utf8(&event.others.lookup(name)?).ok()?.parse::<u64>().ok();
    Seen {
        path: text("url.path"),
        method: text("http.request.method"),
        status: number("http.response.status_code").and_then(|status| u16::try_from(status).ok()),
        bytes: number("http.response.body.bytes").or_else(|| number("http.response.bytes")),
        duration_nanos: number("event.duration"),
        client: text("source.address").or_else(|| text("source.ip")),
        user: text("user.name"),
        referrer: text("http.request.referrer"),
        user_agent: text("user_agent.original"),
        domain: text("url.domain"),
    }
}

/// All fields of an event.
struct OfEvent<'e, 'a> {
    event: &'e Event<'a>,
    place: &'e Place<'a>,
}

impl Others for OfEvent<'_, '_> {
    fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let request = self.event.fields.request().and_then(|request| request.lookup(name));
        if let Some(value) = request.or_else(|| self.event.others.lookup(name)) {
            return Some(value);
        }
        match name {
            "message" => self.event.is_message().then_some(Cow::Borrowed(self.event.line)),
            "error.message" => self.event.problem.map(|text| Cow::Borrowed(text.as_bytes())),
            "tags" => self.event.tags().next().map(|tag| Cow::Borrowed(tag.as_bytes())),
            _ => self.place.field(name),
        }
    }

    fn is_any_of(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut is_tag = || name == "tags" && self.event.tags().any(|tag| test(tag.as_bytes()));
        is_tag() || self.field(name).is_some_and(|value| test(&value))
    }

    fn any(&self, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let of_request = |request: &Request<'_>, test: &mut dyn FnMut(&[u8]) -> bool| {
            REQUEST_TEXTS.iter().any(|name| request.lookup(name).is_some_and(|text| test(&text)))
        };
        let place = [self.place.host, self.place.source, self.place.dataset];
        self.event.fields.request().is_some_and(|request| of_request(request, test))
            || self.event.others.texts().any(|text| test(&text))
            || self.field("message").is_some_and(|text| test(&text))
            || place.into_iter().flatten().any(test)
    }
}

/// Fields of a request that hold texts.
const REQUEST_TEXTS: [&str; 9] = [
    "url.original",
    "url.path",
    "url.domain",
    "http.request.method",
    "http.request.referrer",
    "http.request.header.x-forwarded-for",
    "source.address",
    "user.name",
    "user_agent.original",
];

/// The fields of a line of JSON, and those that its document has besides.
struct Joined<'e, 'a> {
    own: &'e dyn Others,
    base: &'e OfEvent<'e, 'a>,
}

impl Others for Joined<'_, '_> {
    fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.own.field(name).or_else(|| self.base.field(name))
    }

    fn is_any_of(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.own.is_any_of(name, test) || self.base.is_any_of(name, test)
    }

    fn any(&self, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.own.any(test) || self.base.any(test)
    }
}
