//! Documents: read once, checked against the mapping, and handed to tantivy without copying the
//! strings in them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::iter::Flatten;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tantivy::DateTime;
use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use super::id_file::Key;
use super::schema::OwnFields;
use super::words::GAP;
use crate::mapping::Target;

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Leaf {
    /// A string that stands in the body as it is.
    Slice(Range<usize>),
    /// A string that had to be made.
    Text(Box<str>),
    /// A whole number.
    Long(i64),
    /// A number.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// A moment.
    Date(DateTime),
    /// An address; IPv4 ones as IPv6 has them.
    Ip(Ipv6Addr),
}

/// A document to be indexed.
#[derive(Debug)]
pub struct Incoming {
    /// What it and others of the same request are part of.
    pub body: Arc<String>,
    /// Where it stands.
    pub source: Range<usize>,
    /// Its id.
    pub id: Box<str>,
    /// What that is found by.
    pub key: Key,
    /// How often a document with this id was written, this time included.
    pub version: i64,
    /// What it has for columns of the schema.
    pub values: Vec<(Field, Leaf)>,
    /// For fields with words.
    pub text: Vec<(Field, Leaf)>,
    /// For paths that were mapped later.
    pub later: Vec<(Arc<str>, Leaf)>,
    /// For those with words.
    pub later_text: Vec<(Arc<str>, Leaf)>,
    /// The fields that every document has.
    pub own: OwnFields,
    /// How often tantivy has gone through it.
    pub passes: AtomicU8,
}

impl Incoming {
    /// The document that stands at `source` in `body`, without values yet.
    pub fn new((body, source): (&Arc<String>, Range<usize>), id: &str, own: OwnFields) -> Self {
        Self {
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
        }
    }

    /// The document as it came.
    pub fn source(&self) -> &str {
        self.body.get(self.source.clone()).unwrap_or_default()
    }

    /// Adds a value.
    pub fn add(&mut self, target: Target, leaf: Leaf) {
        match target {
            Target::Field(field) => self.values.push((field, leaf)),
            Target::Text(field) => self.text.push((field, leaf)),
            Target::Later(path) => self.later.push((path, leaf)),
            Target::LaterText(path) => self.later_text.push((path, leaf)),
        }
    }

    /// Without what a field of keywords or addresses has twice: a document has each once, as in Lucene.
    fn with_each_once(mut self: Box<Self>) -> Box<Self> {
        let fields = self.values.iter().map(|(field, leaf)| (field.field_id() as usize, leaf));
        if may_repeat(fields) {
            let body = Arc::clone(&self.body);
            let mut seen = HashSet::new();
            self.values.retain(|(field, leaf)| match keyed(leaf, &body) {
                None => true,
                Some(key) => seen.insert((*field, key)),
            });
        }
        let paths = self.later.iter().map(|(path, leaf)| (rough(path), leaf));
        if may_repeat(paths) {
            let body = Arc::clone(&self.body);
            let mut seen = HashSet::new();
            self.later.retain(|(path, leaf)| match keyed(leaf, &body) {
                None => true,
                Some(key) => seen.insert((Arc::clone(path), key)),
            });
        }
        self
    }

    /// As it is indexed: a field of keywords has each value once, and one of words has a single text.
    pub fn finished(mut self: Box<Self>) -> Box<Self> {
        let body = Arc::clone(&self.body);
        join(&mut self.text, &body);
        join(&mut self.later_text, &body);
        self.with_each_once()
    }

    fn members<'a>(
        &'a self,
        field: Field,
        values: &'a [(Arc<str>, Leaf)],
    ) -> Option<(Field, Item<'a>)> {
        (!values.is_empty()).then_some((field, Item::Members(self, values)))
    }

    fn leaf<'a>(&'a self, leaf: &'a Leaf) -> ReferenceValueLeaf<'a> {
        match leaf {
            Leaf::Slice(range) => {
                ReferenceValueLeaf::Str(self.body.get(range.clone()).unwrap_or_default())
            }
            Leaf::Text(text) => ReferenceValueLeaf::Str(text),
            Leaf::Long(number) => ReferenceValueLeaf::I64(*number),
            Leaf::Double(number) => ReferenceValueLeaf::F64(*number),
            Leaf::Boolean(value) => ReferenceValueLeaf::Bool(*value),
            Leaf::Date(date) => ReferenceValueLeaf::Date(*date),
            Leaf::Ip(address) => ReferenceValueLeaf::IpAddr(*address),
        }
    }
}

