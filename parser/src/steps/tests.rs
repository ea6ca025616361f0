//! Steps, on the documents of lines.

mod pods;

use omphalos_common::event::DocumentId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::settings::{StepSettings, own_fields};
use crate::ParserKind;
use crate::scribe::{Desk, Line, Origin, Recipe, Scribe};
use crate::settings::RecipeSettings;
use crate::tests::Once;
use crate::{Documents, ModuleKind, Time};

const LINE: &str = r#"203.0.113.77 - ann [26/Feb/2026:10:00:00 +0100] "GET /shop/a.html?id=7&token=abc HTTP/1.1" 404 5120 "https://e.example/?q=secret" "curl/8""#;

/// Keeps documents, and gives ids by the place of lines.
#[derive(Default)]
struct Page(Vec<Option<Vec<u8>>>);

impl Desk for Page {
    fn put(
        &mut self,
        offset: u64,
        own: Option<Time>,
        _: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        let mut out = b"before\n".to_vec();
        let mut id = [0; 16];
        let mut mixed = offset.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id[4..12].copy_from_slice(&(mixed ^ mixed >> 29).to_be_bytes());
        let is_kept =
            write(&mut out, own.unwrap_or(Time::from_seconds(0)), DocumentId::from_bytes(id));
        let document = out.strip_prefix(b"before\n").expect("only what is new changes").to_vec();
        assert_eq!(is_kept, !document.is_empty());
        self.0.push(is_kept.then_some(document));
    }
}

fn settings(parser: ParserKind, steps: &Value) -> RecipeSettings {
    let steps: Vec<StepSettings> = serde_json::from_value(steps.clone()).unwrap();
    RecipeSettings { parser, steps: steps.into(), ..RecipeSettings::default() }
}

fn read(settings: &RecipeSettings, lines: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, Scribe<()>) {
    read_by(&settings.recipe().unwrap(), lines)
}

fn read_by(recipe: &Recipe, lines: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, Scribe<()>) {
    read_from(b"/x.log", recipe, lines)
}

fn read_from(path: &[u8], recipe: &Recipe, lines: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, Scribe<()>) {
    let origin = Origin { host_name: "web1", host_id: "id", path };
    let mut scribe: Scribe<()> = recipe.scribe(origin);
    let (mut page, mut documents, mut offset) = (Page::default(), Documents::default(), 0);
    for line in lines {
        let line = Line { bytes: line, offset, is_ascii: false };
        scribe.take(line, &|| (), &mut documents, &mut page);
        offset += line.bytes.len() as u64 + 1;
    }
    (page.0, scribe)
}

/// The documents of lines, `Null` for those that are dropped.
pub(crate) fn documents(settings: &RecipeSettings, lines: &[&str]) -> Vec<Value> {
    documents_of(&settings.recipe().unwrap(), lines)
}

/// The same by settings that were checked before.
pub(crate) fn documents_of(recipe: &Recipe, lines: &[&str]) -> Vec<Value> {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    let value = |document: Option<Vec<u8>>| match document {
        Some(document) => {
            serde_json::from_slice::<Once>(&document).expect("no name is there twice");
            serde_json::from_slice(&document).expect("a document")
        }
        None => Value::Null,
    };
    read_by(recipe, &lines).0.into_iter().map(value).collect()
}

fn of_line(steps: &Value) -> Value {
    documents(&settings(ParserKind::Combined, steps), &[LINE]).remove(0)
}

#[test]
fn fields_are_set_renamed_and_left_out() {
    let document = of_line(&json!([
        {"step": "set", "field": "labels.env", "value": "prod"},
        {"step": "set", "field": "http.response.status_code", "value": 200},
        {"step": "set", "field": "labels.tiers", "value": ["a", "b"]},
        {"step": "rename", "field": "user.name", "to": "labels.user"},
        {"step": "rename", "field": "not.there", "to": "labels.none"},
        {"step": "drop_field", "fields": ["user_agent", "http.request.referrer", "nothing"]},
    ]));
    assert_eq!(document["labels"], json!({"env": "prod", "tiers": ["a", "b"], "user": "ann"}));
    assert_eq!(document["http"]["response"]["status_code"], 200);
    assert_eq!(document.get("user"), None, "nothing was left in it");
    assert_eq!(document.get("user_agent"), None);
    assert_eq!(document["http"]["request"], json!({"method": "GET"}));
    assert_eq!(document.get("tags"), None);
}

