//! What Kibana's dashboards of web servers ask for, and what documents have of it.

use serde_json::{Value, json};

use super::ModuleKind;
use crate::ParserKind;
use crate::settings::RecipeSettings;
use crate::steps::settings::StepSettings;
use crate::steps::tests::documents;

/// A document has these fields.
type Asked = &'static [&'static str];

/// The fields that "[Logs Nginx]", "[Logs Apache]" and "[Logs IIS]" query, filter by, or show in their tables
/// (elastic/integrations, `packages/*/kibana`, November 2026), of access logs,
const OF_ACCESS: Asked = &[
    "@timestamp",
    "data_stream.dataset",
    "host.hostname",
    "http.request.method",
    "http.response.body.bytes",
    "http.response.status_code",
    "source.address",
    "url.original",
    "url.path",
];
/// and of error logs.
const OF_ERRORS: Asked =
    &["@timestamp", "data_stream.dataset", "host.hostname", "log.level", "message"];
/// What they ask for of access logs besides, and no line says: the steps `user_agent` and `geoip` add it.
const OF_STEPS: Asked = &[
    "source.geo.location",
    "user_agent.name",
    "user_agent.os.name",
    "user_agent.os.version",
    "user_agent.version",
];
/// What all web logs have besides, as Elastic's own do.
const OF_ALL: Asked = &[
    "data_stream.namespace",
    "data_stream.type",
    "ecs.version",
    "event.category",
    "event.dataset",
    "event.kind",
    "event.module",
    "event.type",
];

fn has(document: &Value, field: &str) -> bool {
    let found = field.split('.').try_fold(document, |object, name| object.get(name));
    found.is_some_and(|value| !value.is_null())
}

fn document(parser: ParserKind, module: ModuleKind, lines: &[&str], steps: &Value) -> Value {
    let steps: Vec<StepSettings> = serde_json::from_value(steps.clone()).expect("steps");
    let settings = RecipeSettings {
        parser,
        module: Some(module),
        steps: steps.into(),
        ..RecipeSettings::default()
    };
    documents(&settings, lines).pop().expect("a document")
}

#[test]
fn every_field_that_the_dashboards_query_is_in_a_document() {
    let combined = r#"203.0.113.7 - ann [26/Feb/2026:10:00:00 +0100] "GET /a.html?x HTTP/1.1" 200 7 "-" "Mozilla/5.0 (Windows NT 10.0; rv:109.0) Gecko/20100101 Firefox/115.0""#;
    let places = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/places/places.mmdb");
    let steps = json!([{"step": "user_agent"}, {"step": "geoip", "database": places}]);
    for (module, parser, lines, dataset, asked) in [
        (ModuleKind::Nginx, ParserKind::Combined, &[combined][..], "nginx.access", OF_ACCESS),
        (ModuleKind::Apache, ParserKind::Combined, &[combined], "apache.access", OF_ACCESS),
        (
            ModuleKind::Iis,
            ParserKind::W3c,
            &[
                "#Fields: date time s-ip cs-method cs-uri-stem c-ip cs(User-Agent) sc-status sc-bytes sc-content-len",
                "2026-02-26 10:00:00 10.0.0.1 GET /a.aspx 203.0.113.7 Mozilla/5.0+(Windows+NT+10.0;+rv:109.0)+Gecko/20100101+Firefox/115.0 200 31 7",
            ],
            "iis.access",
            OF_ACCESS,
        ),
        (
            ModuleKind::Nginx,
            ParserKind::NginxError,
            &["2026/02/26 10:00:00 [error] 54#7: *3 it broke, client: 192.0.2.7"],
            "nginx.error",
            OF_ERRORS,
        ),
        (
            ModuleKind::Apache,
            ParserKind::ApacheError,
            &[
                "[Thu Feb 26 10:00:00.123456 2026] [core:error] [pid 7:tid 99] [client 192.0.2.7:4711] AH00126: Invalid",
            ],
            "apache.error",
            OF_ERRORS,
        ),
    ] {
        let plain = document(parser, module, lines, &json!([]));
        let document = document(parser, module, lines, &steps);
        // A target that the format has in pieces is in no field as a whole.
        let is_apart = |field: &str| parser == ParserKind::W3c && field == "url.original";
        for field in asked.iter().chain(OF_ALL) {
            assert!(
                has(&document, field) || is_apart(field),
                "{dataset} has no {field}: {document}"
            );
        }
        assert_eq!(document["data_stream"]["dataset"], dataset);
        assert_eq!(document["event"]["dataset"], dataset);
        assert_eq!(document["event"]["module"], module.name());
        for field in OF_STEPS {
            assert!(!has(&plain, field), "{field} is made without a step");
            assert!(has(&document, field) || asked == OF_ERRORS, "{dataset} has no {field}");
        }
    }
}
