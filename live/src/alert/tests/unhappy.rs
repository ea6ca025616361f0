use std::time::Duration;

use super::rule;
use crate::alert::{
    Alerts, Change, Event, Limit, Measure, Of, Rule, Saved, State, Subject, Template, Unit, shown,
};
use crate::{Dimension, Hit, Settings};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_795_000_000;

fn alerts(rules: &[Rule]) -> Alerts {
    let settings = Settings { lateness: Duration::from_secs(3), ..Settings::default() };
    Alerts::new(rules.to_vec(), &settings).unwrap()
}

fn hit(second: i64, host: &str) -> Hit<'_> {
    Hit { time: (START + second) * SECOND, host: Some(host.as_bytes()), ..Hit::default() }
}

fn silence(seconds: f64) -> Rule {
    Rule {
        subject: Subject::Each(Dimension::Host),
        measure: Measure::Silence,
        limit: Limit::AtLeast { raise: seconds, clear: seconds },
        ..rule("silent")
    }
}

fn told(events: &[Event]) -> Vec<(i64, &str, Change)> {
    events
        .iter()
        .map(|event| {
            let key = event.alert.key.as_ref().map_or("", |key| key.text.as_str());
            (event.at / 1000 - START, key, event.change)
        })
        .collect()
}

/// The kind: what one sort of rules is about is nothing to the other, and neither are its keys after a
/// restart.
#[test]
fn rules_of_heartbeats_see_heartbeats_and_others_lines() {
    let beats = Rule { of: Of::Heartbeats, name: "beats".to_owned(), ..silence(10.0) };
    let many = Rule { limit: Limit::AtLeast { raise: 3.0, clear: 3.0 }, ..rule("many") };
    let rules = [silence(10.0), beats, many];
    let mut events = Vec::new();
    let mut first = alerts(&rules);
    for second in 0..40 {
        let beat = hit(second, "beats");
        (0..5).for_each(|_| first.take_of(Of::Heartbeats, &beat, &mut events));
        if second < 10 {
            first.take(&hit(second, "lines"), &mut events);
        }
        first.advance((START + second) * SECOND, &mut events);
    }
    assert_eq!(
        told(&events),
        [(3, "", Change::Raised), (18, "", Change::Cleared), (19, "lines", Change::Raised)]
    );
    let mut later = alerts(&rules);
    events.clear();
    later.restore(&first.save(), &mut events);
    later.advance((START + 100) * SECOND, &mut events);
    assert_eq!(events, []);
}

/// The kind: whoever waits for late heartbeats says late who is gone.
#[test]
fn a_silent_host_is_said_within_its_delay_and_a_second() {
    for delay in [1_u32, 10, 120, 600, 7200] {
        let mut alerts = alerts(&[Rule { of: Of::Heartbeats, ..silence(f64::from(delay)) }]);
        let mut events = Vec::new();
        alerts.take_of(Of::Heartbeats, &hit(0, "a"), &mut events);
        let quarter = |at: i64| START * SECOND + at * SECOND / 4;
        let said = (0..40_000).find(|at| {
            alerts.advance(quarter(*at), &mut events);
            !events.is_empty()
        });
        let said = said.unwrap();
        assert!(
            (i64::from(delay) * 4..=i64::from(delay) * 4 + 4).contains(&said),
            "{delay}: {said}"
        );
    }
    let mut alerts = alerts(&[Rule { of: Of::Heartbeats, ..silence(10.0) }]);
    let mut events = Vec::new();
    alerts.take_of(Of::Heartbeats, &hit(0, "a"), &mut events);
    (0..9).for_each(|at| alerts.advance((START + at) * SECOND, &mut events));
    alerts.take_of(Of::Heartbeats, &hit(5, "a"), &mut events);
    (9..20).for_each(|at| alerts.advance((START + at) * SECOND, &mut events));
    assert_eq!(told(&events), [(15, "a", Change::Raised)], "what came late counts");
}

