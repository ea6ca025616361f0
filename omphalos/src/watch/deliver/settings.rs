//! The `[[receiver]]` tables.

use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{
    ConfigError, HasRows, Kind, Period, ServerUrl, Setting, TableError, Tables, read_secret,
};
use omphalos_live::alert::Alert;
use serde::Deserialize;
use url::Url;

const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated().in_file_alone()
}

const KINDS: &[&str] = &["command", "webhook", "slack", "alertmanager", "mail"];

/// The rows of the `[[receiver]]` tables.
pub const RECEIVER_SETTINGS: &[Setting] = &[
    row(
        "receiver.name",
        Kind::Text,
        "Name of the receiver, for messages and metrics. No two have the same.",
    ),
    row(
        "receiver.kind",
        Kind::Choice(KINDS),
        "What it is: a program that is run, a URL that gets JSON, a channel of Slack, Prometheus's Alertmanager, or people who get mail.",
    ),
    row("receiver.alerts", Kind::List, "Names of the alerts that it is told; all by default."),
    row(
        "receiver.severities",
        Kind::List,
        "It is told alerts of these severities only; all by default.",
    ),
    row(
        "receiver.command",
        Kind::List,
        "Of a command: the program and its arguments. No shell is asked; the event is JSON on its standard input.",
    ),
    row(
        "receiver.url",
        Kind::Text,
        "Of all kinds but a command: where to, such as https://HOST/PATH, http://HOST:9093 of an Alertmanager, or smtp://USER@HOST:587 or smtps://… for mail.",
    ),
    row(
        "receiver.url_file",
        Kind::Text,
        "Read the URL from this file instead. Whoever knows the URL of a Slack channel can write there.",
    ),
    row("receiver.password_file", Kind::Text, "Of mail: file with the password of the URL's user."),
    row(
        "receiver.ca_file",
        Kind::Text,
        "PEM file with a certificate authority to trust, in addition to the usual ones; of all kinds but a command.",
    ),
    row("receiver.from", Kind::Text, "Of mail: the sender, such as omphalos@example.com."),
    row("receiver.to", Kind::List, "Of mail: who gets it."),
    row(
        "receiver.gather",
        Kind::Period,
        "Of mail: what comes within this time of the first goes into one mail; 10s by default.",
    ),
    row("receiver.pause", Kind::Period, "Of mail: send at most one in this time; 1m by default."),
    row(
        "receiver.resend",
        Kind::Period,
        "Of an Alertmanager: how often it is told again what is raised. Four times later it takes for resolved what it is not told; 1m by default.",
    ),
    row(
        "receiver.timeout",
        Kind::Period,
        "How long an attempt may take; a command is killed then.",
    )
    .default("10s"),
    row(
        "receiver.give_up_after",
        Kind::Period,
        "How long to try to tell an event before it is given up.",
    )
    .default("1h"),
];

/// What a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverKind {
    /// A program, which is run with each event.
    Command,
    /// A URL, which gets JSON.
    Webhook,
    /// A channel of Slack.
    Slack,
    /// Prometheus's Alertmanager.
    Alertmanager,
    /// People, by mail.
    Mail,
}

impl ReceiverKind {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Alertmanager => "alertmanager",
            Self::Mail => "mail",
        }
    }
}

/// A `[[receiver]]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct Receiver {
    pub name: String,
    pub kind: Option<ReceiverKind>,
    pub alerts: Vec<String>,
    pub severities: Vec<String>,
    pub command: Vec<String>,
    pub url: Option<String>,
    pub url_file: Option<PathBuf>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub from: Option<String>,
    pub to: Vec<String>,
    pub gather: Option<Period>,
    pub pause: Option<Period>,
    pub resend: Option<Period>,
    pub timeout: Period,
    pub give_up_after: Period,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: None,
            alerts: Vec::new(),
            severities: Vec::new(),
            command: Vec::new(),
            url: None,
            url_file: None,
            password_file: None,
            ca_file: None,
            from: None,
            to: Vec::new(),
            gather: None,
            pause: None,
            resend: None,
            timeout: Period(Duration::from_secs(10)),
            give_up_after: Period(Duration::from_hours(1)),
        }
    }
}

/// All `[[receiver]]` tables.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Receivers {
    /// In the order of the file.
    pub receiver: Vec<Receiver>,
}

impl HasRows for Receivers {
    fn rows() -> Vec<Setting> {
        RECEIVER_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        tables.part(RECEIVER_SETTINGS)
    }
}

