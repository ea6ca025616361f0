//! What is elsewhere than in the lines: who ships, by its heartbeats.

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
use crate::fleet;

/// Heartbeats come twice a minute.
const FRESH: Duration = Duration::from_secs(5);
/// Who has been silent for longer is none of the fleet any more.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

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
