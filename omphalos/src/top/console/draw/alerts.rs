//! What is at its threshold, and below it what was, with how long that took.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;

use omphalos_live::alert::{Alert, Event, State};

use super::Scene;
use super::paint::{Canvas, inside, take_left, take_right, take_top};
use crate::search::grouped;
use crate::top::console::thresholds::{Alarm, Measure};
use crate::top::number::{bytes, span, time};
use crate::top::text::clean;

/// Draws at most so many rows of them, and takes them off.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, rest: &mut Rect, most: u16) {
    let most = usize::from(most);
    let data = scene.data;
    let is_judged = !data.alerts.is_empty() || !data.events.is_empty();
    if is_judged {
        let cleared = data.events.iter().filter(|event| !event.change.is_raised());
        let shown = data.alerts.iter().map(Shown::now).chain(cleared.map(Shown::past));
        for shown in shown.take(most) {
            judged(canvas, scene, inside(take_top(rest, 1), 1), &shown);
        }
        return;
    }
    let watch = scene.watch;
    let all = watch.active().chain(watch.cleared());
    for alarm in all.take(most) {
        one(canvas, scene, inside(take_top(rest, 1), 1), alarm);
    }
}

/// An alert as it is, or as it was.
struct Shown<'a> {
    alert: &'a Alert,
    word: &'static str,
    ended: Option<i64>,
}

impl<'a> Shown<'a> {
    fn now(alert: &'a Alert) -> Self {
        let word = match alert.state {
            State::Pending => "pending",
            State::Firing => "raised",
            State::Recovering => "well",
            State::NoData | State::Ok => "no data",
        };
        Self { alert, word, ended: None }
    }

    fn past(event: &'a Event) -> Self {
        Self { alert: &event.alert, word: "cleared", ended: Some(event.at) }
    }
}

fn judged(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect, shown: &Shown<'_>) {
    let (theme, mut rest, alert) = (scene.theme, row, shown.alert);
    let style: Style = match (shown.ended, alert.state) {
        (Some(_), _) => theme.good,
        (None, State::Firing | State::NoData) => theme.failed,
        (None, _) => theme.refused,
    };
    let lasted = shown.ended.unwrap_or(scene.data.at).saturating_sub(alert.began);
    let lasted = span(Duration::from_millis(u64::try_from(lasted).unwrap_or(0)));
    let since = time(alert.began, scene.zone);
    let when = match shown.ended {
        None => format!("since {since}, {lasted}"),
        Some(ended) => format!("{since} to {}, {lasted}", time(ended, scene.zone)),
    };
    let taken = canvas.put_right(rest, &when, theme.dim);
    take_right(&mut rest, taken.saturating_add(2));
    let sign = format!("{} {:<8} ", theme.signs.notice, shown.word);
    let taken = canvas.put(rest, &sign, style);
    take_left(&mut rest, taken);
    canvas.put(rest, &clean(&alert.text), theme.text);
}

fn one(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect, alarm: &Alarm) {
    let (theme, mut rest) = (scene.theme, row);
    let (word, style): (&str, Style) = match alarm.cleared {
        None => ("high ", theme.failed),
        Some(_) => ("clear", theme.good),
    };
    let end = alarm.cleared.unwrap_or(scene.data.at);
    let lasted = u64::try_from(end.saturating_sub(alarm.since)).unwrap_or(0);
    let lasted = span(Duration::from_millis(lasted));
    let since = time(alarm.since, scene.zone);
    let when = match alarm.cleared {
        None => format!("since {since}, {lasted}"),
        Some(cleared) => format!("{since} to {}, {lasted}", time(cleared, scene.zone)),
    };
    let taken = canvas.put_right(rest, &when, theme.dim);
    take_right(&mut rest, taken.saturating_add(2));
    let sign = format!("{} {word}  ", theme.signs.notice);
    let taken = canvas.put(rest, &sign, style);
    take_left(&mut rest, taken);
    let value = match alarm.measure {
        Measure::Hits => format!("{} hits", grouped(alarm.value)),
        Measure::Size => bytes(alarm.value),
    };
    let least = if alarm.is_least { "at least " } else { "" };
    let subject = alarm.subject.as_deref().unwrap_or("all traffic");
    canvas.put(rest, &format!("{subject}  {least}{value}"), theme.text);
}
