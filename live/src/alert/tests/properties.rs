use std::time::Duration;

use proptest::prelude::*;

use super::model::Model;
use crate::alert::{Alerts, Change, Event, Limit, Measure, Rule, Subject};
use crate::tests::model::Owned;
use crate::{Dimension, Filter, Pace, Settings};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_795_000_000 * SECOND;

/// Something that happens.
#[derive(Debug, Clone)]
enum Happens {
    /// A line, so many milliseconds after the newest one.
    Line(i64, Owned),
    /// Several of them.
    Burst(u8, Owned),
    /// The line before once more.
    Again,
    /// The clock says so many milliseconds after the newest line.
    Clock(i64),
}

fn line() -> impl Strategy<Value = Owned> {
    let status = prop_oneof![4 => Just(Some(200)), 1 => Just(Some(404)), 2 => Just(Some(503)), 1 => Just(None)];
    let latency = prop_oneof![
        Just(None),
        Just(Some(1_000_000)),
        Just(Some(100_000_000)),
        Just(Some(10_000_000_000)),
    ];
    (0u8..4, 0u8..3, status, prop_oneof![Just(0u64), Just(1), Just(1_000)], latency).prop_map(
        |(path, client, status, bytes, latency)| Owned {
            time: 0,
            path: format!("/p/{path}"),
            client: Some(format!("10.0.0.{client}")).filter(|_| client > 0),
            status,
            bytes,
            latency,
            text: String::new(),
        },
    )
}

fn happens() -> impl Strategy<Value = Vec<Happens>> {
    let after = prop_oneof![
        12 => 0i64..1_500,
        4 => -2_500i64..2_500,
        2 => 1_500i64..40_000,
        1 => -40_000i64..0,
        1 => 40_000i64..900_000,
    ];
    let one = prop_oneof![
        16 => (after, line()).prop_map(|(after, line)| Happens::Line(after, line)),
        4 => (1u8..12, line()).prop_map(|(count, line)| Happens::Burst(count, line)),
        1 => Just(Happens::Again),
        3 => (-5_000i64..40_000).prop_map(Happens::Clock),
    ];
    prop::collection::vec(one, 1..120)
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::All),
        Just(Subject::Key(Dimension::Path, "/p/1".to_owned())),
        Just(Subject::Key(Dimension::Client, "nobody".to_owned())),
        Just(Subject::Each(Dimension::Path)),
        Just(Subject::Each(Dimension::Client)),
        Just(Subject::Each(Dimension::Status)),
    ]
}

/// A measure, the values that are limits of it, and whether high or low ones are alerts.
fn measure() -> impl Strategy<Value = (Measure, f64, f64, bool)> {
    let values = prop_oneof![
        Just((Measure::Hits, [0.0, 1.0, 3.0, 8.0])),
        Just((Measure::Rate, [0.0, 0.1, 0.3, 1.0])),
        Just((Measure::Bytes, [0.0, 1.0, 1_000.0, 3_000.0])),
        Just((Measure::ErrorShare, [0.0, 20.0, 50.0, 100.0])),
        Just((Measure::Latency(500), [0.01, 0.05, 0.5, 1.0])),
        Just((Measure::Latency(990), [0.01, 0.05, 0.5, 1.0])),
        Just((Measure::Silence, [2.0, 7.0, 30.0, 200.0])),
        Just((Measure::Change, [-100.0, -50.0, 25.0, 100.0])),
    ];
    (values, 0usize..4, 0usize..4, any::<bool>()).prop_map(
        |((measure, values), one, other, is_high)| {
            let (low, high) = (values[one.min(other)], values[one.max(other)]);
            let is_high = is_high || measure == Measure::Silence;
            // What there always is is refused.
            let raise = match high {
                0.0 => 1.0,
                -100.0 => -50.0,
                high => high,
            };
            if is_high { (measure, raise, low, true) } else { (measure, low, high, false) }
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let seconds =
        |choices: [u64; 4]| prop::sample::select(choices.map(Duration::from_secs).to_vec());
    let windows = seconds([4, 10, 60, 120]);
    let times = (seconds([0, 0, 3, 20]), seconds([0, 0, 3, 20]), seconds([0, 5, 30, 600]));
    let rest = (0u64..4, any::<bool>(), any::<bool>());
    let one = (subject(), measure(), windows, times, rest).prop_map(
        |(subject, (measure, raise, clear, is_high), window, (wait, keep, no_data), rest)| {
            let (least_hits, raises, is_filtered) = rest;
            let limit = if is_high {
                Limit::AtLeast { raise, clear }
            } else {
                Limit::AtMost { raise, clear }
            };
            Rule {
                filter: is_filtered.then(|| Filter::new("status:>=404").unwrap()),
                raises_without_data: raises && !matches!(subject, Subject::Each(_)),
                subject,
                measure,
                limit,
                window,
                wait,
                keep,
                least_hits,
                no_data,
                ..super::rule("")
            }
        },
    );
    prop::collection::vec(one, 1..6).prop_map(|mut rules| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("rule {number}");
        }
        rules
    })
}

