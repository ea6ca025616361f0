//! The `[[alert]]` tables, and the flag `--alert`, which is one of them in a line.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use omphalos_common::config::{
    ConfigError, HasRows, Kind, Period, Setting, TableError, Tables, from_text,
};
use omphalos_live::alert::{Alerts, Limit, Measure, Of, Rule, Subject, Template};
use omphalos_live::{Dimension, Filter, Settings as LiveSettings};
use serde::Deserialize;

use super::amount::Amount;

/// What is said of an alert, if the rule does not say it.
const TEXT: &str = "{name}: {key} has {value}, limit {limit}";
const TEXT_OF_SILENCE: &str = "{name}: {key} has been silent for {value}";

const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated().in_file_alone()
}

/// The rows of an `[[alert]]` table, in the order of the manual.
pub const ALERT_SETTINGS: &[Setting] = &[
    row("alert.name", Kind::Text, "What the rule is called, and its alerts; by default what it measures, and of what. No two rules have one name."),
    row("alert.of", Kind::Choice(&Of::NAMES), "What is measured: lines, or heartbeats, which shippers and indexers of a fleet publish of themselves: a host without lines has heartbeats, and one that is down has neither.").default("lines"),
    row("alert.filter", Kind::Text, "Which lines are measured: a query as for omphalos search, such as status:>=500 AND path:/api/*; by default all."),
    row("alert.by", Kind::Text, "Judges each value of this field by itself: host, section, path, client, status, dataset or any other field; by default all lines are judged together."),
    row("alert.key", Kind::Text, "Judges only this value of the field that alert.by names."),
    row("alert.measure", Kind::Choice(&Measure::NAMES), "What is measured of the lines in the window: hits (how many), rate (how many a second), bytes (of the responses), error_share (with a status of 500 and more, in percent), latency_p50, latency_p95, latency_p99 (what so many percent of them took at most), silence (how long ago the last one was), change (how many more than in the window before, in percent; negative for fewer).").default("hits"),
    row("alert.at_least", Kind::Text, "Raised at this value and above: a number, or a text such as \"5 %\", \"250ms\", \"10MB\", \"100/s\"."),
    row("alert.at_most", Kind::Text, "Raised at this value and below, instead of alert.at_least."),
    row("alert.clear", Kind::Text, "Cleared below this value, or above it with alert.at_most, so that a value near the limit does not raise it again and again; by default the limit."),
    row("alert.window", Kind::Period, "Over how long it is measured: whole seconds, minutes or hours.").default("1m"),
    row("alert.for", Kind::Period, "How long the limit must have been reached before it is raised.").default("0s"),
    row("alert.keep_for", Kind::Period, "How long the value must have been well before it is cleared.").default("0s"),
    row("alert.least_hits", Kind::Integer, "Without so many lines in the window, shares, latencies and changes are not known: one error in one line is no error share of 100 %.").default("1"),
    row("alert.no_data", Kind::Period, "How long an alert stays what it is while its value is not known for want of lines; then it is cleared, and says why.").default("10m"),
    row("alert.no_data_alert", Kind::Switch, "Whether it is an alert instead when alert.no_data has passed.").default("false"),
    row("alert.severity", Kind::Text, "How bad it is, for receivers and people.").default("warning"),
    row("alert.text", Kind::Text, "What is said of it, with {name} {key} {value} {limit} {clear} {window} {severity} {state}."),
];

/// An `[[alert]]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSettings {
    pub name: Option<String>,
    pub of: String,
    pub filter: Option<String>,
    pub by: Option<String>,
    pub key: Option<String>,
    pub measure: String,
    pub at_least: Option<Amount>,
    pub at_most: Option<Amount>,
    pub clear: Option<Amount>,
    pub window: Period,
    #[serde(rename = "for")]
    pub wait: Period,
    pub keep_for: Period,
    pub least_hits: u64,
    pub no_data: Period,
    pub no_data_alert: bool,
    pub severity: String,
    pub text: Option<String>,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            name: None,
            of: Of::Lines.name().to_owned(),
            filter: None,
            by: None,
            key: None,
            measure: "hits".to_owned(),
            at_least: None,
            at_most: None,
            clear: None,
            window: Period(Duration::from_mins(1)),
            wait: Period(Duration::ZERO),
            keep_for: Period(Duration::ZERO),
            least_hits: 1,
            no_data: Period(Duration::from_mins(10)),
            no_data_alert: false,
            severity: "warning".to_owned(),
            text: None,
        }
    }
}

/// All `[[alert]]` tables.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Alerting {
    /// Each of them.
    pub alert: Vec<AlertSettings>,
}

