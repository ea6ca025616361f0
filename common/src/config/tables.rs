//! The tables of a file, with what flags and the environment say laid over them; each room takes
//! from them what its own rows name.
//!
//! So the settings of a program are put together of parts, and two of them may know the same key.
//! Serde's own `flatten` would do the same, but forgets in which line a value stands.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::Setting;

pub use toml::de::Error as TableError;

/// Settings that are read from tables, of which they take what their rows name.
pub trait HasRows: Sized {
    /// Every setting that may stand in the file for them.
    fn rows() -> Vec<Setting>;

    /// Them, as the tables have them; what is not there has its default.
    ///
    /// # Errors
    /// When a value is of the wrong kind.
    fn read(tables: &Tables<'_>) -> Result<Self, TableError>;
}

impl<A: HasRows, B: HasRows> HasRows for (A, B) {
    fn rows() -> Vec<Setting> {
        [A::rows(), B::rows()].concat()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        Ok((A::read(tables)?, B::read(tables)?))
    }
}

/// The tables of a file, and what stands outside of them.
#[derive(Debug, Default)]
pub struct Tables<'a>(pub(super) DeTable<'a>);

impl<'a> Tables<'a> {
    /// What `rows` name.
    ///
    /// # Errors
    /// When a value is of the wrong kind, or `T` has no place for it.
    pub fn part<T: DeserializeOwned>(&self, rows: &[Setting]) -> Result<T, TableError> {
        let named = |name: &str| rows.iter().filter(|row| row.top() == name).collect::<Vec<_>>();
        let mut part = DeTable::new();
        for (name, value) in &self.0 {
            let rows = named(name.get_ref());
            // What stands in no table is all of it, be it a table itself.
            let is_whole = rows.iter().any(|row| row.leaf().is_none());
            if is_whole {
                part.insert(name.clone(), value.clone());
            } else if !rows.is_empty() {
                part.insert(name.clone(), only(value, &rows));
            }
        }
        T::deserialize(Deserializer::from(Spanned::new(0..0, part)))
    }

    /// Puts a value where the setting's key says; in every table of an array of tables.
    pub(super) fn set(&mut self, setting: &Setting, value: &Spanned<DeValue<'a>>) {
        let value = value.clone();
        let key = |name: &'static str| Spanned::new(0..0, Cow::Borrowed(name));
        let Some(leaf) = setting.leaf() else {
            self.0.insert(key(setting.key), value);
            return;
        };
        let new = || {
            let table = Spanned::new(0..0, DeValue::Table(DeTable::new()));
            if !setting.is_repeated() {
                return table;
            }
            Spanned::new(0..0, DeValue::Array(DeArray::from_iter([table])))
        };
        let place = self.0.entry(key(setting.top())).or_insert_with(new);
        for table in tables_at(place) {
            table.insert(key(leaf), value.clone());
        }
    }

    /// Takes away what there is for the setting.
    pub(super) fn unset(&mut self, setting: &Setting) {
        let Some(leaf) = setting.leaf() else {
            self.0.remove(setting.top());
            return;
        };
        let Some(place) = self.0.get_mut(setting.top()) else { return };
        for table in tables_at(place) {
            table.remove(leaf);
        }
    }

    /// The texts that there are for the setting, in all tables that have it.
    pub(super) fn texts_of(&self, setting: &Setting) -> Vec<Spanned<&str>> {
        self.values_of(setting).into_iter().flat_map(texts).collect()
    }

    /// What there is for the setting, in all tables that have it.
    pub(super) fn values_of(&self, setting: &Setting) -> Vec<&Spanned<DeValue<'a>>> {
        let Some(place) = self.0.get(setting.top()) else { return Vec::new() };
        let Some(leaf) = setting.leaf() else { return vec![place] };
        let tables = match place.get_ref() {
            DeValue::Array(tables) => tables.iter().collect(),
            _ => vec![place],
        };
        tables.into_iter().filter_map(|table| table.get_ref().get(leaf)).collect()
    }

    /// Whether there is something for the setting.
    pub(super) fn has(&self, setting: &Setting) -> bool {
        let Some(place) = self.0.get(setting.top()) else { return false };
        let Some(leaf) = setting.leaf() else { return true };
        match place.get_ref() {
            DeValue::Array(tables) => {
                tables.iter().any(|table| table.get_ref().get(leaf).is_some())
            }
            table => table.get(leaf).is_some(),
        }
    }
}

/// The texts that a value is, or has in it.
fn texts<'t>(value: &'t Spanned<DeValue<'_>>) -> Vec<Spanned<&'t str>> {
    match value.get_ref() {
        DeValue::String(text) => vec![Spanned::new(value.span(), text.as_ref())],
        DeValue::Array(elements) => elements.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The table that stands at a place, or all that do.
fn tables_at<'t, 'a>(place: &'t mut Spanned<DeValue<'a>>) -> Vec<&'t mut DeTable<'a>> {
    let values: Vec<_> = match place.get_mut() {
        DeValue::Array(values) => values.iter_mut().map(Spanned::get_mut).collect(),
        single => vec![single],
    };
    let tables = values.into_iter().filter_map(|value| match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    });
    tables.collect()
}

/// Of a table, or of each in an array of tables, what `rows` name.
fn only<'a>(value: &Spanned<DeValue<'a>>, rows: &[&Setting]) -> Spanned<DeValue<'a>> {
    let is_named = |name: &str| rows.iter().any(|row| row.leaf() == Some(name));
    let kept = match value.get_ref() {
        DeValue::Table(table) => {
            let all = table.clone().into_iter();
            DeValue::Table(all.filter(|(name, _)| is_named(name.get_ref())).collect())
        }
        DeValue::Array(elements) => {
            DeValue::Array(elements.iter().map(|element| only(element, rows)).collect())
        }
        other => other.clone(),
    };
    Spanned::new(value.span(), kept)
}
