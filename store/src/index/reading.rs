//! Reading a document: one pass over its JSON, which is checked, matched with the mapping, and
//! turned into values. What Elasticsearch takes is taken, and what it refuses is refused, so that a line
//! becomes the same document in either of them.

mod careful;
mod place;
mod refusal;
#[cfg(test)]
mod tests;
mod usual;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use serde::de::Error;

use self::careful::Unread;
use self::place::At;
use self::refusal::{preview, refused};
use self::usual::Names;
use super::document::{Incoming, Leaf};
use super::literals::{Literals, beyond};
use super::schema::{BEYOND, BLANK, IGNORED, OwnFields};
use super::values::{Given, leaf};
use crate::error::ApiError;
use crate::mapping::{FieldKind, Guess, MOST_DEPTH, MappedField, Mapping, PRIMARY_TERM, Target};
use crate::query::of_document;

/// No field has a longer path: each value that is not indexed has it beside it, and so has the mapping.
const LONGEST_PATH: usize = 4096;

/// What is written of paths beside values takes so many times the room of the document at most, and so
/// many bytes more: each path may be around all values.
const MOST_TIMES: usize = 16;
const ROOM: usize = 64 * 1024;

/// Who maps fields that are new.
pub trait Learn {
    /// Maps a field after its first value, or says how it is mapped meanwhile; `None` where it
    /// stays unmapped.
    ///
    /// # Errors
    /// When the document has to be refused for it.
    fn learn(&self, path: &str, guess: Guess) -> Result<Option<MappedField>, ApiError>;

    /// Maps an object, whatever is in it.
    ///
    /// # Errors
    /// When the document has to be refused for it.
    fn learn_object(&self, path: &str) -> Result<(), ApiError>;
}

/// Reads the document that stands at `source` in `body`.
///
/// # Errors
/// 400, with the field that does not fit or the place where it is no JSON.
pub fn read(
    (body, source): (&Arc<String>, Range<usize>),
    id: &str,
    own: OwnFields,
    mapping: &Mapping,
    learn: &dyn Learn,
) -> Result<Box<Incoming>, ApiError> {
    let text = body.get(source.clone()).unwrap_or_default();
    if !text.trim_start().starts_with('{') {
        return Err(refused("Malformed content, must start with an object".to_owned()));
    }
    let sink = || Sink::new(Incoming::new((body, source.clone()), id, own), mapping, learn);
    let root = At::Node(mapping.root());
    let mut reason = "it is not JSON".to_owned();
    if !careful::may_have_long_number(text) {
        let mut sink = sink();
        let read = usual::read(&mut sink, text, root);
        match (sink.problem.take(), read) {
            (Some(problem), _) => return Err(problem),
            (None, Ok(())) => return Ok(sink.document.finished()),
            (None, Err(error)) => reason = error.to_string(),
        }
    }
    let mut sink = sink();
    match careful::read(&mut sink, text, root) {
        Ok(()) => Ok(sink.document.finished()),
        Err(Unread::Refused(problem)) => Err(problem),
        Err(Unread::NotJson) => Err(refused(format!("failed to parse: {reason}"))),
    }
}

/// What is gathered.
struct Sink<'a> {
    document: Box<Incoming>,
    mapping: &'a Mapping,
    learn: &'a dyn Learn,
    /// Where we are, with dots.
    path: String,
    /// How many objects are open.
    depth: usize,
    /// How many numbers there were.
    numbers: usize,
    literals: Literals,
    /// The fields of which values are not indexed.
    ignored: HashSet<String>,
    /// So many bytes of paths may be written beside values.
    room: usize,
    /// Whether there was a `_doc_count`.
    is_counted: bool,
    problem: Option<ApiError>,
}

impl<'a> Sink<'a> {
    fn new(document: Incoming, mapping: &'a Mapping, learn: &'a dyn Learn) -> Self {
        let room = document.source.len().saturating_mul(MOST_TIMES).saturating_add(ROOM);
        Self {
            document: Box::new(document),
            mapping,
            learn,
            path: String::new(),
            depth: 0,
            numbers: 0,
            literals: Literals::default(),
            ignored: HashSet::new(),
            room,
            is_counted: false,
            problem: None,
        }
    }

    /// Begins an object.
    fn enter(&mut self, at: At<'a>) -> Result<(), ApiError> {
        self.depth += 1;
        match at {
            At::Server(name) => return Err(self.of_the_server(name, "{}")),
            At::Count => return Err(self.no_count("{}")),
            At::Node(node) => {
                if let Some(field) = node.field() {
                    return Err(self.no_object(field));
                }
            }
            At::Unmapped | At::Ignored => {}
        }
        if at.is_unseen() {
            return Ok(());
        }
        self.check_depth(self.parts())?;
        if matches!(at, At::Unmapped) { self.learn.learn_object(&self.path) } else { Ok(()) }
    }

