//! What is told of each step, and whether it is done or only shown.

use std::io::Write;

use omphalos_common::clean::clean;
use omphalos_common::masked::masked;
use omphalos_common::printed::{Form, printed};

/// Whether something is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// It is done.
    Do,
    /// It is said what would be done.
    Show,
}

impl Intent {
    /// What was done, or would be.
    pub fn done(self, what: &str) -> String {
        match self {
            Self::Do => what.to_owned(),
            Self::Show => format!("would be {what}"),
        }
    }
}

/// Says what became of a thing of this kind and name, in a line.
///
/// # Errors
/// When nothing can be printed.
pub fn say(kind: &str, name: &str, said: &str) -> anyhow::Result<()> {
    let line = format!("{kind:<10} {name:<22} {said}");
    writeln!(printed(Form::Plain), "{}", clean(&masked(&line)))?;
    Ok(())
}
