#![expect(clippy::cast_precision_loss, reason = "numbers of tests are small")]

use proptest::prelude::*;

use super::model::{Model, Owned, Truth, small};
use super::{SECOND, summary, top};
use crate::{
    About, Answer, By, Dimension, Filter, Live, Pace, Point, Quantiles, Question, Row, Scope, Sum,
    Top,
};

const SCOPES: [Scope; 3] = [Scope::Start, Scope::Window, Scope::Ended];
const ORDERS: [By; 5] = [By::Hits, By::Bytes, By::Errors, By::Latency, By::Clients];
const CAPACITY: u64 = 16;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A line, so many milliseconds after the newest one.
    Line(i64, Owned),
    /// The same line once more.
    Again,
    /// The clock says so many milliseconds after the newest line.
    Clock(i64),
}

fn line() -> impl Strategy<Value = (i64, Owned)> {
    let after = prop_oneof![
        8 => 0i64..400, 4 => -2_500i64..2_500, 1 => -20_000i64..0, 1 => 5_000i64..30_000,
    ];
    let path = prop_oneof![3 => 0u16..5, 2 => 0u16..40, 2 => 0u16..1000];
    let client = prop_oneof![1 => Just(None), 4 => (0u16..8).prop_map(Some), 2 => (0u16..500).prop_map(Some)];
    let status = prop_oneof![
        Just(None),
        Just(Some(200)),
        Just(Some(304)),
        Just(Some(404)),
        Just(Some(503)),
        Just(Some(99)),
        Just(Some(601)),
    ];
    let bytes = prop_oneof![Just(0u64), 1u64..2000, Just(1 << 30)];
    let latency = prop_oneof![Just(None), (0u64..5_000_000_000).prop_map(Some)];
    (after, path, client, status, bytes, latency).prop_map(
        |(after, path, client, status, bytes, latency)| {
            let line = Owned {
                time: 0,
                path: format!("/p/{path}"),
                client: client.map(|client| format!("10.0.0.{client}")),
                status,
                bytes,
                latency,
                text: String::new(),
            };
            (after, line)
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        20 => line().prop_map(|(after, line)| Event::Line(after, line)),
        1 => Just(Event::Again),
        1 => (-5_000i64..5_000).prop_map(Event::Clock),
    ];
    prop::collection::vec(event, 1..250)
}

/// Lets both see the same, and calls `then` now and then.
fn run(live: &mut Live, model: &mut Model, events: &[Event], mut then: impl FnMut(&Live, &Model)) {
    let mut number = 0;
    run_each(live, model, events, |live, model| {
        number += 1;
        if number % 40 == 0 || number == events.len() {
            then(live, model);
        }
    });
}

/// Lets both see the same, and calls `then` after each event.
fn run_each(
    live: &mut Live,
    model: &mut Model,
    events: &[Event],
    mut then: impl FnMut(&Live, &Model),
) {
    let mut newest = 1_795_000_000 * SECOND;
    let mut before: Option<Owned> = None;
    for (number, event) in events.iter().enumerate() {
        let line = match event {
            Event::Line(after, line) => {
                let time = newest + after * 1_000_000;
                // One that is far ahead is not what the others come after.
                newest = if *after > 10_000 { newest } else { newest.max(time) };
                Some(Owned { time, text: format!("{number} {}", line.path), ..line.clone() })
            }
            Event::Again => before.clone(),
            Event::Clock(after) => {
                let now = newest + after * 1_000_000;
                live.advance(now);
                model.advance(now);
                None
            }
        };
        if let Some(line) = line {
            assert!(live.take(&line.hit()));
            model.take(&line);
            before = Some(line);
        }
        then(live, model);
    }
}

fn holds(sum: Sum, real: u64) -> bool {
    sum.value >= real && sum.value - sum.at_most_over <= real
}

fn check_quantiles(quantiles: Option<Quantiles>, truth: &Truth) {
    let Some(quantiles) = quantiles else { return assert!(truth.latencies.is_empty()) };
    assert_eq!(quantiles.lines, truth.latencies.len() as u64);
    assert_eq!(Some(&quantiles.max), truth.latencies.last());
    for (found, of_thousand) in [(quantiles.p50, 500), (quantiles.p95, 950), (quantiles.p99, 990)] {
        let real = truth.quantile(of_thousand);
        let allowed = real as f64 * quantiles.error + 2048.0;
        assert!(found.abs_diff(real) as f64 <= allowed, "{found} for {real}");
    }
}

fn check_clients(found: About, truth: &Truth) {
    let real = truth.clients.len() as u64;
    let (low, high) = (found.count, found.count + found.at_most_missed);
    if found.error == 0.0 {
        assert!(low <= real && real <= high, "{real} clients are not in {low}..={high}");
    } else {
        let real = real as f64;
        let error = found.error * 5.0;
        assert!(low as f64 * (1.0 - error) <= real && real <= high as f64 * (1.0 + error));
    }
}

fn check_row(row: &Row, truth: &Truth) {
    assert!(holds(row.hits, truth.hits), "{row:?} for {truth:?}");
    assert!(holds(row.bytes, truth.bytes), "{row:?} for {truth:?}");
    assert!(holds(row.errors, truth.errors), "{row:?} for {truth:?}");
    check_clients(row.clients, truth);
    if row.hits.at_most_over == 0 {
        check_quantiles(row.latency, truth);
        let classes = row.classes;
        let sum = classes.none
            + classes.informational
            + classes.success
            + classes.redirection
            + classes.client_error
            + classes.server_error;
        assert_eq!(sum, truth.hits);
    }
}

fn check_summary(live: &Live, model: &Model, scope: Scope) {
    let found = summary(live, scope);
    let truth = Truth::of(model.lines_of(scope));
    assert_eq!((found.hits, found.bytes, found.errors), (truth.hits, truth.bytes, truth.errors));
    assert_eq!((found.late, found.ahead, found.left_out), (model.late, model.ahead_of_clock, 0));
    assert_eq!((found.clients.count, found.clients.error), (truth.clients.len() as u64, 0.0));
    assert_eq!(
        found.classes.success,
        model.lines_of(scope).iter().filter(|line| line.status == Some(200)).count() as u64
    );
    check_quantiles(found.latency, &truth);
}

fn weight(row: &Row, by: By) -> u64 {
    match by {
        By::Hits => row.hits.value,
        By::Bytes => row.bytes.value,
        By::Errors => row.errors.value,
        By::Latency => row.latency.map_or(0, |latency| latency.p95),
        By::Clients => row.clients.count,
    }
}

fn check_top(found: &Top, model: &Model, all: &Top) {
    let truth = model.keys(&found.dimension, found.scope);
    let names: Vec<&str> =
        found.rows.iter().map(|row| row.key.as_ref().unwrap().text.as_str()).collect();
    for (row, name) in found.rows.iter().zip(&names) {
        check_row(row, &truth.get(*name).cloned().unwrap_or_default());
        assert!(row.hits.at_most_over <= found.missing.hits);
    }
    let weights: Vec<u64> = found.rows.iter().map(|row| weight(row, found.by)).collect();
    assert!(weights.is_sorted_by(|one, other| one >= other), "{weights:?}");
    assert_eq!(found.rows[..], all.rows[..found.rows.len()], "the first of all");
    // What is not shown has no more than the last that is.
    let shown = weights.last().copied().unwrap_or(0);
    for (name, truth) in &truth {
        let (real, floor) = match found.by {
            By::Hits => (truth.hits, found.missing.hits),
            By::Bytes => (truth.bytes, found.missing.bytes),
            By::Errors => (truth.errors, found.missing.errors),
            By::Latency | By::Clients => continue,
        };
        assert!(names.contains(&name.as_str()) || real <= shown.max(floor), "{name} with {real}");
    }
    let hits: u64 = truth.values().map(|truth| truth.hits).sum();
    let bytes: u64 = truth.values().map(|truth| truth.bytes).sum();
    let errors: u64 = truth.values().map(|truth| truth.errors).sum();
    assert_eq!(found.hits, hits);
    assert!(found.missing.hits * CAPACITY <= hits);
    assert!(found.missing.bytes * (CAPACITY / 4) <= bytes);
    assert!(found.missing.errors * (CAPACITY / 4) <= errors);
    if model.distinct(&found.dimension) as u64 <= CAPACITY {
        assert_eq!(found.missing.hits + found.missing.bytes + found.missing.errors, 0);
        assert_eq!(found.keys, truth.len() as u64);
    }
}

fn check_point(point: &Point, truth: &Truth) {
    assert!(holds(point.hits, truth.hits) && holds(point.bytes, truth.bytes), "{point:?}");
    assert!(holds(point.errors, truth.errors), "{point:?}");
    check_clients(point.clients, truth);
}

fn check_series(live: &Live, model: &Model, scope: Scope) {
    let Answer::Series(series) = live.ask(&Question::Series { scope }) else { panic!("a series") };
    let step = series.step * 1_000_000;
    let mut hits = 0;
    for point in &series.points {
        let number = (point.at * 1_000_000).div_euclid(step);
        let truth = Truth::of(model.lines_of_step(number));
        check_point(point, &truth);
        check_quantiles(point.latency, &truth);
        assert_eq!(point.hits.at_most_over, 0);
        assert_eq!(point.is_open, number >= model.first_open());
        hits += truth.hits;
    }
    assert_eq!(hits, model.lines_of(scope).len() as u64);
}

fn check_key(live: &Live, model: &Model, dimension: &Dimension, scope: Scope) {
    let Some((line, _)) = model.lines.first() else { return };
    let Some(text) = line.key(dimension) else { return };
    let key = live.key_id(text.as_bytes());
    let question = Question::Key { dimension: dimension.clone(), key, lines: 5, scope };
    let Answer::Key(detail) = live.ask(&question) else { panic!("a key") };
    let truth = model.keys(dimension, scope).remove(&text).unwrap_or_default();
    check_row(&detail.row, &truth);
    let step = detail.series.step * 1_000_000;
    for point in &detail.series.points {
        let lines = model.lines_of_step((point.at * 1_000_000).div_euclid(step));
        let own = lines.into_iter().filter(|line| line.key(dimension).as_ref() == Some(&text));
        check_point(point, &Truth::of(own));
    }
    let last =
        model.lines.iter().rev().filter(|(line, _)| line.key(dimension).as_ref() == Some(&text));
    let last: Vec<&str> = last.take(5).map(|(line, _)| line.text.as_str()).collect();
    let found: Vec<&str> = detail.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(found, last);
}

fn check_all(live: &Live, model: &Model) {
    for scope in SCOPES {
        check_summary(live, model, scope);
        for dimension in [Dimension::Path, Dimension::Client, Dimension::Status] {
            for by in ORDERS {
                let all = top(live, &dimension, by, scope, usize::MAX);
                check_top(&all, model, &all);
                check_top(&top(live, &dimension, by, scope, 5), model, &all);
            }
            check_key(live, model, &dimension, scope);
        }
    }
    check_series(live, model, Scope::Window);
    check_series(live, model, Scope::Ended);
}

fn answers(live: &Live) -> Vec<String> {
    let mut answers = Vec::new();
    for scope in SCOPES {
        let mut questions = vec![Question::Summary { scope }, Question::Series { scope }];
        for by in ORDERS {
            let dimension = Dimension::Path;
            questions.push(Question::Top { dimension, by, most: 10, least_hits: 2, scope });
        }
        let answered = questions.iter().map(|question| live.ask(question));
        answers.extend(answered.map(|answer| serde_json::to_string(&answer).unwrap()));
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn answers_are_those_of_a_model_that_keeps_every_line(
        events in events(),
        (window, step) in prop_oneof![Just((1, 1)), Just((10, 1)), Just((12, 3)), Just((60, 5)), Just((30, 30))],
        pace in prop_oneof![Just(Pace::Clock), Just(Pace::Lines)],
    ) {
        let settings = small(window, step, pace);
        let (mut live, mut model) = (Live::new(settings.clone()).unwrap(), Model::new(&settings));
        run(&mut live, &mut model, &events, check_all);
    }

    #[test]
    fn the_same_lines_give_the_same_answers(events in events()) {
        let settings = small(10, 1, Pace::Clock);
        let [first, second] = [(); 2].map(|()| {
            let (mut live, mut model) = (Live::new(settings.clone()).unwrap(), Model::new(&settings));
            run(&mut live, &mut model, &events, |_, _| {});
            answers(&live)
        });
        prop_assert_eq!(first, second);
    }

    /// Alerts are judged by what has ended: each time the watermark moves over a step, the answer is
    /// made of the lines before it, and no line that comes later changes it.
    #[test]
    fn what_has_ended_stays_as_it_was(events in events()) {
        let settings = small(10, 1, Pace::Lines);
        let (mut live, mut model) = (Live::new(settings.clone()).unwrap(), Model::new(&settings));
        let mut ended = Vec::new();
        run(&mut live, &mut model, &events, |live, _| {
            let Answer::Series(series) = live.ask(&Question::Series { scope: Scope::Window }) else {
                panic!("a series")
            };
            for point in series.points.iter().filter(|point| !point.is_open) {
                match ended.iter().find(|other: &&Point| other.at == point.at) {
                    Some(before) => assert_eq!(before, point),
                    None => ended.push(*point),
                }
            }
        });
    }

    /// However many steps one line ends, each end has its answer, and that is made of the lines of the
    /// window before it.
    #[test]
    fn each_end_of_a_step_has_its_own_answer(events in events(), pace in prop_oneof![Just(Pace::Clock), Just(Pace::Lines)]) {
        let settings = small(12, 3, pace);
        let (mut live, mut model) = (Live::new(settings.clone()).unwrap(), Model::new(&settings));
        let mut before = None;
        run_each(&mut live, &mut model, &events, |live, model| {
            let after = live.ended_at().map(|at| at / 1_000_000);
            for end in (before.unwrap_or(i64::MAX)..=after.unwrap_or(i64::MIN)).step_by(3_000) {
                let scope = Scope::Until(end);
                check_summary(live, model, scope);
                let all = top(live, &Dimension::Path, By::Hits, scope, usize::MAX);
                check_top(&all, model, &all);
            }
            before = after;
        });
    }

    #[test]
    fn a_filter_leaves_out_what_does_not_match(events in events()) {
        let filter = Filter::new("status:>=500 OR path:/p/1").unwrap();
        let mut settings = small(10, 1, Pace::Lines);
        let mut live = Live::new(settings.clone()).unwrap();
        live.set_filter(Some(filter.clone()));
        settings.filter = None;
        let mut model = Model::new(&settings);
        let mut unfiltered = Model::new(&settings);
        let mut left_out = 0;
        let mut base = Live::new(settings.clone()).unwrap();
        // The lines as they are made for the unfiltered pair.
        run(&mut base, &mut unfiltered, &events, |_, _| {});
        for (line, _) in &unfiltered.lines {
            let is_meant = line.status.is_some_and(|status| status >= 500) || line.path == "/p/1";
            prop_assert_eq!(live.take(&line.hit()), is_meant);
            model.take_if(line, is_meant);
            left_out += u64::from(!is_meant);
        }
        let found = summary(&live, Scope::Window);
        let truth = Truth::of(model.lines_of(Scope::Window));
        prop_assert_eq!((found.hits, found.left_out), (truth.hits, left_out));
    }
}
