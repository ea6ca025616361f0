//! `omphalos-indexer check`: connects to both sides, declares, and says what it found.

use omphalos_common::config::ConfigError;
use omphalos_common::transport::amqp::{Broker, Topology};

use crate::collector::elasticsearch::Client;
use crate::config::Settings;

/// Prints one line for each thing that was checked; whether all are well.
///
/// # Errors
/// [`ConfigError`] when the settings themselves cannot be used.
pub async fn check(settings: &Settings) -> Result<bool, ConfigError> {
    settings.check()?;
    let client = Client::new(&settings.elasticsearch, settings.bulk.gzip)?;
    let broker = Broker::new(&settings.amqp, "omphalos-indexer check")?;
    println!("ok       settings are valid");
    let mut well = true;
    for turn in 0..broker.url_count() {
        match check_broker(settings, &broker, turn).await {
            Ok(found) => println!("ok       {found}"),
            Err(problem) => {
                println!("problem  {problem}");
                well = false;
            }
        }
    }
    match client.info().await {
        Ok(info) => println!(
            "ok       {}: {} {}, cluster {:?}",
            client.shown(),
            info.product,
            info.version,
            info.cluster
        ),
        Err(fault) => {
            println!("problem  {fault}");
            well = false;
        }
    }
    Ok(well)
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
