//! The `[amqp]` table: how to reach the broker and what the topology is called.

use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::{AMQPAuthority, AMQPUri};
use serde::Deserialize;
use url::{Host, Url};

use omphalos_common::config::{
    ConfigError, Kind, Period, ServerUrl, Setting, Size, read_secret_file,
};

/// The rows of the `[amqp]` table, for every program that connects to the broker.
pub const AMQP_SETTINGS: &[Setting] = &[
    Setting::new(
        "amqp.url",
        Kind::List,
        "Broker URLs, tried in turn: amqp://USER:PASSWORD@HOST:5672/VHOST, or amqps:// for TLS. Everybody sees flags (ps): give a password by url_file, or the variable.",
    )
    .default("amqp://guest:guest@127.0.0.1:5672/%2f")
    .alias("amqp"),
    Setting::new(
        "amqp.url_file",
        Kind::Text,
        "Read the broker URLs from this file instead (commas or lines between them), to keep the password out of the command line.",
    ),
    Setting::new(
        "amqp.exchange",
        Kind::Text,
        "Topic exchange that batches are published to, with the routing key DATASET.HOST.",
    )
    .default("omphalos.logs"),
    Setting::new("amqp.queue", Kind::Text, "Quorum queue that the indexer consumes.")
        .default("omphalos.index"),
    Setting::new(
        "amqp.dead_letters",
        Kind::Text,
        "Exchange and queue that keep what Elasticsearch refuses.",
    )
    .default("omphalos.dead"),
    Setting::new(
        "amqp.queue_max_bytes",
        Kind::Size,
        "Length limit of the queue; beyond it the broker refuses messages and shippers wait. Must be the same for all programs.",
    )
    .default("8GiB"),
    Setting::new(
        "amqp.topology",
        Kind::Choice(&["declare", "passive"]),
        "Whether to declare exchanges and queues, or only to check that they are there.",
    )
    .default("declare"),
    Setting::new(
        "amqp.ca_file",
        Kind::Text,
        "PEM file with the certificate authorities to trust for amqps, instead of the system's.",
    ),
    Setting::new(
        "amqp.client_certificate_file",
        Kind::Text,
        "PEM file with the certificate to present to the broker; needs amqp.client_key_file.",
    ),
    Setting::new("amqp.client_key_file", Kind::Text, "PEM file with the key of that certificate."),
    Setting::new(
        "amqp.user_id",
        Kind::Switch,
        "Messages say which user published them, the one of amqp.url, and the broker refuses them if that is not so: for indexers with consume.shipper_users.",
    )
    .default("false"),
    Setting::new("amqp.heartbeat", Kind::Period, "Heartbeat interval; a broker that is silent for twice as long is given up.")
        .default("15s"),
    Setting::new("amqp.connect_timeout", Kind::Period, "How long connecting may take.")
        .default("10s"),
];

/// Whether the topology is made or only checked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TopologyMode {
    /// Declare what is missing.
    Declare,
    /// Only check that it is there, for users without the right to configure.
    Passive,
}

/// The `[amqp]` table as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AmqpSettings {
    /// See [`AMQP_SETTINGS`], like all that follow.
    pub url: Option<Vec<String>>,
    /// File with the broker URLs, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// The exchange of the batches.
    pub exchange: String,
    /// The queue of the batches.
    pub queue: String,
    /// The exchange and the queue of the dead letters.
    pub dead_letters: String,
    /// `x-max-length-bytes` of the queue.
    pub queue_max_bytes: Size,
    /// Whether to declare exchanges and queues, or only check them.
    pub topology: TopologyMode,
    /// PEM file with the certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our client certificate.
    pub client_certificate_file: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub client_key_file: Option<PathBuf>,
    /// Whether messages say which user published them.
    pub user_id: bool,
    /// Heartbeat interval.
    pub heartbeat: Period,
    /// Limit on TCP, TLS and AMQP handshakes together.
    pub connect_timeout: Period,
}

