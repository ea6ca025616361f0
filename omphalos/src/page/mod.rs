//! The page, and the REST API behind it: what there is in the log now and was before, for browsers.
//!
//! It reads, and changes nothing. Figures come from the collectors of the lines that this process reads
//! itself ([`tap`]), or from the store or Elasticsearch, by the same questions ([`asked`]); whoever
//! watches slows down nobody who ships. What is asked by many is asked once ([`shared`]). Who may ask is
//! decided in [`guard`].

mod api;
mod asked;
mod assets;
mod guard;
mod live_stream;
pub mod open;
mod parameters;
mod place;
mod problem;
mod reply;
mod settings;
mod shared;
mod tap;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use jiff::Timestamp;
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::{Health, Limits, serve};
use omphalos_shipper::metrics::ShipperMetrics;
use tokio_util::sync::DropGuard;

use crate::search::Asker;
pub use api::Audited;
use api::Audits;
use asked::Gate;
use guard::Guard;
pub use place::Bound;
pub use settings::{PAGE_SETTINGS, PageSettings};
use shared::Shared;
pub use tap::Tap;

/// What the page reads from.
#[derive(Default)]
pub struct Behind {
    /// The lines that this process reads itself; `None` where it reads none.
    pub tap: Option<Arc<Tap>>,
    /// Whether these are all lines that go to where `asker` asks.
    pub tap_has_all: bool,
    /// Where documents are; `None` where this process knows no such place.
    pub asker: Option<Asker>,
    /// How the process is.
    pub health: Health,
    /// What the shipper in it counts.
    pub shipper: ShipperMetrics,
    /// Where its dead letters are, if in a file.
    pub state_dir: Option<PathBuf>,
    /// How its files can be audited, if they can.
    pub audited: Option<Audited>,
}

/// The page of one process.
struct Page {
    behind: Behind,
    shared: Shared,
    audits: Audits,
    gate: Gate,
    started: Timestamp,
    stop: Shutdown,
}

impl Bound {
    /// Serves the page until what is returned is dropped.
    pub fn serve(self, behind: Behind) -> DropGuard {
        let stop = Shutdown::new();
        let Self { listener, guard, hosts, .. } = self;
        let page = Arc::new(Page {
            behind,
            shared: Shared::default(),
            audits: Audits::default(),
            gate: Gate::default(),
            started: Timestamp::now(),
            stop: stop.clone(),
        });
        if let Some(tap) = &page.behind.tap {
            tokio::spawn(Arc::clone(tap).tick(stop.clone()));
        }
        let router = routes(page, Arc::new(guard));
        tokio::spawn(serve(listener, router, (Limits::PAGE, hosts), stop.clone()));
        stop.drop_guard()
    }
}

fn routes(page: Arc<Page>, guard: Arc<Guard>) -> Router {
    let session = guard::session(Arc::clone(&guard));
    api::routes(page)
        .merge(assets::routes())
        .merge(session)
        .layer(from_fn_with_state(guard, guard::guarded))
}
