//! The kind of fault: a screen that says more than is known. A number that may be too large stands there
//! as if it were exact, or raises an alarm; what has not been read yet is said not to be there; what
//! is of one moment is said to be of another; and a key is named that does nothing.

use omphalos_live::{Dimension, Filter, Pace};

use super::{Bench, Fake, LINES, source};
use crate::top::console::key::Key;
use crate::top::console::model::{Form, Model};
use crate::top::console::thresholds::{Mark, Measure, Thresholds, Watch};
use crate::top::figures::{Figures, Reading, SourceState};
use crate::top::number::percent;

/// By so much the sums of keys may be too large.
const OVER: u64 = 500;

fn rough(change: impl FnOnce(&mut Bench)) -> Bench {
    Bench::with(Fake { over: OVER, ..Fake::busy() }, change)
}

/// Numbers of a line that are shown as exact.
fn exact(line: &str) -> Vec<&str> {
    line.split_whitespace()
        .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .collect()
}

fn line<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part}: {text}"))
}

#[test]
fn no_number_that_may_be_too_large_is_shown_as_exact() {
    let mut bench = rough(|_| {});
    bench.draw(200, 60);
    let text = bench.text(200, 60);
    // That of p95 alone is no sum, and no estimate of more than its first digits.
    for name in ["/api  ", "/static  ", "/login  ", "/blog  "] {
        assert_eq!(exact(line(&text, name)).len(), 1, "{text}");
        assert_eq!(line(&text, name).matches('≈').count(), 6, "{text}");
    }
    let copied = bench.press(&Key::Char('Y')).copy.unwrap();
    let numbers: Vec<&str> = copied.split('\t').skip(1).collect();
    assert!(numbers[..4].iter().all(|number| number.starts_with('≈')), "{copied}");
    bench.press(&Key::Enter);
    let text = bench.text(100, 30);
    let amounts = line(&text, " hits ");
    assert_eq!(exact(amounts), [""; 0], "{text}");
    assert_eq!(amounts.matches('≈').count(), 6, "{text}");

    let mut classic = rough(|bench| bench.model.form = Form::Classic);
    let text = classic.text(80, 24);
    for name in ["/api", "/static", "/login", "/blog"] {
        assert_eq!(exact(line(&text, name)), [""; 0], "{text}");
    }
    for counts in ["Status", "Methods"] {
        let words: Vec<&str> = line(&text, counts).split_whitespace().skip(1).collect();
        assert!(words.chunks(2).all(|pair| pair[1].starts_with('≈')), "{text}");
    }
}

#[test]
fn classes_are_shares_of_what_is_known_of_them() {
    let mut bench = rough(|_| {});
    bench.press(&Key::Enter);
    let classes = bench.data.detail.as_ref().unwrap().row.classes;
    let whole = classes.success + classes.redirection + classes.client_error;
    let text = bench.text(100, 30);
    let expected = format!("2xx {}", percent(classes.success, whole));
    // The first one is that of all lines.
    let of_key = text.lines().filter(|line| line.contains("2xx")).nth(1);
    assert!(of_key.unwrap_or_default().contains(&expected), "{expected}: {text}");
}

#[test]
fn only_what_is_certain_raises_an_alarm() {
    let hits = Bench::new(Fake::busy()).data.rows()[0].hits.value;
    for (threshold, mark) in [(hits + 1, Mark::Normal), (hits, Mark::Red)] {
        for form in [Form::Full, Form::Classic] {
            let mut bench = rough(|bench| {
                bench.model.form = form;
                bench.model.has_thresholds = true;
                let thresholds = Thresholds { hits: Some(threshold), ..Thresholds::default() };
                bench.watch = Watch::new(thresholds);
            });
            assert_eq!(bench.watch.section("/api", Measure::Hits), mark, "{threshold} {form:?}");
            let alarm = format!("/api  at least {hits} hits").replace("2149", "2,149");
            let is_said = form == Form::Full && mark == Mark::Red;
            assert_eq!(bench.text(80, 24).contains(&alarm), is_said, "{threshold} {form:?}");
        }
    }
}

