//! By which rules the lines of a file are read, of format and times: where another is set than it was
//! begun with, that is for what comes after, and whoever reads the file again, for an audit, gets the same documents.

use omphalos_parser::settings::LineRule;

use crate::monitor::position::entry::{Entry, Former};

/// So often another format may be set for one file: each is remembered.
pub const MOST_CHANGES: usize = 32;

/// The rules of the lines of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formats {
    /// Up to where lines have which format, in the order of the file.
    former: Vec<(u64, LineRule)>,
    /// The format of those behind, where that is known.
    last: Option<LineRule>,
}

/// What became of the format of a file when it was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as before, or nothing was read before.
    None,
    /// Lines were read with this one, and others will follow.
    From(LineRule),
    /// It was changed so often that this one is kept.
    Refused(LineRule),
}

impl Formats {
    /// What the checkpoint says.
    pub fn of(entry: &Entry) -> Self {
        let rule = |former: &Former| Some((former.end, former.rule()?));
        let former = entry.formats.iter().filter_map(rule).collect();
        Self { former, last: entry.last_rule() }
    }

    /// What the checkpoint is to say of lines that were read with another format than those behind.
    pub fn former(&self) -> Vec<Former> {
        let former = |(end, rule): &(u64, LineRule)| Former {
            end: *end,
            parser: rule.parser.name().to_owned(),
            times: rule.times.clone(),
        };
        self.former.iter().map(former).collect()
    }

    /// The format of what comes last, where that is known.
    pub fn last(&self) -> Option<&LineRule> {
        self.last.as_ref()
    }

    /// Whether not all lines have the same.
    pub fn have_changed(&self) -> bool {
        !self.former.is_empty()
    }

    /// The format of what stands at `offset`, and up to where; none where that is the last.
    pub fn at(&self, offset: u64) -> Option<(LineRule, u64)> {
        self.former.iter().find(|(end, _)| *end > offset).map(|(end, rule)| (rule.clone(), *end))
    }

    /// What comes after `offset`, up to where it is delivered, is to be read as `wanted`.
    pub fn change(&mut self, offset: u64, wanted: &LineRule) -> Change {
        let Some(last) = self.last.replace(wanted.clone()) else {
            // It goes on as it was read last.
            self.former.pop_if(|(_, former)| former.agrees(wanted));
            return Change::None;
        };
        if last.agrees(wanted) {
            return Change::None;
        }
        let begun = self.former.last().map_or(0, |(end, _)| *end);
        if offset <= begun {
            // Nothing was read with the last one.
            self.former.pop_if(|(_, former)| former.agrees(wanted));
            return Change::None;
        }
        if self.former.len() >= MOST_CHANGES {
            self.last = Some(last.clone());
            return Change::Refused(last);
        }
        self.former.push((offset, last.clone()));
        Change::From(last)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use omphalos_parser::ParserKind;
    use omphalos_parser::settings::TimeSettings;

    use super::*;
    use crate::monitor::position::identity::FileKey;

    fn rule(parser: ParserKind, zone: Option<&str>) -> LineRule {
        let times = TimeSettings { zone: zone.map(str::to_owned), ..TimeSettings::default() };
        LineRule { parser, times: Some(times) }
    }

    fn rules() -> impl Strategy<Value = LineRule> {
        prop_oneof![
            Just(rule(ParserKind::Raw, None)),
            Just(rule(ParserKind::Json, None)),
            Just(rule(ParserKind::Json, Some("+01:00"))),
        ]
    }

    proptest! {
        /// The kind of fault: what a line was read with is forgotten when another format is set.
        /// Whatever is set whenever, each byte keeps the format that it was read with, over each save.
        #[test]
        fn each_line_keeps_the_format_that_it_was_read_with(
            starts in proptest::collection::vec((rules(), 0..3_u64), 1..60),
        ) {
            let key = FileKey { device: 1, inode: 2, born: None };
            let mut entry = Entry::blank(Path::new("/a.log"), key);
            let mut read: Vec<LineRule> = Vec::new();
            for (wanted, bytes) in starts {
                let mut formats = Formats::of(&entry);
                let change = formats.change(entry.offset, &wanted);
                let now = formats.last().unwrap().clone();
                prop_assert_eq!(matches!(change, Change::Refused(_)), now != wanted);
                read.extend((0..bytes).map(|_| now.clone()));
                entry.offset += bytes;
                entry.formats = formats.former();
                entry.parser = Some(now.parser.name().to_owned());
                entry.times = now.times;
                prop_assert!(entry.formats.len() <= MOST_CHANGES);
                for (offset, expected) in read.iter().enumerate() {
                    let last = || formats.last().unwrap().clone();
                    let found = formats.at(offset as u64).map_or_else(last, |(rule, _)| rule);
                    prop_assert_eq!(&found, expected, "{} of {:?}", offset, formats);
                }
            }
        }
    }

    #[test]
    fn a_format_with_which_nothing_was_read_leaves_no_trace() {
        let mut formats = Formats::default();
        let [json, raw] = [ParserKind::Json, ParserKind::Raw].map(|parser| rule(parser, None));
        formats.change(0, &json);
        assert_eq!(formats.change(10, &raw), Change::From(json.clone()));
        assert_eq!(formats.change(10, &json), Change::None);
        assert_eq!(formats, Formats { former: Vec::new(), last: Some(json) });
    }

    #[test]
    fn what_an_older_shipper_did_not_write_down_is_taken_to_be_as_it_is() {
        let unknown = LineRule { parser: ParserKind::Json, times: None };
        let mut formats = Formats { former: Vec::new(), last: Some(unknown) };
        assert_eq!(formats.change(10, &rule(ParserKind::Json, Some("+01:00"))), Change::None);
        let other = formats.change(20, &rule(ParserKind::Json, None));
        assert_eq!(other, Change::From(rule(ParserKind::Json, Some("+01:00"))));
    }
}
