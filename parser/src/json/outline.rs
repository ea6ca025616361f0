//! Which names the members of a line have. Most lines of a log have those of a line before, in the same order: what
//! follows from a name alone is found out once, and then a line's names are only compared.

use super::names::begins_well;
use super::{Member, exchange, is_in_template, profile};
use omphalos_common::time::TimeMembers;

/// So many outlines are kept: a log may have lines of several kinds. There is one of these for each file.
const MOST: usize = 4;
/// Lines with more members, or longer names together, have none.
pub const MOST_MEMBERS: usize = 64;
const MOST_BYTES: usize = 2048;

/// What may follow from a name. Where it is not known, everything may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint(u8);

impl Hint {
    /// It may hold the time.
    pub const TIME: Self = Self(1);
    /// It may tell a server whose requests are read.
    pub const SERVER: Self = Self(2);
    /// It may be one that loggers have.
    pub const LOGGER: Self = Self(4);
    /// It may have no place where it stands, or not as it is written.
    pub const PLACE: Self = Self(8);
    /// All of these.
    pub const ANY: Self = Self(15);
    const NONE: Self = Self(0);

    fn of(name: &str) -> Self {
        let mut hint = Self::NONE;
        for (may_be, one) in [
            (TimeMembers::is_one(name), Self::TIME),
            (exchange::is_of_server(name), Self::SERVER),
            (profile::is_of_logger(name), Self::LOGGER),
            (!is_free(name), Self::PLACE),
        ] {
            hint = if may_be { hint.with(one) } else { hint };
        }
        hint
    }

    /// Both.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it may be one of those of `other`.
    pub fn may_be(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Whether a member of this name stands where it is, whatever the document has of itself, and is written as it is.
fn is_free(name: &str) -> bool {
    let is_plain = |byte: u8| !matches!(byte, b'.' | b'"' | b'\\' | 0..=b' ' | 0x7f..);
    begins_well(name)
        && !name.starts_with('_')
        && name.bytes().all(is_plain)
        && !is_in_template(name)
        && name != "data_stream"
}

/// The names of a line.
#[derive(Debug, Default)]
struct Outline {
    /// All names.
    text: String,
    /// Where each ends in it, and what follows from it.
    names: Vec<(usize, Hint)>,
    /// Of all names.
    all: Option<Hint>,
}

impl Outline {
    fn note(&mut self, members: &[Member<'_>]) {
        self.text.clear();
        self.names.clear();
        let mut all = Hint::NONE;
        for member in members {
            let hint = Hint::of(&member.name);
            all = all.with(hint);
            self.text.push_str(&member.name);
            self.names.push((self.text.len(), hint));
        }
        self.all = Some(all);
    }

    /// Gives hints to members that have these names.
    fn apply(&self, members: &mut [Member<'_>]) -> Option<Hint> {
        if self.names.len() != members.len() {
            return None;
        }
        let mut start = 0;
        for (member, (end, hint)) in members.iter_mut().zip(&self.names) {
            if self.text.get(start..*end)? != member.name {
                return None;
            }
            member.hint = *hint;
            start = *end;
        }
        self.all
    }
}

/// Those of the last lines that had others than the line before.
#[derive(Debug, Default)]
pub struct Outlines {
    kept: [Outline; MOST],
    /// The one of the last line.
    last: usize,
    /// The one that is forgotten next.
    oldest: usize,
}

impl Outlines {
    /// Gives hints to the members of a line, if they have the names of one before; that of all together.
    pub fn find(&mut self, members: &mut [Member<'_>]) -> Option<Hint> {
        let last = self.kept.get(self.last).and_then(|outline| outline.apply(members));
        if last.is_some() {
            return last;
        }
        let mut kept = self.kept.iter().enumerate();
        let (at, all) =
            kept.find_map(|(at, outline)| outline.apply(members).map(|all| (at, all)))?;
        self.last = at;
        Some(all)
    }

    /// The same, of members whose names nobody had before, and of which none is there twice.
    pub fn note(&mut self, members: &mut [Member<'_>]) -> Hint {
        let bytes: usize = members.iter().map(|member| member.name.len()).sum();
        if members.len() > MOST_MEMBERS || bytes > MOST_BYTES {
            for member in members {
                member.hint = Hint::ANY;
            }
            return Hint::ANY;
        }
        self.last = self.oldest;
        self.oldest = (self.oldest + 1) % MOST;
        let Some(outline) = self.kept.get_mut(self.last) else { return Hint::ANY };
        outline.note(members);
        outline.apply(members).unwrap_or(Hint::ANY)
    }
}
