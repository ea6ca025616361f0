//! Elasticsearch and OpenSearch, for whoever asks them: the [`Client`] and its nodes, the [`Problem`]s
//! that they answer with, the names of indices, and their template.
//!
//! It knows nothing of deliveries: what is written is the matter of [`crate::collector`].

mod access;
mod client;
mod names;
mod nodes;
mod problem;
mod settings;
mod streams;
mod template;
mod way;

pub use access::way_beside;
pub use client::{Client, Fault, ServerInfo};
pub use elasticsearch::http::Method;
pub use names::{
    Clock, IndexNames, IndexPattern, IndexPeriod, NameRules, OTHER_DATASET, Place, Share,
    check_name,
};
pub(crate) use problem::request_problem;
pub use problem::{Cause, Problem, Room};
pub use settings::{ELASTICSEARCH_SETTINGS, ElasticsearchSettings};
pub(crate) use streams::with_stream;
pub(crate) use template::is_installed;
pub use template::{
    Installed, Lifecycle, TEMPLATE_VERSION, TemplateOptions, index_template, install,
    outlier_template, outlier_template_name, policy_of, version_of,
};
pub use way::{Reply, Way};
