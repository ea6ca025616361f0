//! The manifests for Kubernetes: their settings are those of the programs, and with them the logs of a node's pods
//! are found by the names that are in their paths. That the manifests are what the API takes, `tests/lint.sh` checks.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use omphalos_common::config::from_text;
use omphalos_tests::{Program, Stack, repository};
use serde_json::json;

fn manifest(name: &str) -> String {
    let path = repository().join("packaging/kubernetes").join(name);
    fs::read_to_string(path).expect("a file of the manifests")
}

#[test]
fn the_settings_in_the_manifests_are_those_of_the_programs() {
    from_text::<omphalos_shipper::config::Settings>(&manifest("base/shipper.toml"))
        .expect("the shipper's");
    for name in ["base/indexer.toml", "example/indexer.toml"] {
        from_text::<omphalos_indexer::config::Settings>(&manifest(name)).expect(name);
    }
    // What the one names the other mounts, and what is asked serves.
    for (manifest, settings, port) in [
        (manifest("base/shipper.yaml"), manifest("base/shipper.toml"), 9186),
        (manifest("base/indexer.yaml"), manifest("base/indexer.toml"), 9187),
    ] {
        assert!(settings.contains(&format!("listen = \"0.0.0.0:{port}\"")), "{settings}");
        assert!(manifest.contains(&format!("containerPort: {port}")), "{manifest}");
        let state = settings.split('"').nth(1).expect("the state directory");
        assert!(manifest.contains(&format!("mountPath: {state}")), "{manifest}");
        assert!(settings.contains("\"/etc/omphalos/secret/broker-url\""), "{settings}");
        assert!(manifest.contains("mountPath: /etc/omphalos/secret"), "{manifest}");
    }
}

const UID: &str = "8c4f5f0e-1b2a-4c3d-9e8f-001122334455";

/// What kubelet writes below `/var/log/pods`.
struct Node {
    pods: PathBuf,
}

impl Node {
    fn path(&self, pod: &str, container: &str, file: &str) -> PathBuf {
        let directory = self.pods.join(format!("{pod}_{UID}")).join(container);
        fs::create_dir_all(&directory).expect("a directory");
        directory.join(file)
    }

    /// Lines of a container's log.
    fn lines(texts: &[&str]) -> String {
        let line = |text: &&str| format!("2026-11-22T10:00:00.5Z stdout F {text}\n");
        texts.iter().map(line).collect()
    }

    fn write(&self, pod: &str, container: &str, file: &str, texts: &[&str]) {
        fs::write(self.path(pod, container, file), Self::lines(texts)).expect("a log");
    }
}

/// The settings of the manifest, with other places for what is below the root of a node.
fn settings(stack: &Stack, node: &Node) -> PathBuf {
    let url = stack.path("broker-url");
    fs::write(&url, stack.amqp_url() + "\n").expect("a file");
    let text = manifest("base/shipper.toml")
        .replace("/var/log/pods", &node.pods.display().to_string())
        .replace("/var/lib/omphalos-shipper", &stack.path("state").display().to_string())
        .replace("/etc/omphalos/secret/broker-url", &url.display().to_string())
        .replace("0.0.0.0:9186", "127.0.0.1:0");
    let path = stack.path("shipper.toml");
    fs::write(&path, text).expect("settings");
    path
}

fn compress(path: &Path, text: &str) {
    let mut archive = GzEncoder::new(fs::File::create(path).expect("a file"), Compression::fast());
    archive.write_all(text.as_bytes()).and_then(|()| archive.finish().map(drop)).expect("gzip");
}

#[test]
fn the_logs_of_a_nodes_pods_are_found_by_the_names_in_their_paths() {
    let stack = Stack::shared();
    let node = Node { pods: stack.path("pods") };
    let access = r#"203.0.113.7 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "c""#;
    node.write("shop_web-7d", "nginx", "1.log", &[access]);
    node.write("shop_web-7d", "nginx", "1.log.20261122-100001", &[&access.replace("/ H", "/b H")]);
    let older = Node::lines(&[&access.replace("/ H", "/a H")]);
    compress(&node.path("shop_web-7d", "nginx", "1.log.20261122-095959.gz"), &older);
    node.write("shop_web-7d", "nginx", "1.log.20261122-095800.tmp", &["half of an archive"]);
    let forged = r#"{"time":"2026-11-22T10:00:00Z","msg":"x","kubernetes":{"namespace":"bank"}}"#;
    node.write("shop_app-0", "app", "0.log", &[forged]);
    node.write("omphalos_omphalos-shipper-x2", "shipper", "0.log", &["about ourselves"]);
    // The indexer declares what a shipper only looks for.
    let mut declaring = stack.indexer().start();
    declaring.wait_for_log("consuming from");
    let shipped = Program::new("omphalos-shipper", &stack.path("shipper.log"))
        .option("--config", settings(&stack, &node).display())
        .args(["--once", "--host-name", "node1"])
        .run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    let elastic = stack.elastic();
    elastic.wait_for_count(4);
    assert_eq!(declaring.terminate(), Some(0));

    let of_pod = elastic.search("kubernetes.pod.name:web\\-7d AND kubernetes.namespace:shop");
    assert_eq!(of_pod.len(), 3, "{of_pod:?}");
    for document in &of_pod {
        let expected = json!({
            "namespace": "shop",
            "pod": {"name": "web-7d", "uid": UID},
            "container": {"name": "nginx"}
        });
        assert_eq!(document["kubernetes"], expected);
        assert_eq!(document["orchestrator"], json!({"namespace": "shop"}));
        assert_eq!(document["http"]["response"]["status_code"], 200);
    }
    assert!(elastic.search("kubernetes.namespace:bank").is_empty(), "no line says who wrote it");
    let of_app = elastic.search("kubernetes.container.name:app");
    assert_eq!(of_app.len(), 1);
    assert_eq!(of_app[0]["unmerged"], json!({"kubernetes.namespace": "bank"}));
    for field in
        ["kubernetes.pod.uid", "kubernetes.namespace", "orchestrator.namespace", "container.id"]
    {
        assert_eq!(elastic.type_of(field), "keyword", "{field}");
    }
}
