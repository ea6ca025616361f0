//! The tailing of one file, against real files: [`Tail`] with all that it rests on.

mod cases;
mod choice;
mod damage;
mod discovery;
mod dropped;
mod files_model;
mod formats;
mod keys;
mod late_ends;
mod lines;
mod long_lines;
mod model;
mod names;
mod pieces;
mod positions;
mod restarts;
mod rig;
mod rules_model;
mod steps;
mod streams;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omphalos_common::event::DocumentId;
use omphalos_common::ids::{IdKeys, IdMakers};
use serde_json::Value;
use tempfile::TempDir;

use crate::monitor::batch::OpenBatch;
use crate::monitor::know::matching;
use crate::monitor::know::others::Heard;
use crate::monitor::position::clock::Names;
use crate::monitor::position::entry::Entry;
use crate::monitor::position::identity::{FileKey, logical_path};
use crate::monitor::read::choice::{Choices, FileFormat};
use crate::monitor::read::content::Content;
use crate::monitor::read::tail::reading::{Look, READ_BYTES, Tools};
use crate::monitor::read::tail::{Setup, Tail, TailId};
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::Rule;
use omphalos_parser::scribe::{Finish, Origin, Recipe};
use omphalos_parser::settings::LineRule;
use omphalos_parser::{Documents, ParserKind};

/// A file in a directory of its own, and how it is read.
struct Log {
    _directory: TempDir,
    path: PathBuf,
    kind: ParserKind,
    container: Container,
    multiline: Option<Rule>,
    max_line_bytes: usize,
    buffer_bytes: usize,
    batch_bytes: usize,
    now_millis: i64,
    documents: Documents,
}

/// What one read shipped.
struct Shipped {
    look: Look,
    documents: Vec<Document>,
    chunks: Vec<Chunk>,
    buffer_bytes: usize,
}

/// A document with what a test wants to know of it.
#[derive(Debug, Clone, PartialEq)]
struct Document {
    id: DocumentId,
    offset: u64,
    /// The line that it was made of.
    line: String,
    is_cut: bool,
    whole: Value,
}

/// A chunk, by its number in the tail's progress.
#[derive(Debug, Clone, PartialEq)]
struct Chunk {
    number: u64,
    range: Range<u64>,
    offsets: Vec<u64>,
}

impl Log {
    fn new(kind: ParserKind, content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        fs::write(&path, content).unwrap();
        Self {
            _directory: directory,
            path,
            kind,
            container: Container::None,
            multiline: None,
            max_line_bytes: 1000,
            buffer_bytes: READ_BYTES,
            batch_bytes: usize::MAX,
            now_millis: 1_000_000,
            documents: Documents::default(),
        }
    }

    fn raw(content: impl AsRef<[u8]>) -> Self {
        Self::new(ParserKind::Raw, content)
    }

