//! Reading settings: file first, then environment, then flags, each over the one before.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::setting::list;
use super::{HasRows, Kind, Setting, Tables, file, path_text};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;

/// A setting that cannot be used; the message names it and says what to do.
#[derive(thiserror::Error, Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}")]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// The file is not what it should be: a typing error, a wrong type, an unknown key.
    #[error("{path}: {message}")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Where in it, what was found and what was expected.
        message: String,
    },
    /// A value that cannot be used, wherever it came from.
    #[error("{message}")]
    Invalid {
        /// What was found and expected, with the name of the setting.
        message: String,
    },
}

impl ConfigError {
    /// A value that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }
}

/// Settings, and what the reader wondered about.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The settings.
    pub settings: T,
    /// For the log: environment variables that look like a misspelt setting, and passwords on the command
    /// line.
    pub warnings: Vec<String>,
}

/// Adds a flag for each setting, and `--config`.
pub fn add_flags(command: Command, settings: &[Setting]) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("Read settings from this TOML file [env: OMPHALOS_CONFIG]");
    let outside = settings.iter().filter(|setting| !setting.is_in_file_alone());
    outside.fold(command.arg(config), |command, setting| {
        let mut help = format!("{} [env: {}]", setting.help, setting.variable());
        if !setting.default.is_empty() {
            help = format!("{help} [default: {}]", setting.default);
        }
        if let Some(name) = setting.positional_name() {
            // Names of files, which need not be text.
            let text = OsStringValueParser::new().map(|name| path_text(&name));
            let arg = Arg::new(setting.key).value_name(name).num_args(0..).help(help);
            let arg = arg.value_parser(text);
            return command.arg(arg);
        }
        let mut arg = Arg::new(setting.key)
            .long(setting.flag_name())
            .value_name(setting.placeholder())
            .global(true)
            .help(help)
            .help_heading(setting.heading());
        if let Some(alias) = setting.alias_name() {
            arg = arg.visible_alias(alias);
        }
        arg = match setting.kind {
            Kind::List => arg.action(ArgAction::Append),
            Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            // An offset from Greenwich may begin with it.
            Kind::Text if setting.leaf() == Some("time_zone") => arg.allow_hyphen_values(true),
            _ => arg,
        };
        command.arg(arg)
    })
}

/// Reads `T` from the flags in `matches`, the environment and the file that they name.
///
/// # Errors
/// When the file cannot be read, or a value is unknown or of the wrong kind.
pub fn load<T: HasRows, V: Into<OsString>>(
    settings: &[Setting],
    matches: &ArgMatches,
    environment: impl Fn(&str) -> Option<V>,
    variables: impl Iterator<Item = String>,
) -> Result<Loaded<T>, ConfigError> {
    let file = file_given(matches, &environment);
    let mut warnings = misspelt(settings, variables);
    warnings.extend(in_sight(settings, matches));
    let settings = load_with(file.as_deref(), settings, matches, environment)?;
    Ok(Loaded { settings, warnings })
}

/// The configuration file that the command line or the environment names, if one of them does.
pub fn file_given<V: Into<OsString>>(
    matches: &ArgMatches,
    environment: impl Fn(&str) -> Option<V>,
) -> Option<PathBuf> {
    let of_flag = matches.get_one::<PathBuf>("config").cloned();
    of_flag.or_else(|| environment("OMPHALOS_CONFIG").map(|path| PathBuf::from(path.into())))
}

