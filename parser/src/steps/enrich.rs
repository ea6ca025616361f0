//! Steps that add what a text of the document stands for, looked up elsewhere: the browser and the system
//! that a user agent tells of ([`agents`]), the place and the network of an address ([`places`]).
//!
//! What was found is remembered ([`cache`]), ready to be written. Where the document of a request is as the
//! parser wrote it, that is put into its object in the text; any other document is taken apart, as for
//! other steps. What a line says itself stands: of name and version, of a system, a device, a place and
//! a network nothing is added where the document has something of it.

mod agents;
mod cache;
mod database;
mod places;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use agents::{Agents, rules};
pub use database::{Database, not_reread};

use super::view::{Blocked, Node, View, json_of};
use crate::document::Marks;
use cache::Cache;

/// The field of the user agent, and the object that is filled by it.
pub const AGENT: (&str, &str) = ("user_agent.original", "user_agent");
/// The same of the address.
pub const ADDRESS: (&str, &str) = ("source.ip", "source");

/// One look into a file's state for so many texts, so that most cost nothing.
const USES_PER_LOOK: u32 = 64;

/// Such a step.
pub struct Enrich {
    field: Box<str>,
    /// What it adds to.
    object: Box<str>,
    finder: Finder,
    memory: Mutex<Memory>,
}

/// Where it looks.
pub enum Finder {
    /// In the rules of user agents.
    Agents(&'static Agents),
    /// In databases of addresses.
    Places(Vec<Arc<Database>>),
}

/// What was found, and by which edition of the databases.
struct Memory {
    cache: Cache,
    uses: u32,
    edition: u64,
}

impl fmt::Debug for Enrich {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, object, .. } = self;
        formatter.debug_struct("Enrich").field("field", field).field("object", object).finish()
    }
}

impl Enrich {
    /// A step that looks up what is in `field`, and adds to `object`.
    pub fn new(field: Box<str>, object: Box<str>, finder: Finder) -> Self {
        let memory = Memory { cache: Cache::default(), uses: 0, edition: finder.edition() };
        Self { field, object, finder, memory: Mutex::new(memory) }
    }

    /// Adds to the document in `out` in which `marks` say where things are; whether they do.
    pub fn insert(&self, out: &mut Vec<u8>, marks: &mut Marks) -> bool {
        let [mark, others] = match (&*self.field, &*self.object) {
            AGENT => [&mut marks.agent, &mut marks.source],
            ADDRESS => [&mut marks.source, &mut marks.agent],
            _ => return false,
        };
        // Once more would be twice.
        let Some(mark) = mark.take() else { return false };
        let end = mark.end;
        let added = self.add_at(out, mark.text(), end);
        if let Some(other) = others
            && other.end > end
        {
            other.move_by(added);
        }
        true
    }

    /// The same for any document.
    ///
    /// # Errors
    /// Where a value stands in place of an object.
    pub fn add(&self, view: &mut View<'_>) -> Result<(), Blocked> {
        let Some(text) = view.text(&self.field) else { return Ok(()) };
        let mut buffer = json_of(&text).into_bytes();
        let end = buffer.len();
        self.add_at(&mut buffer, 0..end, end);
        let found = buffer.get(end..).and_then(|found| found.strip_prefix(b","));
        let Some(found) = found.and_then(|found| std::str::from_utf8(found).ok()) else {
            return Ok(());
        };
        let found = format!("{{{found}}}");
        let Some(members) = super::view::members_of(&found) else { return Ok(()) };
        let path = |name: &str| format!("{}.{name}", self.object);
        let mut has = |name: &str| view.get(&path(name)).is_some();
        let is_named = has("name") || has("version");
        let mut done = Ok(());
        for (name, node) in members {
            let path = path(&name);
            let is_told = match &*name {
                "name" | "version" => is_named,
                _ => view.get(&path).is_some(),
            };
            if !is_told {
                let node = Node::New(node.json().into_owned());
                done = view.set(&path, node).map(drop).and(done);
            }
        }
        done
    }

    /// Puts what is found for the JSON text at `text` into `out` at `at`, which is behind it, as members of
    /// an object with a comma before each; how long that is.
    fn add_at(&self, out: &mut Vec<u8>, text: Range<usize>, at: usize) -> usize {
        let mut memory = self.memory();
        self.finder.stay_current(&mut memory);
        let wanted = out.get(text).unwrap_or_default();
        if let Some(found) = memory.cache.get(wanted) {
            return insert_at(out, at, found);
        }
        let edition = memory.edition;
        // What takes long holds up nobody.
        drop(memory);
        let found = self.finder.find(wanted);
        let mut memory = self.memory();
        if memory.edition == edition {
            memory.cache.put(wanted, &found);
        }
        drop(memory);
        insert_at(out, at, &found)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finder {
    /// What is said of the JSON text `quoted`, as members of an object with a comma before each.
    fn find(&self, quoted: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(quoted).ok().and_then(super::view::text_of);
        let mut found = Vec::new();
        match (self, text) {
            (_, None) => {}
            (Self::Agents(agents), Some(agent)) => agents.describe(&agent, &mut found),
            (Self::Places(databases), Some(address)) => {
                places::describe(databases, &address, &mut found);
            }
        }
        found
    }

    /// A number that grows whenever what is found may be another.
    fn edition(&self) -> u64 {
        match self {
            Self::Agents(_) => 0,
            Self::Places(databases) => databases.iter().map(|database| database.edition()).sum(),
        }
    }

    /// Now and then looks whether databases are others, and forgets what was found in the former.
    fn stay_current(&self, memory: &mut Memory) {
        if matches!(self, Self::Agents(_)) {
            return;
        }
        memory.uses = memory.uses.wrapping_add(1);
        if memory.uses.is_multiple_of(USES_PER_LOOK) {
            let edition = self.edition();
            if edition != memory.edition {
                memory.edition = edition;
                memory.cache.clear();
            }
        }
    }
}

/// Puts `found` into `out` at `at`; how long it is.
fn insert_at(out: &mut Vec<u8>, at: usize, found: &[u8]) -> usize {
    let (length, added) = (out.len(), found.len());
    if added > 0 && at <= length {
        out.extend_from_slice(found);
        if at < length {
            out.copy_within(at..length, at + added);
            if let Some(place) = out.get_mut(at..at + added) {
                place.copy_from_slice(found);
            }
        }
    }
    added
}
