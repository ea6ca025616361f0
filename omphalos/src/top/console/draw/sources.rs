//! The sources, one by one.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::notices::of_source;
use super::paint::{Canvas, inside, take_left, take_right, take_top};
use crate::search::grouped;
use crate::top::figures::{Reading, SourceState};
use crate::top::number::{bytes, span};

/// Draws them from the one on that is scrolled to.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) {
    let theme = scene.theme;
    let mut rest = area;
    let mut head = inside(take_top(&mut rest, 1), 2);
    canvas.put_right(take_right(&mut head, 14), "LINES", theme.dim);
    canvas.put(take_left(&mut head, 12), "STATE", theme.dim);
    canvas.put(head, "SOURCE", theme.dim);
    for source in scene.data.feed.sources.iter().skip(scene.model.top_line) {
        if rest.is_empty() {
            return;
        }
        one(canvas, scene, &mut rest, source);
    }
    if scene.data.feed.sources.is_empty() {
        let notice = scene.data.feed.notice.as_deref().unwrap_or("none yet");
        canvas.put(inside(rest, 2), notice, theme.dim);
    }
}

fn one(canvas: &mut Canvas<'_>, scene: &Scene<'_>, rest: &mut Rect, source: &SourceState) {
    let theme = scene.theme;
    let mut row = inside(take_top(rest, 1), 2);
    canvas.put_right(take_right(&mut row, 14), &grouped(source.lines), theme.text);
    let (state, style): (&str, Style) = match source.state {
        Reading::CatchingUp => ("catching up", theme.refused),
        Reading::Following => ("following", theme.good),
        Reading::Ended => ("ended", theme.dim),
        Reading::Failed(_) => ("failed", theme.failed),
    };
    canvas.put(take_left(&mut row, 13), state, style);
    canvas.put(row, &source.name, theme.text);
    let mut facts: Vec<String> = Vec::new();
    let behind = source.behind.filter(|behind| *behind > 0);
    facts.extend(behind.map(|behind| format!("{} to be read", bytes(behind))));
    if source.state == Reading::Following && source.silent_for.as_secs() > 0 {
        facts.push(format!("the last line came {} ago", span(source.silent_for)));
    }
    for (_, notice) in of_source(source) {
        let what = notice.strip_prefix(&format!("{}: ", source.name)).unwrap_or(&notice);
        if !what.starts_with("silent") && !what.ends_with("behind") {
            facts.push(what.to_owned());
        }
    }
    for fact in facts {
        let mut row = inside(take_top(rest, 1), 2);
        take_left(&mut row, 13);
        canvas.put(row, &fact, theme.dim);
    }
}
