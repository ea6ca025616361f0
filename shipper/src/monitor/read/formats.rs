//! By which rules the lines of a file are read, of format, times and dataset: where another is set than it
//! was begun with, that is for what comes after, and whoever reads the file again gets the same documents.

use omphalos_parser::settings::LineRule;

use crate::monitor::position::entry::Former;

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

/// What becomes of the format that is set.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What follows is read by it.
    Used,
    /// Others read the file to its end by another one, which is kept.
    Others,
    /// It was changed so often that the last one is kept.
    Refused,
}

/// By what lines were read, up to where each, over all who have read the file: `views`, beginning with
/// who knows best. Of the others' only what lies behind is heard.
pub fn gathered(views: impl IntoIterator<Item = Vec<Former>>) -> Vec<Former> {
    let mut all: Vec<Former> = Vec::new();
    for former in views.into_iter().flatten() {
        match all.last_mut() {
            Some(last) if last.end >= former.end => {}
            Some(last) if last.rule().is_some() && last.rule() == former.rule() => {
                last.end = former.end;
            }
            _ => all.push(former),
        }
    }
    all
}

impl Formats {
    /// Lines were read as `spans` say; those that follow are to be read as `wanted`.
    pub fn new(spans: &[Former], wanted: &LineRule) -> (Self, Outcome) {
        let rule = |span: &Former| Some((span.end, span.rule()?));
        let mut former: Vec<(u64, LineRule)> = spans.iter().filter_map(rule).collect();
        let (outcome, last) = match former.last() {
            Some((u64::MAX, last)) if !last.agrees(wanted) => (Outcome::Others, last.clone()),
            _ => (Outcome::Used, wanted.clone()),
        };
        // It goes on as it was read last.
        while former.pop_if(|(end, rule)| *end == u64::MAX || rule.agrees(&last)).is_some() {}
        let is_full = former.len() > MOST_CHANGES;
        let (outcome, last) = match former.pop_if(|_| is_full) {
            Some((_, kept)) => (Outcome::Refused, kept),
            None => (outcome, last),
        };
        (Self { former, last: Some(last) }, outcome)
    }

    /// What the checkpoint is to say of lines that were read with another format than those behind.
    pub fn former(&self) -> Vec<Former> {
        self.former.iter().map(|(end, rule)| Former::new(*end, rule.clone())).collect()
    }

    /// The format of what comes last, where that is known.
    pub fn last(&self) -> Option<&LineRule> {
        self.last.as_ref()
    }

    /// Whether not all lines have the same.
    pub fn have_changed(&self) -> bool {
        !self.former.is_empty()
    }

    /// Whether lines behind `offset` have another format than those before it.
    pub fn change_at(&self, offset: u64) -> bool {
        self.former.iter().any(|(end, _)| *end == offset)
    }

    /// The format of what stands at `offset`, and up to where; none where that is the last.
    pub fn at(&self, offset: u64) -> Option<(LineRule, u64)> {
        self.former.iter().find(|(end, _)| *end > offset).map(|(end, rule)| (rule.clone(), *end))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use omphalos_parser::ParserKind;
    use omphalos_parser::settings::TimeSettings;

    use super::*;
    use crate::monitor::position::entry::Entry;
    use crate::monitor::position::identity::FileKey;

    fn rule(parser: ParserKind, zone: Option<&str>) -> LineRule {
        let times = TimeSettings { zone: zone.map(str::to_owned), ..TimeSettings::default() };
        LineRule { parser, times: Some(times), dataset: Some("all".to_owned()) }
    }

    fn rules() -> impl Strategy<Value = LineRule> {
        prop_oneof![
            Just(rule(ParserKind::Raw, None)),
            Just(rule(ParserKind::Json, None)),
            Just(rule(ParserKind::Json, Some("+01:00"))),
            Just(LineRule { dataset: Some("own".to_owned()), ..rule(ParserKind::Json, None) }),
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
                let spans = gathered([entry.spans(entry.offset)]);
                let (formats, outcome) = Formats::new(&spans, &wanted);
                let now = formats.last().unwrap().clone();
                prop_assert_eq!(outcome == Outcome::Refused, now != wanted);
                read.extend((0..bytes).map(|_| now.clone()));
                entry.offset += bytes;
                entry.formats = formats.former();
                entry.parser = Some(now.parser.name().to_owned());
                (entry.times, entry.dataset) = (now.times, now.dataset);
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
        let [json, raw] = [ParserKind::Json, ParserKind::Raw].map(|parser| rule(parser, None));
        let spans = [Former::new(10, json.clone())];
        let (formats, _) = Formats::new(&spans, &raw);
        assert_eq!(formats.former(), spans);
        let (formats, outcome) = Formats::new(&formats.former(), &json);
        assert_eq!(outcome, Outcome::Used);
        assert_eq!(formats, Formats { former: Vec::new(), last: Some(json) });
    }

    #[test]
    fn what_an_older_shipper_did_not_write_down_is_taken_to_be_as_it_is() {
        let unknown = LineRule { parser: ParserKind::Json, times: None, dataset: None };
        let spans = [Former::new(10, unknown.clone())];
        for now in [rule(ParserKind::Json, Some("+01:00")), rule(ParserKind::Json, None)] {
            assert_eq!(Formats::new(&spans, &now).0.former(), []);
        }
        let (formats, _) = Formats::new(&spans, &rule(ParserKind::Raw, None));
        assert_eq!(formats.former(), spans);
    }

    #[test]
    fn of_those_who_know_less_only_what_lies_behind_is_heard() {
        let [a, b, c] = ["a", "b", "c"]
            .map(|name| LineRule { dataset: Some(name.to_owned()), ..rule(ParserKind::Raw, None) });
        let span = |end, rule: &LineRule| Former::new(end, rule.clone());
        let best = vec![span(10, &a), span(20, &b)];
        let all = gathered([best.clone(), vec![span(15, &c), span(30, &c)], vec![span(40, &c)]]);
        assert_eq!(all, [span(10, &a), span(20, &b), span(40, &c)]);
        assert_eq!(gathered([best.clone(), vec![span(20, &c)]]), best);
        // To its end, whatever that will be.
        let (formats, outcome) = Formats::new(&[span(10, &a), span(u64::MAX, &b)], &c);
        assert_eq!((formats.former(), formats.last()), (vec![span(10, &a)], Some(&b)));
        assert_eq!(outcome, Outcome::Others);
    }
}
