//! The keys of a dimension. Columns vanish one by one as it gets narrower; the one that is sorted by
//! and the name stay.

use omphalos_live::{Dimension, Row, Scope, Sum};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::header::{as_float, complete};
use super::paint::{Canvas, Part, inside, take_left, take_top};
use super::{Scene, notices};
use crate::top::console::sort::Column;
use crate::top::console::thresholds::{Mark, Measure};
use crate::top::number::{about, byte_sum, mark, percent, rate, share, sum, time, took};
use crate::top::text::columns;

/// The name has at least so many columns, and the second number before any but the first two others.
const NAME: (u16, u16) = (12, 20);
/// How wide columns are, in the order in which they appear.
const WIDTHS: [(Column, u16); 8] = [
    (Column::Hits, 10),
    (Column::Share, 8),
    (Column::Rate, 9),
    (Column::Trend, 13),
    (Column::Bytes, 10),
    (Column::Errors, 8),
    (Column::Clients, 9),
    (Column::Latency, 9),
];
/// Which are left out last.
const IMPORTANT: [Column; 8] = [
    Column::Hits,
    Column::Share,
    Column::Latency,
    Column::Trend,
    Column::Errors,
    Column::Rate,
    Column::Bytes,
    Column::Clients,
];
/// How much wider a share is with its bar: at least, and at most.
const BAR: (u16, u16) = (8, 24);
/// How much wider a trend can be.
const LONG_TREND: u16 = 12;

/// The columns that have room, and how wide they are; what is left is the name's.
fn wide_columns(width: u16, sorted: Column) -> Vec<(Column, u16)> {
    let wide = |column: Column| {
        WIDTHS.iter().find(|(known, _)| *known == column).map_or(0, |(_, wide)| *wide)
    };
    let mut chosen: Vec<Column> = Vec::new();
    let mut used = 0;
    let mut bar = 0;
    let first = Some(sorted).filter(|column| *column != Column::Name);
    for column in first.into_iter().chain(IMPORTANT) {
        let name = if chosen.len() < 2 { NAME.0 } else { NAME.1 };
        if chosen.contains(&column) || used + wide(column) + name > width {
            continue;
        }
        used += wide(column);
        chosen.push(column);
        // With three columns there are enough numbers: what follows is to be seen and not to be read.
        if chosen.len() == 3 && chosen.contains(&Column::Share) && used + BAR.0 + name <= width {
            bar = BAR.0;
            used += bar;
        }
    }
    // What is left makes bars and trends longer, but names most of all.
    let left = width.saturating_sub(used + 2 * NAME.1);
    let more = |column: Column| match column {
        Column::Share if bar > 0 => (bar + left / 4).min(BAR.1),
        Column::Trend => (left / 4).min(LONG_TREND),
        _ => 0,
    };
    let columns = WIDTHS.iter().filter(|(column, _)| chosen.contains(column));
    columns.map(|(column, wide)| (*column, wide + more(*column))).collect()
}

/// Draws the dimensions that can be gone to; the one that is shown is always among them.
pub fn tabs(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect) {
    let (theme, current) = (scene.theme, &scene.model.dimension);
    let gap = if row.width >= 92 { "  " } else { " " };
    let mut tabs: Vec<[Part; 2]> = Vec::new();
    for (number, dimension) in (1..).zip(&Dimension::USUAL) {
        let style = if dimension == current { theme.accent } else { theme.dim };
        tabs.push([
            (format!("{number} "), theme.dim),
            (format!("{}{gap}", dimension.name()), style),
        ]);
    }
    if !Dimension::USUAL.contains(current) {
        let name = (format!("{}{gap}", current.name()), theme.accent);
        tabs.insert(0, [(String::new(), theme.dim), name]);
    }
    let row = inside(row, 1);
    let at = Dimension::USUAL.iter().position(|dimension| dimension == current).unwrap_or(0);
    let wide =
        |tabs: &[[Part; 2]]| tabs.iter().flatten().map(|(text, _)| columns(text)).sum::<usize>();
    let mut first = 0;
    while first < at && wide(tabs.get(first..=at).unwrap_or_default()) > usize::from(row.width) {
        first += 1;
    }
    let mut parts: Vec<Part> = tabs.into_iter().skip(first).flatten().collect();
    parts.push(("d more".to_owned(), theme.dim));
    canvas.put_parts(row, &parts);
}

