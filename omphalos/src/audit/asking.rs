//! Asking Elasticsearch whether documents are there: by id in the index where each should be, and
//! once more by a search in all of them, before one is called missing.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use omphalos_common::clock::now_seconds;
use omphalos_common::retry::Retry;
use omphalos_indexer::collector::IndexSettings;
use omphalos_indexer::elasticsearch::{Client, Clock, Fault, IndexNames};
use omphalos_transport::Origin;

use super::answers::{self, GET_FILTER};
use super::portion::Document;
use super::progress::Progress;

/// How many ids one request asks for, unless the server takes less.
const MOST_IDS: usize = 10_000;
/// An Elasticsearch that answers nothing useful for so long is given up.
const PATIENCE: Duration = Duration::from_mins(2);
/// Waits between attempts.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Searches see what was there so long ago, at least.
const FRESH: Duration = Duration::from_secs(1);

/// Asks; shared by all requests in flight.
pub struct Asker {
    client: Client,
    names: Mutex<IndexNames>,
    /// A pattern of all indices.
    pub(super) everywhere: String,
    /// Whether documents are in data streams, from which nothing can be had by its id, but by a search.
    has_streams: bool,
    /// `host.id` of the documents.
    pub(super) host_id: String,
    /// The most ids that the server takes in a request, as learned from its 413s.
    most_ids: AtomicUsize,
    /// Whether most of what was found came from somebody for whom nobody vouches.
    is_foreign: AtomicBool,
    refreshed: tokio::sync::Mutex<Option<Instant>>,
    progress: Progress,
}

/// Why there is no answer.
#[derive(thiserror::Error, Debug)]
pub enum AskError {
    /// The request is too large for the server.
    #[error("the request is larger than the server takes (413)")]
    TooLarge,
    /// Elasticsearch refuses the request, and asking again would not help.
    #[error("{0}")]
    Refused(String),
    /// There was no useful answer for too long.
    #[error("{0}; given up after {PATIENCE:?}")]
    Silent(String),
}

impl Asker {
    /// Which indices are asked, and where, for people.
    pub fn asked(&self) -> String {
        format!("{} at {}", self.everywhere, self.client.shown())
    }

    /// Asks `client` about documents of the host `host_id` in the indices, or data streams, of these settings.
    pub fn new(
        client: Client,
        names: IndexNames,
        index: &IndexSettings,
        host_id: &str,
        progress: Progress,
    ) -> Self {
        Self {
            client: client.for_reading(),
            names: Mutex::new(names),
            everywhere: index.pattern().all(),
            has_streams: index.namespace().is_some(),
            host_id: host_id.to_owned(),
            most_ids: AtomicUsize::new(MOST_IDS),
            is_foreign: AtomicBool::new(false),
            refreshed: tokio::sync::Mutex::new(None),
            progress,
        }
    }

    /// Where Elasticsearch is, for people.
    pub fn shown(&self) -> &str {
        self.client.shown()
    }

    /// Which of these documents are there. `paths` are what the file may be called in them.
    ///
    /// # Errors
    /// When nobody can tell.
    pub async fn look_up(
        &self,
        dataset: &Arc<str>,
        documents: &[Document],
        paths: &[String],
    ) -> Result<Vec<bool>, AskError> {
        let mut found = self.look_where_they_belong(dataset, documents).await?;
        let absent = |found: &[bool], is_untimed: bool| -> Vec<usize> {
            let of_kind = documents.iter().zip(found).enumerate();
            let absent = of_kind.filter(|(_, (document, is_there))| {
                !**is_there && document.is_untimed == is_untimed
            });
            absent.map(|(place, _)| place).collect()
        };
        let (timed, untimed) = (absent(&found, false), absent(&found, true));
        if timed.is_empty() && untimed.is_empty() {
            return Ok(found);
        }
        self.refresh().await?;
        let foreign: Vec<Document> = documents.iter().map(|one| one.foreign()).collect();
        for documents in [documents, &foreign] {
            self.search_ids(documents, &absent(&found, false), &mut found).await?;
            let untimed = absent(&found, true);
            self.search_places(documents, &untimed, Some(paths), &mut found).await?;
            self.search_places(documents, &absent(&found, true), None, &mut found).await?;
        }
        Ok(found)
    }

    /// Which of these documents are in the index where each should be.
    ///
    /// # Errors
    /// When nobody can tell.
    pub async fn look_where_they_belong(
        &self,
        dataset: &Arc<str>,
        documents: &[Document],
    ) -> Result<Vec<bool>, AskError> {
        let mut found = vec![false; documents.len()];
        let foreign: Vec<Document> = documents.iter().map(|one| one.foreign()).collect();
        if self.has_streams {
            self.refresh().await?;
            for documents in [documents, &foreign] {
                let absent: Vec<usize> = (0..documents.len())
                    .filter(|place| found.get(*place) == Some(&false))
                    .collect();
                self.search_ids(documents, &absent, &mut found).await?;
            }
            return Ok(found);
        }
        let own = (Origin::Own, documents);
        let foreign = (Origin::Foreign, &*foreign);
        // Mostly a file came by one way.
        let is_foreign = self.is_foreign.load(Ordering::Relaxed);
        let order = if is_foreign { [foreign, own] } else { [own, foreign] };
        for (origin, documents) in order {
            let before = found.iter().filter(|is_there| **is_there).count();
            for (index, places) in self.by_index((origin, dataset), documents, &found) {
                self.get(&index, documents, &places, &mut found).await?;
            }
            let news = found.iter().filter(|is_there| **is_there).count() - before;
            if news * 2 > documents.len() {
                self.is_foreign.store(origin == Origin::Foreign, Ordering::Relaxed);
            }
        }
        Ok(found)
    }

