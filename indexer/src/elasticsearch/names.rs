//! Which index a document goes to: one for each dataset and period of event time, and one for
//! dates far off.

use std::collections::HashMap;
use std::sync::Arc;

use glob::Pattern;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use omphalos_common::config::ConfigError;
use omphalos_common::event::is_clean_name;
use omphalos_common::heartbeat::INDEX_DATASET;
use omphalos_transport::Origin;
use serde::Deserialize;

use super::streams::stream_name;

/// How much time one index covers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum IndexPeriod {
    /// `omphalos-access-2026.11.22`
    Day,
    /// `omphalos-access-2026.w47`, ISO 8601 weeks.
    Week,
    /// `omphalos-access-2026.11`
    Month,
    /// One index for all time: `omphalos-access`.
    None,
}

/// How indices are named.
#[derive(Clone, Debug)]
pub struct NameRules {
    /// What all names begin with.
    pub prefix: String,
    /// How much time one index covers.
    pub period: IndexPeriod,
    /// Of documents that somebody vouches for.
    pub own: Share,
    /// Of all others.
    pub foreign: Share,
    /// Datasets that have indices in any case.
    pub always: Vec<Arc<str>>,
    /// A day further in the future makes a document an outlier.
    pub future_days: u32,
    /// The namespace, where documents go to data streams instead.
    pub namespace: Option<String>,
}

/// Names of indices, or of data streams, as a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPattern {
    before: String,
    behind: String,
}

impl IndexPattern {
    /// Indices that begin with `prefix`.
    pub fn dated(prefix: &str) -> Self {
        Self { before: format!("{prefix}-"), behind: String::new() }
    }

    /// Data streams of logs of this namespace.
    pub fn of_streams(namespace: &str) -> Self {
        Self { before: "logs-".to_owned(), behind: format!("-{namespace}") }
    }

    /// All of them.
    pub fn all(&self) -> String {
        self.of("")
    }

    /// Those of the datasets that begin with `dataset`.
    pub fn of(&self, dataset: &str) -> String {
        format!("{}{dataset}*{}", self.before, self.behind)
    }
}

/// Which indices documents may make. Nothing but the settings decides that, neither what the cluster
/// has nor what a process has seen: a repeat must meet its first copy, whoever files it and whenever.
#[derive(Clone, Debug)]
pub struct Share {
    /// Which datasets have indices of their own; the others have one for each period together.
    pub datasets: Vec<Pattern>,
    /// A day further in the past makes a document an outlier.
    pub past_days: u32,
}

impl NameRules {
    fn share(&self, origin: Origin) -> &Share {
        match origin {
            Origin::Own => &self.own,
            Origin::Foreign => &self.foreign,
        }
    }
}

/// The dataset, in names of indices, of what may have none of its own.
pub const OTHER_DATASET: &str = "other";

/// Where a document is filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the index.
    pub index: Arc<str>,
    /// The dataset in it.
    pub dataset: Arc<str>,
    /// The day that it is filed under; `None` for an outlier.
    pub day: Option<i32>,
}

/// By when dates are judged, in seconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// When the message was made, if that is known.
    pub made_at: Option<i64>,
    /// The present.
    pub now: i64,
}

/// A message says when it was made, so that it is filed the same way whenever it is delivered; but
/// no message may move the window of plausible dates further than this from the present.
const LARGEST_SHIFT_DAYS: i32 = 30;

const SECONDS_PER_DAY: i64 = 86_400;

/// Names indices, remembering the names it made.
#[derive(Debug)]
pub struct IndexNames {
    rules: NameRules,
    other: Arc<str>,
    names: HashMap<(Arc<str>, Slot), Arc<str>>,
}

/// Which of a dataset's indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Day(i32),
    Outlier,
}

/// So many names are remembered; hostile dates could make more.
const MOST_NAMES: usize = 4096;

impl IndexNames {
    /// Names after these rules.
    pub fn new(rules: NameRules) -> Self {
        Self { rules, other: Arc::from(OTHER_DATASET), names: HashMap::new() }
    }

    /// The index of a document of our own, of `dataset` (cleaned) and `day` (since 1970; `None` when
    /// it has no time), in a message made at `made_at`, and now being `now` (seconds since the epoch).
    pub fn name(
        &mut self,
        dataset: &Arc<str>,
        day: Option<i32>,
        made_at: Option<i64>,
        now: i64,
    ) -> Arc<str> {
        self.place(Origin::Own, dataset, day, Clock { made_at, now }).index
    }

    /// Where a document of `dataset` (cleaned) and `day` is filed.
    pub fn place(
        &mut self,
        origin: Origin,
        dataset: &Arc<str>,
        day: Option<i32>,
        clock: Clock,
    ) -> Place {
        let dataset = if self.has_indices(origin, dataset) { dataset } else { &self.other };
        let dataset = Arc::clone(dataset);
        let slot = self.slot(origin, day, clock);
        let day = day.filter(|_| slot != Slot::Outlier);
        let key = (Arc::clone(&dataset), slot);
        if let Some(index) = self.names.get(&key) {
            return Place { index: Arc::clone(index), dataset, day };
        }
        let index: Arc<str> = Arc::from(self.make(&dataset, slot));
        if self.names.len() >= MOST_NAMES {
            self.names.clear();
        }
        self.names.insert(key, Arc::clone(&index));
        Place { index, dataset, day }
    }

