//! The indexer's settings: the rows of their table, and the form they are read in.

mod receive;

pub use receive::{Limit, ReceiveKind, ReceiveSettings};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{ConfigError, HasRows, Kind, Period, Setting, Size};
use omphalos_common::event::is_clean_name;
use omphalos_common::program::{OfProcess, ProcessSettings};
use omphalos_common::telemetry::LogFormat;
use omphalos_transport::amqp::{AMQP_SETTINGS, AmqpSettings};
use omphalos_transport::udp::ReceiveOptions;
use serde::Deserialize;

use crate::elasticsearch::{IndexPeriod, NameRules};

const OWN_SETTINGS: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Text,
        "Directory of the spool, the ledger of streams and the dead-letter file; used only when something is received over UDP.",
    )
    .default("/var/lib/omphalos-indexer"),
    Setting::new(
        "listen",
        Kind::Text,
        "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9187; off by default.",
    ),
    Setting::new(
        "log_level",
        Kind::Text,
        "error, warn, info, debug or trace, or tracing-subscriber EnvFilter directives.",
    )
    .default("info"),
    Setting::new("log_format", Kind::Choice(&["human", "json"]), "Format of this program's log.")
        .default("human"),
    Setting::new(
        "stop_grace",
        Kind::Period,
        "How long to go on finishing what is in flight when told to stop; the rest stays with the broker.",
    )
    .default("20s"),
    Setting::new(
        "consume.consumer_timeout",
        Kind::Period,
        "The broker's consumer_timeout. When Elasticsearch has been away for a third of it, deliveries are handed back, because the broker would otherwise close the channel.",
    )
    .default("30m"),
    Setting::new(
        "consume.default_dataset",
        Kind::Text,
        "Dataset of documents from other producers that have no event.dataset.",
    )
    .default("external"),
    Setting::new("elasticsearch.url", Kind::List, "Elasticsearch or OpenSearch URLs, used in turn.")
        .default("http://127.0.0.1:9200")
        .alias("elasticsearch"),
    Setting::new("elasticsearch.user", Kind::Text, "User name."),
    Setting::new("elasticsearch.password", Kind::Text, "Password of that user."),
    Setting::new("elasticsearch.password_file", Kind::Text, "Read the password from this file instead."),
    Setting::new("elasticsearch.api_key", Kind::Text, "Encoded API key, instead of user and password."),
    Setting::new("elasticsearch.api_key_file", Kind::Text, "Read the API key from this file instead."),
    Setting::new(
        "elasticsearch.ca_file",
        Kind::Text,
        "PEM file with a certificate authority to trust for https, in addition to the usual ones.",
    ),
    Setting::new("elasticsearch.request_timeout", Kind::Period, "How long a request may take before it is given up and sent again.")
        .default("30s"),
    Setting::new("bulk.bytes", Kind::Size, "A bulk is sent when it has this many bytes.").default("5MiB"),
    Setting::new("bulk.documents", Kind::Integer, "A bulk is sent when it has this many documents.")
        .default("10000"),
    Setting::new("bulk.flush_interval", Kind::Period, "A bulk is sent at the latest this long after its first document.")
        .default("100ms"),
    Setting::new("bulk.concurrency", Kind::Integer, "At most this many bulks are in flight; fewer while the cluster is busy.")
        .default("4"),
    Setting::new("bulk.gzip", Kind::Switch, "Compress requests, for slow networks.").default("false"),
    Setting::new("index.prefix", Kind::Text, "Indices are named PREFIX-DATASET-DATE.").default("omphalos"),
    Setting::new(
        "index.period",
        Kind::Choice(&["day", "week", "month", "none"]),
        "How much event time one index covers. After a change, an old line that is sent again is indexed once more, in the new index.",
    )
    .default("day"),
    Setting::new(
        "index.outlier_past_days",
        Kind::Integer,
        "Documents older than this many days go to PREFIX-DATASET-outlier, so that wrong dates do not create thousands of indices.",
    )
    .default("400"),
    Setting::new("index.outlier_future_days", Kind::Integer, "So do documents dated more than this many days ahead.")
        .default("1"),
    Setting::new("index.template", Kind::Switch, "Install the index template with the ECS mapping.")
        .default("true"),
    Setting::new("index.shards", Kind::Integer, "Primary shards of each new index.").default("1"),
    Setting::new("index.replicas", Kind::Integer, "Replicas of each new index; the cluster's default if not set."),
];

