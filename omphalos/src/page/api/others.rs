//! What is elsewhere than in the lines: who ships, by its heartbeats, and the dead letters of this process.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::Page;
use super::super::parameters::Parameters;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::{Shown, sent};
use crate::{dead, fleet};

/// Heartbeats come twice a minute, and letters rarely.
const FRESH: Duration = Duration::from_secs(5);
/// Who has been silent for longer is none of the fleet any more.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Dead letters of an answer, usually and at most.
const USUAL_LETTERS: usize = 50;
const MOST_LETTERS: usize = 1000;

pub async fn get_fleet(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(fleet(&page, &uri).await, &headers)
}

async fn fleet(page: &Arc<Page>, uri: &Uri) -> Shown {
    Parameters::read(uri, &[])?;
    let asked = async {
        let Some(asker) = &page.behind.asker else {
            return Reply::json(&json!({ "members": [], "is_all": true }));
        };
        let since = Timestamp::now().checked_sub(LOOK_BACK).unwrap_or_default();
        let stored = page.gate.wait_for(async {
            let stored = Box::pin(fleet::stored(asker, since)).await;
            stored.map_err(|error| Problem::behind(&format!("{error:#}")))
        });
        Reply::json(&stored.await?)
    };
    page.shared.answer("fleet".to_owned(), FRESH, asked).await
}

pub async fn get_dead(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    sent(letters(&page, &uri).await, &headers)
}

async fn letters(page: &Arc<Page>, uri: &Uri) -> Shown {
    let most = Parameters::read(uri, &[&["n"]])?.number("n", USUAL_LETTERS, MOST_LETTERS)?;
    let directory = page.behind.state_dir.clone();
    let asked = async {
        let Some(directory) = directory else {
            return Reply::json(&json!({ "letters": [], "more": 0 }));
        };
        let found = page.gate.ask(move || {
            dead::newest(&directory, most).map_err(|error| Problem::behind(&format!("{error:#}")))
        });
        let (letters, more) = found.await?;
        Reply::json(&json!({ "letters": letters, "more": more }))
    };
    page.shared.answer(format!("dead {most}"), FRESH, asked).await
}