impl Default for AmqpSettings {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            exchange: "omphalos.logs".to_owned(),
            queue: "omphalos.index".to_owned(),
            dead_letters: "omphalos.dead".to_owned(),
            queue_max_bytes: Size(8 * 1024 * 1024 * 1024),
            topology: TopologyMode::Declare,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            user_id: false,
            heartbeat: Period(Duration::from_secs(15)),
            connect_timeout: Period(Duration::from_secs(10)),
        }
    }
}

const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

impl AmqpSettings {
    /// Whether a broker is named; else it is the one on this machine.
    pub fn names_broker(&self) -> bool {
        self.url.is_some() || self.url_file.is_some()
    }

    /// The broker's addresses without passwords, for people.
    ///
    /// # Errors
    /// Those of [`Self::urls`].
    pub fn shown(&self) -> Result<String, ConfigError> {
        Ok(self.urls()?.iter().map(show).collect::<Vec<_>>().join(", "))
    }

    /// The broker URLs, checked.
    ///
    /// # Errors
    /// When there is none, when one cannot be read, or when both sources are given.
    pub fn urls(&self) -> Result<Vec<AMQPUri>, ConfigError> {
        let texts = match (&self.url_file, &self.url) {
            (Some(path), url) => {
                let text = read_secret_file(URL.key, url.is_some(), path)?;
                let urls = text.split([',', '\n']).map(str::trim).filter(|url| !url.is_empty());
                urls.map(str::to_owned).collect()
            }
            (None, Some(url)) => url.clone(),
            (None, None) => vec![DEFAULT_URL.to_owned()],
        };
        URL.read(&texts)?.iter().map(broker_url).collect()
    }
}

const URL: ServerUrl = ServerUrl {
    key: "amqp.url",
    schemes: &["amqp", "amqps"],
    example: "amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…",
    instead_of_query: None,
};

/// `amqp://HOST:PORT/VHOST`: a URL without what must not reach a log.
pub(super) fn show(url: &AMQPUri) -> String {
    let AMQPUri { scheme, authority, vhost, .. } = url;
    let vhost = if vhost == "/" { "%2f" } else { vhost };
    let AMQPAuthority { host, port, .. } = authority;
    if host.contains(':') {
        return format!("{scheme}://[{host}]:{port}/{vhost}");
    }
    format!("{scheme}://{host}:{port}/{vhost}")
}