/// All settings of the indexer.
pub fn all_settings() -> Vec<Setting> {
    [OWN_SETTINGS, receive::RECEIVE_SETTINGS, AMQP_SETTINGS].concat()
}

/// The settings as they are read; see the rows for what they mean.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct Settings {
    pub state_dir: PathBuf,
    pub listen: Option<SocketAddr>,
    pub log_level: String,
    pub log_format: LogFormat,
    pub stop_grace: Period,
    pub consume: ConsumeSettings,
    pub elasticsearch: ElasticsearchSettings,
    pub bulk: BulkSettings,
    pub index: IndexSettings,
    pub receive: Vec<ReceiveSettings>,
    pub spool: Limit,
    pub dead_letters: Limit,
    pub amqp: AmqpSettings,
}

/// The `[consume]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct ConsumeSettings {
    pub consumer_timeout: Period,
    pub default_dataset: String,
}

/// The `[elasticsearch]` table.
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

/// The `[bulk]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct BulkSettings {
    pub bytes: Size,
    pub documents: u32,
    pub flush_interval: Period,
    pub concurrency: u32,
    pub gzip: bool,
}

/// The `[index]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct IndexSettings {
    pub prefix: String,
    pub period: IndexPeriod,
    pub outlier_past_days: u32,
    pub outlier_future_days: u32,
    pub template: bool,
    pub shards: u32,
    pub replicas: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/omphalos-indexer"),
            listen: None,
            log_level: "info".to_owned(),
            log_format: LogFormat::Human,
            stop_grace: Period(Duration::from_secs(20)),
            consume: ConsumeSettings::default(),
            elasticsearch: ElasticsearchSettings::default(),
            bulk: BulkSettings::default(),
            index: IndexSettings::default(),
            receive: Vec::new(),
            spool: Limit { max_bytes: Size(1024 * 1024 * 1024) },
            dead_letters: Limit { max_bytes: Size(256 * 1024 * 1024) },
            amqp: AmqpSettings::default(),
        }
    }
}

impl Default for ConsumeSettings {
    fn default() -> Self {
        Self {
            consumer_timeout: Period(Duration::from_mins(30)),
            default_dataset: "external".to_owned(),
        }
    }
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

impl ElasticsearchSettings {
    /// The URLs: those that are set, or else this machine's.
    pub fn urls(&self) -> Vec<String> {
        self.url.clone().unwrap_or_else(|| vec![DEFAULT_URL.to_owned()])
    }
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            bytes: Size(5 * 1024 * 1024),
            documents: 10_000,
            flush_interval: Period(Duration::from_millis(100)),
            concurrency: 4,
            gzip: false,
        }
    }
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self {
            prefix: "omphalos".to_owned(),
            period: IndexPeriod::Day,
            outlier_past_days: 400,
            outlier_future_days: 1,
            template: true,
            shards: 1,
            replicas: None,
        }
    }
}

const BULK_BYTES: std::ops::RangeInclusive<u64> = 16 * 1024..=100 * 1024 * 1024;

impl HasRows for Settings {
    fn rows() -> Vec<Setting> {
        all_settings()
    }
}

impl OfProcess for Settings {
    fn process(&self) -> ProcessSettings<'_> {
        ProcessSettings {
            listen: self.listen,
            log_level: &self.log_level,
            log_format: self.log_format,
        }
    }
}

