//! What is not there: files that are named and cannot be read, and lines that were counted once and are
//! in no file of that name any more.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use omphalos_common::telemetry::Health;
use omphalos_shipper::monitor::{Watched, scan};

use crate::top::figures::{Reading, SourceState};

/// How often it is looked for what is not there.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between a rotation and the next line there may be no file for a moment.
const GONE_AFTER: Duration = Duration::from_secs(5);

/// Fields that a line gets with its document, and none is made of the lines of files here.
const OF_DOCUMENTS: [&str; 6] =
    ["_id", "_index", "ecs.version", "event.original", "host.id", "log.offset"];

/// Refuses fields that no line of a file can have a value of here.
///
/// # Errors
/// Which field that is, for people.
pub fn check_fields(fields: &[&str]) -> Result<(), String> {
    match fields.iter().find(|field| OF_DOCUMENTS.contains(field)) {
        Some(field) => Err(format!(
            "{field} is a field of documents, and files are counted without making any: ask for it where they are stored (--since)"
        )),
        None => Ok(()),
    }
}

/// Looks for what is named, and says why nothing comes of it.
pub struct Lookout {
    watched: Vec<Watched>,
    health: Health,
    seen: Mutex<Option<(Instant, Vec<Lack>)>>,
}

/// Something that is named and cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lack {
    name: String,
    reason: String,
}

impl Lack {
    fn new(name: &Path, reason: impl Into<String>) -> Self {
        Self { name: name.display().to_string(), reason: reason.into() }
    }
}

impl Lookout {
    /// Of these tables; the monitor says to `health` what it cannot read.
    pub fn new(watched: Vec<Watched>, health: Health) -> Self {
        Self { watched, health, seen: Mutex::default() }
    }

    /// Adds what cannot be read to the states of the files that are, or were.
    pub fn judge(&self, states: &mut Vec<SourceState>) {
        for lack in self.lacks() {
            let known = states.iter_mut().find(|state| state.name == lack.name);
            match known {
                Some(state) if state.silent_for < GONE_AFTER => {}
                Some(state) => state.state = Reading::Failed(lack.reason),
                None => states.push(failed(lack)),
            }
        }
        for state in states {
            let path = Path::new(&state.name);
            let is_named = path.is_absolute() && state.silent_for >= GONE_AFTER;
            if is_named
                && !matches!(state.state, Reading::Failed(_) | Reading::Ended)
                && is_gone(path)
            {
                state.state = Reading::Failed("the file is gone".to_owned());
            }
        }
    }

    fn lacks(&self) -> Vec<Lack> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, lacks)) = &*seen
            && at.elapsed() < LOOK_EVERY
        {
            return lacks.clone();
        }
        let lacks = self.look();
        *seen = Some((Instant::now(), lacks.clone()));
        lacks
    }

    fn look(&self) -> Vec<Lack> {
        let found = scan(&self.watched);
        let missing = found.missing.iter().map(|path| Lack::new(path, "the file is not there"));
        let irregular = found
            .irregular
            .iter()
            .map(|(path, kind)| Lack::new(path, format!("it is {kind}, not a regular file")));
        let excluded =
            found.excluded.iter().map(|path| Lack::new(path, "it is named, but left out"));
        let unreadable =
            found.unreadable.iter().map(|(path, error)| Lack::new(path, error.to_string()));
        let empty =
            found.empty.iter().map(|pattern| Lack::new(Path::new(pattern), "no file matches"));
        let mut lacks: Vec<Lack> = missing.chain(irregular).chain(excluded).collect();
        lacks.extend(unreadable.chain(empty));
        if lacks.is_empty() {
            let problems = self.health.problems().into_iter();
            lacks.extend(problems.map(|reason| Lack { name: "files".to_owned(), reason }));
        }
        lacks
    }
}