type Told = (i64, String, Option<String>, Change);

fn told(events: &[Event]) -> Vec<Told> {
    let told = events.iter().map(|event| {
        let key = event.alert.key.as_ref().map(|key| key.text.clone());
        (event.at, event.alert.rule.clone(), key, event.change)
    });
    sorted(told.collect())
}

fn sorted(mut told: Vec<Told>) -> Vec<Told> {
    told.sort_by(|one, other| (one.0, &one.1, &one.2).cmp(&(other.0, &other.1, &other.2)));
    told
}

fn settings(pace: Pace) -> Settings {
    Settings { pace, lateness: Duration::from_secs(3), ..Settings::default() }
}

/// What is done, with times: lines and what the clock says.
fn timed(happens: &[Happens]) -> Vec<Result<Owned, i64>> {
    let mut newest = START;
    let mut before: Option<Owned> = None;
    let mut timed = Vec::new();
    for happens in happens {
        let (count, after, line) = match happens {
            Happens::Line(after, line) => (1, *after, Some(line.clone())),
            Happens::Burst(count, line) => (*count, 0, Some(line.clone())),
            Happens::Again => (1, 0, before.clone()),
            Happens::Clock(after) => {
                timed.push(Err(newest + after * 1_000_000));
                continue;
            }
        };
        let Some(line) = line else { continue };
        let is_again = matches!(happens, Happens::Again);
        let time = if is_again { line.time } else { newest + after * 1_000_000 };
        newest = newest.max(time);
        let line = Owned { time, ..line };
        before = Some(line.clone());
        timed.extend((0..count).map(|_| Ok(line.clone())));
    }
    timed
}

fn run(rules: &[Rule], settings: &Settings, timed: &[Result<Owned, i64>]) -> Vec<Event> {
    let mut alerts = Alerts::new(rules.to_vec(), settings).unwrap();
    let mut events = Vec::new();
    for one in timed {
        match one {
            Ok(line) => alerts.take(&line.hit(), &mut events),
            Err(now) => alerts.advance(*now, &mut events),
        }
    }
    events
}

proptest! {


    #[test]
    fn alerts_raise_and_clear_as_the_model_says_at_every_step(
        rules in rules(),
        happens in happens(),
        is_replay in any::<bool>(),
    ) {
        let settings = settings(if is_replay { Pace::Lines } else { Pace::Clock });
        let mut alerts = Alerts::new(rules.clone(), &settings).unwrap();
        let mut models: Vec<Model> = rules.iter().map(|rule| Model::new(rule, &settings)).collect();
        let mut events = Vec::new();
        for one in timed(&happens) {
            match &one {
                Ok(line) => {
                    alerts.take(&line.hit(), &mut events);
                    for model in &mut models {
                        model.take(line);
                    }
                }
                Err(now) => {
                    alerts.advance(*now, &mut events);
                    for model in &mut models {
                        model.advance(*now);
                    }
                }
            }
            let expected = models.iter().flat_map(|model| model.events.clone()).collect();
            prop_assert_eq!(told(&events), sorted(expected));
        }
    }
}

