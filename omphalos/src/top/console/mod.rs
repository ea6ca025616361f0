//! The console of `omphalos top`.
//!
//! Three threads, and one channel between them: one reads keys, one asks the figures ([`asker`]), and
//! this one waits for either. A key changes the [`Model`], a pure thing; an answer is a [`Snapshot`];
//! [`draw`] makes a screen of both. So a slow source never holds up a key, and nothing is drawn unless
//! something changed.

mod asker;
mod data;
mod draw;
mod events;
mod export;
mod job;
mod key;
mod model;
mod plain;
mod sort;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
pub mod thresholds;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_live::{By, Dimension, Scope};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::figures::Figures;
use asker::Asker;
use data::{Snapshot, Wanted};
use draw::Scene;
use events::{Event, MOST_WAITING, Signals};
use export::Kind;
use model::{Effects, Form, Message, Mode, Model};
use sort::{Column, Sort};
use terminal::Screen;
pub use theme::{Background, Colours};
use theme::{Depth, Theme};
use thresholds::{Thresholds, Traffic, Watch};

/// A filter is used when nothing was typed for so long.
const TYPED: Duration = Duration::from_millis(400);
/// So long a frame waits for what a key asked for, so that the table does not vanish in between.
const AWAITED: Duration = Duration::from_millis(30);
/// So often it is looked whether the terminal is still there: nothing else tells where no signal comes.
const LOOK: Duration = Duration::from_secs(1);
/// Events that are taken before a frame is drawn.
const MOST_AT_ONCE: usize = 256;

/// How it is shown.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is watched, for the title.
    pub title: String,
    /// Whose keys are shown first.
    pub dimension: Dimension,
    /// In which order.
    pub sort: By,
    /// How many rows at most.
    pub rows: Option<usize>,
    /// How often it is asked anew.
    pub refresh: Duration,
    /// The filter that is used already, as it was typed; empty for none.
    pub filter: String,
    /// Whether it is the screen of the old console, with its keys.
    pub classic: bool,
    /// The format that all lines have, where it is known.
    pub format: Option<&'static str>,
    /// At or above these, traffic is marked.
    pub thresholds: Thresholds,
    /// In how many colours.
    pub colours: Colours,
    /// What is behind the text.
    pub background: Background,
}

/// Shows the figures until the person at the keyboard, a signal or the loss of the terminal ends it.
///
/// # Errors
/// When the terminal cannot be used, or is gone.
pub fn run(figures: Arc<dyn Figures>, options: Options) -> anyhow::Result<()> {
    if !terminal::is_capable() {
        return plain::run(&*figures, &options);
    }
    let (sender, events) = sync_channel(MOST_WAITING);
    let (_running, ended) = sync_channel(0);
    // Before the terminal is entered, so that whatever ends the process gives it back.
    let signals = Signals::new(true).context("the signals that end it cannot be caught")?;
    signals.watch(sender.clone(), ended).context("no thread can be started")?;
    let mut screen = Screen::enter().context("the terminal cannot be used")?;
    events::read_keys(sender.clone()).context("no thread can be started")?;
    let model = model_of(&options);
    let wanted = model.wanted();
    let asker = Asker::start(figures, wanted.clone(), options.refresh, sender)
        .context("no thread can be started")?;
    let (theme, is_light) = theme_of(&options);
    let mut console = Console {
        data: Snapshot::empty(wanted.clone(), model.window),
        watch: Watch::new(options.thresholds),
        zone: TimeZone::system(),
        title: options.title,
        use_at: None,
        is_dirty: true,
        is_stopped: false,
        draw_at: None,
        size: Rect::ZERO,
        asker,
        wanted,
        model,
        theme,
        is_light,
    };
    console.run(&mut screen, &events)
}

/// What is chosen at the start.
fn model_of(options: &Options) -> Model {
    let sort = Sort::new(Column::of(options.sort));
    let mut model = Model::new(options.dimension.clone(), sort, options.rows);
    options.filter.clone_into(&mut model.filter);
    model.form = if options.classic { Form::Classic } else { Form::Full };
    model.format = options.format;
    model.has_thresholds = options.thresholds.any_section();
    model
}

