//! The HTTP listener: it serves the routes that it is given. `/metrics` for Prometheus, `/healthz`
//! and `/readyz` for orchestrators are those of [`Telemetry`].

use std::fmt::{Display, Formatter};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tracing::{info, warn};

use super::connections::{Limits, serve};
use super::process::Process;
use super::{Health, Hosts, Kept};
use crate::config::ConfigError;
use crate::shutdown::Shutdown;

/// Content type of the OpenMetrics text format, which Prometheus reads.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics and the health of a process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    registry: Arc<Mutex<Registry>>,
    /// Between `omphalos_` and the names of metrics; for one part of several in a process.
    part: Option<&'static str>,
    /// Shared by all parts of the process.
    pub health: Health,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::of(Health::default())
    }
}

impl Telemetry {
    /// Of a process that has this health, with what is known of every process.
    pub fn of(health: Health) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        Self { registry: Arc::new(Mutex::new(registry)), part: None, health }
    }

    /// The same for one part of several in this process: the names of its metrics get the prefix
    /// `omphalos_PART_`, because parts count things of the same name.
    #[must_use]
    pub fn of_part(&self, part: &'static str) -> Self {
        Self { part: Some(part), ..self.clone() }
    }

    /// Registers metrics; their names get the prefix `omphalos_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = registry.sub_registry_with_prefix("omphalos");
        match self.part {
            Some(part) => add(ours.sub_registry_with_prefix(part)),
            None => add(ours),
        }
    }

    /// Registers what has its whole name.
    pub fn register_plainly(&self, collector: Box<dyn Collector>) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(collector);
    }

    /// `/metrics`, and those of the health.
    pub fn routes(&self) -> Routes {
        let metrics = Routes::default().with("/metrics", get(metrics).with_state(self.clone()));
        metrics.and(self.health.routes())
    }

    /// The metrics as text.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = encode(&mut text, &registry) {
            warn!(%error, "cannot encode the metrics");
        }
        text
    }
}

impl Health {
    /// `/healthz` and `/readyz`.
    fn routes(&self) -> Routes {
        Routes::default()
            .with("/healthz", get(healthz).with_state(self.clone()))
            .with("/readyz", get(readyz).with_state(self.clone()))
    }
}

/// What is served: paths, and who answers at each. Whoever has something to serve gives its routes.
#[derive(Debug, Default)]
pub struct Routes {
    paths: Vec<&'static str>,
    router: Router,
}

impl Routes {
    /// These routes, and one more path.
    #[must_use]
    pub fn with(mut self, path: &'static str, answer: MethodRouter) -> Self {
        self.paths.push(path);
        self.router = self.router.route(path, answer);
        self
    }

    /// With those of somebody else, which are other paths.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.paths.extend(others.paths);
        self.router = self.router.merge(others.router);
        self
    }
}

/// All paths, as people list them.
impl Display for Routes {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self.paths.as_slice() {
            [] => formatter.write_str("nothing"),
            [only] => formatter.write_str(only),
            [first @ .., last] => write!(formatter, "{} and {last}", first.join(", ")),
        }
    }
}

impl Kept {
    /// Serves `routes` at `listen`, if that is set, until what is returned is dropped; it may be asked by `hosts`
    /// too.
    ///
    /// # Errors
    /// When the address is taken or not ours; the message names the setting.
    pub async fn serve(
        &self,
        (listen, hosts): (Option<SocketAddr>, &[String]),
        routes: Routes,
    ) -> Result<DropGuard, ConfigError> {
        let stop = Shutdown::new();
        if let Some(address) = listen {
            let listener = self.listen(address).await.map_err(|error| refused(address, &error))?;
            let listener = Listener { listener, hosts: Hosts::new(hosts) };
            tokio::spawn(listener.serve(routes, stop.clone()));
        }
        Ok(stop.drop_guard())
    }
}

fn refused(address: SocketAddr, error: &std::io::Error) -> ConfigError {
    ConfigError::invalid(format!(
        "listen: cannot listen on {address}: {error}; choose another address or stop what uses it"
    ))
}

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct Listener {
    listener: Arc<TcpListener>,
    hosts: Hosts,
}

impl Listener {
    /// Binds `address`.
    ///
    /// # Errors
    /// When the address is taken or not ours; the message names the setting.
    pub async fn bind(address: SocketAddr) -> Result<Self, ConfigError> {
        let listener =
            TcpListener::bind(address).await.map_err(|error| refused(address, &error))?;
        Ok(Self { listener: Arc::new(listener), hosts: Hosts::default() })
    }

    /// Where it listens: the port that was given for port 0.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves `routes` until `shutdown`.
    pub async fn serve(self, routes: Routes, shutdown: Shutdown) {
        if let Ok(address) = self.address() {
            info!(%address, "serving {routes}");
        }
        serve(self.listener, routes.router, (Limits::default(), self.hosts), shutdown).await;
    }
}

async fn metrics(State(telemetry): State<Telemetry>) -> Response {
    ([(header::CONTENT_TYPE, OPENMETRICS)], telemetry.metrics()).into_response()
}

async fn healthz(State(health): State<Health>) -> Response {
    answer(&health.stuck())
}

async fn readyz(State(health): State<Health>) -> Response {
    let mut problems = health.stuck();
    problems.extend(health.problems());
    answer(&problems)
}

fn answer(problems: &[String]) -> Response {
    if problems.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", problems.join("\n"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::ask_ready;

    #[test]
    fn routes_are_listed_as_people_do() {
        assert_eq!(Telemetry::default().routes().to_string(), "/metrics, /healthz and /readyz");
        let one = Routes::default().with("/page", get(async || "here"));
        assert_eq!(one.to_string(), "/page");
    }

    #[tokio::test]
    async fn whoever_has_routes_is_served_beside_the_health_until_the_guard_is_dropped() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        // The same under a path that `ask_ready` asks for shows that a foreign route is served.
        let foreign = Routes::default().with("/readyz", get(async || "ok"));
        let stop = Shutdown::new();
        let serving = tokio::spawn(listener.serve(foreign, stop.clone()));
        assert_eq!(ask_ready(address).await, Ok(()));
        drop(stop.drop_guard());
        serving.await.unwrap();
        assert!(ask_ready(address).await.is_err());
        let telemetry = Telemetry::default();
        let page = Routes::default().with("/page", get(async || "here"));
        let kept = Kept::default();
        let routes = telemetry.routes().and(page);
        let guard = kept.serve((Some(address), &[]), routes).await.unwrap();
        assert_eq!(ask_ready(address).await, Ok(()));
        drop(guard);
    }
}
