//! What a list of fields looked like in the documents before: lines of one format have the same names in
//! the same order nearly always, and then only their values are written anew.

use super::own::Own;
use super::rest::State;
use crate::fields::Field;
use crate::text::push_short;

/// So many lists are remembered; a format has few.
const MOST: usize = 16;
/// Longer lists, and longer names, are put together each time.
const MOST_FIELDS: usize = 64;
/// So many are noted without one of them being of use: where names change with each line, none is.
const MOST_TRIES: u32 = 64;

/// The objects of a document that fields of a list are written into, and the document itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Event,
    Ecs,
    Host,
    Log,
    All,
}

impl Stage {
    /// That of an object which every document has.
    pub fn of(object: &str) -> Option<Self> {
        Some(match object {
            "event" => Self::Event,
            "ecs" => Self::Ecs,
            "host" => Self::Host,
            "log" => Self::Log,
            _ => return None,
        })
    }
}

/// The text of a stage: what stands before each value, and which one that is.
#[derive(Debug, Default)]
struct Text {
    pieces: Vec<(Box<[u8]>, usize)>,
    tail: Box<[u8]>,
}

/// A list, and how it is written.
#[derive(Debug)]
pub struct Template {
    own: Own,
    names: Vec<Box<str>>,
    /// Whether one belongs into an object that is written by others.
    is_woven: bool,
    texts: [Text; 5],
}

impl Template {
    fn new(own: Own, fields: &[Field<'_>], is_woven: bool) -> Self {
        let names = fields.iter().map(|field| field.name.as_str().into()).collect();
        Self { own, names, is_woven, texts: Default::default() }
    }

    /// Whether one of the fields belongs into an object that is written by others.
    pub fn is_woven(&self) -> bool {
        self.is_woven
    }

    /// Whether these fields are written so.
    fn is_of(&self, own: Own, fields: &[Field<'_>]) -> bool {
        self.own == own
            && self.names.len() == fields.len()
            && self.names.iter().zip(fields).all(|(name, field)| **name == *field.name.as_str())
    }

    /// Notes what was written from `start` on, with the places of values and whose they are.
    pub fn note(
        &mut self,
        stage: Stage,
        out: &[u8],
        start: usize,
        values: &[(usize, usize, usize)],
    ) {
        let Some(text) = self.texts.get_mut(stage as usize) else { return };
        let mut from = start;
        for (begin, end, field) in values {
            text.pieces.push((out.get(from..*begin).unwrap_or_default().into(), *field));
            from = *end;
        }
        text.tail = out.get(from..).unwrap_or_default().into();
    }

    /// Appends a stage with the values of other fields.
    pub fn write(&self, stage: Stage, out: &mut Vec<u8>, fields: &[Field<'_>]) {
        let Some(text) = self.texts.get(stage as usize) else { return };
        for (before, field) in &text.pieces {
            push_short(out, before);
            if let Some(field) = fields.get(*field) {
                field.value.write(out);
            }
        }
        out.extend_from_slice(&text.tail);
    }
}

/// What is kept from one document to the next.
#[derive(Debug)]
pub struct Memory {
    /// A buffer for what became of the fields of a list.
    pub states: Vec<State>,
    templates: Vec<Template>,
    /// The one that was of use last.
    last: usize,
    /// The one that is replaced next.
    oldest: usize,
    tries: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { states: Vec::new(), templates: Vec::new(), last: 0, oldest: 0, tries: MOST_TRIES }
    }
}

impl Memory {
    /// Which template these fields have.
    pub fn find(&mut self, own: Own, fields: &[Field<'_>]) -> Option<usize> {
        let is_it = |template: &Template| template.is_of(own, fields);
        let found = match self.templates.get(self.last) {
            Some(last) if is_it(last) => self.last,
            _ => self.templates.iter().position(is_it)?,
        };
        if !fields.iter().all(|field| field.value.fits()) {
            return None;
        }
        self.last = found;
        self.tries = (self.tries + 1).min(MOST_TRIES);
        Some(found)
    }

    /// The template that was found.
    pub fn get(&self, at: usize) -> Option<&Template> {
        self.templates.get(at)
    }

    /// An empty one for these fields, if it is worth it.
    pub fn begin(
        &mut self,
        own: Own,
        fields: &[Field<'_>],
        is_woven: bool,
    ) -> Option<Box<Template>> {
        if fields.is_empty() || fields.len() > MOST_FIELDS {
            return None;
        }
        self.tries = self.tries.checked_sub(1)?;
        Some(Box::new(Template::new(own, fields, is_woven)))
    }

    /// Keeps one.
    pub fn keep(&mut self, template: Box<Template>) {
        let template = *template;
        if self.templates.len() < MOST {
            self.templates.push(template);
        } else if let Some(place) = self.templates.get_mut(self.oldest) {
            *place = template;
            self.oldest = (self.oldest + 1) % MOST;
        }
    }
}