    /// The places of timed documents that are not found yet, by the index that they belong to.
    fn by_index(
        &self,
        (origin, dataset): (Origin, &Arc<str>),
        documents: &[Document],
        found: &[bool],
    ) -> HashMap<Arc<str>, Vec<usize>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = Clock { made_at: None, now: now_seconds() };
        let absent = |places: Range<usize>| places.filter(|place| found.get(*place) != Some(&true));
        let mut groups: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        let mut place = 0;
        // Neighbours are mostly of one day, and not named one by one.
        for run in documents.chunk_by(|a, b| (a.day, a.is_untimed) == (b.day, b.is_untimed)) {
            let places = place..place + run.len();
            place = places.end;
            if let Some(first) = run.first().filter(|first| !first.is_untimed) {
                let named = names.place(origin, dataset, Some(first.day), clock);
                let mut places = absent(places).peekable();
                if places.peek().is_some() {
                    groups.entry(named.index).or_default().extend(places);
                }
            }
        }
        groups
    }

    /// Asks for documents by id in one index.
    async fn get(
        &self,
        index: &str,
        documents: &[Document],
        mut places: &[usize],
        found: &mut [bool],
    ) -> Result<(), AskError> {
        let path = format!("{index}/_mget?_source=false&{GET_FILTER}");
        while !places.is_empty() {
            let most = self.most_ids.load(Ordering::Relaxed);
            let (now, later) = places.split_at(most.min(places.len()));
            let ids =
                now.iter().filter_map(|place| documents.get(*place)).map(|one| one.id.as_str());
            let read = |reply: &[u8]| answers::found(reply, now.len());
            match self.ask(&path, id_list("{\"ids\":[", ids, "]}"), read).await {
                Ok(answers) => {
                    for (place, is_there) in now.iter().zip(answers) {
                        if let Some(found) = found.get_mut(*place) {
                            *found = is_there;
                        }
                    }
                    places = later;
                }
                Err(AskError::TooLarge) if now.len() > 1 => {
                    self.most_ids.store(now.len() / 2, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes everything that is indexed visible to searches, if that was not done just now.
    async fn refresh(&self) -> Result<(), AskError> {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let path = format!("{}/_refresh?filter_path=_shards.failed", self.everywhere);
        match self.ask(&path, Bytes::new(), |_| Ok(())).await {
            // Who may not refresh sees what was there a refresh interval ago, a second by default.
            Ok(()) | Err(AskError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        *refreshed = Some(Instant::now());
        Ok(())
    }

    /// Sends a request until `read` understands the answer.
    ///
    /// # Errors
    /// When the server refuses it, or gives no such answer for long.
    pub(super) async fn ask<T>(
        &self,
        path: &str,
        body: Bytes,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, AskError> {
        let mut retry = Retry::new(FIRST_WAIT, LONGEST_WAIT);
        let begun = Instant::now();
        loop {
            let problem = match self.client.post(path, body.clone()).await {
                Ok(reply) => match read(&reply) {
                    Ok(answer) => return Ok(answer),
                    Err(problem) => format!("{}: {problem}", self.shown()),
                },
                Err(Fault::Transient(problem)) => problem,
                Err(fault @ Fault::Full(..)) => fault.to_string(),
                Err(Fault::TooLarge(_)) => return Err(AskError::TooLarge),
                Err(Fault::Wrong(problem)) => {
                    return Err(AskError::Refused(format!("{}: {problem}", self.shown())));
                }
                Err(Fault::Hold(problem)) => return Err(AskError::Refused(problem)),
            };
            if begun.elapsed() > PATIENCE {
                return Err(AskError::Silent(problem));
            }
            self.progress.trouble(&problem);
            tokio::time::sleep(retry.next_wait()).await;
        }
    }
}

/// A list of ids between two texts. Ids are base64, which needs no escaping.
pub(super) fn id_list<'a>(before: &str, ids: impl Iterator<Item = &'a str>, behind: &str) -> Bytes {
    let mut body = before.as_bytes().to_vec();
    for (place, id) in ids.enumerate() {
        body.extend_from_slice(if place == 0 { b"\"" } else { b",\"" });
        body.extend_from_slice(id.as_bytes());
        body.push(b'"');
    }
    body.extend_from_slice(behind.as_bytes());
    Bytes::from(body)
}
