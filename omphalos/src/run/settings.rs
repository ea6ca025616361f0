//! The settings of `omphalos run`: the tables of the shipper and of the indexer in one file, and one
//! for the embedded store.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omphalos_common::config::{
    About, HasRows, Kind, Period, Setting, Size, TableError, Tables, to_listen,
};
use omphalos_common::heartbeat::HEARTBEAT_SETTINGS;
use omphalos_common::program::{ProcessSettings, process_settings};
use omphalos_common::state_dir::default_state_dir;
use omphalos_indexer::config as indexer;
use omphalos_shipper::config as shipper;
use omphalos_transport::amqp::AMQP_SETTINGS;
use serde::Deserialize;

use crate::page::{PAGE_SETTINGS, PageSettings};

const STATE: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Text,
        "Directory of everything that must survive a restart: the checkpoint, the embedded store, dead letters, and what came over UDP. A user who may not write there has it in $XDG_STATE_HOME, which is ~/.local/state by default.",
    )
    .default("/var/lib/omphalos"),
];

const PROCESS: &[Setting] = &process_settings(
    "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9188; off by default.",
);

const STOP: &[Setting] = &[
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
    .default("127.0.0.1:9200")
    .about(About::Place),
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
    let own = [STATE, PROCESS, STOP, HEARTBEAT_SETTINGS].concat();
    let is_told = |row: &Setting| {
        row.key == "transport" || own.iter().any(|own| own.key == row.key) || row.top() == "amqp"
    };
    let (shipper, indexer) = (shipper::all_settings(), indexer::all_settings());
    let mut rows = own.clone();
    rows.extend(shipper.iter().filter(|row| !is_told(row)));
    rows.extend(AMQP_SETTINGS.iter().map(|row| match row.key {
        "amqp.url" => row.default("").help(
            "Broker URLs, tried in turn. If set, documents go through RabbitMQ instead of straight to the indexer. Everybody sees flags (ps): give a password by url_file, or the variable.",
        ),
        _ => *row,
    }));
    rows.extend(indexer.iter().filter(|row| !is_told(row)).map(|row| match row.key {
        "elasticsearch.url" => row.default("").help(
            "Elasticsearch or OpenSearch URLs, used in turn. If set, documents go there instead of into the embedded store. Everybody sees flags (ps): give a password by password_file, or the variable.",
        ),
        // --udp is where the shipper sends to.
        "receive.listen" => row.without_alias(),
        _ => *row,
    }));
    rows.extend(STORE_SETTINGS);
    rows.extend(PAGE_SETTINGS);
    rows
}

/// The settings of the daemons, and of the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What both daemons know is the same in both.
    pub shipper: shipper::Settings,
    /// Likewise.
    pub indexer: indexer::Settings,
    /// Its being there asks for the store, even where nothing else does.
    pub store: Option<StoreSettings>,
    /// Where the page is.
    pub page: PageSettings,
}

/// The `[store]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows say what each is")]
pub struct StoreSettings {
    pub directory: Option<PathBuf>,
    #[serde(deserialize_with = "to_listen")]
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

/// What the process has other defaults for than the daemons.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OwnDefaults {
    state_dir: PathBuf,
    stop_grace: Period,
}

impl Default for OwnDefaults {
    fn default() -> Self {
        let stop_grace = Period(Duration::from_secs(10));
        Self { state_dir: default_state_dir("omphalos"), stop_grace }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let (shipper, indexer) = (shipper::Settings::default(), indexer::Settings::default());
        Self { shipper, indexer, store: None, page: PageSettings::default() }
            .with(OwnDefaults::default())
    }
}

impl HasRows for StoreSettings {
    fn rows() -> Vec<Setting> {
        STORE_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        #[derive(Deserialize)]
        struct Of {
            store: Option<StoreSettings>,
        }
        let Of { store } = tables.part(STORE_SETTINGS)?;
        Ok(store.unwrap_or_default())
    }
}

impl HasRows for Settings {
    fn rows() -> Vec<Setting> {
        all_settings()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        #[derive(Deserialize)]
        struct Of {
            store: Option<StoreSettings>,
        }
        let Of { store } = tables.part(STORE_SETTINGS)?;
        let (shipper, (indexer, page)) = HasRows::read(tables)?;
        Ok(Self { shipper, indexer, store, page }.with(tables.part(&[STATE, STOP].concat())?))
    }
}

impl Settings {
    fn with(mut self, own: OwnDefaults) -> Self {
        (self.shipper.stop_grace, self.indexer.stop_grace) = (own.stop_grace, own.stop_grace);
        self.set_state_dir(own.state_dir);
        self
    }

    /// The `[store]` table, or what it is without one.
    pub fn store(&self) -> StoreSettings {
        self.store.clone().unwrap_or_default()
    }

    /// Where all is remembered.
    pub fn state_dir(&self) -> &Path {
        &self.shipper.state_dir
    }

    /// Remembers all elsewhere.
    pub fn set_state_dir(&mut self, directory: PathBuf) {
        self.indexer.state_dir.clone_from(&directory);
        self.shipper.state_dir = directory;
    }