#[test]
fn a_rule_that_cannot_be_used_says_which_setting_and_what_is_expected() {
    let long = "x".repeat(129);
    let cases = [
        (
            Rule { name: String::new(), ..rule("") },
            "name: expected a name of 1 to 128 bytes, found \"\"",
        ),
        (Rule { name: long.clone(), ..rule("") }, "name: expected a name of 1 to 128 bytes"),
        (
            Rule { limit: Limit::AtLeast { raise: 5.0, clear: 6.0 }, ..rule("a") },
            "clear: expected at most at_least, below which it clears if this is not set, found 6",
        ),
        (
            Rule { limit: Limit::AtMost { raise: 5.0, clear: 4.0 }, ..rule("a") },
            "clear: expected at least at_most, above which it clears if this is not set, found 4",
        ),
        (
            Rule { limit: Limit::AtLeast { raise: f64::NAN, clear: 4.0 }, ..rule("a") },
            "expected numbers",
        ),
        (
            Rule { limit: Limit::AtLeast { raise: 0.0, clear: 0.0 }, ..rule("a") },
            "at_least: expected more than 0, which there always is, found 0",
        ),
        (
            Rule { window: Duration::from_millis(1500), ..rule("a") },
            "window: expected whole seconds, minutes or hours up to 30 days, such as 30s, 5m or 1h, found 1.5s",
        ),
        (Rule { window: Duration::ZERO, ..rule("a") }, "window: expected whole seconds"),
        (Rule { window: Duration::from_secs(3607), ..rule("a") }, "window: expected whole seconds"),
        (
            Rule { window: Duration::from_hours(31 * 24), ..rule("a") },
            "window: expected whole seconds",
        ),
        (
            silence(0.5),
            "at_least: expected how long a silence is an alert, of 1 s and more, found 0.5",
        ),
        (
            Rule {
                subject: Subject::Each(Dimension::Host),
                raises_without_data: true,
                ..rule("a")
            },
            "no_data_alert: expected false for each key by itself",
        ),
    ];
    for (rule, expected) in cases {
        let error = Alerts::new(vec![rule.clone()], &Settings::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.starts_with(&format!("alert {:?}: ", rule.name)), "{error}");
    }
    let twice = Alerts::new(vec![rule("a"), rule("a")], &Settings::default()).unwrap_err();
    assert!(twice.to_string().contains("\"a\" is there twice"), "{twice}");
    let each = |number: u64| Rule {
        filter: Some(crate::Filter::new(&format!("status:{number}")).unwrap()),
        ..rule(&number.to_string())
    };
    let many = Alerts::new((0..17).map(each).collect(), &Settings::default()).unwrap_err();
    assert!(many.to_string().contains("at most 16 different filters"), "{many}");
}

