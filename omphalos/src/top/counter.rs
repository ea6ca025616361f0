//! The collectors and the alerts, filled by sources and asked by whoever shows figures.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use omphalos_live::alert::{Of, Rule};
use omphalos_live::{
    Answer, Dimension, Filter, Hit, Live, Pace, Question, SeriesOf, SeriesPoint, SeriesSettings,
    Settings, SettingsProblem,
};

use super::alarms::{Alarms, Told};

/// The collectors, from any thread. A lock taken for each line costs nothing that can be measured, and
/// lets a question in between any two lines.
#[derive(Debug)]
pub struct Counter {
    counted: Mutex<Counted>,
    /// How many questions wait. Whoever has lines steps aside for them, because the lock is not fair.
    asking: AtomicUsize,
    /// How often the figures were forgotten because all lines are read once more.
    rounds: AtomicUsize,
}

/// What lines go into.
#[derive(Debug)]
struct Counted {
    live: Live,
    alarms: Option<Alarms>,
    /// Series, each with the points that nobody has taken yet.
    series: Vec<(SeriesOf, Vec<SeriesPoint>)>,
    /// Points that were too many.
    dropped: u64,
}

/// A window can look back so far.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(7 * 24);
/// So many points of series are kept until somebody takes them.
const MOST_POINTS: usize = 100_000;
/// How long steps are, in seconds.
const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
/// Steps that a window has if it can, and at most.
const FEW_STEPS: u64 = 120;
const MOST_STEPS: u64 = 720;

/// Whether a window can look back so far.
///
/// # Errors
/// What is expected, for people.
pub fn check_window(window: Duration) -> Result<(), String> {
    if window.is_zero() || window > LONGEST_WINDOW {
        return Err(format!("expected a window of more than 0 and up to 7 days, found {window:?}"));
    }
    Ok(())
}

/// Settings for a window: small steps, of which it has a whole number. One that has none is as much
/// longer as is needed.
pub fn over(window: Duration, settings: Settings) -> Settings {
    let seconds = window.as_secs().saturating_add(u64::from(window.subsec_nanos() > 0)).max(1);
    let find = |most: u64, is_whole: bool| {
        let fits = |step: &u64| {
            seconds.div_ceil(*step) <= most && (!is_whole || seconds.is_multiple_of(*step))
        };
        STEPS.into_iter().find(fits)
    };
    let step = find(FEW_STEPS, true).or_else(|| find(MOST_STEPS, true));
    let step = step.or_else(|| find(MOST_STEPS, false)).unwrap_or(1);
    let window = Duration::from_secs(seconds.next_multiple_of(step));
    let step = Duration::from_secs(step);
    // Only so many steps can be open at a time.
    let ahead = (step * 40).min(Duration::from_mins(1));
    Settings { window, step, ahead, ..settings }
}

