//! Series: what is counted of each step, by the values of several fields at once, for whoever keeps
//! figures over time. A step is told when it has ended, once and whole.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::dimension::Dimension;
use crate::filter::Filter;
use crate::hit::Hit;
use crate::settings::{Pace, Settings, SettingsProblem};
use crate::sketch::{Counts, Figures, KeyLatency, bucket};
use crate::timeline::{Timeline, When};

/// Fields by whose values series are told apart, at most.
pub const MOST_TAGS: usize = 8;
/// So much of a value is kept.
const MOST_VALUE: usize = 192;

/// How series are counted.
#[derive(Debug, Clone)]
pub struct SeriesSettings {
    /// By the values of which fields. A line that lacks one has no value there.
    pub tags: Vec<Dimension>,
    /// How long a step is.
    pub step: Duration,
    /// How much older than the newest a line may be.
    pub lateness: Duration,
    /// What moves time forward.
    pub pace: Pace,
    /// So many different series a step has at most; lines of others are in one without values.
    pub most: usize,
    /// Which lines.
    pub filter: Option<Filter>,
    /// From which status on a response is an error.
    pub errors_from: u16,
    /// Whether steps are told of which lines are missing: for who adds them up, and not for who keeps one
    /// value a step.
    pub tells_parts: bool,
}

impl Default for SeriesSettings {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            step: Duration::from_mins(1),
            lateness: Duration::from_secs(10),
            pace: Pace::default(),
            most: 10_000,
            filter: None,
            errors_from: 500,
            tells_parts: false,
        }
    }
}

/// The lines of one step that have the same values.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPoint {
    /// When the step began, in milliseconds since 1970.
    pub at: i64,
    /// The value of each field, in their order; `None` where lines have none, and everywhere for those
    /// that were too many to be told apart.
    pub values: Vec<Option<Box<str>>>,
    /// Whether it has the lines that were too many to be told apart.
    pub is_rest: bool,
    /// Lines.
    pub hits: u64,
    /// Bytes of their responses.
    pub bytes: u64,
    /// Lines that are errors.
    pub errors: u64,
    /// Lines without a status, and by class: 1xx to 5xx.
    pub classes: [u64; 6],
    /// What 50, 95 and 99 % of them took at most, in nanoseconds, within 6.25 %; `None` if none says.
    pub latency: Option<[u64; 3]>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    counts: Counts,
    latency: KeyLatency,
}

#[derive(Debug, Default)]
struct Step {
    /// By the values, each with its length in front, so that no two are the same by chance.
    entries: HashMap<Vec<u8>, Entry>,
    rest: Entry,
}

/// Series of lines. One thread owns it.
#[derive(Debug)]
pub struct SeriesOf {
    settings: SeriesSettings,
    timeline: Timeline,
    steps: BTreeMap<i64, Step>,
    /// The first step of which all lines are seen; `None` until the first line, in whose step others may have
    /// been before.
    first_whole: Option<i64>,
    key: Vec<u8>,
    late: u64,
    ahead: u64,
}

