//! The store and Elasticsearch take the same documents, and refuse the same: then the second form, which
//! the indexer sends of what was refused, is that of both or of none, and a document does not depend on
//! who was asked. Each document stands in one of two tables; both servers have to say what it says.

use omphalos_tests::{Elastic, Embedded, Stack, any_value};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// Fields that Elasticsearch keeps for itself.
const OF_THE_SERVER: [&str; 12] = [
    "_data_stream_timestamp",
    "_field_names",
    "_id",
    "_ignored",
    "_ignored_source",
    "_index",
    "_index_mode",
    "_nested_path",
    "_routing",
    "_seq_no",
    "_source",
    "_version",
];

/// Those of modules that the Elasticsearch of the tests does not have, and all distributions do.
const OF_ITS_MODULES: [&str; 2] = ["_feature", "_tier"];

/// What looks like them, and is a field like others.
const LIKE_THEM: [&str; 8] =
    ["_own", "_type", "_uid", "_all", "_score", "_meta", "__soft_deletes", "_recovery_source"];

/// Names that are none, or that have a part which is none.
const ODD: [&str; 9] = ["", " ", ".", "..", "a..b", ".x", "a. .b", "\\t", "\\u2003"];

/// Names that are odd, but names.
const NAMES: [&str; 9] = ["x.", "x..", "\\u00a0", " x", "x ", "x. b", "\\u0000", "*", "'"];

/// Numbers that are more, or closer to 0, than doubles can tell, and long ones.
fn numbers() -> Vec<String> {
    let short =
        ["1e400", "-1e400", "1e-400", "-1e-400", "1.8e308", "1E+400", "1e99999999999999999999"];
    let long =
        ["9".repeat(1000), format!("-{}", "9".repeat(1000)), format!("0.{}", "9".repeat(999))];
    short.into_iter().map(str::to_owned).chain(long).collect()
}

fn arrays(levels: usize, inside: &str) -> String {
    format!("{}{inside}{}", "[".repeat(levels), "]".repeat(levels))
}

