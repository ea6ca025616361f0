//! The thread that asks, and what it is told.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use omphalos_live::{Answer, Dimension, Filter, Question};

use super::{Fake, LINES, source};
use crate::top::console::asker::Asker;
use crate::top::console::data::{Snapshot, Wanted};
use crate::top::console::events::{Event, MOST_WAITING};
use crate::top::console::model::Model;
use crate::top::console::sort::{Column, Sort};
use crate::top::figures::{Feed, Figures, Reading, SourceState};

/// Nothing in these tests takes so long.
const LONG: Duration = Duration::from_mins(1);

fn wanted() -> Wanted {
    Model::new(Dimension::Section, Sort::new(Column::Hits), None).wanted()
}

fn started(figures: Arc<dyn Figures>, refresh: Duration) -> (Asker, Receiver<Event>) {
    let (sender, events) = sync_channel(MOST_WAITING);
    (Asker::start(figures, wanted(), refresh, sender).unwrap(), events)
}

fn data(events: &Receiver<Event>) -> Snapshot {
    match events.recv_timeout(LONG).unwrap() {
        Event::Data(data) => *data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wanted_is_asked_at_once_and_else_at_each_refresh() {
    let figures: Arc<dyn Figures> = Arc::new(Fake::busy());
    let (asker, events) = started(Arc::clone(&figures), LONG);
    assert_eq!(data(&events).summary.hits, u64::try_from(LINES).unwrap());
    asker.order(|orders| orders.wanted.dimension = Dimension::Status);
    assert_eq!(data(&events).wanted.dimension, Dimension::Status);
    asker.order(|orders| orders.filter = Some("status:404".to_owned()));
    assert_eq!(data(&events).summary.hits, 0, "it is counted from now on");
    asker.order(|orders| orders.window = Some(Duration::from_mins(1)));
    assert_eq!(data(&events).window, Duration::from_mins(1));
    asker.order(|orders| orders.filter = Some("status:[".to_owned()));
    assert!(matches!(events.recv_timeout(LONG).unwrap(), Event::Refused(_)));
    data(&events);
    drop(asker);
    assert!(events.recv_timeout(LONG).is_err(), "the thread has ended");

    let (asker, events) = started(figures, Duration::ZERO);
    (0..3).for_each(|_| drop(data(&events)));
    asker.pause(true);
    // What was under way comes, and then nothing but what is wanted anew.
    asker.order(|orders| orders.wanted.dimension = Dimension::Method);
    while data(&events).wanted.dimension != Dimension::Method {}
    assert!(events.try_recv().is_err());
    asker.pause(false);
    data(&events);
}

/// Answers when it is let, and counts what it was asked.
struct Slow {
    fake: Fake,
    gate: (Mutex<bool>, Condvar),
}

impl Slow {
    fn let_go(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

impl Figures for Slow {
    fn ask(&self, question: &Question) -> Answer {
        let mut open = self.gate.0.lock().unwrap();
        while !*open {
            open = self.gate.1.wait(open).unwrap();
        }
        drop(open);
        self.fake.ask(question)
    }

    fn set_filter(&self, filter: Option<Filter>) -> Result<(), String> {
        self.fake.set_filter(filter)
    }

    fn count(&self, dimension: Dimension) -> Result<(), String> {
        self.fake.count(dimension)
    }

    fn set_window(&self, window: Duration) -> Result<(), String> {
        self.fake.set_window(window)
    }

    fn window(&self) -> Duration {
        self.fake.window()
    }

    fn feed(&self) -> Feed {
        self.fake.feed()
    }
}

#[test]
fn a_slow_answer_holds_up_nobody_and_only_the_last_wish_follows_it() {
    let slow = Arc::new(Slow { fake: Fake::busy(), gate: (Mutex::new(false), Condvar::new()) });
    let (asker, events) = started(Arc::<Slow>::clone(&slow), LONG);
    // It does not answer, and yet all of these return at once.
    for rows in 1..=1_000 {
        asker.order(|orders| orders.wanted.rows = rows);
    }
    slow.let_go();
    let first = data(&events).wanted.rows;
    if first != 1_000 {
        assert_eq!(data(&events).wanted.rows, 1_000, "after {first}");
    }
    assert!(events.try_recv().is_err());
    // Nor does it hold up the end.
    *slow.gate.0.lock().unwrap() = false;
    asker.order(|orders| orders.wanted.rows = 7);
    drop(asker);
    slow.let_go();
}

/// What is shown first is soon followed by what is there, however seldom it is drawn.
#[test]
fn while_files_are_read_it_is_asked_again_soon() {
    let fake = Arc::new(Fake::new());
    let state =
        |state| fake.feed.lock().unwrap().sources = vec![SourceState { state, ..source("a") }];
    state(Reading::CatchingUp);
    let (asker, events) = started(Arc::<Fake>::clone(&fake), 60 * LONG);
    assert_eq!(data(&events).summary.hits, 0);
    (0..LINES).for_each(|number| fake.take(number));
    while data(&events).summary.hits == 0 {}
    state(Reading::Following);
    while data(&events).is_reading() {}
    // A filter has them read once more.
    state(Reading::CatchingUp);
    asker.order(|orders| orders.filter = Some("status:404".to_owned()));
    assert!(data(&events).is_reading());
    state(Reading::Following);
    while data(&events).is_reading() {}
}

#[test]
fn snapshots_look_alike_until_something_changes() {
    let fake = Fake::busy();
    let ask = |fake: &Fake| {
        let mut data = Snapshot::ask(fake, wanted());
        data.at = 0;
        data
    };
    let first = ask(&fake);
    assert!(first.looks_like(&ask(&fake)));
    fake.take(LINES);
    assert!(!first.looks_like(&ask(&fake)));
    let second = ask(&fake);
    fake.feed.lock().unwrap().sources[0].silent_for = Duration::from_secs(9);
    assert!(!second.looks_like(&ask(&fake)));
}