/// The same lines in another order, as far as they may be late.
fn shuffled(timed: &[Result<Owned, i64>], jitter: &[u16]) -> Vec<Owned> {
    let lines = timed.iter().filter_map(|one| one.as_ref().ok());
    let mut lines: Vec<(i64, Owned)> = lines
        .zip(jitter.iter().cycle())
        .map(|(line, jitter)| (line.time + i64::from(*jitter % 1_900) * 1_000_000, line.clone()))
        .collect();
    lines.sort_by_key(|(time, _)| *time);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn in_order(timed: &[Result<Owned, i64>]) -> Vec<Owned> {
    let mut lines: Vec<Owned> = timed.iter().filter_map(|one| one.clone().ok()).collect();
    lines.sort_by_key(|line| line.time);
    lines
}

proptest! {
    #[test]
    fn lines_raise_the_same_in_whatever_order_they_come_in_time(
        rules in rules(),
        happens in happens(),
        jitter in prop::collection::vec(any::<u16>(), 1..50),
    ) {
        let settings = settings(Pace::Lines);
        let ordered = in_order(&timed(&happens));
        let mut other = shuffled(&timed(&happens), &jitter);
        // The first line says since when all were seen, and the last one up to when.
        if let Some(first) = ordered.first() {
            let at = other.iter().position(|line| line == first).unwrap();
            let line = other.remove(at);
            other.insert(0, line);
        }
        let (ordered, other) = (lines_and_end(ordered), lines_and_end(other));
        prop_assert_eq!(told(&run(&rules, &settings, &ordered)), told(&run(&rules, &settings, &other)));
    }

    #[test]
    fn who_goes_on_from_what_was_kept_and_reads_again_says_what_is_new_alone(
        rules in rules(),
        happens in happens(),
        cut in 0usize..200,
    ) {
        let settings = settings(Pace::Lines);
        let lines = lines_and_end(in_order(&timed(&happens)));
        let whole = run(&rules, &settings, &lines);
        let cut = cut.min(lines.len());
        let mut alerts = Alerts::new(rules.clone(), &settings).unwrap();
        let mut events = Vec::new();
        for line in lines.iter().take(cut).flatten() {
            alerts.take(&line.hit(), &mut events);
        }
        let kept = serde_json::to_string(&alerts.save()).unwrap();
        let mut alerts = Alerts::new(rules, &settings).unwrap();
        alerts.restore(&serde_json::from_str(&kept).unwrap(), &mut events);
        for line in lines.iter().flatten() {
            alerts.take(&line.hit(), &mut events);
        }
        prop_assert_eq!(told(&events), told(&whole));
        prop_assert!(alerts.active().len() <= 1_000);
    }

    /// Up to the last line it is as if more had come; of its step, only what no line could have made well.
    #[test]
    fn a_log_that_ends_is_judged_to_its_end(rules in rules(), happens in happens()) {
        let settings = settings(Pace::Lines);
        let lines = in_order(&timed(&happens));
        let newest = lines.iter().map(|line| line.time / 1_000_000).max().unwrap_or(0);
        for rule in rules {
            let rules = vec![rule];
            let step = i64::try_from(rules[0].step().unwrap().as_millis()).unwrap();
            let mut alerts = Alerts::new(rules.clone(), &settings).unwrap();
            let mut events = Vec::new();
            for line in &lines {
                alerts.take(&line.hit(), &mut events);
            }
            alerts.finish(&mut events);
            let gone_on = told(&run(&rules, &settings, &lines_and_end(lines.clone())));
            let last = newest.div_euclid(step) * step;
            let until = |events: &[Told]| -> Vec<Told> {
                events.iter().filter(|told| told.0 <= last).cloned().collect()
            };
            let ended = told(&events);
            prop_assert_eq!(until(&ended), until(&gone_on));
            prop_assert!(ended.iter().all(|told| told.0 <= last + step && gone_on.contains(told)));
            let is_sum = matches!(rules[0].measure, Measure::Hits | Measure::Rate | Measure::Bytes);
            if is_sum && matches!(rules[0].limit, Limit::AtLeast { .. }) {
                let raised = |told: &&Told| told.0 == last + step && told.3 == Change::Raised;
                prop_assert_eq!(
                    ended.iter().filter(raised).count(),
                    gone_on.iter().filter(raised).count()
                );
            }
        }
    }

    #[test]
    fn with_more_keys_than_can_be_counted_nothing_is_raised_that_is_not_so(
        keys in prop::collection::vec(0u16..400, 200..800),
        limit in 3u32..40,
    ) {
        let rule = Rule {
            subject: Subject::Each(Dimension::Path),
            limit: Limit::AtLeast { raise: f64::from(limit), clear: 1.0 },
            window: Duration::from_mins(1),
            ..super::rule("each")
        };
        let settings = Settings { capacity: 16, ..settings(Pace::Lines) };
        let line = Owned {
            time: 0,
            path: String::new(),
            client: None,
            status: None,
            bytes: 0,
            latency: None,
            text: String::new(),
        };
        let each = SECOND / 10;
        let lines = keys.iter().zip(0i64..).map(|(key, number)| Owned {
            // Some keys are heavy.
            path: format!("/{}", if key % 3 == 0 { key % 9 } else { *key }),
            time: START + number * each,
            ..line.clone()
        });
        let lines = lines_and_end(lines.collect());
        for event in run(&[rule], &settings, &lines) {
            let path = event.alert.key.clone().unwrap().text;
            let from = (event.at - 60_000) * 1_000_000;
            let window = from..event.at * 1_000_000;
            let real = lines.iter().flatten();
            let real = real.filter(|line| line.path == path && window.contains(&line.time)).count();
            if event.change == Change::Raised {
                prop_assert!(real >= limit as usize, "{path} has {real}: {event:?}");
            }
        }
    }
}

/// With a line long after the last, that ends all steps.
fn lines_and_end(lines: Vec<Owned>) -> Vec<Result<Owned, i64>> {
    let last = lines.last().cloned();
    let newest = lines.iter().map(|line| line.time).max();
    let end = last.zip(newest).map(|(line, newest)| Owned {
        time: newest + 3_600 * SECOND,
        status: Some(200),
        ..line
    });
    lines.into_iter().chain(end).map(Ok).collect()
}