/// Looks at what concerns all of them: their names.
///
/// # Errors
/// When one has no name, or that of another.
pub fn check(receivers: &[Receiver]) -> Result<(), ConfigError> {
    for (count, receiver) in receivers.iter().enumerate() {
        let name = &receiver.name;
        if name.is_empty() {
            return Err(ConfigError::invalid(format!(
                "receiver.name: expected a name for each [[receiver]], found none in number {}",
                count + 1
            )));
        }
        if receivers.iter().take(count).any(|other| other.name == *name) {
            return Err(ConfigError::invalid(format!(
                "receiver.name: expected another name for each [[receiver]], found {name:?} twice"
            )));
        }
    }
    Ok(())
}

impl Receiver {
    /// Whether it is told what happens to this alert.
    pub fn wants(&self, alert: &Alert) -> bool {
        let is_in = |list: &[String], text: &String| list.is_empty() || list.contains(text);
        is_in(&self.alerts, &alert.rule) && is_in(&self.severities, &alert.severity)
    }

    /// An error about one of its settings.
    pub(super) fn refuse(&self, setting: &str, message: impl std::fmt::Display) -> ConfigError {
        ConfigError::invalid(format!("receiver {:?}: {setting}: {message}", self.name))
    }

    /// Its kind, if it has what that kind needs, and nothing that is another kind's.
    pub(super) fn checked_kind(&self) -> Result<ReceiverKind, ConfigError> {
        let Some(kind) = self.kind else {
            let message = format!("expected one of {}, found none", KINDS.join(", "));
            return Err(self.refuse("kind", message));
        };
        for (setting, is_set, kinds) in self.of_some_kinds() {
            if is_set && !kinds.contains(&kind) {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                let message = format!(
                    "expected only with kind = {}, found with kind = {}; remove it",
                    kinds.join(", "),
                    kind.name()
                );
                return Err(self.refuse(setting, message));
            }
        }
        for (setting, period) in [
            ("timeout", Some(self.timeout)),
            ("give_up_after", Some(self.give_up_after)),
            ("resend", self.resend),
        ] {
            if period.is_some_and(|period| period.0 < Duration::from_millis(100)) {
                return Err(self.refuse(setting, "expected at least 100ms, found less"));
            }
        }
        Ok(kind)
    }

    /// The settings that not all kinds have, whether each is set, and which kinds have it.
    fn of_some_kinds(&self) -> [(&'static str, bool, &'static [ReceiverKind]); 10] {
        use ReceiverKind::{Alertmanager, Command, Mail, Slack, Webhook};
        const NETWORK: &[ReceiverKind] = &[Webhook, Slack, Alertmanager, Mail];
        [
            ("command", !self.command.is_empty(), &[Command]),
            ("url", self.url.is_some(), NETWORK),
            ("url_file", self.url_file.is_some(), NETWORK),
            ("ca_file", self.ca_file.is_some(), NETWORK),
            ("password_file", self.password_file.is_some(), &[Mail]),
            ("from", self.from.is_some(), &[Mail]),
            ("to", !self.to.is_empty(), &[Mail]),
            ("gather", self.gather.is_some(), &[Mail]),
            ("pause", self.pause.is_some(), &[Mail]),
            ("resend", self.resend.is_some(), &[Alertmanager]),
        ]
    }

