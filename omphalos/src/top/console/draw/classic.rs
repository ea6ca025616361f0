//! The screen of the old console: the window, what came in it, the heaviest statuses, the methods and
//! one table.

use omphalos_live::Row;
use ratatui::layout::Rect;

use super::header::{marked, window};
use super::notices::nothing;
use super::paint::{Canvas, Part, inside, take_left, take_right, take_top};
use super::table::mark_style;
use super::{Scene, notices};
use crate::search::grouped;
use crate::top::console::sort::Column;
use crate::top::console::thresholds::Measure;
use crate::top::number::{byte_sum, bytes, sum, time};

/// Draws it, and says how many rows of the table it has room for.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) -> usize {
    let (theme, mut rest) = (scene.theme, area);
    canvas.put_parts(inside(take_top(&mut rest, 1), 1), &times(scene));
    canvas.put_parts(inside(take_top(&mut rest, 1), 1), &totals(scene));
    canvas.put_parts(
        inside(take_top(&mut rest, 1), 1),
        &counts(scene, "Status", &scene.data.statuses),
    );
    canvas.put_parts(
        inside(take_top(&mut rest, 1), 1),
        &counts(scene, "Methods", &scene.data.methods),
    );
    notices::draw(canvas, scene, &mut rest, 1);
    canvas.rule(take_top(&mut rest, 1), theme.signs.rules[0], theme.dim);
    table(canvas, scene, rest)
}

/// Which window it is.
fn times(scene: &Scene<'_>) -> Vec<Part> {
    let summary = &scene.data.summary;
    let mut parts = vec![(capital(&window(scene)), scene.theme.strong)];
    if let (Some(from), Some(to)) = (summary.from, summary.to) {
        let ends = [from, to].map(|at| time(at, scene.zone)).join(" - ");
        parts.push((format!("  {ends}"), scene.theme.text));
    }
    parts.push((format!("  {}", scene.title), scene.theme.dim));
    parts
}

fn totals(scene: &Scene<'_>) -> Vec<Part> {
    let (theme, summary) = (scene.theme, &scene.data.summary);
    vec![
        ("Hits ".to_owned(), theme.dim),
        (grouped(summary.hits), marked(scene, Measure::Hits)),
        ("   Size ".to_owned(), theme.dim),
        (bytes(summary.bytes), marked(scene, Measure::Size)),
    ]
}

/// Names and how often they were seen, in the colours of statuses where they are some.
fn counts(scene: &Scene<'_>, name: &str, rows: &[Row]) -> Vec<Part> {
    let theme = scene.theme;
    let mut parts = vec![(format!("{name:<9}"), theme.dim)];
    for row in rows {
        let text = row.key.as_ref().map_or("", |key| &key.text);
        parts.push((format!("{text} "), theme.of_status(text)));
        parts.push((format!("{}   ", sum(row.hits, theme.signs.about, usize::MAX)), theme.text));
    }
    parts
}

fn table(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) -> usize {
    let (theme, model, mut rest) = (scene.theme, scene.model, area);
    let about = theme.signs.about;
    let by = |column: Column| if model.sort.column == column { theme.accent } else { theme.dim };
    let mut head = inside(take_top(&mut rest, 1), 2);
    canvas.put_right(take_right(&mut head, 12), "SIZE", by(Column::Bytes));
    canvas.put_right(take_right(&mut head, 12), "HITS", by(Column::Hits));
    canvas.put(head, &model.dimension.name().to_uppercase(), theme.dim);
    let page = usize::from(rest.height);
    let rows = if model.shows(scene.data) { scene.data.rows() } else { &[] };
    if rows.is_empty() {
        nothing(canvas, scene, rest);
    }
    let at = model.selection.at();
    let first = model.selection.first().max((at + 1).saturating_sub(page)).min(at);
    for (number, row) in rows.iter().enumerate().skip(first).take(page) {
        let line = take_top(&mut rest, 1);
        let text = row.key.as_ref().map_or("", |key| &key.text);
        let style = match model.dimension {
            omphalos_live::Dimension::Section => mark_style(scene, text, theme.text),
            _ => theme.text,
        };
        let mut cells = inside(line, 2);
        canvas.put_right(take_right(&mut cells, 12), &byte_sum(row.bytes, about), style);
        canvas.put_right(take_right(&mut cells, 12), &sum(row.hits, about, 12), style);
        canvas.put(cells, text, style);
        if number == at && at > 0 {
            let mut pointer = line;
            canvas.put(take_left(&mut pointer, 1), theme.signs.pointer, theme.accent);
        }
    }
    page
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
