//! The settings of `omphalos run`: the tables of the shipper and of the indexer in one file, and one
//! for the embedded store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{HasRows, Kind, Period, Setting, Size};
use omphalos_common::program::{OfProcess, ProcessSettings};
use omphalos_common::telemetry::LogFormat;
use omphalos_indexer::config::{
    self as indexer, BulkSettings, ConsumeSettings, ElasticsearchSettings, IndexSettings, Limit,
    ReceiveSettings,
};
use omphalos_shipper::config::{self as shipper, MonitorSettings};
use omphalos_shipper::monitor::WatchMode;
use omphalos_transport::amqp::{AMQP_SETTINGS, AmqpSettings};
use omphalos_transport::batch::BatchSettings;
use omphalos_transport::udp::UdpSettings;
use serde::Deserialize;

/// Settings that both daemons have, said once for the process.
const PROCESS_SETTINGS: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Text,
        "Directory of everything that must survive a restart: the checkpoint, the embedded store, dead letters, and what came over UDP.",
    )
    .default("/var/lib/omphalos"),
    Setting::new(
        "listen",
        Kind::Text,
        "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9188; off by default.",
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
        "How long to go on finishing what is in flight when told to stop; the rest is read again at the next start.",
    )
    .default("10s"),
];

const STORE_SETTINGS: &[Setting] = &[
    Setting::new(
        "store.directory",
        Kind::Text,
        "Directory of the embedded store; by default, the directory store in state_dir.",
    ),
    Setting::new(
        "store.listen",
        Kind::Text,
        "Address at which the store speaks Elasticsearch's HTTP API. It asks for no password: leave it on this machine.",
    )
    .default("127.0.0.1:9200"),
    Setting::new(
        "store.max_age",
        Kind::Period,
        "Delete indices whose youngest document is older than this, such as 720h (30 days); kept for ever by default.",
    ),
    Setting::new(
        "store.max_bytes",
        Kind::Size,
        "Delete the oldest indices while all together are larger than this; no limit by default.",
    ),
];

/// All settings of `omphalos run`, in the order of the manual.
pub fn all_settings() -> Vec<Setting> {
    let is_told = |row: &Setting| {
        row.key == "transport" || PROCESS_SETTINGS.iter().any(|own| own.key == row.key)
    };
    let is_in = |tables: &[&str], row: &Setting| {
        tables.contains(&row.key.split_once('.').map_or("", |(table, _)| table))
    };
    let shipper = shipper::all_settings();
    let indexer = indexer::all_settings();
    let mut rows = PROCESS_SETTINGS.to_vec();
    let shipping = ["", "monitor", "batch", "udp"];
    rows.extend(shipper.iter().filter(|row| !is_told(row) && is_in(&shipping, row)));
    rows.extend(AMQP_SETTINGS.iter().map(|row| match row.key {
        "amqp.url" => row.default("").help(
            "Broker URLs, tried in turn. If set, documents go through RabbitMQ instead of straight to the indexer.",
        ),
        _ => *row,
    }));
    let indexing =
        ["receive", "spool", "dead_letters", "consume", "elasticsearch", "bulk", "index"];
    let own = indexer.iter().filter(|row| !is_told(row) && is_in(&indexing, row));
    rows.extend(own.map(|row| match row.key {
        "elasticsearch.url" => row.default("").help(
            "Elasticsearch or OpenSearch URLs, used in turn. If set, documents go there instead of into the embedded store.",
        ),
        // --udp is where the shipper sends to.
        "receive.listen" => row.without_alias(),
        _ => *row,
    }));
    rows.extend(STORE_SETTINGS);
    rows
}

/// The settings as they are read; see the rows for what they mean.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub state_dir: PathBuf,
    pub host_name: Option<String>,
    pub id_key_file: Option<PathBuf>,
    pub id_version: u32,
    pub listen: Option<SocketAddr>,
    pub log_level: String,
    pub log_format: LogFormat,
    pub watch: WatchMode,
    pub poll_interval: Period,
    pub rescan_interval: Period,
    pub max_open_files: u32,
    pub max_deleted_bytes: Size,
    pub checkpoint_interval: Period,
    pub stop_grace: Period,
    pub monitor: Vec<MonitorSettings>,
    pub batch: BatchSettings,
    pub amqp: AmqpSettings,
    pub udp: UdpSettings,
    pub consume: ConsumeSettings,
    pub elasticsearch: ElasticsearchSettings,
    pub bulk: BulkSettings,
    pub index: IndexSettings,
    pub receive: Vec<ReceiveSettings>,
    pub spool: Limit,
    pub dead_letters: Limit,
    /// Its being there asks for the store, even where nothing else does.
    pub store: Option<StoreSettings>,
}

