//! Elasticsearch and OpenSearch: requests ([`client`](Client)), bulks and the verdicts on them, the
//! index template, and how much is sent at once.

mod bulk;
mod client;
mod concurrency;
mod courier;
mod gate;
mod nodes;
mod reply;
mod template;

pub use bulk::{Bulk, BulkBuilder, DeliveryId, Filing};
pub use client::{Client, Fault, ServerInfo};
pub use concurrency::Concurrency;
pub use courier::{Courier, Done};
pub use gate::Gate;
pub use reply::Problem;
pub use template::{TemplateOptions, index_template};
