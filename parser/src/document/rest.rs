//! Fields in their general form, as members of a document: those of one object stand together in it,
//! beside what the document or a request writes there itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::own::{Kept, Own, collide};
use super::template::{Memory, Stage, Template};
use crate::fields::{Field, List, Value, close, split_first};

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is to be written under its name.
    Waiting,
    /// Its name is another's.
    Unmerged,
    /// It is in the document.
    Done,
}

/// What of a list is not written yet.
pub struct Rest<'l, 'a> {
    fields: &'l [Field<'a>],
    /// The names that the document has of itself.
    pub own: Own,
    /// What became of each, and how lists before were written.
    memory: &'l mut Memory,
    /// The template by which they are written.
    template: Option<usize>,
    /// The one that is being noted, on the heap, for it is large and rare; and where values are in what is written.
    noted: Option<Box<Template>>,
    values: Vec<(usize, usize, usize)>,
    /// The tags of the line, to be joined with the document's own.
    pub tags: Option<&'l Value<'a>>,
    /// Whether one belongs into an object that is written by others.
    pub is_woven: bool,
}

impl<'l, 'a> Rest<'l, 'a> {
    /// The names of so many are compared one by one.
    const FEW: usize = 16;

    /// All of `list`, in a document that has names of its own; `memory` is what was left by the last one.
    pub fn new(list: &'l List<'a>, own: Own, memory: &'l mut Memory) -> Self {
        let fields = &*list.fields;
        let (template, noted, values) = (None, None, Vec::new());
        let (tags, is_woven) = (None, false);
        memory.states.clear();
        let mut rest = Self { fields, own, memory, template, noted, values, tags, is_woven };
        // Most lines of a web server have none.
        if fields.is_empty() {
            return rest;
        }
        rest.template = rest.memory.find(own, fields);
        match rest.template.and_then(|at| rest.memory.get(at)) {
            Some(template) => rest.is_woven = template.is_woven(),
            None => rest.look_at(list),
        }
        rest
    }

    /// Finds out what becomes of each.
    fn look_at(&mut self, list: &'l List<'a>) {
        let (fields, own, rest) = (self.fields, self.own, self);
        // Whether all are written into what every document has.
        let mut is_usual = true;
        let mut many = (fields.len() > Self::FEW && !list.is_distinct).then(ManyNames::default);
        let (mut object, mut claimed) = ("", false);
        for Field { name, value } in fields {
            let name = name.as_str();
            if !is_in(name, object) {
                (object, _) = split_first(name);
                claimed = !own.names_in(object).is_empty();
                rest.is_woven |= claimed;
                is_usual &= !claimed || Stage::of(object).is_some() || object == "message";
            }
            // The line as the message holds this one; the tags are joined, the first of them.
            let is_joined = own.tags() && rest.tags.is_none() && name == "tags" && is_tags(value);
            if is_joined {
                rest.tags = Some(value);
            }
            let state = if is_joined || own.message && name == "message" {
                State::Done
            } else if claimed && own.claims(name) || !value.fits() {
                State::Unmerged
            } else {
                let is_free = match &mut many {
                    Some(names) => names.take(name),
                    None if list.is_distinct => {
                        debug_assert!(!rest.has(name), "{name} is there twice");
                        true
                    }
                    None => !rest.has(name),
                };
                if is_free { State::Waiting } else { State::Unmerged }
            };
            rest.memory.states.push(state);
            is_usual &= name != "tags" && state != State::Unmerged;
        }
        if is_usual {
            rest.noted = rest.memory.begin(own, fields, rest.is_woven);
        }
    }

    /// Keeps what is of use for the next document.
    pub fn finish(self) {
        if let Some(template) = self.noted {
            self.memory.keep(template);
        }
    }

    /// Writes a stage by the template, if there is one.
    fn write_stage(&self, stage: Option<Stage>, out: &mut Vec<u8>) -> bool {
        let Some(template) = self.template.and_then(|at| self.memory.get(at)) else { return false };
        if let Some(stage) = stage {
            template.write(stage, out, self.fields);
        }
        true
    }

    fn note(&mut self, stage: Option<Stage>, out: &[u8], start: usize) {
        if let (Some(template), Some(stage)) = (&mut self.noted, stage) {
            template.note(stage, out, start, &self.values);
        }
        self.values.clear();
    }

