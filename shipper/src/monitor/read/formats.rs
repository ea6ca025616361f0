//! With which formats the lines of a file are read: where another is set than it was begun with, that is
//! for what comes after, and whoever reads the file again, for an audit, gets the same documents.

use omphalos_parser::ParserKind;

use crate::monitor::position::entry::{Entry, Former};

/// So often another format may be set for one file: each is remembered.
pub const MOST_CHANGES: usize = 32;

/// The formats of the lines of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formats {
    /// Up to where lines have which format, in the order of the file.
    former: Vec<(u64, ParserKind)>,
    /// The format of those behind, where that is known.
    last: Option<ParserKind>,
}

/// What became of the format of a file when it was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as before, or nothing was read before.
    None,
    /// Lines were read with this one, and others will follow.
    From(ParserKind),
    /// It was changed so often that this one is kept.
    Refused(ParserKind),
}

impl Formats {
    /// What the checkpoint says.
    pub fn of(entry: &Entry) -> Self {
        let kind = |former: &Former| Some((former.end, ParserKind::from_name(&former.parser)?));
        Self {
            former: entry.formats.iter().filter_map(kind).collect(),
            last: entry.parser.as_deref().and_then(ParserKind::from_name),
        }
    }

    /// What the checkpoint is to say of lines that were read with another format than those behind.
    pub fn former(&self) -> Vec<Former> {
        let former =
            |(end, kind): &(u64, ParserKind)| Former { end: *end, parser: kind.name().to_owned() };
        self.former.iter().map(former).collect()
    }

    /// The format of what comes last, where that is known.
    pub fn last(&self) -> Option<ParserKind> {
        self.last
    }

    /// Whether not all lines have the same.
    pub fn have_changed(&self) -> bool {
        !self.former.is_empty()
    }

    /// The format of what stands at `offset`, and up to where; none where that is the last.
    pub fn at(&self, offset: u64) -> Option<(ParserKind, u64)> {
        self.former.iter().find(|(end, _)| *end > offset).map(|(end, kind)| (*kind, *end))
    }

    /// What comes after `offset`, up to where it is delivered, is to be read as `wanted`.
    pub fn change(&mut self, offset: u64, wanted: ParserKind) -> Change {
        let Some(last) = self.last.replace(wanted) else {
            // It goes on as it was read last.
            self.former.pop_if(|(_, former)| *former == wanted);
            return Change::None;
        };
        if last == wanted {
            return Change::None;
        }
        let begun = self.former.last().map_or(0, |(end, _)| *end);
        if offset <= begun {
            // Nothing was read with the last one.
            self.former.pop_if(|(_, former)| *former == wanted);
            return Change::None;
        }
        if self.former.len() >= MOST_CHANGES {
            self.last = Some(last);
            return Change::Refused(last);
        }
        self.former.push((offset, last));
        Change::From(last)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::monitor::position::identity::FileKey;

    fn kind() -> impl Strategy<Value = ParserKind> {
        prop_oneof![Just(ParserKind::Raw), Just(ParserKind::Json), Just(ParserKind::Combined)]
    }

    proptest! {
        /// The kind of fault: what a line was read with is forgotten when another format is set.
        /// Whatever is set whenever, each byte keeps the format that it was read with, over each save.
        #[test]
        fn each_line_keeps_the_format_that_it_was_read_with(
            starts in proptest::collection::vec((kind(), 0..3_u64), 1..60),
        ) {
            let key = FileKey { device: 1, inode: 2, born: None };
            let mut entry = Entry::blank(Path::new("/a.log"), key);
            let mut read: Vec<ParserKind> = Vec::new();
            for (wanted, bytes) in starts {
                let mut formats = Formats::of(&entry);
                let change = formats.change(entry.offset, wanted);
                let now = formats.last().unwrap();
                prop_assert_eq!(matches!(change, Change::Refused(_)), now != wanted);
                read.extend((0..bytes).map(|_| now));
                entry.offset += bytes;
                entry.formats = formats.former();
                entry.parser = Some(now.name().to_owned());
                prop_assert!(entry.formats.len() <= MOST_CHANGES);
                for (offset, expected) in read.iter().enumerate() {
                    let found = formats.at(offset as u64).map_or(formats.last().unwrap(), |(kind, _)| kind);
                    prop_assert_eq!(found, *expected, "{} of {:?}", offset, formats);
                }
            }
        }
    }

    #[test]
    fn a_format_with_which_nothing_was_read_leaves_no_trace() {
        let mut formats = Formats::default();
        formats.change(0, ParserKind::Json);
        assert_eq!(formats.change(10, ParserKind::Raw), Change::From(ParserKind::Json));
        assert_eq!(formats.change(10, ParserKind::Json), Change::None);
        assert_eq!(formats, Formats { former: Vec::new(), last: Some(ParserKind::Json) });
    }
}
