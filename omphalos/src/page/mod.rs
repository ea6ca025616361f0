//! The page, and the REST API behind it: what there is in the log now and was before, for browsers.
//!
//! It reads, and changes nothing unless that is allowed. Figures come from the collectors of the lines that this process reads
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
mod rates;
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
use omphalos_common::telemetry::{Limits, Telemetry, serve};
use omphalos_shipper::metrics::ShipperMetrics;
use tokio_util::sync::DropGuard;

use crate::search::Asker;
use api::{Actions, Audits};
pub use api::{Audited, Replays};
use asked::Gate;
use guard::Guard;
pub use place::Bound;
use rates::Rates;
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
    /// How the process is, and what it counts.
    pub telemetry: Telemetry,
    /// What the shipper in it counts.
    pub shipper: ShipperMetrics,
    /// Where its dead letters are, if in a file.
    pub state_dir: Option<PathBuf>,
    /// How its files can be audited, if they can.
    pub audited: Option<Audited>,
    /// Where its dead letters can be replayed to, if they can.
    pub replays: Option<Replays>,
}

impl Behind {
    /// Looks what there is before the first line is read.
    pub async fn look_before(&self) {
        if let (Some(tap), Some(asker), true) = (&self.tap, &self.asker, self.tap_has_all) {
            tap.look_before(asker).await;
        }
    }
}

/// The page of one process.
struct Page {
    behind: Behind,
    shared: Shared,
    audits: Audits,
    actions: Actions,
    allows_actions: bool,
    gate: Gate,
    rates: Arc<Rates>,
    started: Timestamp,
    stop: Shutdown,
}

impl Bound {
    /// Serves the page until what is returned is dropped.
    pub fn serve(self, behind: Behind) -> DropGuard {
        let stop = Shutdown::new();
        let allows_actions = self.allows_actions;
        let actions = Actions::default();
        behind.telemetry.register(|registry| actions.register(registry));
        let (incoming, guard, hosts) = self.into_parts();
        let page = Arc::new(Page {
            behind,
            shared: Shared::default(),
            audits: Audits::default(),
            actions,
            allows_actions,
            gate: Gate::default(),
            rates: Arc::clone(&guard.rates),
            started: Timestamp::now(),
            stop: stop.clone(),
        });
        let router = routes(page, Arc::new(guard));
        tokio::spawn(serve(incoming, router, (Limits::PAGE, hosts), stop.clone()));
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
