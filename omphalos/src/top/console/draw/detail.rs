//! All about one key.

use omphalos_live::{KeyName, Point, Row};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::header::{as_float, complete};
use super::paint::{Canvas, Part, inside, last_row, take_left, take_right, take_top};
use super::{Scene, lines, table};
use crate::top::number::{about, byte_sum, percent, sum, time, took};

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, name: &KeyName) {
    let (theme, mut rest) = (scene.theme, area);
    let mut head = inside(take_top(&mut rest, 1), 2);
    let taken = canvas.put(head, &format!("{}  ", scene.model.dimension), theme.dim);
    take_left(&mut head, taken);
    let cut = if name.is_cut { theme.signs.ellipsis } else { "" };
    canvas.put(head, &format!("{}{cut}", name.text), theme.accent);
    let detail = scene.data.detail.as_ref();
    // A late answer may be about the key that was looked at before.
    let detail = detail.filter(|_| scene.data.wanted.key == Some(name.id));
    let Some(detail) = detail else {
        canvas.put(inside(take_top(&mut rest, 1), 2), "one moment", theme.dim);
        return;
    };
    if detail.row.key.is_none() {
        let none = "no line that is counted has it";
        canvas.put(inside(take_top(&mut rest, 1), 2), none, theme.dim);
    }
    canvas.put_parts(inside(take_top(&mut rest, 1), 2), &amounts(scene, &detail.row));
    canvas.put_parts(inside(take_top(&mut rest, 1), 2), &times(scene, &detail.row));
    canvas.put_parts(inside(take_top(&mut rest, 1), 2), &statuses(scene, &detail.row));
    if rest.height >= 10 {
        take_top(&mut rest, 1);
    }
    let each = (rest.height / 8).clamp(1, 4);
    let points = complete(&detail.series.points);
    for (name, value, style) in courses(scene) {
        if rest.height < 3 {
            break;
        }
        let values: Vec<f64> = points.iter().map(value).map(as_float).collect();
        chart(canvas, scene, take_top(&mut rest, each), (name, &values, style));
    }
    if let (Some(first), Some(last)) = (points.first(), points.last())
        && rest.height >= 6
    {
        let mut row = inside(take_top(&mut rest, 1), 2);
        take_left(&mut row, 10);
        let ends = [first.at, last.at].map(|at| time(at, scene.zone)).join(" - ");
        canvas.put_right(row, &ends, theme.dim);
    }
    lines::draw(canvas, scene, rest, &detail.lines, scene.model.top_line);
}

/// A number of each step, and its colour.
type Course = (&'static str, fn(&Point) -> u64, Style);

fn courses(scene: &Scene<'_>) -> [Course; 3] {
    let theme = scene.theme;
    [
        ("requests", |point| point.hits.value, theme.accent),
        ("errors", |point| point.errors.value, theme.failed),
        ("p95", |point| point.latency.map_or(0, |latency| latency.p95), theme.moved),
    ]
}

fn chart(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, course: (&str, &[f64], Style)) {
    let (name, values, style) = course;
    let mut row = inside(area, 2);
    let label = take_left(&mut row, 10);
    canvas.put(last_row(label), name, scene.theme.dim);
    take_right(&mut row, 0);
    canvas.chart(row, values, style, scene.theme.dim);
}

fn amounts(scene: &Scene<'_>, row: &Row) -> Vec<Part> {
    let (theme, signs) = (scene.theme, scene.theme.signs);
    let errors = if row.errors.value > 0 { theme.failed } else { theme.text };
    vec![
        (sum(row.hits, signs.about, 14), theme.strong),
        (" hits  ".to_owned(), theme.dim),
        (table::share_text(scene, row), theme.text),
        ("   ".to_owned(), theme.dim),
        (table::rate_of(scene, row), theme.text),
        ("   ".to_owned(), theme.dim),
        (byte_sum(row.bytes, signs.about), theme.text),
        ("   errors ".to_owned(), theme.dim),
        (sum(row.errors, signs.about, 14), errors),
        ("   clients ".to_owned(), theme.dim),
        (about(row.clients, signs.about, 14), theme.text),
    ]
}

fn times(scene: &Scene<'_>, row: &Row) -> Vec<Part> {
    let theme = scene.theme;
    let Some(latency) = row.latency else {
        return vec![("no line says how long it took".to_owned(), theme.dim)];
    };
    let values = [
        ("p50 ", latency.p50),
        ("   p95 ", latency.p95),
        ("   p99 ", latency.p99),
        ("   longest ", latency.max),
    ];
    let parts = values.into_iter().flat_map(|(name, nanos)| {
        [(name.to_owned(), theme.dim), (took(nanos, theme.signs.micro), theme.text)]
    });
    parts.collect()
}

fn statuses(scene: &Scene<'_>, row: &Row) -> Vec<Part> {
    let (theme, classes) = (scene.theme, &row.classes);
    let counts = [
        ("1xx", classes.informational, theme.text),
        ("2xx", classes.success, theme.good),
        ("3xx", classes.redirection, theme.moved),
        ("4xx", classes.client_error, theme.refused),
        ("5xx", classes.server_error, theme.failed),
    ];
    // They are known since the key was noticed: what it may have had before is no part of any.
    let whole = counts.iter().map(|(_, count, _)| count).sum::<u64>().saturating_add(classes.none);
    let some = counts.into_iter().filter(|(_, count, _)| *count > 0);
    some.flat_map(|(name, count, style)| {
        let share = percent(count, whole);
        [(format!("{name} "), theme.dim), (format!("{share}   "), style)]
    })
    .collect()
}
