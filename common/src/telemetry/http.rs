//! The HTTP listener: `/metrics` for Prometheus, `/healthz` and `/readyz` for orchestrators.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::Health;
use super::process::Process;
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
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        Self { registry: Arc::new(Mutex::new(registry)), part: None, health: Health::default() }
    }
}

impl Telemetry {
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

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Binds `address`.
    ///
    /// # Errors
    /// When the address is taken or not ours; the message names the setting.
    pub async fn bind(address: SocketAddr) -> Result<Self, ConfigError> {
        TcpListener::bind(address).await.map(Self).map_err(|error| {
            ConfigError::invalid(format!(
                "listen: cannot listen on {address}: {error}; choose another address or stop what uses it"
            ))
        })
    }

    /// Where it listens: the port that was given for port 0.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until `shutdown`.
    pub async fn serve(self, telemetry: Telemetry, shutdown: Shutdown) {
        if let Ok(address) = self.address() {
            info!(%address, "serving /metrics, /healthz and /readyz");
        }
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .with_state(telemetry);
        let stop = shutdown.cancelled_owned();
        if let Err(error) = axum::serve(self.0, routes).with_graceful_shutdown(stop).await {
            warn!(%error, "the HTTP listener ended");
        }
    }
}

async fn metrics(State(telemetry): State<Telemetry>) -> Response {
    ([(header::CONTENT_TYPE, OPENMETRICS)], telemetry.metrics()).into_response()
}

async fn healthz(State(telemetry): State<Telemetry>) -> Response {
    answer(&telemetry.health.stuck())
}

async fn readyz(State(telemetry): State<Telemetry>) -> Response {
    let mut problems = telemetry.health.stuck();
    problems.extend(telemetry.health.problems());
    answer(&problems)
}

fn answer(problems: &[String]) -> Response {
    if problems.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", problems.join("\n"))).into_response()
}