    fn has_indices(&self, origin: Origin, dataset: &str) -> bool {
        // Where heartbeats are looked for, nobody else may write what looks like one.
        let is_like_fleet = dataset.starts_with(INDEX_DATASET) && dataset != INDEX_DATASET;
        if origin == Origin::Foreign && is_like_fleet {
            return false;
        }
        self.rules.share(origin).datasets.iter().any(|pattern| pattern.matches(dataset))
            || self.rules.always.iter().any(|always| **always == *dataset)
            || origin == Origin::Own && dataset == INDEX_DATASET
    }

    fn slot(&self, origin: Origin, day: Option<i32>, Clock { made_at, now }: Clock) -> Slot {
        // A data stream has no other place for what has an odd date, or none that is known.
        let day = day.or(self.rules.namespace.as_ref().map(|_| 0));
        let Some(day) = day else { return Slot::Outlier };
        if self.rules.period == IndexPeriod::None || self.rules.namespace.is_some() {
            return Slot::Day(0);
        }
        let today = days(now);
        let made = made_at.map_or(today, days);
        let reference = made.clamp(today - LARGEST_SHIFT_DAYS, today + LARGEST_SHIFT_DAYS);
        let distance = i64::from(day) - i64::from(reference);
        let plausible =
            -i64::from(self.rules.share(origin).past_days)..=i64::from(self.rules.future_days);
        if plausible.contains(&distance) { Slot::Day(day) } else { Slot::Outlier }
    }

    fn make(&self, dataset: &str, slot: Slot) -> String {
        if let Some(namespace) = &self.rules.namespace {
            return stream_name(dataset, namespace);
        }
        let prefix = &self.rules.prefix;
        // A day that no calendar has is as far off as can be.
        let Slot::Day(day) = slot else { return format!("{prefix}-{dataset}-outlier") };
        let format = match self.rules.period {
            IndexPeriod::None => return format!("{prefix}-{dataset}"),
            IndexPeriod::Day => "%Y.%m.%d",
            IndexPeriod::Week => "%G.w%V",
            IndexPeriod::Month => "%Y.%m",
        };
        match date(day) {
            Some(date) => format!("{prefix}-{dataset}-{}", date.strftime(format)),
            None => format!("{prefix}-{dataset}-outlier"),
        }
    }
}

/// Whoever says seconds that have no day of 32 bits is as far off as can be, either way.
fn days(seconds: i64) -> i32 {
    i32::try_from(seconds.div_euclid(SECONDS_PER_DAY)).unwrap_or(i32::MAX)
}

/// The date of a day; `None` where the calendar has none.
fn date(day: i32) -> Option<Date> {
    let timestamp = Timestamp::from_second(i64::from(day) * SECONDS_PER_DAY).ok()?;
    Some(timestamp.to_zoned_datetime(TimeZone::UTC).date())
}

