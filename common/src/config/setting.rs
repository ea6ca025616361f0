//! One row of the table of settings.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::DeValue;

use super::url::{has_password, has_secret};
use crate::masked::is_harmless;

/// What kind of value a setting has: how its text in a flag or variable is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text, paths included.
    Text,
    /// Texts; a flag may be repeated, and commas separate texts in a flag or a variable.
    List,
    /// A whole number, not negative.
    Integer,
    /// A [`super::Size`], such as `8MiB`.
    Size,
    /// A [`super::Period`], such as `250ms`.
    Period,
    /// `true` or `false`; a flag alone means `true`.
    Switch,
    /// One of a fixed set of words.
    Choice(&'static [&'static str]),
    /// A table of values, in the file alone.
    Table,
    /// Several tables, in the file alone.
    Tables,
}

impl Kind {
    /// Whether it has values inside, which its reader checks.
    pub fn is_nested(self) -> bool {
        matches!(self, Self::Table | Self::Tables)
    }

    /// What it looks like in a file.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text => "a text in quotes".to_owned(),
            Self::List => "a list of texts, such as [\"a\", \"b\"]".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Size => super::Size::EXAMPLE.to_owned(),
            Self::Period => super::Period::EXAMPLE.to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Table => "a table of names and values".to_owned(),
            Self::Tables => "tables in double brackets, each as it is in the manual".to_owned(),
        }
    }
}

/// What a setting is about: by this, commands pick those that they have a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// How the work is done.
    Work,
    /// What documents say.
    Document,
    /// What was shipped before, and how it is told apart: by ids, and by the names of indices.
    Identity,
    /// Where documents are to be found.
    Place,
    /// What only a process has a use for that goes on and on, with files that grow, or over UDP.
    Daemon,
}

/// A setting: its name in the file, on the command line and in the environment, and its help.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name in the TOML file, with its table: `amqp.url`.
    pub key: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// One sentence or two for `--help` and the manual.
    pub help: &'static str,
    /// The default as it would be written in the file, without quotes; empty for none.
    pub default: &'static str,
    about: About,
    flag: Option<&'static str>,
    alias: Option<&'static str>,
    positional: Option<&'static str>,
    repeated: bool,
    in_file_alone: bool,
    replaces: &'static [&'static str],
    carries: &'static [&'static str],
}

