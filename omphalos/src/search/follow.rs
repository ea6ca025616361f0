//! What is new, each line once.
//!
//! Nothing in a document says when it was indexed, and lines are not indexed in the order of their
//! times. So the last minutes are looked at again and again: how many documents each second has, which
//! is one cheap request, and what is in those seconds that have more than are known. Of each known
//! document eight bytes are kept, within a bound; where that is too little, the window is shorter.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use omphalos_common::program::complain;
use omphalos_common::retry::Retry;
use omphalos_common::tell;
use omphalos_indexer::elasticsearch::Fault;

use super::answer::Hit;
use super::asking::{Asker, Order, Wanted};
use super::query::Query;

/// How far back something new may be dated.
const WINDOW_SECONDS: i64 = 600;
/// The most documents that are remembered.
pub const MOST_KNOWN: usize = 200_000;
/// Between two looks: documents can be found a second after they were indexed anyway.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of the documents of the last minutes.
struct Known {
    /// By the second that they are dated, hashes of their ids.
    seconds: BTreeMap<i64, HashSet<u64>>,
    count: usize,
    /// What is dated before is not looked at any more.
    floor: i64,
}

impl Known {
    /// Notes a document; false when it was known, or is too old to tell.
    fn insert(&mut self, hit: &Hit) -> bool {
        // What is asked for is of a certain time.
        let Some(second) = hit.millis().map(|millis| millis.div_euclid(1000)) else {
            return false;
        };
        if second < self.floor {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        hit.id.hash(&mut hasher);
        let is_new = self.seconds.entry(second).or_default().insert(hasher.finish());
        self.count += usize::from(is_new);
        is_new
    }

    fn of(&self, second: i64) -> u64 {
        self.seconds.get(&second).map_or(0, |known| known.len() as u64)
    }

    /// Forgets what is out of the window, and the oldest where there is too much.
    fn trim(&mut self, floor: i64) {
        self.floor = self.floor.max(floor);
        while let Some(oldest) = self.seconds.first_entry()
            && (*oldest.key() < self.floor || self.count > MOST_KNOWN)
        {
            self.floor = self.floor.max(*oldest.key() + 1);
            self.count -= oldest.remove().len();
        }
    }
}

/// That second, or the end of time that is nearer to it.
fn at(second: i64) -> Timestamp {
    let end = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(second).unwrap_or(end)
}

/// Prints the newest lines, and then, for ever, what is new.
pub struct Follower<'a> {
    asker: &'a Asker,
    query: &'a Query,
    known: Known,
    retry: Retry,
    /// Whether it was said that there is trouble.
    is_troubled: bool,
}

impl<'a> Follower<'a> {
    /// Has seen nothing yet.
    pub fn new(asker: &'a Asker, query: &'a Query) -> Self {
        let retry = Retry::new(Duration::from_millis(200), Duration::from_secs(5));
        let known = Known { seconds: BTreeMap::new(), count: 0, floor: i64::MIN };
        Self { asker, query, known, retry, is_troubled: false }
    }

    /// Gives documents to `show`, until that fails.
    ///
    /// # Errors
    /// What `show` says; and [`Fault`] for a query that cannot be answered.
    pub async fn run(
        mut self,
        limit: usize,
        mut show: impl FnMut(&Hit) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        // What is known first and shown then: what comes between is new, and not overlooked.
        let window = self.window();
        let wanted = Wanted { most: MOST_KNOWN, order: Order::Newest, sources: false };
        let mut oldest = None;
        let known = &mut self.known;
        let taken = self.asker.pages(&window, wanted, |page| {
            for hit in page {
                known.insert(&hit);
                oldest = hit.millis().map(|millis| millis.div_euclid(1000)).or(oldest);
            }
        });
        let total = taken.await?;
        let is_all = self.known.count as u64 >= total;
        self.known.trim(match oldest {
            // Of the oldest second some may be missing.
            Some(oldest) if !is_all => oldest + 1,
            _ => floor(),
        });
        let wanted = Wanted { most: limit, order: Order::Newest, sources: true };
        let (newest, _) = self.asker.documents(self.query, wanted).await?;
        for hit in newest.iter().rev() {
            self.known.insert(hit);
            show(hit)?;
        }
        drop(newest);
        loop {
            tokio::time::sleep(PAUSE).await;
            match self.look(&mut show).await? {
                Ok(()) => {
                    self.retry.reset();
                    if std::mem::take(&mut self.is_troubled) {
                        tell!("omphalos: {} answers again", self.asker.shown());
                    }
                }
                Err(problem) => {
                    if !std::mem::replace(&mut self.is_troubled, true) {
                        complain("omphalos", &format!("{problem}; trying again, for ever"));
                    }
                    tokio::time::sleep(self.retry.next_wait()).await;
                }
            }
        }
    }

    /// The query within the window.
    fn window(&self) -> Query {
        let from = self.known.floor.max(floor());
        let from = at(from);
        self.query.between(self.query.since.map_or(from, |since| since.max(from)), None)
    }

    /// Looks once. The inner error is one that may pass.
    async fn look(
        &mut self,
        show: &mut impl FnMut(&Hit) -> anyhow::Result<()>,
    ) -> anyhow::Result<Result<(), String>> {
        self.known.trim(floor());
        let counts = match self.asker.counts(&self.window(), 1).await {
            Ok(counts) => counts,
            Err(fault) => return passing(fault),
        };
        for (millis, count) in counts {
            let second = millis.div_euclid(1000);
            if second < self.known.floor || count <= self.known.of(second) {
                continue;
            }
            let from = self.query.since.map_or(at(second), |since| since.max(at(second)));
            let of_second = self.query.between(from, Some(at(second + 1)));
            let wanted = Wanted { most: usize::MAX, order: Order::Oldest, sources: true };
            let mut shown = Ok(());
            let known = &mut self.known;
            let paged = self.asker.pages(&of_second, wanted, |page| {
                for hit in page {
                    if shown.is_ok() && known.insert(&hit) {
                        shown = show(&hit);
                    }
                }
            });
            if let Err(fault) = paged.await {
                return passing(fault);
            }
            shown?;
        }
        Ok(Ok(()))
    }
}

fn floor() -> i64 {
    Timestamp::now().as_second() - WINDOW_SECONDS
}

/// The fault as text if it may pass, to be tried again; an error otherwise.
fn passing(fault: Fault) -> anyhow::Result<Result<(), String>> {
    match fault {
        Fault::Transient(problem) | Fault::Hold(problem) => Ok(Err(problem)),
        Fault::Full(..) => Ok(Err(fault.to_string())),
        fault => Err(fault.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: &str, millis: i64) -> Hit {
        serde_json::from_value(serde_json::json!({"_id": id, "sort": [millis]})).unwrap()
    }

    #[test]
    fn a_document_is_new_once_and_what_is_too_old_never() {
        let mut known = Known { seconds: BTreeMap::new(), count: 0, floor: 10 };
        assert!(known.insert(&hit("a", 10_500)));
        assert!(!known.insert(&hit("a", 10_500)));
        assert!(known.insert(&hit("b", 10_500)));
        assert!(!known.insert(&hit("c", 9_999)));
        assert_eq!((known.of(10), known.of(11), known.count), (2, 0, 2));
        known.trim(11);
        assert_eq!((known.of(10), known.count, known.floor), (0, 0, 11));
        assert!(!known.insert(&hit("a", 10_500)));
    }
}