fn objects(levels: usize, inside: &str) -> String {
    format!("{}{inside}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

/// `n` names joined by dots.
fn dotted(n: usize) -> String {
    vec!["q"; n].join(".")
}

/// Documents that are taken. `@` is a name that no other document has.
fn taken() -> Vec<String> {
    let mut all = Vec::new();
    for number in numbers() {
        for place in ["unmerged", "unmerged.x", "@", "k", "n", "d", "message", "ip", "b"] {
            all.push(format!(r#"{{"{place}":{number}}}"#));
        }
        all.push(format!(r#"{{"unmerged":{{"x":[{number}]}}}}"#));
    }
    for name in OF_THE_SERVER {
        all.push(format!(r#"{{"{name}":[]}}"#));
        all.push(format!(r#"{{"{name}":[[]]}}"#));
        all.push(format!(r#"{{"@":{{"{name}":1}}}}"#));
        all.push(format!(r#"{{"@.{name}":1}}"#));
        all.push(format!(r#"{{"unmerged":{{"{name}":{{"x":1}}}}}}"#));
    }
    for name in LIKE_THEM {
        all.push(format!(r#"{{"{name}":"x"}}"#));
    }
    for name in NAMES {
        all.push(format!(r#"{{"@":{{"{name}":1}}}}"#));
        all.push(format!(r#"{{"unmerged":{{"{name}":1}}}}"#));
    }
    for name in ODD {
        all.push(format!(r#"{{"unmerged":{{"{name}":1,"x":{{"{name}":{{"y":2}}}}}}}}"#));
    }
    for count in ["1", "2147483647", "1.0", "1e2", "[5]", "[[5]]", "[]"] {
        all.push(format!(r#"{{"_doc_count":{count}}}"#));
    }
    for levels in [1, 25, 126, 127, 128, 500, 997] {
        all.push(format!(r#"{{"unmerged":{{"x":{}}}}}"#, objects(levels, "1")));
        all.push(format!(r#"{{"unmerged.x":{}}}"#, objects(levels, "1")));
        for place in ["unmerged", "@", "k", "n"] {
            all.push(format!(r#"{{"{place}":{}}}"#, arrays(levels, "1")));
        }
    }
    all.push(format!(r#"{{"unmerged":{}}}"#, objects(999, "1")));
    all.push(format!(r#"{{"@":{}}}"#, arrays(999, "1")));
    all.push(format!(r#"{{"@":{}}}"#, objects(19, "1")));
    all.push(format!(r#"{{"@":{}}}"#, objects(18, "{}")));
    all.push(format!(r#"{{"@.{}":1}}"#, dotted(19)));
    all.push(format!(r#"{{"@.{}":{{"x":1}}}}"#, dotted(18)));
    all.extend(["{}", r#"{"@":{"a":1},"@.b":2}"#, r#"{"_primary_term":null}"#].map(str::to_owned));
    all
}

/// Documents that are refused.
fn refused() -> Vec<String> {
    let mut all = Vec::new();
    for name in OF_THE_SERVER {
        for value in
            ["1", "\"x\"", "true", "null", "{}", r#"{"x":1}"#, "[1]", "[null]", "[[],[{}]]"]
        {
            all.push(format!(r#"{{"{name}":{value}}}"#));
        }
        for (below, value) in [("x", "1"), ("x", "null"), ("x", "[]"), ("x.y", "{}")] {
            all.push(format!(r#"{{"{name}.{below}":{value}}}"#));
        }
    }
    for count in [
        "0",
        "-1",
        "1.5",
        "2147483648",
        "9223372036854775808",
        "1e400",
        "\"5\"",
        "true",
        "null",
        "{}",
        "[1,2]",
    ] {
        all.push(format!(r#"{{"_doc_count":{count}}}"#));
    }
    // A text depends on what was refused before: of this name Elasticsearch keeps the field all the same.
    for value in ["1", "1.5", "[2]"] {
        all.push(format!(r#"{{"_primary_term":{value}}}"#));
    }
    for name in ODD {
        for value in ["1", "null", "{}", "[]", r#"{"b":1}"#] {
            all.push(format!(r#"{{"{name}":{value}}}"#));
            all.push(format!(r#"{{"o":[{{"{name}":{value}}}]}}"#));
        }
    }
    for number in
        ["9".repeat(1001), format!("0.{}", "9".repeat(1000)), format!("1e-{}1", "0".repeat(999))]
    {
        for place in ["unmerged", "unmerged.x", "@", "k"] {
            all.push(format!(r#"{{"{place}":{number}}}"#));
        }
    }
    for levels in [1000, 1200, 50_000] {
        for place in ["unmerged", "unmerged.x", "@"] {
            all.push(format!(r#"{{"{place}":{}}}"#, arrays(levels, "1")));
        }
        all.push(format!(r#"{{"unmerged":{}}}"#, objects(levels, "1")));
    }
    all.push(format!(r#"{{"@":{}}}"#, objects(20, "null")));
    all.push(format!(r#"{{"@":{}}}"#, objects(19, "{}")));
    all.push(format!(r#"{{"@.{}":null}}"#, dotted(20)));
    all.push(format!(r#"{{"@.{}":{{}}}}"#, dotted(19)));
    for value in ["1", "null", "[]", "{}"] {
        all.push(format!(r#"{{"k.y":{value}}}"#));
    }
    all.extend([r#"{"k":{"y":null}}"#, r#"{"unmerged":{"a":1,"a":2}}"#].map(str::to_owned));
    all
}

/// What became of each document, as `201` or the type of the error.
fn verdicts(elastic: &Elastic, index: &str, documents: &[String]) -> Vec<String> {
    let mapping = json!({
        "settings": { "index.mapping.ignore_malformed": true, "index.mapping.total_fields.limit": 1000 },
        "mappings": { "properties": {
            "unmerged": { "type": "object", "enabled": false },
            "message": { "type": "text" }, "k": { "type": "keyword" }, "n": { "type": "long" },
            "d": { "type": "double" }, "ip": { "type": "ip" }, "b": { "type": "boolean" }
        } }
    });
    elastic.must(Method::PUT, index, &mapping);
    let lines = documents
        .iter()
        .enumerate()
        .map(|(number, document)| format!("{{\"create\":{{\"_id\":\"{number}\"}}}}\n{document}\n"));
    let client = Client::new().post(format!("{}/{index}/_bulk", elastic.url()));
    let client = client.header("Content-Type", "application/x-ndjson");
    let sent = client.body(lines.collect::<String>()).send().expect("an answer");
    let answer: Value = sent.json().expect("JSON");
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("items in {answer}"));
    let told = items.iter().map(|item| &item["create"]);
    told.map(|item| {
        item["error"]["type"].as_str().map_or(item["status"].to_string(), str::to_owned)
    })
    .collect()
}

/// With names that no other document has.
fn named(documents: Vec<String>) -> Vec<String> {
    let named = documents.into_iter().enumerate();
    named.map(|(number, document)| document.replace('@', &format!("f{number}"))).collect()
}

fn shown(document: &str) -> String {
    let beginning: String = document.chars().take(90).collect();
    format!("{beginning} ({} bytes)", document.len())
}

#[test]
fn the_store_and_elasticsearch_take_and_refuse_the_same_documents() {
    let stack = Stack::shared();
    let store = Embedded::start();
    let engines = [stack.elastic(), Elastic::new(&store.url(), stack.prefix())];
    let mut wrong = Vec::new();
    for (documents, is_taken) in [(named(taken()), true), (named(refused()), false)] {
        for elastic in &engines {
            let index = format!("{}-verdicts-{is_taken}", stack.prefix());
            let told = verdicts(elastic, &index, &documents);
            assert_eq!(told.len(), documents.len());
            for (number, (document, verdict)) in documents.iter().zip(&told).enumerate() {
                let fits = if is_taken {
                    verdict == "201" && comes_back(elastic, &index, number, document)
                } else {
                    ["document_parsing_exception", "illegal_argument_exception"]
                        .contains(&verdict.as_str())
                };
                if !fits {
                    wrong.push(format!("{}: {verdict}: {}", elastic.url(), shown(document)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether what was taken comes back.
fn comes_back(elastic: &Elastic, index: &str, number: usize, document: &str) -> bool {
    let found = elastic.must(Method::GET, &format!("{index}/_doc/{number}"), &Value::Null);
    found["_source"] == any_value(document).expect("JSON")
}

#[test]
fn names_of_modules_of_elasticsearch_are_refused_too() {
    let store = Embedded::start();
    let elastic = Elastic::new(&store.url(), "modules");
    let documents: Vec<String> = OF_ITS_MODULES
        .into_iter()
        .flat_map(|name| [format!(r#"{{"{name}":1}}"#), format!(r#"{{"{name}.x":1}}"#)])
        .collect();
    let told = verdicts(&elastic, "modules-1", &documents);
    assert!(told.iter().all(|verdict| verdict == "document_parsing_exception"), "{told:?}");
}

/// What stands under a name first says whether it is an object or a value, also where it is empty.
#[test]
fn objects_and_values_clash_alike() {
    let stack = Stack::shared();
    let store = Embedded::start();
    let objects = [
        "{}",
        r#"{"x":null}"#,
        r#"[{"x":[]}]"#,
        "[[{}]]",
        r#"{"x":{}}"#,
        r#"{"x":1}"#,
        r#"{"_id":null}"#,
    ];
    let documents: Vec<String> = objects
        .iter()
        .enumerate()
        .flat_map(|(number, object)| {
            [
                format!(r#"{{"o{number}":{object}}}"#),
                format!(r#"{{"o{number}":1}}"#),
                format!(r#"{{"o{number}":null}}"#),
                format!(r#"{{"v{number}":1}}"#),
                format!(r#"{{"v{number}":{object}}}"#),
            ]
        })
        .chain(
            [r#"{"p.x":null}"#, r#"{"p":1}"#, r#"{"q.x":[]}"#, r#"{"q":"a"}"#, r#"{"r":[]}"#]
                .map(str::to_owned),
        )
        .collect();
    let index = format!("{}-verdicts-objects", stack.prefix());
    let told = [stack.elastic(), Elastic::new(&store.url(), stack.prefix())].map(|elastic| {
        let told = verdicts(&elastic, &index, &documents);
        told.into_iter().map(|verdict| verdict == "201").collect::<Vec<bool>>()
    });
    let expected = [true, false, true, true, false].repeat(objects.len());
    let expected = [expected.as_slice(), &[true, false, true, false, true]].concat();
    for told in told {
        let wrong = documents.iter().zip(&told).zip(&expected);
        let wrong: Vec<_> = wrong.filter(|((_, told), expected)| told != expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
