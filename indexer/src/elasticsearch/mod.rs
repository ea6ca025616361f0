//! Elasticsearch and OpenSearch, for whoever asks them: the [`Client`] and its nodes, the [`Problem`]s
//! that they answer with, the names of indices, and their template.
//!
//! It knows nothing of deliveries: what is written is the matter of [`crate::collector`].

mod client;
mod names;
mod nodes;
mod problem;
mod settings;
mod template;
mod way;

pub use client::{Client, Fault, ServerInfo};
pub use names::{
    Clock, IndexNames, IndexPeriod, NameRules, OTHER_DATASET, Place, Share, check_name,
};
pub(crate) use problem::request_problem;
pub use problem::{Cause, Problem, Room};
pub use settings::{ELASTICSEARCH_SETTINGS, ElasticsearchSettings};
pub use template::{TemplateOptions, index_template};
pub(crate) use template::{install, is_installed};
