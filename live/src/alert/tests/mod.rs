//! Alerts against a model that keeps every line and looks at every end of a step.

mod model;
mod properties;
mod states;
mod unhappy;

use std::time::Duration;

use super::{Limit, Measure, Of, Rule, Subject, Template};

/// A rule on the number of all lines in ten seconds, raised at ten.
fn rule(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        of: Of::Lines,
        filter: None,
        subject: Subject::All,
        measure: Measure::Hits,
        limit: Limit::AtLeast { raise: 10.0, clear: 10.0 },
        window: Duration::from_secs(10),
        wait: Duration::ZERO,
        keep: Duration::ZERO,
        least_hits: 1,
        no_data: Duration::from_mins(10),
        raises_without_data: false,
        severity: "warning".to_owned(),
        text: Template::new("{name} of {key}: {value}, limit {limit}").unwrap(),
    }
}
