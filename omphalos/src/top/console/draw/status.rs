//! The last row: what is typed or was said, the filter, and the keys that matter now.

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::Scene;
use super::paint::{Canvas, Part, inside, take_left, take_right};
use crate::top::console::model::{Entry, Message, Mode, View};

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect) {
    let theme = scene.theme;
    let mut rest = inside(row, 1);
    if let Mode::Filter { entry, problem, .. } = &scene.model.mode {
        return filter(canvas, scene, rest, (entry, problem.as_deref()));
    }
    let hints = hints(scene, row.width);
    match &scene.model.message {
        Some(Message::Done(text)) => {
            canvas.put(rest, text, theme.good);
            return;
        }
        Some(Message::Failed(text)) => {
            canvas.put(rest, text, theme.failed);
            return;
        }
        None => {}
    }
    if scene.model.filter.is_empty() {
        canvas.put_parts(rest, &hints);
        return;
    }
    let taken = canvas.put_parts_right(rest, &hints);
    take_right(&mut rest, taken.saturating_add(2));
    let taken = canvas.put(rest, "filter ", theme.dim);
    take_left(&mut rest, taken);
    canvas.put(rest, &scene.model.filter, theme.accent);
}

/// Keys, and what they do, as many as there is room for.
fn hints(scene: &Scene<'_>, width: u16) -> Vec<Part> {
    let (theme, model) = (scene.theme, scene.model);
    let pause = if model.is_paused { "go on" } else { "pause" };
    let all: &[(&str, &str)] = match &model.view {
        View::Table => &[
            ("?", "help"),
            ("q", "quit"),
            ("/", "filter"),
            ("enter", "drill"),
            ("s", "sort"),
            ("w", "window"),
            ("p", pause),
            ("x", "export"),
        ],
        View::Key(_) => &[("esc", "back"), ("f", "only these"), ("y", "copy"), ("?", "help")],
        View::Lines | View::Sources => {
            &[("esc", "back"), ("/", "filter"), ("p", pause), ("?", "help")]
        }
    };
    let room = if model.filter.is_empty() { width } else { width / 2 };
    let mut parts = Vec::new();
    let mut used = 2;
    for (key, what) in all {
        let text = format!(" {what}  ");
        used += key.len() + text.len();
        if used > usize::from(room) {
            break;
        }
        parts.push(((*key).to_owned(), theme.accent));
        parts.push((text, theme.dim));
    }
    parts
}

fn filter(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect, typed: (&Entry, Option<&str>)) {
    let (entry, problem) = typed;
    let mut rest = row;
    let taken = canvas.put(rest, "/ ", scene.theme.accent);
    take_left(&mut rest, taken);
    line(canvas, scene, rest, entry);
    if let Some(problem) = problem {
        // Right above what it is about.
        let above = Rect { y: row.y.saturating_sub(1), ..row };
        canvas.clear(above);
        let why = problem.strip_prefix("the filter cannot be used ").unwrap_or(problem);
        let text = format!("{} {why}", scene.theme.signs.notice);
        canvas.put(above, &text, scene.theme.failed);
    }
}

/// A line that is being typed, with its cursor, which is always on the screen.
pub fn line(canvas: &mut Canvas<'_>, scene: &Scene<'_>, row: Rect, entry: &Entry) {
    let (before, behind) = entry.parts();
    let mut rest = row;
    let room = usize::from(row.width.saturating_sub(1));
    let skipped = before.chars().count().saturating_sub(room);
    let before: String = before.chars().skip(skipped).collect();
    let taken = canvas.put(rest, &before, scene.theme.text);
    take_left(&mut rest, taken.min(row.width.saturating_sub(1)));
    let mut behind = behind.chars();
    let under = behind.next().map_or_else(|| " ".to_owned(), String::from);
    let cursor = scene.theme.text.add_modifier(Modifier::REVERSED);
    let taken = canvas.put(rest, &under, cursor);
    take_left(&mut rest, taken);
    canvas.put(rest, behind.as_str(), scene.theme.text);
}
