//! One index: a directory with a mapping and an index of tantivy.
//!
//! Owns its schema, its mapping, which grows, and its writer, which runs only while something is
//! written. Promises that a request is answered after what it wrote is on disk, that an id is there
//! once, and that whatever is committed is found by the next search.

mod document;
mod draft;
mod id_file;
mod ids;
mod literals;
mod reading;
mod schema;
mod sealed;
mod sound;
#[cfg(test)]
mod tests;
mod values;
mod words;
mod writer;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tantivy::query::Query;
use tantivy::schema::Schema;
use tantivy::store::Compressor;
use tantivy::{IndexReader, IndexSettings, ReloadPolicy, Searcher};

pub use self::document::{Incoming, Leaf};
use self::draft::Draft;
use self::id_file::IdPlugin;
use self::ids::{View, WithIds};
pub use self::literals::beyond;
use self::reading::read;
pub use self::schema::{OwnFields, Place, blank, ignored};
use self::sealed::Sealed;
pub use self::sound::patience;
use self::sound::{Soundness, damaged, is_damage};
pub use self::values::{Given, address, leaf, parse_date, whole};
pub use self::writer::{Coming, Operation, Outcome, Promise};
use self::writer::{Way, Writer};
use crate::disk::{seal, unseal, write_durably};
use crate::error::{ApiError, StoreError};
use crate::mapping::{Mapping, Tolerance};

/// The file beside tantivy's with what an index is.
const ABOUT: &str = "omphalos.json";
/// Begin the names of directories whose making or deletion is not finished. No index has such a name.
const MAKING: &str = ".making-";
const DELETED: &str = ".deleted-";
/// The directory below it that is tantivy's.
const DATA: &str = "data";
/// Documents are compressed in blocks of so many bytes.
const BLOCK_BYTES: usize = 32 * 1024;
/// A larger document is refused: its words take several times as much memory. A line of the longest that a
/// shipper reads, 16 MiB, fits, also where it is there twice.
const LARGEST_DOCUMENT: usize = 34 << 20;

/// What an index is, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// A name that is never given again.
    pub uuid: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// As Elasticsearch prints it.
    pub mappings: Value,
    /// What was asked for, without effect here but for people who look.
    pub settings: Value,
}

/// One index.
pub struct Index {
    name: String,
    directory: PathBuf,
    about: About,
    schema: Schema,
    own: OwnFields,
    mapping: RwLock<Known>,
    tantivy: tantivy::Index,
    soundness: Soundness,
    reader: IndexReader,
    /// What is committed, for whoever asks for ids.
    view: Mutex<Arc<View>>,
    writer: Mutex<Way>,
    /// Requests that are being read.
    coming: Arc<AtomicUsize>,
    /// Held by the thread that writes; whether the directory is gone, and its name another one's.
    turn: Arc<Mutex<bool>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Index").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The mapping, and whether the one on disk is the same.
#[derive(Debug)]
struct Known {
    mapping: Arc<Mapping>,
    is_saved: bool,
}

impl Index {
    /// Makes one in a directory that is not there yet. It has its name only when it is whole, so a
    /// directory with the name of an index is one, or is damaged.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn create(parent: &Path, name: &str, about: &About) -> Result<Self, StoreError> {
        // Not by its own name, which may be as long as a name can be.
        let directory = parent.join(format!("{MAKING}{}", about.uuid));
        let data = directory.join(DATA);
        let told = |error| StoreError::File { path: directory.clone(), error };
        remove(&directory).map_err(told)?;
        fs::create_dir_all(&data).map_err(told)?;
        let mapping = parsed(&directory, about)?;
        let settings = IndexSettings {
            docstore_compression: Compressor::Lz4,
            docstore_blocksize: BLOCK_BYTES,
            ..IndexSettings::default()
        };
        let schema = schema::schema(&mapping);
        tantivy::Index::builder()
            .schema(schema)
            .settings(settings)
            .register_plugin(Arc::new(IdPlugin))
            .open_or_create(Sealed::open(&data).map_err(|error| damaged(&directory, &error))?)
            .map_err(|error| damaged(&directory, &error))?;
        save(&directory, about)?;
        fs::rename(&directory, parent.join(name)).map_err(told)?;
        sync(parent).map_err(told)?;
        let index = Self::open(parent, name, Instant::now())?;
        index.assume_sound();
        Ok(index)
    }