/// Draws the table, and says how many rows it has room for.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) -> usize {
    let mut rest = area;
    let columns = wide_columns(area.width.saturating_sub(3), scene.model.sort.column);
    heads(canvas, scene, take_top(&mut rest, 1), &columns);
    let page = usize::from(rest.height);
    let rows = if scene.model.shows(scene.data) { scene.data.rows() } else { &[] };
    if rows.is_empty() {
        notices::nothing(canvas, scene, rest);
        return page;
    }
    let selection = &scene.model.selection;
    // The size may be another one than when the selection was scrolled.
    let lowest = (selection.at() + 1).saturating_sub(page);
    let first = selection.first().max(lowest).min(selection.at());
    for (at, row) in rows.iter().enumerate().skip(first).take(page) {
        let line = take_top(&mut rest, 1);
        one(canvas, scene, line, row, &columns);
        if at == selection.at() {
            canvas.style(line, scene.theme.selected);
            canvas.put(Rect { width: 1, ..line }, scene.theme.signs.pointer, scene.theme.accent);
        }
    }
    page
}

fn heads(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect, columns: &[(Column, u16)]) {
    let (theme, model) = (scene.theme, scene.model);
    let [up, down] = theme.signs.arrows;
    let arrow = if model.sort.is_descending() { down } else { up };
    let (mut rest, name) = split(row, columns);
    let mut title = model.dimension.name().to_uppercase();
    if let Some(since) = scene.data.top.as_ref().and_then(|top| top.since)
        && model.shows(scene.data)
        && (model.scope == Scope::Start || is_in_window(scene, since))
    {
        title = format!("{title} since {}", time(since, scene.zone));
    }
    let is_sorted = |column: Column| model.sort.column == column;
    let style = |column| if is_sorted(column) { theme.accent } else { theme.dim };
    let title = if is_sorted(Column::Name) { format!("{title} {arrow}") } else { title };
    canvas.put(name, &title, style(Column::Name));
    for (column, wide) in columns {
        let cell = inside_left(take_left(&mut rest, *wide));
        let text = match column {
            Column::Name => "",
            Column::Hits => "HITS",
            Column::Share => "SHARE",
            Column::Rate => "RATE",
            Column::Trend => "TREND",
            Column::Bytes => "BYTES",
            Column::Errors => "ERRORS",
            Column::Clients => "CLIENTS",
            Column::Latency => "P95",
        };
        let text = if is_sorted(*column) { format!("{arrow}{text}") } else { text.to_owned() };
        let cell = if *column == Column::Share { number_of_share(cell).0 } else { cell };
        canvas.put_right(cell, &text, style(*column));
    }
}

/// Whether the dimension is counted for less than the window is long.
fn is_in_window(scene: &Scene<'_>, since: i64) -> bool {
    scene.data.summary.from.is_some_and(|from| since > from)
}

fn one(
    canvas: &mut Canvas<'_>,
    scene: &Scene<'_>,
    line: Rect,
    row: &Row,
    columns: &[(Column, u16)],
) {
    let (mut rest, name) = split(line, columns);
    let text = row.key.as_ref().map_or("", |key| &key.text);
    let is_cut = row.key.as_ref().is_some_and(|key| key.is_cut);
    let shown =
        if is_cut { format!("{text}{}", scene.theme.signs.ellipsis) } else { text.to_owned() };
    let style = match scene.model.dimension {
        Dimension::Status => scene.theme.of_status(text),
        Dimension::Section => mark_style(scene, text, scene.theme.text),
        _ => scene.theme.text,
    };
    if text.is_empty() {
        canvas.put(name, "(empty)", scene.theme.dim);
    } else {
        canvas.put(name, &shown, style);
    }
    for (column, wide) in columns {
        let cell = inside_left(take_left(&mut rest, *wide));
        value(canvas, scene, cell, row, *column);
    }
}

/// What a section is marked with, if its traffic is compared with thresholds.
pub fn mark_style(scene: &Scene<'_>, section: &str, otherwise: Style) -> Style {
    let marks = [Measure::Hits, Measure::Size].map(|measure| scene.watch.section(section, measure));
    match marks {
        marks if marks.contains(&Mark::Red) => scene.theme.failed,
        marks if marks.contains(&Mark::Green) => scene.theme.good,
        _ => otherwise,
    }
}