    /// What is set of the process itself.
    pub fn process(&self) -> &ProcessSettings {
        &self.shipper.process
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::{
        KNOWN_TO, from_text, load_shown_defaults, rows_without_a_place, unclear_refusals,
    };
    use omphalos_indexer::receive::ReceiveSettings;
    use omphalos_shipper::monitor::MonitorSettings;
    use std::collections::BTreeSet;

    /// Every default that the manual shows, given as a flag, must come to the defaults in code;
    /// which also shows that every row has a place in the struct.
    #[test]
    fn the_rows_say_what_the_defaults_are() {
        let loaded: Settings = load_shown_defaults(&all_settings(), &["/a"]).unwrap();
        let mut expected =
            Settings { store: Some(StoreSettings::default()), ..Settings::default() };
        expected.shipper.monitor =
            vec![MonitorSettings { paths: vec!["/a".to_owned()], ..MonitorSettings::default() }];
        expected.indexer.receive = vec![ReceiveSettings::default()];
        assert_eq!(loaded, expected);
    }

    #[test]
    fn what_both_daemons_know_is_said_once_for_both() {
        let text = "state_dir = \"/s\"\nlisten = \"127.0.0.1:1\"\nstop_grace = \"3s\"\nlog_level = \"debug\"\n[amqp]\nqueue = \"q\"\n[bulk]\ndocuments = 7\n[batch]\ncompression_level = 2\n";
        let settings: Settings = from_text(text).unwrap();
        let (shipper, indexer) = (&settings.shipper, &settings.indexer);
        assert_eq!(settings.state_dir(), Path::new("/s"));
        assert_eq!(indexer.state_dir, shipper.state_dir);
        assert_eq!((shipper.stop_grace, indexer.stop_grace), (THREE, THREE));
        assert!(shipper.process.listen.is_some(), "or nobody is told how far files are behind");
        assert_eq!((&shipper.process, &shipper.amqp), (&indexer.process, &indexer.amqp));
        assert_eq!(
            (shipper.process.log_level.as_str(), shipper.amqp.queue.as_str()),
            ("debug", "q")
        );
        assert_eq!((indexer.bulk.documents, shipper.batch.compression_level), (7, 2));
    }

    const THREE: Period = Period(Duration::from_secs(3));

    #[test]
    fn what_is_wrong_in_the_table_of_a_daemon_is_shown_where_it_stands() {
        for (text, expected) in [
            (
                "[[monitor]]\npaths = []\nkeep_original = 3\n",
                "line 3, column 17: `monitor.keep_original`: expected true or false, found the number 3",
            ),
            (
                "[monitor.x]\n",
                "line 1, column 2: [monitor] must be written [[monitor]], because it may be there several times",
            ),
            (
                "[spool]\nmax_byte = 1\n",
                "line 2, column 1: unknown setting `max_byte` in [spool]; did you mean `max_bytes`?",
            ),
            (
                "[consume]\nconsumer_time = \"1m\"\n",
                "line 2, column 1: unknown setting `consumer_time` in [consume]; did you mean `consumer_timeout`?",
            ),
        ] {
            assert_eq!(from_text::<Settings>(text).unwrap_err().to_string(), expected);
        }
    }

    /// Somebody forgot the quotes.
    #[test]
    fn a_password_that_is_no_text_is_not_said() {
        for (setting, value) in [
            ("password", "5551234"),
            ("password", "0x5551234"),
            ("api_key", "777888999"),
            ("password", "true"),
        ] {
            let text = format!("[elasticsearch]\n{setting} = {value}\n");
            let error = from_text::<Settings>(&text).unwrap_err().to_string();
            let expected =
                format!("`elasticsearch.{setting}`: expected a text in quotes, found no text");
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn the_list_of_what_any_program_knows_is_all_that_the_programs_know() {
        let watch = crate::watch::settings();
        let setup = crate::setup::settings();
        let daemons = [shipper::all_settings(), indexer::all_settings()].concat();
        let rows = [daemons, all_settings(), watch.clone(), setup].concat();
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
                (false, false) if knows(all_settings(), name) => "omphalos run",
                (false, false) if knows(watch.clone(), name) => "omphalos watch",
                (false, false) => "omphalos setup",
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
    fn every_row_has_a_place_in_a_struct() {
        assert_eq!(rows_without_a_place::<Settings>(), [""; 0]);
    }

    /// The kind of fault: a value of another type is refused in words that name no setting.
    #[test]
    fn a_value_of_any_wrong_type_is_refused_with_setting_and_what_is_expected() {
        let unclear = [
            unclear_refusals::<Settings>(),
            unclear_refusals::<shipper::Settings>(),
            unclear_refusals::<indexer::Settings>(),
            unclear_refusals::<crate::watch::Read>(),
        ];
        assert_eq!(unclear.concat(), Vec::<String>::new());
        for (text, expected) in [
            (
                "[elasticsearch]\nurl = { a = 1 }\n",
                "line 2, column 7: `elasticsearch.url`: expected a list of texts, such as [\"a\", \"b\"], found a table",
            ),
            (
                "[[monitor]]\nparser = { name = \"raw\" }\n",
                "line 2, column 12: `monitor.parser`: expected one of auto, clf, combined, vhost_combined, access, w3c, json, syslog, nginx_error, apache_error, logfmt, klog, postgresql, mysql_error, mysql_slow, haproxy, elb, s3, vpc_flow, redis, rabbitmq, elasticsearch, traefik, envoy, squid, uwsgi, csv, zeek, cef, leef, auditd, windows_event, journald, app, regex, grok, raw, found a table",
            ),
            (
                "log_level = [{}]\n",
                "line 1, column 13: `log_level`: expected a text in quotes, found a list",
            ),
            (
                "monitor = [1]\n",
                "line 1, column 12: `monitor`: expected a table, [[monitor]], with settings below it",
            ),
        ] {
            assert_eq!(from_text::<Settings>(text).unwrap_err().to_string(), expected);
        }
    }
}
