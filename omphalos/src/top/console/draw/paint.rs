//! A canvas on which nothing is drawn beyond its edges, whatever is asked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::top::console::theme::Signs;
use crate::top::text::{columns, shown};

/// Where things are drawn, in the signs of the terminal.
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    signs: &'static Signs,
}

/// A text and how it looks.
pub type Part = (String, Style);

/// A number of columns or rows; what does not fit on any screen is as much as can be.
pub fn cells(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl<'a> Canvas<'a> {
    /// On a buffer.
    pub fn new(buffer: &'a mut Buffer, signs: &'static Signs) -> Self {
        Self { buffer, signs }
    }

    /// Writes a text of whatever origin at the beginning of a row, and says how many columns it took.
    pub fn put(&mut self, row: Rect, text: &str, style: Style) -> u16 {
        let row = row.intersection(self.buffer.area);
        if row.is_empty() {
            return 0;
        }
        let text = shown(text, usize::from(row.width), self.signs.ellipsis);
        let (end, _) = self.buffer.set_stringn(row.x, row.y, &text, usize::from(row.width), style);
        end.saturating_sub(row.x)
    }

    /// Writes a text at the end of a row, and says how many columns it took.
    pub fn put_right(&mut self, row: Rect, text: &str, style: Style) -> u16 {
        let text = shown(text, usize::from(row.width), self.signs.ellipsis);
        let wide = cells(columns(&text)).min(row.width);
        let x = row.right().saturating_sub(wide);
        self.put(Rect { x, width: wide, ..row }, &text, style)
    }

    /// Writes parts one behind the other, as far as there is room; says how many columns they took.
    pub fn put_parts(&mut self, row: Rect, parts: &[Part]) -> u16 {
        let mut rest = row;
        for (text, style) in parts {
            let taken = self.put(rest, text, *style);
            take_left(&mut rest, taken);
        }
        row.width - rest.width
    }

    /// Writes parts at the end of a row, or nothing where there is no room for all of them.
    pub fn put_parts_right(&mut self, row: Rect, parts: &[Part]) -> u16 {
        let wide = cells(parts.iter().map(|(text, _)| columns(text)).sum());
        if wide > row.width {
            return 0;
        }
        self.put_parts(Rect { x: row.right().saturating_sub(wide), width: wide, ..row }, parts)
    }

    /// Gives all cells of an area a style.
    pub fn style(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Takes away what stands in an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// A rule across a row.
    pub fn rule(&mut self, row: Rect, sign: &str, style: Style) {
        for x in row.left()..row.right() {
            self.put(Rect { x, width: 1, ..row }, sign, style);
        }
    }

    /// A box around what is returned.
    pub fn framed(&mut self, area: Rect, title: &Part, style: Style) -> Rect {
        self.clear(area);
        let Signs { rules: [rule, _], corners, side, .. } = self.signs;
        let (top, bottom) = (first_row(area), last_row(area));
        self.rule(top, rule, style);
        self.rule(bottom, rule, style);
        let left = Rect { width: area.width.min(1), ..area };
        let right = Rect { x: area.right().saturating_sub(left.width), ..left };
        for y in area.top()..area.bottom() {
            for end in [left, right] {
                self.put(Rect { y, height: 1, ..end }, side, style);
            }
        }
        let ends = [(left, top), (right, top), (right, bottom), (left, bottom)];
        for ((column, row), corner) in ends.into_iter().zip(corners) {
            self.put(Rect { y: row.y, height: row.height, ..column }, corner, style);
        }
        let (text, title_style) = title;
        let room = inside(top, 2);
        let wide = room.width.min(cells(columns(text) + 2));
        self.put(Rect { width: wide, ..room }, &format!(" {text} "), *title_style);
        inside(
            Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(2), ..area },
            2,
        )
    }

    /// A share, from 0 to 1, as a bar in eighths of a column.
    pub fn bar(&mut self, row: Rect, share: f64, style: Style) {
        let eighths = eighths(share, row.width);
        let (full, rest) = (eighths / 8, eighths % 8);
        let [.., whole] = self.signs.parts;
        for x in 0..full {
            self.put(Rect { x: row.x.saturating_add(x), width: 1, ..row }, whole, style);
        }
        let part = usize::from(rest).checked_sub(1).and_then(|at| self.signs.parts.get(at));
        if let Some(part) = part {
            self.put(Rect { x: row.x.saturating_add(full), width: 1, ..row }, part, style);
        }
    }

    /// Values in the course of time, the newest at the right, over all rows of an area.
    pub fn chart(&mut self, area: Rect, values: &[f64], style: Style, quiet: Style) {
        let values = resampled(values, usize::from(area.width));
        let most = values.iter().copied().fold(0.0, f64::max);
        let left = area.right().saturating_sub(cells(values.len()));
        for (x, value) in (left..).zip(values) {
            let share = if most > 0.0 { value / most } else { 0.0 };
            // Little is not nothing.
            let filled = if share > 0.0 { eighths(share, area.height).max(1) } else { 0 };
            for from_below in 0..area.height {
                let level = filled.saturating_sub(from_below.saturating_mul(8)).min(8);
                let y = area.bottom().saturating_sub(1 + from_below);
                let cell = Rect { x, y, width: 1, height: 1 };
                let sign = usize::from(level).checked_sub(1);
                match sign.and_then(|at| self.signs.levels.get(at)) {
                    Some(sign) => self.put(cell, sign, style),
                    // The ground on which it stands.
                    None if from_below == 0 => self.put(cell, self.signs.levels[0], quiet),
                    None => 0,
                };
            }
        }
    }
}

/// `share` of so many cells, in eighths of one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn eighths(share: f64, cells: u16) -> u16 {
    let most = f64::from(cells) * 8.0;
    let some = (share * most).round();
    if some.is_finite() { some.clamp(0.0, most.min(f64::from(u16::MAX))) as u16 } else { 0 }
}

