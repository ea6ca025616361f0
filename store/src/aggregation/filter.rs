//! A query in an aggregation, as tantivy wants it.
//!
//! Tantivy has its filters written down and read again, for aggregations over a network. Ours
//! never are: what would be read is a filter that nothing passes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::aggregation::bucket::QueryBuilder;
use tantivy::query::{EmptyQuery, Query};
use tantivy::schema::Schema;
use tantivy::tokenizer::TokenizerManager;

/// A query that is made already.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Made {
    #[serde(skip)]
    query: Option<Arc<dyn Query>>,
}

impl Made {
    /// A filter for what the query finds; without one, for nothing.
    pub(super) fn boxed(query: Option<Box<dyn Query>>) -> Box<dyn QueryBuilder> {
        Box::new(Self { query: query.map(Arc::from) })
    }
}

#[typetag::serde]
impl QueryBuilder for Made {
    fn build_query(&self, _: &Schema, _: &TokenizerManager) -> tantivy::Result<Box<dyn Query>> {
        Ok(self.query.as_ref().map_or_else(|| Box::new(EmptyQuery) as _, |made| made.box_clone()))
    }

    fn box_clone(&self) -> Box<dyn QueryBuilder> {
        Box::new(self.clone())
    }
}
