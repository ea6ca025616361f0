//! Boxes over the screen, in which something is chosen or typed.

use ratatui::layout::Rect;

use super::Scene;
use super::paint::{Canvas, cells, middle, take_left, take_top};
use super::status::line;
use crate::top::console::export::Kind;
use crate::top::console::model::Entry;

/// The list of dimensions.
pub fn dimensions(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, at: usize) {
    let theme = scene.theme;
    let list = scene.model.dimensions(scene.data);
    let frame = middle(area, 38, cells(list.len() + 3));
    let title = ("dimension".to_owned(), theme.accent);
    let mut rest = canvas.framed(frame, &title, theme.dim);
    let is_counted =
        |name: &str| scene.data.dimensions.iter().any(|counted| counted.dimension.name() == name);
    let mut names: Vec<(String, &str)> = list
        .iter()
        .map(|dimension| {
            let state = if is_counted(dimension.name()) { "" } else { "not counted yet" };
            (dimension.name().to_owned(), state)
        })
        .collect();
    names.push((format!("any field{}", theme.signs.ellipsis), ""));
    let page = usize::from(rest.height).max(1);
    let first = (at + 1).saturating_sub(page);
    for (number, (name, state)) in names.iter().enumerate().skip(first).take(page) {
        let row = take_top(&mut rest, 1);
        let style = if *name == scene.model.dimension.name() { theme.accent } else { theme.text };
        let mut room = row;
        take_left(&mut room, 2);
        canvas.put(room, name, style);
        canvas.put_right(row, state, theme.dim);
        if number == at {
            canvas.style(row, theme.selected);
            canvas.put(Rect { width: row.width.min(1), ..row }, theme.signs.pointer, theme.accent);
        }
    }
}

/// The name of a field, being typed.
pub fn field(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, entry: &Entry) {
    let theme = scene.theme;
    let frame = middle(area, 60, 4);
    let title = ("any field".to_owned(), theme.accent);
    let mut rest = canvas.framed(frame, &title, theme.dim);
    line(canvas, scene, take_top(&mut rest, 1), entry);
    let hint = "a name of ECS, as log.level; enter counts it from now on";
    canvas.put(take_top(&mut rest, 1), hint, theme.dim);
}

/// The kinds of files that can be written.
pub fn export(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) {
    let theme = scene.theme;
    let frame = middle(area, 38, cells(Kind::ALL.len() + 2));
    let title = ("export as".to_owned(), theme.accent);
    let mut rest = canvas.framed(frame, &title, theme.dim);
    for (key, _, what) in Kind::ALL {
        let mut row = take_top(&mut rest, 1);
        canvas.put(take_left(&mut row, 3), &key.to_string(), theme.accent);
        canvas.put(row, what, theme.text);
    }
}
