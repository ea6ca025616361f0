//! The HTTP API.

use axum::Router;
use axum::routing::get;
use omphalos_common::shutdown::Shutdown;
use tokio::net::TcpListener;

use crate::catalog::Store;

/// All routes.
pub fn router(store: Store) -> Router {
    Router::new().route("/", get(|| async { "" })).with_state(store)
}

/// Serves a store until told to stop.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, store: Store, shutdown: Shutdown) -> std::io::Result<()> {
    let router = router(store);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}