impl HasRows for Alerting {
    fn rows() -> Vec<Setting> {
        ALERT_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        tables.part(ALERT_SETTINGS)
    }
}

/// `--alert`.
pub fn flag() -> Arg {
    Arg::new("alert")
        .long("alert")
        .value_name("RULE")
        .action(ArgAction::Append)
        .value_parser(NonEmptyStringValueParser::new())
        .help_heading("Alerts")
        .help("An [[alert]] in one line, such as 'measure = \"error_share\", at_least = 5, by = \"path\"'; may be repeated")
}

/// The rules of the flags `--alert`.
///
/// # Errors
/// Which cannot be read, and why.
pub fn of_flags(given: &ArgMatches) -> Result<Vec<AlertSettings>, ConfigError> {
    let mut rules = Vec::new();
    for (number, text) in (1..).zip(given.get_many::<String>("alert").into_iter().flatten()) {
        let before = "alert = [{ ";
        let table = format!("{before}{text} }}]");
        // Not the rule itself: what is typed in the wrong place may be anything.
        let problem = |error: ConfigError| {
            let error = placed(&error.to_string(), before.len());
            ConfigError::invalid(format!("--alert, rule {number}: {error}"))
        };
        rules.extend(from_text::<Alerting>(&table).map_err(problem)?.alert);
    }
    Ok(rules)
}

/// The error with its column in what was typed, which has so many bytes before it.
fn placed(error: &str, before: usize) -> String {
    const FIRST_LINE: &str = "line 1, column ";
    let parts = error.split_once(FIRST_LINE).and_then(|(start, rest)| {
        let end = rest.find(|character: char| !character.is_ascii_digit())?;
        let (column, rest) = rest.split_at(end);
        let column = column.parse::<usize>().ok()?.checked_sub(before)?;
        Some(format!("{start}column {column}{rest}"))
    });
    parts.unwrap_or_else(|| error.to_owned())
}

/// The rules, checked, alone and together.
///
/// # Errors
/// Which cannot be used, and why.
pub fn rules(tables: &[AlertSettings]) -> Result<Vec<Rule>, ConfigError> {
    let rules: Vec<Rule> = tables.iter().map(AlertSettings::rule).collect::<Result<_, _>>()?;
    Alerts::new(rules.clone(), &LiveSettings::default())
        .map_err(|problem| ConfigError::invalid(format!("[[alert]]: {problem}")))?;
    Ok(rules)
}

impl AlertSettings {
    /// The threshold of a console: what is measured is at least so much.
    pub fn at_least(
        name: &str,
        measure: &str,
        by: Option<String>,
        limit: u64,
        window: Duration,
    ) -> Self {
        Self {
            name: Some(name.to_owned()),
            measure: measure.to_owned(),
            by,
            at_least: Some(Amount::of(limit)),
            window: Period(window),
            ..Self::default()
        }
    }

    fn rule(&self) -> Result<Rule, ConfigError> {
        let name = self.name.clone().unwrap_or_else(|| self.usual_name());
        let problem = |setting: &str, what: String| {
            ConfigError::invalid(format!("[[alert]] {name:?}: alert.{setting}: {what}"))
        };
        let measure = Measure::named(&self.measure).ok_or_else(|| {
            let names = Measure::NAMES.join(", ");
            problem("measure", format!("expected one of {names}, found {:?}", self.measure))
        })?;
        let of = Of::named(&self.of).ok_or_else(|| {
            let names = Of::NAMES.join(" or ");
            problem("of", format!("expected {names}, found {:?}", self.of))
        })?;
        let filter = self.filter.as_deref().map(Filter::new).transpose();
        let filter = filter.map_err(|error| problem("filter", error.to_string()))?;
        let by = self.by.as_deref().map(Dimension::named);
        let subject = match (by, &self.key) {
            (None, None) => Subject::All,
            (Some(by), None) => Subject::Each(by),
            (Some(by), Some(key)) => Subject::Key(by, key.clone()),
            (None, Some(_)) => {
                let what = "expected alert.by beside it, the field whose value it is";
                return Err(problem("key", what.to_owned()));
            }
        };
        let usual_text = if measure == Measure::Silence { TEXT_OF_SILENCE } else { TEXT };
        let text = Template::new(self.text.as_deref().unwrap_or(usual_text));
        let text = text.map_err(|error| problem("text", error))?;
        let limit = self.limit(measure).map_err(|(setting, what)| problem(setting, what))?;
        Ok(Rule {
            name,
            of,
            filter,
            subject,
            measure,
            limit,
            window: self.window.0,
            wait: self.wait.0,
            keep: self.keep_for.0,
            least_hits: self.least_hits,
            no_data: self.no_data.0,
            raises_without_data: self.no_data_alert,
            severity: self.severity.clone(),
            text,
        })
    }

