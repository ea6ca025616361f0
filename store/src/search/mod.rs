//! Searching: from a request to hits.
//!
//! - [`request`]: what is asked for
//! - `sort`, `criteria`, `rank`: what hits are sorted by, for indices, and for segments
//! - `collect`: gathers the first hits of a segment
//! - `computed`: aggregations, segment by segment
//! - `kept`: what aggregations came to in segments that have not changed
//! - [`run`]: all indices together
//! - [`source`]: what of a document is sent back
//! - [`scroll`]: page by page, and points in time
//! - [`answer`]: what comes back
//!
//! A search reads what was committed when it began. What it may cost is bounded: by the window of
//! hits, by the memory and the buckets of aggregations, and by time.

pub mod answer;
mod collect;
mod computed;
mod criteria;
mod fields;
mod kept;
mod rank;
pub mod request;
pub mod run;
pub mod scroll;
mod sort;
pub mod source;
mod until;
