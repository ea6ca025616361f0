//! The first reader of documents: serde's, which knows nothing of numbers beyond the range of doubles, nor
//! of more than 127 objects and arrays in each other.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::Sink;
use super::place::At;
use crate::index::values::Given;

/// From here on a number may be a whole one that 64 bits with a sign do not have.
const LARGE: f64 = 9_223_372_036_854_775_808.0;

/// Reads the document `text`. Where the document is refused, `sink` has the reason.
pub fn read<'a>(sink: &mut Sink<'a>, text: &str, place: At<'a>) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    Visit { sink, place }.deserialize(&mut json)?;
    json.end()
}

/// Reads a value.
struct Visit<'s, 'a> {
    sink: &'s mut Sink<'a>,
    place: At<'a>,
}

impl Visit<'_, '_> {
    fn value<E: Error>(self, given: &Given<'_>) -> Result<(), E> {
        self.sink.take(self.place, given).map_err(|problem| self.sink.fail(problem))
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
        self.sink.take_null(self.place).map_err(|problem| self.sink.fail(problem))
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
        if Sink::keeps_text(self.place)
            && let Some(written) = self.sink.literal().map(str::to_owned)
        {
            return self.number(&Given::Huge(written.into()));
        }
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
        sink.enter(place).map_err(|problem| sink.fail(problem))?;
        let length = sink.path.len();
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            let below = sink.name(place, &mut names, name);
            let place = below.map_err(|problem| sink.fail(problem))?;
            members.next_value_seed(Visit { sink, place })?;
            sink.path.truncate(length);
        }
        sink.depth -= 1;
        Ok(())
    }
}

/// The names of an object: Elasticsearch refuses a document that has one twice, at any depth.
#[derive(Default)]
pub struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    /// All of them, where there are many.
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    /// So many are compared one by one.
    const FEW: usize = 24;

    /// Whether this one is new; it is not afterwards.
    pub fn is_new(&mut self, name: Cow<'de, str>) -> bool {
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
pub struct Name;

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
