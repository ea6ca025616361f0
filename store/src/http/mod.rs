//! The HTTP API: as much of Elasticsearch's as our own tools, a client library and a person with
//! `curl` need. What is not there is refused by name.

pub mod answer;
mod body;
mod bulk;
mod cluster;
mod documents;
mod indices;
pub mod params;
mod search;
pub mod source;

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use omphalos_common::shutdown::Shutdown;
use tokio::net::TcpListener;

use self::answer::Answer;
pub use self::body::Pressure;
use crate::catalog::Store;
use crate::error::ApiError;

/// Indices that are written at the same time; each needs memory and threads.
const MOST_WRITERS: usize = 8;
/// How often old and idle things are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// All routes.
pub fn router(store: Store) -> Router {
    Router::new()
        .merge(cluster::routes())
        .merge(bulk::routes())
        .merge(documents::routes())
        .merge(indices::routes())
        .merge(search::routes())
        .fallback(answer::no_handler)
        .layer(from_fn(answer::finish))
        .with_state(store)
}

/// Serves a store until told to stop.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, store: Store, shutdown: Shutdown) -> std::io::Result<()> {
    let housekeeping = tokio::spawn(keep_house(store.clone()));
    let served = axum::serve(listener, router(store));
    let result = served.with_graceful_shutdown(shutdown.cancelled_owned()).await;
    housekeeping.abort();
    result
}

async fn keep_house(store: Store) {
    let mut times = tokio::time::interval(HOUSEKEEPING);
    loop {
        times.tick().await;
        let store = store.clone();
        // Fails only while the runtime is being shut down.
        drop(tokio::task::spawn_blocking(move || store.keep_house()).await);
    }
}

/// Does what takes the disk or a processor on a thread where that disturbs nobody.
async fn in_background(
    work: impl FnOnce() -> Result<Answer, ApiError> + Send + 'static,
) -> Result<Answer, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(ApiError::unavailable("the store is being stopped")))
}
