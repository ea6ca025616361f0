//! What is known of a file that cannot be read to its end.

use std::fs::Metadata;
use std::time::Duration;

use super::Tail;
use crate::monitor::read::content::Outlook;

/// An archive that ends in the middle and was not written to for so long will not be completed.
const GIVEN_UP: Duration = Duration::from_mins(1);

impl Tail {
    /// Why it cannot be read to its end, or could not be so far, and how much was read.
    pub fn damage(&self) -> Option<String> {
        let why = match &self.outlook {
            Outlook::Damaged(why) if self.is_archive() => format!("the archive is damaged: {why}"),
            Outlook::Damaged(why) => why.clone(),
            Outlook::Refused(why) => return Some(format!("nothing of it is read: {why}")),
            Outlook::Cut => "the archive ends in the middle".to_owned(),
            Outlook::Open | Outlook::Complete => return None,
        };
        let (lines, bytes) = (self.lines, self.known_size);
        let is_doubtful = bytes > 0 && self.is_archive();
        let doubt = if is_doubtful { ", of which the last may be wrong" } else { "" };
        Some(format!(
            "{why}; {lines} lines were read of its {bytes} bytes of text before that{doubt}"
        ))
    }

    /// The same, if it is not to be waited for: said once.
    pub fn take_damage(&mut self) -> Option<String> {
        let is_for_good = self.is_damaged() || self.is_given_up();
        if !is_for_good || std::mem::replace(&mut self.told.damage, true) {
            return None;
        }
        self.damage()
    }

    /// Whether nobody goes on writing an archive that ends in the middle.
    fn is_given_up(&self) -> bool {
        let age = |found: Metadata| found.modified().ok()?.elapsed().ok();
        self.is_cut() && self.metadata().ok().and_then(age).is_some_and(|age| age > GIVEN_UP)
    }
}
