//! Random queries over random documents find what they mean, by a model that looks at each document.
//! The kind of fault: parts of queries that are right alone are wrong, or panic where overflows are
//! looked for, when they are put together (an exclusion of an intersection of ranges, say).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use tantivy::collector::{Count, DocSetCollector, TopDocs};
use tempfile::TempDir;

use super::super::build::Builder;
use super::super::parse;
use crate::index::{About, Index, Operation};

/// What is in a document; its number is its place in the list.
#[derive(Debug, Clone)]
struct Content {
    numbers: Vec<i64>,
    keyword: Option<&'static str>,
    words: Vec<&'static str>,
}

impl Content {
    fn to_json(&self, number: usize) -> String {
        let mut document = json!({ "at": number, "n": self.numbers, "t": self.words.join(" ") });
        if let Some(keyword) = self.keyword {
            document["k"] = json!(keyword);
        }
        document.to_string()
    }
}

fn contents() -> impl Strategy<Value = Vec<Content>> {
    let words = proptest::sample::subsequence(vec!["a", "b", "c"], 0..3);
    let keyword = proptest::option::of(proptest::sample::select(vec!["x", "y", "z"]));
    let numbers = prop_oneof![
        3 => proptest::collection::vec(0..8_i64, 1..2),
        1 => proptest::collection::vec(0..8_i64, 0..3),
    ];
    let content = (numbers, keyword, words);
    let content = content.prop_map(|(numbers, keyword, words)| Content { numbers, keyword, words });
    proptest::collection::vec(content, 1..400)
}

/// A query that a model understands.
#[derive(Debug, Clone)]
enum Asked {
    Word(&'static str),
    Keyword(&'static str),
    Keywords(&'static str, &'static str),
    Number(i64),
    Numbers(i64, i64),
    Places(usize, usize),
    Exists(&'static str),
    Bool([Vec<Asked>; 4]),
}

fn asked() -> impl Strategy<Value = Asked> {
    let keyword = || proptest::sample::select(vec!["x", "y", "z", "w"]);
    let leaf = prop_oneof![
        proptest::sample::select(vec!["a", "b", "c", "d"]).prop_map(Asked::Word),
        keyword().prop_map(Asked::Keyword),
        (keyword(), keyword()).prop_map(|(from, to)| Asked::Keywords(from, to)),
        (0..9_i64).prop_map(Asked::Number),
        (-1..9_i64, -1..9_i64).prop_map(|(from, to)| Asked::Numbers(from, to)),
        (0..400_usize, 0..400_usize).prop_map(|(from, to)| Asked::Places(from, to)),
        proptest::sample::select(vec!["n", "k", "t", "nothing"]).prop_map(Asked::Exists),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 0..3);
        [some(), some(), some(), some()].prop_map(Asked::Bool)
    })
}

impl Asked {
    fn to_json(&self) -> Value {
        match self {
            Self::Word(word) => json!({ "match": { "t": word } }),
            Self::Keyword(keyword) => json!({ "term": { "k": keyword } }),
            Self::Keywords(from, to) => json!({ "range": { "k": { "gte": from, "lte": to } } }),
            Self::Number(number) => json!({ "term": { "n": number } }),
            Self::Numbers(from, to) => json!({ "range": { "n": { "gt": from, "lte": to } } }),
            Self::Places(from, to) => json!({ "range": { "at": { "gte": from, "lt": to } } }),
            Self::Exists(field) => json!({ "exists": { "field": field } }),
            Self::Bool(parts) => {
                let names = ["must", "filter", "should", "must_not"];
                let part = |part: &Vec<Self>| part.iter().map(Self::to_json).collect::<Vec<_>>();
                let parts = names.iter().zip(parts).map(|(name, asked)| (*name, part(asked)));
                json!({ "bool": parts.collect::<std::collections::HashMap<_, _>>() })
            }
        }
    }

