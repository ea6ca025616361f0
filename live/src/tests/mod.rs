//! Properties of the collectors against a model that keeps every line.

pub(crate) mod model;
mod properties;
mod unhappy;

use crate::{Answer, By, Dimension, Live, Question, Scope, Summary, Top};

/// A second, in nanoseconds.
const SECOND: i64 = 1_000_000_000;

fn summary(live: &Live, scope: Scope) -> Summary {
    match live.ask(&Question::Summary { scope }) {
        Answer::Summary(summary) => *summary,
        other => panic!("{other:?} is no summary"),
    }
}

fn top(live: &Live, dimension: &Dimension, by: By, scope: Scope, most: usize) -> Top {
    let dimension = dimension.clone();
    match live.ask(&Question::Top { dimension, by, most, least_hits: 0, scope }) {
        Answer::Top(top) => top,
        other => panic!("{other:?} is no top"),
    }
}
