//! `omphalos setup`: what it makes in Elasticsearch and in Kibana, once and again, and what it takes away.

mod cluster;
mod kibana;
mod panels;

use std::collections::BTreeSet;

use omphalos_indexer::elasticsearch::{
    Client, ElasticsearchSettings, Lifecycle, TemplateOptions, install,
};
use omphalos_tests::{Exited, Program, Stack};
use reqwest::Method;
use serde_json::{Value, json};

use cluster::{Cluster, Engine};

/// `omphalos setup` for indices of this prefix.
fn setup(stack: &Stack, url: &str, arguments: &[&str]) -> Exited {
    std::fs::remove_file(stack.path("setup.log")).ok();
    Program::new("omphalos", &stack.path("setup.log"))
        .arg("setup")
        .option("--elasticsearch-url", url)
        .option("--index-prefix", stack.prefix())
        .option("--index-replicas", 0)
        .args(arguments)
        .run()
}

/// The same, to its good end; what it said.
fn done(stack: &Stack, url: &str, arguments: &[&str]) -> String {
    let exited = setup(stack, url, arguments);
    assert_eq!(exited.code, Some(0), "{arguments:?}: {}", exited.output);
    exited.output
}

fn says(output: &str, parts: &[&str]) {
    for part in parts {
        assert!(output.contains(part), "{part:?} is not in {output}");
    }
}

#[test]
fn a_template_is_made_once_and_a_newer_one_is_left_alone() {
    let stack = Stack::shared();
    let (elastic, url) = (stack.elastic(), stack.search_url());
    let path = format!("_index_template/{}", stack.prefix());
    let there = || elastic.request(Method::GET, &path, None).expect("an answer").0 == 200;

    says(&done(&stack, &url, &["--dry-run"]), &["would be installed"]);
    assert!(!there(), "a dry run installs nothing");
    says(&done(&stack, &url, &[]), &["Elasticsearch 9", "installed", "--kibana-url"]);
    assert!(there());
    says(&done(&stack, &url, &[]), &["unchanged"]);
    let changed = done(&stack, &url, &["--index-refresh-interval", "5s", "--index-shards", "2"]);
    says(&changed, &["installed"]);
    let template = elastic.must(Method::GET, &path, &Value::Null);
    let settings = &template["index_templates"][0]["index_template"]["template"]["settings"];
    assert_eq!(settings["index"]["refresh_interval"], "5000ms");
    assert_eq!(settings["index"]["number_of_shards"], "2");

    let mut newer = template["index_templates"][0]["index_template"].clone();
    newer["version"] = json!(1_000);
    for name in ["created_date_millis", "modified_date_millis", "created_date", "modified_date"] {
        newer.as_object_mut().expect("a template").remove(name);
    }
    elastic.must(Method::PUT, &path, &newer);
    let left = done(&stack, &url, &[]);
    says(&left, &["version 1000 is there, which is newer, and was left alone"]);

    let index = format!("{}-access-2026.11.22", stack.prefix());
    elastic.must(Method::PUT, &format!("{index}/_doc/1"), &json!({ "message": "a" }));
    says(&done(&stack, &url, &["--remove", "--dry-run"]), &["would be removed"]);
    assert!(there());
    says(&done(&stack, &url, &["--remove"]), &["removed", "are left where they are"]);
    assert!(!there());
    elastic.wait_for_count(1);
    says(&done(&stack, &url, &["--remove"]), &["are left where they are"]);
}

