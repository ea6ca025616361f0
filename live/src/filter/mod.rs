//! Which lines are counted: a filter in the language of `omphalos search`, on the fields of one line.
//!
//! It means what the search means: short names are fields of ECS or members called so, slashes and the
//! colons of addresses are themselves, words without a field are looked for inside of values, words next
//! to one another are all meant, and `AND`, `OR`, `NOT` bind as in Lucene's classic language.

mod grammar;
mod matching;
mod names;
#[cfg(test)]
mod tests;
mod wildcard;

use std::fmt;

pub use grammar::FilterProblem;
use matching::Test;
pub use names::{SHORT_NAMES, WORD_FIELDS, field_of};

use crate::hit::Hit;

/// A filter, read and checked.
#[derive(Debug, Clone)]
pub struct Filter {
    text: String,
    /// `None` where all lines are meant.
    node: Option<Node>,
}

/// A part of a filter.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// Something that is asked of a line.
    Test(Test),
    /// Others, combined.
    Group(Vec<(Role, Node)>),
}

/// What a part of a group is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It holds for all that is meant.
    Must,
    /// It holds for some of it.
    Should,
    /// It holds for none of it.
    MustNot,
}

impl Filter {
    /// The filter that was typed; nothing, `*`, or `*:*`, means all lines.
    ///
    /// # Errors
    /// When it cannot be read, or asks for what a line cannot tell.
    pub fn new(typed: &str) -> Result<Self, FilterProblem> {
        let text = typed.trim();
        let node = if text == "*" { None } else { grammar::parse(text)? };
        Ok(Self { text: text.to_owned(), node })
    }

    /// Whether a line is meant.
    pub fn matches(&self, hit: &Hit<'_>) -> bool {
        self.node.as_ref().is_none_or(|node| node.matches(hit))
    }

    /// The fields that are asked for by their names.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        if let Some(node) = &self.node {
            node.add_fields(&mut fields);
        }
        fields
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Node {
    fn add_fields<'a>(&'a self, fields: &mut Vec<&'a str>) {
        match self {
            Self::Test(test) => fields.extend(test.named()),
            Self::Group(parts) => parts.iter().for_each(|(_, node)| node.add_fields(fields)),
        }
    }

    fn matches(&self, hit: &Hit<'_>) -> bool {
        let parts = match self {
            Self::Test(test) => return test.matches(hit),
            Self::Group(parts) => parts,
        };
        // Where something must hold, what should is of no account: it would only change the order.
        let has_must = parts.iter().any(|(role, _)| *role == Role::Must);
        let has_should = parts.iter().any(|(role, _)| *role == Role::Should);
        let all = parts.iter().all(|(role, node)| match role {
            Role::Must => node.matches(hit),
            Role::MustNot => !node.matches(hit),
            Role::Should => true,
        });
        let is_should = |(role, node): &(Role, Self)| *role == Role::Should && node.matches(hit);
        all && (has_must || !has_should || parts.iter().any(is_should))
    }
}