/// Reads `T` from the flags in `matches`, the environment and the file at `path`.
///
/// # Errors
/// When the file cannot be read, or a value is unknown or of the wrong kind.
pub fn load_with<T: HasRows, V: Into<OsString>>(
    path: Option<&Path>,
    settings: &[Setting],
    matches: &ArgMatches,
    environment: impl Fn(&str) -> Option<V>,
) -> Result<T, ConfigError> {
    let outside = || settings.iter().filter(|setting| !setting.is_in_file_alone());
    let mut alone = settings.iter().filter(|setting| setting.is_in_file_alone());
    if let Some(setting) = alone.find(|setting| environment(&setting.variable()).is_some()) {
        return Err(ConfigError::invalid(format!(
            "{}: it is set, and {} is a table, which stands in the settings file alone (--config)",
            setting.variable(),
            setting.key
        )));
    }
    let of_environment = outside().filter_map(|setting| {
        let origin = setting.variable();
        environment(&origin).map(|value| Given::of_variable(setting, value.into(), origin))
    });
    let of_environment: Result<Vec<_>, _> = of_environment.collect();
    let of_flags = outside().filter_map(|setting| Given::of_flag(setting, matches));
    let levels: [Vec<Given<'_>>; 2] = [of_environment?, of_flags.collect()];
    let text = path.map(file::read).transpose()?;
    let mut tables = match (path, &text) {
        (Some(path), Some(text)) => file::tables_of::<T>(text)
            .map_err(|message| ConfigError::File { path: path.to_owned(), message })?,
        _ => Tables::default(),
    };
    let all = || levels.iter().flatten();
    // Each has a place of its own behind every file, which an error about it names.
    let mut places = (0_usize..).map(|count| BEHIND_FILES + count);
    for level in &levels {
        // Of several ways to say one thing, who says it later replaces any.
        let is_replaced =
            |other: &&Setting| level.iter().any(|given| given.takes_the_place_of(other));
        for replaced in settings.iter().filter(is_replaced) {
            tables.unset(replaced);
        }
        for (given, place) in level.iter().zip(&mut places) {
            given.lay_over(&mut tables, place..place)?;
        }
    }
    T::read(&tables).map_err(|error| {
        let place = error.span().and_then(|span| span.start.checked_sub(BEHIND_FILES));
        let given = place.and_then(|place| all().nth(place));
        let origin = given.map(|given| format!("{}: ", given.origin())).unwrap_or_default();
        ConfigError::invalid(format!("{origin}{}", error.message()))
    })
}

/// No file is so long.
const BEHIND_FILES: usize = usize::MAX / 2;

/// What the environment or the command line says for a setting.
enum Given<'s> {
    /// Arguments without a flag.
    Arguments { setting: &'s Setting, name: &'static str, texts: Vec<String> },
    /// The text of a variable or of a flag.
    Text { setting: &'s Setting, text: String, origin: String },
}

impl<'s> Given<'s> {
    fn of_variable(
        setting: &'s Setting,
        value: OsString,
        origin: String,
    ) -> Result<Self, ConfigError> {
        match value.into_string() {
            Ok(text) => Ok(Self::Text { setting, text, origin }),
            Err(_) => Err(ConfigError::invalid(format!(
                "{origin}: expected text in UTF-8, found other bytes; write it anew, or use the configuration file"
            ))),
        }
    }

    fn of_flag(setting: &'s Setting, matches: &ArgMatches) -> Option<Self> {
        // A subcommand that takes no positional arguments does not know them.
        let texts = matches.try_get_many::<String>(setting.key).ok().flatten()?;
        let texts: Vec<String> = texts.cloned().collect();
        Some(match setting.positional_name() {
            Some(name) => Self::Arguments { setting, name, texts },
            None => Self::Text {
                setting,
                text: texts.join(","),
                origin: format!("--{}", setting.flag_name()),
            },
        })
    }

    /// Whether what was said before of `other` says nothing any more.
    fn takes_the_place_of(&self, other: &Setting) -> bool {
        let has_it = match self {
            Self::Text { setting, text, .. } => setting.says_in(text, other),
            Self::Arguments { .. } => false,
        };
        has_it || self.setting().stands_for(other)
    }

    fn setting(&self) -> &'s Setting {
        match self {
            Self::Arguments { setting, .. } | Self::Text { setting, .. } => setting,
        }
    }

    /// What to call it in an error.
    fn origin(&self) -> &str {
        match self {
            Self::Arguments { name, .. } => name,
            Self::Text { origin, .. } => origin,
        }
    }

    fn lay_over<'a>(
        &'a self,
        tables: &mut Tables<'a>,
        place: Range<usize>,
    ) -> Result<(), ConfigError> {
        let value = match self {
            Self::Arguments { setting, name, texts } => {
                refuse_both(tables, setting, name)?;
                for text in texts {
                    let refuse = |message| ConfigError::invalid(format!("{name}: {message}"));
                    setting.check(text).map_err(refuse)?;
                }
                list(texts.iter().map(String::as_str))
            }
            Self::Text { setting, text, origin } => {
                let refuse = |message| ConfigError::invalid(format!("{origin}: {message}"));
                setting.parse(text).map_err(refuse)?
            }
        };
        tables.set(self.setting(), &Spanned::new(place, value));
        Ok(())
    }
}

/// Reads `T` from the text of a file.
///
/// # Errors
/// When a name is unknown, or a value of the wrong kind.
pub fn from_text<T: HasRows>(text: &str) -> Result<T, ConfigError> {
    let tables = file::tables_of::<T>(text).map_err(ConfigError::invalid)?;
    T::read(&tables).map_err(|error| ConfigError::invalid(error.message()))
}

/// Arguments without a flag name what to work on; a file that does so as well is ambiguous.
fn refuse_both(tables: &Tables<'_>, setting: &Setting, name: &str) -> Result<(), ConfigError> {
    if tables.has(setting) {
        return Err(ConfigError::invalid(format!(
            "{name} is given on the command line, and {} in the configuration file or in {}; keep one",
            setting.key,
            setting.variable()
        )));
    }
    Ok(())
}

/// Flags with a password in them: every user of the machine sees the arguments of every process.
fn in_sight(settings: &[Setting], matches: &ArgMatches) -> Vec<String> {
    let given = settings.iter().filter_map(|setting| Given::of_flag(setting, matches));
    let shown = given.filter_map(|given| match given {
        Given::Text { setting, text, .. } if setting.shows_a_secret(&text) => Some(setting),
        _ => None,
    });
    let advice = |setting: &Setting| {
        let file = settings.iter().find(|other| other.is_file_for(setting));
        let file = file.map_or(String::new(), |file| format!("--{} or ", file.flag_name()));
        format!(
            "--{}: a password on the command line is in sight of everybody on this machine (ps); give it by {file}{}",
            setting.flag_name(),
            setting.variable()
        )
    };
    shown.map(advice).collect()
}

/// A variable that is almost a setting's is more likely a slip than a stranger.
fn misspelt(settings: &[Setting], variables: impl Iterator<Item = String>) -> Vec<String> {
    const SLIPS: usize = 2;
    let known: Vec<String> = settings.iter().map(Setting::variable).collect();
    let resembled = |name: &str| {
        known.iter().find(|variable| {
            let distance = strsim::damerau_levenshtein(name, variable);
            (1..=SLIPS).contains(&distance)
        })
    };
    variables
        .filter(|name| name.starts_with("OMPHALOS_") && !known.contains(name))
        .filter_map(|name| {
            resembled(&name).map(|variable| {
                format!(
                    "the environment variable {name} is not a setting; did you mean {variable}?"
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
