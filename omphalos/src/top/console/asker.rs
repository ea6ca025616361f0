//! Asks the figures in a thread of its own: at each refresh, and at once when something else is wanted.
//! What is wanted stands in one place, where the newest replaces what was there: a slow answer is never
//! followed by answers to what nobody wants any more.

use std::io;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use omphalos_live::Filter;

use super::data::{Snapshot, Wanted};
use super::events::Event;
use crate::top::figures::Figures;

/// Nobody sees more than so many frames.
const LEAST_REFRESH: Duration = Duration::from_millis(50);

/// While files are read from their beginning, it is asked again so soon: what is shown first, and stays
/// until the next refresh, is not to be that nothing is there.
pub const SOON: Duration = Duration::from_millis(250);
/// So long sources may not be known yet, after they were begun to be read.
pub const EARLY: Duration = Duration::from_secs(1);

/// What is wanted.
#[derive(Debug)]
pub struct Orders {
    /// To be shown.
    pub wanted: Wanted,
    /// To be counted from now on; empty for all lines.
    pub filter: Option<String>,
    /// How far to look back.
    pub window: Option<Duration>,
    /// That nothing is asked but what is wanted anew.
    pub is_paused: bool,
    is_new: bool,
    has_ended: bool,
}

struct Desk {
    orders: Mutex<Orders>,
    changed: Condvar,
}

/// The thread that asks. It ends when this is dropped.
pub struct Asker(Arc<Desk>);

impl Asker {
    /// Begins to ask.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        figures: Arc<dyn Figures>,
        wanted: Wanted,
        refresh: Duration,
        sender: SyncSender<Event>,
    ) -> io::Result<Self> {
        let orders = Orders {
            wanted,
            filter: None,
            window: None,
            is_paused: false,
            is_new: true,
            has_ended: false,
        };
        let desk = Arc::new(Desk { orders: Mutex::new(orders), changed: Condvar::new() });
        let asker = Self(Arc::clone(&desk));
        let refresh = refresh.max(LEAST_REFRESH);
        let ask = move || {
            let (mut began, mut patience) = (Instant::now(), refresh);
            while let Some(order) = desk.next(patience) {
                if order.filter.is_some() || order.window.is_some() {
                    began = Instant::now();
                }
                let Some(is_reading) = serve(&*figures, order, &sender, began) else { return };
                let is_early = is_reading && began.elapsed() < refresh;
                patience = if is_early { SOON.min(refresh) } else { refresh };
            }
        };
        thread::Builder::new().name("console-figures".to_owned()).spawn(ask)?;
        Ok(asker)
    }

    /// Wants something else, at once.
    pub fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = self.0.lock();
        change(&mut orders);
        orders.is_new = true;
        self.0.changed.notify_all();
    }

    /// Asks nothing but what is wanted anew, or goes on.
    pub fn pause(&self, is_paused: bool) {
        let mut orders = self.0.lock();
        if orders.is_paused != is_paused {
            orders.is_paused = is_paused;
            orders.is_new |= !is_paused;
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.order(|orders| orders.has_ended = true);
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be asked, when it is time to; `None` at the end.
    fn next(&self, refresh: Duration) -> Option<Orders> {
        let due = Instant::now() + refresh;
        let mut orders = self.lock();
        while !orders.has_ended && !orders.is_new {
            if orders.is_paused {
                orders = self.changed.wait(orders).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(orders, left);
            (orders, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        orders.is_new = false;
        (!orders.has_ended).then(|| Orders {
            wanted: orders.wanted.clone(),
            filter: orders.filter.take(),
            window: orders.window.take(),
            ..*orders
        })
    }
}

/// Does what is wanted, and says whether what was there is still being read; `None` when nobody takes
/// answers any more.
fn serve(
    figures: &dyn Figures,
    order: Orders,
    sender: &SyncSender<Event>,
    began: Instant,
) -> Option<bool> {
    if let Some(text) = order.filter {
        match Filter::new(&text) {
            Ok(filter) => {
                if let Err(problem) = figures.set_filter((!text.is_empty()).then_some(filter)) {
                    sender.send(Event::Refused(problem)).ok()?;
                }
            }
            Err(problem) => sender.send(Event::Refused(problem.to_string())).ok()?,
        }
    }
    if let Some(window) = order.window
        && let Err(problem) = figures.set_window(window)
    {
        sender.send(Event::Refused(problem)).ok()?;
    }
    let is_early = began.elapsed() < EARLY;
    let mut snapshot = Snapshot::ask(figures, order.wanted);
    snapshot.is_early = is_early;
    let is_reading = snapshot.is_reading();
    sender.send(Event::Data(Box::new(snapshot))).ok()?;
    Some(is_reading)
}
