//! What `#Fields` names: which column becomes which field.
//!
//! Each field is filled by one column, so that none is lost or written twice. Where several mean the
//! same, it is the more certain one (an address before a name that was looked up for it, the header
//! that the client sent before the name that the server goes by), and of equals the first; the others
//! are kept as `w3c.<name>`. A name that was there before gets a number: `w3c.x-forwarded-for_2`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::Name;

/// No server writes so many fields; a hostile `#Fields` could.
pub const MAX_COLUMNS: usize = 256;

/// So many bytes of names are read: each line would have them in its document. Lines of a file with more
/// have more values than columns then.
const MOST_BYTES: usize = 6 * 1024;

/// A column, by what becomes of its values.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Field(Meaning),
    /// What ECS has no place for, by its name in the document.
    Other(Name<'static>),
    /// The protocol of an encrypted connection; the name is for values that are none.
    TlsVersion(Name<'static>),
    /// A list of addresses that proxies made; the name is for what is none.
    Forwarded(Name<'static>),
}

/// The field that a column fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Date,
    Time,
    LocalDate,
    LocalTime,
    Client,
    ClientPort,
    User,
    Server,
    ServerPort,
    Host,
    Scheme,
    Method,
    Path,
    Query,
    Target,
    Version,
    Status,
    ResponseBytes,
    BodyBytes,
    RequestBytes,
    TimeTaken,
    UserAgent,
    Referrer,
    TlsVersion,
    TlsCipher,
    Forwarded,
    RequestId,
    MimeType,
}

/// What a name means, in lower case, and how certain it is beside others that mean the same: less is
/// better. Field identifiers of the format, and those that IIS and CloudFront add.
fn meaning(name: &str) -> Option<(Meaning, u8)> {
    Some(match name {
        "date" => (Meaning::Date, 0),
        "time" => (Meaning::Time, 0),
        "date-local" => (Meaning::LocalDate, 0),
        "time-local" => (Meaning::LocalTime, 0),
        "c-ip" => (Meaning::Client, 0),
        "c-dns" => (Meaning::Client, 1),
        "c-port" => (Meaning::ClientPort, 0),
        "cs-username" => (Meaning::User, 0),
        "c-username" => (Meaning::User, 1),
        "s-ip" => (Meaning::Server, 0),
        "s-dns" => (Meaning::Server, 1),
        "s-port" => (Meaning::ServerPort, 0),
        "x-host-header" => (Meaning::Host, 0),
        "cs(host)" | "cs-host" => (Meaning::Host, 1),
        "cs-protocol" => (Meaning::Scheme, 0),
        "cs-method" => (Meaning::Method, 0),
        "cs-uri-stem" => (Meaning::Path, 0),
        "cs-uri-query" => (Meaning::Query, 0),
        "cs-uri" => (Meaning::Target, 0),
        "cs-version" | "cs-protocol-version" => (Meaning::Version, 0),
        "sc-status" => (Meaning::Status, 0),
        "sc-bytes" => (Meaning::ResponseBytes, 0),
        "sc-content-len" => (Meaning::BodyBytes, 0),
        "cs-bytes" => (Meaning::RequestBytes, 0),
        "time-taken" => (Meaning::TimeTaken, 0),
        "cs(user-agent)" => (Meaning::UserAgent, 0),
        "cs(referer)" => (Meaning::Referrer, 0),
        "ssl-protocol" => (Meaning::TlsVersion, 0),
        "ssl-cipher" => (Meaning::TlsCipher, 0),
        "x-forwarded-for" | "cs(x-forwarded-for)" => (Meaning::Forwarded, 0),
        "x-edge-request-id" => (Meaning::RequestId, 0),
        "sc-content-type" => (Meaning::MimeType, 0),
        _ => return None,
    })
}

/// What all columns of a line become, in their order.
#[derive(Debug, Default)]
pub struct Columns {
    pub list: Vec<Column>,
    /// CloudFront's, which are known by columns whose names begin with `x-edge-`.
    pub are_of_cloudfront: bool,
}

impl Columns {
    /// The columns that the value of a `#Fields` directive names.
    pub fn named(names: &str) -> Self {
        let mut bytes = 0;
        let is_named = |name: &&str| {
            bytes += name.len();
            bytes <= MOST_BYTES
        };
        let names = names.split_ascii_whitespace().take(MAX_COLUMNS).take_while(is_named);
        let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
        let best = Best::of(&names);
        let mut used = UsedNames(HashMap::with_capacity(names.len()));
        let column = |(at, name): (usize, &String)| match best.meaning(at, name) {
            Some(Meaning::TlsVersion) => Column::TlsVersion(used.next(name)),
            Some(Meaning::Forwarded) => Column::Forwarded(used.next(name)),
            Some(meaning) => Column::Field(meaning),
            None => Column::Other(used.next(name)),
        };
        let list = names.iter().enumerate().map(column).collect();
        let are_of_cloudfront = names.iter().any(|name| name.starts_with("x-edge-"));
        Self { list, are_of_cloudfront }
    }
}

/// Of what columns mean, which one fills each field.
struct Best(Vec<(Meaning, u8, usize)>);

impl Best {
    fn of(names: &[String]) -> Self {
        let mut best: Vec<(Meaning, u8, usize)> = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let Some((meaning, certainty)) = meaning(name) else { continue };
            // There are few meanings, however many columns there are.
            match best.iter_mut().find(|(known, ..)| *known == meaning) {
                Some((_, known, place)) if certainty < *known => (*known, *place) = (certainty, at),
                Some(_) => {}
                None => best.push((meaning, certainty, at)),
            }
        }
        Self(best)
    }

    fn has(&self, wanted: Meaning) -> bool {
        self.0.iter().any(|(meaning, ..)| *meaning == wanted)
    }

    /// The field that the column at this place fills, if it is the one.
    fn meaning(&self, at: usize, name: &str) -> Option<Meaning> {
        let (meaning, _) = meaning(name)?;
        let is_best = self.0.iter().any(|(known, _, place)| (*known, *place) == (meaning, at));
        (is_best && self.is_of_a_time(meaning)).then_some(meaning)
    }

    /// Whether a date has its time of day beside it, and local ones are needed: UTC goes before them.
    fn is_of_a_time(&self, meaning: Meaning) -> bool {
        match meaning {
            Meaning::Date => self.has(Meaning::Time),
            Meaning::LocalDate => self.has(Meaning::LocalTime) && !self.has(Meaning::Time),
            Meaning::LocalTime => self.has(Meaning::LocalDate) && !self.has(Meaning::Time),
            _ => true,
        }
    }
}

/// The names of columns that have no place in ECS, and the last number that was put behind each.
struct UsedNames(HashMap<String, usize>);

impl UsedNames {
    /// The name in a document of a column called `name`, which none of those before it has.
    fn next(&mut self, name: &str) -> Name<'static> {
        let first = Name::cleaned("w3c", name.trim_end_matches(')'));
        loop {
            let Some(last) = self.0.get_mut(first.as_str()) else {
                self.0.insert(first.as_str().to_owned(), 1);
                return first;
            };
            *last += 1;
            let candidate = first.numbered(*last);
            if let Entry::Vacant(place) = self.0.entry(candidate.as_str().to_owned()) {
                place.insert(1);
                return candidate;
            }
        }
    }
}