impl SeriesOf {
    /// Without a line.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: SeriesSettings) -> Result<Self, SettingsProblem> {
        let ahead = (settings.step * 64).saturating_sub(settings.lateness);
        let lines = Settings {
            step: settings.step,
            window: settings.step,
            lateness: settings.lateness,
            ahead: ahead.min(Duration::from_mins(1)),
            pace: settings.pace,
            dimensions: settings.tags.clone(),
            ..Settings::default()
        };
        lines.check()?;
        SettingsProblem::most("tags", MOST_TAGS, settings.tags.len())?;
        SettingsProblem::twice("tags", settings.tags.iter().map(Dimension::name))?;
        Ok(Self {
            timeline: Timeline::new(&lines),
            settings,
            steps: BTreeMap::new(),
            first_whole: Some(i64::MIN),
            key: Vec::new(),
            late: 0,
            ahead: 0,
        })
    }

    /// Takes in a line. Steps that it ends are added to `points`.
    pub fn take(&mut self, hit: &Hit<'_>, points: &mut Vec<SeriesPoint>) {
        let when = self.timeline.see(hit.time);
        if let When::In(number) = when {
            self.first_whole.get_or_insert(number.saturating_add(1));
        }
        let is_meant = self.settings.filter.as_ref().is_none_or(|filter| filter.matches(hit));
        match when {
            When::In(number) if is_meant => self.count(number, hit),
            When::In(_) => {}
            When::Late => self.late += u64::from(is_meant),
            When::Ahead => self.ahead += u64::from(is_meant),
        }
        self.end_steps(points);
    }

    fn count(&mut self, number: i64, hit: &Hit<'_>) {
        self.key.clear();
        for tag in &self.settings.tags {
            let key = &mut self.key;
            let found = tag.with_value(hit, |value| {
                let value = value.get(..MOST_VALUE).unwrap_or(value);
                key.extend_from_slice(&length(value.len()).to_be_bytes());
                key.extend_from_slice(value);
            });
            if found.is_none() {
                key.extend_from_slice(&NO_VALUE.to_be_bytes());
            }
        }
        let class = hit.status.filter(|status| (100..600).contains(status)).unwrap_or(0) / 100;
        let figures = Figures {
            bytes: hit.bytes.unwrap_or(0),
            class: u8::try_from(class).unwrap_or(0),
            is_error: hit.status.is_some_and(|status| status >= self.settings.errors_from),
            client: None,
            latency: hit.latency,
            bucket: hit.latency.map_or(0, bucket),
        };
        let step = self.steps.entry(number).or_default();
        let has_room = step.entries.len() < self.settings.most;
        let entry = match step.entries.get_mut(&self.key) {
            Some(entry) => entry,
            None if has_room => step.entries.entry(self.key.clone()).or_default(),
            None => &mut step.rest,
        };
        entry.counts.take(&figures);
        if let Some(nanos) = figures.latency {
            entry.latency.take(nanos, figures.bucket);
        }
    }

    /// Says what the clock shows, in nanoseconds since 1970.
    pub fn advance(&mut self, now: i64, points: &mut Vec<SeriesPoint>) {
        self.timeline.advance(now);
        self.end_steps(points);
    }

    /// What moves time from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.timeline.set_pace(pace);
    }

    /// All lines are seen from this time on, in nanoseconds since 1970: a step that has begun before is
    /// not told, because its figures would be too small.
    pub fn resume(&mut self, now: i64) {
        let step = self.timeline.step_of(now);
        let begun = self.timeline.start_of(step) < now;
        self.first_whole = Some(step.saturating_add(i64::from(begun)));
    }

    /// Begins with a file of which nobody knows what was before it: the step of the first line is not told.
    pub fn begin_unknown(&mut self) {
        self.first_whole = None;
    }

    /// Lines may be missing from now on, until [`Self::resume`].
    pub fn pause(&mut self) {
        self.first_whole = Some(i64::MAX);
    }

    /// Tells the steps that have not ended as well: nothing more will come.
    pub fn finish(&mut self, points: &mut Vec<SeriesPoint>) {
        self.end_steps_before(i64::MAX, points);
    }

    fn end_steps(&mut self, points: &mut Vec<SeriesPoint>) {
        if let Some(first) = self.timeline.first_open() {
            self.end_steps_before(first, points);
        }
    }

    fn end_steps_before(&mut self, first_open: i64, points: &mut Vec<SeriesPoint>) {
        while let Some(entry) = self.steps.first_entry() {
            if *entry.key() >= first_open {
                break;
            }
            let (number, step) = entry.remove_entry();
            let is_whole = self.first_whole.is_some_and(|first| number >= first);
            if !is_whole && !self.settings.tells_parts {
                continue;
            }
            let at = self.timeline.start_of(number) / 1_000_000;
            let before = points.len();
            let told = step.entries.into_iter().map(|(key, entry)| point(at, values(&key), &entry));
            points.extend(told);
            if let Some(new) = points.get_mut(before..) {
                new.sort_by(|one, other| one.values.cmp(&other.values));
            }
            if step.rest.counts.hits > 0 {
                let none = vec![None; self.settings.tags.len()];
                points.push(SeriesPoint { is_rest: true, ..point(at, none, &step.rest) });
            }
        }
    }

    /// Lines that came after their step had ended, and lines too far ahead of the clock.
    pub fn left_out(&self) -> (u64, u64) {
        (self.late, self.ahead)
    }
}

