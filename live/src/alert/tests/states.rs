//! What becomes of one alert, by a table.

use std::time::Duration;

use crate::alert::state::{Change, Held, Seen, State};
use crate::alert::{Limit, Rule};

use Change::{Cleared, ClearedWithoutData, NoData, Raised};

const OVER: Seen = Seen::Over(10.0);
const BETWEEN: Seen = Seen::Between(7.0);
const WELL: Seen = Seen::Well(1.0);
const NONE: Seen = Seen::NoLines;
const UNSEEN: Seen = Seen::Unseen;

/// Raised after 2 s, cleared after 3 s, without data for 4 s.
fn slow() -> Rule {
    let seconds = Duration::from_secs;
    Rule {
        limit: Limit::AtLeast { raise: 10.0, clear: 5.0 },
        wait: seconds(2),
        keep: seconds(3),
        no_data: seconds(4),
        ..super::rule("slow")
    }
}

/// What is seen each second, what is told and when, and where the alert stands then.
type Case<'a> = (&'a [Seen], &'a [(i64, Change)], State);

/// What is seen each second, and what is told of it.
fn play(rule: &Rule, seen: &[Seen]) -> (Vec<(i64, Change)>, State) {
    let mut held = Held::default();
    let mut told = Vec::new();
    for (second, seen) in (0_i64..).zip(seen) {
        told.extend(held.judge(rule, *seen, second * 1000).map(|change| (second, change)));
    }
    (told, held.state)
}

#[test]
fn alerts_are_raised_and_cleared_with_their_delays() {
    let cases: [Case; 14] = [
        (&[WELL, BETWEEN, BETWEEN, BETWEEN], &[], State::Ok),
        (&[OVER, OVER], &[], State::Pending),
        (&[OVER, OVER, OVER], &[(2, Raised)], State::Firing),
        // Between both, what is pending is not raised, and what is raised not cleared.
        (&[OVER, OVER, BETWEEN, OVER, OVER], &[], State::Pending),
        (&[OVER, OVER, OVER, BETWEEN, BETWEEN, BETWEEN], &[(2, Raised)], State::Firing),
        (&[OVER, OVER, OVER, WELL, WELL, WELL], &[(2, Raised)], State::Recovering),
        (&[OVER, OVER, OVER, WELL, WELL, WELL, WELL], &[(2, Raised), (6, Cleared)], State::Ok),
        (&[OVER, OVER, OVER, WELL, WELL, BETWEEN, WELL, WELL], &[(2, Raised)], State::Recovering),
        (&[OVER, OVER, OVER, WELL, OVER, OVER], &[(2, Raised)], State::Firing),
        // What is not seen changes nothing, and is no value.
        (&[OVER, UNSEEN, UNSEEN], &[], State::Pending),
        (&[OVER, OVER, OVER, UNSEEN, UNSEEN, UNSEEN, UNSEEN], &[(2, Raised)], State::Firing),
        // Without lines it stays what it is, for a while.
        (&[OVER, OVER, NONE, OVER], &[], State::Pending),
        (&[OVER, OVER, OVER, NONE, NONE, NONE, NONE], &[(2, Raised)], State::Firing),
        (
            &[OVER, OVER, OVER, NONE, NONE, NONE, NONE, NONE, NONE],
            &[(2, Raised), (7, ClearedWithoutData)],
            State::Ok,
        ),
    ];
    for (seen, told, state) in cases {
        assert_eq!(play(&slow(), seen), (told.to_vec(), state), "{seen:?}");
    }
}

#[test]
fn no_data_is_an_alert_where_the_rule_says_so_and_ends_with_the_first_value() {
    let rule = Rule { raises_without_data: true, ..slow() };
    let dark = [NONE; 5];
    let cases: [Case; 4] = [
        (&[], &[(4, NoData)], State::NoData),
        (&[NONE, NONE, NONE], &[(4, NoData)], State::NoData),
        (&[UNSEEN, WELL], &[(4, NoData), (6, Cleared)], State::Ok),
        (&[OVER, OVER, OVER], &[(4, NoData), (5, Cleared), (7, Raised)], State::Firing),
    ];
    for (after, told, state) in cases {
        let seen: Vec<Seen> = dark.iter().chain(after).copied().collect();
        assert_eq!(play(&rule, &seen), (told.to_vec(), state), "{seen:?}");
    }
    let at_once = Rule { wait: Duration::ZERO, ..rule };
    let seen: Vec<Seen> = dark.into_iter().chain([OVER]).collect();
    assert_eq!(play(&at_once, &seen), (vec![(4, NoData), (5, Raised)], State::Firing));
}
