//! What the path of a container's log says, in its documents, whatever is in the line.

use serde_json::{Value, json};

use super::{LINE, read_from, with_fields};
use crate::ParserKind;
use crate::scribe::container::Container;
use crate::settings::RecipeSettings;
use crate::steps::FAILURE;
use crate::tests::Once;

const POD: &[u8] =
    b"/var/log/pods/shop_web-7d_8c4f5f0e-1b2a-4c3d-9e8f-001122334455/nginx/0.log.20261201-030000";

/// The document of a line that the program of that pod wrote.
fn of_pod(settings: &RecipeSettings, line: &str) -> Value {
    let settings = RecipeSettings { container: Container::Cri, ..settings.clone() };
    let line = format!("2026-11-22T10:00:00Z stdout F {line}");
    let (mut found, _) = read_from(POD, &settings.recipe().unwrap(), &[line.as_bytes()]);
    let document = found.pop().flatten().expect("a document");
    serde_json::from_slice::<Once>(&document).expect("no name is there twice");
    serde_json::from_slice(&document).expect("a document")
}

fn assert_is_of_pod(document: &Value) {
    for (pointer, expected) in [
        ("/orchestrator/namespace", "shop"),
        ("/kubernetes/namespace", "shop"),
        ("/kubernetes/pod/name", "web-7d"),
        ("/kubernetes/pod/uid", "8c4f5f0e-1b2a-4c3d-9e8f-001122334455"),
        ("/kubernetes/container/name", "nginx"),
    ] {
        let found = document.pointer(pointer).and_then(Value::as_str);
        assert_eq!(found, Some(expected), "{pointer}: {document}");
    }
    assert!(!document["tags"].to_string().contains(FAILURE), "{document}");
    let mut found = document.clone();
    found.as_object_mut().and_then(|members| members.remove("unmerged"));
    assert!(!found.to_string().contains("forged"), "only under `unmerged`: {document}");
}

#[test]
fn documents_of_containers_say_what_the_path_says() {
    assert_is_of_pod(&of_pod(&with_fields(ParserKind::Combined, &json!({})), LINE));
    assert_is_of_pod(&of_pod(&with_fields(ParserKind::Raw, &json!({"env": "prod"})), "x"));
    // What the operator says goes before, and nothing is asked of files that are of no container.
    let own = with_fields(ParserKind::Raw, &json!({"kubernetes": {"namespace": "mine"}}));
    let document = of_pod(&own, "x");
    assert_eq!(document["kubernetes"]["namespace"], "mine");
    assert_eq!(document["kubernetes"]["pod"]["name"], "web-7d");
    let plain = with_fields(ParserKind::Raw, &json!({})).recipe().unwrap();
    let (found, _) = read_from(POD, &plain, &[b"x"]);
    let document = String::from_utf8(found[0].clone().unwrap()).unwrap();
    assert!(!document.contains("kubernetes"), "{document}");
}

/// A program cannot pass its lines off as those of another pod.
#[test]
fn no_line_is_in_the_way_of_what_the_path_says() {
    for member in [
        r#""kubernetes":"x""#,
        r#""kubernetes":[{"pod":{"name":"forged"}},2]"#,
        r#""kubernetes":{"namespace":"forged","pod":{"name":"forged","uid":1,"labels":{"a":"b"}}}"#,
        r#""kubernetes":{"pod":"forged","container":"forged"}"#,
        r#""kubernetes.pod":"forged","kubernetes.pod.name":"forged""#,
        r#""kubernetes.pod.name":{"x":1},"kubernetes":{"pod":{"name":{"y":[{}]}}}"#,
        r#""kubernetes":{"pod":[{"name":"forged"},"x"],"container":{"name":{"a":1}}}"#,
        r#""kubernetes":{"pod":{"name":["web-7d","forged"]},"pod.uid":"forged"}"#,
        r#""kubernetes.pod":{"name":"forged"},"kubernetes":{"pod":{"name":"forged"}}"#,
        r#""kubernetes.pod.name.x":1,"kubernetes":{"pod.name":"forged"}"#,
        r#""orchestrator":null,"orchestrator.namespace":["forged"],"kubernetes":null"#,
        r#""orchestrator":{"namespace":{"a":{"b":1}}},"kubernetes":{"pod":null,"container":[1]}"#,
        r#""unmerged":{"kubernetes.pod.name":1},"kubernetes":{"pod":{"name":"forged"}}"#,
    ] {
        let line = format!(r#"{{"time":"2026-02-26T10:00:00Z",{member}}}"#);
        assert_is_of_pod(&of_pod(&with_fields(ParserKind::Json, &json!({})), &line));
    }
    for line in [
        "kubernetes=x kubernetes.pod=forged kubernetes.pod.name=forged orchestrator=y msg=z",
        "kubernetes.pod.name.x=1 kubernetes.namespace=forged orchestrator.namespace.a=2",
    ] {
        assert_is_of_pod(&of_pod(&with_fields(ParserKind::Logfmt, &json!({})), line));
    }
}
