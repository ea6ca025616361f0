//! The configuration file: one file may serve all programs, and each takes what is its own.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Table;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::{ConfigError, HasRows, Setting};

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

/// What the file at `path` says for `T`, which it is also read into once, for errors that show the
/// line.
///
/// # Errors
/// When it cannot be read, or a value is unknown or of the wrong kind.
pub(super) fn read<T: DeserializeOwned + HasRows>(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    take::<T>(&text).map_err(|message| ConfigError::File { path: path.to_owned(), message })
}

fn take<T: DeserializeOwned + HasRows>(text: &str) -> Result<Table, String> {
    let plain = |error: &Error| error.to_string().trim_end().to_owned();
    let rows = T::rows();
    let mut own = DeTable::parse(text).map_err(|error| plain(&error))?;
    let all = std::mem::take(own.get_mut());
    *own.get_mut() =
        all.into_iter().filter(|(name, _)| !is_anothers(name.get_ref(), &rows)).collect();
    let spans = own.clone();
    if let Err(mut error) = T::deserialize(Deserializer::from(own)) {
        error.set_input(Some(text));
        return Err(explain(&error, spans.get_ref()));
    }
    let mut table = text.parse::<Table>().map_err(|error| plain(&error))?;
    table.retain(|name, _| !is_anothers(name, &rows));
    Ok(table)
}

fn is_anothers(name: &str, rows: &[Setting]) -> bool {
    let is_own = rows.iter().any(|row| row.top() == name);
    !is_own && KNOWN_TO.iter().any(|(known, _)| *known == name)
}

/// The parser's message, with the setting that it is about, or the known key that an unknown one
/// resembles.
fn explain(error: &Error, table: &DeTable<'_>) -> String {
    let shown = error.to_string();
    let shown = shown.trim_end();
    let mut names = error.message().split('`').skip(1).step_by(2);
    if error.message().starts_with("unknown field") {
        let unknown = names.next().unwrap_or_default();
        let at_top = table.keys().any(|key| key.get_ref() == unknown);
        let others = KNOWN_TO.iter().filter(|_| at_top).map(|(name, _)| *name);
        return match nearest(unknown, names.chain(others)) {
            Some(known) => format!("{shown}\ndid you mean `{known}`?"),
            None => shown.to_owned(),
        };
    }
    match error.span().and_then(|span| setting_at(table, &span)) {
        Some(setting) => format!("{shown}\nthis is the value of `{setting}`"),
        None => shown.to_owned(),
    }
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

/// The name most like `name`, if any is at all alike.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.7;
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
