//! The `[setup]` table: what `omphalos setup` makes beside the index template.

use std::time::Duration;

use omphalos_common::config::{
    ConfigError, HasRows, Kind, Period, ServerUrl, Setting, TableError, Tables,
};
use omphalos_common::event::is_clean_name;
use omphalos_indexer::elasticsearch::IndexPeriod;
use serde::Deserialize;
use url::Url;

/// The rows of the `[setup]` table.
pub const SETUP_SETTINGS: &[Setting] = &[
    Setting::new(
        "setup.retention",
        Kind::Period,
        "Delete an index when its youngest line is older than this, such as 90d; kept for ever if not set. Outliers are kept in any case.",
    )
    .alias("retention"),
    Setting::new(
        "setup.kibana_url",
        Kind::Text,
        "Kibana's URL, with its base path if it has one. Whoever logs in there is who logs in to Elasticsearch, unless the URL has user and password. Everybody sees flags (ps): use the file of settings, or the variable.",
    )
    .alias("kibana-url"),
    Setting::new(
        "setup.kibana_space",
        Kind::Text,
        "The space of Kibana that the dashboards are for, by its name in URLs; the default space if not set.",
    )
    .alias("kibana-space"),
];

/// The `[setup]` table, as it is read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct SetupSettings {
    pub retention: Option<Period>,
    pub kibana_url: Option<String>,
    pub kibana_space: Option<String>,
}

impl HasRows for SetupSettings {
    fn rows() -> Vec<Setting> {
        SETUP_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        #[derive(Deserialize)]
        struct Of {
            setup: Option<SetupSettings>,
        }
        let Of { setup } = tables.part(SETUP_SETTINGS)?;
        Ok(setup.unwrap_or_default())
    }
}

const DAY: Duration = Duration::from_hours(24);

const URL: ServerUrl = ServerUrl {
    key: "setup.kibana_url",
    schemes: &["http", "https"],
    example: "http://HOST:5601 or https://…",
    instead_of_query: Some("leave it out; Kibana's base path is enough"),
};

impl SetupSettings {
    /// How many days lines are kept; `None` for ever.
    ///
    /// # Errors
    /// When indices of this period cannot be deleted by their age, or the time is too short.
    pub fn days(&self, period: IndexPeriod) -> Result<Option<u64>, ConfigError> {
        let Some(Period(retention)) = self.retention else { return Ok(None) };
        if retention < DAY {
            return Err(ConfigError::invalid(format!(
                "setup.retention: expected a day or more, such as 90d, found {retention:?}"
            )));
        }
        if period == IndexPeriod::None {
            return Err(ConfigError::invalid(
                "setup.retention: with index.period = \"none\" there is one index for all time, and what is deleted is whole indices; choose a period of a day, a week or a month",
            ));
        }
        Ok(Some(retention.as_secs().div_ceil(DAY.as_secs())))
    }

    /// Where Kibana is, and the path of its API in the space.
    ///
    /// # Errors
    /// When the URL or the name of the space cannot be used.
    pub fn kibana(&self) -> Result<Option<(Url, String)>, ConfigError> {
        let Some(url) = &self.kibana_url else {
            return match &self.kibana_space {
                None => Ok(None),
                Some(_) => Err(ConfigError::invalid(
                    "setup.kibana_space: in which Kibana? Name it with setup.kibana_url",
                )),
            };
        };
        let space = match self.kibana_space.as_deref() {
            None | Some("default") => String::new(),
            Some(space) if is_clean_name(space) => format!("s/{space}/"),
            Some(space) => {
                return Err(ConfigError::invalid(format!(
                    "setup.kibana_space: expected lower-case letters, digits, _ and -, as in the URLs of Kibana, found {space:?}"
                )));
            }
        };
        let mut urls = URL.read(std::slice::from_ref(url))?;
        Ok(urls.pop().map(|url| (url, space)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::{from_text, load_shown_defaults, rows_without_a_place};

    #[test]
    fn every_row_has_a_place_and_its_default() {
        assert_eq!(rows_without_a_place::<SetupSettings>(), [""; 0]);
        let loaded: SetupSettings = load_shown_defaults(SETUP_SETTINGS, &[]).unwrap();
        assert_eq!(loaded, SetupSettings::default());
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let read = |text: &str| from_text::<SetupSettings>(&format!("[setup]\n{text}")).unwrap();
        let days = |text: &str, period| read(text).days(period).map_err(|error| error.to_string());
        assert_eq!(days("", IndexPeriod::None), Ok(None));
        assert_eq!(days("retention = \"36h\"", IndexPeriod::Day), Ok(Some(2)));
        let error = days("retention = \"90d\"", IndexPeriod::None).unwrap_err();
        assert!(error.contains("index.period = \"none\""), "{error}");
        let error = days("retention = \"23h\"", IndexPeriod::Day).unwrap_err();
        assert!(error.starts_with("setup.retention: expected a day or more"), "{error}");
        for (text, expected) in [
            ("kibana_url = \"kibana:5601\"", "setup.kibana_url: expected http://HOST:5601"),
            ("kibana_space = \"ops\"", "setup.kibana_space: in which Kibana?"),
            (
                "kibana_url = \"http://k:5601\"\nkibana_space = \"../x\"",
                "setup.kibana_space: expected lower-case letters",
            ),
        ] {
            let error = read(text).kibana().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let there = read("kibana_url = \"http://k:5601/base\"\nkibana_space = \"ops\"");
        let (url, space) = there.kibana().unwrap().unwrap();
        assert_eq!((url.path(), space.as_str()), ("/base", "s/ops/"));
    }
}
