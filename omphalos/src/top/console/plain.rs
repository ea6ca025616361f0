//! For terminals that nothing can be drawn on, and for pipes: the screen as text, again and again.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use omphalos_common::printed::{Form, printed};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::asker::{EARLY, SOON};
use super::data::Snapshot;
use super::events::{Event, MOST_WAITING, Signals};
use super::theme::{Depth, Theme, is_unicode};
use super::thresholds::Watch;
use super::{Options, draw, export, model_of, watch_data};
use crate::top::figures::{Figures, Reading};

/// What is written is to be read: not more often than this.
const LEAST: Duration = Duration::from_secs(5);
/// How wide the text is.
const WIDTH: u16 = 100;
/// Rows of the text beside those of the table.
const AROUND: u16 = 12;

/// Writes until all sources have ended, or a signal says so.
///
/// # Errors
/// When nothing can be written.
pub fn run(figures: &dyn Figures, options: &Options) -> anyhow::Result<()> {
    let (sender, events) = sync_channel(MOST_WAITING);
    let (_running, ended) = sync_channel(0);
    Signals::new(false)?.watch(sender, ended)?;
    let mut watch = Watch::new(options.thresholds);
    let mut said: Option<String> = None;
    let (began, pause) = (Instant::now(), options.refresh.max(LEAST));
    loop {
        let mut model = model_of(options);
        (model.has_lines, model.has_keys) = (false, false);
        model.selection.set_page(usize::from(rows_of(options)), 0);
        let is_early = began.elapsed() < EARLY;
        let mut data = Snapshot::ask(figures, model.wanted());
        data.is_early = is_early;
        model.see(&data);
        // Nothing true can be said yet; before it is written that so much is still read, a moment.
        if data.is_reading() && began.elapsed() < pause {
            match events.recv_timeout(SOON) {
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(_) | Err(RecvTimeoutError::Timeout) => continue,
            }
        }
        watch_data(&mut watch, &data);
        let text = shown(options, &model, &data, &watch);
        if said.as_ref() != Some(&text) {
            let mut out = printed(Form::Plain);
            writeln!(out, "{text}")?;
            out.flush()?;
            said = Some(text);
        }
        let sources = &data.feed.sources;
        // One that cannot be read now may be there again later.
        if !sources.is_empty() && sources.iter().all(|source| source.state == Reading::Ended) {
            return Ok(());
        }
        match events.recv_timeout(pause) {
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn shown(options: &Options, model: &super::Model, data: &Snapshot, watch: &Watch) -> String {
    let variable = |name: &str| std::env::var(name).ok();
    let theme = Theme::new(Depth::None, false, is_unicode(&variable));
    let zone = TimeZone::system();
    let area = Rect::new(0, 0, WIDTH, rows_of(options).saturating_add(AROUND));
    let mut screen = Buffer::empty(area);
    let scene =
        draw::Scene { model, data, watch, theme: &theme, zone: &zone, title: &options.title };
    draw::draw(&scene, area, &mut screen);
    let text = export::text(&screen);
    // The keys are no use here.
    let lines: Vec<&str> = text.lines().collect();
    let lines = if options.classic {
        &lines[..]
    } else {
        lines.split_last().map_or(&[][..], |(_, all)| all)
    };
    let mut text = lines.join("\n").trim_end().to_owned();
    text.push('\n');
    text
}

/// How many rows the table has.
fn rows_of(options: &Options) -> u16 {
    u16::try_from(options.rows.unwrap_or(20)).unwrap_or(u16::MAX).min(200)
}
