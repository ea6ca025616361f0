//! Keys, as far as the console knows any.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key, or a text that was pasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// A text, pasted at once: never a command.
    Paste(String),
    /// The arrow.
    Up,
    /// The arrow.
    Down,
    /// The arrow.
    Left,
    /// The arrow.
    Right,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first.
    Home,
    /// To the last.
    End,
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Tabulator.
    Tab,
    /// Tabulator, backwards.
    BackTab,
    /// Deletes what is before the cursor.
    Backspace,
    /// Deletes what is under the cursor.
    Delete,
    /// Ctrl-U: deletes all that is before the cursor.
    EraseAll,
    /// Ctrl-W: deletes the word before the cursor.
    EraseWord,
    /// Ctrl-L: draws everything anew.
    Redraw,
    /// Ctrl-Z: stops the process, as shells do.
    Suspend,
    /// Ctrl-C.
    Interrupt,
}

impl Key {
    /// What was pressed, if it is known here.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let is_control = event.modifiers.contains(KeyModifiers::CONTROL);
        Some(match event.code {
            KeyCode::Char(letter) if is_control => match letter.to_ascii_lowercase() {
                'c' | 'd' => Self::Interrupt,
                'l' => Self::Redraw,
                'z' => Self::Suspend,
                'u' => Self::EraseAll,
                'w' => Self::EraseWord,
                'a' => Self::Home,
                'e' => Self::End,
                'h' => Self::Backspace,
                'n' => Self::Down,
                'p' => Self::Up,
                'f' => Self::PageDown,
                'b' => Self::PageUp,
                _ => return None,
            },
            KeyCode::Char(_) if event.modifiers.contains(KeyModifiers::ALT) => return None,
            KeyCode::Char(letter) => Self::Char(letter),
            KeyCode::Up => Self::Up,
            KeyCode::Down => Self::Down,
            KeyCode::Left => Self::Left,
            KeyCode::Right => Self::Right,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Escape,
            KeyCode::Tab => Self::Tab,
            KeyCode::BackTab => Self::BackTab,
            KeyCode::Backspace => Self::Backspace,
            KeyCode::Delete => Self::Delete,
            _ => return None,
        })
    }
}
