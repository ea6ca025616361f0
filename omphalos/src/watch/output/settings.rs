//! The `[[output]]` tables.

use std::time::Duration;

use anyhow::Context;
use omphalos_common::config::{
    ConfigError, HasRows, Kind, Period, ServerUrl, Setting, TableError, Tables,
};
use omphalos_live::{Dimension, Filter, MOST_TAGS, SeriesOf, SeriesPoint, SeriesSettings};
use serde::Deserialize;
use url::Url;

use super::datapoint::{Datapoint, clean, datapoints};

const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).repeated().in_file_alone()
}

/// The rows of an `[[output]]` table, in the order of the manual.
pub const OUTPUT_SETTINGS: &[Setting] = &[
    row(
        "output.kind",
        Kind::Choice(&["opentsdb", "prometheus"]),
        "Where series go: opentsdb writes datapoints to a server, prometheus shows them at /metrics of listen.",
    ),
    row(
        "output.url",
        Kind::Text,
        "Of opentsdb: http://HOST:4242, https://… or telnet://HOST:4242.",
    ),
    row(
        "output.tags",
        Kind::List,
        "By the values of which fields series are told apart, 1 to 8: host, status, section, path, dataset or any other field.",
    ),
    row(
        "output.filter",
        Kind::Text,
        "Which lines: a query as for omphalos search; by default all.",
    ),
    row(
        "output.interval",
        Kind::Period,
        "How long the steps are of which there is a datapoint each.",
    )
    .default("1m"),
    row(
        "output.prefix",
        Kind::Text,
        "Of opentsdb: what the names of metrics begin with: omphalos.hits, for example.",
    )
    .default("omphalos"),
    row("output.timeout", Kind::Period, "Of opentsdb: how long an attempt may take.")
        .default("10s"),
];

const URL: ServerUrl = ServerUrl {
    key: "output.url",
    schemes: &["http", "https", "telnet"],
    example: "http://HOST:4242 or telnet://HOST:4242",
    instead_of_query: None,
};

/// Where series go.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum OutputKind {
    OpenTsdb,
    Prometheus,
}

/// An `[[output]]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    kind: Option<OutputKind>,
    url: Option<String>,
    tags: Vec<String>,
    filter: Option<String>,
    interval: Period,
    prefix: String,
    timeout: Period,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            kind: None,
            url: None,
            tags: Vec::new(),
            filter: None,
            interval: Period(Duration::from_mins(1)),
            prefix: "omphalos".to_owned(),
            timeout: Period(Duration::from_secs(10)),
        }
    }
}

/// All `[[output]]` tables.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Outputs {
    /// Each of them.
    pub output: Vec<Output>,
}

impl HasRows for Outputs {
    fn rows() -> Vec<Setting> {
        OUTPUT_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        tables.part(OUTPUT_SETTINGS)
    }
}

impl Output {
    /// Whether it is read at `/metrics`, and not written anywhere.
    pub fn is_scraped(&self) -> bool {
        self.kind == Some(OutputKind::Prometheus)
    }

    /// What it is called.
    pub fn shown(&self) -> String {
        let url = self.server().ok();
        url.map_or_else(
            || "prometheus".to_owned(),
            |url| {
                let host = url.host_str().unwrap_or_default();
                let port = url.port_or_known_default().unwrap_or(4242);
                format!("{}://{host}:{port}", url.scheme())
            },
        )
    }

    /// The server that it is written to.
    ///
    /// # Errors
    /// When there is none.
    pub fn server(&self) -> anyhow::Result<Url> {
        let text = self.url.clone().context("output.url is not set")?;
        let read = URL.read(&[text])?;
        read.into_iter().next().context("output.url is not set")
    }

