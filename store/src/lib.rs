//! An embedded document store: tantivy behind a subset of Elasticsearch's HTTP API, for when one
//! machine is enough. Going from here to a cluster is a change of URL.
//!
//! Promises: what a request is answered for is on disk, an id is in an index once, and what is not
//! supported is refused by name, in Elasticsearch's words. Memory is bounded: see [`index`].
//!
//! Rooms, each of which uses only those above it:
//!
//! - [`error`], [`attempt`], [`disk`], [`params`]: refusals, work that may panic, files that are not tantivy's,
//!   what stands behind a `?`
//! - [`mapping`]: which fields there are, and of which kind
//! - [`index`]: one index: documents, ids, the writer
//! - [`catalog`]: all of them, templates, retention
//! - [`query`], [`aggregation`], [`search`]: what is asked, what is computed over it, how it is found
//! - [`http`]: the API

pub mod aggregation;
pub mod attempt;
pub mod catalog;
pub mod disk;
pub mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod index;
pub mod json;
pub mod mapping;
pub mod params;
pub mod query;
pub mod search;

pub use catalog::{Store, StoreOptions};
pub use error::{ApiError, StoreError};
pub use http::router;