impl Counter {
    /// Without a line.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsProblem> {
        let counted =
            Counted { live: Live::new(settings)?, alarms: None, series: Vec::new(), dropped: 0 };
        Ok(Self {
            counted: Mutex::new(counted),
            asking: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
        })
    }

    /// Judges these rules from now on, before the first line.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn judge(&self, rules: Vec<Rule>) -> anyhow::Result<()> {
        let mut counted = self.lock();
        if !rules.is_empty() {
            counted.alarms = Some(Alarms::new(rules, counted.live.settings())?);
        }
        Ok(())
    }

    /// Counts these series from now on.
    ///
    /// # Errors
    /// When they cannot be counted so.
    pub fn count_series(&self, settings: Vec<SeriesSettings>) -> Result<(), SettingsProblem> {
        let series = settings.into_iter().map(|one| Ok((SeriesOf::new(one)?, Vec::new())));
        self.lock().series = series.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Takes the points of each of the series that have ended since the last time, and how many more
    /// there were than are kept.
    pub fn take_points(&self) -> (Vec<Vec<SeriesPoint>>, u64) {
        let mut counted = self.lock();
        let points = counted.series.iter_mut().map(|(_, points)| std::mem::take(points)).collect();
        (points, std::mem::take(&mut counted.dropped))
    }

    /// Ends all series.
    pub fn finish_series(&self) {
        for (series, points) in &mut self.lock().series {
            series.finish(points);
        }
    }

    /// Begins at this time, in nanoseconds since 1970, though no line has come yet: all are heard from
    /// `heard` on.
    pub fn begin(&self, now: i64, heard: i64) {
        self.with_alarms(|alarms| alarms.alerts().begin(now, heard));
        self.lock().series.iter_mut().for_each(|(series, _)| series.resume(heard));
    }

    /// Begins with files of which nobody knows what was before them.
    pub fn begin_unknown(&self) {
        self.lock().series.iter_mut().for_each(|(series, _)| series.begin_unknown());
    }

    /// Lines may be missing from now on.
    pub fn pause(&self) {
        self.with_alarms(|alarms| alarms.alerts().pause());
        self.lock().series.iter_mut().for_each(|(series, _)| series.pause());
    }

    /// No line is missing from this time on, in nanoseconds since 1970.
    pub fn resume(&self, now: i64) {
        self.with_alarms(|alarms| alarms.alerts().resume(now));
        self.lock().series.iter_mut().for_each(|(series, _)| series.resume(now));
    }

    /// No more lines will come: judges what is left.
    pub fn finish_alerts(&self) {
        self.with_alarms(Alarms::finish);
    }

    /// The latest time of a line that came too late to be counted, in nanoseconds since 1970.
    pub fn latest_late(&self) -> Option<i64> {
        self.asking.fetch_add(1, Ordering::Relaxed);
        let latest = self.lock().live.latest_late();
        self.asking.fetch_sub(1, Ordering::Relaxed);
        latest
    }

    /// Does something with the alerts, if there are rules.
    pub fn with_alarms<T: Default>(&self, with: impl FnOnce(&mut Alarms) -> T) -> T {
        self.asking.fetch_add(1, Ordering::Relaxed);
        let answer = self.lock().alarms.as_mut().map(with).unwrap_or_default();
        self.asking.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Alerts that are not ok, and `most` of what happened last.
    pub fn alerts(&self, most: usize) -> Told {
        self.with_alarms(|alarms| alarms.told(most))
    }

    /// The present round: whoever began in another one has nothing to count any more.
    pub fn round(&self) -> usize {
        self.rounds.load(Ordering::Acquire)
    }

    /// Ends the round, and then lets `forget` forget the figures: who is counting a line of the old
    /// round is waited for, and counts no other.
    pub fn end_round(&self, forget: &dyn Fn()) {
        self.asked(|_| self.rounds.fetch_add(1, Ordering::AcqRel));
        // What is read once more raises and clears nothing that it did before.
        self.with_alarms(Alarms::begin_again);
        forget();
    }

    /// Counts a line.
    pub fn take(&self, hit: &Hit<'_>) {
        self.wait_for_questions();
        self.lock().take(hit);
    }

    /// Shows a heartbeat to the rules that are about such; it is no line, and counted nowhere.
    pub fn take_heartbeat(&self, hit: &Hit<'_>) {
        self.wait_for_questions();
        if let Some(alarms) = &mut self.lock().alarms {
            alarms.take_of(Of::Heartbeats, hit);
        }
    }

    /// Counts a line, unless it is of a round that has ended.
    pub fn take_of(&self, round: usize, hit: &Hit<'_>) {
        self.wait_for_questions();
        let mut counted = self.lock();
        if self.round() == round {
            counted.take(hit);
        }
    }

    fn wait_for_questions(&self) {
        while self.asking.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
    }

    fn asked<T>(&self, ask: impl FnOnce(&mut Live) -> T) -> T {
        self.asking.fetch_add(1, Ordering::Relaxed);
        let answer = ask(&mut self.lock().live);
        self.asking.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Answers a question.
    pub fn ask(&self, question: &Question) -> Answer {
        self.asked(|live| live.ask(question))
    }

    /// Begins anew with another filter.
    pub fn set_filter(&self, filter: Option<Filter>) {
        self.asked(|live| live.set_filter(filter));
    }

    /// Counts one more dimension from now on.
    ///
    /// # Errors
    /// When there are as many as can be.
    pub fn count(&self, dimension: Dimension) -> Result<(), SettingsProblem> {
        self.asked(|live| live.count(dimension))
    }

    /// Looks back so far from now on, if that goes with the same steps; false if it does not.
    ///
    /// # Errors
    /// When a window cannot be so long.
    pub fn set_window(&self, window: Duration) -> Result<bool, String> {
        check_window(window)?;
        self.asked(|live| {
            let wanted = over(window, live.settings().clone());
            wanted.check()?;
            let is_kept = wanted.step == live.settings().step;
            if is_kept { live.set_window(wanted.window).map(|()| true) } else { Ok(false) }
        })
        .map_err(|problem: SettingsProblem| problem.to_string())
    }

    /// Begins anew with another window, and the steps that go with it.
    pub fn begin_window(&self, window: Duration) {
        self.asked(|live| {
            // They were checked before.
            if let Ok(anew) = Live::new(over(window, live.settings().clone())) {
                *live = anew;
            }
        });
    }

    /// How far it looks back.
    pub fn window(&self) -> Duration {
        self.asked(|live| live.window())
    }

    /// What moves time from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.asked(|live| live.set_pace(pace));
        self.with_alarms(|alarms| alarms.set_pace(pace));
        self.lock().series.iter_mut().for_each(|(series, _)| series.set_pace(pace));
    }

    /// Moves time to that of the clock, in nanoseconds since 1970.
    pub fn advance(&self, now: i64) {
        self.asked(|live| live.advance(now));
        self.with_alarms(|alarms| alarms.advance(now));
        for (series, points) in &mut self.lock().series {
            series.advance(now, points);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn take(&mut self, hit: &Hit<'_>) {
        self.live.take(hit);
        if let Some(alarms) = &mut self.alarms {
            alarms.take(hit);
        }
        for (series, points) in &mut self.series {
            series.take(hit, points);
            let surplus = points.len().saturating_sub(MOST_POINTS);
            points.truncate(MOST_POINTS);
            self.dropped += surplus as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use omphalos_live::NoOthers;

    use super::*;

    /// The console has windows from a minute to an hour, whichever it began with.
    #[test]
    fn every_window_can_follow_every_other() {
        let windows = [60, 120, 300, 900, 3600].map(Duration::from_secs);
        for first in windows {
            let counter = Counter::new(over(first, Settings::default())).unwrap();
            for window in windows {
                let hit =
                    Hit { time: 1_795_349_700_000_000_000, others: &NoOthers, ..Hit::default() };
                counter.take(&hit);
                if !counter.set_window(window).unwrap() {
                    counter.begin_window(window);
                }
                assert_eq!(counter.window(), window);
            }
        }
        let counter = Counter::new(over(windows[0], Settings::default())).unwrap();
        assert!(counter.set_window(Duration::from_hours(1000)).is_err());
        assert_eq!(counter.window(), windows[0]);
    }

    /// The kind: lengths that no step divides, and those for which steps that do are too many.
    #[test]
    fn a_window_of_any_length_is_made_of_whole_steps_and_never_shorter() {
        let odd = [721, 1001, 3601, 7210, 43_200, 86_400, 604_799, 604_800];
        for seconds in (1..8_000).chain(odd) {
            let asked = Duration::from_secs(seconds);
            let settings = over(asked, Settings::default());
            assert_eq!(settings.check(), Ok(()), "{seconds}");
            assert!(settings.window >= asked, "{seconds}");
            assert!(settings.window < asked + settings.step, "{seconds}: {settings:?}");
            assert!(check_window(asked).is_ok());
        }
        for exact in [720, 43_200, 86_400, 604_800].map(Duration::from_secs) {
            assert_eq!(over(exact, Settings::default()).window, exact);
        }
        let parts = over(Duration::from_millis(1500), Settings::default());
        assert_eq!(parts.window, Duration::from_secs(2));
        for refused in [0, 604_801].map(Duration::from_secs) {
            assert!(check_window(refused).unwrap_err().contains("up to 7 days"));
        }
    }

    #[test]
    fn a_window_has_a_whole_number_of_small_steps() {
        for (window, step) in [(1, 1), (60, 1), (120, 1), (125, 5), (300, 5), (3600, 30), (121, 1)]
        {
            assert_eq!(
                over(Duration::from_secs(window), Settings::default()).step,
                Duration::from_secs(step),
                "{window}"
            );
        }
    }
}
