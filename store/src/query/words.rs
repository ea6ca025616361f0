//! What a query for people says, whichever of the two languages it is in.

/// A part of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Something that is looked for in a field, or in the default ones.
    Leaf(Leaf),
    /// Others, combined.
    Group(Vec<(Role, Node)>, f32),
}

/// What a part of a group is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is in all that is found.
    Must,
    /// It is in some of it.
    Should,
    /// It is in none of it.
    MustNot,
}

/// Something that is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// The field, if one is named.
    pub field: Option<String>,
    /// What is looked for in it.
    pub what: What,
    /// What its score is multiplied with.
    pub boost: f32,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Words.
    Words(String),
    /// Words in their order, and how far they may be from their places.
    Phrase(String, u32),
    /// Something with wildcards.
    Pattern(String),
    /// Values between two, each with whether it is one of them.
    Range(Option<(String, bool)>, Option<(String, bool)>),
    /// Anything: documents that have the field.
    Anything,
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Elasticsearch does not understand it either.
    Syntax,
    /// Elasticsearch understands it, but this store does not.
    Unsupported(&'static str),
}

/// How deep groups may be nested.
pub const MOST_DEPTH: usize = 50;
