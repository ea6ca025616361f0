//! The terminal: entered, drawn on, and given back as it was, once, whatever ends the program.
//!
//! All bytes of a frame are gathered and written at once, between the marks of a synchronised update
//! (DEC 2026), so that nobody sees half of it. The mouse is left alone: its marks belong to the person.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use omphalos_common::program::is_caught;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::layout::Rect;

/// The other screen, without a cursor; what is pasted comes as a text.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J";
/// The end of an update that was cut short, and all of the above undone.
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";
const BEGIN_UPDATE: &[u8] = b"\x1b[?2026h";
const END_UPDATE: &[u8] = b"\x1b[?2026l";
/// Longer texts are not copied, in bytes: terminals refuse them.
const MOST_COPIED: usize = 50_000;

/// Whether the terminal has to be given back.
static IS_ENTERED: AtomicBool = AtomicBool::new(false);
/// The terminal without a lock: what panics while another thread draws must not wait for it.
static OUTPUT: OnceLock<File> = OnceLock::new();

/// Whether there is a terminal that can be drawn on.
pub fn is_capable() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    io::stdout().is_terminal() && !term.is_empty() && term != "dumb"
}

/// Whether the terminal that was entered is still there.
pub fn is_there() -> bool {
    OUTPUT.get().is_some_and(File::is_terminal)
}

/// The terminal while it is drawn on.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Gathered>>,
    gathered: Gathered,
}

/// What is to be written.
#[derive(Debug, Clone, Default)]
struct Gathered(Rc<RefCell<Vec<u8>>>);

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Nothing: a frame is written when all of it is there.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    /// Enters the terminal.
    ///
    /// # Errors
    /// When it cannot be entered; it is as it was then.
    pub fn enter() -> io::Result<Self> {
        let output = output()?;
        leave_when_panicking();
        IS_ENTERED.store(true, Ordering::SeqCst);
        let entered = enable_raw_mode().and_then(|()| write(output, ENTER.as_bytes()));
        let gathered = Gathered::default();
        let terminal =
            entered.and_then(|()| Terminal::new(CrosstermBackend::new(gathered.clone())));
        match terminal {
            Ok(terminal) => Ok(Self { terminal, gathered }),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }

    /// Enters it again: it was given back for a stop, or whoever stopped the process made of it what
    /// they wanted.
    ///
    /// # Errors
    /// When it cannot be entered.
    pub fn enter_again(&mut self) -> io::Result<()> {
        // Or else it would be thought to be raw already.
        disable_raw_mode().ok();
        IS_ENTERED.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        write(output()?, ENTER.as_bytes())?;
        self.clear()
    }

    /// Draws a frame of the size that the terminal has now.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, paint: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        self.terminal.autoresize()?;
        let mut frame = self.terminal.get_frame();
        paint(frame.area(), frame.buffer_mut());
        self.terminal.flush()?;
        self.terminal.swap_buffers();
        self.present()
    }

    /// Has all cells drawn anew, for what else wrote on the terminal.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not `Terminal::clear`: it asks the terminal where the cursor is, and waits for the answer.
        let area = self.terminal.get_frame().area();
        self.terminal.resize(area)
    }

    /// Puts a text on the clipboard of whoever sits before the terminal (OSC 52).
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let end = (0..=MOST_COPIED.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
        write!(self.gathered, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        self.present()
    }

    fn present(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut *self.gathered.0.borrow_mut());
        if bytes.is_empty() {
            return Ok(());
        }
        write(output()?, &[BEGIN_UPDATE, &bytes, END_UPDATE].concat())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back as it was, unless that was done already.
pub fn leave() {
    if IS_ENTERED.swap(false, Ordering::SeqCst) {
        // Nothing can be done about a terminal that is gone.
        disable_raw_mode().ok();
        if let Ok(output) = output() {
            write(output, LEAVE.as_bytes()).ok();
        }
    }
}

/// Gives back what can be given back without writing: the terminal takes nothing any more.
pub fn abandon() {
    if IS_ENTERED.swap(false, Ordering::SeqCst) {
        disable_raw_mode().ok();
    }
}

/// What a panic says is to be read, and a panic may end the process before anything is dropped.
fn leave_when_panicking() {
    static HAS_HOOK: AtomicBool = AtomicBool::new(false);
    if !HAS_HOOK.swap(true, Ordering::SeqCst) {
        let say = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if !is_caught() {
                leave();
            }
            say(what);
        }));
    }
}

fn output() -> io::Result<&'static File> {
    if let Some(output) = OUTPUT.get() {
        return Ok(output);
    }
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(OUTPUT.get_or_init(|| output))
}

fn write(mut output: &File, bytes: &[u8]) -> io::Result<()> {
    output.write_all(bytes)
}