fn theme_of(options: &Options) -> (Theme, bool) {
    let variable = |name: &str| std::env::var(name).ok();
    let depth = Depth::of(options.colours, &variable);
    if depth != Depth::None {
        // Or else crossterm would leave out what was asked for, where NO_COLOR is set.
        ratatui::crossterm::style::force_color_output(true);
    }
    let is_light = theme::is_light(options.background, &variable);
    (Theme::new(depth, is_light, theme::is_unicode(&variable)), is_light)
}

/// Compares what was counted in the window with the thresholds.
fn watch_data(watch: &mut Watch, data: &Snapshot) {
    if data.wanted.scope == Scope::Window {
        let total = Traffic { hits: data.summary.hits, size: data.summary.bytes, is_least: false };
        watch.see(total, &data.sections, data.at);
    }
}

struct Console {
    model: Model,
    data: Snapshot,
    watch: Watch,
    theme: Theme,
    is_light: bool,
    zone: TimeZone,
    title: String,
    asker: Asker,
    /// What was ordered last.
    wanted: Wanted,
    /// When what is typed is used.
    use_at: Option<Instant>,
    is_dirty: bool,
    /// Whether the terminal is given back until the process is continued.
    is_stopped: bool,
    /// When to draw at the latest, where what was asked for is awaited.
    draw_at: Option<Instant>,
    size: Rect,
}