/// The `[store]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    pub directory: Option<PathBuf>,
    pub listen: SocketAddr,
    pub max_age: Option<Period>,
    pub max_bytes: Option<Size>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 9200));
        Self { directory: None, listen, max_age: None, max_bytes: None }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let shipper = shipper::Settings::default();
        let indexer = indexer::Settings::default();
        Self {
            state_dir: PathBuf::from("/var/lib/omphalos"),
            host_name: shipper.host_name,
            id_key_file: shipper.id_key_file,
            id_version: shipper.id_version,
            listen: None,
            log_level: shipper.log_level,
            log_format: shipper.log_format,
            watch: shipper.watch,
            poll_interval: shipper.poll_interval,
            rescan_interval: shipper.rescan_interval,
            max_open_files: shipper.max_open_files,
            max_deleted_bytes: shipper.max_deleted_bytes,
            checkpoint_interval: shipper.checkpoint_interval,
            stop_grace: Period(Duration::from_secs(10)),
            monitor: shipper.monitor,
            batch: shipper.batch,
            amqp: shipper.amqp,
            udp: shipper.udp,
            consume: indexer.consume,
            elasticsearch: indexer.elasticsearch,
            bulk: indexer.bulk,
            index: indexer.index,
            receive: indexer.receive,
            spool: indexer.spool,
            dead_letters: indexer.dead_letters,
            store: None,
        }
    }
}

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
    /// The shipper's part.
    pub fn shipper(&self) -> shipper::Settings {
        shipper::Settings {
            state_dir: self.state_dir.clone(),
            host_name: self.host_name.clone(),
            id_key_file: self.id_key_file.clone(),
            id_version: self.id_version,
            watch: self.watch,
            poll_interval: self.poll_interval,
            rescan_interval: self.rescan_interval,
            max_open_files: self.max_open_files,
            max_deleted_bytes: self.max_deleted_bytes,
            checkpoint_interval: self.checkpoint_interval,
            stop_grace: self.stop_grace,
            monitor: self.monitor.clone(),
            batch: self.batch.clone(),
            amqp: self.amqp.clone(),
            udp: self.udp.clone(),
            ..shipper::Settings::default()
        }
    }

    /// The indexer's part.
    pub fn indexer(&self) -> indexer::Settings {
        indexer::Settings {
            state_dir: self.state_dir.clone(),
            stop_grace: self.stop_grace,
            consume: self.consume.clone(),
            elasticsearch: self.elasticsearch.clone(),
            bulk: self.bulk.clone(),
            index: self.index.clone(),
            receive: self.receive.clone(),
            spool: self.spool,
            dead_letters: self.dead_letters,
            amqp: self.amqp.clone(),
            ..indexer::Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::{KNOWN_TO, load_shown_defaults};
    use std::collections::BTreeSet;

    /// Every default that the manual shows, given as a flag, must come to the defaults in code;
    /// which also shows that every row has a place in the struct.
    #[test]
    fn the_rows_say_what_the_defaults_are() {
        let loaded: Settings = load_shown_defaults(&all_settings(), &["/a"]).unwrap();
        let monitor =
            MonitorSettings { paths: vec!["/a".to_owned()], ..MonitorSettings::default() };
        let expected = Settings {
            monitor: vec![monitor],
            receive: vec![ReceiveSettings::default()],
            store: Some(StoreSettings::default()),
            ..Settings::default()
        };
        assert_eq!(loaded, expected);
    }

    #[test]
    fn the_list_of_what_any_program_knows_is_all_that_the_programs_know() {
        let rows = [shipper::all_settings(), indexer::all_settings(), all_settings()].concat();
        let known: BTreeSet<&str> = rows.iter().map(Setting::top).collect();
        let listed: BTreeSet<&str> = KNOWN_TO.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, known);
        let knows = |rows: Vec<Setting>, name: &str| rows.iter().any(|row| row.top() == name);
        for (name, program) in KNOWN_TO {
            let of_shipper = knows(shipper::all_settings(), name);
            let of_indexer = knows(indexer::all_settings(), name);
            let expected = match (of_shipper, of_indexer) {
                (true, true) => "all",
                (true, false) => "omphalos-shipper",
                (false, true) => "omphalos-indexer",
                (false, false) => "omphalos run",
            };
            assert_eq!(*program, expected, "{name}");
        }
    }

    #[test]
    fn every_setting_of_the_daemons_is_one_of_the_process() {
        let own = all_settings();
        for row in [shipper::all_settings(), indexer::all_settings()].concat() {
            let is_there = own.iter().any(|setting| setting.key == row.key);
            assert!(is_there || row.key == "transport", "{}", row.key);
        }
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
}
