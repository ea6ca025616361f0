//! Writing: a thread for each index that is written, which takes the requests that wait, indexes
//! all of them, commits once, and then answers each.
//!
//! A group that fails is undone as a whole and refused as a whole, so who sent it may send it again;
//! what was there after all is then a duplicate.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use tantivy::IndexWriter;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, UserOperation};
use tracing::{debug, warn};

use super::Index;
use super::document::Incoming;
use super::ids::View;
use crate::attempt::{Stop, attempt};
use crate::error::ApiError;

/// Requests that wait for the writer of an index; more wait to be let in.
const WAITING: usize = 4;
/// A commit has so many documents at most, unless one request has more.
const GROUP: usize = 50_000;
/// How long a commit waits for requests that are being read; without them it would be small, and
/// they would wait for the next one.
const GATHER: Duration = Duration::from_millis(50);
/// Threads that build segments.
const THREADS: usize = 2;
/// Memory of each of them, in bytes.
const THREAD_BYTES: usize = 24 << 20;
/// Documents that a thread takes at once.
const HANDFUL: usize = 128;
/// After so long without work, what merging left over is cleared away.
const PAUSE: Duration = Duration::from_secs(5);
/// Segments that are merged into one, of similar size. Tests merge often.
const MERGED: usize = if cfg!(test) { 2 } else { 16 };

/// What is to be done.
#[derive(Debug)]
pub enum Operation {
    /// Index a document if there is none with its id.
    Create(Box<Incoming>),
    /// Index a document instead of the one with its id.
    Index(Box<Incoming>),
    /// Delete the one with this id.
    Delete(Box<str>),
}

/// What was done, and the version of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The document is there.
    Created(i64),
    /// It is there instead of another one.
    Updated(i64),
    /// Nothing, because there is one with this id.
    Exists(i64),
    /// It is not there any more.
    Deleted(i64),
    /// There was no document with this id.
    NotFound,
}

type Answer = Result<Vec<Outcome>, ApiError>;

/// Operations, and who waits for their outcomes.
struct Request {
    operations: Vec<Operation>,
    answer: SyncSender<Answer>,
}

fn lock(index: &Index) -> MutexGuard<'_, Way> {
    index.writer.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> ApiError {
    ApiError::unavailable("the writer of the index has ended")
}

/// Tells the writer that a request is coming, for as long as it is there.
#[derive(Debug)]
pub struct Coming(Arc<AtomicUsize>);

impl Coming {
    pub(super) fn to(index: &Index) -> Self {
        index.coming.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(&index.coming))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What an index was asked to do.
#[derive(Debug)]
pub struct Promise(Receiver<Answer>);

impl Promise {
    /// Waits until it is done, and on disk.
    ///
    /// # Errors
    /// 503 as a whole, when nothing of it is there, or nobody can tell.
    pub fn wait(self) -> Result<Vec<Outcome>, ApiError> {
        self.0.recv().map_err(|_| gone())?
    }
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    requests: SyncSender<Request>,
    last: Instant,
}

/// Whether there is a thread.
#[derive(Debug, Default)]
pub(super) enum Way {
    /// There is none; the next request starts one.
    #[default]
    None,
    /// There is a thread, which this leads to.
    Open(Writer),
    /// The index is deleted, and there will be none.
    Closed,
}

impl Writer {
    /// Hands operations to the thread of an index, which is started if there is none.
    pub(super) fn submit(
        index: &Arc<Index>,
        operations: Vec<Operation>,
    ) -> Result<Promise, ApiError> {
        let (answer, answered) = sync_channel(1);
        let request = Request { operations, answer };
        // A thread that has come to an end nobody asked for is replaced, once.
        let sent = Self::requests(index)?.send(request).or_else(|SendError(request)| {
            *lock(index) = Way::None;
            Self::requests(index)?.send(request).map_err(|_| gone())
        });
        sent.map(|()| Promise(answered))
    }

    /// Where requests go to; starts the thread if there is none.
    fn requests(index: &Arc<Index>) -> Result<SyncSender<Request>, ApiError> {
        let mut way = lock(index);
        let writer = match &mut *way {
            Way::Open(writer) => writer,
            Way::Closed => {
                let reason = format!("index [{}] is deleted; send it again", index.name);
                return Err(ApiError::unavailable(reason));
            }
            none @ Way::None => {
                let started = Self::start(index)?;
                let requests = started.requests.clone();
                *none = Way::Open(started);
                return Ok(requests);
            }
        };
        writer.last = Instant::now();
        Ok(writer.requests.clone())
    }

