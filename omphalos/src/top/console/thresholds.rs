//! Marks what is at or above a threshold: the traffic of all lines in the window, and that of each
//! section. What was marked and falls below is marked as well once more, as what is well again.
//! Traffic that is not known exactly counts as far as it is certain: nothing that may be too large
//! raises an alarm.
//! Pure: it is told what was counted and when, and asks no clock.

use std::collections::BTreeMap;

/// Cleared marks that are kept.
const MOST_CLEARED: usize = 32;
/// Sections that are marked at a time.
const MOST_MARKED: usize = 1_000;

/// At or above these, traffic is marked; `None` where it never is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Lines of all traffic in the window.
    pub total_hits: Option<u64>,
    /// Bytes of all traffic in the window.
    pub total_size: Option<u64>,
    /// Lines of one section.
    pub hits: Option<u64>,
    /// Bytes of one section.
    pub size: Option<u64>,
}

impl Thresholds {
    /// Whether one of those for sections is set.
    pub fn any_section(self) -> bool {
        self.hits.is_some() || self.size.is_some()
    }
}

/// How something that is watched is marked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mark {
    /// Below its threshold, as before.
    #[default]
    Normal,
    /// At its threshold or above.
    Red,
    /// Below it again, for the first time.
    Green,
}

impl Mark {
    /// The mark after this one.
    #[must_use]
    pub fn after(self, is_over: bool) -> Self {
        match (self, is_over) {
            (_, true) => Self::Red,
            (Self::Red, false) => Self::Green,
            (Self::Normal | Self::Green, false) => Self::Normal,
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Lines.
    Hits,
    /// Bytes.
    Size,
}

/// What is watched: all traffic, or the section of this name.
pub type Subject = Option<String>;

/// Lines and bytes, as far as they are certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Lines.
    pub hits: u64,
    /// Bytes.
    pub size: u64,
    /// Whether there may be more.
    pub is_least: bool,
}

impl Traffic {
    fn of(self, measure: Measure) -> u64 {
        match measure {
            Measure::Hits => self.hits,
            Measure::Size => self.size,
        }
    }
}

/// Something that is or was at its threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What.
    pub subject: Subject,
    /// Of which measure.
    pub measure: Measure,
    /// How much there was for certain when it was at its threshold the last time.
    pub value: u64,
    /// Whether there may have been more.
    pub is_least: bool,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// When it fell below.
    pub cleared: Option<i64>,
}

/// What is watched, and how it is marked.
#[derive(Debug, Default)]
pub struct Watch {
    thresholds: Thresholds,
    marked: BTreeMap<(Subject, Measure), (Mark, Alarm)>,
    cleared: Vec<Alarm>,
}

impl Watch {
    /// Of these thresholds.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// Looks at what was counted; a section that is not named has no traffic.
    pub fn see(&mut self, total: Traffic, sections: &[(String, Traffic)], now: i64) {
        let Thresholds { total_hits, total_size, hits, size } = self.thresholds;
        let mut over: BTreeMap<(Subject, Measure), (u64, bool)> = BTreeMap::new();
        let mut look = |subject: Subject, traffic: Traffic, measure, threshold: Option<u64>| {
            let value = traffic.of(measure);
            let is_over = threshold.is_some_and(|threshold| value >= threshold);
            if is_over && over.len() < MOST_MARKED {
                over.insert((subject, measure), (value, traffic.is_least));
            }
        };
        look(None, total, Measure::Hits, total_hits);
        look(None, total, Measure::Size, total_size);
        for (name, traffic) in sections {
            look(Some(name.clone()), *traffic, Measure::Hits, hits);
            look(Some(name.clone()), *traffic, Measure::Size, size);
        }
        self.step(&over, now);
    }

