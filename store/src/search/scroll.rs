//! What lives between requests: scrolls, page by page through all hits, and points in time.
//!
//! Both keep indices as they were; their number and their life are bounded. A store that is started
//! again knows none of them, as an Elasticsearch that is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::collect::Ranked;
use super::request::SearchRequest;
use super::run::View;
use crate::error::ApiError;
use crate::query::illegal;

/// As `search.max_open_scroll_context`.
const MOST: usize = 500;
/// What the requests of all of them may have, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// Searches that run at the same time; others wait, so that memory is bounded.
const MOST_AT_ONCE: usize = 4;
/// As `search.max_keep_alive`.
const LONGEST: Duration = Duration::from_hours(24);

/// All that are open. Clones are the same.
#[derive(Debug, Clone)]
pub struct Open {
    kept: Arc<Mutex<HashMap<String, Kept>>>,
    room: Arc<Semaphore>,
}

impl Default for Open {
    fn default() -> Self {
        Self { kept: Arc::default(), room: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The indices as they were.
    pub view: Arc<View>,
    /// What a scroll asks for; a point in time asks for nothing.
    pub request: Option<Arc<SearchRequest>>,
    /// Where a scroll is.
    pub last: Option<Ranked>,
    ends: Instant,
    /// Of the body that its request was read from.
    bytes: usize,
}

impl Open {
    /// Keeps something; the name it is asked for by.
    ///
    /// # Errors
    /// 429 when there are too many; 400 when it shall live too long.
    pub fn keep(
        &self,
        view: Arc<View>,
        scroll: Option<(Arc<SearchRequest>, Option<Ranked>)>,
        (life, bytes): (Duration, usize),
    ) -> Result<String, ApiError> {
        let ends = end(life)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.retain(|_, one| one.ends > now);
        if kept.len() >= MOST {
            return Err(ApiError::new(
                429,
                "rejected_execution_exception",
                format!(
                    "Trying to create too many scroll contexts. Must be less than or equal to: [{MOST}]. This limit can be set by changing the [search.max_open_scroll_context] setting."
                ),
            ));
        }
        if kept.values().map(|one| one.bytes).sum::<usize>() + bytes > MOST_BYTES {
            return Err(ApiError::new(
                429,
                "rejected_execution_exception",
                format!(
                    "the requests of all scrolls together have more than {MOST_BYTES} bytes; end those that are not needed (DELETE _search/scroll)"
                ),
            ));
        }
        let (request, last) = scroll.map_or((None, None), |(request, last)| (Some(request), last));
        let id = format!("{:032x}", rand::random::<u128>());
        kept.insert(id.clone(), Kept { view, request, last, ends, bytes });
        Ok(id)
    }

    /// What was kept under a name; it lives on for so long.
    ///
    /// # Errors
    /// 404 when it is not there, or no longer.
    pub fn find(&self, id: &str, life: Option<Duration>) -> Result<Kept, ApiError> {
        let ends = life.map(end).transpose()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.retain(|_, one| one.ends > now);
        let one = kept.get_mut(id).ok_or_else(|| {
            ApiError::new(
                404,
                "search_context_missing_exception",
                format!("No search context found for id [{id}]"),
            )
        })?;
        if let Some(ends) = ends {
            one.ends = one.ends.max(ends);
        }
        Ok(one.clone())
    }

    /// Remembers how far a scroll is.
    pub fn advance(&self, id: &str, last: Ranked) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = kept.get_mut(id) {
            one.last = Some(last);
        }
    }

    /// Lets go of those that are named; how many there were.
    pub fn close(&self, ids: &[String]) -> usize {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.iter().any(|id| id == "_all") {
            return kept.drain().count();
        }
        ids.iter().filter(|id| kept.remove(*id).is_some()).count()
    }

    /// Waits until there is room for a search.
    ///
    /// # Errors
    /// 503 while the store is being stopped.
    pub async fn room(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        room.map_err(|_| ApiError::unavailable("the store is being stopped"))
    }

    /// Lets go of what has lived long enough.
    pub fn keep_house(&self) {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, one| one.ends > now);
    }
}

fn end(life: Duration) -> Result<Instant, ApiError> {
    if life > LONGEST {
        return Err(illegal(
            "Keep alive for request is too large. It must be less than (1d). This limit can be set by changing the [search.max_keep_alive] cluster level setting.",
        ));
    }
    Ok(Instant::now() + life)
}
