//! Lines that a step drops: they are read once, they add up, and no id is another for it.

use serde_json::{Value, json};

use super::rig::{Rig, Shipped};

fn with_steps(rig: &mut Rig, steps: &Value) {
    rig.recipe().steps = serde_json::from_value(steps.clone()).unwrap();
}

/// A line with a time of its own, or without.
fn line(number: u32, is_timed: bool) -> String {
    let time = if is_timed {
        format!("\"time\":\"2026-11-22T10:00:{:02}Z\",", number % 60)
    } else {
        String::new()
    };
    format!("{{{time}\"n\":{number}}}\n")
}

#[test]
fn what_is_dropped_is_not_read_again_and_adds_up() {
    let mut rig = Rig::new(&["app.log"]);
    with_steps(&mut rig, &json!([{"step": "drop", "name": "noise", "field": "n", "pattern": "."}]));
    for number in 0..100 {
        rig.append("app.log", line(number, number % 2 == 0));
    }
    rig.start();
    rig.settle();
    rig.stop();
    let sums = rig.metrics.totals();
    assert_eq!((sums.lines, sums.dropped, sums.skipped, sums.confirmed), (100, 100, 100, 0));
    rig.append("app.log", "{\"m\":1}\n");
    rig.start();
    rig.settle();
    let sums = rig.metrics.totals();
    // Nobody confirms it here.
    assert_eq!((sums.lines, sums.dropped, sums.confirmed, sums.in_flight), (101, 100, 0, 1));
    assert_eq!(rig.lines(), ["{\"m\":1}"]);
}

#[test]
fn ids_are_what_they_are_without_steps() {
    let shipped = |steps: Value| {
        let mut rig = Rig::new(&["app.log"]);
        rig.input().logical_path = "/var/log/app.log".to_owned();
        with_steps(&mut rig, &steps);
        for number in 0..200 {
            rig.append("app.log", line(number, number % 3 == 0));
        }
        rig.start();
        rig.settle();
        let key = |one: &Shipped| {
            (one.document["n"].as_u64().unwrap(), one.id, one.document["@timestamp"].clone())
        };
        rig.shipped.iter().map(key).collect::<Vec<_>>()
    };
    let all = shipped(json!([]));
    assert_eq!(all.len(), 200);
    // Among these is the first line of the file, of whose text ids are made, and lines of whose times
    // others have theirs.
    let some = shipped(json!([
        {"step": "set", "field": "labels.a", "value": "b"},
        {"step": "drop", "field": "n", "pattern": "^([0-9]*[05]|[369])$"},
    ]));
    assert!(some.len() > 100 && some.len() < 200, "{}", some.len());
    for one in &some {
        assert!(all.contains(one), "{one:?}");
    }
}
