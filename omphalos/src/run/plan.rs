//! Which parts run in the process, by what is set.
//!
//! | is set | then |
//! | --- | --- |
//! | a monitor, and neither broker nor UDP receiver | it reads, and hands over within the process |
//! | a monitor and a broker (or UDP receiver), nothing of where to write | it reads and sends, like `omphalos-shipper` |
//! | a broker or `[[receive]]`, without a monitor | it takes and writes, like `omphalos-indexer` |
//! | an Elasticsearch | documents go there, else into the embedded store |
//! | `[store]` alone | it is served |

use omphalos_common::config::ConfigError;
use omphalos_indexer::receive::ReceiveKind;
use omphalos_store::StoreOptions;

use super::chain::Chain;
use super::settings::{Settings, StoreSettings};

/// What runs in this process.
pub struct Plan {
    /// The parts that data goes through.
    pub chain: Chain,
    /// The embedded store, where it is used.
    pub store: Option<StoreSettings>,
}

impl Plan {
    /// # Errors
    /// When there is nothing to run, or what is set does not go together.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let reads = settings.shipper.monitor.iter().any(|monitor| !monitor.paths.is_empty());
        let has_broker = settings.shipper.amqp.names_broker();
        let is_local = reads && !has_broker && settings.shipper.udp.to.is_empty();
        let takes = has_broker || !settings.indexer.receive.is_empty();
        let says_where = settings.indexer.elasticsearch.url.is_some() || settings.store.is_some();
        check_broker(settings, has_broker)?;
        let only_sends = reads && !is_local && !says_where && settings.indexer.receive.is_empty();
        let indexes = is_local || (takes && !only_sends);
        if !reads && !indexes && settings.store.is_none() {
            return Err(ConfigError::invalid(
                "nothing to run: name files on the command line or in [[monitor]] paths = […], give --amqp-url or [[receive]] to take documents from elsewhere, or [store] to serve what was stored",
            ));
        }
        let is_stored = settings.indexer.elasticsearch.url.is_none();
        let uses_store = is_stored && (indexes || settings.store.is_some());
        if uses_store {
            settings.indexer.index.check_for_store()?;
        }
        let store = uses_store.then(|| settings.store());
        let shipper = reads.then(|| settings.shipper.clone());
        let indexer = indexes.then(|| settings.indexer.clone());
        let (others, state) = (Vec::new(), None);
        let chain = Chain { shipper, indexer, others, state, is_local, once: false };
        Ok(Self { chain, store })
    }
}

fn check_broker(settings: &Settings, has_broker: bool) -> Result<(), ConfigError> {
    let wants_queue =
        settings.indexer.receive.iter().any(|table| table.kind() == ReceiveKind::Amqp);
    if wants_queue && !has_broker {
        return Err(ConfigError::invalid(
            "[[receive]] with kind = \"amqp\" takes documents from a broker: set amqp.url",
        ));
    }
    Ok(())
}

/// What the store is opened with.
pub fn store_options(settings: &Settings, store: &StoreSettings) -> StoreOptions {
    let directory = store.directory.clone();
    StoreOptions {
        directory: directory.unwrap_or_else(|| settings.state_dir().join("store")),
        max_age: store.max_age.map(|period| period.0),
        max_bytes: store.max_bytes.map(|size| size.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::config::from_text;

    /// The parts by name, or why there are none.
    fn parts(text: &str) -> String {
        let settings: Settings = from_text(text).unwrap();
        let Plan { chain, store } = match Plan::new(&settings) {
            Ok(plan) => plan,
            Err(error) => return error.to_string(),
        };
        let named = [
            (chain.shipper.is_some(), "shipper"),
            (chain.is_local, "local"),
            (chain.indexer.is_some(), "indexer"),
            (store.is_some(), "store"),
        ];
        let there: Vec<&str> = named.iter().filter(|part| part.0).map(|part| part.1).collect();
        there.join(" ")
    }

    #[test]
    fn what_is_set_says_what_runs() {
        const MONITOR: &str = "[[monitor]]\npaths = [\"/a\"]\n";
        const BROKER: &str = "[amqp]\nurl = [\"amqp://h\"]\n";
        const CLUSTER: &str = "[elasticsearch]\nurl = [\"http://h:9200\"]\n";
        const UDP: &str = "[[receive]]\nlisten = \"127.0.0.1:5140\"\n";
        for (tables, expected) in [
            (&[MONITOR][..], "shipper local indexer store"),
            (&[MONITOR, CLUSTER], "shipper local indexer"),
            (&[MONITOR, CLUSTER, "[store]\n"], "shipper local indexer"),
            (&[MONITOR, UDP], "shipper local indexer store"),
            (&[MONITOR, BROKER], "shipper"),
            (&[MONITOR, BROKER, CLUSTER], "shipper indexer"),
            (&[MONITOR, BROKER, "[store]\n"], "shipper indexer store"),
            (&[MONITOR, "[udp]\nto = [\"h:1\"]\n"], "shipper"),
            (&[MONITOR, "[udp]\nto = [\"h:1\"]\n", UDP], "shipper indexer store"),
            (&[BROKER], "indexer store"),
            (&[BROKER, CLUSTER], "indexer"),
            (&[UDP], "indexer store"),
            (&["[store]\n"], "store"),
        ] {
            assert_eq!(parts(&tables.concat()), expected, "{tables:?}");
        }
    }

    #[test]
    fn what_cannot_run_is_refused_by_name() {
        assert!(parts("").starts_with("nothing to run: name files on the command line"));
        assert!(parts("[elasticsearch]\nurl = [\"http://h\"]").starts_with("nothing to run"));
        let streams = parts("[store]\n[index]\nnaming = \"data_stream\"");
        assert!(streams.starts_with("index.naming: the embedded store has no"), "{streams}");
        assert!(parts("[[receive]]\nkind = \"amqp\"").starts_with("[[receive]] with kind"));
    }
}
