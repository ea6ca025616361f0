//! What a document says of itself, whatever was in its line: a member of the line with such a name
//! has no place beside it. The one place where that is decided, and where such members go.

use std::collections::HashMap;

use super::{Event, Shape};
use crate::fields::{Fields, close, split_first};
use crate::text::push_escaped;

/// Where members are kept that have no place under their names.
pub const UNMERGED: &str = "unmerged";

/// Which names a document has of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// Fields of a request.
    request: bool,
    /// What is there besides.
    added: Added,
    /// The stream of a container.
    stream: bool,
    /// The line as `message`.
    pub message: bool,
    oddity: Oddity,
}

/// What is added to documents of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    /// Nothing.
    Nothing,
    /// What the dashboards of a module ask for.
    ForDashboards,
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
            added: Added::Nothing,
            stream: event.stream.is_some(),
            message: matches!(oddity, Oddity::Shape | Oddity::Problem)
                || has_more
                || event.others.more,
            oddity,
        }
    }

    /// The same with what the dashboards of a module ask for, or without.
    pub fn with_module(self, module: bool) -> Self {
        Self { added: if module { Added::ForDashboards } else { Added::Nothing }, ..self }
    }

    /// Whether there is what the dashboards of a module ask for.
    pub fn has_module(self) -> bool {
        self.added == Added::ForDashboards
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
            "event" if self.has_module() && self.request => OF_MODULE_EVENT,
            // What kind of event it is, other lines may say.
            "event" if self.has_module() => &["dataset", "original", "kind", "category", "module"],
            "event" if self.request => &["dataset", "original", "duration"],
            "event" => &["dataset", "original"],
            "ecs" => &["version"],
            "host" if self.has_module() => &["name", "id", "hostname"],
            "host" => &["name", "id"],
            "data_stream" if self.has_module() => &[""],
            "related" if self.has_module() && self.request => &["ip", "user", "hosts"],
            "url" if self.has_module() && self.request => OF_MODULE_URL,
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

/// The `event` of a request with a module,
const OF_MODULE_EVENT: &[&str] =
    &["dataset", "original", "duration", "kind", "category", "type", "module", "outcome"];

/// and its `url`.
const OF_MODULE_URL: &[&str] =
    &["domain", "original", "path", "query", "fragment", "username", "scheme", "port", "extension"];

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
///
/// The name of what is put aside is its path, which may be much longer than all that stands there: so
/// the names together are at most as long as the line, and a few bytes more for short ones. Where that is
/// not enough, nothing more is kept, and the document must be made otherwise ([`Self::is_over`]).
pub struct Kept<V> {
    members: Vec<KeptMember<V>>,
    /// Where the member of a name is; most lines have nothing to be put aside, and none is made for them.
    places: Option<HashMap<String, Taken>>,
    /// So many bytes of names may come.
    room: usize,
    is_over: bool,
}

/// A name that is taken.
struct Taken {
    /// Where its member is.
    at: usize,
    /// With so many quotes behind it, it was the last one that was given.
    quotes: usize,
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

    /// So much more than the line itself its names may take.
    const ROOM: usize = 4096;

    /// Nothing yet, of a line of so many bytes.
    pub fn of_line(bytes: usize) -> Self {
        Self {
            members: Vec::new(),
            places: None,
            room: bytes.saturating_add(Self::ROOM),
            is_over: false,
        }
    }

    /// Whether there is something.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether something was not kept, because there was no room for its name.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Keeps a member.
    pub fn push(&mut self, key: &str, value: V) {
        if self.has_room(key.len()) {
            self.add(key.to_owned(), value);
        }
    }

    /// Keeps a member of the object at `path`.
    pub fn push_below(&mut self, path: Path<'_>, name: &str, value: V) {
        let path = path.below(name);
        // Before it is made: it may be long, and it may be one of many.
        if self.has_room(path.len()) {
            self.add(path.text(), value);
        }
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        match self.room.checked_sub(bytes) {
            Some(room) => self.room = room,
            None => self.is_over = true,
        }
        !self.is_over
    }

    fn add(&mut self, key: String, value: V) {
        let places = self.places.get_or_insert_default();
        let mut name = key;
        if let Some(mut quotes) = places.get(&name).map(|taken| taken.quotes) {
            let key = name;
            name = format!("{key}{}", "'".repeat(quotes));
            while quotes < Self::MOST_QUOTES && places.contains_key(&name) {
                quotes += 1;
                name.push('\'');
            }
            if let Some(taken) = places.get_mut(&key) {
                taken.quotes = quotes;
            }
            if let Some(member) = places.get(&name).and_then(|it| self.members.get_mut(it.at)) {
                return member.more.push(value);
            }
        }
        places.insert(name.clone(), Taken { at: self.members.len(), quotes: 0 });
        self.members.push(KeptMember { key: name, value, more: Vec::new() });
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

/// Where a value stands, by the names around it. Text is made of it only where it is needed: each name
/// may be as long as the line, and each is around all that is in it.
#[derive(Debug, Clone, Copy)]
pub struct Path<'p> {
    above: Option<&'p Path<'p>>,
    name: &'p str,
}

impl<'p> Path<'p> {
    /// Of a member of the document, or with all the names that are around it in `name`.
    pub fn new(name: &'p str) -> Self {
        Self { above: None, name }
    }

    /// Of a member of the object at this one.
    pub fn below(&'p self, name: &'p str) -> Self {
        Self { above: Some(self), name }
    }

    fn names(&self) -> impl Iterator<Item = &'p str> {
        std::iter::successors(Some(*self), |path| path.above.copied()).map(|path| path.name)
    }

    fn len(&self) -> usize {
        self.names().map(|name| name.len() + 1).sum::<usize>() - 1
    }

    fn text(&self) -> String {
        let mut names: Vec<&str> = self.names().collect();
        names.reverse();
        names.join(".")
    }
}

/// Appends the name of a member and a colon.
pub fn push_name(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    push_escaped(out, name.as_bytes());
    out.extend_from_slice(b"\":");
}
