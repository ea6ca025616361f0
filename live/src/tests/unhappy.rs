use std::time::Duration;

use super::{SECOND, summary, top};
use crate::{
    Answer, By, Dimension, Filter, Hit, KeyId, Live, MOST_DIMENSIONS, Pace, Question, Scope,
    Settings,
};

fn hit(time: i64, path: &[u8]) -> Hit<'_> {
    Hit { time, path: Some(path), status: Some(200), bytes: Some(10), line: path, ..Hit::default() }
}

fn live(dimensions: &[Dimension]) -> Live {
    let dimensions = dimensions.to_vec();
    Live::new(Settings { dimensions, pace: Pace::Lines, ..Settings::default() }).unwrap()
}

#[test]
fn times_that_no_clock_shows_are_counted_and_end_nothing_twice() {
    let mut live = live(&[Dimension::Path]);
    for time in [i64::MAX, i64::MIN, 0, -1, SECOND, i64::MAX - 1, i64::MIN] {
        live.take(&hit(time, b"/a"));
        for scope in [Scope::Start, Scope::Window, Scope::Ended] {
            live.ask(&Question::Series { scope });
            summary(&live, scope);
        }
    }
    live.advance(i64::MAX);
    live.advance(i64::MIN);
    assert_eq!(summary(&live, Scope::Start).hits, 7);
    assert_eq!(top(&live, &Dimension::Path, By::Hits, Scope::Start, 3).rows[0].hits.value, 7);
}

#[test]
fn before_the_first_line_there_is_an_answer_to_everything() {
    let mut live = live(&[Dimension::Path]);
    live.advance(5 * SECOND);
    for scope in [Scope::Start, Scope::Window, Scope::Ended] {
        let found = summary(&live, scope);
        assert_eq!((found.hits, found.from, found.rate.hits), (0, None, 0.0));
        assert!(top(&live, &Dimension::Path, By::Latency, scope, 5).rows.is_empty());
        let Answer::Series(series) = live.ask(&Question::Series { scope }) else {
            panic!("series")
        };
        assert!(series.points.is_empty());
    }
    let dimension = Dimension::Path;
    let question = Question::Key { dimension, key: KeyId(7), lines: 3, scope: Scope::Window };
    let Answer::Key(detail) = live.ask(&question) else { panic!("key") };
    assert_eq!((detail.row.key, detail.row.hits.value), (None, 0));
}

#[test]
fn keys_of_any_bytes_and_any_length_are_counted_apart() {
    let mut live = live(&[Dimension::Path]);
    let mut long = vec![b'/'; 1 << 20];
    let other = [&long[..], b"2"].concat();
    long.push(b'1');
    for path in [&b""[..], b"\0", b"\xff", b"\xfe", "\u{fffd}".as_bytes(), &long, &other, &other] {
        live.take(&hit(SECOND, path));
    }
    let found = top(&live, &Dimension::Path, By::Hits, Scope::Window, 100);
    assert_eq!((found.keys, found.hits), (7, 8));
    assert_eq!(found.rows[0].hits.value, 2);
    assert_eq!(found.rows[0].key.as_ref().unwrap().id, live.key_id(&other));
    assert!(found.rows[0].key.as_ref().unwrap().is_cut);
    assert!(serde_json::to_string(&Answer::Top(found)).unwrap().len() < 10_000);
    let Answer::Lines { lines } = live.ask(&Question::Lines { most: 1 }) else { panic!("lines") };
    assert_eq!(lines[0].text.len(), 4096);
}

#[test]
fn quiet_time_ends_steps_by_the_clock_and_empties_the_window() {
    let settings = Settings { dimensions: vec![Dimension::Path], ..Settings::default() };
    let mut live = Live::new(settings).unwrap();
    live.advance(1_000 * SECOND);
    live.take(&hit(1_000 * SECOND, b"/a"));
    assert_eq!(summary(&live, Scope::Window).hits, 1);
    assert_eq!(summary(&live, Scope::Ended).hits, 0);
    live.advance(1_000 * SECOND);
    live.advance(1_015 * SECOND);
    assert_eq!(live.ended_at(), Some(1_005 * SECOND));
    assert_eq!(summary(&live, Scope::Ended).hits, 1);
    live.advance(1_400 * SECOND);
    assert_eq!((summary(&live, Scope::Window).hits, summary(&live, Scope::Ended).hits), (0, 0));
    assert_eq!(summary(&live, Scope::Start).hits, 1);
    // The same lines without the clock: nothing ends.
    live.set_pace(Pace::Lines);
    live.take(&hit(1_400 * SECOND, b"/a"));
    live.advance(2_000 * SECOND);
    assert_eq!(summary(&live, Scope::Window).hits, 1);
}

/// Lines that are on their way for a minute are not late, and a host whose clock is fast makes no others so.
#[test]
fn time_goes_on_from_the_newest_line_and_not_beyond_the_clock() {
    let settings = Settings { dimensions: vec![Dimension::Path], ..Settings::default() };
    let mut live = Live::new(settings).unwrap();
    for second in 0..100 {
        live.advance((1_000 + second) * SECOND);
        live.take(&hit((940 + second) * SECOND, b"/a"));
    }
    assert_eq!((summary(&live, Scope::Window).hits, summary(&live, Scope::Window).late), (100, 0));
    live.advance(1_100 * SECOND);
    live.advance(1_120 * SECOND);
    assert_eq!(live.ended_at(), Some(1_045 * SECOND));
    live.take(&hit(1_150 * SECOND, b"/fast"));
    live.take(&hit(1_119 * SECOND, b"/a"));
    let found = summary(&live, Scope::Window);
    assert_eq!((found.hits, found.late, found.ahead), (101, 0, 0));
    assert_eq!(summary(&live, Scope::Start).hits, 102);
}

