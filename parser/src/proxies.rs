//! Access lines of proxies and application servers: Traefik, Envoy, Squid, `uWSGI`.

mod envoy;
mod squid;
#[cfg(test)]
mod tests;
mod traefik;
mod uwsgi;

pub use envoy::EnvoyParser;
pub use squid::SquidParser;
pub use traefik::TraefikParser;
pub use uwsgi::UwsgiParser;
