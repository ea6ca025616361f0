//! What consoles ask: the collectors, and how the files are that fill them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_live::{Answer, Dimension, Filter, Question};

use super::alarms::Told;
use super::counter::Counter;
use super::figures::{Feed, Figures, Reading};
use super::source::Source;

/// Sources and what is counted of them.
pub struct Watched {
    /// The collectors.
    pub counter: Arc<Counter>,
    /// Where lines come from.
    pub source: Arc<dyn Source>,
    /// What is read, for people.
    pub shown: String,
    /// Since when it is counted, where what was before cannot be counted once more.
    pub since: Mutex<Option<String>>,
}

impl Watched {
    /// Counts all lines once more, or says since when they are counted.
    fn begin_again(&self, with: &str, forget: &dyn Fn()) -> Result<(), String> {
        let reason = self.source.begin_again(forget)?;
        let since = reason.map(|reason| {
            let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
            let now = now.strftime("%H:%M:%S");
            format!("{reason}: counted from {now} on{with}")
        });
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
        Ok(())
    }
}

impl Figures for Watched {
    fn ask(&self, question: &Question) -> Answer {
        self.counter.ask(question)
    }

    fn set_filter(&self, filter: Option<Filter>) -> Result<(), String> {
        if let Some(filter) = &filter {
            self.source.check_fields(&filter.fields())?;
        }
        let with = if filter.is_some() { ", with this filter" } else { "" };
        // Also lines that were there before the filter are counted by it.
        self.begin_again(with, &|| self.counter.set_filter(filter.clone()))
    }

    fn count(&self, dimension: Dimension) -> Result<(), String> {
        self.source.check_fields(&[dimension.field()])?;
        self.counter.count(dimension).map_err(|problem| problem.to_string())
    }

    fn set_window(&self, window: Duration) -> Result<(), String> {
        if self.counter.set_window(window)? {
            return Ok(());
        }
        self.begin_again(", with this window", &|| self.counter.begin_window(window))
    }

    fn window(&self) -> Duration {
        self.counter.window()
    }

    fn alerts(&self, most: usize) -> Told {
        self.counter.alerts(most)
    }

    fn feed(&self) -> Feed {
        let sources = self.source.states();
        let lines = sources.iter().map(|source| source.lines).sum();
        let failures: u64 = sources.iter().map(|source| source.failures).sum();
        let failed = sources.iter().find_map(|source| match &source.state {
            Reading::Failed(reason) => Some(format!("{}: {reason}", source.name)),
            Reading::CatchingUp | Reading::Following | Reading::Ended => None,
        });
        let notice = match (lines, failures) {
            _ if failed.is_some() => failed,
            (0_u64, _) => Some(format!("no line has come from {} yet", self.shown)),
            (lines, failures) if failures * 2 > lines => Some(format!(
                "{failures} of {lines} lines are not of the format that was given: try --parser auto"
            )),
            _ => None,
        };
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let said = [notice, self.source.notice(), since].into_iter().flatten();
        let said: Vec<String> = said.collect();
        let notice = (!said.is_empty()).then(|| said.join("; "));
        Feed { sources, notice }
    }
}

#[cfg(test)]
mod tests {
    use omphalos_live::{Hit, NoOthers, Scope, Settings};

    use super::super::counter::over;
    use super::super::figures::SourceState;
    use super::*;

    /// A source whose lines cannot be had again, or are all there.
    struct Once(Result<Option<String>, String>);

    impl Source for Once {
        fn states(&self) -> Vec<SourceState> {
            Vec::new()
        }

        fn begin_again(&self, forget: &dyn Fn()) -> Result<Option<String>, String> {
            if self.0.is_ok() {
                forget();
            }
            self.0.clone()
        }

        fn check_fields(&self, fields: &[&str]) -> Result<(), String> {
            if fields.contains(&"host.id") { Err("host.id".to_owned()) } else { Ok(()) }
        }
    }

    fn watched(again: Result<Option<String>, String>) -> Watched {
        let window = Duration::from_mins(2);
        let counter = Counter::new(over(window, Settings::default())).unwrap();
        let hit = Hit { time: 1_795_349_700_000_000_000, others: &NoOthers, ..Hit::default() };
        counter.take(&hit);
        Watched {
            counter: Arc::new(counter),
            source: Arc::new(Once(again)),
            shown: "here".to_owned(),
            since: Mutex::default(),
        }
    }

    fn hits(watched: &Watched) -> u64 {
        match watched.ask(&Question::Summary { scope: Scope::Start }) {
            Answer::Summary(summary) => summary.hits,
            other => panic!("{other:?}"),
        }
    }

    fn filter(text: &str) -> Filter {
        Filter::new(text).unwrap()
    }

    #[test]
    fn what_cannot_be_counted_once_more_is_said_and_never_thrown_away_for_nothing() {
        let pipe = watched(Ok(Some("standard input cannot be read again".to_owned())));
        pipe.set_filter(Some(filter("status:200"))).unwrap();
        assert_eq!(hits(&pipe), 0);
        let notice = pipe.feed().notice.unwrap();
        assert!(notice.contains("standard input cannot be read again: counted from "), "{notice}");
        assert!(notice.ends_with(" on, with this filter"), "{notice}");
        pipe.set_window(Duration::from_hours(1)).unwrap();
        assert!(pipe.feed().notice.unwrap().ends_with(" on, with this window"));

        let ended = watched(Err("it has ended".to_owned()));
        assert_eq!(ended.set_filter(Some(filter("status:200"))), Err("it has ended".to_owned()));
        assert!(ended.set_window(Duration::from_hours(1)).is_err());
        assert_eq!((hits(&ended), ended.window()), (1, Duration::from_mins(2)));

        let files = watched(Ok(None));
        assert_eq!(files.set_filter(Some(filter("a host.id:b"))), Err("host.id".to_owned()));
        assert!(files.count(Dimension::named("host.id")).is_err());
        assert_eq!(hits(&files), 1);
        files.set_filter(Some(filter("status:200"))).unwrap();
        assert!(!files.feed().notice.unwrap().contains("counted from"));
    }
}
