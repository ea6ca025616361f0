//! Reading a document: one pass over its JSON, which is checked, matched with the mapping, and
//! turned into values.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::document::{Incoming, Leaf};
use super::id_file::Key;
use super::literals::{Literals, beyond};
use super::schema::{BEYOND, IGNORED, OwnFields};
use super::values::{Given, leaf, parse_date};
use crate::error::ApiError;
use crate::mapping::{FieldKind, Guess, MOST_DEPTH, MappedField, Mapping, Node, Target};

/// How many characters of a value are quoted.
const PREVIEW: usize = 50;

/// Who maps fields that are new.
pub trait Learn {
    /// Maps a field after its first value, or says how it is mapped meanwhile; `None` where it
    /// stays unmapped.
    ///
    /// # Errors
    /// When the document has to be refused for it.
    fn learn(&self, path: &str, guess: Guess) -> Result<Option<MappedField>, ApiError>;
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
    let document = Box::new(Incoming {
        body: Arc::clone(body),
        source,
        id: id.into(),
        key: Key::of(id),
        version: 1,
        values: Vec::with_capacity(24),
        text: Vec::new(),
        later: Vec::new(),
        later_text: Vec::new(),
        own,
        passes: AtomicU8::new(0),
    });
    let mut sink = Sink {
        document,
        mapping,
        learn,
        path: String::new(),
        depth: 0,
        numbers: 0,
        literals: Literals::default(),
        ignored: HashSet::new(),
        problem: None,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let seed = Visit { sink: &mut sink, place: At::Node(mapping.root()) };
    if !text.trim_start().starts_with('{') {
        return Err(refused("Malformed content, must start with an object".to_owned()));
    }
    let result = seed.deserialize(&mut json).and_then(|()| json.end());
    match (sink.problem.take(), result) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(refused(format!("failed to parse: {error}"))),
        (None, Ok(())) => Ok(sink.document),
    }
}

fn refused(reason: String) -> ApiError {
    ApiError::new(400, "document_parsing_exception", reason)
}

/// What is gathered.
struct Sink<'a> {
    document: Box<Incoming>,
    mapping: &'a Mapping,
    learn: &'a dyn Learn,
    /// Where we are, with dots.
    path: String,
    depth: usize,
    /// How many numbers there were.
    numbers: usize,
    literals: Literals,
    /// The fields of which values are not indexed.
    ignored: HashSet<String>,
    problem: Option<ApiError>,
}

impl Sink<'_> {
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

    fn take(&mut self, at: &At<'_>, given: &Given<'_>) -> Result<(), ApiError> {
        match at {
            At::Ignored => Ok(()),
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
        match leaf(&field.kind, given) {
            Ok(Some(leaf)) => self.document.add(field.target.clone(), leaf),
            Ok(None) => self.ignore_if_long(&field.kind, ""),
            Err(_) if self.mapping.ignores_malformed(field) => {
                self.ignore("");
                self.keep_beyond(&field.kind, given);
            }
            Err(reason) => {
                let preview: String = given.text().chars().take(PREVIEW).collect();
                let problem = refused(format!(
                    "failed to parse field [{}] of type [{}] in document with id '{}'. Preview of field's value: '{preview}'",
                    self.path,
                    field.declared_type(),
                    self.document.id
                ));
                let cause = ApiError::argument(reason).cause();
                return Err(problem.with("caused_by", cause));
            }
        }
        for (name, subfield) in &field.subfields {
            match leaf(&subfield.kind, given) {
                Ok(Some(leaf)) => self.document.add(subfield.target.clone(), leaf),
                Ok(None) => self.ignore_if_long(&subfield.kind, name),
                Err(_) => self.ignore(name),
            }
        }
        Ok(())
    }

    /// A keyword of which nothing is indexed is longer than `ignore_above`.
    fn ignore_if_long(&mut self, kind: &FieldKind, subfield: &str) {
        if matches!(kind, FieldKind::Keyword { .. }) {
            self.ignore(subfield);
        }
    }

    /// Notes in `_ignored` that a value of the field where we are, or of one below it, is not indexed.
    fn ignore(&mut self, subfield: &str) {
        let dot = if subfield.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{subfield}", self.path);
        if !self.ignored.contains(&path) {
            let leaf = Leaf::Text(path.as_str().into());
            self.document.add(Target::Later(Arc::from(IGNORED)), leaf);
            self.ignored.insert(path);
        }
    }

    /// A whole number that its field cannot have is found by its digits.
    fn keep_beyond(&mut self, kind: &FieldKind, given: &Given<'_>) {
        if *kind != FieldKind::Long || !matches!(given, Given::Beyond(_) | Given::Text(..)) {
            return;
        }
        if let Some(digits) = beyond(&given.text()) {
            let path = Arc::from(format!("{BEYOND}.{}", self.path));
            self.document.add(Target::Later(path), Leaf::Text(digits.into()));
        }
    }

    /// The number at which we are, as it is written, where that is a whole one.
    fn whole_literal(&mut self) -> Option<String> {
        let text = self.document.body.get(self.document.source.clone())?;
        beyond(self.literals.nth(text, self.numbers)?)
    }
}

