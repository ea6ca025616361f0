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

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use tokio::task::JoinHandle;

use self::answer::Answer;
use self::body::Pressure;
use crate::attempt::{Stop, attempt};
use crate::catalog::Store;
use crate::error::ApiError;
use crate::search::scroll::Open;

/// Indices that are written at the same time; each needs memory and threads.
const MOST_WRITERS: usize = 8;
/// Bodies that are being worked on, in bytes.
const MOST_BODIES: usize = 64 << 20;
/// Answers that are being made or sent, in bytes: who asks may be slow to read them.
const MOST_ANSWERS: usize = 128 << 20;
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
        pressure: Pressure::new(MOST_BODIES),
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
        .layer(from_fn_with_state(Pressure::new(MOST_ANSWERS), answer::finish))
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
    background(work).await?
}

/// The same for any work. A panic in it is an error, and it ends where it looks when nobody waits for it.
async fn background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let stop = Stop::default();
    // The client goes, and this with it.
    let _waiting = stop.when_dropped();
    match tokio::task::spawn_blocking(move || attempt(&stop, work)).await {
        Ok(done) => done.map_err(ApiError::from),
        Err(_) => Err(ApiError::unavailable("the store is being stopped")),
    }
}

/// What an answer becomes; where making it panics, an error.
async fn unharmed(answer: impl Future<Output = Response>) -> Result<Response, ApiError> {
    let mut answer = pin!(answer);
    poll_fn(|context| match attempt(&Stop::default(), || answer.as_mut().poll(context)) {
        Ok(answer) => answer.map(Ok),
        Err(ended) => Poll::Ready(Err(ended.into())),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

    use super::*;
    use crate::attempt::look;

    #[tokio::test]
    async fn a_panic_for_a_request_refuses_it_and_nothing_else() {
        let panicking = || -> Result<Answer, ApiError> { panic!("in the middle") };
        let refused = in_background(panicking).await.unwrap_err();
        assert_eq!((refused.status, refused.kind), (500, "internal_error"));
        let refused = unharmed(async { panic!("at the beginning") }).await.unwrap_err();
        assert!(refused.reason.contains("at the beginning"), "{}", refused.reason);
        assert!(in_background(|| Ok(Answer::nothing(200))).await.is_ok());
    }

    #[tokio::test]
    async fn who_goes_stops_the_work() {
        let (begun, has_begun) = sync_channel(1);
        let (ended, has_ended) = sync_channel(1);
        let request = tokio::spawn(in_background(move || {
            let _ended = ended;
            begun.send(()).unwrap();
            loop {
                look();
                std::thread::yield_now();
            }
        }));
        let wait = |it: Receiver<()>| {
            tokio::task::spawn_blocking(move || it.recv_timeout(Duration::from_secs(30)))
        };
        wait(has_begun).await.unwrap().unwrap();
        request.abort();
        let why = wait(has_ended).await.unwrap().unwrap_err();
        assert_eq!(why, RecvTimeoutError::Disconnected);
    }
}