impl Console {
    fn run(&mut self, screen: &mut Screen, events: &Receiver<Event>) -> anyhow::Result<()> {
        loop {
            let is_due = self.is_dirty && !self.is_stopped;
            if is_due && self.draw_at.is_none_or(|at| at <= Instant::now()) {
                (self.is_dirty, self.draw_at) = (false, None);
                self.draw(screen).context("the terminal cannot be drawn on")?;
            }
            let mut next = match events.recv_timeout(self.patience()) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => bail!("the console has lost its keys"),
            };
            // All that has come until now, and then one frame.
            for _ in 0..MOST_AT_ONCE {
                let Some(event) = next else { break };
                if self.take(event, screen)? {
                    return Ok(());
                }
                next = events.try_recv().ok();
            }
            if self.use_at.is_some_and(|at| at <= Instant::now()) {
                self.use_at = None;
                let effects = self.model.use_typed();
                self.is_dirty = true;
                self.follow(effects, screen)?;
            }
            if !terminal::is_there() {
                bail!("the terminal is gone");
            }
        }
    }

    /// How long to wait for an event.
    fn patience(&self) -> Duration {
        let due = [self.use_at, self.draw_at].into_iter().flatten().min();
        due.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()).min(LOOK))
    }

    /// Takes an event; true at the end.
    fn take(&mut self, event: Event, screen: &mut Screen) -> anyhow::Result<bool> {
        match event {
            Event::End => return Ok(true),
            Event::Lost(why) => bail!("no keys can be read: {why}"),
            Event::Stop => self.stop()?,
            Event::Continued => {
                screen.enter_again().context("the terminal cannot be used again")?;
                (self.is_stopped, self.is_dirty) = (false, true);
            }
            Event::Resized => self.is_dirty = true,
            Event::Refused(why) => {
                self.model.message = Some(Message::Failed(why));
                self.is_dirty = true;
            }
            Event::Data(data) => {
                self.is_dirty |= !data.looks_like(&self.data);
                watch_data(&mut self.watch, &data);
                self.data = *data;
                self.model.see(&self.data);
                if !self.model.awaits(&self.data) {
                    self.draw_at = None;
                }
                self.order();
            }
            Event::Key(key) => {
                let awaited = self.model.awaits(&self.data);
                let effects = self.model.on(&key, &self.data);
                self.is_dirty = true;
                if effects.quit {
                    return Ok(true);
                }
                if !awaited && self.model.awaits(&self.data) {
                    self.draw_at = Some(Instant::now() + AWAITED);
                }
                self.follow(effects, screen)?;
            }
        }
        Ok(false)
    }

    /// Gives the terminal back and stops. What continues the process sends an event of its own, so that
    /// nothing is drawn before, however long it takes until it is stopped.
    fn stop(&mut self) -> anyhow::Result<()> {
        if self.can_stop() {
            terminal::leave();
            self.is_stopped = true;
            job::stop().context("the process cannot be stopped")?;
        }
        Ok(())
    }

    fn can_stop(&mut self) -> bool {
        let can_stop = job::can_be_continued();
        if !can_stop {
            let why = "not stopped: there is no shell that could continue it";
            self.model.message = Some(Message::Failed(why.to_owned()));
            self.is_dirty = true;
        }
        can_stop
    }

    /// Does what a key wants to be done.
    fn follow(&mut self, effects: Effects, screen: &mut Screen) -> anyhow::Result<()> {
        if effects.filter_soon {
            self.use_at = Some(Instant::now() + TYPED);
        }
        if let Some(text) = &effects.copy {
            screen.copy(text)?;
        }
        if let Some(kind) = effects.export {
            self.model.message = Some(self.export(kind));
        }
        if effects.redraw {
            screen.clear()?;
        }
        if effects.suspend && self.can_stop() {
            // It comes back as a signal, as if somebody else had sent it.
            job::ask_to_stop().context("the process cannot be stopped")?;
        }
        if effects.filter.is_some() || effects.window.is_some() || effects.redraw {
            self.asker.order(|orders| {
                orders.filter = effects.filter.or(orders.filter.take());
                orders.window = effects.window.or(orders.window.take());
            });
        }
        self.order();
        Ok(())
    }

    /// Orders what is wanted now, if that is something else than before.
    fn order(&mut self) {
        let wanted = self.model.wanted();
        if wanted.sort != self.wanted.sort {
            self.model.order(&mut self.data);
        }
        let is_paused = self.model.is_paused;
        if wanted != self.wanted {
            self.wanted = wanted.clone();
            self.asker.order(|orders| orders.wanted = wanted);
        }
        self.asker.pause(is_paused);
    }

    fn draw(&mut self, screen: &mut Screen) -> std::io::Result<()> {
        let (mut page, mut size) = (0, Rect::ZERO);
        screen.draw(|area, buffer| {
            size = area;
            page = draw::draw(&self.scene(&self.model), area, buffer);
        })?;
        self.size = size;
        self.model.selection.set_page(page, self.data.rows().len());
        // More rows may be on the screen now, whose trends are wanted.
        self.order();
        Ok(())
    }

    fn scene<'a>(&'a self, model: &'a Model) -> Scene<'a> {
        Scene {
            model,
            data: &self.data,
            watch: &self.watch,
            theme: &self.theme,
            zone: &self.zone,
            title: &self.title,
        }
    }

    /// Writes what is on the screen into a file.
    fn export(&self, kind: Kind) -> Message {
        let mut model = self.model.clone();
        model.mode = Mode::Browse;
        let content = match kind {
            Kind::Csv => export::csv(self.data.rows()),
            Kind::Json => export::json(&model, &self.data, &self.title),
            Kind::Text | Kind::Svg => {
                let mut screen = Buffer::empty(self.size);
                draw::draw(&self.scene(&model), self.size, &mut screen);
                match kind {
                    Kind::Svg => export::svg(&screen, self.is_light),
                    _ => export::text(&screen),
                }
            }
        };
        let now = Timestamp::now().to_zoned_datetime(self.zone.clone());
        let stamp = now.strftime("%Y%m%d-%H%M%S").to_string();
        match export::write(Path::new("."), &stamp, kind, &content) {
            Ok(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Message::Done(format!("written: {name}"))
            }
            Err(error) => Message::Failed(format!("nothing was written here: {error}")),
        }
    }
}