    fn append(&self, content: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).open(&self.path).unwrap();
        file.write_all(content.as_ref()).unwrap();
    }

    /// Truncates the file and writes other content into it.
    fn rewrite(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.path, content).unwrap();
    }

    fn open(&self) -> Tail {
        self.open_at(&self.path, None)
    }

    /// The file read on from what a checkpoint keeps of `entry`.
    fn reopen(&self, entry: &Entry) -> Tail {
        self.open_at(&self.path, Some(&saved(entry)))
    }

    fn open_at(&self, path: &Path, entry: Option<&Entry>) -> Tail {
        self.open_content(path, Content::open(path).unwrap(), entry)
    }

    fn open_content(&self, path: &Path, content: Content, entry: Option<&Entry>) -> Tail {
        let shown = path.as_os_str().as_encoded_bytes();
        let recipe = Recipe {
            format: self.kind.format(),
            dataset: "test".to_owned(),
            encoding: EncodingSetting::Auto,
            container: self.container,
            multiline: self.multiline.clone(),
            keep_original: true,
            max_line_bytes: self.max_line_bytes,
            finish: Finish::default(),
        };
        let setup = Setup {
            id: TailId(1),
            input: 0,
            shown_path: Arc::from(path.to_string_lossy()),
            format: FileFormat::Known(LineRule { parser: self.kind, times: None, dataset: None }),
            choice: None,
            scribe: recipe.scribe(Origin { host_name: "web1", host_id: "host", path: shown }),
            dataset: Arc::from("test"),
            names: Names::of(&logical_path(path)),
            ids: IdMakers::new("host", &IdKeys::default()),
            changes: Choices::default(),
        };
        let heard = Heard { entry: entry.cloned(), spans: Vec::new() };
        Tail::open(setup, path.to_owned(), content, &heard).unwrap()
    }

    fn fits(&self, entry: &Entry) -> bool {
        matching::fits(&mut Content::open(&self.path).unwrap(), entry).unwrap()
    }

    fn key(&self) -> FileKey {
        FileKey::from(&fs::metadata(&self.path).unwrap())
    }

    /// Reads once, into a batch of its own.
    fn look(&mut self, tail: &mut Tail) -> Shipped {
        self.work(tail, |tail, tools| tail.read(tools).unwrap())
    }

    fn ship_unfinished_line(&mut self, tail: &mut Tail) -> Shipped {
        self.work(tail, |tail, tools| {
            tail.read_rest(tools).unwrap();
            Look::AtEnd
        })
    }

    fn work(
        &mut self,
        tail: &mut Tail,
        work: impl FnOnce(&mut Tail, &mut Tools<'_>) -> Look,
    ) -> Shipped {
        let mut batch = OpenBatch::new(Arc::from("test"), Vec::new());
        let mut buffer = vec![0; self.buffer_bytes];
        let mut tools = Tools {
            documents: &mut self.documents,
            buffer: &mut buffer,
            batch: &mut batch,
            batch_bytes: self.batch_bytes,
            now_millis: self.now_millis,
        };
        let look = work(tail, &mut tools);
        Shipped::new(look, batch, buffer.len())
    }

    /// Reads until there is nothing more.
    fn read(&mut self, tail: &mut Tail) -> Shipped {
        let mut all = self.look(tail);
        while all.look == Look::More {
            let next = self.look(tail);
            all.look = next.look;
            all.documents.extend(next.documents);
            all.chunks.extend(next.chunks);
        }
        all
    }
}

impl Shipped {
    fn new(look: Look, batch: OpenBatch, buffer_bytes: usize) -> Self {
        assert_eq!(batch.added(), 0, "a document is in no chunk");
        let closed = batch.close();
        let texts = closed.batch.body.split_inclusive(|byte| *byte == b'\n');
        let ids = closed.batch.chunks.iter().flat_map(|chunk| &chunk.ids);
        assert_eq!(texts.clone().count(), closed.batch.documents());
        let documents: Vec<_> = texts.zip(ids).map(|(text, id)| Document::new(text, *id)).collect();
        let mut offsets = documents.iter().map(|document| document.offset);
        let chunks = closed.batch.chunks.iter().zip(&closed.owners);
        let chunks = chunks.map(|(chunk, owner)| Chunk {
            number: owner.chunk,
            range: chunk.start..chunk.end,
            offsets: offsets.by_ref().take(chunk.ids.len()).collect(),
        });
        let chunks = chunks.collect();
        Self { look, documents, chunks, buffer_bytes }
    }

    fn lines(&self) -> Vec<&str> {
        self.documents.iter().map(|document| &*document.line).collect()
    }

    fn ids(&self) -> Vec<DocumentId> {
        self.documents.iter().map(|document| document.id).collect()
    }

    fn offsets(&self) -> Vec<u64> {
        self.documents.iter().map(|document| document.offset).collect()
    }

    fn times(&self) -> Vec<&str> {
        self.documents.iter().map(|document| text(&document.whole["@timestamp"])).collect()
    }

    fn confirm(&self, tail: &mut Tail) {
        for chunk in &self.chunks {
            tail.confirm(chunk.number).unwrap();
        }
    }
}

impl Document {
    fn new(bytes: &[u8], id: DocumentId) -> Self {
        let whole: Value = serde_json::from_slice(bytes).unwrap();
        let tags = whole["tags"].as_array().cloned().unwrap_or_default();
        Self {
            id,
            offset: whole["log"]["offset"].as_u64().unwrap(),
            line: text(&whole["event"]["original"]).to_owned(),
            is_cut: tags.contains(&Value::from("truncated")),
            whole,
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What is left of an entry that went to disk and back.
fn saved(entry: &Entry) -> Entry {
    serde_json::from_slice(&serde_json::to_vec(entry).unwrap()).unwrap()
}

fn length(content: &str) -> u64 {
    content.len() as u64
}
