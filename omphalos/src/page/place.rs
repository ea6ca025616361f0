//! Where the page is: bound before anything else starts, so that its address can be said first.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use omphalos_common::config::ConfigError;
use omphalos_common::telemetry::{Hosts, Incoming, Kept};
use omphalos_common::tls::TlsAcceptor;
use tokio::net::TcpListener;
use tracing::warn;

use super::guard::Guard;
use super::settings::{PageListen, PageSettings};

/// Where the page is if nobody says otherwise.
pub const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);
/// How a browser on this machine calls it; the guard compares their ports as well.
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// A listener for the page, not yet serving.
pub struct Bound {
    listener: Arc<TcpListener>,
    tls: Option<TlsAcceptor>,
    guard: Guard,
    hosts: Hosts,
    address: SocketAddr,
    /// What it is called, if not by its address.
    name: Option<String>,
    /// Whether something may be changed by it.
    pub(super) allows_actions: bool,
}

impl Bound {
    /// Binds what is set, or takes what was bound before; `None` where there is to be no page. It may be asked by
    /// `hosts` too.
    ///
    /// # Errors
    /// When the address is taken or not ours, or others could read without a token.
    pub async fn bind(
        settings: &PageSettings,
        hosts: &[String],
        kept: &Kept,
    ) -> Result<Option<Self>, ConfigError> {
        let (token, tls) = (settings.token()?, settings.tls()?);
        let listener = match settings.listen {
            PageListen::Off => return Ok(None),
            PageListen::At(address) => {
                kept.listen(address).await.map_err(|error| refused(address, &error))?
            }
            PageListen::Usual => match kept.listen(USUAL).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    let free = SocketAddr::new(USUAL.ip(), 0);
                    kept.listen(free).await.map_err(|error| refused(free, &error))?
                }
                bound => bound.map_err(|error| refused(USUAL, &error))?,
            },
        };
        let address = listener.local_addr().map_err(|error| refused(USUAL, &error))?;
        let mut names: Vec<String> = OWN_NAMES.map(str::to_owned).to_vec();
        names.push(address.ip().to_string());
        names.extend_from_slice(hosts);
        if settings.is_open() {
            warn!(
                "the page at {address} speaks HTTP, so whoever is on the way can read lines and token: set page.certificate_file and page.key_file, or listen on 127.0.0.1 behind a proxy"
            );
        }
        let (mut guard, mut name) = (Guard::new(token, hosts), None);
        if tls.is_some() {
            guard = guard.secure(address.port());
            name = hosts.first().cloned();
        }
        let (hosts, allows_actions) = (Hosts::new(&names), settings.allow_actions);
        Ok(Some(Self { listener, tls, guard, hosts, address, name, allows_actions }))
    }

    /// Where connections come in, who may ask, and by which names.
    pub(super) fn into_parts(self) -> (Incoming, Guard, Hosts) {
        (Incoming::new(self.listener, self.tls), self.guard, self.hosts)
    }

    /// Its address for a browser on this machine.
    pub fn url(&self) -> String {
        let mut reachable = self.address;
        if reachable.ip().is_unspecified() {
            reachable.set_ip(USUAL.ip());
        }
        if self.tls.is_none() {
            return format!("http://{reachable}/");
        }
        // What a certificate is for is a name.
        match &self.name {
            None => format!("https://{reachable}/"),
            Some(name) if name.contains(':') => format!("https://{name}/"),
            Some(name) => format!("https://{name}:{}/", reachable.port()),
        }
    }
}

fn refused(address: SocketAddr, error: &Error) -> ConfigError {
    ConfigError::invalid(format!(
        "page.listen: cannot listen on {address}: {error}; choose another address (--page-listen), or off for no page"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_address_is_refused_if_it_was_named_and_left_alone_if_not() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let named = PageSettings { listen: PageListen::At(address), ..PageSettings::default() };
        let refused = Bound::bind(&named, &[], &Kept::default()).await.err().unwrap().to_string();
        assert!(refused.starts_with("page.listen: cannot listen on"), "{refused}");
        let off = PageSettings { listen: PageListen::Off, ..PageSettings::default() };
        assert!(Bound::bind(&off, &[], &Kept::default()).await.unwrap().is_none());
        let first =
            Bound::bind(&PageSettings::default(), &[], &Kept::default()).await.unwrap().unwrap();
        let second =
            Bound::bind(&PageSettings::default(), &[], &Kept::default()).await.unwrap().unwrap();
        assert_ne!(first.url(), second.url());
    }
}