    /// Opens one that is there, and checks its files as long as there is time for it, until `until`.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn open(parent: &Path, name: &str, until: Instant) -> Result<Self, StoreError> {
        let directory = parent.join(name);
        let path = directory.join(ABOUT);
        let text = fs::read(&path).map_err(|error| match error.kind() {
            _ if is_damage(&error) => {
                StoreError::Damaged { path: path.clone(), reason: error.to_string() }
            }
            _ => StoreError::File { path: path.clone(), error },
        })?;
        let unreadable = |reason: String| StoreError::Damaged { path: path.clone(), reason };
        let text = unseal(text).map_err(|error| unreadable(error.to_string()))?;
        let about: About =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        let mut mapping = parsed(&directory, &about)?;
        let told = |error: &tantivy::TantivyError| damaged(&directory, error);
        let data = Sealed::open(&directory.join(DATA)).map_err(|error| told(&error))?;
        let mut tantivy = tantivy::Index::open(data).map_err(|error| told(&error))?;
        let soundness = Self::check_at_start(&tantivy, &directory, until)?;
        tantivy.register_plugin(Arc::new(IdPlugin));
        tantivy.tokenizers().register(schema::WORDS, schema::word_tokenizer());
        let schema = tantivy.schema();
        let own = OwnFields::of(&schema).map_err(|error| told(&error))?;
        mapping.settle(&schema);
        let reader = tantivy.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader: IndexReader = reader.try_into().map_err(|error| told(&error))?;
        let view = View::of(reader.searcher(), own, None).map_err(|error| told(&error))?;
        Ok(Self {
            name: name.to_owned(),
            directory,
            about,
            own,
            schema,
            mapping: RwLock::new(Known { mapping: Arc::new(mapping), is_saved: true }),
            tantivy,
            soundness,
            reader,
            view: Mutex::new(Arc::new(view)),
            writer: Mutex::default(),
            coming: Arc::default(),
            turn: Arc::default(),
        })
    }

    /// Whether a directory is one of an index, whole or not.
    pub fn is_one(directory: &Path) -> bool {
        directory.join(ABOUT).exists() || directory.join(DATA).is_dir()
    }

    /// Whether a directory of this name is one whose making or deletion was interrupted: nothing
    /// that was answered for is in it.
    pub fn is_unfinished(name: &str) -> bool {
        name.starts_with(MAKING) || name.starts_with(DELETED)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The mapping as it is now.
    pub fn mapping(&self) -> Arc<Mapping> {
        Arc::clone(&self.mapping.read().unwrap_or_else(PoisonError::into_inner).mapping)
    }

    /// The schema, which never changes.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The fields that every document has.
    pub fn own_fields(&self) -> OwnFields {
        self.own
    }

    /// What is committed now.
    pub fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Where the values of a path are; `None` where it is not mapped.
    pub fn place(&self, path: &str) -> Option<Place> {
        schema::place(&self.mapping(), &self.schema, self.own, path)
    }

    /// Where the values of all paths are that a pattern with `*` fits.
    pub fn places_matching(&self, pattern: &str) -> Vec<(String, Place)> {
        let mapping = self.mapping();
        let paths = mapping.fields().into_iter().map(|(path, _)| path);
        paths
            .filter(|path| crate::mapping::is_match(pattern, path))
            .filter_map(|path| {
                let place = schema::place(&mapping, &self.schema, self.own, &path)?;
                Some((path, place))
            })
            .collect()
    }

    /// Documents with one of these ids.
    pub fn with_ids(&self, ids: Vec<String>) -> Box<dyn Query> {
        Box::new(WithIds { own: self.own, ids: Arc::new(ids.into_iter().collect()) })
    }

    /// How many documents there are.
    pub fn count(&self) -> u64 {
        self.searcher().num_docs()
    }

    /// How much room it takes on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        let files = fs::read_dir(self.directory.join(DATA)).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
    }

    /// Reads a document that is to be indexed; maps what is new in it, if it fits.
    ///
    /// # Errors
    /// 400 where it does not fit.
    pub fn read(
        &self,
        body: &Arc<String>,
        source: std::ops::Range<usize>,
        id: &str,
        mapping: &Mapping,
    ) -> Result<Box<Incoming>, ApiError> {
        if source.len() > LARGEST_DOCUMENT {
            return Err(ApiError::argument(format!(
                "a document has at most {LARGEST_DOCUMENT} bytes here, not {}",
                source.len()
            )));
        }
        loop {
            let draft = Draft::of(self);
            let document = read((body, source.clone()), id, self.own, mapping, &draft)?;
            if self.take(draft) {
                return Ok(document);
            }
        }
    }

    /// Maps what a document that fits has brought; `false` where something else was mapped since, with
    /// which it may not fit.
    fn take(&self, draft: Draft<'_>) -> bool {
        let Some((before, after)) = draft.change() else { return true };
        let mut known = self.mapping.write().unwrap_or_else(PoisonError::into_inner);
        let is_latest = Arc::ptr_eq(&known.mapping, &before);
        if is_latest {
            *known = Known { mapping: after, is_saved: false };
        }
        is_latest
    }

    /// Adds to the mapping what a request adds.
    ///
    /// # Errors
    /// 400 where it does not fit what is there, or cannot be added to an index that is there.
    pub fn put_mapping(&self, more: &Value) -> Result<(), ApiError> {
        let mut known = self.mapping.write().unwrap_or_else(PoisonError::into_inner);
        let mut mapping = Mapping::clone(&known.mapping);
        mapping.merge(more)?;
        mapping.settle(&self.schema);
        let is_there = |path: &str| known.mapping.kind(path).is_some();
        for (path, wanted) in Mapping::parse(more)?.fields() {
            if known.mapping.field(&path).is_some_and(|field| !field.is_declared_as(wanted)) {
                return Err(ApiError::argument(format!(
                    "Mapper for [{path}] conflicts with existing mapper: what a field is cannot be changed in this store once it is there; make another index"
                )));
            }
        }
        for (path, field) in mapping.fields() {
            if field.declared_type() == "ip" && !is_there(&path) {
                return Err(ApiError::argument(format!(
                    "field [{path}] of type [ip] cannot be added to index [{}], which is there already: put it into the index template, for the indices that come",
                    self.name
                )));
            }
        }
        *known = Known { mapping: Arc::new(mapping), is_saved: false };
        drop(known);
        self.save_mapping()
    }

    /// Writes the mapping down, if the one on disk is older.
    fn save_mapping(&self) -> Result<(), ApiError> {
        let mut known = self.mapping.write().unwrap_or_else(PoisonError::into_inner);
        if known.is_saved {
            return Ok(());
        }
        let about = About { mappings: known.mapping.to_json(), ..self.about.clone() };
        save(&self.directory, &about).map_err(|error| ApiError::unavailable(error.to_string()))?;
        known.is_saved = true;
        Ok(())
    }

    /// Looks at what is committed now.
    fn refresh(&self) -> tantivy::Result<()> {
        self.reader.reload()?;
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        *view = Arc::new(View::of(self.searcher(), self.own, Some(&view))?);
        Ok(())
    }

    /// What is committed now, for whoever asks for ids.
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that operations are coming; the commit before waits a little for them.
    pub fn announce(&self) -> Coming {
        Coming::to(self)
    }

    /// Has it do what these operations say, in their order.
    ///
    /// # Errors
    /// 503 when it cannot even begin.
    pub fn submit(self: &Arc<Self>, operations: Vec<Operation>) -> Result<Promise, ApiError> {
        self.await_sound(patience())?;
        Writer::submit(self, operations)
    }

    /// Ends the writer if it did nothing for so long.
    pub fn rest(&self, idle: Duration) {
        Writer::rest(self, idle);
    }

    /// When it was last written to; `None` when it has no writer.
    pub fn last_write(&self) -> Option<Instant> {
        Writer::last(self)
    }

    /// Takes it off the disk. Who still searches it ends that on what is mapped of it; who still
    /// writes to it is refused.
    ///
    /// # Errors
    /// When the disk does not let go of it; what is left is cleared away at the next start.
    pub fn delete(&self) -> std::io::Result<()> {
        let parent = self.directory.parent().unwrap_or(Path::new("."));
        let gone = parent.join(format!("{DELETED}{}", self.about.uuid));
        self.leave(&gone)?;
        fs::remove_dir_all(gone)
    }

    /// Moves it away, as it is; who still searches or writes fares as with one that is deleted.
    ///
    /// # Errors
    /// When the disk does not let go of it.
    pub fn leave(&self, to: &Path) -> std::io::Result<()> {
        Writer::close(self);
        // Until its thread has ended: it would write into the next index of this name.
        let mut is_gone = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        fs::rename(&self.directory, to)?;
        *is_gone = true;
        sync(self.directory.parent().unwrap_or(Path::new(".")))
    }

    /// The document with an id, as it came, and how often it was written.
    ///
    /// # Errors
    /// When the disk does not give it.
    pub fn get(&self, id: &str) -> Result<Option<(Vec<u8>, i64)>, ApiError> {
        self.await_sound(patience())?;
        let found = self.reading(|| Ok(self.view().get(id)?))?;
        let Some((document, version)) = found else { return Ok(None) };
        let source = document.get_first(self.own.source);
        let source = source.and_then(|value| tantivy::schema::Value::as_bytes(&value));
        Ok(source.map(|source| (source.to_vec(), version)))
    }
}

fn parsed(directory: &Path, about: &About) -> Result<Mapping, StoreError> {
    Mapping::parse(&about.mappings)
        .map(|mapping| mapping.tolerant(Tolerance::of_settings(&about.settings)))
        .map_err(|error| StoreError::Damaged { path: directory.join(ABOUT), reason: error.reason })
}

fn save(directory: &Path, about: &About) -> Result<(), StoreError> {
    let path = directory.join(ABOUT);
    let text = serde_json::to_vec(about).unwrap_or_default();
    write_durably(&path, &seal(&text)).map_err(|error| StoreError::File { path, error })
}

/// Removes a directory, if it is there.
fn remove(directory: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Has the names in a directory outlive a crash.
fn sync(directory: &Path) -> std::io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
