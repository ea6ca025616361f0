//! `omphalos-indexer check`: connects to both sides, declares, and says what it found.

use std::io::Write;

use omphalos_common::clean::clean;
use omphalos_common::masked::masked;
use omphalos_common::printed::{Form, printed};
use omphalos_transport::amqp::{Broker, Topology};
use omphalos_transport::udp::ReceiveOptions;

use crate::config::Settings;
use crate::elasticsearch::Client;

/// Prints one line for each thing that was checked; whether all are well. The broker is asked where documents
/// come from there: `omphalos run` has them from within, where none is named.
///
/// # Errors
/// `ConfigError` when the settings themselves cannot be used; others when nothing can be printed.
pub async fn check(settings: &Settings, has_broker: bool) -> anyhow::Result<bool> {
    settings.check()?;
    let client = Client::new(&settings.elasticsearch, settings.bulk.gzip)?;
    let udp = settings.udp_receivers()?;
    let broker = has_broker && settings.receives_amqp();
    let broker =
        broker.then(|| Broker::new(&settings.amqp, "omphalos-indexer check")).transpose()?;
    let mut well = true;
    let mut tell = |found: Result<String, String>| match found {
        Ok(found) => writeln!(printed(Form::Plain), "ok       {}", clean(&masked(&found))),
        Err(problem) => {
            well = false;
            writeln!(printed(Form::Plain), "problem  {}", clean(&masked(&problem)))
        }
    };
    if let Some(broker) = broker {
        for turn in 0..broker.url_count() {
            tell(check_broker(settings, &broker, turn).await)?;
        }
    }
    for options in &udp {
        tell(check_socket(options))?;
    }
    match client.info().await {
        Ok(info) => tell(Ok(format!(
            "{}: {} {}, cluster {:?}",
            client.shown(),
            info.product,
            info.version,
            info.cluster
        )))?,
        Err(fault) => tell(Err(fault.to_string()))?,
    }
    // The last word: what refuses a setting is said instead of it.
    tell(Ok("settings are valid".to_owned()))?;
    Ok(well)
}

/// Whether the address can be had: not while an indexer with these settings runs.
fn check_socket(options: &ReceiveOptions) -> Result<String, String> {
    match std::net::UdpSocket::bind(options.listen) {
        Ok(_) => Ok(format!("udp {}: can be listened on", options.listen)),
        Err(error) => Err(format!(
            "udp {}: {error}; this is no problem if the indexer that these settings are for is running",
            options.listen
        )),
    }
}

async fn check_broker(settings: &Settings, broker: &Broker, turn: usize) -> Result<String, String> {
    let topology = Topology::new(&settings.amqp);
    let link = broker.connect_nth(turn).await.map_err(|error| error.to_string())?;
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", link.shown);
    topology.establish(&link.connection).await.map_err(|error| told(&error))?;
    Ok(format!(
        "{}: connected; queue {:?} and dead letters {:?} are there",
        link.shown, topology.queue, topology.dead_letters
    ))
}
