//! What is mapped where a value stands, and the names that no document may have.

use crate::mapping::{DOC_COUNT, MappedField, Node, of_the_server};

/// What is mapped where we are.
#[derive(Clone, Copy)]
pub enum At<'a> {
    /// A field, or an object.
    Node(&'a Node),
    /// Nothing yet.
    Unmapped,
    /// Below an object that is not looked at.
    Ignored,
    /// A field of Elasticsearch's own.
    Server(&'static str),
    /// [`DOC_COUNT`].
    Count,
}

/// Why nothing can stand under a name.
pub enum Nowhere<'a> {
    /// A part of it leads into this field, which is no object.
    InField(&'a MappedField),
    /// It begins with a field of Elasticsearch's own.
    InServer(&'static str),
    /// What is wrong with the name itself.
    Odd(&'static str),
}

impl<'a> At<'a> {
    /// Below a name, which may have dots in it.
    pub fn below(self, name: &str) -> Result<Self, Nowhere<'a>> {
        match self {
            Self::Ignored => return Ok(Self::Ignored),
            Self::Node(node) if node.is_opaque() => return Ok(Self::Ignored),
            _ => {}
        }
        check(name)?;
        let Self::Node(mut node) = self else { return Ok(self) };
        let mut parts = path(name).split('.').peekable();
        while let Some(part) = parts.next() {
            let Some(child) = node.child(part) else { return Ok(Self::Unmapped) };
            node = child;
            if parts.peek().is_none() {
                break;
            }
            if node.is_opaque() {
                return Ok(Self::Ignored);
            }
            if let Some(field) = node.field() {
                return Err(Nowhere::InField(field));
            }
        }
        Ok(Self::Node(node))
    }

    /// The same, of a name of the document itself.
    pub fn in_document(self, name: &str) -> Result<Self, Nowhere<'a>> {
        match of_the_server(name) {
            None => self.below(name),
            Some(own) if own != name => Err(Nowhere::InServer(own)),
            Some(DOC_COUNT) => Ok(Self::Count),
            Some(own) => Ok(Self::Server(own)),
        }
    }

    /// Whether nothing that stands here is looked at.
    pub fn is_unseen(self) -> bool {
        match self {
            Self::Ignored => true,
            Self::Node(node) => node.is_opaque(),
            _ => false,
        }
    }
}

/// Dots at the end mean nothing.
pub fn path(name: &str) -> &str {
    if name.ends_with('.') { name.trim_end_matches('.') } else { name }
}

/// Whether a field can have this name.
fn check<'a>(name: &str) -> Result<(), Nowhere<'a>> {
    let is_usual = name.as_bytes().first().is_some_and(u8::is_ascii_graphic);
    if is_usual && !name.contains('.') {
        return Ok(());
    }
    if name.is_empty() {
        return Err(Nowhere::Odd("field name cannot be an empty string"));
    }
    let path = path(name);
    if path.is_empty() {
        return Err(Nowhere::Odd("field name cannot contain only dots"));
    }
    if path.split('.').any(|part| part.chars().all(is_blank)) {
        return Err(Nowhere::Odd("field name cannot contain only whitespace"));
    }
    Ok(())
}

/// What Java calls white space.
fn is_blank(character: char) -> bool {
    match character {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        _ => character.is_whitespace(),
    }
}
