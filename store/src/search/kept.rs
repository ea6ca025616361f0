//! What aggregations came to in a segment. A segment does not change, so it is the same the next time: who looks at
//! the same figures again and again has only what is new computed. Where every document of it is a hit, it does not
//! even matter what was searched for.
//!
//! Each aggregation is kept by itself: the next request may have some of them, and others beside them. What larger
//! segments come to together is kept as well: there are few of these, they change seldom, and adding up thousands of
//! buckets of each of them would take longer than all that is new.
//!
//! It is kept for all indices of the process together, whose segments have random ids of 128 bits, so that
//! there is one bound on its memory.

use std::collections::HashMap;
use std::fmt::{self, Debug, Write as _};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tantivy::SegmentReader;
use tantivy::aggregation::agg_req::Aggregations as TantivyAggregations;
use tantivy::aggregation::intermediate_agg_result::{
    IntermediateAggregationResult, IntermediateAggregationResults,
};
use tantivy::index::SegmentId;

use crate::aggregation::{Aggregations, Kind};

/// Smaller segments are computed as quickly as they are looked up, and are merged soon. (In tests of this crate,
/// which have few documents, all are kept, so that these are tests of this as well.)
const SMALLEST: u32 = if cfg!(test) { 1 } else { 1_000 };
/// From so many documents on, segments are kept together as well.
const LARGE: u32 = if cfg!(test) { 100 } else { 20_000 };
/// All that is kept, in bytes.
const MOST: usize = 128 << 20;

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Kept {
    parts: HashMap<Key, Part>,
    bytes: usize,
    /// How often it was asked, which is the time by which parts are old.
    asked: u64,
}

/// Of which segments, and what.
type Key = (Box<[SegmentId]>, Arc<str>);

struct Part {
    result: Arc<IntermediateAggregationResult>,
    bytes: usize,
    last: u64,
}

/// The aggregations of a search, each as it is told from others.
pub struct Question(Vec<Asked>);

/// One of them.
struct Asked {
    /// What tantivy calls it.
    name: String,
    /// What tells it from others: in segments of which every document is a hit, and in others. Nothing where it is
    /// of the moment at which it is asked, or of all that is searched.
    texts: Option<[Arc<str>; 2]>,
}

impl Question {
    /// What is computed, as it was asked and as it is planned for an index, of what `query` finds.
    pub fn of(asked: &Aggregations, planned: &TantivyAggregations, query: &str) -> Self {
        let mut all = Vec::with_capacity(planned.len());
        for (name, plan) in planned {
            // Filters are planned one by one, each as number and number.
            let mut numbers = name.splitn(2, '_').map(str::parse::<usize>);
            let one = numbers.next().and_then(|at| asked.0.get(at.ok()?));
            let of_kind = match one.map(|one| &one.kind) {
                Some(Kind::Filters(filters)) => {
                    let filter = numbers.next().and_then(|at| filters.get(at.ok()?));
                    filter.map(|(_, filter)| format!("{filter:?}"))
                }
                kind => kind.map(|kind| format!("{kind:?}")),
            };
            let of_plan = serde_json::to_value(plan).map(|mut plan| {
                plan.sort_all_objects();
                plan.to_string()
            });
            let texts = match (of_kind, one, of_plan) {
                (Some(kind), Some(one), Ok(plan)) => {
                    texts(&format!("{kind}\n{:?}\n{plan}", one.below), query)
                }
                _ => None,
            };
            all.push(Asked { name: name.clone(), texts });
        }
        Self(all)
    }

