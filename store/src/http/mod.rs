//! The HTTP API: as much of Elasticsearch's as our own tools, a client library and a person with
//! `curl` need. What is not there is refused by name.

pub mod answer;
mod body;
mod bulk;
mod cluster;
mod documents;
mod indices;
mod search;

pub(crate) use bulk::read as read_bulk;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn;
use tokio::task::JoinHandle;

use self::answer::Answer;
use self::body::Pressure;
use crate::catalog::Store;
use crate::error::ApiError;
use crate::search::scroll::Open;

/// Indices that are written at the same time; each needs memory and threads.
const MOST_WRITERS: usize = 8;
/// How often old and idle things are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// What requests share. Clones are the same.
#[derive(Debug, Clone)]
struct Service {
    store: Store,
    /// How much is being worked on.
    pressure: Pressure,
    /// The searches that go on from one request to the next.
    searches: Open,
    /// Ends with the last of its clones.
    _housekeeper: Arc<Housekeeper>,
}

/// What looks for old and idle things, until it is dropped.
#[derive(Debug)]
struct Housekeeper(JoinHandle<()>);

impl Drop for Housekeeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl FromRef<Service> for Store {
    fn from_ref(service: &Service) -> Self {
        service.store.clone()
    }
}

/// The API of a store; within a runtime. It is served by whoever bounds its connections and refuses what
/// pages in browsers send: nothing here asks for a password.
pub fn router(store: Store) -> Router {
    let searches = Open::default();
    let housekeeper = tokio::spawn(keep_house(store.clone(), searches.clone()));
    let service = Service {
        store,
        pressure: Pressure::default(),
        searches,
        _housekeeper: Arc::new(Housekeeper(housekeeper)),
    };
    Router::new()
        .merge(cluster::routes())
        .merge(bulk::routes())
        .merge(documents::routes())
        .merge(indices::routes())
        .merge(search::routes())
        .fallback(answer::no_handler)
        .layer(from_fn(answer::finish))
        .with_state(service)
}

async fn keep_house(store: Store, searches: Open) {
    let mut times = tokio::time::interval(HOUSEKEEPING);
    loop {
        times.tick().await;
        let (store, searches) = (store.clone(), searches.clone());
        let work = move || {
            searches.keep_house();
            store.keep_house();
        };
        // Fails only while the runtime is being shut down.
        drop(tokio::task::spawn_blocking(work).await);
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
