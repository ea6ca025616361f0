//! Files that an import beside this process has read: their lines keep the documents and ids that the
//! import made, because lines that are read by another rule would be there twice. Its checkpoint says by
//! which rules it read them, and up to where; what comes after is read as it is set here.

use std::io;

use omphalos_common::clock::now_seconds;
use omphalos_parser::settings::LineRule;
use tracing::{debug, info, warn};

use crate::monitor::find::discover::Found;
use crate::monitor::know::again::delivered_formats;
use crate::monitor::know::matching;
use crate::monitor::know::positions::Positions;
use crate::monitor::position::entry::{Entry, Former};
use crate::monitor::position::identity::logical_path;
use crate::monitor::read::content::Content;
use crate::monitor::read::tail::Setup;
use omphalos_common::ids::IdMakers;

/// So many files that were imported by other rules are named in the log.
const NAMED: usize = 10;

/// What imports remember of files that are new here.
#[derive(Debug, Default)]
pub struct Imported {
    entries: Positions,
    named: usize,
}

impl Imported {
    /// That of their checkpoints.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries: Positions::new(entries), named: 0 }
    }

    /// The entry with which a file that is new here is read from its beginning, if it was imported.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(
        &self,
        found: &Found,
        content: &mut Content,
        ids: &IdMakers,
    ) -> io::Result<Option<Entry>> {
        let candidates = self.entries.candidates(found.key, &logical_path(&found.path));
        let entries = candidates.iter().map(|(_, entry)| *entry);
        let entries = entries.filter(|entry| entry.prefix.length > 0 && entry.offset > 0);
        let Some(entry) = matching::find_same(content, found.key, entries)? else {
            return Ok(None);
        };
        let Some(scheme) = entry.ids().filter(|scheme| ids.of(*scheme).is_some()) else {
            let path = found.path.display();
            warn!(%path, "it was imported with ids of a key that is not known; lines of before are there twice");
            return Ok(None);
        };
        let again = Entry::unread(&found.path, found.key, scheme, now_seconds());
        let (formats, splits) = (delivered_formats(entry), entry.splits.clone());
        Ok(Some(Entry { formats, splits, source: entry.source, ..again }))
    }

    /// Says once where lines of a file that is begun are read by another rule than the one that is set.
    pub fn tell(&mut self, found: &Found, entry: &Entry, setup: &Setup) {
        let first = entry.first_rule();
        let Some(wanted) = setup.format.rule().cloned().or(first.map(|rule| setup.rule_now(rule)))
        else {
            return;
        };
        let rules: Vec<LineRule> = entry.formats.iter().filter_map(Former::rule).collect();
        let Some(end) = entry.formats.last().map(|former| former.end) else { return };
        if rules.iter().all(|rule| rule.agrees(&wanted)) {
            return;
        }
        let shown: Vec<_> = rules.iter().map(ToString::to_string).collect();
        let said = format!(
            "{}: it was imported up to byte {end} with {}; up to there it is read with that, or its lines would be there twice; what comes after is read with {wanted}",
            found.path.display(),
            shown.join(", then ")
        );
        self.named += 1;
        if self.named <= NAMED { info!("{said}") } else { debug!("{said}") }
    }
}
