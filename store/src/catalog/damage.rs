//! Indices whose files are not what was written. Each is set aside by itself, as it is: the store goes on
//! with the others, and with a new index of the name, into which what its lines came from can be read
//! again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::thread;

use tracing::{error, warn};

use super::{Shared, Store};
use crate::attempt::{Stop, attempt};
use crate::error::StoreError;
use crate::index::Index;

/// The directory that damaged indices are moved to, below that of the store.
const DIRECTORY: &str = "damaged";

/// A place for an index that is damaged: a directory of its own, so that its name stays as it was.
fn place(store: &Path, name: &str) -> std::io::Result<PathBuf> {
    let moment = jiff::Timestamp::now().strftime("%Y-%m-%dT%H%M%S%.6fZ").to_string();
    let directory = store.join(DIRECTORY).join(moment);
    fs::create_dir_all(&directory)?;
    Ok(directory.join(name))
}

/// Says what became of an index, and what to do.
fn tell(name: &str, place: &Path, why: &StoreError) {
    let StoreError::Damaged { path, reason } = why else { return };
    error!(
        index = name,
        "index {name} is damaged ({}: {reason}) and was set aside: it is in {} now. What its log files still have comes back by `omphalos audit --repair`, the rest by `omphalos import`, or a copy of the store; then delete that directory",
        path.display(),
        place.display()
    );
}

/// Moves an index away that could not be opened.
pub(super) fn move_away(store: &Path, name: &str, why: &StoreError) -> Result<(), StoreError> {
    let from = store.join("indices").join(name);
    let moved = place(store, name).and_then(|to| fs::rename(&from, &to).map(|()| to));
    let to = moved.map_err(|error| StoreError::File { path: from, error })?;
    tell(name, &to, why);
    Ok(())
}

/// The names of the indices of a store that are set aside, each as often as it is.
pub fn damaged_indices(store: &Path) -> Vec<String> {
    let below = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    let found = below(store.join(DIRECTORY)).flat_map(|moment| below(moment.path()));
    found.map(|index| index.file_name().to_string_lossy().into_owned()).collect()
}

impl Store {
    /// Has the files of indices read that nobody has read yet, or that somebody doubts, on a thread of
    /// their own.
    pub(super) fn check_files(&self) {
        let shared = &self.shared;
        let wants = self.all().iter().any(|index| index.wants_check().is_some());
        if !wants || shared.is_checking.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak = Arc::downgrade(shared);
        let started = thread::Builder::new().name("check store".to_owned()).spawn(move || {
            check_all(&weak);
            if let Some(shared) = weak.upgrade() {
                shared.is_checking.store(false, Ordering::Release);
            }
        });
        if let Err(error) = started {
            warn!("the files of the store are not checked: no thread for it: {error}");
            shared.is_checking.store(false, Ordering::Release);
        }
    }

    /// Takes an index out that is damaged.
    fn set_aside(&self, index: &Arc<Index>, why: &StoreError) {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut indices = self.shared.indices.write().unwrap_or_else(PoisonError::into_inner);
        if !indices.get(index.name()).is_some_and(|known| Arc::ptr_eq(known, index)) {
            return;
        }
        indices.remove(index.name());
        drop(indices);
        let to = place(&self.shared.options.directory, index.name());
        match to.and_then(|to| index.leave(&to).map(|()| to)) {
            Ok(to) => tell(index.name(), &to, why),
            Err(error) => error!(
                index = index.name(),
                "is not served any more, and cannot be moved away ({error}): {why}"
            ),
        }
    }
}

/// Checks one index after the other, until all are.
fn check_all(store: &Weak<Shared>) {
    while let Some(shared) = store.upgrade() {
        let store = Store { shared };
        let wanting =
            store.all().into_iter().filter_map(|index| Some((index.wants_check()?, index)));
        // Of those that nobody waits for, the last by name: mostly the youngest.
        let Some((_, index)) = wanting.max_by_key(|(is_wanted, _)| *is_wanted) else { return };
        let checked = attempt(&Stop::default(), || index.check());
        match checked {
            Ok(Err(why)) => store.set_aside(&index, &why),
            Ok(Ok(())) => {}
            Err(ended) => warn!(index = index.name(), "its files are not checked: {ended:?}"),
        }
    }
}
