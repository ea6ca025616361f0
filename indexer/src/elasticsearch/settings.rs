//! The `[elasticsearch]` table: where the cluster is, and how to get in.

use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{
    About, ConfigError, Kind, Period, ServerUrl, Setting, without_credentials,
};
use serde::Deserialize;
use url::Url;

/// A row of the `[elasticsearch]` table.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).about(About::Place)
}

/// The two ways to get in: by a user, or by a key. One that is given later takes the place of the other.
const USERS: [&str; 3] =
    ["elasticsearch.user", "elasticsearch.password", "elasticsearch.password_file"];
const KEYS: [&str; 2] = ["elasticsearch.api_key", "elasticsearch.api_key_file"];
/// What an URL with a password in it says by itself, where it is given later.
const CREDENTIALS: [&str; 5] = [USERS[0], USERS[1], USERS[2], KEYS[0], KEYS[1]];

/// The rows of the `[elasticsearch]` table.
pub const ELASTICSEARCH_SETTINGS: &[Setting] = &[
    row("elasticsearch.url", Kind::List, "Elasticsearch or OpenSearch URLs, used in turn. Everybody sees flags (ps): give a password by password_file, or the variable.")
        .default("http://127.0.0.1:9200")
        .alias("elasticsearch")
        .carries(&CREDENTIALS),
    row("elasticsearch.user", Kind::Text, "User name.").replaces(&KEYS),
    row("elasticsearch.password", Kind::Text, "Password of that user. Everybody sees flags (ps): use password_file, or the variable.").replaces(&KEYS),
    row("elasticsearch.password_file", Kind::Text, "Read the password from this file instead.")
        .replaces(&KEYS),
    row("elasticsearch.api_key", Kind::Text, "Encoded API key, instead of user and password. Everybody sees flags (ps): use api_key_file, or the variable.")
        .replaces(&USERS),
    row("elasticsearch.api_key_file", Kind::Text, "Read the API key from this file instead.")
        .replaces(&USERS),
    row(
        "elasticsearch.ca_file",
        Kind::Text,
        "PEM file with a certificate authority to trust for https, in addition to the usual ones.",
    ),
    row(
        "elasticsearch.request_timeout",
        Kind::Period,
        "How long a request may take before it is given up and sent again.",
    )
    .default("30s"),
];

/// The `[elasticsearch]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct ElasticsearchSettings {
    pub url: Option<Vec<String>>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<PathBuf>,
    pub api_key: Option<String>,
    pub api_key_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub request_timeout: Period,
}

impl Default for ElasticsearchSettings {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password: None,
            password_file: None,
            api_key: None,
            api_key_file: None,
            ca_file: None,
            request_timeout: Period(Duration::from_secs(30)),
        }
    }
}

const DEFAULT_URL: &str = "http://127.0.0.1:9200";

const URL: ServerUrl = ServerUrl {
    key: "elasticsearch.url",
    schemes: &["http", "https"],
    example: "http://HOST:9200 or https://…",
    instead_of_query: Some("give a key with elasticsearch.api_key or elasticsearch.api_key_file"),
};

impl ElasticsearchSettings {
    /// The URLs: those that are set, or else this machine's.
    ///
    /// # Errors
    /// When one cannot be read, or may be read in two ways.
    pub fn urls(&self) -> Result<Vec<Url>, ConfigError> {
        match &self.url {
            Some(urls) => URL.read(urls),
            None => URL.read(&[DEFAULT_URL.to_owned()]),
        }
    }

    /// The servers' addresses without passwords, for people.
    ///
    /// # Errors
    /// Those of [`Self::urls`].
    pub fn shown(&self) -> Result<String, ConfigError> {
        let urls = self.urls()?;
        let shown = urls.iter().map(|url| without_credentials(url.as_str()));
        let shown = shown.map(|url| url.trim_end_matches('/').to_owned());
        Ok(shown.collect::<Vec<_>>().join(", "))
    }
}
