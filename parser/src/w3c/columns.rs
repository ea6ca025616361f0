//! What `#Fields` names: which column becomes which field.
//!
//! Each field is filled by one column, so that none is lost or written twice. Where several mean the
//! same, it is the more certain one (an address before a name that was looked up for it, the header
//! that the client sent before the name that the server goes by), and of equals the first; the others
//! are kept as `w3c.<name>`. A name that was there before gets a number: `w3c.x-forwarded-for_2`.

use crate::Name;

/// No server writes so many fields; a hostile `#Fields` could.
pub const MAX_COLUMNS: usize = 256;

/// A column, by what becomes of its values.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Field(Meaning),
    /// What ECS has no place for, by its name in the document.
    Other(Name<'static>),
    /// The protocol of an encrypted connection; the name is for values that are none.
    TlsVersion(Name<'static>),
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
        let names = names.split_ascii_whitespace().take(MAX_COLUMNS);
        let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
        let meanings: Vec<_> = names.iter().map(|name| meaning(name)).collect();
        let has = |wanted| meanings.iter().flatten().any(|(meaning, _)| *meaning == wanted);
        let mut list = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let field = meanings.get(at).copied().flatten().filter(|(meaning, certainty)| {
                let is_better = |(other_at, other): (usize, &Option<(Meaning, u8)>)| {
                    other.is_some_and(|(other, other_certainty)| {
                        other == *meaning && (other_certainty, other_at) < (*certainty, at)
                    })
                };
                is_of_a_time(*meaning, &has) && !meanings.iter().enumerate().any(is_better)
            });
            list.push(match field {
                Some((Meaning::TlsVersion, _)) => Column::TlsVersion(unused_name(&list, name)),
                Some((meaning, _)) => Column::Field(meaning),
                None => Column::Other(unused_name(&list, name)),
            });
        }
        let are_of_cloudfront = names.iter().any(|name| name.starts_with("x-edge-"));
        Self { list, are_of_cloudfront }
    }
}

/// Whether a date has its time of day beside it, and local ones are needed: UTC goes before them.
fn is_of_a_time(meaning: Meaning, has: &impl Fn(Meaning) -> bool) -> bool {
    match meaning {
        Meaning::Date => has(Meaning::Time),
        Meaning::LocalDate => has(Meaning::LocalTime) && !has(Meaning::Time),
        Meaning::LocalTime => has(Meaning::LocalDate) && !has(Meaning::Time),
        _ => true,
    }
}

/// The name in a document of a column called `name`, which none of those before it has.
fn unused_name(before: &[Column], name: &str) -> Name<'static> {
    let name = name.trim_end_matches(')');
    let is_used = |candidate: &Name<'static>| {
        before.iter().any(|column| match column {
            Column::Other(used) | Column::TlsVersion(used) => used == candidate,
            Column::Field(_) => false,
        })
    };
    let mut candidate = Name::cleaned("w3c", name);
    let first = candidate.clone();
    let mut number = 1;
    while is_used(&candidate) {
        number += 1;
        candidate = first.numbered(number);
    }
    candidate
}
