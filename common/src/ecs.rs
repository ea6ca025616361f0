//! The fields of ECS that have a fixed type: the one table that the index template is made of, and by
//! which the parser sees that a member of a line has no place under its own name. Elasticsearch
//! refuses a whole document where one member is a text and the template has an object, or the other
//! way round. <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>

/// What a field is in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A time.
    Date,
    /// An address.
    Ip,
    /// A text found as a whole.
    Keyword,
    /// A whole number of 64 bits.
    Long,
    /// Words.
    Text,
    /// Kept, and found by nothing.
    Unindexed,
    /// Kept, whatever is inside.
    Opaque,
    /// A text found by any part of it.
    Wildcard,
}

impl FieldType {
    /// Whether any JSON can stand there as text.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Keyword | Self::Text | Self::Wildcard | Self::Unindexed)
    }
}

use FieldType::{Date, Ip, Keyword, Long, Opaque, Text, Unindexed, Wildcard};

/// Every field with a fixed type; all others are mapped as they come, strings as keywords.
pub const FIELDS: [(&str, FieldType); 44] = [
    ("@timestamp", Date),
    ("message", Text),
    ("tags", Keyword),
    ("ecs.version", Keyword),
    ("error.message", Text),
    ("event.dataset", Keyword),
    ("event.duration", Long),
    ("event.original", Unindexed),
    ("host.name", Keyword),
    ("host.id", Keyword),
    ("log.level", Keyword),
    ("log.offset", Long),
    ("log.file.path", Keyword),
    ("source.address", Keyword),
    ("source.ip", Ip),
    ("source.domain", Keyword),
    ("source.port", Long),
    // What the path of a container's log says: a line of a program must not be in its way.
    ("container.id", Keyword),
    ("container.name", Keyword),
    ("kubernetes.namespace", Keyword),
    ("kubernetes.container.name", Keyword),
    ("kubernetes.pod.name", Keyword),
    ("kubernetes.pod.uid", Keyword),
    ("orchestrator.namespace", Keyword),
    ("destination.address", Keyword),
    ("destination.ip", Ip),
    ("destination.domain", Keyword),
    ("destination.port", Long),
    ("user.name", Keyword),
    ("related.ip", Ip),
    // What could not be merged may be anything, and must not clash once more.
    ("unmerged", Opaque),
    ("user_agent.original", Wildcard),
    ("url.domain", Keyword),
    ("url.original", Wildcard),
    ("url.path", Wildcard),
    ("url.query", Wildcard),
    ("url.port", Long),
    ("http.version", Keyword),
    ("http.request.method", Keyword),
    ("http.request.referrer", Wildcard),
    ("http.request.bytes", Long),
    ("http.response.status_code", Long),
    ("http.response.bytes", Long),
    ("http.response.body.bytes", Long),
];

/// The member of an object that a bare value in its place is, as loggers write it: `"error":"timeout"`.
pub const BARE_VALUES: [(&str, &str); 7] = [
    ("error", "message"),
    ("user", "name"),
    ("url", "original"),
    ("user_agent", "original"),
    ("source", "address"),
    ("destination", "address"),
    ("container", "name"),
];

/// What a name with dots is by the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing is fixed.
    Free,
    /// A field.
    Field(FieldType),
    /// An object, and the member of it that a bare value is, if there is one.
    Object(Option<&'static str>),
    /// It is below a field, where nothing can be.
    Nowhere,
}

/// What `name` is by the table.
pub fn role(name: &str) -> Role {
    let first = name.as_bytes().first();
    // Each question below is one about names that begin alike.
    for (field, kind) in
        FIELDS.iter().copied().filter(|(field, _)| field.as_bytes().first() == first)
    {
        if field == name {
            return Role::Field(kind);
        }
        if is_below(name, field) && kind != Opaque {
            return Role::Nowhere;
        }
        if is_below(field, name) {
            let bare = BARE_VALUES.iter().find(|(object, _)| *object == name);
            return Role::Object(bare.map(|(_, member)| *member));
        }
    }
    Role::Free
}

/// Whether a server takes `name` for a path of objects: no part between its dots is empty or blank.
pub fn is_path(name: &str) -> bool {
    name.split('.').all(|part| !part.chars().all(is_blank))
}

/// What Java or Unicode calls white space: the store follows the one, and Elasticsearch the other.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Whether `name` is that of something in `object`.
fn is_below(name: &str, object: &str) -> bool {
    name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_name_between_all_its_dots() {
        for name in ["a", "a.b", "_id", "a b.c", "'", "\u{200b}"] {
            assert!(is_path(name), "{name:?}");
        }
        for name in
            ["", ".", " ", "a.", ".a", "a..b", "a. .b", "\t", "a.\u{3000}", "\u{1f}", "\u{a0}.x"]
        {
            assert!(!is_path(name), "{name:?}");
        }
    }

    #[test]
    fn each_name_has_the_role_that_the_template_gives_it() {
        assert_eq!(role("url"), Role::Object(Some("original")));
        assert_eq!(role("http.request"), Role::Object(None));
        assert_eq!(role("http.request.bytes"), Role::Field(Long));
        assert_eq!(role("message.text"), Role::Nowhere);
        assert_eq!(role("unmerged.anything"), Role::Free);
        assert_eq!(role("urls"), Role::Free);
        assert_eq!(role("url.path.x"), Role::Nowhere);
        for (object, member) in BARE_VALUES {
            assert_eq!(role(object), Role::Object(Some(member)));
            let field = role(&format!("{object}.{member}"));
            assert!(matches!(field, Role::Field(kind) if kind.is_text()), "{object}: {field:?}");
        }
    }
}