    /// When something was asked of it; `None` where there is no thread.
    pub(super) fn last(index: &Index) -> Option<Instant> {
        match &*lock(index) {
            Way::Open(writer) => Some(writer.last),
            Way::None | Way::Closed => None,
        }
    }

    /// Ends the thread if nothing was asked of it for so long; it ends what it has begun.
    pub(super) fn rest(index: &Index, idle: Duration) {
        let mut way = lock(index);
        if matches!(&*way, Way::Open(writer) if writer.last.elapsed() >= idle) {
            *way = Way::None;
        }
    }

    /// Ends the thread for good; it ends what it has begun.
    pub(super) fn close(index: &Index) {
        *lock(index) = Way::Closed;
    }

    fn start(index: &Arc<Index>) -> Result<Self, ApiError> {
        let (requests, received) = sync_channel(WAITING);
        let weak = Arc::downgrade(index);
        let turn = Arc::clone(&index.turn);
        let name = format!("write {}", index.name);
        thread::Builder::new()
            .name(name)
            .spawn(move || {
                // The one before may still be finishing.
                let is_gone = turn.lock().unwrap_or_else(PoisonError::into_inner);
                // Who waits is told so by the end of the thread.
                if !*is_gone {
                    run(&weak, &received);
                }
            })
            .map_err(|error| ApiError::unavailable(format!("cannot start a thread: {error}")))?;
        Ok(Self { requests, last: Instant::now() })
    }
}

/// Serves requests until nobody can send any.
fn run(index: &Weak<Index>, requests: &Receiver<Request>) {
    let mut writer = None;
    let mut is_tidy = true;
    loop {
        let request = requests.recv_timeout(PAUSE);
        let Some(index) = index.upgrade() else { return };
        match request {
            Ok(first) => {
                serve(&index, &mut writer, (first, requests));
                is_tidy = false;
            }
            Err(RecvTimeoutError::Timeout) if is_tidy => {}
            Err(RecvTimeoutError::Timeout) => {
                is_tidy = true;
                tidy(&index, writer.as_ref());
            }
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(writer) = writer
                    && let Err(error) = writer.wait_merging_threads()
                {
                    warn!(index = index.name, "merging segments failed: {error}");
                }
                return;
            }
        }
    }
}

/// Indexes one request and those that wait behind it, and answers them.
fn serve(
    index: &Index,
    writer: &mut Option<IndexWriter<Box<Incoming>>>,
    (first, requests): (Request, &Receiver<Request>),
) {
    let mut waiting = Vec::new();
    let work = || group(index, writer, (first, requests), &mut waiting);
    let result = attempt(&Stop::default(), work).unwrap_or_else(|ended| {
        index.doubt();
        Err(ended.into())
    });
    if let Err(error) = &result {
        // What this writer had begun goes with it.
        *writer = None;
        warn!(
            index = index.name,
            "nothing of {} requests was written: {}",
            waiting.len(),
            error.reason
        );
    }
    for (answer, outcomes) in waiting {
        // Whoever asked may have gone.
        drop(answer.send(result.clone().map(|()| outcomes)));
    }
}

type Waiting = Vec<(SyncSender<Answer>, Vec<Outcome>)>;

fn group(
    index: &Index,
    writer: &mut Option<IndexWriter<Box<Incoming>>>,
    (first, requests): (Request, &Receiver<Request>),
    waiting: &mut Waiting,
) -> Result<(), ApiError> {
    if writer.is_none() {
        // A group may have failed after its commit; what it wrote has to be known as there.
        index.refresh()?;
    }
    let mut group = Group {
        index,
        view: index.view(),
        versions: HashMap::default(),
        handful: Vec::with_capacity(HANDFUL),
    };
    let mut next = Some(first);
    let mut failed = None;
    while let Some(Request { operations, answer }) = next.take() {
        let done = open(index, writer).and_then(|writer| group.take(writer, operations));
        let outcomes = done.unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        });
        waiting.push((answer, outcomes));
        if failed.is_none() && group.versions.len() < GROUP {
            next = another(index, requests);
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let writer = open(index, writer)?;
    if !group.versions.is_empty() {
        group.hand_over(writer)?;
        index.save_mapping()?;
        writer.commit()?;
        index.refresh()?;
    }
    Ok(())
}

