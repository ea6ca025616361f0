//! All indices of a store, and the templates that new ones are made by.
//!
//! Layout of its directory: `lock`, held by the one process that uses it; `format`, the number of the
//! format of all of it; `templates.json`; `indices/NAME/`, see [`crate::index`]; `damaged/TIME/NAME/`, what
//! was set aside.

mod damage;
#[cfg(test)]
mod fault_tests;
mod names;
mod retention;
mod settings;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing::{info, warn};

pub use self::damage::damaged_indices;
pub use self::names::Wanted;
pub use self::template::{IndexTemplate, Templates};
use crate::attempt::{Stop, attempt};
use crate::disk::{self, Lock, check_format};
use crate::error::{ApiError, StoreError};
use crate::index::{About, Index};
use crate::mapping::Mapping;

/// More indices are refused, as Elasticsearch refuses more shards than `cluster.max_shards_per_node`.
pub const MOST_INDICES: usize = 1000;
/// A writer that has nothing to do for so long is ended.
const IDLE: Duration = Duration::from_secs(30);

/// How long the start waits for files to be read through; what is left then is read beside the work.
const START: Duration = Duration::from_secs(2);

/// What a store is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Where everything is; made if it is not there.
    pub directory: PathBuf,
    /// Indices whose youngest document is older are deleted.
    pub max_age: Option<Duration>,
    /// The oldest indices are deleted while all together are larger, in bytes.
    pub max_bytes: Option<u64>,
}

/// An open store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: StoreOptions,
    uuid: String,
    indices: RwLock<BTreeMap<String, Arc<Index>>>,
    /// Held while an index is made or deleted.
    changing: Mutex<()>,
    templates: Mutex<Templates>,
    /// Whether a thread reads through the files of indices.
    is_checking: AtomicBool,
    _lock: Lock,
}

