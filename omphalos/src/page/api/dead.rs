//! The dead letters in the files of this process, and where it is allowed, what is done with them: they are
//! replayed and dropped by the code of `omphalos dead`, one request at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use omphalos_common::telemetry::Peer;
use omphalos_indexer::config as indexer;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::super::Page;
use super::super::parameters::Parameters;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::{Shown, sent};
use crate::dead::{self, Selection};
use crate::run::Settings;

/// Letters change rarely.
const FRESH: Duration = Duration::from_secs(1);
/// Letters of an answer, usually and at most.
const USUAL: usize = 50;
const MOST: usize = 1000;
/// Which are meant.
const SELECTION: [&str; 4] = ["id", "type", "index", "all"];

/// Where letters are replayed to.
pub struct Replays {
    /// The settings of the process.
    pub settings: Settings,
    /// How it writes.
    pub indexer: indexer::Settings,
}

/// What was done last, and how often what was done.
#[derive(Default)]
pub struct Actions {
    last: Mutex<Option<Action>>,
    counts: Family<Labels, Counter>,
}

struct Action {
    what: &'static str,
    started: Timestamp,
    /// `None` while it goes on; then what became of it, for people.
    ended: Option<Result<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    what: &'static str,
    outcome: &'static str,
}

impl Actions {
    /// Counts all outcomes from the start on, where metrics are read.
    pub fn register(&self, registry: &mut Registry) {
        for what in ["replay", "drop"] {
            for outcome in ["done", "failed", "refused"] {
                self.count(what, outcome).inc_by(0);
            }
        }
        let help = "What was asked of dead letters by the page, and its outcome";
        registry.register("page_actions", help, self.counts.clone());
    }

