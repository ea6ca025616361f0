//! Whose store is it that listens? A store takes the documents of anybody, so what writes to one that
//! it was not told to write to makes sure that it is that of its state directory.

use std::net::SocketAddr;
use std::path::Path;

use omphalos_common::config::ConfigError;
use omphalos_indexer::elasticsearch::{Client, ElasticsearchSettings};
use omphalos_store::disk::known_identity;

/// Where a store listens.
pub fn url_of(listen: SocketAddr) -> String {
    format!("http://{listen}")
}

/// Makes sure that what listens there is the store in this directory.
///
/// # Errors
/// When it is another one, or does not say.
pub async fn check_owner(listen: SocketAddr, directory: &Path) -> anyhow::Result<()> {
    let asked = ElasticsearchSettings {
        url: Some(vec![url_of(listen)]),
        ..ElasticsearchSettings::default()
    };
    let found = Client::new(&asked, false)?.info().await;
    let uuid = found.as_ref().ok().and_then(|info| info.uuid.as_deref());
    if uuid.is_some() && uuid == known_identity(directory).as_deref() {
        return Ok(());
    }
    let what = match &found {
        Ok(info) => format!("{} {}, cluster {}", info.product, info.version, info.cluster),
        Err(fault) => fault.to_string(),
    };
    Err(ConfigError::invalid(format!(
        "store.listen: what listens on {listen} is not the store in {} ({what}); name the state directory of the process that serves it (--state-dir), another address (--store-listen), or, if documents are to go there, --elasticsearch-url {}",
        directory.display(),
        url_of(listen)
    ))
    .into())
}