impl Store {
    /// Opens a store.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be used, is used by another process, or was written by
    /// another version. An index that is damaged is set aside.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let directory = options.directory.join("indices");
        let told = |error| StoreError::File { path: directory.clone(), error };
        fs::create_dir_all(&directory).map_err(told)?;
        let lock = Lock::take(&options.directory)?;
        check_format(&options.directory)?;
        let templates = Templates::load(&options.directory.join("templates.json"))?;
        let mut indices = BTreeMap::new();
        let until = Instant::now() + START;
        for entry in fs::read_dir(&directory).map_err(told)? {
            let entry = entry.map_err(told)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if Index::is_unfinished(&name) {
                info!(directory = name, "clearing away an index that was not finished");
                fs::remove_dir_all(entry.path()).map_err(told)?;
            } else if names::check(&name).is_err() || !Index::is_one(&entry.path()) {
                warn!("{} is no index of the store; it is left alone", entry.path().display());
            } else if let Some(index) = open(&options.directory, &name, until)? {
                indices.insert(name, Arc::new(index));
            }
        }
        let shared = Shared {
            uuid: disk::identity(&options.directory)?,
            options,
            indices: RwLock::new(indices),
            changing: Mutex::default(),
            templates: Mutex::new(templates),
            is_checking: AtomicBool::new(false),
            _lock: lock,
        };
        let store = Self { shared: Arc::new(shared) };
        store.check_files();
        Ok(store)
    }

    /// A name that this store alone has.
    pub fn uuid(&self) -> &str {
        &self.shared.uuid
    }

    /// The names of indices that are set aside because they are damaged.
    pub fn damaged(&self) -> Vec<String> {
        damaged_indices(&self.shared.options.directory)
    }

    /// Every index, in the order of names.
    pub fn all(&self) -> Vec<Arc<Index>> {
        let indices = self.shared.indices.read().unwrap_or_else(PoisonError::into_inner);
        indices.values().cloned().collect()
    }

    /// The index of this name.
    pub fn index(&self, name: &str) -> Option<Arc<Index>> {
        let indices = self.shared.indices.read().unwrap_or_else(PoisonError::into_inner);
        indices.get(name).cloned()
    }

    /// The indices that an expression means: names and patterns with commas between, `_all`, `*`,
    /// and exclusions with `-` after a pattern.
    ///
    /// # Errors
    /// 404 for a name that is not there, unless `wanted` says otherwise.
    pub fn resolve(&self, expression: &str, wanted: Wanted) -> Result<Vec<Arc<Index>>, ApiError> {
        let indices = self.shared.indices.read().unwrap_or_else(PoisonError::into_inner);
        names::resolve(&indices, expression, wanted)
    }

    /// The index of this name; made by the templates where it is not there.
    ///
    /// # Errors
    /// 400 where the name cannot be one, or there are too many; 503 where the disk is full.
    pub fn index_or_new(&self, name: &str) -> Result<Arc<Index>, ApiError> {
        if let Some(index) = self.index(name) {
            return Ok(index);
        }
        match self.create(name, &json!({})) {
            Err(error) if error.kind == "resource_already_exists_exception" => {
                self.index(name).ok_or_else(|| ApiError::no_index(name))
            }
            made => made,
        }
    }

    /// Makes an index.
    ///
    /// # Errors
    /// 400 where it is there, its name cannot be one, or what is asked for cannot be.
    pub fn create(&self, name: &str, wanted: &Value) -> Result<Arc<Index>, ApiError> {
        names::check(name)?;
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.index(name).is_some() {
            return Err(ApiError::new(
                400,
                "resource_already_exists_exception",
                format!("index [{name}] already exists"),
            )
            .with("index", Value::from(name)));
        }
        if self.all().len() >= MOST_INDICES {
            return Err(ApiError::new(
                400,
                "validation_exception",
                format!(
                    "Validation Failed: 1: this action would add [1] shards, but this cluster currently has [{MOST_INDICES}]/[{MOST_INDICES}] maximum normal shards open;"
                ),
            ));
        }
        let about = self.about(name, wanted)?;
        let parent = self.shared.options.directory.join("indices");
        // What there is of it after an error is cleared away when it is made again, or at the next start.
        let index = Index::create(&parent, name, &about)
            .map_err(|error| ApiError::unavailable(error.to_string()))?;
        let index = Arc::new(index);
        let mut indices = self.shared.indices.write().unwrap_or_else(PoisonError::into_inner);
        indices.insert(name.to_owned(), Arc::clone(&index));
        Ok(index)
    }

    /// What a new index begins with.
    fn about(&self, name: &str, wanted: &Value) -> Result<About, ApiError> {
        let templates = self.templates();
        let template = templates.for_index(name);
        let mut mapping = template
            .map_or_else(|| Mapping::parse(&json!({})), |it| Mapping::parse(&it.mappings()))?;
        if let Some(more) = wanted.get("mappings") {
            mapping.merge_over(more)?;
        }
        let settings = wanted.get("settings").cloned();
        settings.iter().try_for_each(settings::check)?;
        let settings = settings.or_else(|| template.map(IndexTemplate::settings));
        Ok(About {
            uuid: format!("{:022x}", rand::random::<u128>() >> 40),
            created: jiff::Timestamp::now().as_millisecond(),
            mappings: mapping.to_json(),
            settings: settings.unwrap_or_else(|| json!({})),
        })
    }

    /// Deletes an index with all that is in it.
    ///
    /// # Errors
    /// 404 where it is not there; 503 where the disk does not let go of it.
    pub fn delete(&self, name: &str) -> Result<(), ApiError> {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut indices = self.shared.indices.write().unwrap_or_else(PoisonError::into_inner);
        let index = indices.remove(name).ok_or_else(|| ApiError::no_index(name))?;
        drop(indices);
        index.delete().map_err(|error| ApiError::unavailable(error.to_string()))
    }

    /// The templates, to look at or to change.
    pub fn templates(&self) -> std::sync::MutexGuard<'_, Templates> {
        self.shared.templates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the writers that were asked last, so that at most so many are left.
    pub fn keep_writers(&self, most: usize) {
        let mut writing: Vec<_> =
            self.all().into_iter().filter_map(|index| Some((index.last_write()?, index))).collect();
        writing.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
        for (_, index) in writing.into_iter().skip(most) {
            index.rest(Duration::ZERO);
        }
    }

    /// Ends writers that rest, and deletes what is too old or too much. To be called now and then.
    pub fn keep_house(&self) {
        for index in self.all() {
            index.rest(IDLE);
        }
        self.check_files();
        let StoreOptions { max_age, max_bytes, .. } = &self.shared.options;
        for (name, why) in retention::overdue(&self.all(), *max_age, *max_bytes) {
            match self.delete(&name) {
                Ok(()) => info!(index = name, "deleted: {why}"),
                Err(error) => warn!(index = name, "cannot be deleted ({why}): {}", error.reason),
            }
        }
    }
}

/// Opens an index; `None` where it is damaged, and set aside.
fn open(store: &Path, name: &str, until: Instant) -> Result<Option<Index>, StoreError> {
    let parent = store.join("indices");
    let opened = attempt(&Stop::default(), || Index::open(&parent, name, until));
    let opened = opened.unwrap_or_else(|ended| {
        let reason = format!("it cannot be read: {ended:?}");
        Err(StoreError::Damaged { path: parent.join(name), reason })
    });
    match opened {
        Err(why @ StoreError::Damaged { .. }) => {
            damage::move_away(store, name, &why)?;
            Ok(None)
        }
        opened => opened.map(Some),
    }
}