    /// What it measures, and of what.
    fn usual_name(&self) -> String {
        let of = match (&self.by, &self.key) {
            (Some(by), Some(key)) => format!(" of {by} {key}"),
            (Some(by), None) => format!(" of each {by}"),
            _ => String::new(),
        };
        let beats = if self.of == Of::Heartbeats.name() { " of heartbeats" } else { "" };
        let filter = self.filter.as_ref().map(|filter| format!(" where {filter}"));
        let (measure, filter) = (self.measure.replace('_', " "), filter.unwrap_or_default());
        let name = format!("{measure}{beats}{of}{filter}");
        name.chars().take(128).collect()
    }

    fn limit(&self, measure: Measure) -> Result<Limit, (&'static str, String)> {
        let value = |setting, amount: &Amount| {
            amount.in_unit(measure.unit()).map_err(|what| (setting, what))
        };
        let (setting, raise) = match (&self.at_least, &self.at_most) {
            (Some(least), None) => ("at_least", least),
            (None, Some(most)) => ("at_most", most),
            (None, None) => {
                return Err((
                    "at_least",
                    "expected a value from which on it is raised, or alert.at_most".to_owned(),
                ));
            }
            (Some(_), Some(_)) => {
                return Err((
                    "at_most",
                    "expected one of alert.at_least and alert.at_most, found both".to_owned(),
                ));
            }
        };
        let raise = value(setting, raise)?;
        let clear = self.clear.as_ref().map(|clear| value("clear", clear)).transpose()?;
        let clear = clear.unwrap_or(raise);
        Ok(if setting == "at_least" {
            Limit::AtLeast { raise, clear }
        } else {
            Limit::AtMost { raise, clear }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::{read_shown_defaults, rows_without_a_place};

    fn read(text: &str) -> Result<Vec<Rule>, ConfigError> {
        from_text::<Alerting>(text).and_then(|read| rules(&read.alert))
    }

    #[test]
    fn every_row_has_a_place() {
        assert_eq!(rows_without_a_place::<Alerting>(), Vec::<&str>::new());
        let shown: Alerting = read_shown_defaults().unwrap();
        assert_eq!(shown.alert, [AlertSettings::default()]);
    }

    #[test]
    fn tables_are_rules() {
        let text = r#"
            [[alert]]
            name = "errors"
            filter = "path:/api/*"
            by = "path"
            measure = "error_share"
            at_least = "5 %"
            clear = 2
            window = "5m"
            for = "1m"
            keep_for = "2m"
            least_hits = 20
            severity = "critical"
            text = "{key}: {value}"
            [[alert]]
            by = "host"
            key = "web-1"
            measure = "silence"
            at_least = "5m"
        "#;
        let rules = read(text).unwrap();
        assert_eq!(rules[0].limit, Limit::AtLeast { raise: 5.0, clear: 2.0 });
        assert_eq!(rules[0].wait, Duration::from_mins(1));
        assert_eq!(rules[0].subject, Subject::Each(Dimension::Path));
        assert_eq!(rules[1].name, "silence of host web-1");
        assert_eq!(rules[1].limit, Limit::AtLeast { raise: 300.0, clear: 300.0 });
    }

    #[test]
    fn what_cannot_be_used_names_rule_and_setting() {
        for (table, expected) in [
            ("measure = \"hits\"", "alert.at_least: expected a value"),
            ("at_least = 1\nat_most = 2", "found both"),
            (
                "at_least = \"5 s\"",
                "alert.at_least: expected a number of lines, such as 100, found \"5 s\"",
            ),
            ("at_least = true", "line 2"),
            ("at_least = 1\nmeasure = \"hit\"", "expected one of hits, rate"),
            ("at_least = 1\nmesure = \"hits\"", "unknown setting"),
            ("at_least = 1\nkey = \"a\"", "alert.key: expected alert.by beside it"),
            ("at_least = 1\nfilter = \"status:[1 TO\"", "alert.filter: "),
            ("at_least = 1\ntext = \"{what}\"", "alert.text: expected {name} {key}"),
            ("at_least = 1\nwindow = \"61m 1s\"", "window: expected whole seconds"),
            ("at_least = 1\nclear = 2", "clear: expected at most at_least"),
            ("at_least = 1\n[[alert]]\nat_least = 2", "is there twice"),
        ] {
            let error = read(&format!("[[alert]]\n{table}\n")).unwrap_err().to_string();
            assert!(error.contains(expected), "{table}: {error}");
        }
    }
}