fn is_gone(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// What to say where an archive ends in the middle, or is damaged there.
pub fn damaged(is_damaged: bool) -> Option<SourceState> {
    let reason = "damaged or cut off, at least one: the rest of it is not counted".to_owned();
    is_damaged.then(|| failed(Lack { name: "archives".to_owned(), reason }))
}

/// What is known of a source that cannot be read.
fn failed(lack: Lack) -> SourceState {
    SourceState::new(lack.name, Reading::Failed(lack.reason))
}

/// Lines that were counted before all files were read once more, and were not found again: their files
/// were renamed or deleted meanwhile.
#[derive(Debug, Default)]
pub struct Absent(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    /// Lines of each file before, until all is read once more.
    before: Vec<(String, u64)>,
    lines: u64,
}

impl Absent {
    /// Remembers how many lines each file had: all are about to be read once more.
    pub fn note(&self, lines: &[(String, u64)]) {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who asks twice before all was read goes on from what was known first.
        if account.before.is_empty() {
            account.before = lines.to_vec();
        }
    }

    /// How many lines are absent, as far as that is known; `None` for none. `is_read` says that all of
    /// the files that were found is read once more.
    pub fn lines(&self, now: &[(String, u64)], is_read: bool) -> Option<u64> {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |name: &str| now.iter().find(|(own, _)| own == name).map(|(_, lines)| *lines);
        let is_empty = |name: &str| std::fs::metadata(name).map_or(true, |file| file.len() == 0);
        let is_known = |(name, _): &(String, u64)| find(name).is_some() || is_empty(name);
        if is_read && account.before.iter().all(is_known) {
            for (name, lines) in std::mem::take(&mut account.before) {
                let left = lines.saturating_sub(find(&name).unwrap_or(0));
                account.lines = account.lines.saturating_add(left);
            }
        }
        (account.lines > 0).then_some(account.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_files_that_went_are_known_as_soon_as_all_is_read_once_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        std::fs::write(&path, "x\n").unwrap();
        let name = path.display().to_string();
        let absent = Absent::default();
        let gone = directory.path().join("gone").display().to_string();
        absent.note(&[(name.clone(), 10), (gone, 5)]);
        assert_eq!(absent.lines(&[], true), None, "nothing is read yet");
        assert_eq!(absent.lines(&[(name.clone(), 1)], false), None, "not all is read yet");
        assert_eq!(absent.lines(&[(name.clone(), 4)], true), Some(11));
        assert_eq!(absent.lines(&[(name.clone(), 400)], true), Some(11), "new lines replace none");
        absent.note(&[(name.clone(), 400)]);
        assert_eq!(absent.lines(&[(name, 401)], true), Some(11));
    }

    #[test]
    fn fields_of_documents_are_refused_by_name() {
        assert_eq!(check_fields(&["url.path", "source.ip"]), Ok(()));
        for field in OF_DOCUMENTS {
            let refused = check_fields(&["url.path", field]).unwrap_err();
            assert!(refused.starts_with(field), "{refused}");
        }
    }

    #[test]
    fn what_is_named_and_cannot_be_read_is_said_with_its_reason() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("there.log");
        std::fs::write(&there, "x\n").unwrap();
        let name = |name: &str| directory.path().join(name).display().to_string();
        let names = [name("there.log"), name("missing.log"), name("*.none")];
        let lookout = Lookout::new(vec![Watched::new(&names, &[]).unwrap()], Health::default());
        let lack =
            |name: &str, reason: &str| Lack { name: name.to_owned(), reason: reason.to_owned() };
        let silent = |at: &str, seconds| SourceState {
            state: Reading::Following,
            silent_for: Duration::from_secs(seconds),
            ..failed(lack(at, ""))
        };
        let mut states = vec![
            silent(&names[0], 60),
            silent(&name("deleted.log"), 60),
            silent(&name("rotated.log"), 0),
        ];
        lookout.judge(&mut states);
        let found: Vec<_> =
            states.iter().map(|state| (state.name.clone(), state.state.clone())).collect();
        let failed = |reason: &str| Reading::Failed(reason.to_owned());
        assert_eq!(
            found,
            [
                (names[0].clone(), Reading::Following),
                (name("deleted.log"), failed("the file is gone")),
                (name("rotated.log"), Reading::Following),
                (names[1].clone(), failed("the file is not there")),
                (names[2].clone(), failed("no file matches")),
            ]
        );
    }
}
