//! The routes of the REST API. All are in [`answers`], which `openapi.json` describes; a test compares them.

mod alerts;
mod audits;
mod dead;
mod fields;
mod figures;
mod fleet;
mod lines;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

pub use alerts::judged_here;
pub use audits::{Audited, Audits};
pub use dead::{Actions, Replays};
pub use figures::{Overview, overview};
pub use lines::newest;
pub use state::{health, sources};

use super::Page;
use super::live_stream::live;
use super::problem::Problem;
use super::reply::Reply;

/// What all paths begin with.
const PREFIX: &str = "/api/v1";
/// What each path takes and gives, for programs.
const DESCRIPTION: &str = include_str!("openapi.json");

type Shown = Result<Reply, Problem>;

/// Each path, and who answers there.
fn answers() -> [(&'static str, MethodRouter<Arc<Page>>); 19] {
    [
        ("/overview", get(figures::get_overview)),
        ("/summary", get(figures::get_summary)),
        ("/series", get(figures::get_series)),
        ("/top/{dimension}", get(figures::get_top)),
        ("/key/{dimension}/{value}", get(figures::get_key)),
        ("/lines", get(lines::get_lines)),
        ("/lines/around", get(lines::get_around)),
        ("/lines/download", get(lines::get_download)),
        ("/fields", get(fields::get_fields)),
        ("/fields/{field}", get(fields::get_values)),
        ("/alerts", get(alerts::get_alerts)),
        ("/sources", get(state::get_sources)),
        ("/fleet", get(fleet::get_fleet)),
        ("/dead", get(dead::get_dead).delete(dead::delete_dead)),
        ("/dead/replay", post(dead::post_replay)),
        ("/audits", get(audits::get_audits).post(audits::post_audit)),
        ("/health", get(state::get_health)),
        ("/live", get(live)),
        ("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], DESCRIPTION))),
    ]
}

/// The whole API.
pub fn routes(page: Arc<Page>) -> Router {
    let mut router = Router::new();
    for (path, answer) in answers() {
        let only_read = answer
            .fallback(async || Problem::forbidden("this is not answered here; see openapi.json"));
        router = router.route(&format!("{PREFIX}{path}"), only_read);
    }
    let nothing = async |uri: Uri| {
        Problem::missing(&format!("there is nothing at {}; see {PREFIX}/openapi.json", uri.path()))
    };
    router.fallback(nothing).with_state(page)
}

/// What is sent of an answer.
fn sent(shown: Shown, headers: &HeaderMap) -> Response {
    match shown {
        Ok(reply) => reply.to_response(headers),
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// The kind of fault: a route that nobody is told of, and a description of one that is not there.
    #[test]
    fn what_is_described_is_what_there_is() {
        let described: Value = serde_json::from_str(DESCRIPTION).unwrap();
        assert_eq!(described["openapi"], "3.1.1");
        let paths = described["paths"].as_object().unwrap();
        let named: BTreeSet<String> = paths.keys().cloned().collect();
        let mut there: BTreeSet<String> =
            answers().iter().map(|(path, _)| format!("{PREFIX}{path}")).collect();
        there.insert(format!("{PREFIX}/session"));
        assert_eq!(named, there);
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{path} {method}");
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let of_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
                assert_eq!(of_path.count(), path.matches('{').count(), "{path} {method}");
            }
        }
    }

    /// Every reference leads somewhere.
    #[test]
    fn what_is_referred_to_is_there() {
        let described: Value = serde_json::from_str(DESCRIPTION).unwrap();
        for reference in DESCRIPTION.split("\"$ref\": \"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(described.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
