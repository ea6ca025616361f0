//! What comes in now: rates, errors and times, in the course of the window, and how it is divided.

use std::time::Duration;

use omphalos_live::{Point, Scope};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::paint::{Canvas, Part, cells, inside, take_left, take_right, take_top};
use crate::top::console::thresholds::{Mark, Measure};
use crate::top::figures::Reading;
use crate::top::number::{about, byte_rate, bytes, percent, rate, share, span, sum, time, took};

/// Draws it at the top, and takes its rows off.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, rest: &mut Rect) {
    let is_spacious = rest.height >= 19 && rest.width >= 72;
    title(canvas, scene, take_top(rest, 1));
    if is_spacious {
        let charts = if rest.height >= 40 { 2 } else { 1 };
        spacious(canvas, scene, take_top(rest, 3 * charts));
        classes(canvas, scene, inside(take_top(rest, 1), 1));
    } else {
        compact(canvas, scene, take_top(rest, 1));
    }
    divided(canvas, scene, take_top(rest, 1));
}

/// What is watched, and of when the numbers are.
fn title(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect) {
    let theme = scene.theme;
    let mut rest = inside(row, 1);
    let mut right: Vec<Part> = Vec::new();
    if scene.model.is_paused {
        // What is chosen meanwhile is asked anew, and all of it is of this moment then.
        let paused = match scene.data.at {
            0 => "paused".to_owned(),
            at => format!("paused at {}", time(at, scene.zone)),
        };
        right.push((paused, theme.refused));
        right.push(("  ".to_owned(), theme.text));
    }
    if let Some(lag) = lag(scene).filter(|_| row.width >= 60) {
        right.push((format!("{lag}  "), theme.dim));
    }
    right.push((window(scene), theme.accent));
    let taken = canvas.put_parts_right(rest, &right);
    take_right(&mut rest, taken.saturating_add(2));
    let taken = canvas.put(rest, "omphalos top", theme.strong);
    take_left(&mut rest, taken.saturating_add(2));
    canvas.put(rest, scene.title, theme.dim);
}

/// Of which lines the numbers are.
pub fn window(scene: &Scene<'_>) -> String {
    match scene.model.scope {
        Scope::Start => "since the start".to_owned(),
        Scope::Window | Scope::Ended | Scope::Until(_) => {
            format!("last {}", span(scene.model.window))
        }
    }
}

/// How far behind the clock the newest line is: it grows while none comes.
fn lag(scene: &Scene<'_>) -> Option<String> {
    let newest = scene.data.newest?;
    let follows = scene.data.feed.sources.iter().any(|source| source.state == Reading::Following);
    let behind = u64::try_from(scene.data.at.checked_sub(newest)?).unwrap_or(0);
    let lag = span(Duration::from_millis(behind));
    Some(if follows { format!("lag {lag}") } else { format!("newest {lag} ago") })
}

/// All of it, each with its course.
fn spacious(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) {
    let (theme, summary) = (scene.theme, &scene.data.summary);
    let mut rest = inside(area, 1);
    let totals = take_right(&mut rest, 20);
    let times = take_right(&mut rest, 16);
    let points = complete(&scene.data.series.points);
    let course = |value: fn(&Point) -> u64| points.iter().map(value).map(as_float).collect();
    let error_style = if summary.errors > 0 { theme.failed } else { theme.strong };
    let rows: [(&str, String, Style, Vec<f64>, Style); 3] = [
        (
            "requests",
            format!("{}/s", rate(summary.now.hits)),
            marked(scene, Measure::Hits),
            course(|point| point.hits.value),
            theme.accent,
        ),
        (
            "traffic",
            byte_rate(summary.now.bytes),
            marked(scene, Measure::Size),
            course(|point| point.bytes.value),
            theme.moved,
        ),
        (
            "errors",
            percent(summary.errors, summary.hits),
            error_style,
            course(|point| point.errors.value),
            theme.failed,
        ),
    ];
    let each = (area.height / 3).max(1);
    for (name, value, style, values, chart_style) in rows {
        let mut row = take_top(&mut rest, each);
        let label = take_left(&mut row, 10);
        canvas.put(super::paint::last_row(label), name, theme.dim);
        let number = take_left(&mut row, 11);
        canvas.put_right(super::paint::last_row(number), &value, style);
        take_left(&mut row, 2);
        take_right(&mut row, 1);
        canvas.chart(row, &values, chart_style, theme.dim);
    }
    columns(canvas, scene, times, &latencies(scene));
    let signs = theme.signs;
    let all = [
        ("lines", sum_of(summary.hits, signs.about)),
        ("bytes", bytes(summary.bytes)),
        ("clients", about(summary.clients, signs.about, 10)),
    ];
    columns(canvas, scene, totals, &all);
}

