//! The shipper's settings, gathered from the rooms that they are for, and those of the daemon itself.

use std::path::PathBuf;
use std::time::Duration;

use omphalos_common::config::{
    About, ConfigError, HasRows, Kind, Period, Setting, TableError, Tables,
};
use omphalos_common::heartbeat::{self, HEARTBEAT_SETTINGS};
use omphalos_common::ids::{ID_VERSION, IdKeys};
use omphalos_common::program::{ProcessSettings, process_settings};
use omphalos_common::state_dir::default_state_dir;
use omphalos_transport::amqp::{AMQP_SETTINGS, AmqpSettings};
use omphalos_transport::batch::{BATCH_SETTINGS, BatchSettings};
use omphalos_transport::udp::{UDP_SETTINGS, UdpSettings};
use serde::Deserialize;

use omphalos_parser::settings::OWN_FIELDS;

use crate::monitor::{ENGINE_SETTINGS, EngineSettings, Input, MonitorSettings, monitor_settings};

const STATE: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Text,
        "Directory of the checkpoint, which says how far each file is delivered. A user who may not write there has it in $XDG_STATE_HOME, which is ~/.local/state by default.",
    )
    .default("/var/lib/omphalos-shipper")
    .about(About::Identity),
    Setting::new("host_name", Kind::Text, "host.name in every document; the system's host name by default.")
        .about(About::Document),
    Setting::new(
        "id_key_file",
        Kind::Text,
        "Make document ids with the first key in this file; the other keys are for log files that were begun with them. One key per line (openssl rand -hex 16), or the word host for the key made from host.id, which is the default. Only its owner may read the file; it is read at the start.",
    )
    .about(About::Identity),
    // Not of an audit, which looks for ids of either version.
    Setting::new(
        "id_version",
        Kind::Integer,
        "How to make ids for lines of files that are not in the checkpoint: 2, with a key; 1, the way before there were keys, for files that were shipped that way and whose checkpoint is lost.",
    )
    .default("2"),
    Setting::new(
        "transport",
        Kind::Choice(&["amqp", "udp", "null"]),
        "Where documents go; by default udp if udp.to is set, and amqp otherwise. null sends nothing, for measuring, but its checkpoint still moves over what it threw away.",
    ),
];

const PROCESS: &[Setting] = &process_settings(
    "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9186; off by default.",
);

const STOP: &[Setting] = &[
    Setting::new(
        "stop_grace",
        Kind::Period,
        "How long to wait for confirms when told to stop; what is not confirmed by then is read again at the next start.",
    )
    .default("10s"),
];

/// All settings of the shipper, in the order of the manual.
pub fn all_settings() -> Vec<Setting> {
    let monitor = monitor_settings();
    let rooms = [
        STATE,
        PROCESS,
        ENGINE_SETTINGS,
        STOP,
        HEARTBEAT_SETTINGS,
        OWN_FIELDS,
        &monitor,
        BATCH_SETTINGS,
        AMQP_SETTINGS,
        UDP_SETTINGS,
    ];
    rooms.concat()
}

/// The roads that can be set.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// RabbitMQ.
    Amqp,
    /// Datagrams.
    Udp,
    /// Nowhere.
    Null,
}

/// The settings as they are read; see the rows for what they mean.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows say what each is")]
pub struct Settings {
    pub state_dir: PathBuf,
    pub host_name: Option<String>,
    pub id_key_file: Option<PathBuf>,
    pub id_version: u32,
    pub transport: Option<TransportKind>,
    #[serde(skip)]
    pub process: ProcessSettings,
    #[serde(skip)]
    pub engine: EngineSettings,
    pub stop_grace: Period,
    pub heartbeat_interval: Period,
    #[serde(skip)]
    pub monitor: Vec<MonitorSettings>,
    pub batch: BatchSettings,
    pub amqp: AmqpSettings,
    pub udp: UdpSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: default_state_dir("omphalos-shipper"),
            host_name: None,
            id_key_file: None,
            id_version: ID_VERSION,
            transport: None,
            process: ProcessSettings::default(),
            engine: EngineSettings::default(),
            stop_grace: Period(Duration::from_secs(10)),
            heartbeat_interval: heartbeat::USUAL_INTERVAL,
            monitor: Vec::new(),
            batch: BatchSettings::default(),
            amqp: AmqpSettings::default(),
            udp: UdpSettings::default(),
        }
    }
}

impl HasRows for Settings {
    fn rows() -> Vec<Setting> {
        all_settings()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        let own =
            [STATE, STOP, HEARTBEAT_SETTINGS, BATCH_SETTINGS, AMQP_SETTINGS, UDP_SETTINGS].concat();
        Ok(Self {
            process: tables.part(PROCESS)?,
            engine: tables.part(ENGINE_SETTINGS)?,
            monitor: MonitorSettings::read(tables)?,
            ..tables.part(&own)?
        })
    }
}

impl Settings {
    /// Checks what a type cannot express, and prepares the inputs.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn inputs(&self) -> Result<Vec<Input>, ConfigError> {
        self.batch.check()?;
        self.engine.check()?;
        heartbeat::checked_interval(self.heartbeat_interval)?;
        MonitorSettings::inputs(&self.monitor)
    }

    /// The transport that is set, or follows from `udp.to`.
    pub fn transport(&self) -> TransportKind {
        self.transport.unwrap_or(match self.udp.to.as_slice() {
            [] => TransportKind::Amqp,
            _ => TransportKind::Udp,
        })
    }

    /// What ids are made with.
    ///
    /// # Errors
    /// When the file of keys cannot be used; the message names the setting.
    pub fn id_keys(&self) -> Result<IdKeys, ConfigError> {
        let keys = match &self.id_key_file {
            Some(path) => IdKeys::open("id_key_file", path)?,
            None => IdKeys::default(),
        };
        match self.id_version {
            1 => Ok(keys.unkeyed()),
            ID_VERSION => Ok(keys),
            other => Err(ConfigError::invalid(format!(
                "id_version: expected 1 or {ID_VERSION}, found {other}"
            ))),
        }
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
        let loaded: Settings = load_shown_defaults(&all_settings(), &["/a"]).unwrap();
        let mut expected = Settings::default();
        expected.amqp.url = Some(vec!["amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()]);
        expected.monitor =
            vec![MonitorSettings { paths: vec!["/a".to_owned()], ..MonitorSettings::default() }];
        assert_eq!(loaded, expected);
    }

    #[test]
    fn every_row_has_a_place_in_a_struct() {
        assert_eq!(rows_without_a_place::<Settings>(), [""; 0]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let refused = |text: &str| {
            let settings: Settings = from_text(text).unwrap();
            settings.inputs().unwrap_err().to_string()
        };
        let with = |text: &str| refused(&format!("[[monitor]]\npaths = [\"/a\"]\n{text}"));
        assert!(refused("").starts_with("nothing to read: name files"));
        assert_eq!(
            refused("[[monitor]]\npaths = [\"\"]"),
            "monitor.paths: expected the name of a file or a pattern, found an empty text"
        );
        assert_eq!(
            with("max_line_bytes = 1"),
            "monitor.max_line_bytes: expected 256B to 16MiB, found 1 B"
        );
        assert_eq!(with("[batch]\nbytes = 1"), "batch.bytes: expected 1KiB to 64MiB, found 1 B");
        assert_eq!(
            with("[batch]\ncompression_level = 20"),
            "batch.compression_level: expected 1 to 19, found 20"
        );
        assert_eq!(with("exclude = [\"[\"]").split(':').next(), Some("monitor"));
    }
}
