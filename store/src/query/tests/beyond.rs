//! The kind of fault: a whole number that 64 bits do not have is found by none of its digits, or by those
//! of its neighbours, because somebody has rounded it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::random::found;
use crate::index::{About, Index, Operation};

/// An index with these, whose numbers are their places in `at`.
fn index_of(directory: &TempDir, documents: &[String]) -> Arc<Index> {
    let mappings = json!({ "properties": {
        "at": { "type": "long" }, "n": { "type": "long" }, "d": { "type": "date" },
        "k": { "type": "keyword", "ignore_above": 3, "fields": { "l": { "type": "long" } } }
    } });
    let settings = json!({ "index": { "mapping.ignore_malformed": true } });
    let about = About { uuid: "u".to_owned(), created: 0, mappings, settings };
    let index = Arc::new(Index::create(directory.path(), "i", &about).unwrap());
    let operations = documents.iter().enumerate().map(|(number, document)| {
        let body = Arc::new(document.clone());
        let read = index.read(&body, 0..body.len(), &number.to_string(), &index.mapping());
        Operation::Create(read.unwrap())
    });
    index.submit(operations.collect()).unwrap().wait().unwrap();
    index
}

fn found_by(index: &Index, query: &Value) -> Vec<usize> {
    found(index, query).into_iter().collect()
}

fn assert_each_is_found_by_itself(numbers: &[String]) {
    let directory = TempDir::new().unwrap();
    // Known when the index was made, and afterwards; one of several, and beside other numbers.
    let document = |(at, number): (usize, &String)| {
        format!(
            "{{\"at\":{at},\"x\":[\"1,2\",-1.5e300],\"n\":[7,{number}],\"o\":{{\"m\":{number}}}}}"
        )
    };
    let documents: Vec<String> = numbers.iter().enumerate().map(document).collect();
    let index = index_of(&directory, &documents);
    for (at, number) in numbers.iter().enumerate() {
        for field in ["n", "o.m"] {
            for query in [
                json!({ "query_string": { "query": format!("{field}:{}", number.replace('-', "\\-")) } }),
                json!({ "term": { field: number } }),
                json!({ "match": { field: { "query": number } } }),
                json!({ "terms": { field: [number, "-12345"] } }),
            ] {
                assert_eq!(found_by(&index, &query), [at], "{query}");
            }
        }
    }
    let many: Vec<String> = (0..20).map(|more| (1000 + more).to_string()).collect();
    let all: Vec<&String> = numbers.iter().chain(&many).collect();
    let all = json!({ "terms": { "n": all } });
    assert_eq!(found_by(&index, &all).len(), numbers.len());
}

#[test]
fn whole_numbers_are_found_by_their_own_digits_only() {
    let edges = [i128::from(i64::MAX), i128::from(u64::MAX), i128::from(i64::MIN), 10_i128.pow(30)];
    let around = |edge: i128| (-2..=2).map(move |step| (edge + step).to_string());
    let mut numbers: Vec<String> = edges.into_iter().flat_map(around).collect();
    numbers.push("9".repeat(300));
    assert_each_is_found_by_itself(&numbers);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn whole_numbers_of_any_length_are_found_by_their_own_digits_only(
        numbers in proptest::collection::hash_set("-?[1-9][0-9]{0,40}", 1..12),
    ) {
        let numbers: Vec<String> = numbers.into_iter().filter(|number| number != "7").collect();
        assert_each_is_found_by_itself(&numbers);
    }
}

#[test]
fn a_document_names_the_fields_of_which_values_are_not_searchable() {
    let directory = TempDir::new().unwrap();
    let documents = [
        r#"{"at":0,"n":1,"k":"12"}"#,
        r#"{"at":1,"n":["x",18446744073709551615,2]}"#,
        r#"{"at":2,"d":"never","k":"long"}"#,
        r#"{"at":3,"k":"abc"}"#,
    ];
    let index = index_of(&directory, &documents.map(str::to_owned));
    for (query, expected) in [
        (json!({ "exists": { "field": "_ignored" } }), &[1, 2, 3][..]),
        (json!({ "term": { "_ignored": "n" } }), &[1]),
        (json!({ "terms": { "_ignored": ["d", "k"] } }), &[2]),
        (json!({ "wildcard": { "_ignored": "k*" } }), &[2, 3]),
        (json!({ "query_string": { "query": "_exists_:_ignored AND NOT _ignored:d" } }), &[1, 3]),
        (json!({ "query_string": { "query": "long" } }), &[]),
        (json!({ "exists": { "field": "d" } }), &[]),
        (json!({ "term": { "n": 2 } }), &[1]),
    ] {
        assert_eq!(found_by(&index, &query), expected, "{query}");
    }
}
