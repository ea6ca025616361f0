//! The configuration file: one file may serve all programs, and each takes what is its own.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{ConfigError, HasRows, Kind, Setting, Tables};
use crate::whole_file::read_text;

/// The tables and the settings outside of tables that any program knows, and which does. A program
/// passes over what is only another's, and refuses what is nobody's.
pub const KNOWN_TO: &[(&str, &str)] = &[
    ("state_dir", "all"),
    ("listen", "all"),
    ("listen_hosts", "all"),
    ("log_level", "all"),
    ("log_format", "all"),
    ("stop_grace", "all"),
    ("heartbeat_interval", "all"),
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
    ("fields", "omphalos-shipper"),
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
    ("page", "omphalos run"),
    ("alert", "omphalos watch"),
    ("receiver", "omphalos watch"),
    ("output", "omphalos watch"),
    ("setup", "omphalos setup"),
];

/// The text of the file at `path`.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    read_text(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// What `text` says for `T`, which it is also read into once, for errors that say where they are.
///
/// # Errors
/// When a name is unknown, or a value of the wrong kind; the message says in which line. It repeats
/// no line, because there are passwords in files.
pub(super) fn tables_of<T: HasRows>(text: &str) -> Result<Tables<'_>, String> {
    let rows = T::rows();
    let all =
        DeTable::parse(text).map_err(|error| at(text, error.span(), error.message()))?.into_inner();
    let table = all.into_iter().filter(|(name, _)| !is_anothers(name.get_ref(), &rows)).collect();
    refuse_unknown(&table, &rows, text)?;
    let tables = Tables(table);
    for row in &rows {
        for value in tables.texts_of(row) {
            let refuse =
                |message| at(text, Some(value.span()), &format!("`{}`: {message}", row.key));
            row.check(value.get_ref()).map_err(refuse)?;
        }
    }
    match T::read(&tables) {
        Ok(_) => Ok(tables),
        Err(error) => {
            let found = error.span().and_then(|span| setting_at(&tables, &rows, &span));
            let message = match found {
                Some((row, value)) => mistake(row, value, error.message()),
                None => error.message().to_owned(),
            };
            Err(at(text, error.span(), &message))
        }
    }
}

/// A message, behind where in `text` it belongs.
fn at(text: &str, span: Option<Range<usize>>, message: &str) -> String {
    let Some(before) = span.and_then(|span| text.get(..span.start)) else {
        return message.to_owned();
    };
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!("line {line}, column {column}: {message}")
}

/// What is wrong with the value of a setting: that it is of another kind, or else the reader's
/// `reason`. A text that may be a password is not repeated.
fn mistake(row: &Setting, value: &DeValue<'_>, reason: &str) -> String {
    let found = match (row.kind, value) {
        (Kind::Text, DeValue::String(_)) => return format!("`{}`: {reason}", row.key),
        (Kind::Table, DeValue::Table(_)) | (Kind::Tables, DeValue::Array(_)) => {
            format!("something else: {reason}")
        }
        (Kind::List, DeValue::String(_)) => {
            let leaf = row.leaf().unwrap_or(row.key);
            format!("a text; put it in brackets: {leaf} = [\"…\"]")
        }
        (_, DeValue::String(text)) => super::setting::found(text),
        // Somebody forgot the quotes around a password.
        (_, DeValue::Integer(_) | DeValue::Boolean(_)) if row.is_secret() => "no text".to_owned(),
        (_, DeValue::Integer(number)) => format!("the number {}", number.as_str()),
        (_, DeValue::Float(_)) => "a number with decimals".to_owned(),
        (_, DeValue::Boolean(is_true)) => is_true.to_string(),
        (_, DeValue::Datetime(_)) => "a date".to_owned(),
        (Kind::List, DeValue::Array(_)) => "a list of something else".to_owned(),
        (_, DeValue::Array(_)) => "a list".to_owned(),
        (_, DeValue::Table(_)) => "a table".to_owned(),
    };
    format!("`{}`: expected {}, found {found}", row.key, row.kind.expected())
}

fn is_anothers(name: &str, rows: &[Setting]) -> bool {
    let is_own = rows.iter().any(|row| row.top() == name);
    !is_own && KNOWN_TO.iter().any(|(known, _)| *known == name)
}

