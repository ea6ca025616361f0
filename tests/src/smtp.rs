//! A real SMTP server.

use std::fs;
use std::path::{Path, PathBuf};

use crate::server::Server;

/// A server that keeps each mail; it ends when dropped.
pub struct Smtp {
    server: Server,
    mails: PathBuf,
}

impl Smtp {
    /// In `directory`; with `secured`, a certificate, its key and a password, only for the user `omphalos`, over TLS; with `starttls` behind them, TLS begins when the client says so, and nothing is taken before.
    pub fn start(directory: &Path, secured: &[&str]) -> Self {
        let server = Server::new("smtp.sh", &[], directory, secured).started();
        Self { server, mails: directory.join("mails") }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// What it has been given, in order; each with a line before it that says for whom.
    pub fn mails(&self) -> Vec<String> {
        let path = |count: usize| self.mails.join(format!("{count}.eml"));
        (1..).map_while(|count| fs::read_to_string(path(count)).ok()).collect()
    }
}
