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
        let header = match (setting.top(), setting.leaf(), setting.is_repeated()) {
            (_, None, _) => String::new(),
            (table, _, true) => format!("[[{table}]]\n"),
            (table, _, false) => format!("[{table}]\n"),
        };
        // Which value it may have is another question.
        let text = format!("{header}{} = {{}}\n", setting.leaf().unwrap_or(setting.key));
        let table = DeTable::parse(&text).map(Spanned::into_inner).unwrap_or_default();
        T::read(&Tables(table)).is_err_and(|error| !error.message().contains("unknown field"))
    };
    T::rows().iter().filter(|setting| !has_place(setting)).map(|setting| setting.key).collect()
}
