//! Whether rows and structs agree, which the tests of each program see to.

use clap::Command;
use toml::Spanned;
use toml::de::DeTable;

use super::{ConfigError, HasRows, Kind, Setting, Tables, add_flags, from_text, load_with};

/// Reads `T` from the defaults that `settings` show to people, each given as a flag, and from these
/// arguments: it must come to the defaults in code, which tests see to.
///
/// # Errors
/// When a shown default is no value of its setting, or `T` has no place for it.
pub fn load_shown_defaults<T: HasRows>(
    settings: &[Setting],
    arguments: &[&str],
) -> Result<T, ConfigError> {
    let shown = settings.iter().filter(|setting| !setting.default.is_empty());
    let flags = shown.map(|setting| format!("--{}={}", setting.flag_name(), setting.default));
    let given = arguments.iter().map(|argument| (*argument).to_owned());
    let command = add_flags(Command::new("defaults"), settings).no_binary_name(true);
    let matches = command.try_get_matches_from(given.chain(flags));
    let matches = matches.map_err(|error| ConfigError::invalid(error.to_string()))?;
    load_with(None, settings, &matches, |_| None::<String>)
}

/// `T` as it is when the one table that its rows are of says all the defaults that the manual shows: what
/// it is without that, which tests see to.
///
/// # Errors
/// When one of them is no value of its setting.
pub fn read_shown_defaults<T: HasRows>() -> Result<T, ConfigError> {
    let rows = T::rows();
    let table = rows.first().map_or("", Setting::top);
    let mut text = format!("[[{table}]]\n");
    for setting in rows.iter().filter(|setting| !setting.default.is_empty()) {
        let quotes = if matches!(setting.kind, Kind::Integer | Kind::Switch) { "" } else { "\"" };
        let name = setting.leaf().unwrap_or(setting.key);
        text.extend([name, " = ", quotes, setting.default, quotes, "\n"]);
    }
    from_text(&text)
}

/// The rows of `T` that it has no place for: none, which tests see to.
pub fn rows_without_a_place<T: HasRows>() -> Vec<&'static str> {
    let has_place = |setting: &Setting| {
        // Which value it may have is another question.
        let text = with_value(setting, if setting.kind.is_nested() { "1" } else { "{}" });
        let table = DeTable::parse(&text).map(Spanned::into_inner).unwrap_or_default();
        T::read(&Tables(table)).is_err_and(|error| !error.message().contains("unknown field"))
    };
    T::rows().iter().filter(|setting| !has_place(setting)).map(|setting| setting.key).collect()
}

/// A file that says nothing but that a setting is `value`.
fn with_value(setting: &Setting, value: &str) -> String {
    let header = match (setting.top(), setting.leaf(), setting.is_repeated()) {
        (_, None, _) => String::new(),
        (table, _, true) => format!("[[{table}]]\n"),
        (table, _, false) => format!("[{table}]\n"),
    };
    format!("{header}{} = {value}\n", setting.leaf().unwrap_or(setting.key))
}

/// What TOML has for values, of all types; texts come last.
const VALUES: [&str; 12] = [
    "{}",
    "{ a = 1 }",
    "[{ a = 1 }]",
    "[[\"x\"]]",
    "[1]",
    "1",
    "-1",
    "1.5",
    "nan",
    "true",
    "2026-11-22",
    "\"§\"",
];
/// So many of them no setting has.
const NOBODYS: usize = 5;

/// Of all settings of `T`, each with a value of every type of TOML, those files that are taken although no
/// setting has such a value, or refused without saying the setting, what was found and what is
/// expected: none, which tests see to.
pub fn unclear_refusals<T: HasRows>() -> Vec<String> {
    let mut unclear = Vec::new();
    for setting in T::rows() {
        for (number, value) in VALUES.into_iter().enumerate() {
            let text = with_value(&setting, value);
            let is_text = number + 1 == VALUES.len();
            let problem = match from_text::<T>(&text) {
                Ok(_) if number < NOBODYS && !setting.kind.is_nested() => "it is taken".to_owned(),
                // What is wrong with a text that a text is expected for, its reader says.
                Err(_) if is_text && setting.kind == Kind::Text => continue,
                Err(error) => error.to_string(),
                Ok(_) => continue,
            };
            let parts = [&format!("`{}`: ", setting.key), "expected ", ", found "];
            if !parts.iter().all(|part| problem.contains(part)) {
                unclear.push(format!("{text}: {problem}"));
            }
        }
    }
    unclear
}