/// Refuses what cannot be a part of the name of an index.
///
/// # Errors
/// Names the setting.
pub fn check_name(key: &str, name: &str) -> Result<(), ConfigError> {
    if is_clean_name(name) {
        return Ok(());
    }
    Err(ConfigError::invalid(format!(
        "{key}: expected lower-case letters, digits, _ and -, beginning with a letter or digit, found {name:?}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 20_779 * SECONDS_PER_DAY + 5;

    fn names(period: IndexPeriod) -> IndexNames {
        let prefix = "omphalos".to_owned();
        let share = |datasets: &[&str], past_days| Share {
            datasets: datasets.iter().map(|pattern| Pattern::new(pattern).unwrap()).collect(),
            past_days,
        };
        IndexNames::new(NameRules {
            prefix,
            period,
            own: share(&["*"], 400),
            foreign: share(&["access", "web-*", "fleet?*"], 30),
            always: vec![Arc::from("external")],
            future_days: 1,
            namespace: None,
        })
    }

    #[test]
    fn a_data_stream_takes_lines_of_all_days() {
        let mut names = names(IndexPeriod::Day);
        names.rules.namespace = Some("ns".to_owned());
        for day in [Some(20_779), Some(0), Some(i32::MAX), None] {
            assert_eq!(&*names.name(&Arc::from("access"), day, None, NOW), "logs-access-ns");
        }
        assert_eq!(&*names.name(&Arc::from("fleet"), None, None, NOW), "logs-fleet-ns");
        let (dated, streams) = (IndexPattern::dated("omphalos"), IndexPattern::of_streams("ns"));
        assert_eq!([dated.all(), dated.of("fleet")], ["omphalos-*", "omphalos-fleet*"]);
        assert_eq!([streams.all(), streams.of("fleet")], ["logs-*-ns", "logs-fleet*-ns"]);
    }

    #[test]
    fn an_index_covers_its_period() {
        let access = Arc::from("access");
        for (period, expected) in [
            (IndexPeriod::Day, "omphalos-access-2026.11.22"),
            (IndexPeriod::Week, "omphalos-access-2026.w47"),
            (IndexPeriod::Month, "omphalos-access-2026.11"),
            (IndexPeriod::None, "omphalos-access"),
        ] {
            assert_eq!(&*names(period).name(&access, Some(20_779), None, NOW), expected);
        }
    }

    #[test]
    fn dates_far_off_share_one_index() {
        let access = Arc::from("access");
        let mut names = names(IndexPeriod::Day);
        let mut name = |day, made_at| names.name(&access, day, made_at, NOW).to_string();
        assert_eq!(name(Some(20_780), None), "omphalos-access-2026.11.23");
        assert_eq!(name(Some(20_781), None), "omphalos-access-outlier");
        assert_eq!(name(Some(20_379), None), "omphalos-access-2025.10.18");
        assert_eq!(name(Some(20_378), None), "omphalos-access-outlier");
        assert_eq!(name(None, None), "omphalos-access-outlier");
        assert_eq!(name(Some(i32::MIN), None), "omphalos-access-outlier");
        assert_eq!(name(Some(i32::MAX), None), "omphalos-access-outlier");
        // Filed as it was when the message was made, five days ago.
        let made = Some(NOW - 5 * SECONDS_PER_DAY);
        assert_eq!(name(Some(20_780), made), "omphalos-access-outlier");
        assert_eq!(name(Some(20_374), made), "omphalos-access-2025.10.13");
        // But a message cannot claim to be from the distant past.
        assert_eq!(name(Some(0), Some(0)), "omphalos-access-outlier");
    }

    #[test]
    fn what_others_invent_shares_one_index_and_keeps_to_the_days_that_are_theirs() {
        let mut names = names(IndexPeriod::Day);
        let mut place = |origin, dataset: &str, day| {
            let clock = Clock { made_at: None, now: NOW };
            let Place { index, dataset, day } =
                names.place(origin, &Arc::from(dataset), Some(day), clock);
            (index.to_string(), dataset.to_string(), day)
        };
        let filed = |dataset: &str, day: &str| format!("omphalos-{dataset}-{day}");
        for (dataset, expected) in [
            ("access", "access"),
            ("web-1", "web-1"),
            ("external", "external"),
            ("fleet", "other"),
            ("fleetcars", "other"),
            ("fleet-cars", "other"),
            ("shop", "other"),
            ("access2", "other"),
        ] {
            let expected = (filed(expected, "2026.11.22"), expected.to_owned(), Some(20_779));
            assert_eq!(place(Origin::Foreign, dataset, 20_779), expected);
        }
        assert_eq!(place(Origin::Own, "shop", 20_779).0, filed("shop", "2026.11.22"));
        assert_eq!(place(Origin::Own, "fleet", 20_779).0, filed("fleet", "2026.11.22"));
        assert_eq!(place(Origin::Own, "fleetcars", 20_779).0, filed("fleetcars", "2026.11.22"));
        assert_eq!(place(Origin::Foreign, "access", 20_749).0, filed("access", "2026.10.23"));
        let outlier = (filed("access", "outlier"), "access".to_owned(), None);
        assert_eq!(place(Origin::Foreign, "access", 20_748), outlier);
        assert_eq!(place(Origin::Own, "access", 20_748).0, filed("access", "2026.10.22"));
    }

    proptest! {
        /// The kind of fault: whoever sends from outside fills the cluster up to its limit of shards,
        /// by whatever part of a name is theirs to choose.
        #[test]
        fn others_make_no_more_indices_than_there_are_names_and_days(
            sent in proptest::collection::vec(("[a-z]{1,3}|access", any::<i16>(), any::<i64>()), 0..300)
        ) {
            let mut names = names(IndexPeriod::Day);
            let mut made = std::collections::HashSet::new();
            for (dataset, day, made_at) in sent {
                let clock = Clock { made_at: Some(made_at), now: NOW };
                let day = Some(i32::from(day) / 100 + 20_779);
                made.insert(names.place(Origin::Foreign, &Arc::from(dataset), day, clock).index);
            }
            // "access" and "other", each with the days of any message that may be believed.
            prop_assert!(made.len() <= 2 * (30 + 1 + 1 + 2 * 30 + 1), "{}", made.len());
        }

        #[test]
        fn no_date_makes_more_indices_than_the_window_allows(
            dates in proptest::collection::vec((any::<i32>(), any::<i64>()), 0..200)
        ) {
            let access = Arc::from("access");
            let mut names = names(IndexPeriod::Day);
            let mut made = std::collections::HashSet::new();
            for (day, made_at) in dates {
                let name = names.name(&access, Some(day % 25_000), Some(made_at), NOW);
                prop_assert!(name.starts_with("omphalos-access-"));
                made.insert(name);
            }
            prop_assert!(made.len() <= 402 + 2 * 30 + 1);
        }
    }
}
