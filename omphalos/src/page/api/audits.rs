//! Audits of the files that this process reads: which of their lines can be found. One at a time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use omphalos_indexer::config as indexer;
use omphalos_shipper::config as shipper;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::Page;
use super::super::parameters::Parameters;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::sent;
use crate::audit;

/// So many are remembered.
const MOST: usize = 20;
/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 16 * 1024;

/// How the process reads its files, and where their lines go.
pub struct Audited {
    /// How it reads.
    pub shipper: shipper::Settings,
    /// Where they go.
    pub indexer: indexer::Settings,
}

/// The audits of one process, the newest first.
#[derive(Default)]
pub struct Audits(Mutex<VecDeque<Audit>>);

struct Audit {
    path: String,
    started: Timestamp,
    /// `None` while it goes on.
    ended: Option<Result<Value, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    path: String,
}

impl Audits {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Audit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, unless another goes on.
    fn begin(&self, path: &str) -> Result<(), Problem> {
        let mut audits = self.lock();
        if let Some(other) = audits.iter().find(|audit| audit.ended.is_none()) {
            return Err(Problem::conflict(&format!(
                "an audit of {} goes on; wait for it",
                other.path
            )));
        }
        let (path, started) = (path.to_owned(), Timestamp::now());
        audits.push_front(Audit { path, started, ended: None });
        audits.truncate(MOST);
        Ok(())
    }

    fn end(&self, ended: Result<Value, String>) {
        if let Some(audit) = self.lock().iter_mut().find(|audit| audit.ended.is_none()) {
            audit.ended = Some(ended);
        }
    }
}

pub async fn get_audits(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    let shown = Parameters::read(&uri, &[]).and_then(|_| {
        let audits = page.audits.lock();
        let audits = audits.iter().map(|audit| {
            let (state, result, problem) = match &audit.ended {
                None => ("running", None, None),
                Some(Ok(result)) => ("done", result.pointer("/files/0"), None),
                Some(Err(problem)) => ("failed", None, Some(problem)),
            };
            let started = audit.started.to_string();
            json!({
                "path": audit.path, "started": started, "state": state,
                "result": result, "problem": problem
            })
        });
        let is_possible = page.behind.audited.is_some();
        Reply::json(&json!({ "is_possible": is_possible, "audits": audits.collect::<Vec<_>>() }))
    });
    sent(shown, &headers)
}

pub async fn post_audit(page: State<Arc<Page>>, body: Body) -> Response {
    match begin(&page, body).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn begin(page: &Arc<Page>, body: Body) -> Result<(), Problem> {
    let body = to_bytes(body, LONGEST_BODY).await.unwrap_or_default();
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| {
        Problem::parameter(
            "path",
            &format!("expected {{\"path\": …}}, found something else: {error}"),
        )
    })?;
    let audited = page.behind.audited.as_ref().ok_or_else(|| {
        Problem::missing(
            "this process does not read files and store their lines: use omphalos audit",
        )
    })?;
    let (lags, _) = page.behind.shipper.lags();
    let accounts = page.behind.tap.iter().flat_map(|tap| tap.accounts());
    let mut read = lags.iter().map(|lag| lag.path.to_string_lossy().into_owned());
    let is_read = read.any(|path| path == wanted.path)
        || accounts.into_iter().any(|account| *account.path == *wanted.path.as_bytes());
    if !is_read {
        let detail = format!("{:?} is no file that this process reads; see sources", wanted.path);
        return Err(Problem::parameter("path", &detail));
    }
    page.audits.begin(&wanted.path)?;
    let (shipper, indexer) = (audited.shipper.clone(), audited.indexer.clone());
    let page = Arc::clone(page);
    spawn_blocking(move || {
        let path = PathBuf::from(wanted.path);
        let ended = audit::Options::of_process(&path, shipper, indexer).and_then(audit::look);
        page.audits.end(ended.map_err(|error| format!("{error:#}")));
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_audit_goes_on_at_a_time_and_a_few_are_remembered() {
        let audits = Audits::default();
        for number in 0..2 * MOST {
            audits.begin(&number.to_string()).unwrap();
            assert!(audits.begin("other").is_err());
            audits.end(Ok(json!(number)));
        }
        assert_eq!(audits.lock().len(), MOST);
        assert_eq!(audits.lock()[0].ended, Some(Ok(json!(2 * MOST - 1))));
    }
}
