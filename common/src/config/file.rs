//! The configuration file: one file may serve all programs, and each takes what is its own.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserializer;
use serde::de::Visitor;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{ConfigError, HasRows, Setting, TableError, Tables};

/// The tables and the settings outside of tables that any program knows, and which does. A program
/// passes over what is only another's, and refuses what is nobody's.
pub const KNOWN_TO: &[(&str, &str)] = &[
    ("state_dir", "all"),
    ("listen", "all"),
    ("log_level", "all"),
    ("log_format", "all"),
    ("stop_grace", "all"),
    ("amqp", "all"),
    ("host_name", "omphalos-shipper"),
    ("id_key_file", "omphalos-shipper"),
    ("id_version", "omphalos-shipper"),
    ("transport", "omphalos-shipper"),
    ("watch", "omphalos-shipper"),
    ("poll_interval", "omphalos-shipper"),
    ("rescan_interval", "omphalos-shipper"),
    ("max_open_files", "omphalos-shipper"),
    ("max_deleted_bytes", "omphalos-shipper"),
    ("checkpoint_interval", "omphalos-shipper"),
    ("monitor", "omphalos-shipper"),
    ("batch", "omphalos-shipper"),
    ("udp", "omphalos-shipper"),
    ("consume", "omphalos-indexer"),
    ("elasticsearch", "omphalos-indexer"),
    ("bulk", "omphalos-indexer"),
    ("index", "omphalos-indexer"),
    ("receive", "omphalos-indexer"),
    ("spool", "omphalos-indexer"),
    ("dead_letters", "omphalos-indexer"),
    ("store", "omphalos run"),
];

/// The text of the file at `path`.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// What `text` says for `T`, which it is also read into once, for errors that show the line.
///
/// # Errors
/// When a name is unknown, or a value of the wrong kind; the message shows it.
pub(super) fn tables_of<T: HasRows>(text: &str) -> Result<Tables<'_>, String> {
    let plain = |error: &TableError| error.to_string().trim_end().to_owned();
    let rows = T::rows();
    let all = DeTable::parse(text).map_err(|error| plain(&error))?.into_inner();
    let table = all.into_iter().filter(|(name, _)| !is_anothers(name.get_ref(), &rows)).collect();
    refuse_unknown(&table, &rows, text)?;
    let tables = Tables(table);
    match T::read(&tables) {
        Ok(_) => Ok(tables),
        Err(mut error) => {
            error.set_input(Some(text));
            let setting = error.span().and_then(|span| setting_at(&tables.0, &span));
            Err(match setting {
                Some(setting) => format!("{}\nthis is the value of `{setting}`", plain(&error)),
                None => plain(&error),
            })
        }
    }
}

fn is_anothers(name: &str, rows: &[Setting]) -> bool {
    let is_own = rows.iter().any(|row| row.top() == name);
    !is_own && KNOWN_TO.iter().any(|(known, _)| *known == name)
}

/// Refuses a name that no row has, with the known one that it resembles.
fn refuse_unknown(table: &DeTable<'_>, rows: &[Setting], text: &str) -> Result<(), String> {
    let tops: Vec<&str> = rows.iter().map(Setting::top).collect();
    let others: Vec<&str> = KNOWN_TO.iter().map(|(name, _)| *name).collect();
    check_names(table, (&tops, &others), text)?;
    for (name, value) in table {
        let of_table: Vec<&Setting> =
            rows.iter().filter(|row| row.top() == name.get_ref() && row.leaf().is_some()).collect();
        let leaves: Vec<&str> = of_table.iter().filter_map(|row| row.leaf()).collect();
        let tables: Vec<&DeTable<'_>> = match value.get_ref() {
            // What is once where it may be several times, or the other way round, is of the wrong
            // kind, whatever is in it.
            DeValue::Table(table) if of_table.iter().any(|row| !row.is_repeated()) => vec![table],
            DeValue::Array(tables) if of_table.iter().any(|row| row.is_repeated()) => {
                tables.iter().filter_map(|table| table.get_ref().as_table()).collect()
            }
            _ => continue,
        };
        tables.into_iter().try_for_each(|table| check_names(table, (&leaves, &[]), text))?;
    }
    Ok(())
}

fn check_names(
    table: &DeTable<'_>,
    (known, others): (&[&str], &[&str]),
    text: &str,
) -> Result<(), String> {
    let unknown = table.keys().find(|name| !known.contains(&name.get_ref().as_ref()));
    let Some(unknown) = unknown else { return Ok(()) };
    let name = unknown.get_ref();
    let mut expected: Vec<String> = Vec::new();
    for known in known.iter().map(|known| format!("`{known}`")) {
        if !expected.contains(&known) {
            expected.push(known);
        }
    }
    let expected = match expected.as_slice() {
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        several => format!("one of {}", several.join(", ")),
    };
    let mut error =
        error_at(unknown.span(), format!("unknown field `{name}`, expected {expected}"));
    error.set_input(Some(text));
    let shown = error.to_string();
    let shown = shown.trim_end();
    Err(match nearest(name, known.iter().chain(others).copied(), ALIKE) {
        Some(known) => format!("{shown}\ndid you mean `{known}`?"),
        None => shown.to_owned(),
    })
}

/// An error about what stands at `span`. Only a value that is being read can have one.
fn error_at(span: Range<usize>, message: String) -> TableError {
    struct Refusal(String);
    impl Visitor<'_> for Refusal {
        type Value = TableError;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("something else")
        }

        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<TableError, E> {
            Err(E::custom(self.0))
        }
    }
    let value = ValueDeserializer::from(Spanned::new(span, DeValue::Boolean(true)));
    value.deserialize_any(Refusal(message)).unwrap_or_else(|error| error)
}

/// The setting whose value stands at `span`.
fn setting_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let has = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
    table.iter().find_map(|(name, value)| {
        let name = name.get_ref();
        let below = |table| setting_at(table, span).map(|key| format!("{name}.{key}"));
        match value.get_ref() {
            DeValue::Table(table) => below(table),
            DeValue::Array(elements) => {
                let inner = elements.iter().find_map(|element| match element.get_ref() {
                    DeValue::Table(table) => below(table),
                    _ => None,
                });
                inner.or_else(|| has(&value.span()).then(|| Cow::clone(name).into_owned()))
            }
            _ => has(&value.span()).then(|| Cow::clone(name).into_owned()),
        }
    })
}

/// How alike names must be for one to be proposed for the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.7;

/// The name most like `name`, if any is more alike than `least`, on the scale of Jaro-Winkler from 0
/// to 1.
pub fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    least: f64,
) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > least)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
