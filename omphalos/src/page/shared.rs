//! What many ask at the same time is asked once, and is the answer for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::problem::Problem;
use super::reply::Reply;

/// So many different questions are remembered.
const MOST: usize = 64;

/// Answers of the last moments.
#[derive(Default)]
pub struct Shared(Mutex<HashMap<String, Arc<Answered>>>);

struct Answered {
    asked: Instant,
    answer: OnceCell<Result<Reply, Problem>>,
}

impl Shared {
    /// The answer to the question `key` that is not older than `fresh`, or else what `ask` finds out.
    ///
    /// # Errors
    /// What `ask` says.
    pub async fn answer(
        &self,
        key: String,
        fresh: Duration,
        ask: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        let answered = self.entry(key, fresh);
        answered.answer.get_or_init(|| ask).await.clone()
    }

    fn entry(&self, key: String, fresh: Duration) -> Arc<Answered> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answered) = known.get(&key).filter(|answered| answered.asked.elapsed() < fresh)
        {
            return Arc::clone(answered);
        }
        if known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, answered)| answered.asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                known.remove(&oldest);
            }
        }
        let answered = Arc::new(Answered { asked: Instant::now(), answer: OnceCell::new() });
        known.insert(key, Arc::clone(&answered));
        answered
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn what_many_ask_at_once_is_asked_once_and_again_when_it_is_old() {
        let (shared, asked) = (Shared::default(), AtomicUsize::new(0));
        let ask = |key: &str, fresh| {
            shared.answer(key.to_owned(), fresh, async {
                tokio::task::yield_now().await;
                Reply::json(&asked.fetch_add(1, Ordering::Relaxed))
            })
        };
        let minute = Duration::from_mins(1);
        let answers = join_all((0..100).map(|_| ask("a", minute))).await;
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().body == "0"));
        assert_eq!(ask("b", minute).await.unwrap().body, "1");
        assert_eq!(ask("a", Duration::ZERO).await.unwrap().body, "2");
        for number in 0..200 {
            ask(&number.to_string(), minute).await.unwrap();
        }
        assert!(shared.0.lock().unwrap().len() <= MOST);
    }
}
