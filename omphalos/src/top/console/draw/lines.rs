//! The last lines of what is counted, the newest first.

use omphalos_live::Line;
use ratatui::layout::Rect;

use super::Scene;
use super::paint::{Canvas, inside, take_left, take_top};
use crate::top::number::time;

/// Draws them under a rule, from this one on.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect, lines: &[Line], first: usize) {
    let theme = scene.theme;
    let mut rest = area;
    let head = take_top(&mut rest, 1);
    canvas.rule(head, theme.signs.rules[0], theme.dim);
    let title =
        if first > 0 { format!(" lines, from {} on ", first + 1) } else { " lines ".to_owned() };
    canvas.put(inside(head, 1), &title, theme.dim);
    for line in lines.iter().skip(first).take(usize::from(rest.height)) {
        let mut row = inside(take_top(&mut rest, 1), 2);
        if area.width >= 60 {
            let stamp = format!("{}  ", time(line.at, scene.zone));
            let taken = canvas.put(row, &stamp, theme.dim);
            take_left(&mut row, taken);
        }
        canvas.put(row, &line.text, theme.text);
    }
    if lines.is_empty() && scene.data.wanted.lines > 0 {
        canvas.put(inside(rest, 2), "none yet", theme.dim);
    }
}
