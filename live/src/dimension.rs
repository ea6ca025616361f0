//! By what lines are counted: the values of one field, or of a part of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::filter::field_of;
use crate::hit::{Hit, section};

/// A field whose values are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Dimension {
    /// The first segment of the path.
    Section,
    /// The path of the URL.
    Path,
    /// The host that wrote the line.
    Host,
    /// The virtual host that was asked.
    VirtualHost,
    /// The client.
    Client,
    /// The authenticated user.
    User,
    /// The page that led here.
    Referrer,
    /// The client's software.
    Agent,
    /// The status of the response.
    Status,
    /// The method of the request.
    Method,
    /// The file or stream that the line stood in.
    Source,
    /// The dataset.
    Dataset,
    /// Any other field, by its name in ECS.
    Field(Box<str>),
}

/// What they are called, and their fields in ECS.
const NAMES: [(Dimension, &str, &str); 12] = [
    (Dimension::Section, "section", "section"),
    (Dimension::Path, "path", "url.path"),
    (Dimension::Host, "host", "host.name"),
    (Dimension::VirtualHost, "vhost", "url.domain"),
    (Dimension::Client, "client", "source.address"),
    (Dimension::User, "user", "user.name"),
    (Dimension::Referrer, "referrer", "http.request.referrer"),
    (Dimension::Agent, "agent", "user_agent.original"),
    (Dimension::Status, "status", "http.response.status_code"),
    (Dimension::Method, "method", "http.request.method"),
    (Dimension::Source, "source", "log.file.path"),
    (Dimension::Dataset, "dataset", "event.dataset"),
];

impl Dimension {
    /// Those of access logs.
    pub const USUAL: [Self; 9] = [
        Self::Section,
        Self::Path,
        Self::Client,
        Self::User,
        Self::Referrer,
        Self::Agent,
        Self::Status,
        Self::Method,
        Self::VirtualHost,
    ];

    /// The dimension of this name: `section`, `path` …, a short name of the search, or a field of ECS.
    pub fn named(name: &str) -> Self {
        let own = NAMES.iter().find(|(_, own, _)| *own == name);
        let field = field_of(name);
        let by_field = NAMES.iter().find(|(_, _, own)| *own == field);
        own.or(by_field)
            .map_or_else(|| Self::Field(field.into()), |(dimension, _, _)| dimension.clone())
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Field(name) => name,
            known => {
                NAMES.iter().find(|(other, _, _)| other == known).map_or("", |(_, name, _)| name)
            }
        }
    }

    /// The field in ECS whose values are counted; of a section, that of the path that it begins.
    pub fn field(&self) -> &str {
        match self {
            Self::Section => Self::Path.field(),
            Self::Field(name) => name,
            known => {
                NAMES.iter().find(|(other, _, _)| other == known).map_or("", |(_, _, field)| field)
            }
        }
    }

    /// Calls `then` with the value that a line has, if it has one.
    #[inline]
    pub fn with_value<R>(&self, hit: &Hit<'_>, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let value = match self {
            Self::Section => hit.path.map(section),
            Self::Path => hit.path,
            Self::Host => hit.host,
            Self::VirtualHost => hit.virtual_host,
            Self::Client => hit.client,
            Self::User => hit.user,
            Self::Referrer => hit.referrer,
            Self::Agent => hit.agent,
            Self::Method => hit.method,
            Self::Source => hit.source,
            Self::Dataset => hit.dataset,
            Self::Status => {
                return hit
                    .status
                    .map(|status| then(itoa::Buffer::new().format(status).as_bytes()));
            }
            Self::Field(name) => return hit.others.field(name).map(|value| then(&value)),
        };
        value.map(then)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl From<String> for Dimension {
    fn from(name: String) -> Self {
        Self::named(&name)
    }
}

impl From<Dimension> for String {
    fn from(dimension: Dimension) -> Self {
        dimension.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_has_a_name_of_its_own_a_short_one_and_that_of_ecs() {
        for (name, dimension) in [
            ("section", Dimension::Section),
            ("path", Dimension::Path),
            ("url.path", Dimension::Path),
            ("file", Dimension::Source),
            ("vhost", Dimension::VirtualHost),
            ("http.response.status_code", Dimension::Status),
            ("level", Dimension::Field("log.level".into())),
            ("anything.else", Dimension::Field("anything.else".into())),
        ] {
            assert_eq!(Dimension::named(name), dimension, "{name}");
            assert_eq!(Dimension::named(dimension.name()), dimension, "{name}");
            assert!(
                dimension == Dimension::Section || Dimension::named(dimension.field()) == dimension
            );
        }
        let json = serde_json::to_string(&Dimension::Agent).unwrap();
        assert_eq!(json, "\"agent\"");
        assert_eq!(serde_json::from_str::<Dimension>(&json).unwrap(), Dimension::Agent);
    }
}