    fn step(&mut self, over: &BTreeMap<(Subject, Measure), (u64, bool)>, now: i64) {
        for (watched, (mark, alarm)) in &mut self.marked {
            let before = *mark;
            *mark = mark.after(over.contains_key(watched));
            if before == Mark::Red && *mark == Mark::Green {
                self.cleared.insert(0, Alarm { cleared: Some(now), ..alarm.clone() });
            }
        }
        self.cleared.truncate(MOST_CLEARED);
        self.marked.retain(|_, (mark, _)| *mark != Mark::Normal);
        for ((subject, measure), (value, is_least)) in over {
            let fresh = || {
                let alarm = Alarm {
                    subject: subject.clone(),
                    measure: *measure,
                    value: *value,
                    is_least: *is_least,
                    since: now,
                    cleared: None,
                };
                (Mark::Red, alarm)
            };
            let key = (subject.clone(), *measure);
            let entry = self.marked.entry(key).or_insert_with(fresh);
            // It was well for a moment: what follows is another alarm.
            if entry.1.cleared.is_some() {
                *entry = fresh();
            }
            (entry.1.value, entry.1.is_least) = (*value, *is_least);
        }
        for (mark, alarm) in self.marked.values_mut() {
            if *mark == Mark::Green {
                alarm.cleared = Some(now);
            }
        }
    }

    /// How all traffic is marked.
    pub fn total(&self, measure: Measure) -> Mark {
        self.mark(None, measure)
    }

    /// How a section is marked.
    pub fn section(&self, name: &str, measure: Measure) -> Mark {
        self.mark(Some(name.to_owned()), measure)
    }

    fn mark(&self, subject: Subject, measure: Measure) -> Mark {
        self.marked.get(&(subject, measure)).map_or(Mark::Normal, |(mark, _)| *mark)
    }

    /// What is at its threshold now.
    pub fn active(&self) -> impl Iterator<Item = &Alarm> {
        let marked = self.marked.values().filter(|(mark, _)| *mark == Mark::Red);
        marked.map(|(_, alarm)| alarm)
    }

    /// What was at its threshold, the last first.
    pub fn cleared(&self) -> &[Alarm] {
        &self.cleared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_red_until_it_falls_below_and_then_green_once() {
        use Mark::{Green, Normal, Red};
        let values = [0, 9, 10, 11, 10, 9, 9, 12, 3, 10, 10, 0, 0];
        let expected =
            [Normal, Normal, Red, Red, Red, Green, Normal, Red, Green, Red, Red, Green, Normal];
        let of_all = Thresholds { total_hits: Some(10), ..Thresholds::default() };
        let of_section = Thresholds { size: Some(10), ..Thresholds::default() };
        let mut watches = [Watch::new(of_all), Watch::new(of_section)];
        for (now, (value, mark)) in (0_i64..).zip(values.into_iter().zip(expected)) {
            let [all, section] = &mut watches;
            all.see(Traffic { hits: value, size: 99, is_least: false }, &[], now);
            assert_eq!(all.total(Measure::Hits), mark, "at {now}");
            assert_eq!(all.total(Measure::Size), Normal);
            // Where it has none, it is not even named.
            let traffic = Traffic { hits: 99, size: value, is_least: false };
            let named = [("/a".to_owned(), traffic)];
            section.see(Traffic::default(), if value == 0 { &[] } else { &named }, now);
            assert_eq!(section.section("/a", Measure::Size), mark, "at {now}");
            assert_eq!(section.section("/a", Measure::Hits), Normal);
            assert_eq!(section.section("/b", Measure::Size), Normal);
        }
        for watch in &watches {
            assert_eq!(watch.active().count(), 0);
            let spans = watch.cleared().iter().map(|alarm| (alarm.since, alarm.cleared));
            let spans: Vec<_> = spans.collect();
            assert_eq!(spans, [(9, Some(11)), (7, Some(8)), (2, Some(5))]);
        }
    }

    #[test]
    fn without_thresholds_nothing_is_marked() {
        let mut watch = Watch::new(Thresholds::default());
        let most = Traffic { hits: u64::MAX, size: u64::MAX, is_least: false };
        watch.see(most, &[("/".to_owned(), most)], 1);
        assert_eq!(watch.total(Measure::Hits), Mark::Normal);
        assert!(!Thresholds::default().any_section());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut watch = Watch::new(Thresholds { hits: Some(1), ..Thresholds::default() });
        let busy = Traffic { hits: 1, size: 0, is_least: false };
        let many: Vec<_> = (0..3_000).map(|number| (number.to_string(), busy)).collect();
        watch.see(Traffic::default(), &many, 0);
        assert_eq!(watch.active().count(), MOST_MARKED);
        watch.see(Traffic::default(), &[], 1);
        watch.see(Traffic::default(), &[], 2);
        assert_eq!(watch.cleared().len(), MOST_CLEARED);
        assert!(watch.marked.is_empty());
    }
}
