//! What aggregations came to in segments of which every document is a hit. A segment does not change, so it is
//! the same the next time: who looks at the same figures again and again has only what is new computed.
//!
//! It is kept for all indices of the process together, whose segments have random ids of 128 bits, so that
//! there is one bound on its memory.

use std::collections::HashMap;
use std::fmt::{self, Debug, Write as _};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tantivy::SegmentReader;
use tantivy::aggregation::agg_req::Aggregations as TantivyAggregations;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::index::SegmentId;

use crate::aggregation::Aggregations;

/// Smaller segments are computed as quickly as they are looked up, and are merged soon. (In tests of this crate,
/// which have few documents, all are kept, so that these are tests of this as well.)
const SMALLEST: u32 = if cfg!(test) { 1 } else { 20_000 };
/// All that is kept, in bytes of its text, which are more than it has in memory.
const MOST: usize = 64 << 20;

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Kept {
    parts: HashMap<(SegmentId, Arc<str>), Part>,
    bytes: usize,
    /// How often it was asked, which is the time by which parts are old.
    asked: u64,
}

struct Part {
    results: Arc<IntermediateAggregationResults>,
    bytes: usize,
    last: u64,
}

/// The aggregations of a search, as they tell parts from one another.
pub struct Question(Option<Arc<str>>);

impl Question {
    /// What is computed, as it was asked and as it is planned for an index. Nothing is kept of what is of the
    /// moment at which it is asked, or of all that is searched.
    pub fn of(asked: &Aggregations, planned: &TantivyAggregations) -> Self {
        let mut planned = serde_json::to_value(planned).unwrap_or(Value::Null);
        planned.sort_all_objects();
        let text = format!("{asked:?}\n{planned}");
        let is_of_the_moment = text.contains("now") || text.contains("Calendar");
        Self((!is_of_the_moment && !planned.is_null()).then(|| Arc::from(text)))
    }

    fn key(&self, segment: &SegmentReader) -> Option<(SegmentId, Arc<str>)> {
        let is_kept = segment.max_doc() >= SMALLEST && !segment.has_deletes();
        self.0.clone().filter(|_| is_kept).map(|text| (segment.segment_id(), text))
    }

    /// What it came to in a segment of which every document is a hit.
    pub fn known(&self, segment: &SegmentReader) -> Option<Arc<IntermediateAggregationResults>> {
        let key = self.key(segment)?;
        let mut kept = lock();
        kept.asked += 1;
        let asked = kept.asked;
        let part = kept.parts.get_mut(&key)?;
        part.last = asked;
        Some(Arc::clone(&part.results))
    }

    /// Keeps what it came to.
    pub fn keep(&self, segment: &SegmentReader, results: &IntermediateAggregationResults) {
        let Some(key) = self.key(segment) else { return };
        let bytes = key.1.len().saturating_add(size(results));
        if bytes > MOST / 8 {
            return;
        }
        let mut kept = lock();
        let (results, last) = (Arc::new(results.clone()), kept.asked);
        kept.bytes += bytes;
        if let Some(before) = kept.parts.insert(key, Part { results, bytes, last }) {
            kept.bytes -= before.bytes;
        }
        if kept.bytes > MOST {
            kept.forget();
        }
    }
}

impl Kept {
    /// Forgets the older half.
    fn forget(&mut self) {
        let mut ages: Vec<u64> = self.parts.values().map(|part| part.last).collect();
        ages.sort_unstable();
        let middle = ages.get(ages.len() / 2).copied().unwrap_or_default();
        self.parts.retain(|_, part| part.last > middle);
        self.bytes = self.parts.values().map(|part| part.bytes).sum();
    }
}

fn lock() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long something is as a text, which is not made.
fn size(value: &impl Debug) -> usize {
    struct Counted(usize);
    impl fmt::Write for Counted {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // What could not be counted is too large to be kept.
    write!(counted, "{value:?}").map_or(usize::MAX, |()| counted.0)
}