    fn fits(&self, number: usize, content: &Content) -> bool {
        let fits = |asked: &Self| asked.fits(number, content);
        match self {
            Self::Word(word) => content.words.contains(word),
            Self::Keyword(keyword) => content.keyword == Some(keyword),
            Self::Keywords(from, to) => content.keyword.is_some_and(|k| (*from..=*to).contains(&k)),
            Self::Number(wanted) => content.numbers.contains(wanted),
            Self::Numbers(from, to) => content.numbers.iter().any(|n| n > from && n <= to),
            Self::Places(from, to) => (*from..*to).contains(&number),
            Self::Exists("n") => !content.numbers.is_empty(),
            Self::Exists("k") => content.keyword.is_some(),
            // A text without words is there, too.
            Self::Exists("t") => true,
            Self::Exists(_) => false,
            Self::Bool([must, filter, should, must_not]) => {
                let is_optional = !must.is_empty() || !filter.is_empty() || should.is_empty();
                must.iter().chain(filter).all(fits)
                    && !must_not.iter().any(fits)
                    && (is_optional || should.iter().any(fits))
            }
        }
    }
}

/// An index with these, in segments of so many.
fn index_of(directory: &TempDir, contents: &[Content], segment: usize) -> Arc<Index> {
    let mappings = json!({ "properties": {
        "at": { "type": "long" }, "n": { "type": "long" },
        "k": { "type": "keyword" }, "t": { "type": "text" }
    } });
    let (uuid, created, settings) = ("u".to_owned(), 0, json!({}));
    let about = About { uuid, created, mappings, settings };
    let index = Arc::new(Index::create(directory.path(), "i", &about).unwrap());
    for (part, contents) in contents.chunks(segment).enumerate() {
        let operations = contents.iter().enumerate().map(|(place, content)| {
            let number = part * segment + place;
            let body = Arc::new(content.to_json(number));
            let mapping = index.mapping();
            let read = index.read(&body, 0..body.len(), &number.to_string(), &mapping);
            Operation::Create(read.unwrap())
        });
        index.submit(operations.collect()).unwrap().wait().unwrap();
    }
    index
}

/// The numbers of the documents that a query finds, in each way of looking for them.
pub(super) fn found(index: &Index, query: &Value) -> BTreeSet<usize> {
    let searcher = index.searcher();
    let query = parse(query).unwrap();
    let built = Builder::new(index, &searcher, Timestamp::UNIX_EPOCH).build(&query).unwrap();
    let Some(built) = built else { return BTreeSet::new() };
    let found = searcher.search(&built, &DocSetCollector).unwrap();
    assert_eq!(searcher.search(&built, &Count).unwrap(), found.len());
    let best = TopDocs::with_limit(10_000).order_by_score();
    assert_eq!(searcher.search(&built, &best).unwrap().len(), found.len());
    let number = |address: tantivy::DocAddress| {
        let segment = searcher.segment_reader(address.segment_ord);
        let column = segment.fast_fields().i64("at").unwrap();
        usize::try_from(column.first(address.doc_id).unwrap()).unwrap()
    };
    found.into_iter().map(number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_query_finds_what_it_means(
        contents in contents(),
        segment in 50..500_usize,
        queries in proptest::collection::vec(asked(), 20),
    ) {
        let directory = TempDir::new().unwrap();
        let index = index_of(&directory, &contents, segment);
        for asked in queries {
            let all = contents.iter().enumerate();
            let fitting = all.filter(|(number, content)| asked.fits(*number, content));
            let expected: BTreeSet<usize> = fitting.map(|(number, _)| number).collect();
            prop_assert_eq!(found(&index, &asked.to_json()), expected, "{}", asked.to_json());
        }
    }
}

/// The queries with which it was noticed, as people type them.
#[test]
fn what_is_left_out_may_be_a_part_of_a_range() {
    let directory = TempDir::new().unwrap();
    let content = |number: i64| Content {
        numbers: vec![if number > 200 { 500 } else { 200 }],
        keyword: Some("x"),
        words: if number % 3 == 0 { vec!["a", "b"] } else { vec!["a"] },
    };
    let contents: Vec<Content> = (0..300).map(content).collect();
    let index = index_of(&directory, &contents, 300);
    for (text, count) in [
        ("t:a AND NOT (t:b AND n:>=400)", 267),
        ("t:a -(+t:b +n:>=400)", 267),
        ("t:a -(+n:[400 TO 600] +k:x)", 201),
        ("t:b -(+t:a +n:<400 +k:x)", 33),
    ] {
        let query = json!({ "query_string": { "query": text } });
        assert_eq!(found(&index, &query).len(), count, "{text}");
    }
}