/// Refuses a name that no row has, with the known one that it resembles.
fn refuse_unknown<'t>(table: &'t DeTable<'t>, rows: &[Setting], text: &str) -> Result<(), String> {
    let tops: Vec<&str> = rows.iter().map(Setting::top).collect();
    let others: Vec<&str> = KNOWN_TO.iter().map(|(name, _)| *name).collect();
    Names { known: &tops, others: &others, place: "", rows }.check(table, text)?;
    for (name, value) in table {
        let of_table: Vec<&Setting> =
            rows.iter().filter(|row| row.top() == name.get_ref() && row.leaf().is_some()).collect();
        let Some(row) = of_table.first() else { continue };
        let tables: Vec<&DeTable<'t>> = match value.get_ref() {
            DeValue::Table(table) if !row.is_repeated() => vec![table],
            DeValue::Array(tables) if row.is_repeated() => {
                let tables = tables.iter().map(|table| (table.span(), table.get_ref()));
                let table_of = |(span, found): (_, &'t DeValue<'t>)| {
                    let miswritten = || at(text, Some(span), &miswritten(row, found));
                    found.as_table().ok_or_else(miswritten)
                };
                tables.map(table_of).collect::<Result<_, _>>()?
            }
            found => return Err(at(text, Some(name.span()), &miswritten(row, found))),
        };
        let leaves: Vec<&str> = of_table.iter().filter_map(|row| row.leaf()).collect();
        let place = format!(" in {}", header(row));
        for table in tables {
            Names { known: &leaves, others: &[], place: &place, rows }.check(table, text)?;
        }
    }
    Ok(())
}

/// How the table of `row` is written.
fn header(row: &Setting) -> String {
    let name = row.top();
    if row.is_repeated() { format!("[[{name}]]") } else { format!("[{name}]") }
}

/// What stands where the table of `row` is expected, and is none.
fn miswritten(row: &Setting, found: &DeValue<'_>) -> String {
    let (name, header) = (row.top(), header(row));
    match found {
        DeValue::Table(_) if row.is_repeated() => {
            format!("[{name}] must be written {header}, because it may be there several times")
        }
        DeValue::Array(_) if !row.is_repeated() => {
            format!("[[{name}]] must be written {header}, because it can be there only once")
        }
        _ => format!("`{name}`: expected a table, {header}, with settings below it"),
    }
}

/// The names that a table may have.
struct Names<'n> {
    known: &'n [&'n str],
    /// Those that are passed over, but that a slip may have been meant for.
    others: &'n [&'n str],
    /// Where they stand, for errors.
    place: &'n str,
    /// All there are, of which one may have been meant for another place.
    rows: &'n [Setting],
}

impl Names<'_> {
    fn check(&self, table: &DeTable<'_>, text: &str) -> Result<(), String> {
        let unknown = table.keys().find(|name| !self.known.contains(&name.get_ref().as_ref()));
        let Some(unknown) = unknown else { return Ok(()) };
        let (name, place) = (unknown.get_ref(), self.place);
        let known = self.known.iter().chain(self.others).copied();
        let advice = match (self.homes(name), nearest(name, known, ALIKE)) {
            (Some(homes), _) => format!("it belongs {homes}"),
            (None, Some(known)) => format!("did you mean `{known}`?"),
            (None, None) => format!("expected one of {}", self.listed()),
        };
        let name = shown_name(name);
        Err(at(text, Some(unknown.span()), &format!("unknown setting{name}{place}; {advice}")))
    }

    /// Where settings of just this name stand.
    fn homes(&self, name: &str) -> Option<String> {
        let mut homes: Vec<String> = Vec::new();
        for row in self.rows {
            let home = match row.leaf() {
                Some(leaf) if leaf == name => format!("in {}", header(row)),
                None if row.key == name => "above the first table".to_owned(),
                _ => continue,
            };
            if !homes.contains(&home) {
                homes.push(home);
            }
        }
        (!homes.is_empty()).then(|| homes.join(" or "))
    }

    /// Each once: rooms of several programs may have the same.
    fn listed(&self) -> String {
        let mut known: Vec<String> = Vec::new();
        for name in self.known.iter().map(|name| format!("`{name}`")) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        known.join(", ")
    }
}

/// The setting in whose value `span` lies, and the value.
fn setting_at<'t, 'a>(
    tables: &'t Tables<'a>,
    rows: &'t [Setting],
    span: &Range<usize>,
) -> Option<(&'t Setting, &'t DeValue<'a>)> {
    let has = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
    rows.iter().find_map(|row| {
        let mut values = tables.values_of(row).into_iter();
        values.find(|value| has(&value.span())).map(|value| (row, value.get_ref()))
    })
}

/// What is said of a name that nobody knows: nothing where it does not look like one, and may be a
/// password.
fn shown_name(name: &str) -> String {
    const LONGEST: usize = 32;
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-';
    let is_name = name.len() <= LONGEST && name.bytes().all(is_of_name);
    if is_name { format!(" `{name}`") } else { String::new() }
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