    /// How long an attempt may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.0
    }

    /// How lines are counted.
    pub fn series(&self) -> SeriesSettings {
        SeriesSettings {
            tags: self.tags.iter().map(|tag| Dimension::named(tag)).collect(),
            step: self.interval.0,
            filter: self.filter.as_deref().and_then(|filter| Filter::new(filter).ok()),
            tells_parts: self.is_scraped(),
            ..SeriesSettings::default()
        }
    }

    /// The names of tags and labels: those of the fields, with `_` for what they may not have.
    pub fn tag_names(&self) -> Vec<String> {
        let names = self.tags.iter().map(|tag| Dimension::named(tag).name().to_owned());
        if self.is_scraped() {
            return names
                .map(|name| name.replace(|character: char| !character.is_ascii_alphanumeric(), "_"))
                .collect();
        }
        names.map(|name| clean(&name)).collect()
    }

    /// Names that a server would refuse, or take for one another.
    fn check_names(&self) -> Result<(), String> {
        let names = self.tag_names();
        for (at, name) in names.iter().enumerate() {
            let field = self.tags.get(at).map(String::as_str).unwrap_or_default();
            if names.iter().take(at).any(|other| other == name) {
                return Err(format!(
                    "expected fields with names of their own, found {field:?}, which is {name} as well"
                ));
            }
            if field.is_empty() {
                return Err("expected names of fields, found \"\"".to_owned());
            }
            if self.is_scraped() && (name == "quantile" || name.starts_with("__")) {
                return Err(format!(
                    "expected other fields than {field:?}: {name} is a label that Prometheus, or omphalos, has itself"
                ));
            }
        }
        Ok(())
    }

    /// The datapoints of a step and series.
    pub fn datapoints(&self, point: &SeriesPoint) -> Vec<Datapoint> {
        datapoints(&self.prefix, &self.tag_names(), point)
    }

    /// Checks that it can be used.
    ///
    /// # Errors
    /// Which setting cannot, and why.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |setting: &str, what: &str| {
            Err(ConfigError::invalid(format!("[[output]]: output.{setting}: {what}")))
        };
        let Some(kind) = self.kind else {
            return refuse("kind", "expected opentsdb or prometheus, found none");
        };
        match (kind, self.url.is_some()) {
            (OutputKind::Prometheus, false) => {}
            (OutputKind::Prometheus, true) => {
                return refuse("url", "expected none: Prometheus reads at listen");
            }
            (OutputKind::OpenTsdb, _) => {
                self.server()
                    .map_err(|error| ConfigError::invalid(format!("[[output]]: {error:#}")))?;
            }
        }
        if self.tags.is_empty() {
            let what = format!(
                "expected 1 to {MOST_TAGS} fields, such as [\"host\", \"status\"], found none"
            );
            return refuse("tags", &what);
        }
        // Two steps of one second have the same time, and the second replaces the first.
        if self.interval.0.subsec_nanos() > 0 {
            let what = format!("expected whole seconds, found {:?}", self.interval.0);
            return refuse("interval", &what);
        }
        self.check_names().or_else(|what| refuse("tags", &what))?;
        if let Some(Err(error)) = self.filter.as_deref().map(Filter::new) {
            return refuse("filter", &error.to_string());
        }
        match SeriesOf::new(self.series()) {
            Ok(_) => Ok(()),
            Err(error) => refuse("interval and tags", &error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use omphalos_common::config::{from_text, read_shown_defaults, rows_without_a_place};

    use super::*;

    #[test]
    fn tables_are_checked_and_say_what_is_wrong() {
        assert_eq!(rows_without_a_place::<Outputs>(), Vec::<&str>::new());
        let shown: Outputs = read_shown_defaults().unwrap();
        assert_eq!(shown.output, [Output::default()]);
        let check = |table: &str| {
            let read = from_text::<Outputs>(&format!("[[output]]\n{table}\n"));
            read.and_then(|read| read.output[0].check()).map_err(|error| error.to_string())
        };
        for fine in [
            "kind = \"opentsdb\"\nurl = \"http://h:4242\"\ntags = [\"host\"]",
            "kind = \"opentsdb\"\nurl = \"telnet://h\"\ntags = [\"host\", \"status\"]\ninterval = \"10s\"",
            "kind = \"prometheus\"\ntags = [\"host\"]\nfilter = \"status:500\"",
        ] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for (wrong, expected) in [
            ("tags = [\"host\"]", "output.kind: expected opentsdb or prometheus"),
            ("kind = \"graphite\"", "expected one of opentsdb, prometheus"),
            ("kind = \"opentsdb\"\ntags = [\"host\"]", "output.url is not set"),
            ("kind = \"opentsdb\"\nurl = \"ftp://h\"\ntags = [\"host\"]", "output.url"),
            ("kind = \"prometheus\"\nurl = \"http://h\"\ntags = [\"host\"]", "expected none"),
            ("kind = \"prometheus\"", "output.tags: expected 1 to 8 fields"),
            (
                "kind = \"prometheus\"\ntags = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]",
                "at most 8",
            ),
            ("kind = \"prometheus\"\ntags = [\"a\"]\ninterval = \"0s\"", "interval and tags: step"),
            (
                "kind = \"prometheus\"\ntags = [\"a\"]\ninterval = \"1500ms\"",
                "interval: expected whole seconds, found 1.5s",
            ),
            (
                "kind = \"prometheus\"\ntags = [\"a.b\", \"a_b\"]",
                "found \"a_b\", which is a_b as well",
            ),
            ("kind = \"prometheus\"\ntags = [\"quantile\"]", "expected other fields"),
            ("kind = \"prometheus\"\ntags = [\"__name__\"]", "expected other fields"),
            ("kind = \"prometheus\"\ntags = [\"\"]", "expected names of fields"),
            ("kind = \"prometheus\"\ntags = [\"a\"]\nfilter = \"a:(\"", "output.filter: "),
        ] {
            let found = check(wrong).unwrap_err();
            assert!(found.contains(expected), "{wrong}: {found}");
        }
    }
}
