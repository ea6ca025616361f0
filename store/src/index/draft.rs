//! What one document adds to the mapping while it is read: it is mapped only if the document fits, as in
//! Elasticsearch, so that a refused one leaves nothing behind.

use std::cell::RefCell;
use std::sync::Arc;

use super::Index;
use super::reading::Learn;
use crate::error::ApiError;
use crate::mapping::{Guess, MappedField, Mapping};

/// A mapping, and the same with what a document adds.
struct Change {
    before: Arc<Mapping>,
    after: Arc<Mapping>,
    is_any: bool,
}

/// The mapping of an index, with what a document adds.
pub(super) struct Draft<'i> {
    index: &'i Index,
    /// Nothing until something is unknown, because hardly any document has new fields.
    change: RefCell<Option<Change>>,
}

impl<'i> Draft<'i> {
    pub(super) fn of(index: &'i Index) -> Self {
        Self { index, change: RefCell::new(None) }
    }

    /// The mapping before, and that with what is new, if anything is.
    pub(super) fn change(self) -> Option<(Arc<Mapping>, Arc<Mapping>)> {
        let change = self.change.into_inner().filter(|change| change.is_any)?;
        Some((change.before, change.after))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Change) -> T) -> T {
        let mut change = self.change.borrow_mut();
        work(change.get_or_insert_with(|| {
            let before = self.index.mapping();
            Change { after: Arc::clone(&before), before, is_any: false }
        }))
    }
}

impl Learn for Draft<'_> {
    fn learn(&self, path: &str, guess: Guess) -> Result<Option<MappedField>, ApiError> {
        self.with(|change| {
            if let Some(field) = change.after.field(path) {
                return Ok(Some(field.clone()));
            }
            if change.after.is_full() {
                return Ok(None);
            }
            let after = Arc::make_mut(&mut change.after);
            let has_changed = after.learn(path, guess)?.is_some();
            if has_changed {
                after.settle(&self.index.schema);
            }
            let learned = after.field(path).filter(|_| has_changed).cloned();
            change.is_any |= learned.is_some();
            Ok(learned)
        })
    }

    fn learn_object(&self, path: &str) -> Result<(), ApiError> {
        self.with(|change| {
            if !change.after.has_object(path) && !change.after.is_full() {
                change.is_any |= Arc::make_mut(&mut change.after).learn_object(path)?;
            }
            Ok(())
        })
    }
}