    /// Its URL.
    pub(super) fn read_url(
        &self,
        schemes: &'static [&'static str],
        example: &'static str,
    ) -> Result<Url, ConfigError> {
        let named =
            |error: ConfigError| ConfigError::invalid(format!("receiver {:?}: {error}", self.name));
        let text = read_secret("url", self.url.clone(), self.url_file.as_deref()).map_err(named)?;
        let Some(text) = text else {
            return Err(self.refuse("url", format!("expected {example}, found none")));
        };
        let urls = ServerUrl { key: "url", schemes, example, instead_of_query: None };
        let urls = urls.read(std::slice::from_ref(&text)).map_err(named)?;
        urls.into_iter().next().ok_or_else(|| self.refuse("url", format!("expected {example}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::deliver::road::Road;
    use omphalos_common::config::{from_text, read_shown_defaults, rows_without_a_place};

    #[test]
    fn the_rows_say_what_the_defaults_are_and_each_has_a_place() {
        let loaded: Receivers = read_shown_defaults().unwrap();
        assert_eq!(loaded, Receivers { receiver: vec![Receiver::default()] });
        assert_eq!(rows_without_a_place::<Receivers>(), [""; 0]);
    }

    /// Lines of a `[[receiver]]`, and what is said of them.
    const LINES: &[(&str, &str)] = &[
        (
            "kind = \"slack\"",
            "receiver.name: expected a name for each [[receiver]], found none in number 1",
        ),
        (
            "name = \"a\"\nkind = \"sms\"",
            "`receiver.kind`: expected one of command, webhook, slack, alertmanager, mail, found \"sms\"",
        ),
        ("name = \"a\"", "receiver \"a\": kind: expected one of command, webhook"),
        (
            "name = \"a\"\nkind = \"command\"\ncommand = [\"true\"]\n[[receiver]]\nname = \"a\"",
            "found \"a\" twice",
        ),
        (
            "name = \"a\"\nkind = \"command\"",
            "receiver \"a\": command: expected a program and its arguments, found none",
        ),
        (
            "name = \"a\"\nkind = \"command\"\ncommand = [\"a\"]\nurl = \"http://h\"",
            "receiver \"a\": url: expected only with kind = webhook, slack, alertmanager, mail, found with kind = command; remove it",
        ),
        (
            "name = \"a\"\nkind = \"webhook\"",
            "receiver \"a\": url: expected http://HOST/PATH or https://…, found none",
        ),
        (
            "name = \"a\"\nkind = \"webhook\"\nurl = \"ftp://u:SECRET@h/SECRET\"",
            "receiver \"a\": url: expected http://HOST/PATH or https://…, found ",
        ),
        (
            "name = \"a\"\nkind = \"slack\"\nurl = \"htps://h/T0/SECRET\"",
            "found \"htps://h/…\": another scheme",
        ),
        (
            "name = \"a\"\nkind = \"slack\"\nurl = \"h/T0/SECRET\"",
            "found something else: it has no scheme",
        ),
        (
            "name = \"a\"\nkind = \"slack\"\nurl = \"https://h:port/T0/SECRET\"",
            "receiver \"a\": url: expected https://hooks.slack.com/services/…, found ",
        ),
        ("name = \"a\"\nkind = \"slack\"\nurl = 'htps://h/T0/\\SECRET\"x'", "another scheme"),
        (
            "name = \"a\"\nkind = \"slack\"\nurl_file = \"/not/there\"",
            "receiver \"a\": url_file: cannot read /not/there: ",
        ),
        (
            "name = \"a\"\nkind = \"alertmanager\"\nurl = \"http://h:9093\"\nfrom = \"a@b\"",
            "receiver \"a\": from: expected only with kind = mail",
        ),
        (
            "name = \"a\"\nkind = \"alertmanager\"\nurl = \"http://h:9093\"\nresend = \"1ms\"",
            "receiver \"a\": resend: expected at least 100ms",
        ),
        (
            "name = \"a\"\nkind = \"mail\"\nurl = \"smtp://h\"",
            "receiver \"a\": from: expected an address such as omphalos@example.com, found none",
        ),
        (
            "name = \"a\"\nkind = \"mail\"\nurl = \"smtp://h\"\nfrom = \"a@b\"",
            "receiver \"a\": to: expected an address such as",
        ),
        (
            "name = \"a\"\nkind = \"mail\"\nurl = \"smtp://h\"\nfrom = \"a@b\"\nto = [\"x\"]",
            "receiver \"a\": to: expected an address such as omphalos@example.com, found \"x\"",
        ),
        (
            "name = \"a\"\nkind = \"mail\"\nurl = \"smtp://u@h\"\nfrom = \"a@b\"\nto = [\"a@b\"]",
            "receiver \"a\": password_file: expected a file with the password of the user in url, found none",
        ),
        (
            "name = \"a\"\nkind = \"webhook\"\nurl = \"https://h/x\"\nca_file = \"/not/there\"",
            "receiver \"a\": ca_file: /not/there: cannot read",
        ),
        ("name = \"a\"\nkind = \"command\"\ncommand = [\"curl\", \"https://h/?key=x\"]", "taken"),
        ("name = \"a\"\nkind = \"webhook\"\nurl = \"https://u:p@h/x?token=y\"", "taken"),
        (
            "name = \"a\"\nkind = \"mail\"\nurl = \"smtps://u:p@h\"\nfrom = \"A <a@b>\"\nto = [\"a@b\", \"C <c@d>\"]",
            "taken",
        ),
    ];

    /// What a file with these lines in `[[receiver]]` is refused for.
    fn refused(lines: &str) -> String {
        let text = format!("[[receiver]]\n{lines}\n");
        let receivers: Receivers = match from_text(&text) {
            Ok(receivers) => receivers,
            Err(error) => return error.to_string(),
        };
        if let Err(error) = check(&receivers.receiver) {
            return error.to_string();
        }
        let mut roads = receivers.receiver.iter().map(Road::new);
        roads.find_map(Result::err).map_or_else(|| "taken".to_owned(), |error| error.to_string())
    }

    #[test]
    fn each_kind_takes_what_it_needs_and_errors_name_receiver_and_setting() {
        for (lines, expected) in LINES {
            let error = refused(lines);
            assert!(error.contains(expected), "{lines}: {error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