#[test]
fn what_a_step_cannot_do_is_tagged_and_loses_nothing() {
    let steps = json!([
        {"step": "set", "field": "a.b", "value": 1},
        {"step": "rename", "field": "c", "to": "d"},
    ]);
    let found = documents(
        &settings(ParserKind::Json, &steps),
        &[r#"{"time":"2026-02-26T10:00:00Z","a":5,"c":1,"d":2,"tags":["x"]}"#],
    );
    let found = &found[0];
    assert_eq!(found["a"], 5);
    assert_eq!((&found["c"], &found["d"]), (&json!(1), &json!(2)));
    assert_eq!(found["tags"], json!(["x", "step_failure"]));
}

#[test]
fn lines_are_kept_and_dropped_by_fields_and_levels() {
    let lines = [
        r#"{"level":"debug","msg":"a","status":200}"#,
        r#"{"level":"WARNING","msg":"b","status":500}"#,
        r#"{"msg":"c","list":["x","y"]}"#,
        r#"{"level":"fatal","msg":"d","status":null}"#,
    ];
    for (step, kept) in [
        (json!({"step": "keep", "level": "warn"}), [false, true, true, true]),
        (json!({"step": "drop", "level": "debug"}), [false, true, true, true]),
        (json!({"step": "drop", "level": "fatal"}), [false, false, true, false]),
        (json!({"step": "keep", "field": "status", "pattern": "^5"}), [false, true, false, false]),
        (json!({"step": "drop", "field": "status"}), [false, false, true, true]),
        (json!({"step": "drop", "field": "list", "pattern": "^y$"}), [true, true, false, true]),
        (json!({"step": "keep", "field": "log.file.path", "pattern": "x"}), [true; 4]),
    ] {
        let found = documents(&settings(ParserKind::Json, &json!([step.clone()])), &lines);
        let found: Vec<bool> = found.iter().map(|document| !document.is_null()).collect();
        assert_eq!(found, kept, "{step}");
    }
}

#[test]
fn what_is_dropped_is_counted_by_the_names_of_steps() {
    let steps = json!([
        {"step": "drop", "name": "health", "field": "message", "pattern": "^health"},
        {"step": "drop", "field": "message", "pattern": "b"},
    ]);
    let settings = settings(ParserKind::Raw, &steps);
    let lines: [&[u8]; 5] = [b"health", b"a", b"", b"b", b"health 2"];
    let (_, scribe) = read(&settings, &lines);
    let counts = &scribe.counts;
    let dropped: Vec<(&str, u64)> =
        counts.dropped.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(dropped, [("health", 2), ("drop", 1)]);
    assert_eq!((counts.lines, counts.documents, counts.empty), (5, 1, 1));
    let recipe = settings.recipe().unwrap();
    let names = recipe.finish.steps.unwrap().dropping();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["health", "drop"]);
}