/// In front of a value that is not there.
const NO_VALUE: u16 = u16::MAX;

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(NO_VALUE - 1)
}

fn values(key: &[u8]) -> Vec<Option<Box<str>>> {
    let mut values = Vec::new();
    let mut rest = key;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = u16::from_be_bytes(*length);
        if length == NO_VALUE {
            values.push(None);
            rest = behind;
            continue;
        }
        let Some((value, behind)) = behind.split_at_checked(usize::from(length)) else { break };
        values.push(Some(String::from_utf8_lossy(value).into()));
        rest = behind;
    }
    values
}

fn point(at: i64, values: Vec<Option<Box<str>>>, entry: &Entry) -> SeriesPoint {
    let latency = &entry.latency;
    let counts = &entry.counts;
    SeriesPoint {
        at,
        values,
        is_rest: false,
        hits: counts.hits,
        bytes: counts.bytes,
        errors: counts.errors,
        classes: counts.classes,
        latency: (latency.count() > 0).then(|| [500, 950, 990].map(|rank| latency.at(rank))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const START: i64 = 1_795_000_020;
    const SECOND: i64 = 1_000_000_000;

    fn settings(tags: Vec<Dimension>, most: usize) -> SeriesSettings {
        let pace = Pace::Lines;
        SeriesSettings { tags, pace, most, ..SeriesSettings::default() }
    }

    fn line<'a>(second: i64, host: Option<&'a str>, path: &'a str, status: u16) -> Hit<'a> {
        Hit {
            time: (START + second) * SECOND,
            host: host.map(str::as_bytes),
            path: Some(path.as_bytes()),
            status: Some(status),
            bytes: Some(10),
            latency: Some(1_000_000),
            ..Hit::default()
        }
    }

    #[test]
    fn a_step_is_told_once_when_it_has_ended_with_all_its_series() {
        let tags = vec![Dimension::Host, Dimension::Path];
        let mut series = SeriesOf::new(settings(tags, 3)).unwrap();
        let mut points = Vec::new();
        for (host, path, status) in [
            (Some("a"), "/x", 200),
            (Some("a"), "/x", 500),
            (None, "/x", 200),
            (Some("ab"), "", 200),
            (Some("a"), "b", 200),
        ] {
            series.take(&line(0, host, path, status), &mut points);
        }
        assert_eq!(points, []);
        series.take(&line(71, Some("z"), "/z", 200), &mut points);
        let told: Vec<_> = points
            .iter()
            .map(|point| {
                let values: Vec<Option<&str>> = point.values.iter().map(Option::as_deref).collect();
                (values, point.hits, point.errors, point.is_rest)
            })
            .collect();
        assert_eq!(
            told,
            [
                (vec![None, Some("/x")], 1, 0, false),
                (vec![Some("a"), Some("/x")], 2, 1, false),
                (vec![Some("ab"), Some("")], 1, 0, false),
                (vec![None, None], 1, 0, true),
            ]
        );
        assert_eq!(points[1].classes, [0, 0, 1, 0, 0, 1]);
        assert_eq!((points[1].bytes, points[1].at % 60_000), (20, 0));
        assert!(points[1].latency.unwrap()[0].abs_diff(1_000_000) < 70_000);
        points.clear();
        series.take(&line(0, Some("a"), "/x", 200), &mut points);
        assert_eq!((points.len(), series.left_out()), (0, (1, 0)));
        series.finish(&mut points);
        assert_eq!(points.len(), 1);
    }

    /// The kind: a part of a step is no datapoint, because it replaces the whole one that is stored.
    #[test]
    fn a_step_of_which_lines_are_missing_is_not_told() {
        let mut series = SeriesOf::new(settings(vec![Dimension::Host], 3)).unwrap();
        let told = |series: &mut SeriesOf, from: i64, to: i64| {
            let mut points = Vec::new();
            (from..to).for_each(|at| series.take(&line(at, Some("a"), "/", 200), &mut points));
            let hits = points.iter().map(|point| (point.at / 1000 - START, point.hits));
            hits.collect::<Vec<_>>()
        };
        // START is the beginning of a step.
        series.resume((START + 1) * SECOND);
        assert_eq!(told(&mut series, 1, 140), [(60, 60)]);
        series.pause();
        assert_eq!(told(&mut series, 140, 200), []);
        series.resume((START + 240) * SECOND);
        assert_eq!(told(&mut series, 200, 320), [(240, 60)]);
        series.pause();
        let mut points = Vec::new();
        series.finish(&mut points);
        assert_eq!(points, []);
        let mut series = SeriesOf::new(settings(vec![Dimension::Host], 3)).unwrap();
        series.begin_unknown();
        assert_eq!(told(&mut series, 1, 140), [(60, 60)]);
        let added = SeriesSettings { tells_parts: true, ..settings(vec![Dimension::Host], 3) };
        let mut series = SeriesOf::new(added).unwrap();
        series.resume((START + 1) * SECOND);
        assert_eq!(told(&mut series, 1, 140), [(0, 59), (60, 60)]);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let many = vec![Dimension::Host; MOST_TAGS + 1];
        let error = SeriesOf::new(settings(many, 10)).unwrap_err().to_string();
        assert_eq!(error, "tags: expected at most 8, found 9");
        let twice = vec![Dimension::Host, Dimension::Path, Dimension::Host];
        let error = SeriesOf::new(settings(twice, 10)).unwrap_err().to_string();
        assert!(error.starts_with("tags: expected each field once, found host"), "{error}");
        let none = SeriesSettings { step: Duration::ZERO, ..SeriesSettings::default() };
        assert!(SeriesOf::new(none).is_err());
    }

    proptest! {
        #[test]
        fn every_line_is_in_one_point_of_its_step_or_late(
            lines in prop::collection::vec((0i64..600, 0u8..6, 0u8..40), 1..300),
            most in 1usize..30,
        ) {
            let mut series = SeriesOf::new(settings(vec![Dimension::Host, Dimension::Path], most)).unwrap();
            let mut points = Vec::new();
            let mut truth: BTreeMap<i64, u64> = BTreeMap::new();
            let mut newest = 0;
            let mut late = 0;
            for (second, host, path) in lines {
                let (host, path) = (host.to_string(), path.to_string());
                let hit = line(second, Some(&host), &path, 200);
                let step = hit.time.div_euclid(60 * SECOND);
                if newest > 0 && step < (newest - 10 * SECOND).div_euclid(60 * SECOND) {
                    late += 1;
                } else {
                    *truth.entry(step * 60_000).or_default() += 1;
                }
                newest = newest.max(hit.time);
                series.take(&hit, &mut points);
            }
            series.finish(&mut points);
            let mut told: BTreeMap<i64, u64> = BTreeMap::new();
            let mut seen = std::collections::HashSet::new();
            for point in &points {
                *told.entry(point.at).or_default() += point.hits;
                prop_assert!(seen.insert((point.at, point.values.clone(), point.is_rest)));
            }
            prop_assert_eq!((told, series.left_out()), (truth, (late, 0)));
        }
    }
}
