//! What the keys do, and what the signs mean.

use ratatui::layout::Rect;

use super::Scene;
use super::paint::{Canvas, cells, middle, take_left, take_right, take_top};

/// A key, and what it does; without a key it is a heading.
type Entry = (&'static str, &'static str);

const KEYS: [Entry; 34] = [
    ("", "Go around"),
    ("up down, j k", "row by row"),
    ("pgup pgdn", "page by page"),
    ("home end, g G", "to the first, to the last"),
    ("enter", "all about a row"),
    ("esc", "one step back, then no filter"),
    ("v", "lines: beside, alone, none"),
    ("i", "the sources, one by one"),
    ("", "Choose"),
    ("tab, 1-9", "dimension"),
    ("d", "all dimensions, or any field"),
    ("w", "window: 1, 5, 15, 60 min, all"),
    ("s S", "sort by the next column, turn"),
    ("h b e l c", "hits bytes errors p95 clients"),
    ("t n", "trend, name"),
    ("p, space", "pause, go on"),
    ("", "Filter"),
    ("/", "type one, used as you type"),
    ("up down", "filters that were used before"),
    ("f", "only lines like this row"),
    ("", "status:[500 TO *] path:/api/*"),
    ("", "Take away"),
    ("y Y", "copy the name, or the row"),
    ("x", "export: text, CSV, JSON, SVG"),
    ("q, ctrl-c", "quit"),
    ("ctrl-l ctrl-z", "draw anew; stop, fg goes on"),
    ("", "Read"),
    ("~", "about: at most so much, or"),
    ("", "an estimate"),
    ("rate", "on average in the window;"),
    ("", "above: in the last full step"),
    ("share", "of what is sorted by"),
    ("trend", "hits in the course of time"),
    ("rule", "statuses: 2xx 3xx 4xx 5xx"),
];

/// Those of the old console.
const CLASSIC: [Entry; 10] = [
    ("h", "sort by hits"),
    ("b", "sort by bytes"),
    ("r", "referrers, and back"),
    ("u", "users, and back"),
    ("space", "draw anew"),
    ("up down", "row by row"),
    ("pgup pgdn", "page by page"),
    ("?", "help"),
    ("q, ctrl-c", "quit"),
    ("ctrl-z", "stop, until fg of the shell"),
];

/// How wide a column of it is, and the part of it that has the keys.
const WIDE: (u16, u16) = (46, 15);

/// Draws it, from this row on.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, first: usize) {
    let theme = scene.theme;
    let entries: &[Entry] = if scene.model.is_classic() { &CLASSIC } else { &KEYS };
    let is_double = !scene.model.is_classic() && area.width >= 2 * WIDE.0 + 6;
    let rows = if is_double { entries.len().div_ceil(2) } else { entries.len() };
    let width = if is_double { 2 * WIDE.0 + 4 } else { WIDE.0 + 4 };
    let frame = middle(area, width, cells(rows + 2));
    let is_cut = frame.height < cells(rows + 2);
    let title = if is_cut { "help, up and down for more" } else { "help" };
    let mut inner = canvas.framed(frame, &(title.to_owned(), theme.accent), theme.dim);
    // There is always something of it to be seen.
    let first = first.min(rows.saturating_sub(usize::from(inner.height)));
    if is_double {
        let (left, right) = entries.split_at(rows);
        let half = inner.width / 2;
        let second = take_right(&mut inner, half);
        column(canvas, scene, inner, left.iter().skip(first));
        column(canvas, scene, second, right.iter().skip(first));
    } else {
        column(canvas, scene, inner, entries.iter().skip(first));
    }
}

fn column<'a>(
    canvas: &mut Canvas<'_>,
    scene: &Scene<'_>,
    area: Rect,
    entries: impl Iterator<Item = &'a Entry>,
) {
    let (theme, mut rest) = (scene.theme, area);
    for (key, what) in entries.take(usize::from(area.height)) {
        let mut row = take_top(&mut rest, 1);
        let is_heading = key.is_empty() && what.starts_with(char::is_uppercase);
        if is_heading {
            canvas.put(row, what, theme.strong);
            continue;
        }
        let sign = if *key == "~" { theme.signs.about } else { key };
        canvas.put(take_left(&mut row, WIDE.1), sign, theme.accent);
        canvas.put(row, what, theme.text);
    }
}