/// The next request that waits, or is about to.
fn another(index: &Index, requests: &Receiver<Request>) -> Option<Request> {
    match requests.try_recv() {
        Ok(request) => Some(request),
        Err(_) if index.coming.load(Ordering::Acquire) > 0 => requests.recv_timeout(GATHER).ok(),
        Err(_) => None,
    }
}

fn open<'w>(
    index: &Index,
    writer: &'w mut Option<IndexWriter<Box<Incoming>>>,
) -> Result<&'w mut IndexWriter<Box<Incoming>>, ApiError> {
    match writer {
        Some(writer) => Ok(writer),
        none => {
            let options = IndexWriterOptions::builder()
                .num_worker_threads(THREADS)
                .memory_budget_per_thread(THREAD_BYTES)
                .num_merge_threads(1)
                .build();
            let opened: IndexWriter<Box<Incoming>> = index.tantivy.writer_with_options(options)?;
            let mut policy = LogMergePolicy::default();
            policy.set_min_num_segments(MERGED);
            opened.set_merge_policy(Box::new(policy));
            Ok(none.insert(opened))
        }
    }
}

/// Clears away what merging left over, which searches may have held until now.
fn tidy(index: &Index, writer: Option<&IndexWriter<Box<Incoming>>>) {
    let Some(writer) = writer else { return };
    let done = index.refresh().and_then(|()| writer.garbage_collect_files().wait().map(drop));
    if let Err(error) = done {
        debug!(index = index.name, %error, "old segments are still there");
    }
}

/// What is committed at once.
struct Group<'a> {
    index: &'a Index,
    view: Arc<View>,
    /// Of documents that are not committed yet, by id; 0 for those that are deleted.
    versions: HashMap<Box<str>, i64, RandomState>,
    /// Documents that no thread has yet.
    handful: Vec<UserOperation<Box<Incoming>>>,
}

impl Group<'_> {
    fn take(
        &mut self,
        writer: &IndexWriter<Box<Incoming>>,
        operations: Vec<Operation>,
    ) -> Result<Vec<Outcome>, ApiError> {
        operations.into_iter().map(|operation| self.act(writer, operation)).collect()
    }

    fn act(
        &mut self,
        writer: &IndexWriter<Box<Incoming>>,
        operation: Operation,
    ) -> Result<Outcome, ApiError> {
        let (mut document, replaces) = match operation {
            Operation::Create(document) => (document, false),
            Operation::Index(document) => (document, true),
            Operation::Delete(id) => return self.delete(writer, id),
        };
        let version = self.version(&document.id)?;
        if version > 0 && !replaces {
            return Ok(Outcome::Exists(version));
        }
        if version > 0 {
            self.forget(writer, &document.id)?;
        }
        document.version = version + 1;
        self.versions.insert(document.id.clone(), document.version);
        self.handful.push(UserOperation::Add(document));
        if self.handful.len() >= HANDFUL {
            self.hand_over(writer)?;
        }
        let outcome = if version > 0 { Outcome::Updated } else { Outcome::Created };
        Ok(outcome(version + 1))
    }

    fn delete(
        &mut self,
        writer: &IndexWriter<Box<Incoming>>,
        id: Box<str>,
    ) -> Result<Outcome, ApiError> {
        let version = self.version(&id)?;
        if version == 0 {
            return Ok(Outcome::NotFound);
        }
        self.forget(writer, &id)?;
        self.versions.insert(id, 0);
        Ok(Outcome::Deleted(version + 1))
    }

    /// Deletes the document with an id, of those that were handed over.
    fn forget(&mut self, writer: &IndexWriter<Box<Incoming>>, id: &str) -> Result<(), ApiError> {
        self.hand_over(writer)?;
        writer.delete_query(self.index.with_ids(vec![id.to_owned()]))?;
        Ok(())
    }

    fn hand_over(&mut self, writer: &IndexWriter<Box<Incoming>>) -> Result<(), ApiError> {
        writer.run(std::mem::replace(&mut self.handful, Vec::with_capacity(HANDFUL)))?;
        Ok(())
    }

    /// How often the document with an id was written; 0 if there is none.
    fn version(&self, id: &str) -> Result<i64, ApiError> {
        if let Some(version) = self.versions.get(id) {
            return Ok(*version);
        }
        Ok(self.view.version(id)?)
    }
}
