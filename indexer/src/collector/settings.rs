//! The `[bulk]` and `[index]` tables: how documents are gathered, and what the indices are called that
//! they go to.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use glob::Pattern;
use omphalos_common::config::{About, ConfigError, Kind, Period, Setting, Size};
use serde::Deserialize;

use crate::elasticsearch::{
    IndexPattern, IndexPeriod, Lifecycle, NameRules, Share, TemplateOptions, check_name,
};

/// The rows of the `[bulk]` table.
pub const BULK_SETTINGS: &[Setting] = &[
    Setting::new("bulk.bytes", Kind::Size, "A bulk is sent when it has this many bytes.")
        .default("5MiB"),
    Setting::new(
        "bulk.documents",
        Kind::Integer,
        "A bulk is sent when it has this many documents.",
    )
    .default("10000"),
    Setting::new(
        "bulk.flush_interval",
        Kind::Period,
        "A bulk is sent at the latest this long after its first document.",
    )
    .default("100ms"),
    Setting::new(
        "bulk.concurrency",
        Kind::Integer,
        "At most this many bulks are in flight; fewer while the cluster is busy.",
    )
    .default("4"),
    Setting::new("bulk.gzip", Kind::Switch, "Compress requests, for slow networks.")
        .default("false"),
];

/// The rows of the `[index]` table.
pub const INDEX_SETTINGS: &[Setting] = &[
    Setting::new("index.prefix", Kind::Text, "Indices are named PREFIX-DATASET-DATE.")
        .default("omphalos")
        .about(About::Place),
    Setting::new(
        "index.naming",
        Kind::Choice(&["dated", "data_stream"]),
        "Indices named by their date, or data streams logs-DATASET-NAMESPACE, as Elastic's own dashboards expect them; there, a line that is sent again after a rollover is indexed once more. The embedded store has no data streams.",
    )
    .default("dated")
    .about(About::Place),
    Setting::new(
        "index.namespace",
        Kind::Text,
        "The last part of the names of data streams. Other programs may write to those of default too.",
    )
    .default("default")
    .about(About::Place),
    Setting::new(
        "index.period",
        Kind::Choice(&["day", "week", "month", "none"]),
        "How much event time one index covers. After a change, an old line that is sent again is indexed once more, in the new index.",
    )
    .default("day")
    .about(About::Identity),
    Setting::new(
        "index.outlier_past_days",
        Kind::Integer,
        "Documents older than this many days go to PREFIX-DATASET-outlier, so that wrong dates do not create thousands of indices.",
    )
    .default("400")
    .about(About::Identity),
    Setting::new("index.outlier_future_days", Kind::Integer, "So do documents dated more than this many days ahead.")
        .default("1")
        .about(About::Identity),
    Setting::new(
        "index.datasets",
        Kind::List,
        "Datasets that have indices of their own, as patterns with * and ?; documents of others go to PREFIX-other-DATE.",
    )
    .default("*")
    .about(About::Identity),
    Setting::new(
        "index.foreign_datasets",
        Kind::List,
        "The same for documents from other producers, and of datagrams that are not sealed: names that they invent must not make indices without end. consume.default_dataset has its own in any case.",
    )
    .default("access,json,raw")
    .about(About::Identity),
    Setting::new(
        "index.foreign_past_days",
        Kind::Integer,
        "Of those, documents older than this many days go to PREFIX-DATASET-outlier.",
    )
    .default("30")
    .about(About::Identity),
    Setting::new("index.template", Kind::Switch, "Install the index template with the ECS mapping.")
        .default("true"),
    Setting::new("index.shards", Kind::Integer, "Primary shards of each new index.").default("1"),
    Setting::new("index.replicas", Kind::Integer, "Replicas of each new index; the cluster's default if not set."),
    Setting::new("index.refresh_interval", Kind::Period, "How soon after it is indexed a document can be found; the cluster's default if not set. A longer one makes indexing cheaper. The embedded store finds at once what is there."),
];

/// The `[bulk]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct BulkSettings {
    pub bytes: Size,
    pub documents: u32,
    pub flush_interval: Period,
    pub concurrency: u32,
    pub gzip: bool,
}

/// What documents are filed in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum IndexNaming {
    /// Indices with a date in their names.
    Dated,
    /// Data streams.
    DataStream,
}