#[test]
fn a_policy_is_made_named_by_the_template_kept_by_the_indexer_and_taken_away() {
    for engine in [Engine::Elasticsearch, Engine::OpenSearch] {
        let stack = Stack::shared();
        let cluster = Cluster::start(engine);
        let run = |arguments: &[&str]| done(&stack, &cluster.url(), arguments);
        let (prefix, outliers) = (stack.prefix(), format!("{}-outliers", stack.prefix()));
        let is_elastic = engine == Engine::Elasticsearch;

        says(&run(&["--retention", "90d", "--dry-run"]), &["91 days", "would be made"]);
        assert_eq!(cluster.changes(), [""; 0], "a dry run changes nothing");
        says(&run(&["--retention", "90d"]), &["91 days after it was made: made"]);
        let policy = cluster.policy(prefix);
        assert!(policy.to_string().contains("\"91d\""), "{policy}");
        let named = |name: &str| cluster.template(name)["template"]["settings"]["index"].clone();
        if is_elastic {
            assert_eq!(named(prefix)["lifecycle"]["name"], *prefix);
            assert_eq!(named(&outliers)["lifecycle"], Value::Null, "outliers are kept");
        } else {
            assert_eq!(named(prefix)["lifecycle"], Value::Null);
            let keeps = cluster.policy(&outliers);
            assert!(!keeps.to_string().contains("delete"), "outliers are kept: {keeps}");
        }
        let attached = format!("{prefix}-*,-{prefix}-*-outlier");
        assert!(cluster.changes().iter().any(|line| line.contains(&attached)));

        // Again: the policy is not written, and the indices that are there keep theirs.
        let before = cluster.policy_writes();
        says(&run(&["--retention", "90d"]), &["unchanged"]);
        assert_eq!(cluster.policy_writes(), before);
        says(&run(&["--retention", "30d"]), &["31 days after it was made: changed"]);
        assert!(cluster.policy(prefix).to_string().contains("\"31d\""));

        // An indexer that starts knows nothing of the retention, and takes nothing away.
        let settings = ElasticsearchSettings {
            url: Some(vec![cluster.url()]),
            ..ElasticsearchSettings::default()
        };
        let options = TemplateOptions {
            prefix: prefix.to_owned(),
            shards: 3,
            replicas: None,
            refresh: None,
            lifecycle: Lifecycle::AsItIs,
            namespace: None,
        };
        let client = Client::new(&settings, false).expect("a client");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(install(&client, &options)).expect("installed");
        assert_eq!(named(prefix)["number_of_shards"], 3);
        if is_elastic {
            assert_eq!(named(prefix)["lifecycle"]["name"], *prefix);
        }

        // Without a retention, nothing is deleted any more.
        says(&run(&[]), &["lifecycle", "removed"]);
        assert_eq!(named(prefix)["lifecycle"], Value::Null);
        assert_eq!(cluster.policy(prefix), Value::Null);
        cluster.put_policy(prefix, "somebody");
        let refused = setup(&stack, &cluster.url(), &["--retention", "90d"]);
        assert_eq!(refused.code, Some(2), "{}", refused.output);
        says(&refused.output, &["omphalos setup did not make it"]);
        says(&run(&["--remove"]), &["template", "removed"]);
        assert_ne!(cluster.policy(prefix), Value::Null, "it is somebody else's");
    }
}

#[test]
fn a_privilege_that_setting_up_lacks_is_named() {
    let stack = Stack::shared();
    let cluster = Cluster::start(Engine::Elasticsearch);
    for (path, privilege) in
        [("_ilm/policy", "manage_ilm"), ("_index_template", "manage_index_templates")]
    {
        cluster.forbid(path);
        let refused = setup(&stack, &cluster.url(), &["--retention", "90d"]);
        assert_eq!(refused.code, Some(1), "{}", refused.output);
        says(&refused.output, &["forbids it", privilege]);
    }
}

#[test]
fn without_a_lifecycle_of_the_server_old_indices_are_swept_by_their_dates() {
    let stack = Stack::shared();
    let (elastic, url) = (stack.elastic(), stack.search_url());
    says(&done(&stack, &url, &["--retention", "30d"]), &["neither ILM nor ISM", "--sweep"]);
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let today = format!("access-{}", today.strftime("%Y.%m.%d"));
    let old = ["access-2020.01.31", "app-2020.w05", "json-2020.02", "fleet-2020.01.01"];
    let kept = ["access-outlier", "access", "x-2020.1.1", "access-2999.01.01", &today];
    for name in old.iter().chain(&kept) {
        let index = format!("{}-{name}", stack.prefix());
        let settings = json!({ "settings": { "number_of_replicas": 0 } });
        elastic.must(Method::PUT, &index, &settings);
    }
    let names = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| format!("{}-{name}", stack.prefix())).collect()
    };
    let there = || elastic.indices().into_keys().collect::<BTreeSet<String>>();
    let shown = done(&stack, &url, &["--sweep", "--retention", "30d", "--dry-run"]);
    says(&shown, &["4 indices older than 30 days: would be deleted"]);
    assert_eq!(there().len(), old.len() + kept.len());
    says(&done(&stack, &url, &["--sweep", "--retention", "30d"]), &["4 indices", "deleted"]);
    assert_eq!(there(), names(&kept));
    says(&done(&stack, &url, &["--sweep", "--retention", "30d"]), &["0 indices"]);
    let without = setup(&stack, &url, &["--sweep"]);
    assert_eq!(without.code, Some(2), "{}", without.output);
}