    /// What is known of them in these segments together, each of which [`is_kept`], and the names of the others.
    pub fn known(
        &self,
        segments: &[Seen<'_>],
    ) -> (Vec<(&str, Arc<IntermediateAggregationResult>)>, Vec<&str>) {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let mut kept = lock();
        kept.asked += 1;
        let asked = kept.asked;
        for one in &self.0 {
            let part = one.key(segments).and_then(|key| kept.parts.get_mut(&key));
            match part {
                Some(part) => {
                    part.last = asked;
                    known.push((one.name.as_str(), Arc::clone(&part.result)));
                }
                None => unknown.push(one.name.as_str()),
            }
        }
        (known, unknown)
    }

    /// Keeps what some of them came to.
    pub fn keep(&self, segments: &[Seen<'_>], results: &IntermediateAggregationResults) {
        for one in &self.0 {
            let Some(result) = results.get(&one.name) else { continue };
            let Some(key) = one.key(segments) else { continue };
            let bytes = key.1.len().saturating_add(size(result));
            if bytes > MOST / 8 {
                continue;
            }
            let (result, mut kept) = (Arc::new(result.clone()), lock());
            let last = kept.asked;
            kept.bytes += bytes;
            if let Some(before) = kept.parts.insert(key, Part { result, bytes, last }) {
                kept.bytes -= before.bytes;
            }
            if kept.bytes > MOST {
                kept.forget();
            }
        }
    }
}

impl Asked {
    /// Where all is found in each of the segments, it does not matter what was searched for.
    fn key(&self, segments: &[Seen<'_>]) -> Option<Key> {
        let [whole, part] = self.texts.as_ref()?;
        let is_whole = segments.iter().all(|seen| seen.is_whole);
        let ids = segments.iter().map(|seen| seen.segment.segment_id()).collect();
        Some((ids, Arc::clone(if is_whole { whole } else { part })))
    }
}

fn texts(asked: &str, query: &str) -> Option<[Arc<str>; 2]> {
    let is_of_the_moment = asked.contains("\"now") || asked.contains("Calendar(");
    (!is_of_the_moment).then(|| [Arc::from(asked), Arc::from(format!("{asked}\n{query}"))])
}

/// A segment, and whether every document of it is found.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The segment.
    pub segment: &'a SegmentReader,
    /// Its number among those of its index.
    pub number: u32,
    /// Whether every document of it is found.
    pub is_whole: bool,
}

impl Seen<'_> {
    /// Whether it is kept with others as well.
    pub fn is_large(&self) -> bool {
        self.segment.max_doc() >= LARGE
    }
}

/// Whether it is worth while to keep what something comes to in a segment.
pub fn is_kept(segment: &SegmentReader) -> bool {
    segment.max_doc() >= SMALLEST && !segment.has_deletes()
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

/// How much memory something takes, about: what it has in it is found in its text, which is not made.
fn size(value: &impl Debug) -> usize {
    struct Counted(usize);
    impl fmt::Write for Counted {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            // Each stands in a table of its bucket, with room beside it.
            let is_one = matches!(text, "Metric" | "Bucket");
            self.0 += text.len()
                + if is_one { 2 * size_of::<(String, IntermediateAggregationResult)>() } else { 0 };
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // What could not be counted is too large to be kept.
    write!(counted, "{value:?}").map_or(usize::MAX, |()| counted.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

    use serde_json::{Value, json};
    use tantivy::aggregation::intermediate_agg_result::IntermediateBucketResult;
    use tempfile::TempDir;

    use super::*;
    use crate::catalog::{Store, StoreOptions, Wanted};
    use crate::index::Operation;
    use crate::params::Params;
    use crate::search::request::SearchRequest;
    use crate::search::run;

    fn add(store: &Store, numbers: std::ops::Range<u32>) {
        let index = store.index_or_new("i").unwrap();
        let documents = numbers.map(|number| {
            let text = json!({ "@timestamp": number, "n": number, "k": number % 3 }).to_string();
            let body = Arc::new(text);
            let id = number.to_string();
            let document = index.read(&body, 0..body.len(), &id, &index.mapping()).unwrap();
            Operation::Create(document)
        });
        index.submit(documents.collect()).unwrap().wait().unwrap();
    }

    /// The sum of numbers from `from` on in each class; it is kept where a segment has all of them.
    fn sums(store: &Store, from: u32) -> Vec<(Value, Value)> {
        let body = json!({
            "size": 0, "track_total_hits": true, "query": { "range": { "n": { "gte": from } } },
            "aggs": { "k": { "terms": { "field": "k", "order": { "_key": "asc" } },
                "aggs": { "n": { "sum": { "field": "n" } } } } }
        });
        let request =
            SearchRequest::parse(body.to_string().as_bytes(), &Params::default()).unwrap();
        let view = run::view(store.resolve("i", Wanted::default()).unwrap()).unwrap();
        let found = run::search(&request, &view, None).unwrap().answer.aggregations.unwrap();
        let buckets = found["k"]["buckets"].as_array().unwrap().clone();
        buckets
            .into_iter()
            .map(|bucket| (bucket["key"].clone(), bucket["n"]["value"].clone()))
            .collect()
    }

    fn expected(numbers: std::ops::Range<u32>) -> Vec<(Value, Value)> {
        let class = |class| numbers.clone().filter(move |number| number % 3 == class).sum::<u32>();
        (0..3).map(|of| (json!(of), json!(f64::from(class(of))))).collect()
    }

    #[test]
    fn what_is_kept_is_what_is_computed_and_what_is_new_is_computed() {
        let directory = TempDir::new().unwrap();
        let (max_age, max_bytes) = (None, None);
        let place = directory.path().to_owned();
        let store = Store::open(StoreOptions { directory: place, max_age, max_bytes }).unwrap();
        add(&store, 0..300);
        let parts = || lock().parts.len();
        let before = parts();
        assert_eq!(sums(&store, 0), expected(0..300));
        assert!(parts() > before, "it is kept");
        assert_eq!(sums(&store, 0), expected(0..300), "as it was computed");
        let before = parts();
        assert_eq!(sums(&store, 7), expected(7..300), "of a part it is computed");
        assert!(parts() > before, "and kept");
        assert_eq!(sums(&store, 7), expected(7..300), "for that part");
        assert_eq!(sums(&store, 8), expected(8..300), "and for no other");
        add(&store, 300..310);
        assert_eq!(sums(&store, 0), expected(0..310));
        assert_eq!(sums(&store, 305), expected(305..310));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_is_forgotten_first() {
        let mut kept = Kept::default();
        for last in 1..=10 {
            let filter = IntermediateBucketResult::Filter {
                doc_count: last,
                sub_aggregations: IntermediateAggregationResults::default(),
            };
            let result = Arc::new(IntermediateAggregationResult::Bucket(filter));
            let key = (Box::from([SegmentId::generate_random()]), Arc::from(last.to_string()));
            kept.parts.insert(key, Part { result, bytes: 7, last });
        }
        kept.forget();
        assert_eq!((kept.parts.len(), kept.bytes), (4, 28));
        assert!(kept.parts.values().all(|part| part.last > 6));
    }
}
