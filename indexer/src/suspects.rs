//! Messages that the process may have died of. One that needs more memory than there is, say, comes again
//! from the broker after each death, and would be the next one for ever.
//!
//! A message that comes again is noted in the state directory before it is read, and crossed out
//! afterwards; what is read the first time costs nothing. What is noted at a start is what the process
//! read when it died, and the second time is enough: then the message is a dead letter, and can be
//! replayed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use omphalos_common::telemetry::{Due, Repeats};
use omphalos_common::whole_file::read_own_text;
use tracing::warn;

/// The name of the file in the state directory: a line for each message, with its print and how often
/// the process died while it read it.
const NAME: &str = "died-of.txt";

/// A message of which the process died so often is not read again.
const MOST_DEATHS: u32 = 2;

/// So many are remembered: the last ones.
const MOST_NOTED: usize = 100;

/// What a message is known by.
pub type Print = u64;

/// The print of a message with this body.
pub fn print_of(body: &[u8]) -> Print {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

/// The messages that the process may have died of.
#[derive(Debug)]
pub struct Suspects {
    path: PathBuf,
    /// Those that were being read when the process died, and how often.
    noted: VecDeque<(Print, u32)>,
    failing: Repeats,
}

impl Suspects {
    /// Those that are noted in this state directory.
    pub fn noted_in(state_dir: &Path) -> Self {
        let path = state_dir.join(NAME);
        let text = read_own_text(&path).unwrap_or_default();
        let read = |line: &str| {
            let (print, deaths) = line.split_once(' ')?;
            Some((Print::from_str_radix(print, 16).ok()?, deaths.parse().ok()?))
        };
        let noted = text.lines().filter_map(read).take(MOST_NOTED).collect();
        Self { path, noted, failing: Repeats::new() }
    }

    /// Notes that a message that has come again is about to be read.
    ///
    /// # Errors
    /// How often the process died of it, where that was often enough; then it is not to be read.
    pub fn begin(&mut self, print: Print) -> Result<(), u32> {
        let deaths = self.take(print);
        if deaths >= MOST_DEATHS {
            self.save();
            return Err(deaths);
        }
        // If the process dies now, that is once more.
        self.noted.push_back((print, deaths + 1));
        self.save();
        Ok(())
    }

    /// Notes that it was read.
    pub fn survived(&mut self, print: Print) {
        self.take(print);
        self.save();
    }

    fn take(&mut self, print: Print) -> u32 {
        let place = self.noted.iter().position(|(noted, _)| *noted == print);
        place.and_then(|place| self.noted.remove(place)).map_or(0, |(_, deaths)| deaths)
    }

    fn save(&mut self) {
        while self.noted.len() > MOST_NOTED {
            self.noted.pop_front();
        }
        match self.write() {
            Ok(()) => drop(self.failing.over()),
            Err(error) => {
                if let Some(Due { repeats }) = self.failing.due() {
                    warn!(
                        repeats,
                        "cannot note in {} which message is being read: {error}; if the process dies of it, it comes again for ever: let this user write there",
                        self.path.display()
                    );
                }
            }
        }
    }

    fn write(&self) -> io::Result<()> {
        if self.noted.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut text = String::new();
        for (print, deaths) in &self.noted {
            // Writing to a string does not fail.
            writeln!(text, "{print:016x} {deaths}").ok();
        }
        // The process may die, and not the machine: nothing waits for a disk.
        fs::write(&self.path, &text).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
            fs::write(&self.path, &text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(directory: &Path) -> String {
        fs::read_to_string(directory.join(NAME)).unwrap_or_default()
    }

    #[test]
    fn a_message_that_was_being_read_at_two_deaths_is_not_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("state");
        let (good, deadly) = (print_of(b"good"), print_of(b"deadly"));
        for _ in 0..MOST_DEATHS {
            let mut suspects = Suspects::noted_in(&directory);
            assert_eq!(suspects.begin(good), Ok(()));
            suspects.survived(good);
            assert_eq!(suspects.begin(deadly), Ok(()), "and here the process dies");
        }
        let mut suspects = Suspects::noted_in(&directory);
        assert_eq!(suspects.begin(good), Ok(()));
        suspects.survived(good);
        assert_eq!(suspects.begin(deadly), Err(MOST_DEATHS));
        assert_eq!(noted(&directory), "");
        assert_eq!(suspects.begin(deadly), Ok(()), "somebody has replayed it");
    }

    #[test]
    fn several_are_told_apart_and_few_are_remembered() {
        let directory = tempfile::tempdir().unwrap();
        for print in 0..500 {
            assert_eq!(Suspects::noted_in(directory.path()).begin(print), Ok(()));
        }
        assert_eq!(noted(directory.path()).lines().count(), MOST_NOTED);
        for print in 400..500 {
            assert_eq!(Suspects::noted_in(directory.path()).begin(print), Ok(()), "{print}");
        }
        let mut suspects = Suspects::noted_in(directory.path());
        for print in 401..500 {
            assert_eq!(suspects.begin(print), Err(2), "{print}");
        }
        fs::write(directory.path().join(NAME), "garbage\n\u{e9} 7\n1 x\n").unwrap();
        assert_eq!(Suspects::noted_in(directory.path()).begin(1), Ok(()));
    }
}