impl Settings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |text: String| Err(ConfigError::invalid(text));
        if !BULK_BYTES.contains(&self.bulk.bytes.0) {
            return refuse(format!(
                "bulk.bytes: expected 16KiB to 100MiB, found {}",
                self.bulk.bytes
            ));
        }
        if self.bulk.documents == 0 || self.bulk.concurrency == 0 {
            return refuse(
                "bulk.documents and bulk.concurrency: expected at least 1, found 0".to_owned(),
            );
        }
        if !(1..=64).contains(&self.bulk.concurrency) {
            return refuse(format!(
                "bulk.concurrency: expected 1 to 64, found {}",
                self.bulk.concurrency
            ));
        }
        for (key, name) in [
            ("index.prefix", &self.index.prefix),
            ("consume.default_dataset", &self.consume.default_dataset),
        ] {
            if !is_clean_name(name) {
                return refuse(format!(
                    "{key}: expected lower-case letters, digits, _ and -, beginning with a letter or digit, found {name:?}"
                ));
            }
        }
        let queues = self.receive.iter().filter(|receive| receive.kind() == ReceiveKind::Amqp);
        if queues.count() > 1 {
            return refuse(
                "receive: expected at most one table of kind amqp, found several".to_owned(),
            );
        }
        if self.index.shards == 0 {
            return refuse("index.shards: expected at least 1, found 0".to_owned());
        }
        Ok(())
    }

    /// Whether the queue is consumed.
    pub fn receives_amqp(&self) -> bool {
        self.receive.is_empty()
            || self.receive.iter().any(|receive| receive.kind() == ReceiveKind::Amqp)
    }

    /// Where datagrams are taken.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn udp_receivers(&self) -> Result<Vec<ReceiveOptions>, ConfigError> {
        let options: Result<Vec<Option<ReceiveOptions>>, ConfigError> =
            self.receive.iter().map(ReceiveSettings::udp).collect();
        Ok(options?.into_iter().flatten().collect())
    }

    /// How indices are named.
    pub fn name_rules(&self) -> NameRules {
        NameRules {
            prefix: self.index.prefix.clone(),
            period: self.index.period,
            past_days: self.index.outlier_past_days,
            future_days: self.index.outlier_future_days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::load_shown_defaults;

    /// Every default that the manual shows, given as a flag, must come to the defaults in code;
    /// which also shows that every row has a place in the struct.
    #[test]
    fn the_rows_say_what_the_defaults_are() {
        let loaded: Settings = load_shown_defaults(&all_settings(), &[]).unwrap();
        let receive = vec![ReceiveSettings::default()];
        let mut expected = Settings { receive, ..Settings::default() };
        expected.amqp.url = Some(vec!["amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()]);
        expected.elasticsearch.url = Some(expected.elasticsearch.urls());
        assert_eq!(loaded, expected);
        loaded.check().unwrap();
    }

    #[test]
    fn every_row_has_a_place_in_the_struct() {
        for setting in all_settings() {
            let (table, key) = setting.key.split_once('.').unwrap_or(("", setting.key));
            let header = match (table, setting.is_repeated()) {
                ("", _) => String::new(),
                (table, true) => format!("[[{table}]]\n"),
                (table, false) => format!("[{table}]\n"),
            };
            let error = toml::from_str::<Settings>(&format!("{header}{key} = {{}}\n")).unwrap_err();
            assert!(!error.message().contains("unknown field"), "{}: {error}", setting.key);
        }
    }

    #[test]
    fn a_table_of_the_wrong_kind_is_refused_by_name() {
        for (text, expected) in [
            (
                "kind = \"udp\"",
                "receive.listen: expected an address for kind = \"udp\", such as 127.0.0.1:5140, found none",
            ),
            (
                "kind = \"amqp\"\nlisten = \"127.0.0.1:1\"",
                "receive.listen is for kind = \"udp\"; the address of the broker is amqp.url",
            ),
            ("listen = \"127.0.0.1:1\"\nworkers = 0", "receive.workers: expected 1 to 64, found 0"),
            (
                "listen = \"127.0.0.1:1\"\nbuffer = 1",
                "receive.buffer: expected 64KiB to 1GiB, found 1 B",
            ),
        ] {
            let settings: Settings = toml::from_str(&format!("[[receive]]\n{text}")).unwrap();
            assert_eq!(settings.udp_receivers().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (text, expected) in [
            ("[bulk]\nbytes = 1", "bulk.bytes: expected 16KiB to 100MiB, found 1 B"),
            ("[bulk]\nconcurrency = 65", "bulk.concurrency: expected 1 to 64, found 65"),
            ("[index]\nshards = 0", "index.shards: expected at least 1, found 0"),
        ] {
            let settings: Settings = toml::from_str(text).unwrap();
            assert_eq!(settings.check().unwrap_err().to_string(), expected);
        }
        let settings: Settings = toml::from_str("[index]\nprefix = \"Logs*\"").unwrap();
        assert!(settings.check().unwrap_err().to_string().starts_with("index.prefix: expected"));
    }
}