/// Joins the texts of each field that has several, as an array does.
fn join<T: Eq + Hash>(texts: &mut Vec<(T, Leaf)>, body: &str) {
    /// So many are compared with each other.
    const FEW: usize = 16;
    let mut pairs = texts.iter().enumerate();
    let is_repeated = texts.len() > FEW
        || pairs.any(|(at, (field, _))| texts.iter().take(at).any(|(other, _)| other == field));
    if !is_repeated {
        return;
    }
    let mut whole: HashMap<T, String> = HashMap::new();
    for (field, leaf) in texts.drain(..) {
        let text = match &leaf {
            Leaf::Slice(range) => body.get(range.clone()).unwrap_or_default(),
            Leaf::Text(text) => text,
            _ => continue,
        };
        match whole.entry(field) {
            Entry::Occupied(mut entry) => entry.get_mut().extend([GAP, text]),
            Entry::Vacant(entry) => drop(entry.insert(text.to_owned())),
        }
    }
    texts.extend(whole.into_iter().map(|(field, text)| (field, Leaf::Text(text.into()))));
}

/// Whether some field may have several values; hardly ever wrong, and cheap.
fn may_repeat<'a>(mut fields: impl Iterator<Item = (usize, &'a Leaf)>) -> bool {
    let mut seen = 0_u128;
    fields.any(|(field, leaf)| {
        let bit = 1_u128 << (field % 128);
        let is_seen = seen & bit != 0;
        let is_set = matches!(leaf, Leaf::Slice(_) | Leaf::Text(_) | Leaf::Ip(_));
        seen |= if is_set { bit } else { 0 };
        is_set && is_seen
    })
}

/// A number that paths seldom share.
fn rough(path: &str) -> usize {
    let bytes = path.as_bytes();
    let at = |place: usize| bytes.get(place).map_or(0, |byte| usize::from(*byte));
    path.len() * 7 + at(path.len() / 2) * 31 + at(path.len().saturating_sub(1)) * 3
}

/// What a value is known by, where a field has each once.
fn keyed(leaf: &Leaf, body: &str) -> Option<Box<[u8]>> {
    match leaf {
        Leaf::Slice(range) => Some(body.as_bytes().get(range.clone()).unwrap_or_default().into()),
        Leaf::Text(text) => Some(text.as_bytes().into()),
        Leaf::Ip(address) => Some(address.octets().into()),
        Leaf::Long(_) | Leaf::Double(_) | Leaf::Boolean(_) | Leaf::Date(_) => None,
    }
}

impl Document for Box<Incoming> {
    type Value<'a> = Item<'a>;
    type FieldsValuesIter<'a> = Fields<'a>;

    /// tantivy goes through a document three times: for its inverted index, for its columns, and for
    /// what it stores (`SegmentWriter::add_document`). Looking at two dozen fields to find that they
    /// are none of its business costs it as much as anything, so each time it is shown only those
    /// that are.
    fn iter_fields_and_values(&self) -> Fields<'_> {
        let own = self.own;
        let leaf = |field, leaf| Some((field, Item::Leaf(leaf)));
        let (values, rest) = match self.passes.fetch_add(1, Ordering::Relaxed) {
            0 => (self.text.as_slice(), [self.members(own.later_text, &self.later_text), None]),
            1 => {
                let version = ReferenceValueLeaf::I64(self.version);
                let version = leaf(own.version, version).filter(|_| self.version > 1);
                (self.values.as_slice(), [version, self.members(own.later, &self.later)])
            }
            _ => {
                let id = leaf(own.id, ReferenceValueLeaf::Str(&self.id));
                let source = ReferenceValueLeaf::Bytes(self.source().as_bytes());
                (&[][..], [id, leaf(own.source, source)])
            }
        };
        Fields { document: self, values: values.iter(), rest: rest.into_iter().flatten() }
    }
}

/// Goes through the fields of a document, and their values.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    document: &'a Incoming,
    values: std::slice::Iter<'a, (Field, Leaf)>,
    /// What comes behind the values.
    rest: Flatten<std::array::IntoIter<Option<(Field, Item<'a>)>, 2>>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Field, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Field, Item<'a>)> {
        if let Some((field, leaf)) = self.values.next() {
            return Some((*field, Item::Leaf(self.document.leaf(leaf))));
        }
        self.rest.next()
    }
}

/// A value, or the members of a JSON field.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// A value.
    Leaf(ReferenceValueLeaf<'a>),
    /// Members, by their paths.
    Members(&'a Incoming, &'a [(Arc<str>, Leaf)]),
}

impl<'a> Value<'a> for Item<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = Members<'a>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        match self {
            Self::Leaf(leaf) => leaf.clone().into(),
            Self::Members(document, members) => {
                ReferenceValue::Object(Members { document, members: members.iter() })
            }
        }
    }
}

/// Goes through the members of a JSON field.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    document: &'a Incoming,
    members: std::slice::Iter<'a, (Arc<str>, Leaf)>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (path, leaf) = self.members.next()?;
        Some((path, Item::Leaf(self.document.leaf(leaf))))
    }
}
