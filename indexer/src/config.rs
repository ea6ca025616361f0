//! The indexer's settings, gathered from the rooms that they are for, and those of the daemon itself.

use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{
    ConfigError, HasRows, Kind, Period, Setting, Size, TableError, Tables,
};
use omphalos_common::heartbeat::{self, HEARTBEAT_SETTINGS};
use omphalos_common::program::{ProcessSettings, process_settings};
use omphalos_common::state_dir::default_state_dir;
use omphalos_transport::amqp::{AMQP_SETTINGS, AmqpSettings};
use omphalos_transport::udp::ReceiveOptions;
use serde::Deserialize;

use crate::collector::{BULK_SETTINGS, BulkSettings, INDEX_SETTINGS, IndexSettings};
use crate::elasticsearch::{ELASTICSEARCH_SETTINGS, ElasticsearchSettings, NameRules};
use crate::receive::{
    CONSUME_SETTINGS, ConsumeSettings, LIMIT_SETTINGS, Limit, RECEIVE_SETTINGS, ReceiveSettings,
};

const STATE: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Text,
        "Directory of the spool, the ledger of streams and the dead-letter file; with RabbitMQ alone, it only has the note of messages that are read again after a crash. A user who may not write there has it in $XDG_STATE_HOME, which is ~/.local/state by default.",
    )
    .default("/var/lib/omphalos-indexer"),
];

const PROCESS: &[Setting] = &process_settings(
    "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9187; off by default.",
);

const STOP: &[Setting] = &[Setting::new(
    "stop_grace",
    Kind::Period,
    "How long to go on finishing what is in flight when told to stop; the rest stays with the broker.",
)
.default("20s")];

/// The tables of the rooms.
const ROOMS: [&[Setting]; 7] = [
    CONSUME_SETTINGS,
    ELASTICSEARCH_SETTINGS,
    BULK_SETTINGS,
    INDEX_SETTINGS,
    RECEIVE_SETTINGS,
    LIMIT_SETTINGS,
    AMQP_SETTINGS,
];

/// All settings of the indexer, in the order of the manual.
pub fn all_settings() -> Vec<Setting> {
    [[STATE, PROCESS, STOP, HEARTBEAT_SETTINGS].concat(), ROOMS.concat()].concat()
}

/// The settings as they are read; see the rows for what they mean.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows say what each is")]
pub struct Settings {
    pub state_dir: PathBuf,
    #[serde(skip)]
    pub process: ProcessSettings,
    pub stop_grace: Period,
    pub heartbeat_interval: Period,
    pub consume: ConsumeSettings,
    pub elasticsearch: ElasticsearchSettings,
    pub bulk: BulkSettings,
    pub index: IndexSettings,
    pub receive: Vec<ReceiveSettings>,
    pub spool: Limit,
    pub dead_letters: Limit,
    pub amqp: AmqpSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: default_state_dir("omphalos-indexer"),
            process: ProcessSettings::default(),
            stop_grace: Period(Duration::from_secs(20)),
            heartbeat_interval: heartbeat::USUAL_INTERVAL,
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

impl HasRows for Settings {
    fn rows() -> Vec<Setting> {
        all_settings()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        let own = [[STATE, STOP, HEARTBEAT_SETTINGS].concat(), ROOMS.concat()].concat();
        Ok(Self { process: tables.part(PROCESS)?, ..tables.part(&own)? })
    }
}

impl Settings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.bulk.check()?;
        self.index.check()?;
        self.consume.check()?;
        heartbeat::checked_interval(self.heartbeat_interval)?;
        ReceiveSettings::check(&self.receive)
    }

    /// How indices are named.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn name_rules(&self) -> Result<NameRules, ConfigError> {
        self.index.name_rules(&self.consume.default_dataset)
    }

    /// Whether the queue is consumed.
    pub fn receives_amqp(&self) -> bool {
        ReceiveSettings::has_amqp(&self.receive)
    }

    /// Where datagrams are taken.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn udp_receivers(&self) -> Result<Vec<ReceiveOptions>, ConfigError> {
        ReceiveSettings::udp_of(&self.receive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::{from_text, load_shown_defaults, rows_without_a_place};

    /// Every default that the manual shows, given as a flag, must come to the defaults in code;
    /// which also shows that every row has a place in the struct.
    #[test]
    fn the_rows_say_what_the_defaults_are() {
        let loaded: Settings = load_shown_defaults(&all_settings(), &[]).unwrap();
        let receive = vec![ReceiveSettings::default()];
        let mut expected = Settings { receive, ..Settings::default() };
        expected.amqp.url = Some(vec!["amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()]);
        expected.elasticsearch.url = Some(vec!["http://127.0.0.1:9200".to_owned()]);
        assert_eq!(loaded, expected);
        loaded.check().unwrap();
    }

    #[test]
    fn every_row_has_a_place_in_a_struct() {
        assert_eq!(rows_without_a_place::<Settings>(), [""; 0]);
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
            let settings: Settings = from_text(&format!("[[receive]]\n{text}")).unwrap();
            assert_eq!(settings.udp_receivers().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (text, expected) in [
            ("[bulk]\nbytes = 1", "bulk.bytes: expected 16KiB to 100MiB, found 1 B"),
            ("[bulk]\nconcurrency = 65", "bulk.concurrency: expected 1 to 64, found 65"),
            ("[index]\nshards = 0", "index.shards: expected at least 1, found 0"),
            (
                "[index]\nforeign_datasets = [\"a\", \"b[\"]",
                "index.foreign_datasets: expected names of datasets, perhaps with * and ?, found \"b[\": invalid range pattern",
            ),
        ] {
            let settings: Settings = from_text(text).unwrap();
            assert_eq!(settings.check().unwrap_err().to_string(), expected);
        }
        let settings: Settings = from_text("[index]\nprefix = \"Logs*\"").unwrap();
        assert!(settings.check().unwrap_err().to_string().starts_with("index.prefix: expected"));
    }
}
