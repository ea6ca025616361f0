//! The screen as a picture that needs nothing but a browser.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::cells_of;

/// A cell, in tenths of a pixel, so that there are no fractions to round.
const CELL: (u32, u32) = (84, 180);
const MARGIN: u32 = 120;

/// What a terminal shows where a cell says no colour.
struct Paper {
    text: &'static str,
    behind: &'static str,
}

const DARK: Paper = Paper { text: "#d4d9e4", behind: "#16181d" };
const LIGHT: Paper = Paper { text: "#1f2430", behind: "#ffffff" };

/// The 16 colours that a terminal's owner chooses, as many have them.
const SIXTEEN: [&str; 16] = [
    "#1d1f21", "#cc342b", "#198844", "#c08b00", "#3971ed", "#a36ac7", "#1a8fa5", "#c5c8c6",
    "#868d98", "#f0525f", "#3fb568", "#e0b040", "#6f9bff", "#c58fe6", "#45bfd6", "#ffffff",
];

/// The screen on light or dark paper.
pub fn svg(screen: &Buffer, is_light: bool) -> String {
    let paper = if is_light { &LIGHT } else { &DARK };
    let (columns, rows) = (u32::from(screen.area.width), u32::from(screen.area.height));
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\">\n<rect width=\"100%\" height=\"100%\" fill=\"{2}\"/>\n<g font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\" xml:space=\"preserve\">\n",
        pixels(width),
        pixels(height),
        paper.behind
    );
    for y in screen.area.top()..screen.area.bottom() {
        row(&mut svg, screen, y, paper);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Cells that look alike, side by side.
struct Run<'a> {
    x: u16,
    cells: u16,
    is_wide: bool,
    text: String,
    cell: &'a Cell,
}

fn row(svg: &mut String, screen: &Buffer, y: u16, paper: &Paper) {
    let mut runs: Vec<Run<'_>> = Vec::new();
    let mut x = screen.area.left();
    while let Some(cell) = screen.cell((x, y)) {
        let wide = cells_of(cell.symbol());
        match runs.last_mut() {
            // A wide sign is as wide as the browser's font has it: what follows begins anew.
            Some(run) if look(run.cell) == look(cell) && !run.is_wide && wide == 1 => {
                run.text.push_str(cell.symbol());
                run.cells += wide;
            }
            _ => {
                let text = cell.symbol().to_owned();
                runs.push(Run { x, cells: wide, is_wide: wide > 1, text, cell });
            }
        }
        x = x.saturating_add(wide);
    }
    let top = MARGIN + u32::from(y - screen.area.top()) * CELL.1;
    for run in &runs {
        let left = MARGIN + u32::from(run.x - screen.area.left()) * CELL.0;
        if draw(svg, run, (left, top), paper).is_err() {
            return;
        }
    }
}

fn draw(svg: &mut String, run: &Run<'_>, at: (u32, u32), paper: &Paper) -> std::fmt::Result {
    let modifier = run.cell.modifier;
    let mut text = colour(run.cell.fg).unwrap_or_else(|| paper.text.to_owned());
    let mut behind = colour(run.cell.bg);
    if modifier.contains(Modifier::REVERSED) {
        let under = behind.unwrap_or_else(|| paper.behind.to_owned());
        behind = Some(std::mem::replace(&mut text, under));
    }
    let width = u32::from(run.cells) * CELL.0;
    if let Some(behind) = behind {
        writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{behind}\"/>",
            pixels(at.0),
            pixels(at.1),
            pixels(width),
            pixels(CELL.1)
        )?;
    }
    if run.text.trim().is_empty() {
        return Ok(());
    }
    let bold = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let dim = if modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" textLength=\"{}\" fill=\"{text}\"{bold}{dim}>{}</text>",
        pixels(at.0),
        pixels(at.1 + 135),
        pixels(width),
        escaped(&run.text)
    )
}

fn look(cell: &Cell) -> (Color, Color, Modifier) {
    (cell.fg, cell.bg, cell.modifier)
}

fn pixels(tenths: u32) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn colour(colour: Color) -> Option<String> {
    let named = |number: usize| SIXTEEN.get(number).map(|colour| (*colour).to_owned());
    match colour {
        Color::Reset => None,
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Indexed(number @ 0..16) => named(usize::from(number)),
        Color::Indexed(number @ 16..232) => {
            let level = |place: u8| match place % 6 {
                0 => 0_u8,
                level => 55 + 40 * level,
            };
            let cube = number - 16;
            Some(format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6), level(cube)))
        }
        Color::Indexed(number) => {
            let grey = 8 + 10 * (number - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
    }
}

/// Text in XML, without what XML has no place for.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_picture_has_the_texts_the_colours_and_nothing_that_is_a_tag() {
        let mut screen = Buffer::empty(Rect::new(0, 0, 24, 2));
        let red = Style::new().fg(Color::Indexed(203)).add_modifier(Modifier::REVERSED);
        screen.set_string(0, 0, "</text><script>&\"", red);
        screen.set_string(0, 1, "漢字 ok\u{ffff}", Style::new());
        let svg = svg(&screen, false);
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&amp;&quot;"), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("fill=\"#ff5f5f\""), "{svg}");
        assert!(svg.contains(">漢</text>") && svg.contains(">字</text>"), "{svg}");
        assert!(!svg.contains('\u{ffff}'), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn each_colour_of_256_is_one() {
        for (number, expected) in [
            (16, "#000000"),
            (231, "#ffffff"),
            (203, "#ff5f5f"),
            (232, "#080808"),
            (255, "#eeeeee"),
        ] {
            assert_eq!(colour(Color::Indexed(number)).as_deref(), Some(expected), "{number}");
        }
        for number in 0..=255 {
            assert!(colour(Color::Indexed(number)).is_some());
        }
    }
}