/// Names and values, one below the other.
fn columns(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, values: &[(&str, String)]) {
    let mut rest = area;
    let each = (area.height / 3).max(1);
    for (name, value) in values {
        let mut row = super::paint::last_row(take_top(&mut rest, each));
        take_left(&mut row, 2);
        let taken = canvas.put(row, name, scene.theme.dim);
        take_left(&mut row, taken.saturating_add(1));
        canvas.put_right(row, value, scene.theme.text);
    }
}

fn latencies(scene: &Scene<'_>) -> [(&'static str, String); 3] {
    let signs = scene.theme.signs;
    let shown = |nanos: Option<u64>| {
        nanos.map_or_else(|| signs.none.to_owned(), |nanos| took(nanos, signs.micro))
    };
    let latency = scene.data.summary.latency;
    [
        ("p50", shown(latency.map(|latency| latency.p50))),
        ("p95", shown(latency.map(|latency| latency.p95))),
        ("p99", shown(latency.map(|latency| latency.p99))),
    ]
}

/// What matters most, in one row.
fn compact(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect) {
    let (theme, summary) = (scene.theme, &scene.data.summary);
    let mut rest = inside(row, 1);
    let now = format!("{}/s", rate(summary.now.hits));
    let taken = canvas.put(rest, &now, marked(scene, Measure::Hits));
    take_left(&mut rest, taken.saturating_add(1));
    let [_, (name, p95), _] = latencies(scene);
    let error_style = if summary.errors > 0 { theme.failed } else { theme.text };
    let parts = [
        (" errors ".to_owned(), theme.dim),
        (percent(summary.errors, summary.hits), error_style),
        (format!("  {name} "), theme.dim),
        (p95, theme.text),
    ];
    let taken = canvas.put_parts_right(rest, &parts);
    take_right(&mut rest, taken);
    let points = complete(&scene.data.series.points);
    let values: Vec<f64> = points.iter().map(|point| as_float(point.hits.value)).collect();
    canvas.chart(rest, &values, theme.accent, theme.dim);
}

/// Shares of the classes of statuses, in words.
fn classes(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect) {
    let whole = scene.data.summary.hits;
    let mut parts = Vec::new();
    for (name, count, style) in of_classes(scene) {
        if count > 0 {
            parts.push((format!("{name} "), scene.theme.dim));
            parts.push((format!("{}   ", percent(count, whole)), style));
        }
    }
    let sources = scene.data.feed.sources.len();
    let failed = scene.data.feed.sources.iter();
    let failed = failed.filter(|source| matches!(source.state, Reading::Failed(_))).count();
    let mut right = vec![(counted(sources, "source"), scene.theme.dim)];
    if failed > 0 {
        right.push((format!(", {failed} failed"), scene.theme.failed));
    }
    let mut rest = row;
    let taken = canvas.put_parts_right(rest, &right);
    take_right(&mut rest, taken.saturating_add(1));
    canvas.put_parts(rest, &parts);
}

/// A rule that is divided as the classes of statuses are.
fn divided(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect) {
    let [_, heavy] = scene.theme.signs.rules;
    canvas.rule(row, heavy, scene.theme.dim);
    let whole = scene.data.summary.hits;
    let mut rest = row;
    for (name, count, style) in of_classes(scene) {
        if name == "other" || count == 0 {
            continue;
        }
        // What is there is seen.
        let wide = (share(count, whole) * f64::from(row.width)).round().max(1.0);
        let part = take_left(&mut rest, cells_of(wide));
        canvas.rule(part, heavy, style);
    }
}

/// Classes of statuses, and their colours.
pub fn of_classes(scene: &Scene<'_>) -> [(&'static str, u64, Style); 6] {
    let (theme, classes) = (scene.theme, &scene.data.summary.classes);
    [
        ("2xx", classes.success, theme.good),
        ("3xx", classes.redirection, theme.moved),
        ("4xx", classes.client_error, theme.refused),
        ("5xx", classes.server_error, theme.failed),
        ("1xx", classes.informational, theme.text),
        ("other", classes.none, theme.text),
    ]
}

/// The style of a number that is compared with a threshold.
pub fn marked(scene: &Scene<'_>, measure: Measure) -> Style {
    match scene.watch.total(measure) {
        Mark::Normal => scene.theme.strong,
        Mark::Red => scene.theme.failed,
        Mark::Green => scene.theme.good,
    }
}

/// Steps that no more lines are added to; the newest is left out, which would look like a fall.
pub fn complete(points: &[Point]) -> &[Point] {
    match points {
        [before @ .., last] if last.is_open && !before.is_empty() => before,
        all => all,
    }
}

/// `3 sources`, or `1 source`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[expect(clippy::cast_precision_loss, reason = "a height on the screen")]
pub fn as_float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns of a screen")]
fn cells_of(wide: f64) -> u16 {
    cells(wide as usize)
}

fn sum_of(value: u64, sign: &str) -> String {
    sum(omphalos_live::Sum { value, at_most_over: 0 }, sign, 13)
}
