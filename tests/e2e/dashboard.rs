//! The dashboard for Grafana that the manual gives: it names nothing that no program has, and every one of its
//! expressions is asked of a real Prometheus that scrapes programs of every kind. A panel with a misspelt name is
//! empty for ever, as one of a fleet that is well often is.

use std::collections::BTreeSet;
use std::fs;

use omphalos_tests::{Prometheus, repository};
use serde_json::Value;

use crate::alerts::{metrics_in, served};

/// What Grafana puts in place of its variables.
const VARIABLES: [(&str, &str); 3] =
    [("$__rate_interval", "20s"), ("$__range", "1m"), ("$instance", ".*")];

fn dashboard() -> Value {
    let path = repository().join("docs/grafana/omphalos.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the dashboard")).expect("JSON")
}

/// The titles of panels, each with an expression of it.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        targets.iter().map(move |target| (&panel["title"], &target["expr"]))
    });
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    targets.map(|(title, expression)| (text(title), text(expression))).collect()
}

#[test]
fn the_dashboard_names_what_programs_serve_and_its_panels_stand_side_by_side() {
    let dashboard = dashboard();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() > 50, "{} expressions", expressions.len());
    let named: BTreeSet<String> =
        expressions.iter().flat_map(|(_, expression)| metrics_in(expression)).collect();
    let unknown: Vec<_> = named.difference(&served()).cloned().collect();
    // Parts of histograms are not among the names of the manual.
    let is_part = |name: &String| name.ends_with("_seconds_bucket");
    assert!(unknown.iter().all(is_part), "no program has {unknown:?}");

    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{}: its id", panel["title"]);
        let of = |name: &str| panel["gridPos"][name].as_u64().expect(name);
        for (x, y) in (0..of("w")).flat_map(|x| (0..of("h")).map(move |y| (x, y))) {
            let (x, y) = (of("x") + x, of("y") + y);
            assert!(x < 24 && taken.insert((x, y)), "{} is over another panel", panel["title"]);
        }
    }
    let manual = fs::read_to_string(repository().join("docs/operations.md")).expect("the page");
    assert!(manual.contains("grafana/omphalos.json"), "the manual names the file");
}

/// Asks a Prometheus that scrapes programs of every kind, of which some are not well.
pub fn has_something_to_show(prometheus: &Prometheus) {
    for (title, expression) in expressions(&dashboard()) {
        let query = VARIABLES
            .iter()
            .fold(expression.clone(), |query, (name, value)| query.replace(name, value));
        let samples = prometheus.samples(&query);
        let found = samples.unwrap_or_else(|problem| panic!("{title}: {expression}: {problem}"));
        assert!(found > 0, "{title}: {expression} has nothing to show");
    }
}