    /// Whether there was nothing from the beginning.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether a field that was looked at has this name.
    fn has(&self, name: &str) -> bool {
        let mut before = self.fields.iter().zip(&self.memory.states);
        before.any(|(field, state)| *state == State::Waiting && collide(field.name.as_str(), name))
    }

    fn is_waiting(&self, at: usize) -> bool {
        self.memory.states.get(at) == Some(&State::Waiting)
    }

    /// Appends what belongs into `object`, each with a comma behind it.
    pub fn write_into(&mut self, out: &mut Vec<u8>, object: &str) {
        let stage = Stage::of(object);
        if self.write_stage(stage, out) {
            return;
        }
        let start = out.len();
        let mut fields = self.fields.iter().enumerate();
        let first =
            fields.find(|(at, field)| self.is_waiting(*at) && is_in(field.name.as_str(), object));
        if let Some((first, _)) = first {
            self.write_level(out, first, object.len() + 1);
            self.note(stage, out, start);
        }
    }

    /// Appends all that is not written yet, each with a comma before it.
    pub fn write_all(&mut self, out: &mut Vec<u8>) {
        if self.write_stage(Some(Stage::All), out) {
            return;
        }
        let start = out.len();
        out.push(b',');
        self.write_level(out, 0, 0);
        out.pop();
        self.note(Some(Stage::All), out, start);
        // Their names are bounded already (`Name`), and so is how many they are (`List::MOST`).
        let mut kept = Kept::of_line(usize::MAX);
        for (field, state) in self.fields.iter().zip(&self.memory.states) {
            if *state == State::Unmerged {
                kept.push(field.name.as_str(), &field.value);
            }
        }
        kept.write(out, |out, value| value.write(out));
    }

    /// Writes all whose names begin with the first `length` bytes of that of the field at `from`,
    /// in the order in which their first parts come first.
    fn write_level(&mut self, out: &mut Vec<u8>, from: usize, length: usize) {
        let fields = self.fields;
        let object = fields.get(from).and_then(|field| field.name.as_str().get(..length));
        let Some(object) = object else { return };
        for (at, field) in fields.iter().enumerate().skip(from) {
            let Some(name) = field.name.as_str().strip_prefix(object) else { continue };
            if !self.is_waiting(at) {
                continue;
            }
            let (part, below) = split_first(name);
            field.name.write_part(out, part);
            if below.is_none() {
                if let Some(state) = self.memory.states.get_mut(at) {
                    *state = State::Done;
                }
                let begin = out.len();
                field.value.write(out);
                if self.noted.is_some() {
                    self.values.push((begin, out.len(), at));
                }
            } else {
                out.push(b'{');
                self.write_level(out, at, length + part.len() + 1);
                close(out, b'}');
            }
            out.push(b',');
        }
    }
}

/// The names of many fields that are to be written, and of the objects that they are in.
#[derive(Default)]
struct ManyNames<'n> {
    /// Whether each is that of a field.
    names: HashMap<&'n str, bool>,
    /// The object of the field before, which most often is that of the next one.
    object: &'n str,
}

impl<'n> ManyNames<'n> {
    /// Takes a name for a field; `false` where one that is taken is in the way.
    fn take(&mut self, name: &'n str) -> bool {
        let is_field = |object| object != self.object && self.names.get(object) == Some(&true);
        if objects_around(name).any(is_field) {
            return false;
        }
        let Entry::Vacant(place) = self.names.entry(name) else { return false };
        place.insert(true);
        for object in objects_around(name) {
            if object != self.object {
                self.names.insert(object, false);
                self.object = object;
            }
        }
        true
    }
}

/// The objects that a field of this name is in.
fn objects_around(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(|(dot, _)| name.get(..dot))
}

/// Whether `name` is that of a field in `object`.
fn is_in(name: &str, object: &str) -> bool {
    name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether it can stand among tags.
fn is_tags(value: &Value<'_>) -> bool {
    match value {
        Value::Text(_) => true,
        Value::List(values) => values.iter().all(|value| matches!(value, Value::Text(_))),
        _ => false,
    }
}
