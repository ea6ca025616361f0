//! What a document says of itself, whatever was in its line: a member of the line with such a name
//! has no place beside it. The one place where that is decided, and where such members go.

use std::collections::HashMap;

use super::{Event, Shape};
use crate::fields::{Fields, close, split_first};
use crate::text::push_escaped;

/// Where members are kept that have no place under their names.
pub const UNMERGED: &str = "unmerged";

/// Which names a document has of itself.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    /// Fields of a request.
    request: bool,
    /// The stream of a container.
    stream: bool,
    /// The line as `message`.
    pub message: bool,
    oddity: Oddity,
}

/// What is unusual about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oddity {
    /// Nothing: no word of it.
    None,
    /// Its time is not its own: there are tags.
    Time,
    /// Its end is missing: there are tags.
    Shape,
    /// It was not understood: there are tags and an error.
    Problem,
}

impl Own {
    /// The names of the document of `event`.
    pub fn of(event: &Event<'_>) -> Self {
        let oddity = match event.shape {
            _ if event.problem.is_some() => Oddity::Problem,
            Shape::Whole if event.is_time_assumed => Oddity::Time,
            Shape::Whole => Oddity::None,
            Shape::Cut | Shape::Unfinished | Shape::Split => Oddity::Shape,
        };
        let has_more = match event.fields {
            Fields::Request(request) => request.more,
            Fields::Json(_) | Fields::Listed => false,
            Fields::Message => true,
        };
        Self {
            request: matches!(event.fields, Fields::Request(_)),
            stream: event.stream.is_some(),
            message: matches!(oddity, Oddity::Shape | Oddity::Problem)
                || has_more
                || event.others.more,
            oddity,
        }
    }

    /// Whether there are tags.
    pub fn tags(self) -> bool {
        self.oddity != Oddity::None
    }

    /// The names in an object of the document; `""` where it is a field and no object.
    pub fn names_in(self, object: &str) -> &'static [&'static str] {
        match object {
            "@timestamp" | UNMERGED => &[""],
            "message" if self.message => &[""],
            "tags" if self.tags() => &[""],
            "error" if self.oddity == Oddity::Problem => &["message"],
            "event" if self.request => &["dataset", "original", "duration"],
            "event" => &["dataset", "original"],
            "ecs" => &["version"],
            "host" => &["name", "id"],
            "log" if self.stream => &["file", "offset", "iostream"],
            "log" => &["file", "offset"],
            _ if self.request => names_of_request(object),
            _ => &[],
        }
    }

    /// Whether `name` would be in the way of one of these names.
    pub fn claims(self, name: &str) -> bool {
        let (object, below) = split_first(name);
        let below = below.unwrap_or_default();
        self.names_in(object)
            .iter()
            .any(|own| own.is_empty() || below.is_empty() || collide(own, below))
    }
}

/// What `Request::write` writes: only a request may say it.
fn names_of_request(object: &str) -> &'static [&'static str] {
    match object {
        "source" | "destination" => &["address", "ip", "domain", "port"],
        "network" => &["forwarded_ip"],
        "url" => &["domain", "original", "path", "query", "fragment", "username", "scheme", "port"],
        "http" => &[
            "version",
            "request.method",
            "request.referrer",
            "request.bytes",
            "request.header.x-forwarded-for",
            "response.status_code",
            "response.bytes",
            "response.body.bytes",
        ],
        "user" => &["name"],
        "user_agent" => &["original"],
        _ => &[],
    }
}

/// Whether two names are one, or one is that of an object around the other.
pub fn collide(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    match long.as_bytes().get(short.len()) {
        None => short == long,
        Some(b'.') => long.starts_with(short),
        Some(_) => false,
    }
}

/// What could not be merged, under names that differ: Elasticsearch refuses a name given twice.
pub struct Kept<V> {
    members: Vec<KeptMember<V>>,
    /// Where the member of a name is, when there are many.
    places: Option<HashMap<String, usize>>,
}

struct KeptMember<V> {
    key: String,
    value: V,
    /// What else has the same name.
    more: Vec<V>,
}

impl<V> Kept<V> {
    /// So many quotes tell a name from others; whatever else has it is in the list of the last of them.
    /// Without a bound, a line that says one name ten thousand times would take hours.
    const MOST_QUOTES: usize = 8;

    /// Of so many members each is looked at to find one.
    const FEW: usize = 16;

    /// Nothing yet.
    pub fn new() -> Self {
        Self { members: Vec::new(), places: None }
    }

    /// Whether there is something.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Keeps a member.
    pub fn push(&mut self, key: &str, value: V) {
        let mut key = key.to_owned();
        let mut place = self.place(&key);
        for _ in 0..Self::MOST_QUOTES {
            if place.is_none() {
                break;
            }
            key.push('\'');
            place = self.place(&key);
        }
        if let Some(member) = place.and_then(|at| self.members.get_mut(at)) {
            return member.more.push(value);
        }
        let count = self.members.len();
        if let Some(places) = &mut self.places {
            places.insert(key.clone(), count);
        } else if count == Self::FEW {
            let keys = self.members.iter().map(|member| &member.key).chain([&key]);
            self.places = Some(keys.cloned().zip(0..).collect());
        }
        self.members.push(KeptMember { key, value, more: Vec::new() });
    }

    fn place(&self, key: &str) -> Option<usize> {
        if let Some(places) = &self.places {
            return places.get(key).copied();
        }
        self.members.iter().position(|member| member.key == key)
    }

    /// Appends it, with a comma before it, if there is something.
    pub fn write(&self, out: &mut Vec<u8>, write: impl Fn(&mut Vec<u8>, &V)) {
        let mut separator = ",\"unmerged\":{";
        for KeptMember { key, value, more } in &self.members {
            out.extend_from_slice(separator.as_bytes());
            push_name(out, key);
            if more.is_empty() {
                write(out, value);
            } else {
                out.push(b'[');
                for value in std::iter::once(value).chain(more) {
                    write(out, value);
                    out.push(b',');
                }
                close(out, b']');
            }
            separator = ",";
        }
        if !self.is_empty() {
            out.push(b'}');
        }
    }
}

/// Appends the name of a member and a colon.
pub fn push_name(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    push_escaped(out, name.as_bytes());
    out.extend_from_slice(b"\":");
}