    fn count(&self, what: &'static str, outcome: &'static str) -> Counter {
        self.counts.get_or_create(&Labels { what, outcome }).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Action>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, unless another goes on.
    fn begin(&self, what: &'static str) -> Result<(), Problem> {
        let mut last = self.lock();
        if last.as_ref().is_some_and(|action| action.ended.is_none()) {
            return Err(Problem::conflict(
                "dead letters are being replayed or dropped; wait for it",
            ));
        }
        *last = Some(Action { what, started: Timestamp::now(), ended: None });
        Ok(())
    }

    fn end(&self, what: &'static str, ended: anyhow::Result<String>) {
        let outcome = if ended.is_ok() { "done" } else { "failed" };
        self.count(what, outcome).inc();
        let ended = ended.map_err(|error| format!("{error:#}"));
        match &ended {
            Ok(told) => info!("by the page: {told}"),
            Err(problem) => warn!("by the page: {what} of dead letters: {problem}"),
        }
        if let Some(action) = self.lock().as_mut() {
            action.ended = Some(ended);
        }
    }

    fn shown(&self) -> Option<Value> {
        let last = self.lock();
        let Action { what, started, ended } = last.as_ref()?;
        let (state, told) = match ended {
            None => ("running", None),
            Some(Ok(told)) => ("done", Some(told)),
            Some(Err(problem)) => ("failed", Some(problem)),
        };
        Some(json!({ "what": what, "started": started.to_string(), "state": state, "told": told }))
    }
}

pub async fn get_dead(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(letters(&page, &uri).await, &headers)
}

async fn letters(page: &Arc<Page>, uri: &Uri) -> Shown {
    let most = Parameters::read(uri, &[&["n"]])?.number("n", USUAL, MOST)?;
    let last = page.actions.shown();
    let directory = page.behind.state_dir.clone();
    let allowed = json!({
        "replay": page.allows_actions && page.behind.replays.is_some(),
        "drop": page.allows_actions && directory.is_some()
    });
    // What was known before the last action is not what is there now.
    let key = format!("dead {most} {last:?}");
    let asked = async {
        let Some(directory) = directory else {
            return Reply::json(&json!({ "letters": [], "more": 0, "allowed": allowed }));
        };
        let found = page.gate.ask(move || {
            dead::newest(&directory, most).map_err(|error| Problem::behind(&format!("{error:#}")))
        });
        let (letters, more) = found.await?;
        Reply::json(&json!({ "letters": letters, "more": more, "allowed": allowed, "last": last }))
    };
    page.shared.answer(key, FRESH, asked).await
}

/// Which letters are meant: some, or expressly all.
fn selection(uri: &Uri) -> Result<Selection, Problem> {
    let parameters = Parameters::read(uri, &[&SELECTION])?;
    let text = |name: &str| parameters.text(name).map(str::to_owned);
    let selection = Selection { id: text("id"), kind: text("type"), index: text("index") };
    let is_all = parameters.choice("all", &[("true", true), ("false", false)], false)?;
    if selection.is_everything() != is_all {
        return Err(Problem::parameter(
            "all",
            "all: expected some of id, type and index, or all=true for all dead letters, and not both",
        ));
    }
    Ok(selection)
}

/// Whether something may be done, and that it is begun.
fn begun(page: &Page, what: &'static str, uri: &Uri) -> Result<Selection, Problem> {
    let begun = || {
        if !page.allows_actions {
            return Err(Problem::forbidden(
                "this page only reads: page.allow_actions is not set; omphalos dead does the same",
            ));
        }
        let selection = selection(uri)?;
        page.actions.begin(what)?;
        Ok(selection)
    };
    begun().inspect_err(|_| {
        page.actions.count(what, "refused").inc();
    })
}

pub async fn post_replay(page: State<Arc<Page>>, peer: Extension<Peer>, uri: Uri) -> Response {
    let replayed = begun(&page, "replay", &uri);
    let selection = match replayed {
        Ok(selection) => selection,
        Err(problem) => return problem.into_response(),
    };
    let Extension(Peer(peer)) = peer;
    info!(%peer, "asked by the page to replay dead letters: {selection:?}");
    let page = Arc::clone(&page);
    // It takes as long as where they go needs; who asked looks how far it is.
    tokio::spawn(async move {
        let done = match &page.behind.replays {
            Some(Replays { settings, indexer }) => {
                Box::pin(dead::replayed(settings, indexer, &selection)).await
            }
            None => Err(anyhow::anyhow!(
                "this process does not index: omphalos dead replay, where documents are indexed"
            )),
        };
        page.actions.end("replay", done);
    });
    StatusCode::ACCEPTED.into_response()
}

pub async fn delete_dead(page: State<Arc<Page>>, peer: Extension<Peer>, uri: Uri) -> Response {
    let selection = match begun(&page, "drop", &uri) {
        Ok(selection) => selection,
        Err(problem) => return problem.into_response(),
    };
    let Extension(Peer(peer)) = peer;
    info!(%peer, "asked by the page to drop dead letters: {selection:?}");
    let page = Arc::clone(&page);
    let dropped = spawn_blocking(move || {
        let none = || anyhow::anyhow!("this process has no dead letters in files");
        let directory = page.behind.state_dir.as_deref().ok_or_else(none);
        let dropped = directory.and_then(|directory| dead::dropped(directory, &selection));
        let shown = dropped.as_ref().map(|count| format!("{count} dead letters dropped"));
        page.actions.end("drop", shown.map_err(|error| anyhow::anyhow!("{error:#}")));
        dropped
    });
    let dropped = dropped.await.unwrap_or_else(|error| Err(error.into()));
    let shown = dropped.map_err(|error| Problem::behind(&format!("{error:#}")));
    sent(shown.and_then(|count| Reply::json(&json!({ "dropped": count }))), &HeaderMap::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_letters_are_meant_only_where_it_is_said() {
        let of = |query: &str| selection(&format!("/dead?{query}").parse().unwrap());
        assert_eq!(of("all=true").unwrap(), Selection::default());
        assert_eq!(of("id=a&index=b").unwrap().id.as_deref(), Some("a"));
        for query in ["", "all=false", "all=yes", "id=", "id=a&all=true", "ids=a"] {
            assert!(of(query).is_err(), "{query}");
        }
    }

    #[test]
    fn one_action_goes_on_at_a_time_and_its_end_is_told() {
        let actions = Actions::default();
        assert_eq!(actions.shown(), None);
        actions.begin("replay").unwrap();
        assert!(actions.begin("drop").is_err());
        actions.end("replay", Err(anyhow::anyhow!("why")));
        let shown = actions.shown().unwrap();
        assert_eq!((&shown["state"], &shown["told"]), (&json!("failed"), &json!("why")));
        assert_eq!(actions.count("replay", "failed").get(), 1);
        actions.begin("drop").unwrap();
    }
}
