//! What every setting is, and where that comes from: for `check --explain`.

use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Setting};
use crate::masked::masked;

/// A setting as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Its name in the file; of one in tables that may be there several times, with the number of the table.
    pub name: String,
    /// Its value, without secrets; nothing where it is not set.
    pub value: String,
    /// The flag, the variable, or the line of the file that says so; or else that it is the default.
    pub origin: String,
}

/// Where a value comes from: what is later goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Default,
    File,
    Variable,
    Flag,
}

/// Where settings come from.
pub struct Origins<'a> {
    /// The file and its text, if there is one.
    pub file: Option<(&'a Path, &'a str)>,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The command line.
    pub given: &'a ArgMatches,
}

impl Origins<'_> {
    /// All settings of these rows, in their order, with what is in effect of each.
    ///
    /// # Errors
    /// When the file is none of TOML.
    pub fn explain(&self, rows: &[Setting]) -> Result<Vec<Explained>, ConfigError> {
        let parsed = self.file.map(|(path, text)| {
            DeTable::parse(text).map_err(|error| ConfigError::File {
                path: path.to_owned(),
                message: error.message().to_owned(),
            })
        });
        let tables = parsed.transpose()?.map(Spanned::into_inner).unwrap_or_default();
        let said: Vec<(Level, Vec<Explained>)> =
            rows.iter().map(|row| self.of(row, &tables)).collect();
        let mut all = Vec::new();
        for (row, (level, explained)) in rows.iter().zip(&said) {
            // Of several ways to say one thing, who says it later replaces any.
            let is_replaced = rows.iter().zip(&said).any(|(other, (above, _))| {
                above > level && *level > Level::Default && other.stands_for(row)
            });
            if is_replaced {
                all.push(unset(row));
            } else {
                all.extend(explained.iter().cloned());
            }
        }
        Ok(all)
    }

    fn of(&self, row: &Setting, tables: &DeTable<'_>) -> (Level, Vec<Explained>) {
        let one = |text: &str, origin: String| {
            vec![Explained { name: row.key.to_owned(), value: shown(row, text), origin }]
        };
        let flag = self.given.try_get_many::<String>(row.key).ok().flatten();
        if let Some(texts) = flag {
            let texts: Vec<&str> = texts.map(String::as_str).collect();
            let flag = format!("--{}", row.flag_name());
            let origin = row.positional_name().map_or(flag, str::to_owned);
            return (Level::Flag, one(&texts.join(","), origin));
        }
        if !row.is_in_file_alone()
            && let Some(value) = (self.variable)(&row.variable())
        {
            return (Level::Variable, one(&value.to_string_lossy(), row.variable()));
        }
        let in_file = self.in_file(row, tables);
        if in_file.is_empty() { (Level::Default, vec![unset(row)]) } else { (Level::File, in_file) }
    }

    /// What the file says of it, once for each table.
    fn in_file(&self, row: &Setting, tables: &DeTable<'_>) -> Vec<Explained> {
        let Some((path, text)) = self.file else { return Vec::new() };
        let explained = |name: String, value: &Spanned<DeValue<'_>>| {
            let begin = text.get(..value.span().start).unwrap_or_default();
            let line = begin.matches('\n').count() + 1;
            let said = text.get(value.span()).unwrap_or_default();
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            let origin = format!("{}:{line}", path.display());
            Explained { name, value: shown(row, &said), origin }
        };
        let Some(top) = tables.get(row.top()) else { return Vec::new() };
        let Some(leaf) = row.leaf() else {
            return vec![explained(row.key.to_owned(), top)];
        };
        match top.get_ref() {
            DeValue::Table(table) => table
                .get(leaf)
                .map(|value| explained(row.key.to_owned(), value))
                .into_iter()
                .collect(),
            DeValue::Array(several) => several
                .iter()
                .enumerate()
                .filter_map(|(number, one)| {
                    let value = one.get_ref().as_table()?.get(leaf)?;
                    Some(explained(format!("{}[{}].{leaf}", row.top(), number + 1), value))
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// A setting of which nothing is said.
fn unset(row: &Setting) -> Explained {
    Explained {
        name: row.key.to_owned(),
        value: row.default.to_owned(),
        origin: "default".to_owned(),
    }
}

fn shown(row: &Setting, text: &str) -> String {
    if row.is_secret() { "(a secret)".to_owned() } else { masked(text).into_owned() }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::config::{Kind, add_flags};

    const ROWS: [Setting; 6] = [
        Setting::new("state_dir", Kind::Text, "").default("/var/lib/x"),
        Setting::new("amqp.url", Kind::List, ""),
        Setting::new("amqp.url_file", Kind::Text, ""),
        Setting::new("elasticsearch.password", Kind::Text, ""),
        Setting::new("batch.bytes", Kind::Size, "").default("1MiB"),
        Setting::new("monitor.paths", Kind::List, "").repeated(),
    ];

    #[test]
    fn each_setting_is_told_with_what_says_so() {
        const FILE: &str = "state_dir = \"/a\"\n[amqp]\nurl = [\n\"amqp://u:hidden@h\"]\n[[monitor]]\npaths = [\"/x\"]\n[[monitor]]\npaths = [\"/y\"]\n[elasticsearch]\npassword = \"hidden\"\n";
        let command = add_flags(Command::new("x"), &ROWS).no_binary_name(true);
        let explained = |flags: &[&str], variable: &'static str| {
            let given = command.clone().try_get_matches_from(flags).unwrap();
            let environment = move |name: &str| (name == variable).then(|| OsString::from("2MiB"));
            let file = Some((Path::new("a.toml"), FILE));
            let origins = Origins { file, variable: &environment, given: &given };
            let all = origins.explain(&ROWS).unwrap();
            let line = |one: Explained| format!("{} {} {}", one.name, one.value, one.origin);
            all.into_iter().map(line).collect::<Vec<_>>()
        };
        let all = explained(&[], "OMPHALOS_BATCH_BYTES");
        assert!(!all.join("\n").contains("hidden"), "{all:?}");
        assert_eq!(all[0], "state_dir \"/a\" a.toml:1");
        assert!(all[1].starts_with("amqp.url [") && all[1].ends_with("a.toml:3"), "{}", all[1]);
        assert_eq!(all[2], "amqp.url_file  default");
        assert_eq!(all[3], "elasticsearch.password (a secret) a.toml:10");
        assert_eq!(all[4], "batch.bytes 2MiB OMPHALOS_BATCH_BYTES");
        assert_eq!(all[5], "monitor[1].paths [\"/x\"] a.toml:6");
        assert_eq!(all[6], "monitor[2].paths [\"/y\"] a.toml:8");
        let all = explained(&["--amqp-url-file", "/f", "--state-dir", "/b"], "");
        assert_eq!(all[0], "state_dir /b --state-dir");
        assert_eq!(all[1], "amqp.url  default", "the file of the flag goes before");
        assert_eq!(all[2], "amqp.url_file /f --amqp-url-file");
        assert_eq!(all[4], "batch.bytes 1MiB default");
    }
}
