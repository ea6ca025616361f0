//! What is wrong with the sources, and why there is nothing to see.

use std::time::Duration;

use omphalos_live::{Dimension, Scope};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::header::{counted, window};
use super::paint::{Canvas, cells, inside, middle, take_left, take_top};
use crate::search::grouped;
use crate::top::figures::{Reading, SourceState};
use crate::top::number::{bytes, span};
use crate::top::text::columns;

/// A source from which nothing came for so long is said to be silent.
const SILENT: Duration = Duration::from_mins(1);
/// A source that is so far behind is said to be.
const BEHIND: u64 = 1 << 20;

/// Draws what is wrong, at most so many rows, and takes them off.
pub fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, rest: &mut Rect, most: u16) {
    let notices = of_sources(scene);
    let shown = cells(notices.len()).min(most);
    let hidden = notices.len().saturating_sub(usize::from(shown));
    let last = usize::from(shown).saturating_sub(1);
    for (at, (text, style)) in notices.into_iter().take(usize::from(shown)).enumerate() {
        let mut row = inside(take_top(rest, 1), 1);
        let taken = canvas.put(row, &format!("{} ", scene.theme.signs.notice), style);
        take_left(&mut row, taken);
        if at == last && hidden > 0 {
            let key = if scene.model.is_classic() || !scene.model.has_keys { "" } else { "i: " };
            let more = format!("  {key}{hidden} more");
            let taken = canvas.put_right(row, &more, scene.theme.dim);
            row.width = row.width.saturating_sub(taken);
        }
        canvas.put(row, &text, scene.theme.text);
    }
}

/// What is wrong, the worst first.
fn of_sources(scene: &Scene<'_>) -> Vec<(String, Style)> {
    let mut notices: Vec<(u8, String)> = Vec::new();
    let feed = &scene.data.feed;
    // What has not been read yet may have the lines that are missed.
    if is_reading(scene) {
        notices.push((3, reading(scene)));
    } else if let Some(notice) = &feed.notice {
        notices.push((1, notice.clone()));
    }
    for source in &feed.sources {
        notices.extend(of_source(source));
    }
    notices.sort_by_key(|(rank, _)| *rank);
    let style = |rank| match rank {
        0 => scene.theme.failed,
        1 | 2 => scene.theme.refused,
        _ => scene.theme.dim,
    };
    notices.into_iter().map(|(rank, text)| (text, style(rank))).collect()
}

/// What is wrong with one, and how bad it is.
pub fn of_source(source: &SourceState) -> Vec<(u8, String)> {
    let mut notices = Vec::new();
    let mut say = |rank, what: String| notices.push((rank, format!("{}: {what}", source.name)));
    match &source.state {
        Reading::Failed(why) => say(0, why.clone()),
        Reading::Following if source.silent_for >= SILENT => {
            say(2, format!("silent for {}", span(source.silent_for)));
        }
        _ => {}
    }
    if source.dropped > 0 {
        say(1, format!("{} lines are missing", grouped(source.dropped)));
    }
    if let Some(behind) = source.behind.filter(|behind| *behind >= BEHIND) {
        let verb = if source.state == Reading::CatchingUp { "catching up, " } else { "" };
        say(2, format!("{verb}{} behind", bytes(behind)));
    }
    if source.failures > 0 {
        let all = source.lines.max(source.failures);
        let of_all = format!("{} of {}", grouped(source.failures), grouped(all));
        say(2, format!("{of_all} lines were not understood"));
    }
    if source.in_blocks {
        say(3, "lines come in blocks (nginx: buffer=), so rates come in waves".to_owned());
    }
    notices
}

/// Whether there may be lines that have not been read yet, and none has been counted.
fn is_reading(scene: &Scene<'_>) -> bool {
    scene.data.is_reading() && scene.data.summary.hits == 0
}

fn reading(scene: &Scene<'_>) -> String {
    format!("reading{}", scene.theme.signs.ellipsis)
}

