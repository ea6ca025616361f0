//! The plugs of Elasticsearch.

use reqwest::Method;
use serde_json::{Value, json};

use super::faults::{ALL_NODES, Fault, NODES};
use super::scene::{PREFIX, Scene};
use super::storm::Storm;
use super::writer::Kind;

/// What can happen to Elasticsearch.
pub fn faults() -> Vec<Fault> {
    let mut faults = nodes();
    faults.extend(indices());
    faults
}

fn nodes() -> Vec<Fault> {
    vec![
        Fault::new(
            "an Elasticsearch node killed with -9",
            NODES,
            |scene, n| scene.search.node(n).kill(),
            |scene, n| scene.search.node(n).start(),
        ),
        Fault::new(
            "an Elasticsearch node stopped",
            NODES,
            |scene, n| scene.search.node(n).stop(),
            |scene, n| scene.search.node(n).start(),
        ),
        Fault::new(
            "an Elasticsearch node suspended",
            NODES,
            |scene, n| scene.search.node(n).suspend(),
            |scene, n| scene.search.node(n).resume(),
        ),
        Fault::new(
            "all Elasticsearch nodes killed with -9",
            ALL_NODES,
            |scene, _| (0..2).for_each(|n| scene.search.node(n).kill()),
            |scene, _| scene.search.start_all(),
        ),
        Fault::new(
            "Elasticsearch refuses with 429",
            ALL_NODES,
            |scene, _| scene.storm = Some(Storm::begin(scene.elastic().url())),
            |scene, _| {
                let refused = scene.storm.take().map_or(0, |storm| storm.refused());
                assert!(refused > 0, "the storm made Elasticsearch refuse something");
                scene.elastic().must(Method::DELETE, "storm", &Value::Null);
            },
        ),
    ]
}

fn indices() -> Vec<Fault> {
    let set = |scene: &mut Scene, value: Value| {
        scene.elastic().set("", &json!({ "index.blocks.read_only_allow_delete": value }));
    };
    let switch = |scene: &mut Scene, action: &str| {
        for index in indices_of(scene, "access") {
            scene.elastic().must(Method::POST, &format!("{index}/{action}"), &Value::Null);
        }
    };
    vec![
        Fault::new(
            "indices made read-only",
            ALL_NODES,
            move |scene, _| set(scene, json!(true)),
            move |scene, _| set(scene, Value::Null),
        ),
        Fault::new(
            "index closed while it is written",
            ALL_NODES,
            move |scene, _| switch(scene, "_close"),
            move |scene, _| switch(scene, "_open"),
        ),
        Fault::new(
            "index deleted",
            ALL_NODES,
            |scene, _| {
                scene.is_robbed = true;
                // What is in those of other sites may be of files that were deleted since.
                for index in [indices_of(scene, "access"), indices_of(scene, "jobs")].concat() {
                    scene.elastic().must(Method::DELETE, &index, &Value::Null);
                }
            },
            |_, _| {},
        ),
        Fault::new(
            "documents that do not fit the mapping",
            ALL_NODES,
            |scene, _| {
                let site = scene.sites.iter().find(|site| site.kind == Kind::Compressed);
                site.expect("a site with such lines").writer.write_misfits(100);
            },
            // The books tell whether they are all there, in their second form; meanwhile another fault
            // may keep their shipper from reading them.
            |_, _| {},
        ),
    ]
}

/// The indices of this dataset, open or closed.
fn indices_of(scene: &mut Scene, dataset: &str) -> Vec<String> {
    let path = format!("_cat/indices/{PREFIX}-{dataset}-*?format=json&expand_wildcards=all");
    let answer = scene.elastic().must(Method::GET, &path, &Value::Null);
    let indices = answer.as_array().expect("a list").iter();
    indices.map(|index| index["index"].as_str().expect("a name").to_owned()).collect()
}