fn broker_url(url: &Url) -> Result<AMQPUri, ConfigError> {
    let refuse = |reason: String| ConfigError::invalid(format!("amqp.url: {reason}"));
    for (name, value) in url.query_pairs() {
        let is_number = match &*name {
            "heartbeat" | "channel_max" => value.parse::<u16>().is_ok(),
            "frame_max" => value.parse::<u32>().is_ok(),
            "connection_timeout" => value.parse::<u64>().is_ok(),
            _ => continue,
        };
        if !is_number {
            return Err(refuse(format!(
                "expected a whole number for {name} behind the ?, found something else"
            )));
        }
    }
    let uri = url.as_str().parse::<AMQPUri>();
    let has_mechanism = url.query_pairs().any(|(name, _)| name == "auth_mechanism");
    let mut uri = uri.map_err(|reason| {
        // It repeats what it does not know.
        refuse(if has_mechanism {
            "its auth_mechanism is none that is known".to_owned()
        } else {
            reason
        })
    })?;
    // `AMQPUri` reads names only, and takes everything else for localhost.
    match url.host() {
        Some(Host::Ipv4(address)) => uri.authority.host = address.to_string(),
        Some(Host::Ipv6(address)) => uri.authority.host = address.to_string(),
        _ => {}
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn urls(url: Option<&[&str]>, file: Option<PathBuf>) -> Result<Vec<String>, String> {
        let url = url.map(|urls| urls.iter().map(|url| (*url).to_owned()).collect());
        let settings = AmqpSettings { url, url_file: file, ..AmqpSettings::default() };
        let urls = settings.urls().map_err(|error| error.to_string())?;
        Ok(urls.iter().map(|url| url.authority.host.clone()).collect())
    }

    #[test]
    fn urls_come_from_the_setting_or_from_a_file() {
        assert_eq!(urls(None, None).unwrap(), ["127.0.0.1"]);
        assert_eq!(urls(Some(&["amqp://a", "amqps://b/x"]), None).unwrap(), ["a", "b"]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("url");
        std::fs::write(&path, "amqp://u:p@c\namqp://d\n").unwrap();
        assert_eq!(urls(None, Some(path.clone())).unwrap(), ["c", "d"]);
        let both = urls(Some(&["amqp://a"]), Some(path)).unwrap_err();
        assert_eq!(both, "both amqp.url and amqp.url_file are set; keep one");
        let missing = urls(None, Some(PathBuf::from("/nowhere/url"))).unwrap_err();
        assert!(missing.starts_with("amqp.url_file: cannot read /nowhere/url: "), "{missing}");
    }

    proptest! {
        /// Whatever is written as the host is what we connect to, in every form that a host has.
        #[test]
        fn the_host_is_the_one_that_is_written(
            host in prop_oneof![
                "[a-z][a-z0-9]{0,9}([.-][a-z0-9]{1,9}){0,3}".prop_map(|name| (name.clone(), name)),
                any::<[u8; 4]>().prop_map(|octets| {
                    let address = Ipv4Addr::from(octets).to_string();
                    (address.clone(), address)
                }),
                any::<[u16; 8]>().prop_map(|segments| {
                    let address = Ipv6Addr::from(segments).to_string();
                    (format!("[{address}]"), address)
                }),
            ],
            scheme in prop_oneof![Just("amqp"), Just("amqps")],
            user in prop_oneof![Just(""), Just("u:p@"), Just("u@")],
            rest in prop_oneof![Just(""), Just("/"), Just(":1234/%2f"), Just(":5672"), Just("/v?heartbeat=5")],
        ) {
            let (written, expected) = host;
            let text = format!("{scheme}://{user}{written}{rest}");
            prop_assert_eq!(urls(Some(&[&text]), None).unwrap(), [expected], "{}", text);
        }
    }

    #[test]
    fn an_url_without_a_host_is_refused() {
        for text in
            ["amqp:///x", "amqp://u:p@/x", "amqp://:5672", "amqp://[fe80::1%eth0]/", "amqp:x"]
        {
            let error = urls(Some(&[text]), None).unwrap_err();
            assert!(error.starts_with("amqp.url: expected amqp://"), "{text}: {error}");
        }
    }

    #[test]
    fn what_stands_behind_the_question_mark_is_named_when_it_cannot_be_read() {
        for (query, expected) in [
            ("heartbeat=secret", "expected a whole number for heartbeat behind the ?"),
            ("frame_max=secret", "expected a whole number for frame_max behind the ?"),
            ("x=1&channel_max=70000", "expected a whole number for channel_max behind the ?"),
            ("connection_timeout=secret", "expected a whole number for connection_timeout behind"),
            ("auth_mechanism=secret", "its auth_mechanism is none that is known"),
        ] {
            let error = urls(Some(&[&format!("amqp://h/v?{query}")]), None).unwrap_err();
            assert!(error.starts_with(&format!("amqp.url: {expected}")), "{query}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(urls(Some(&["amqp://h/v?heartbeat=5&x=y"]), None).is_ok());
    }

    #[test]
    fn a_bad_url_is_refused_without_its_password() {
        let error = urls(Some(&["http://user:secret@host:80/"]), None).unwrap_err();
        assert!(error.contains("expected amqp://") && !error.contains("secret"), "{error}");
    }
}
