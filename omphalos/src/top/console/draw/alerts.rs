//! What is at its threshold, and below it what was, with how long that took.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::paint::{Canvas, inside, take_left, take_right, take_top};
use crate::search::grouped;
use crate::top::console::thresholds::{Alarm, Measure};
use crate::top::number::{bytes, span, time};

/// Draws at most so many rows of them, and takes them off.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, rest: &mut Rect, most: u16) {
    let watch = scene.watch;
    let all = watch.active().chain(watch.cleared());
    for alarm in all.take(usize::from(most)) {
        one(canvas, scene, inside(take_top(rest, 1), 1), alarm);
    }
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