impl Setting {
    /// A setting whose flag is its key with dashes.
    pub const fn new(key: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            key,
            kind,
            help,
            default: "",
            about: About::Work,
            flag: None,
            alias: None,
            positional: None,
            repeated: false,
            in_file_alone: false,
            replaces: &[],
            carries: &[],
        }
    }

    /// With a default, as it would be written in the file.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = text;
        self
    }

    /// About something else than how the work is done.
    #[must_use]
    pub const fn about(mut self, about: About) -> Self {
        self.about = about;
        self
    }

    /// With a flag of its own instead of the key with dashes.
    #[must_use]
    pub const fn flag(mut self, name: &'static str) -> Self {
        self.flag = Some(name);
        self
    }

    /// The same row, with a second, shorter flag.
    #[must_use]
    pub const fn alias(mut self, name: &'static str) -> Self {
        self.alias = Some(name);
        self
    }

    /// Without its second flag, for a program in which another setting has it.
    #[must_use]
    pub const fn without_alias(mut self) -> Self {
        self.alias = None;
        self
    }

    /// Another way to say what settings of these keys say together: where it is said later, by a flag and
    /// not in the file, say, they say nothing.
    #[must_use]
    pub const fn replaces(mut self, keys: &'static [&'static str]) -> Self {
        self.replaces = keys;
        self
    }

    /// URLs that may have user and password in them, which settings of these keys say otherwise: where such
    /// an URL is said later, these say nothing.
    #[must_use]
    pub const fn carries(mut self, keys: &'static [&'static str]) -> Self {
        self.carries = keys;
        self
    }

    /// Whether `text`, as the value of this setting, says in its URLs what `other` says.
    pub(super) fn says_in(&self, text: &str, other: &Self) -> bool {
        self.carries.contains(&other.key) && text.split(',').any(has_password)
    }

    /// Whether a secret would be in sight where `text`, as its value, stands on a command line.
    pub(super) fn shows_a_secret(&self, text: &str) -> bool {
        self.is_secret() || text.split(',').any(has_secret)
    }

    /// Whether it names a file in which stands what `other` says, or a part of that.
    pub(super) fn is_file_for(&self, other: &Self) -> bool {
        let is_twin = self.key.strip_suffix("_file") == Some(other.key);
        is_twin || self.key.ends_with("password_file") && other.carries.contains(&self.key)
    }

    /// Whether it and `other` are two ways to say one thing: `amqp.url_file` of `amqp.url`, and the other
    /// way round, or what [`Self::replaces`] names.
    pub(super) fn stands_for(&self, other: &Self) -> bool {
        other.key.strip_suffix("_file") == Some(self.key)
            || self.key.strip_suffix("_file") == Some(other.key)
            || self.replaces.contains(&other.key)
    }

    /// With another help, for a program in which it means more, or less.
    #[must_use]
    pub const fn help(mut self, text: &'static str) -> Self {
        self.help = text;
        self
    }

    /// Given on the command line without a flag; `placeholder` stands for it in `--help`.
    #[must_use]
    pub const fn positional(mut self, placeholder: &'static str) -> Self {
        self.positional = Some(placeholder);
        self
    }

    /// In a table that may be there several times, `[[table]]`; flags and variables set it in all.
    #[must_use]
    pub const fn repeated(mut self) -> Self {
        self.repeated = true;
        self
    }

    /// Without a flag and a variable of its own: what is several things at once is said in a file.
    #[must_use]
    pub const fn in_file_alone(mut self) -> Self {
        self.in_file_alone = true;
        self
    }

    /// Whether it has neither a flag nor a variable.
    pub fn is_in_file_alone(&self) -> bool {
        self.in_file_alone
    }

    /// Whether it is about one of these.
    pub fn is_about(&self, about: &[About]) -> bool {
        about.contains(&self.about)
    }

    /// Its table, or itself where it stands in none.
    pub fn top(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(table, _)| table)
    }

    /// Its name in its table, if it stands in one.
    pub(super) fn leaf(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(_, leaf)| leaf)
    }

    /// Under which heading it stands in `--help`; none for those outside tables.
    pub fn heading(&self) -> Option<&'static str> {
        let (table, _) = self.key.split_once('.')?;
        Some(match table {
            "monitor" => "Files and their lines, [[monitor]]",
            "batch" => "Batches, [batch]",
            "amqp" => "RabbitMQ, [amqp]",
            "udp" => "Sending over UDP, [udp]",
            "receive" => "Receiving over UDP, [[receive]]",
            "receiver" => "Who is told of alerts, [[receiver]]",
            "spool" => "What came over UDP, on disk, [spool]",
            "consume" => "Consuming from RabbitMQ, [consume]",
            "elasticsearch" => "Elasticsearch, [elasticsearch]",
            "bulk" => "Bulk requests, [bulk]",
            "index" => "Indices, [index]",
            "dead_letters" => "Dead letters, [dead_letters]",
            "store" => "Embedded store, [store]",
            "output" => "Series, [[output]]",
            "alert" => "Rules of alerts, [[alert]]",
            other => other,
        })
    }

    /// What stands for it in `--help`, if it is given without a flag.
    pub fn positional_name(&self) -> Option<&'static str> {
        self.positional
    }

    /// Whether its value is for nobody's eyes.
    pub fn is_secret(&self) -> bool {
        ["password", "api_key", "bearer_token"].iter().any(|name| self.key.ends_with(name))
    }

    /// Whether its table may be there several times.
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// The long flag without its dashes: `amqp-url`.
    pub fn flag_name(&self) -> String {
        self.flag.map_or_else(|| self.key.replace(['.', '_'], "-"), str::to_owned)
    }

    /// The second flag, if it has one.
    pub fn alias_name(&self) -> Option<&'static str> {
        self.alias
    }

    /// The environment variable: `OMPHALOS_AMQP_URL`.
    pub fn variable(&self) -> String {
        format!("OMPHALOS_{}", self.flag_name().to_uppercase().replace('-', "_"))
    }

    /// The word that stands for the value in `--help`.
    pub fn placeholder(&self) -> &'static str {
        match self.kind {
            Kind::Text => "TEXT",
            Kind::List => "TEXT,…",
            Kind::Integer => "N",
            Kind::Size => "SIZE",
            Kind::Period => "TIME",
            Kind::Switch => "BOOL",
            Kind::Choice(_) => "WORD",
            Kind::Table | Kind::Tables => "TABLE",
        }
    }

    /// Whether a text may be the value of this setting: a URL that may have a password in it is none of
    /// most, and stands there by mistake.
    ///
    /// # Errors
    /// What was expected and what was found, as the end of a sentence, without the URL.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let takes_any = matches!(
            self.leaf(),
            Some(
                "url"
                    | "kibana_url"
                    | "proxy"
                    | "password"
                    | "api_key"
                    | "bearer_token"
                    | "multiline_pattern"
                    | "command"
            )
        );
        if takes_any || is_harmless(text) {
            return Ok(());
        }
        let expected = match self.kind {
            Kind::Text | Kind::List => "no URL".to_owned(),
            kind => kind.expected(),
        };
        Err(format!(
            "expected {expected}, found one that may have a password in it; URLs of servers belong in amqp.url and elasticsearch.url"
        ))
    }

    /// Reads the text of a flag or of an environment variable.
    ///
    /// # Errors
    /// What was expected and what was found, as the end of a sentence.
    pub(super) fn parse<'t>(&self, text: &'t str) -> Result<DeValue<'t>, String> {
        self.check(text)?;
        let expected = || format!("expected {}, found {}", self.kind.expected(), found(text));
        let same = || DeValue::String(Cow::Borrowed(text));
        match self.kind {
            Kind::Text => Ok(same()),
            Kind::List => Ok(list(text.split(',').map(str::trim).filter(|part| !part.is_empty()))),
            Kind::Integer => number(text).ok_or_else(expected),
            Kind::Size => text.parse::<super::Size>().map(|_| same()),
            Kind::Period => text.parse::<super::Period>().map(|_| same()),
            Kind::Switch => match text {
                "true" | "1" | "yes" | "on" => Ok(DeValue::Boolean(true)),
                "false" | "0" | "no" | "off" => Ok(DeValue::Boolean(false)),
                _ => Err(expected()),
            },
            Kind::Choice(words) if words.contains(&text) => Ok(same()),
            Kind::Choice(_) | Kind::Table | Kind::Tables => Err(expected()),
        }
    }
}

/// What is said of a text that is no value of its setting: all of it, where it is short and no URL. A
/// longer one is no slip of the keyboard, but something that belongs elsewhere.
pub(super) fn found(text: &str) -> String {
    const SHORT: usize = 32;
    let length = text.chars().count();
    match () {
        () if !is_harmless(text) => "a URL".to_owned(),
        () if length > SHORT => format!("a text of {length} characters"),
        () => format!("{text:?}"),
    }
}

/// TOML knows neither the zeros before a number nor the sign of one that is not negative.
fn number(text: &str) -> Option<DeValue<'_>> {
    text.parse::<u32>().ok()?;
    let digits = text.trim_start_matches(['+', '0']);
    let digits = if digits.is_empty() { "0" } else { digits };
    DeValue::parse(digits).ok().map(Spanned::into_inner)
}

/// A list of texts.
pub(super) fn list<'t>(texts: impl Iterator<Item = &'t str>) -> DeValue<'t> {
    let text = |text: &'t str| Spanned::new(0..0, DeValue::String(Cow::Borrowed(text)));
    DeValue::Array(texts.map(text).collect())
}