    /// Goes to a member of the object where we are, and says what is mapped there.
    fn name<'n>(
        &mut self,
        object: At<'a>,
        names: &mut Names<'n>,
        name: Cow<'n, str>,
    ) -> Result<At<'a>, ApiError> {
        let path = place::path(&name);
        let found = if self.depth == 1 { object.in_document(&name) } else { object.below(&name) };
        if !self.path.is_empty() {
            self.path.push('.');
        }
        let start = self.path.len();
        self.path.push_str(path);
        let found = found.map_err(|why| self.nowhere(&name, &why))?;
        if self.path.len() > LONGEST_PATH && !found.is_unseen() {
            return Err(self.too_long());
        }
        if path.contains('.') && !found.is_unseen() {
            self.check_depth(self.parts() - 1)?;
            if let (At::Unmapped, Some((objects, _))) = (found, self.path.rsplit_once('.')) {
                self.learn.learn_object(objects)?;
            }
        }
        if matches!(found, At::Unmapped) {
            // Also for a null and an empty array, which are no values.
            self.mapping.may_have_more(&self.path)?;
        }
        if names.is_new(name) {
            return Ok(found);
        }
        let name = preview(self.path.get(start..).unwrap_or_default());
        Err(refused(format!("failed to parse: Duplicate field '{name}'")))
    }

    /// How many names lead to where we are.
    fn parts(&self) -> usize {
        let dots = self.path.bytes().filter(|byte| *byte == b'.').count();
        dots + usize::from(!self.path.is_empty())
    }

    fn check_depth(&self, parts: usize) -> Result<(), ApiError> {
        if parts < MOST_DEPTH {
            return Ok(());
        }
        Err(refused(format!(
            "failed to parse: Limit of mapping depth [{MOST_DEPTH}] has been exceeded due to object field [{}]",
            preview(&self.path)
        )))
    }

    /// Takes a number of documents that this one stands for, which is not mapped.
    fn count(&mut self, given: &Given<'_>) -> Result<(), ApiError> {
        let is_count = match given {
            Given::Long(number) => (1..=i64::from(i32::MAX)).contains(number),
            Given::Double(number) => {
                (1.0..=f64::from(i32::MAX)).contains(number) && number.fract() == 0.0
            }
            _ => false,
        };
        if is_count && !std::mem::replace(&mut self.is_counted, true) {
            return Ok(());
        }
        Err(self.no_count(&given.text()))
    }

    /// Takes a null, which is no value.
    fn take_null(&self, at: At<'a>) -> Result<(), ApiError> {
        match at {
            At::Server(name) => Err(self.of_the_server(name, "null")),
            At::Count => Err(self.no_count("null")),
            _ => Ok(()),
        }
    }

    /// Keeps the problem, and ends the reading.
    fn fail<E: Error>(&mut self, problem: ApiError) -> E {
        self.problem = Some(problem);
        E::custom("refused")
    }

    /// Where a string stands, if it is a part of the body.
    fn place_of(&self, text: &str) -> Option<Range<usize>> {
        let start = (text.as_ptr() as usize).checked_sub(self.document.body.as_ptr() as usize)?;
        Some(start..start + text.len())
    }

    fn take(&mut self, at: At<'a>, given: &Given<'_>) -> Result<(), ApiError> {
        match at {
            At::Ignored => Ok(()),
            At::Server(name) => Err(self.of_the_server(name, &given.text())),
            At::Count => self.count(given),
            At::Node(node) => match node.field() {
                Some(field) => self.put(field, given),
                None if node.is_opaque() => Ok(()),
                None => Err(refused(format!(
                    "object mapping for [{}] tried to parse field [{}] as object, but found a concrete value",
                    self.path, self.path
                ))),
            },
            At::Unmapped => {
                let learned = self.learn.learn(&self.path, guess(given))?;
                if learned.is_none() && self.mapping.is_full() {
                    self.ignore("");
                }
                learned.map_or(Ok(()), |field| self.put(&field, given))
            }
        }
    }

    fn put(&mut self, field: &MappedField, given: &Given<'_>) -> Result<(), ApiError> {
        match leaf(field, given) {
            Ok(Some(_)) if self.path == PRIMARY_TERM && field.kind != FieldKind::Text => {
                return Err(ApiError::argument(format!(
                    "Inconsistency of field data structures across documents for field [{PRIMARY_TERM}]: every document has such a column already"
                )));
            }
            Ok(Some(_)) if !field.is_indexable() => return Err(Self::later_address(&self.path)),
            Ok(Some(leaf)) => {
                self.document.add(field.target.clone(), leaf);
                self.note_blank(&field.kind, given, "");
            }
            Ok(None) => self.ignore_if_long(&field.kind, ""),
            Err(_) if self.mapping.ignores_malformed(field) => {
                self.ignore("");
                self.keep_beyond(&field.kind, given);
            }
            Err(reason) => {
                let problem = self.no_value(&self.path, field.declared_type(), &given.text());
                return Err(problem.with("caused_by", ApiError::argument(reason).cause()));
            }
        }
        for (name, subfield) in &field.subfields {
            match leaf(subfield, given) {
                Ok(Some(_)) if !subfield.is_indexable() => {
                    return Err(Self::later_address(&format!("{}.{name}", self.path)));
                }
                Ok(Some(leaf)) => {
                    self.document.add(subfield.target.clone(), leaf);
                    self.note_blank(&subfield.kind, given, name);
                }
                Ok(None) => self.ignore_if_long(&subfield.kind, name),
                Err(_) => self.ignore(name),
            }
        }
        Ok(())
    }

    /// A text without words is a value all the same: Elasticsearch finds it by `exists`.
    fn note_blank(&mut self, kind: &FieldKind, given: &Given<'_>, subfield: &str) {
        if *kind != FieldKind::Text || given.text().chars().any(char::is_alphanumeric) {
            return;
        }
        if self.pays(self.path.len() + subfield.len()) {
            let dot = if subfield.is_empty() { "" } else { "." };
            let path = Arc::from(format!("{BLANK}.{}{dot}{subfield}", self.path));
            self.document.add(Target::Later(path), Leaf::Boolean(true));
        }
    }

    /// A keyword of which nothing is indexed is longer than `ignore_above`.
    fn ignore_if_long(&mut self, kind: &FieldKind, subfield: &str) {
        if matches!(kind, FieldKind::Keyword { .. }) {
            self.ignore(subfield);
        }
    }

    /// Notes in `_ignored` that a value of the field where we are, or of one below it, is not indexed.
    fn ignore(&mut self, subfield: &str) {
        if !self.pays(self.path.len() + subfield.len()) {
            return;
        }
        let dot = if subfield.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{subfield}", self.path);
        if !self.ignored.contains(&path) {
            let leaf = Leaf::Text(path.as_str().into());
            self.document.add(Target::Later(Arc::from(IGNORED)), leaf);
            self.ignored.insert(path);
        }
    }

    /// Whether there is room for so many bytes more of a path.
    fn pays(&mut self, bytes: usize) -> bool {
        let room = self.room.checked_sub(bytes);
        self.room = room.unwrap_or_default();
        room.is_some()
    }

    /// A whole number that its field cannot have is found by its digits.
    fn keep_beyond(&mut self, kind: &FieldKind, given: &Given<'_>) {
        if *kind != FieldKind::Long || !matches!(given, Given::Beyond(_) | Given::Text(..)) {
            return;
        }
        if let Some(digits) = beyond(&given.text()).filter(|_| self.pays(self.path.len())) {
            let path = Arc::from(format!("{BEYOND}.{}", self.path));
            self.document.add(Target::Later(path), Leaf::Text(digits.into()));
        }
    }

    /// The number at which we are, as it is written.
    fn literal(&mut self) -> Option<&str> {
        let text = self.document.body.get(self.document.source.clone())?;
        self.literals.nth(text, self.numbers)
    }

    /// The same, where it is a whole one.
    fn whole_literal(&mut self) -> Option<String> {
        beyond(self.literal()?)
    }

    /// Whether numbers are texts where we are, which stay as they are written.
    fn keeps_text(at: At<'a>) -> bool {
        let At::Node(node) = at else { return false };
        node.field().is_some_and(|field| {
            let is_text =
                |kind: &FieldKind| matches!(kind, FieldKind::Keyword { .. } | FieldKind::Text);
            is_text(&field.kind) && field.subfields.iter().all(|(_, below)| is_text(&below.kind))
        })
    }
}

fn guess(given: &Given<'_>) -> Guess {
    match given {
        // What is a number as well is none to Elasticsearch.
        Given::Text(text, _) => {
            Guess::Text { is_date: of_document(text).is_some() && text.parse::<f64>().is_err() }
        }
        // As Elasticsearch does, which refuses the latter then.
        Given::Long(_) | Given::Beyond(_) => Guess::Long,
        Given::Double(_) | Given::Huge(_) => Guess::Double,
        Given::Boolean(_) => Guess::Boolean,
    }
}