/// From here on a number may be a whole one that 64 bits with a sign do not have.
const LARGE: f64 = 9_223_372_036_854_775_808.0;

fn guess(given: &Given<'_>) -> Guess {
    match given {
        Given::Text(text, _) => Guess::Text { is_date: parse_date(text).is_some() },
        // As Elasticsearch does, which refuses the latter then.
        Given::Long(_) | Given::Beyond(_) => Guess::Long,
        Given::Double(_) => Guess::Double,
        Given::Boolean(_) => Guess::Boolean,
    }
}

/// What is mapped where we are.
#[derive(Clone, Copy)]
enum At<'a> {
    Node(&'a Node),
    Unmapped,
    /// Below an object that is not looked at.
    Ignored,
}

impl<'a> At<'a> {
    /// Below a name, which may have dots in it.
    fn below(self, name: &str) -> Self {
        let Self::Node(node) = self else { return self };
        if node.is_opaque() {
            return Self::Ignored;
        }
        let step = |node: Option<&'a Node>, name| node.and_then(|node| node.child(name));
        let found = match node.child(name) {
            Some(found) => Some(found),
            None if name.contains('.') => name.split('.').fold(Some(node), step),
            None => None,
        };
        found.map_or(Self::Unmapped, Self::Node)
    }
}

/// Reads a value.
struct Visit<'s, 'a> {
    sink: &'s mut Sink<'a>,
    place: At<'a>,
}

impl Visit<'_, '_> {
    fn value<E: Error>(self, given: &Given<'_>) -> Result<(), E> {
        self.sink.take(&self.place, given).map_err(|problem| self.sink.fail(problem))
    }

    fn number<E: Error>(self, given: &Given<'_>) -> Result<(), E> {
        self.sink.numbers += 1;
        self.value(given)
    }
}

impl<'de> DeserializeSeed<'de> for Visit<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Visit<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.value(&Given::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(&Given::Long(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let beyond = |_| Given::Beyond(value.to_string().into());
        self.number(&i64::try_from(value).map_or_else(beyond, Given::Long))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let whole = if value.abs() >= LARGE { self.sink.whole_literal() } else { None };
        self.number(&whole.map_or(Given::Double(value), |whole| Given::Beyond(whole.into())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
        let place = self.sink.place_of(value);
        self.value(&Given::Text(Cow::Borrowed(value), place))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.value(&Given::Text(Cow::Borrowed(value), None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { sink, place } = self;
        while items.next_element_seed(Visit { sink, place })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { sink, place } = self;
        if sink.depth > MOST_DEPTH {
            return Err(sink.fail(refused(format!(
                "Limit of mapping depth [{MOST_DEPTH}] has been exceeded at [{}]",
                sink.path
            ))));
        }
        if let At::Node(node) = place
            && let Some(field) = node.field()
        {
            return Err(sink.fail(refused(format!(
                "failed to parse field [{}] of type [{}] in document with id '{}': it is an object here",
                sink.path,
                field.declared_type(),
                sink.document.id
            ))));
        }
        sink.depth += 1;
        let length = sink.path.len();
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if !names.is_new(name.clone()) {
                return Err(
                    sink.fail(refused(format!("failed to parse: Duplicate field '{name}'")))
                );
            }
            if length > 0 {
                sink.path.push('.');
            }
            sink.path.push_str(&name);
            members.next_value_seed(Visit { sink, place: place.below(&name) })?;
            sink.path.truncate(length);
        }
        sink.depth -= 1;
        Ok(())
    }
}

/// The names of an object: Elasticsearch refuses a document that has one twice, at any depth.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    /// All of them, where there are many.
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    /// So many are compared one by one.
    const FEW: usize = 24;

    /// Whether this one is new; it is not afterwards.
    fn is_new(&mut self, name: Cow<'de, str>) -> bool {
        if self.few.len() < Self::FEW {
            let is_first = !self.few.contains(&name);
            self.few.push(name);
            return is_first;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().cloned());
        }
        self.many.insert(name)
    }
}

/// Reads a name, without copying it where it stands as it is.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