fn value(canvas: &mut Canvas<'_>, scene: &Scene<'_>, cell: Rect, row: &Row, column: Column) {
    let (theme, signs) = (scene.theme, scene.theme.signs);
    let width = usize::from(cell.width);
    let is_sorted = scene.model.sort.column == column;
    let usual = if is_sorted { theme.strong } else { theme.text };
    let (text, style) = match column {
        Column::Hits => (sum(row.hits, signs.about, width), usual),
        Column::Rate => (rate_of(scene, row), theme.text),
        Column::Bytes => (byte_sum(row.bytes, signs.about), usual),
        Column::Errors if row.errors.value == 0 => (signs.none.to_owned(), theme.dim),
        Column::Errors => (sum(row.errors, signs.about, width), theme.failed),
        Column::Clients => (about(row.clients, signs.about, width), usual),
        Column::Latency => match row.latency {
            Some(latency) => (took(latency.p95, signs.micro), usual),
            None => (signs.none.to_owned(), theme.dim),
        },
        Column::Share => return share_of(canvas, scene, cell, row),
        Column::Trend => return trend(canvas, scene, cell, row),
        Column::Name => return,
    };
    canvas.put_right(cell, &text, style);
}

/// Lines each second, which may be too many where the lines may be.
pub fn rate_of(scene: &Scene<'_>, row: &Row) -> String {
    let sign = mark(row.hits, scene.theme.signs.about);
    format!("{sign}{}/s", rate(each_second(scene, row)))
}

/// On average, in the time that the numbers are of.
#[expect(clippy::cast_precision_loss, reason = "a speed for people")]
fn each_second(scene: &Scene<'_>, row: &Row) -> f64 {
    let summary = &scene.data.summary;
    let (Some(from), Some(to)) = (summary.from, summary.to) else { return 0.0 };
    let since = scene.data.top.as_ref().and_then(|top| top.since).unwrap_or(from);
    let step = scene.data.series.step.max(1);
    let millis = to.saturating_sub(from.max(since)).max(step) as f64;
    row.hits.value as f64 * 1_000.0 / millis
}

/// The share of what is sorted by, which may be too large where that may be.
pub fn share_text(scene: &Scene<'_>, row: &Row) -> String {
    let (part, whole) = part_and_whole(scene, row);
    format!("{}{}", mark(part, scene.theme.signs.about), percent(part.value, whole))
}

/// What is sorted by: bytes or errors, or else the lines that have a value.
fn part_and_whole(scene: &Scene<'_>, row: &Row) -> (Sum, u64) {
    let (summary, top) = (&scene.data.summary, scene.data.top.as_ref());
    match scene.model.sort.column {
        Column::Bytes => (row.bytes, summary.bytes),
        Column::Errors => (row.errors, summary.errors),
        _ => (row.hits, top.map_or(summary.hits, |top| top.hits)),
    }
}

fn share_of(canvas: &mut Canvas<'_>, scene: &Scene<'_>, cell: Rect, row: &Row) {
    let (part, whole) = part_and_whole(scene, row);
    let (number, bar) = number_of_share(cell);
    canvas.put_right(number, &share_text(scene, row), scene.theme.text);
    canvas.bar(bar, share(part.value, whole), scene.theme.accent);
}

/// Where the number stands, and where the bar.
fn number_of_share(cell: Rect) -> (Rect, Rect) {
    let mut bar = cell;
    let number = take_left(&mut bar, 7);
    take_left(&mut bar, 1);
    (number, bar)
}

fn trend(canvas: &mut Canvas<'_>, scene: &Scene<'_>, cell: Rect, row: &Row) {
    let series = row.key.as_ref().and_then(|key| scene.data.trends.get(&key.id));
    let Some(series) = series else { return };
    let points = complete(&series.points);
    let values: Vec<f64> = points.iter().map(|point| as_float(point.hits.value)).collect();
    canvas.chart(cell, &values, scene.theme.accent, scene.theme.dim);
}

/// The columns of numbers, and what is before them.
fn split(row: Rect, columns: &[(Column, u16)]) -> (Rect, Rect) {
    let mut rest = row;
    take_left(&mut rest, 2);
    rest.width = rest.width.saturating_sub(1);
    let numbers: u16 = columns.iter().map(|(_, wide)| *wide).sum();
    let name = rest.width.saturating_sub(numbers);
    let name = take_left(&mut rest, name);
    (rest, name)
}

/// A column begins with a blank, so that no two numbers touch.
fn inside_left(cell: Rect) -> Rect {
    let mut cell = cell;
    take_left(&mut cell, 1);
    cell
}
