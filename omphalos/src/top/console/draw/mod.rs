//! The screen. Everything is drawn from what was chosen ([`Model`]) and what was asked
//! ([`Snapshot`]), at any size: what there is no room for is left out, the least important first.

mod alerts;
mod classic;
mod detail;
mod header;
mod help;
mod lines;
mod notices;
mod paint;
mod popups;
mod sources;
mod status;
mod table;

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::data::Snapshot;
use super::model::{Mode, Model, View};
use super::theme::Theme;
use super::thresholds::Watch;
use paint::{Canvas, cells, middle, take_bottom, take_top};

/// Smaller terminals are told so, and nothing else.
const LEAST: (u16, u16) = (40, 10);

/// All that is shown.
pub struct Scene<'a> {
    /// What was chosen.
    pub model: &'a Model,
    /// What was asked.
    pub data: &'a Snapshot,
    /// What is at its threshold.
    pub watch: &'a Watch,
    /// How things look.
    pub theme: &'a Theme,
    /// In which zone times are shown.
    pub zone: &'a TimeZone,
    /// What is watched.
    pub title: &'a str,
}

/// Draws the screen, and says how many rows of the table are on it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) -> usize {
    let mut canvas = Canvas::new(buffer, scene.theme.signs);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(&mut canvas, scene, area);
        return 0;
    }
    let page = if scene.model.is_classic() {
        classic::draw(&mut canvas, scene, area)
    } else {
        everything(&mut canvas, scene, area)
    };
    match &scene.model.mode {
        Mode::Help(first) => help::draw(&mut canvas, scene, area, *first),
        Mode::Dimensions(at) => popups::dimensions(&mut canvas, scene, area, *at),
        Mode::Field(entry) => popups::field(&mut canvas, scene, area, entry),
        Mode::Export => popups::export(&mut canvas, scene, area),
        Mode::Browse | Mode::Filter { .. } => {}
    }
    page
}

fn everything(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) -> usize {
    let mut rest = area;
    let is_tall = area.height >= 20;
    let bottom = take_bottom(&mut rest, 1);
    header::draw(canvas, scene, &mut rest);
    notices::draw(canvas, scene, &mut rest, if is_tall { 3 } else { 1 });
    alerts::draw(canvas, scene, &mut rest, if is_tall { area.height / 6 } else { 1 });
    let page = view(canvas, scene, rest);
    status::draw(canvas, scene, bottom);
    page
}

fn view(canvas: &mut Canvas<'_>, scene: &Scene<'_>, rest: Rect) -> usize {
    match &scene.model.view {
        View::Table => table_and_lines(canvas, scene, rest),
        View::Key(name) => {
            detail::draw(canvas, scene, rest, name);
            0
        }
        View::Lines => {
            lines::draw(canvas, scene, rest, &scene.data.lines, scene.model.top_line);
            0
        }
        View::Sources => {
            sources::draw(canvas, scene, rest);
            0
        }
    }
}

fn table_and_lines(canvas: &mut Canvas<'_>, scene: &Scene<'_>, mut rest: Rect) -> usize {
    if rest.height >= 12 {
        table::tabs(canvas, scene, take_top(&mut rest, 1));
    }
    let has_room = scene.model.has_lines && rest.height >= 12;
    // A third of it, and what the rows leave.
    let left = rest.height.saturating_sub(cells(scene.data.rows().len()).max(8) + 2);
    let below = if has_room { (rest.height / 3).max(left.min(rest.height / 2)) } else { 0 };
    let below = take_bottom(&mut rest, below);
    let page = table::draw(canvas, scene, rest);
    if has_room {
        lines::draw(canvas, scene, below, &scene.data.lines, 0);
    }
    page
}

fn too_small(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) {
    let (width, height) = LEAST;
    let lines = [
        ("too small".to_owned(), scene.theme.strong),
        (format!("{}×{}", area.width, area.height), scene.theme.text),
        (format!("at least {width}×{height}"), scene.theme.dim),
    ];
    let mut rest = middle(area, area.width, cells(lines.len()));
    for (text, style) in lines {
        let row = take_top(&mut rest, 1);
        let text =
            if scene.theme.signs.ellipsis.is_ascii() { text.replace('×', "x") } else { text };
        canvas.put(middle(row, cells(text.chars().count()), 1), &text, style);
    }
}