#[test]
fn a_line_ahead_of_the_clock_moves_no_time() {
    let mut live = live(&[Dimension::Path]);
    live.advance(1_000 * SECOND);
    live.take(&hit(1_000 * SECOND, b"/a"));
    live.take(&hit(4_000_000 * SECOND, b"/a"));
    live.take(&hit(1_001 * SECOND, b"/a"));
    let found = summary(&live, Scope::Window);
    assert_eq!((found.hits, found.ahead, found.late), (2, 1, 0));
    assert_eq!(summary(&live, Scope::Start).hits, 3);
}

#[test]
fn a_dimension_counts_from_when_it_was_asked_for() {
    let mut live = live(&[Dimension::Path]);
    let method = Hit { method: Some(b"GET"), ..hit(10 * SECOND, b"/a") };
    live.take(&method);
    live.take(&Hit { time: 40 * SECOND, ..method });
    let question = |dimension: &Dimension| Question::Top {
        dimension: dimension.clone(),
        by: By::Hits,
        most: 5,
        least_hits: 0,
        scope: Scope::Start,
    };
    let uncounted = Answer::Uncounted { dimension: Dimension::Method };
    assert_eq!(live.ask(&question(&Dimension::Method)), uncounted);
    live.count(Dimension::Method).unwrap();
    live.count(Dimension::Method).unwrap();
    live.take(&Hit { time: 41 * SECOND, ..method });
    let found = top(&live, &Dimension::Method, By::Hits, Scope::Start, 5);
    assert_eq!((found.since, found.rows[0].hits.value), (Some(40_000), 1));
    live.stop_counting(&Dimension::Path);
    assert_eq!(live.dimensions(), [Dimension::Method]);
    // Its place is another's now, which has nothing of it.
    live.count(Dimension::Field("x.y".into())).unwrap();
    live.take(&Hit { time: 90 * SECOND, ..method });
    assert!(top(&live, &Dimension::Field("x.y".into()), By::Hits, Scope::Start, 5).rows.is_empty());
    assert_eq!(top(&live, &Dimension::Method, By::Hits, Scope::Window, 5).rows[0].hits.value, 2);
    for number in 2..MOST_DIMENSIONS {
        live.count(Dimension::Field(format!("f{number}").into())).unwrap();
    }
    let problem = live.count(Dimension::Path).unwrap_err().to_string();
    assert_eq!(problem, "dimensions: expected at most 16, found 17");
}

#[test]
fn a_filter_begins_anew() {
    let mut live = live(&[Dimension::Path]);
    live.take(&hit(10 * SECOND, b"/a"));
    live.set_filter(Some(Filter::new("path:/b").unwrap()));
    assert!(!live.take(&hit(11 * SECOND, b"/a")));
    assert!(live.take(&hit(9 * SECOND, b"/b")));
    let found = summary(&live, Scope::Start);
    assert_eq!((found.hits, found.left_out), (1, 1));
    assert_eq!(live.dimensions(), [Dimension::Path]);
}

#[test]
fn settings_that_cannot_be_used_say_why() {
    let usual = Settings::default();
    for (settings, expected) in [
        (
            Settings { step: Duration::ZERO, ..usual.clone() },
            "step: expected at least 1 ms, found 0ns",
        ),
        (
            Settings { window: Duration::from_secs(7), ..usual.clone() },
            "window: expected 1 to 720 whole steps of 5s, found 7s",
        ),
        (Settings { window: Duration::MAX, ..usual.clone() }, "window: expected"),
        (
            Settings { lateness: Duration::from_hours(1), ..usual.clone() },
            "lateness and ahead: expected",
        ),
        (Settings { capacity: 1, ..usual.clone() }, "capacity: expected 16 to 16384, found 1"),
    ] {
        let problem = Live::new(settings).unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

/// A thread is given it, and gives answers away.
#[test]
fn it_can_be_given_to_a_thread() {
    fn is_send<T: Send>() {}
    is_send::<Live>();
    is_send::<Answer>();
}

#[test]
fn questions_and_answers_are_json() {
    let question: Question =
        serde_json::from_str(r#"{"question":"top","dimension":"url.path","by":"errors","most":3}"#)
            .unwrap();
    let mut live = live(&[Dimension::Path]);
    live.take(&hit(SECOND, b"/a"));
    let answer = serde_json::to_value(live.ask(&question)).unwrap();
    assert_eq!(answer["answer"], "top");
    assert_eq!(answer["rows"][0]["key"]["text"], "/a");
    assert_eq!(answer["rows"][0]["hits"]["at_most_over"], 0);
    let id = answer["rows"][0]["key"]["id"].as_str().unwrap();
    let question = format!(r#"{{"question":"key","dimension":"path","key":"{id}","lines":1}}"#);
    let answer = live.ask(&serde_json::from_str(&question).unwrap());
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["lines"][0]["text"], "/a");
    assert!(serde_json::from_str::<KeyId>("\"x\"").is_err());
}