#[test]
fn nothing_is_missed_before_all_is_read() {
    let reading = || SourceState { state: Reading::CatchingUp, lines: 0, ..source("a.log") };
    for form in [Form::Full, Form::Classic] {
        let fake = Fake::new();
        let mut feed = fake.feed.lock().unwrap();
        feed.sources.push(reading());
        feed.notice = Some("no line has come from a.log yet".to_owned());
        drop(feed);
        let mut bench = Bench::with(fake, |bench| bench.model.form = form);
        let text = bench.text(80, 24);
        assert!(text.contains("reading…") && !text.contains("no line"), "{text}");
        bench.figures.feed.lock().unwrap().sources[0].state = Reading::Following;
        bench.ask();
        let text = bench.text(80, 24);
        assert!(!text.contains("reading…") && text.contains("no line has come"), "{text}");
    }
    // Nor while not even the sources are known.
    let mut bench = Bench::new(Fake::new());
    bench.data.is_early = true;
    assert!(bench.text(80, 24).contains("reading…"), "{}", bench.text(80, 24));
    bench.data.is_early = false;
    assert!(bench.text(80, 24).contains("no line yet"), "{}", bench.text(80, 24));
    // Once more for a filter, while there is something of it that was read already.
    let fake = Fake::busy();
    fake.set_filter(Some(Filter::new("status:599").unwrap())).unwrap();
    fake.take(LINES);
    *fake.feed.lock().unwrap().sources.first_mut().unwrap() = SourceState { lines: 1, ..reading() };
    let mut bench = Bench::with(fake, |bench| bench.model.filter = "status:599".to_owned());
    let text = bench.text(80, 24);
    assert!(text.contains("reading…") && !text.contains("leaves out"), "{text}");
    bench.figures.feed.lock().unwrap().sources[0].state = Reading::Following;
    bench.ask();
    assert!(bench.text(80, 24).contains("the filter leaves out all 1 line"));
}

#[test]
fn the_lag_grows_while_nothing_comes() {
    let mut bench = Bench::new(Fake::busy());
    let end = bench.data.summary.to;
    let now = bench.data.at + 30_000;
    let mut live = bench.figures.live.lock().unwrap();
    live.set_pace(Pace::Clock);
    live.advance(bench.data.at * 1_000_000);
    live.advance(now * 1_000_000);
    drop(live);
    bench.ask();
    assert!(bench.data.summary.to > end, "the window goes on with the clock");
    bench.data.at = now;
    assert!(bench.text(80, 24).contains("lag 30 s"), "{}", bench.text(80, 24));
    bench.figures.feed.lock().unwrap().sources[0].state = Reading::Ended;
    bench.ask();
    bench.data.at = now;
    assert!(bench.text(80, 24).contains("newest 30 s ago"), "{}", bench.text(80, 24));
}

#[test]
fn a_pause_says_of_when_it_is() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Char('p'));
    assert!(bench.text(80, 24).contains("paused at 12:05:00"), "{}", bench.text(80, 24));
    // What is chosen is asked anew, and all that is shown is of that moment.
    bench.press(&Key::Char('2'));
    bench.data.at += 7_000;
    assert!(bench.text(80, 24).contains("paused at 12:05:07"), "{}", bench.text(80, 24));
}

#[test]
fn what_a_format_has_not_is_said_and_no_key_that_does_nothing() {
    let shown = |form, format, key| {
        let mut bench = Bench::with(Fake::busy(), |bench| {
            bench.model.form = form;
            bench.model.format = format;
        });
        bench.press(&Key::Char(key));
        bench.text(80, 24)
    };
    let text = shown(Form::Classic, Some("clf"), 'r');
    assert!(text.contains("the format clf has no referrer: -p combined"), "{text}");
    for format in [Some("combined"), None] {
        let text = shown(Form::Classic, format, 'r');
        assert!(!text.contains("-p combined") && text.contains("esc: back"), "{text}");
        assert!(!text.contains("tab"), "{text}");
        assert!(shown(Form::Full, format, '6').contains("tab: another dimension"));
    }
    // In the old console and in plain text no key takes a filter away or chooses a window.
    let changes: [fn(&mut Model); 2] =
        [|model| model.form = Form::Classic, |model| model.has_keys = false];
    for change in changes {
        for filter in ["", "status:599"] {
            let fake = Fake::busy();
            fake.set_filter((!filter.is_empty()).then(|| Filter::new(filter).unwrap())).unwrap();
            fake.take(LINES);
            let mut bench = Bench::with(fake, |bench| {
                change(&mut bench.model);
                bench.model.dimension = Dimension::Agent;
                bench.model.filter = filter.to_owned();
            });
            let text = bench.text(80, 24);
            assert!(!text.contains("esc takes") && !text.contains("tab:"), "{text}");
        }
    }
}