#[test]
fn a_sample_is_the_same_whenever_lines_are_read() {
    let lines: Vec<String> = (0..4000).map(|number| format!("line {number}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let kept = |steps: &Value| {
        let found = documents(&settings(ParserKind::Raw, steps), &lines);
        found.iter().map(|document| !document.is_null()).collect::<Vec<_>>()
    };
    let count = |kept: &[bool]| kept.iter().filter(|is_kept| **is_kept).count();
    let tenth = kept(&json!([{"step": "sample", "one_of": 10}]));
    assert_eq!(
        tenth,
        kept(&json!([{"step": "set", "field": "x", "value": 1}, {"step": "sample", "one_of": 10}]))
    );
    assert!((300..500).contains(&count(&tenth)), "{}", count(&tenth));
    let some =
        kept(&json!([{"step": "sample", "one_of": 10, "field": "message", "pattern": "7$"}]));
    assert!((3600..3700).contains(&count(&some)), "{}", count(&some));
}

#[test]
fn everything_is_masked_but_what_a_document_is_found_by() {
    let document = of_line(&json!([{"step": "mask"}]));
    assert_eq!(document["source"], json!({"address": "203.0.113.0", "ip": "203.0.113.0"}));
    assert_eq!(document["url"]["query"], "id=***&token=***");
    assert_eq!(document["url"]["original"], "/shop/a.html?id=***&token=***");
    assert_eq!(document["http"]["request"]["referrer"], "https://e.example/?q=***");
    assert_eq!(document["log"], json!({"file": {"path": "/x.log"}, "offset": 0}));
    let found = documents(
        &settings(ParserKind::Json, &json!([{"step": "mask", "what": ["cards", "tokens"]}])),
        &[
            r#"{"pan":4111111111111111,"deep":{"list":["Bearer abcdef.123",{"x":"4111 1111 1111 1111"}]},"ip":"10.0.0.1"}"#,
        ],
    );
    assert_eq!(found[0]["pan"], 4_000_000_000_001_111_u64);
    assert_eq!(found[0]["deep"], json!({"list": ["Bearer ***", {"x": "**** **** **** 1111"}]}));
    assert_eq!(found[0]["ip"], "10.0.0.1");
}

#[test]
fn what_cannot_be_read_is_masked_too() {
    let found = documents(
        &settings(ParserKind::Combined, &json!([{"step": "mask"}])),
        &["what is 203.0.113.77 doing with 4111111111111111"],
    );
    assert_eq!(found[0]["message"], "what is 203.0.113.0 doing with ************1111");
}

#[test]
fn fields_are_hashed_split_and_taken_apart() {
    let directory = std::env::temp_dir().join(format!("omphalos-steps-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let key = directory.join("key");
    std::fs::write(&key, "0123456789abcdef\n").unwrap();
    let steps = json!([
        {"step": "hash", "fields": ["user.name", "n", "nobody"], "key_file": key},
        {"step": "split", "field": "list", "separator": ","},
        {"step": "url", "field": "link"},
    ]);
    let step = || serde_json::from_value::<Vec<StepSettings>>(steps.clone()).unwrap();
    let open = super::Steps::of_settings(&step()).unwrap_err().to_string();
    assert!(open.contains("key_file") && open.contains("chmod 600"), "{open}");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, mode).unwrap();
    let found = documents(
        &settings(ParserKind::Json, &steps),
        &[
            r#"{"user":{"name":"Hi There"},"n":5,"list":"a, b,,c","link":"https://u:pw@e.example:81/a.css?x#f"}"#,
        ],
    );
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(found[0]["user"]["name"], "158c003136e2dd83b253c011902a1f64");
    assert_eq!(found[0]["n"].as_str().unwrap().len(), 32);
    assert_eq!(found[0]["list"], json!(["a", "b", "c"]));
    assert_eq!(
        found[0]["url"],
        json!({"scheme": "https", "domain": "e.example", "username": "u", "path": "/a.css",
            "extension": "css", "query": "x", "fragment": "f", "port": 81})
    );
}

#[test]
fn steps_that_cannot_be_used_are_refused_by_name() {
    for (step, expected) in [
        (
            json!({"step": "set", "field": "host.name", "value": "x"}),
            "(set): field: host.name is what the document says of itself",
        ),
        (json!({"step": "drop_field", "fields": ["event"]}), "(drop_field): fields: event is what"),
        (
            json!({"step": "rename", "field": "a", "to": "@timestamp"}),
            "(rename): to: @timestamp is what",
        ),
        (
            json!({"step": "rename", "field": "a", "to": "http.request"}),
            "(rename): to: http.request is no field",
        ),
        (
            json!({"step": "set", "field": "source.port", "value": "x"}),
            "(set): source.port is Long in the index",
        ),
        (
            json!({"step": "set", "field": "url", "value": "x"}),
            "(set): url is an object in the index",
        ),
        (
            json!({"step": "set", "field": "a..b", "value": "x"}),
            "(set): field: expected the name of a field",
        ),
        (json!({"step": "set", "field": "a"}), "(set): expected `value`, found none"),
        (json!({"step": "set", "field": "a", "value": 1, "to": "b"}), "(set): expected no `to`"),
        (json!({"step": "keep"}), "(keep): expected `field`"),
        (
            json!({"step": "drop", "field": "a", "pattern": "("}),
            "(drop): pattern: regex parse error",
        ),
        (
            json!({"step": "drop", "field": "a", "pattern": "(a{1000}){1000}"}),
            "(drop): pattern: Compiled regex exceeds size limit",
        ),
        (json!({"step": "drop", "level": "loud"}), "(drop): level: expected trace, debug,"),
        (json!({"step": "sample", "one_of": 1}), "(sample): one_of: expected 2 or more"),
        (
            json!({"step": "hash", "fields": ["source.ip"], "key_file": "/k"}),
            "(hash): fields: source.ip is no text in the index",
        ),
        (
            json!({"step": "hash", "fields": ["user.name"], "key_file": "/nothing"}),
            "(hash): key_file: /nothing: cannot read it",
        ),
        (
            json!({"step": "split", "field": "a", "separator": ""}),
            "(split): separator: expected a text",
        ),
    ] {
        let error = settings(ParserKind::Raw, &json!([step])).recipe().map(drop).unwrap_err();
        let error = error.to_string();
        let start = format!("monitor.step, number 1 {expected}");
        assert!(error.starts_with(&start), "{step}: {error}");
    }
}

#[test]
fn a_step_that_nobody_knows_is_refused_with_those_that_there_are() {
    let unknown = serde_json::from_value::<StepSettings>(json!({"step": "explode"}));
    assert!(unknown.unwrap_err().to_string().contains("expected one of `set`, `rename`"));
    let name = json!([{"step": "drop", "field": "a", "name": "empty"}]);
    let error = settings(ParserKind::Raw, &name).recipe().map(drop).unwrap_err().to_string();
    assert!(error.contains("(drop): name: expected up to 64 letters"), "{error}");
}

fn with_fields(parser: ParserKind, fields: &Value) -> RecipeSettings {
    RecipeSettings {
        parser,
        fields: serde_json::from_value(fields.clone()).unwrap(),
        ..RecipeSettings::default()
    }
}

#[test]
fn fields_of_ones_own_are_in_all_documents() {
    let fields = json!({"env": "prod", "labels": {"team": "web", "n": 3}});
    let found = documents(&with_fields(ParserKind::Combined, &fields), &[LINE, "not one"]);
    for document in &found {
        assert_eq!(
            (&document["env"], &document["labels"]),
            (&json!("prod"), &json!({"team": "web", "n": 3}))
        );
    }
    assert_eq!(found[1]["tags"][0], "parse_failure");
    let found = documents(
        &with_fields(ParserKind::Json, &fields),
        &[r#"{"env":"forged","labels":{"team":"red","x":1},"time":"2026-02-26T10:00:00Z"}"#],
    );
    assert_eq!(found[0]["env"], "prod");
    assert_eq!(found[0]["labels"], json!({"team": "web", "x": 1, "n": 3}));
    assert_eq!(found[0]["unmerged"], json!({"env": "forged", "labels.team": "red"}));
    let found = documents(
        &with_fields(
            ParserKind::Combined,
            &json!({"host": {"role": "edge"}, "user": {"name": "x"}}),
        ),
        &[LINE],
    );
    assert_eq!(found[0]["host"], json!({"name": "web1", "id": "id", "role": "edge"}));
    assert_eq!(
        (&found[0]["user"]["name"], &found[0]["unmerged"]),
        (&json!("x"), &json!({"user.name": "ann"}))
    );
}

#[test]
fn fields_of_ones_own_that_cannot_be_used_are_refused_by_name() {
    for (fields, expected) in [
        (json!({"host": {"name": "x"}}), "fields: a name: host.name is what"),
        (json!({"url": "x"}), "fields: url is an object"),
        (json!({"a": {"b": 1}, "a.b": 2}), "fields: a.b is there twice"),
        (json!({"": 1}), "fields: a name: expected the name of a field"),
        (json!({"a": [[1]]}), "fields: a: expected a text, a number"),
    ] {
        let table = serde_json::from_value(fields.clone()).unwrap();
        let error = own_fields(&table).map(drop).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{fields}: {error}");
    }
}

#[test]
fn a_module_adds_what_its_dashboards_ask_for() {
    let settings = RecipeSettings {
        parser: ParserKind::Combined,
        module: Some(ModuleKind::Nginx),
        ..RecipeSettings::default()
    };
    let found = documents(&settings, &[LINE, "not one"]);
    assert_eq!(
        found[0]["event"],
        json!({"dataset": "nginx.access", "kind": "event", "category": ["web"], "type": ["access"],
            "module": "nginx", "outcome": "failure"})
    );
    assert_eq!(
        found[0]["data_stream"],
        json!({"type": "logs", "dataset": "nginx.access", "namespace": "default"})
    );
    assert_eq!(found[0]["host"], json!({"name": "web1", "id": "id", "hostname": "web1"}));
    assert_eq!(found[0]["related"], json!({"ip": ["203.0.113.77"], "user": ["ann"]}));
    assert_eq!(found[0]["url"]["extension"], "html");
    assert_eq!(
        found[1]["event"],
        json!({"dataset": "nginx.access", "kind": "event", "category": ["web"], "module": "nginx"})
    );
    let refused = RecipeSettings { parser: ParserKind::Klog, ..settings };
    let error = refused.recipe().map(drop).unwrap_err().to_string();
    assert!(error.starts_with("monitor.module: expected none unless"), "{error}");
}

/// All steps that change documents, but for the hash.
fn many() -> Value {
    json!([
        {"step": "set", "field": "labels.env", "value": "prod"},
        {"step": "url"},
        {"step": "split", "field": "url.query", "separator": "&"},
        {"step": "rename", "field": "url.query", "to": "a.b"},
        {"step": "mask"},
        {"step": "drop_field", "fields": ["user_agent", "c"]},
        {"step": "sample", "one_of": 3},
        {"step": "drop", "field": "message", "pattern": "x{3}"},
    ])
}

proptest! {
    #[test]
    fn whatever_is_in_a_line_the_document_stays_one(
        line in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "\\{(\"[a-e.]{1,3}\":(\"[0-9.:a\\\\\\\\u\"]{0,6}\"|1|\\{\"[a-c.]\":[0-9]\\}|\\[1,\"?a=b\"\\]),){0,5}\"z\":4111111111111111\\}".prop_map(String::into_bytes),
            Just(LINE.as_bytes().to_vec()),
        ],
        parser in prop_oneof![Just(ParserKind::Json), Just(ParserKind::Combined), Just(ParserKind::Logfmt), Just(ParserKind::Raw)],
        module in any::<bool>(),
    ) {
        let fields = json!({"a": {"z": 1}, "e": "x", "labels": {"l": true}});
        let is_web = parser == ParserKind::Combined;
        let settings = RecipeSettings {
            module: (module && is_web).then_some(ModuleKind::Apache),
            fields: serde_json::from_value(fields).unwrap(),
            keep_original: module,
            ..settings(parser, &many())
        };
        let (found, _) = read(&settings, &[&line]);
        for document in found.into_iter().flatten() {
            prop_assert!(document.ends_with(b"\n"));
            prop_assert_eq!(document.iter().position(|byte| *byte == b'\n'), Some(document.len() - 1));
            let once = serde_json::from_slice::<Once>(&document);
            prop_assert!(once.is_ok(), "{}: {:?}", String::from_utf8_lossy(&document), once.err());
            let read: Value = serde_json::from_slice(&document).unwrap();
            prop_assert_eq!(&read["host"]["name"], "web1");
            prop_assert!(!read["@timestamp"].is_null());
        }
    }
}