/// Says in the middle of an area why there is nothing in it.
pub fn nothing(canvas: &mut Canvas<'_>, scene: &Scene<'_>, area: Rect) {
    let reasons = reasons(scene);
    let mut rest = middle(area, area.width, cells(reasons.len()));
    for (at, text) in reasons.iter().enumerate() {
        let style = if at == 0 { scene.theme.text } else { scene.theme.dim };
        let row = inside(take_top(&mut rest, 1), 2);
        canvas.put(middle(row, cells(columns(text)), 1), text, style);
    }
}

/// Why there is nothing, and what to do.
pub fn reasons(scene: &Scene<'_>) -> Vec<String> {
    let (model, data) = (scene.model, scene.data);
    let (summary, feed) = (&data.summary, &data.feed);
    let lines: u64 = feed.sources.iter().map(|source| source.lines).sum();
    let failures: u64 = feed.sources.iter().map(|source| source.failures).sum();
    let texts: [String; 2] = if !model.shows(data) || data.at == 0 {
        ["one moment".to_owned(), String::new()]
    } else if let Some(problem) = &data.problem {
        [format!("{} cannot be counted", model.dimension), problem.clone()]
    } else if data.is_reading() {
        [reading(scene), String::new()]
    } else if summary.hits > 0 {
        let none = format!("no line of the {} has a value for {}", window(scene), model.dimension);
        [none, without_value(scene)]
    } else if data.hits_since_start > 0 && model.scope == Scope::Window {
        let none = format!("no line in the {}", window(scene));
        let before = format!("{} before it", lines_of(data.hits_since_start));
        [none, hint(scene, "w: a longer window; ") + &before]
    } else if summary.left_out > 0 {
        let all = lines_of(summary.left_out);
        [format!("the filter leaves out all {all}"), of_filter(scene)]
    } else if summary.ahead > 0 {
        let ahead = lines_of(summary.ahead);
        [format!("{ahead} are ahead of the clock"), "is their time zone right?".to_owned()]
    } else if failures > 0 && failures >= lines {
        let all = lines_of(failures);
        [format!("none of {all} was understood"), "is the format right?".to_owned()]
    } else if let Some(failed) = failed(scene) {
        ["nothing can be read".to_owned(), failed]
    } else if !model.filter.is_empty() {
        ["no line yet that the filter means".to_owned(), of_filter(scene)]
    } else if let Some(notice) = &feed.notice {
        [notice.clone(), String::new()]
    } else {
        let count = counted(feed.sources.len(), "source");
        [format!("no line yet from {count}"), String::new()]
    };
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// What a key does, where there are keys and this is one of them.
fn hint(scene: &Scene<'_>, text: &str) -> String {
    let has_it = scene.model.has_keys && !scene.model.is_classic();
    if has_it { text.to_owned() } else { String::new() }
}

fn of_filter(scene: &Scene<'_>) -> String {
    format!("{}{}", scene.model.filter, hint(scene, ": esc takes it away"))
}

/// Why no line has a value of the dimension, or else what to look at instead.
fn without_value(scene: &Scene<'_>) -> String {
    let model = scene.model;
    let has_none = matches!(model.dimension, Dimension::Referrer | Dimension::Agent);
    match model.format {
        Some("clf") if has_none => {
            format!("the format clf has no {}: -p combined", model.dimension)
        }
        _ if model.is_classic() && model.has_keys => "esc: back".to_owned(),
        _ => hint(scene, "tab: another dimension"),
    }
}

/// Why no source can be read, where that is so.
fn failed(scene: &Scene<'_>) -> Option<String> {
    let mut failed = scene.data.feed.sources.iter().map(|source| match &source.state {
        Reading::Failed(why) => Some(format!("{}: {why}", source.name)),
        _ => None,
    });
    let first = failed.next()??;
    failed.all(|other| other.is_some()).then_some(first)
}

fn lines_of(number: u64) -> String {
    format!("{} line{}", grouped(number), if number == 1 { "" } else { "s" })
}