/// The `[index]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct IndexSettings {
    pub prefix: String,
    pub naming: IndexNaming,
    pub namespace: String,
    pub period: IndexPeriod,
    pub outlier_past_days: u32,
    pub outlier_future_days: u32,
    pub datasets: Vec<String>,
    pub foreign_datasets: Vec<String>,
    pub foreign_past_days: u32,
    pub template: bool,
    pub shards: u32,
    pub replicas: Option<u32>,
    pub refresh_interval: Option<Period>,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            bytes: Size(5 * 1024 * 1024),
            documents: 10_000,
            flush_interval: Period(Duration::from_millis(100)),
            concurrency: 4,
            gzip: false,
        }
    }
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self {
            prefix: "omphalos".to_owned(),
            naming: IndexNaming::Dated,
            namespace: "default".to_owned(),
            period: IndexPeriod::Day,
            outlier_past_days: 400,
            outlier_future_days: 1,
            datasets: vec!["*".to_owned()],
            foreign_datasets: ["access", "json", "raw"].map(str::to_owned).to_vec(),
            foreign_past_days: 30,
            template: true,
            shards: 1,
            replicas: None,
            refresh_interval: None,
        }
    }
}

const BULK_BYTES: RangeInclusive<u64> = 16 * 1024..=100 * 1024 * 1024;

impl BulkSettings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |text: String| Err(ConfigError::invalid(text));
        if !BULK_BYTES.contains(&self.bytes.0) {
            return refuse(format!("bulk.bytes: expected 16KiB to 100MiB, found {}", self.bytes));
        }
        if self.documents == 0 || self.concurrency == 0 {
            return refuse(
                "bulk.documents and bulk.concurrency: expected at least 1, found 0".to_owned(),
            );
        }
        if self.concurrency > 64 {
            return refuse(format!(
                "bulk.concurrency: expected 1 to 64, found {}",
                self.concurrency
            ));
        }
        Ok(())
    }
}

impl IndexSettings {
    /// Checks what a type cannot express.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_name("index.prefix", &self.prefix)?;
        check_name("index.namespace", &self.namespace)?;
        if self.namespace.contains('-') {
            return Err(ConfigError::invalid(format!(
                "index.namespace: a dash would end it in the names of data streams, found {:?}",
                self.namespace
            )));
        }
        patterns("index.datasets", &self.datasets)?;
        patterns("index.foreign_datasets", &self.foreign_datasets)?;
        match self.shards {
            0 => Err(ConfigError::invalid("index.shards: expected at least 1, found 0")),
            _ => Ok(()),
        }
    }

    /// How indices are named. Of `default_dataset` there is always one.
    ///
    /// # Errors
    /// When a setting cannot be used; the message names it.
    pub fn name_rules(&self, default_dataset: &str) -> Result<NameRules, ConfigError> {
        Ok(NameRules {
            prefix: self.prefix.clone(),
            period: self.period,
            own: Share {
                datasets: patterns("index.datasets", &self.datasets)?,
                past_days: self.outlier_past_days,
            },
            foreign: Share {
                datasets: patterns("index.foreign_datasets", &self.foreign_datasets)?,
                past_days: self.foreign_past_days,
            },
            always: vec![Arc::from(default_dataset)],
            future_days: self.outlier_future_days,
            namespace: self.namespace().map(str::to_owned),
        })
    }

    /// The namespace of the data streams; `None` where documents go to indices.
    pub fn namespace(&self) -> Option<&str> {
        match self.naming {
            IndexNaming::Dated => None,
            IndexNaming::DataStream => Some(&self.namespace),
        }
    }

    /// What is searched for all documents.
    pub fn pattern(&self) -> IndexPattern {
        self.namespace().map_or_else(|| IndexPattern::dated(&self.prefix), IndexPattern::of_streams)
    }

    /// Refuses what the embedded store does not have.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check_for_store(&self) -> Result<(), ConfigError> {
        match self.naming {
            IndexNaming::Dated => Ok(()),
            IndexNaming::DataStream => Err(ConfigError::invalid(
                "index.naming: the embedded store has no data streams; leave it at \"dated\", or name an Elasticsearch or OpenSearch with elasticsearch.url",
            )),
        }
    }

    /// What the template says of indices.
    pub fn template_options(&self) -> TemplateOptions {
        TemplateOptions {
            prefix: self.prefix.clone(),
            shards: self.shards,
            replicas: self.replicas,
            refresh: self.refresh_interval.map(|interval| interval.0),
            lifecycle: Lifecycle::AsItIs,
            namespace: self.namespace().map(str::to_owned),
        }
    }
}

/// The patterns of datasets in the setting `key`.
fn patterns(key: &str, texts: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    let read = |text: &String| {
        Pattern::new(text).map_err(|error| {
            ConfigError::invalid(format!(
                "{key}: expected names of datasets, perhaps with * and ?, found {text:?}: {}",
                error.msg
            ))
        })
    };
    texts.iter().map(read).collect()
}
