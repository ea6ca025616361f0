//! The embedded store, which is asked where no Elasticsearch is named.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use omphalos_common::config::{About, ConfigError, HasRows, Setting, load_with};
use omphalos_store::disk::known_identity;
use tokio::net::TcpStream;

use crate::run::StoreSettings;
use crate::store_owner::{check_owner, url_of};

/// A store that is asked.
pub struct AskedStore {
    /// Where it listens; by default that is where Elasticsearch would.
    listen: SocketAddr,
    /// Where the state directory has one.
    directory: Option<PathBuf>,
}

/// Where documents are if no Elasticsearch is named.
pub fn store_rows() -> Vec<Setting> {
    let mut rows = StoreSettings::rows();
    rows.retain(|row| row.is_about(&[About::Place]) || row.key == "store.directory");
    for row in rows.iter_mut().filter(|row| row.key == "store.listen") {
        *row = row
            .help("Address of the embedded store, which is asked where no Elasticsearch is named.");
    }
    rows
}

impl AskedStore {
    /// Reads flags, environment and file.
    ///
    /// # Errors
    /// When something cannot be used.
    pub fn read(
        given: &ArgMatches,
        file: Option<&Path>,
        state_dir: &Path,
    ) -> Result<Self, ConfigError> {
        let read = |name: &str| std::env::var_os(name);
        let StoreSettings { listen, directory, .. } = load_with(file, &store_rows(), given, read)?;
        let directory = directory.unwrap_or_else(|| state_dir.join("store"));
        let is_there = known_identity(&directory).is_some();
        Ok(Self { listen, directory: Some(directory).filter(|_| is_there) })
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        url_of(self.listen)
    }

    /// Makes sure that it is that of the state directory, where that has one: in another one all would
    /// be missing, and a repair would write it there.
    ///
    /// # Errors
    /// When it is another one.
    pub async fn check_owner(&self) -> anyhow::Result<()> {
        match &self.directory {
            // Where nothing listens, the audit says so itself.
            Some(directory) if TcpStream::connect(self.listen).await.is_ok() => {
                check_owner(self.listen, directory).await
            }
            _ => Ok(()),
        }
    }
}
