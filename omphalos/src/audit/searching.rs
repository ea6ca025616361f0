//! The second look: searches in all indices, for documents that are not where they should be, for
//! those of which not all of the id is known, and for those that have another identity.

use std::collections::HashMap;

use bytes::Bytes;
use omphalos_common::event::DocumentId;
use serde_json::{Value, json};

use super::answers::{self, Hit, SEARCH_FILTER};
use super::asking::{AskError, Asker, id_list};
use super::portion::{Document, Hash, seconds_of};

/// `index.max_result_window` by default.
const MOST_HITS: usize = 10_000;
/// How many ids are searched at once: each may be in several indices.
const IDS_A_SEARCH: usize = 1_000;
/// How many places are searched at once: each may be in several generations of a file.
const PLACES_A_SEARCH: usize = 4_000;

/// A document of the same place and second as one that is missing, under another id.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Its file.
    pub path: String,
    /// Its host.
    pub host: String,
}

impl Asker {
    /// Searches ids in all indices: a document may have been filed under another period, or as an
    /// outlier on the day when it was shipped.
    pub(super) async fn search_ids(
        &self,
        documents: &[Document],
        places: &[usize],
        found: &mut [bool],
    ) -> Result<(), AskError> {
        let before = format!(
            "{{\"size\":{MOST_HITS},\"_source\":false,\"track_total_hits\":false,\"query\":{{\"ids\":{{\"values\":["
        );
        for places in places.chunks(IDS_A_SEARCH) {
            let ids = places.iter().filter_map(|place| documents.get(*place));
            let body = id_list(&before, ids.map(|one| one.id.as_str()), "]}}}");
            let hits = self.search(body).await?;
            note(documents, places, &hits, found);
        }
        Ok(())
    }

    /// Searches documents by where their lines are, and tells them by the hash in their ids; in
    /// files that are called one of `paths`, or in all.
    pub(super) async fn search_places(
        &self,
        documents: &[Document],
        places: &[usize],
        paths: Option<&[String]>,
        found: &mut [bool],
    ) -> Result<(), AskError> {
        let mut pieces: Vec<&[usize]> = places.chunks(PLACES_A_SEARCH).collect();
        while let Some(piece) = pieces.pop() {
            let offsets: Vec<u64> = piece
                .iter()
                .filter_map(|place| documents.get(*place).map(|document| document.start))
                .collect();
            let mut filter = vec![json!({ "term": { "host.id": self.host_id } })];
            if let Some(paths) = paths {
                let (first, last) = (offsets.iter().min(), offsets.iter().max());
                filter.push(json!({ "terms": { "log.file.path": paths } }));
                filter.push(json!({ "range": { "log.offset": { "gte": first, "lte": last } } }));
            } else {
                filter.push(json!({ "terms": { "log.offset": offsets } }));
            }
            let hits = self.search(search_for(&filter, &[])).await?;
            if hits.len() >= MOST_HITS && piece.len() > 1 {
                let (left, right) = piece.split_at(piece.len() / 2);
                pieces.extend([left, right]);
                continue;
            }
            note(documents, piece, &hits, found);
        }
        Ok(())
    }

    /// Whether most of these timed documents are there under other ids: an example, if so. Lines of
    /// the same second at the same place are the same lines, if they are many.
    ///
    /// # Errors
    /// When nobody can tell.
    pub async fn strangers(&self, documents: &[Document]) -> Result<Option<Stranger>, AskError> {
        let seconds: HashMap<u64, u32> =
            documents.iter().map(|one| (one.start, seconds_of(one.id))).collect();
        let offsets: Vec<u64> = seconds.keys().copied().collect();
        let filter = [json!({ "terms": { "log.offset": offsets } })];
        let fields = ["log.offset", "log.file.path", "host.id"];
        let hits = match self.search(search_for(&filter, &fields)).await {
            Ok(hits) => hits,
            // It is a hint only; a mapping that does not allow it is no fault of the file.
            Err(AskError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut alike: HashMap<u64, &Hit> = HashMap::new();
        for hit in &hits {
            if let Some(offset) = hit.fields.offset.first()
                && let Some(id) = DocumentId::parse(&hit.id)
                && seconds.get(offset) == Some(&seconds_of(id))
            {
                alike.insert(*offset, hit);
            }
        }
        if alike.len() * 2 <= seconds.len() {
            return Ok(None);
        }
        let text = |values: &[String]| values.first().cloned().unwrap_or_default();
        let example = alike.into_values().next();
        Ok(example
            .map(|hit| Stranger { path: text(&hit.fields.path), host: text(&hit.fields.host) }))
    }

    /// A search that is complete or nothing.
    async fn search(&self, body: Bytes) -> Result<Vec<Hit>, AskError> {
        let path = format!(
            "{}/_search?allow_partial_search_results=false&{SEARCH_FILTER}",
            self.everywhere
        );
        self.ask(&path, body, answers::hits).await
    }
}

fn search_for(filter: &[Value], fields: &[&str]) -> Bytes {
    let body = json!({
        "size": MOST_HITS,
        "_source": false,
        "track_total_hits": false,
        "fields": fields,
        "query": { "bool": { "filter": filter } },
    });
    Bytes::from(body.to_string())
}

/// Notes which of the documents at `places` are among the hits.
fn note(documents: &[Document], places: &[usize], hits: &[Hit], found: &mut [bool]) {
    let hashes: std::collections::HashSet<Hash> = answers::hashes(hits);
    for place in places {
        if let (Some(document), Some(found)) = (documents.get(*place), found.get_mut(*place)) {
            *found = *found || hashes.contains(&document.hash());
        }
    }
}