#[test]
fn a_limit_that_no_value_can_reach_is_refused() {
    let share = |raise, clear| Rule {
        measure: Measure::ErrorShare,
        limit: Limit::AtLeast { raise, clear },
        ..rule("a")
    };
    let few = Rule { limit: Limit::AtMost { raise: -1.0, clear: 4.0 }, ..rule("a") };
    for (rule, expected) in [
        (share(150.0, 1.0), "at_least: expected a part of 100 %, found 150 %"),
        (few, "at_most: expected a value that there can be, found -1"),
        (silence(604_800.0), "at_least: expected less than 7 days, together with for"),
        (
            Rule { wait: Duration::from_hours(6 * 24), ..silence(172_800.0) },
            "at_least: expected less than 7 days, together with for",
        ),
        (
            Rule { limit: Limit::AtMost { raise: 5.0, clear: 5.0 }, ..silence(1.0) },
            "at_most: expected at_least instead, found 5",
        ),
        (
            Rule { of: Of::Heartbeats, ..share(5.0, 5.0) },
            "measure: expected silence, hits, rate or change",
        ),
        (
            Rule { subject: Subject::Each(Dimension::named("")), ..rule("a") },
            "by: expected the name of a field, found \"\"",
        ),
    ] {
        let error = Alerts::new(vec![rule], &Settings::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(Alerts::new(vec![share(100.0, 100.0)], &Settings::default()).is_ok());
}

/// The kind: whole percents, which people write, must be reached exactly.
#[test]
fn a_change_of_whole_percents_is_raised_at_its_limit() {
    let window = Duration::from_secs(10);
    for before in (1_u32..=100).chain([250, 1000]) {
        for percent in (1..=200).chain([500, 1000]).filter(|percent| before * percent % 100 == 0) {
            let now = before + before * percent / 100;
            let limit = Limit::AtLeast { raise: f64::from(percent), clear: f64::from(percent) };
            let rule = Rule { measure: Measure::Change, limit, window, ..rule("more") };
            let mut alerts = alerts(&[rule]);
            let mut events = Vec::new();
            (0..before).for_each(|_| alerts.take(&hit(0, "a"), &mut events));
            (0..now).for_each(|_| alerts.take(&hit(10, "a"), &mut events));
            alerts.take(&hit(60, "a"), &mut events);
            assert_eq!(told(&events)[..1], [(20, "", Change::Raised)], "{before} {percent} %");
        }
    }
}

/// The kind: a host that was seen last before a crash must be missed after it.
#[test]
fn keys_of_steps_that_have_not_ended_are_kept() {
    let mut events = Vec::new();
    let mut first = alerts(&[silence(10.0)]);
    first.take(&hit(0, "a"), &mut events);
    first.take(&hit(1, "b"), &mut events);
    let mut later = alerts(&[silence(10.0)]);
    later.restore(&first.save(), &mut events);
    later.begin((START + 2) * SECOND, (START + 2) * SECOND);
    for second in 3..40 {
        later.take(&hit(second, "a"), &mut events);
        later.advance((START + second) * SECOND, &mut events);
    }
    assert_eq!(told(&events).iter().map(|told| told.1).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn all_windows_that_people_write_have_steps() {
    let windows = (1..=59)
        .chain((1..=59).map(|minutes| minutes * 60))
        .chain((1..=48).map(|hours| hours * 3600));
    for seconds in windows.chain([86_400, 7 * 86_400, 30 * 86_400]) {
        let rule = Rule { window: Duration::from_secs(seconds), ..rule("a") };
        let step = rule.step().unwrap_or_else(|| panic!("{seconds} s"));
        assert_eq!(seconds % step.as_secs(), 0);
        assert!(step.as_secs() == 1 || seconds / step.as_secs() <= 360);
        Alerts::new(vec![rule], &Settings::default()).unwrap();
    }
}

#[test]
fn texts_have_names_in_braces_and_say_which_there_are() {
    let fill = |text: &str| Template::new(text).unwrap().fill(str::to_uppercase);
    assert_eq!(fill("{name}: {{{key}}} ü {value}"), "NAME: {KEY} ü VALUE");
    assert_eq!(fill(""), "");
    assert_eq!(fill("}"), "}");
    for wrong in ["{nme}", "{", "{}", "{name", "a {{{"] {
        let error = Template::new(wrong).unwrap_err();
        assert!(error.starts_with("expected {name} {key} {value} {limit}"), "{error}");
    }
    for (value, unit, text) in [
        (12.0, Unit::Hits, "12 lines"),
        (0.333_33, Unit::PerSecond, "0.33/s"),
        (-0.001, Unit::Percent, "0 %"),
        (1_500_000.0, Unit::Bytes, "1.5 MB"),
        (999.0, Unit::Bytes, "999 B"),
        (0.25, Unit::Seconds, "250ms"),
        (59.9, Unit::Seconds, "59.9s"),
        (90.0, Unit::Seconds, "1m 30s"),
        (93_600.0, Unit::Seconds, "1d 2h"),
    ] {
        assert_eq!(shown(value, unit), text);
    }
}

#[test]
fn nobody_is_silent_because_nobody_listened() {
    let mut alerts = alerts(&[silence(10.0)]);
    let mut events = Vec::new();
    alerts.take(&hit(0, "a"), &mut events);
    alerts.take(&hit(1, "b"), &mut events);
    alerts.pause();
    let clock = |second: i64| (START + second) * SECOND;
    (0..60).for_each(|second| alerts.advance(clock(second), &mut events));
    assert_eq!(told(&events), []);
    alerts.resume(clock(60));
    alerts.take(&hit(62, "a"), &mut events);
    (60..100).for_each(|second| alerts.advance(clock(second), &mut events));
    assert_eq!(told(&events), [(70, "b", Change::Raised), (72, "a", Change::Raised)]);
    alerts.take(&hit(100, "b"), &mut events);
    (100..108).for_each(|second| alerts.advance(clock(second), &mut events));
    assert_eq!(told(&events)[2..], [(101, "b", Change::Cleared)]);
}

#[test]
fn that_no_line_ever_came_is_said_where_a_beginning_is() {
    let nothing = Rule { subject: Subject::All, ..silence(10.0) };
    let nobody = Rule {
        name: "nobody".to_owned(),
        subject: Subject::Key(Dimension::Host, "a".to_owned()),
        ..silence(10.0)
    };
    let mut alerts = alerts(&[nothing, nobody]);
    let mut events = Vec::new();
    alerts.begin(START * SECOND, START * SECOND);
    for second in 0..20 {
        alerts.advance((START + second) * SECOND, &mut events);
    }
    assert_eq!(told(&events), [(10, "", Change::Raised), (10, "a", Change::Raised)]);
    assert_eq!(events[0].alert.text, "silent of all traffic: 10s, limit 10s");
}

#[test]
fn who_is_away_for_a_week_is_forgotten_and_their_alert_cleared() {
    let mut alerts = alerts(&[silence(60.0)]);
    let mut events = Vec::new();
    alerts.take(&hit(0, "gone"), &mut events);
    let days = 7 * 24 * 3600;
    alerts.take(&hit(days + 3600, "here"), &mut events);
    assert_eq!(
        told(&events),
        [(60, "gone", Change::Raised), (days + 1, "gone", Change::Forgotten)]
    );
    assert!(alerts.active().is_empty());
}

#[test]
fn a_leap_of_fifty_years_takes_no_time() {
    let low = Rule { limit: Limit::AtMost { raise: 0.0, clear: 0.0 }, ..rule("low") };
    let mut alerts = alerts(&[rule("high"), low, silence(10.0)]);
    let mut events = Vec::new();
    alerts.take(&Hit { time: SECOND, ..hit(0, "a") }, &mut events);
    alerts.take(&hit(0, "a"), &mut events);
    alerts.take(&Hit { time: i64::MAX, ..hit(0, "a") }, &mut events);
    alerts.take(&Hit { time: i64::MIN, ..hit(0, "a") }, &mut events);
    alerts.advance(i64::MAX, &mut events);
    assert!(!events.is_empty());
}

#[test]
fn a_rule_that_is_gone_or_says_something_else_clears_what_it_raised() {
    let mut before = alerts(&[rule("a"), rule("b"), rule("c")]);
    let mut events = Vec::new();
    (0..20).for_each(|_| before.take(&hit(0, "x"), &mut events));
    before.take(&hit(8, "x"), &mut events);
    assert_eq!(told(&events).len(), 3);
    let saved: Saved = before.save();
    let more = Rule { limit: Limit::AtLeast { raise: 11.0, clear: 11.0 }, ..rule("b") };
    let severe = Rule { severity: "critical".to_owned(), ..rule("a") };
    let mut after = alerts(&[severe, more]);
    events.clear();
    after.restore(&saved, &mut events);
    let names: Vec<&str> = events.iter().map(|event| event.alert.rule.as_str()).collect();
    assert_eq!((names, events[0].change), (vec!["b", "c"], Change::RuleChanged));
    let active = after.active();
    assert_eq!((active.len(), active[0].state), (1, State::Firing));
    assert_eq!(active[0].severity, "critical");
}

#[test]
fn alerts_that_are_held_are_bounded_and_the_others_counted() {
    let each = Rule {
        subject: Subject::Each(Dimension::Host),
        limit: Limit::AtMost { raise: 0.0, clear: 0.0 },
        ..rule("each")
    };
    let mut alerts = alerts(&[each]);
    let mut events = Vec::new();
    for number in 0..12_000 {
        alerts.take(&hit(0, &number.to_string()), &mut events);
    }
    alerts.take(&hit(14, "last"), &mut events);
    assert_eq!((events.len(), alerts.active().len()), (10_000, 10_000));
    assert_eq!(alerts.left_out().alerts, 2_000);
}