/// At most `width` values: each the average of its neighbours, or shown several times where there is room.
#[expect(clippy::cast_precision_loss, reason = "an average")]
fn resampled(values: &[f64], width: usize) -> Vec<f64> {
    if values.is_empty() || width == 0 {
        return Vec::new();
    }
    if values.len() <= width {
        let times = (width / values.len()).min(4);
        return values.iter().flat_map(|value| std::iter::repeat_n(*value, times)).collect();
    }
    let begin = |column: usize| column * values.len() / width;
    let average = |column: usize| {
        let some = values.get(begin(column)..begin(column + 1)).unwrap_or_default();
        some.iter().sum::<f64>() / (some.len().max(1) as f64)
    };
    (0..width).map(average).collect()
}

/// The first row of an area.
pub fn first_row(area: Rect) -> Rect {
    Rect { height: area.height.min(1), ..area }
}

/// The last row of an area.
pub fn last_row(area: Rect) -> Rect {
    let height = area.height.min(1);
    Rect { y: area.bottom().saturating_sub(height), height, ..area }
}

/// What is left of an area without some columns at both sides.
pub fn inside(area: Rect, columns: u16) -> Rect {
    let width = area.width.saturating_sub(columns.saturating_mul(2));
    Rect { x: area.x.saturating_add(columns.min(area.width)), width, ..area }
}

/// Takes rows off the top of an area.
pub fn take_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let taken = Rect { height: rows, ..*area };
    area.y = area.y.saturating_add(rows);
    area.height -= rows;
    taken
}

/// Takes rows off the bottom of an area.
pub fn take_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.bottom(), height: rows, ..*area }
}

/// Takes columns off the left of an area.
pub fn take_left(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    let taken = Rect { width: columns, ..*area };
    area.x = area.x.saturating_add(columns);
    area.width -= columns;
    taken
}

/// Takes columns off the right of an area.
pub fn take_right(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    area.width -= columns;
    Rect { x: area.right(), width: columns, ..*area }
}

/// An area of this size in the middle of another one.
pub fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::console::theme::{Depth, Theme};

    fn drawn(width: u16, height: u16, draw: impl FnOnce(&mut Canvas<'_>, Rect)) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let theme = Theme::new(Depth::None, false, true);
        draw(&mut Canvas::new(&mut buffer, theme.signs), area);
        crate::top::console::export::text(&buffer).lines().map(str::to_owned).collect()
    }

    #[test]
    fn bars_and_charts_are_exact_to_an_eighth() {
        for (share, expected) in [
            (0.0, ""),
            (0.0625, "▌"),
            (0.5, "████"),
            (0.53, "████▎"),
            (1.0, "████████"),
            (9.0, "████████"),
        ] {
            let bar = drawn(8, 1, |canvas, area| canvas.bar(area, share, Style::new()));
            assert_eq!(bar, [expected], "{share}");
        }
        let chart = drawn(4, 2, |canvas, area| {
            canvas.chart(area, &[0.0, 0.01, 8.0, 16.0], Style::new(), Style::new());
        });
        assert_eq!(chart, ["   █", "▁▁██"]);
        let averages = drawn(2, 1, |canvas, area| {
            canvas.chart(area, &[1.0, 3.0, 8.0, 0.0], Style::new(), Style::new());
        });
        assert_eq!(averages, ["▄█"]);
        let nothing = drawn(3, 1, |canvas, area| {
            canvas.chart(area, &[f64::NAN, 0.0], Style::new(), Style::new());
            canvas.bar(area, f64::NAN, Style::new());
        });
        assert_eq!(nothing, [" ▁▁"]);
    }

    #[test]
    fn a_box_is_a_box_at_any_size() {
        let framed = |width, height| {
            drawn(width, height, |canvas, area| {
                canvas.framed(area, &("a".to_owned(), Style::new()), Style::new());
            })
        };
        assert_eq!(framed(8, 3), ["╭─ a ──╮", "│      │", "╰──────╯"]);
        for (width, height) in [(0, 0), (1, 1), (2, 2), (3, 1), (1, 3)] {
            assert_eq!(framed(width, height).len(), usize::from(height));
        }
    }

    #[test]
    fn nothing_is_drawn_beyond_the_edge() {
        let rows = drawn(4, 2, |canvas, _| {
            let beyond = Rect::new(2, 1, 100, 100);
            canvas.put(beyond, "abcdef", Style::new());
            canvas.put(Rect::new(9, 9, 9, 9), "x", Style::new());
            canvas.put_right(Rect::new(0, 0, 4, 1), "漢字漢", Style::new());
            canvas.style(beyond, Style::new());
            canvas.clear(Rect::new(0, 7, 9, 9));
        });
        assert_eq!(rows, [" 漢…", "  a…"]);
    }
}
