//! What the parsers understand, and that nothing makes them fail.

mod beyond;
mod random;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::date::{Dates, Rounding, Viewpoint, iso, iso_of_milliseconds, time_zone};
use super::pattern::{Maker, Wildcard};
use super::words::{Leaf, Node, Problem, Role, What};
use super::{Kind, Minimum, lucene, parse, simple};

fn words(text: &str) -> Node {
    leaf(None, What::Words(text.to_owned()))
}

fn leaf(field: Option<&str>, what: What) -> Node {
    Node::Leaf(Leaf { field: field.map(str::to_owned), what, boost: 1.0 })
}

fn read(text: &str) -> Node {
    lucene::parse(text, false).expect("a query").expect("something")
}

#[test]
fn operators_change_what_stands_before_them() {
    use Role::{Must, MustNot, Should};
    let field = |name: &str, text: &str| leaf(Some(name), What::Words(text.to_owned()));
    let (a, b, c) = (field("f", "a"), field("f", "b"), field("f", "c"));
    let group = |parts| Node::Group(parts, 1.0);
    assert_eq!(
        read("f:a AND f:b OR f:c"),
        group(vec![(Must, a.clone()), (Must, b.clone()), (Should, c.clone())])
    );
    assert_eq!(read("f:a f:b"), group(vec![(Should, a.clone()), (Should, b.clone())]));
    assert_eq!(read("f:a && !f:b"), group(vec![(Must, a.clone()), (MustNot, b.clone())]));
    assert_eq!(read("+f:a -f:b f:c"), group(vec![(Must, a), (MustNot, b), (Should, c)]));
}

#[test]
fn words_without_anything_between_them_are_one_search() {
    assert_eq!(read("quick brown fox"), words("quick brown fox"));
    assert_eq!(read("f:(quick brown)"), leaf(Some("f"), What::Words("quick brown".to_owned())));
    let Node::Group(parts, _) = read("f:quick brown fox") else { panic!("two parts") };
    assert_eq!(parts.last().map(|(_, node)| node.clone()), Some(words("brown fox")));
}

#[test]
fn comparisons_and_ranges_have_edges() {
    let edge = |text: &str, included| Some((text.to_owned(), included));
    let range = |from, to| leaf(Some("n"), What::Range(from, to));
    assert_eq!(read("n:>=5"), range(edge("5", true), None));
    assert_eq!(read("n:<5"), range(None, edge("5", false)));
    assert_eq!(read("n:[1 TO 5}"), range(edge("1", true), edge("5", false)));
    assert_eq!(read("n:{* TO \"a b\"]"), range(None, edge("a b", true)));
}

#[test]
fn what_elasticsearch_does_not_understand_is_refused() {
    for text in ["a AND", "(a", "a)", "\"a", "f:", "AND a", "a AND OR b", "[a TO", "a\\", "f:g:h"] {
        assert_eq!(lucene::parse(text, false), Err(Problem::Syntax), "{text}");
    }
    for text in ["/a.*/", "f:/a", "a/b", "a~", "a~2"] {
        let read = lucene::parse(text, false);
        assert!(matches!(read, Err(Problem::Unsupported(_))), "{text}: {read:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let many = "(".repeat(100_000);
    assert!(lucene::parse(&many, false).is_err());
    assert!(simple::parse(&format!("{many}a{}", ")".repeat(100_000)), false).is_err());
    let deep =
        (0..40).fold(json!({ "match_all": {} }), |query, _| json!({ "bool": { "must": query } }));
    assert!(parse(&deep).is_err());
}

#[test]
fn the_minimum_is_a_number_or_a_part() {
    for (minimum, count, wanted) in [
        (Minimum::Number(2), 5, 2),
        (Minimum::Number(-2), 5, 3),
        (Minimum::Percent(70), 3, 2),
        (Minimum::Percent(-25), 5, 4),
        (Minimum::Number(-9), 5, 0),
    ] {
        assert_eq!(minimum.of(count), wanted, "{minimum:?} of {count}");
    }
}

#[test]
fn dates_are_as_precise_as_they_are_written() {
    let now: Timestamp = "2026-11-27T12:34:56.789Z".parse().unwrap();
    let view = Viewpoint { now, zone: TimeZone::UTC };
    let read = |text: &str, rounding| Dates::default().read(text, &view, rounding).map(iso);
    for (text, first, last) in [
        ("2026", "2026-01-01T00:00:00.000Z", "2026-01-01T23:59:59.999999999Z"),
        ("2026-02", "2026-02-01T00:00:00.000Z", "2026-02-01T23:59:59.999999999Z"),
        ("2026-11-27T10", "2026-11-27T10:00:00.000Z", "2026-11-27T10:59:59.999999999Z"),
        ("2026-11-27T10:00:01.5+02:00", "2026-11-27T08:00:01.500Z", "2026-11-27T08:00:01.500Z"),
        ("now", "2026-11-27T12:34:56.789Z", "2026-11-27T12:34:56.789Z"),
        ("now-1h/d", "2026-11-27T00:00:00.000Z", "2026-11-27T23:59:59.999999999Z"),
        ("now/w", "2026-11-23T00:00:00.000Z", "2026-11-29T23:59:59.999999999Z"),
        ("2024-02-29||+1y", "2025-02-28T00:00:00.000Z", "2025-02-28T00:00:00.000Z"),
        ("1795694400000", "2026-11-26T12:00:00.000Z", "2026-11-26T12:00:00.000999999Z"),
    ] {
        assert_eq!(read(text, Rounding::Down).as_deref(), Ok(first), "{text}");
        assert_eq!(read(text, Rounding::Up).as_deref(), Ok(last), "{text}");
    }
    for text in ["yesterday", "2026-13", "now-", "now+1x", "2026-11-27||", "20261127T10", ""] {
        let read = read(text, Rounding::Down);
        assert!(read.is_err() || text.ends_with('|'), "{text}: {read:?}");
    }
    assert!(time_zone("+05:30").is_some() && time_zone("Europe/Berlin").is_none());
}

/// As Elasticsearch 9.5 takes them.
#[test]
fn dates_by_a_pattern_have_each_part_as_long_as_it_says() {
    let day = "2026-01-01T00:00:00.000Z";
    for (format, good, bad) in [
        ("yyyy", "2026", &["0", "26", "123", "12345", " 2026", "2026 ", "-0001"][..]),
        ("yy", "26", &["6", "2026"]),
        ("yyyy-MM-dd", "2026-01-01", &["2026-1-1", "2026-01-01 ", "2026-01", "+026-01-01"]),
        ("MM/dd/yyyy", "01/01/2026", &["1/1/2026"]),
        ("dd.MM.yyyy HH:mm:ss", "01.01.2026 00:00:00", &["1.1.2026 0:0:0", "01.01.202600:00:00"]),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS", "2026-01-01T00:00:00.000", &["2026-01-01T00:00:00.0"]),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2026-01-01T00:00:00Z", &["2026-01-01T00:00:00+0000"]),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2026-01-01T01:00:00+01:00", &["2026-01-01T00:00:00"]),
        ("yyyy-MM-dd HH Z", "2026-01-01 01 +0100", &["2026-01-01 01 Z"]),
        ("epoch_second", "1767225600", &["+1767225600"]),
    ] {
        let dates = Dates::parse(format).unwrap();
        let read = |text| dates.read(text, &Viewpoint::default(), Rounding::Down).map(iso);
        assert_eq!(read(good).as_deref(), Ok(day), "{format}: {good}");
        for text in bad {
            assert!(read(text).is_err(), "{format}: {text:?} is {:?}", read(text));
        }
    }
    let time = Dates::parse("HH:mm").unwrap();
    let read = time.read("12:00", &Viewpoint::default(), Rounding::Down).map(iso);
    assert_eq!(read.as_deref(), Ok("1970-01-01T12:00:00.000Z"));
    let zoned = Dates::parse("yyyy-MM-dd'T'HH:mmXXX").unwrap();
    assert_eq!(zoned.print(Timestamp::UNIX_EPOCH), "1970-01-01T00:00Z");
}

/// What a pattern means, slowly.
fn matches_slowly(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((&'*', rest)), _) => {
            matches_slowly(rest, text)
                || text.split_first().is_some_and(|(_, after)| matches_slowly(pattern, after))
        }
        (Some((&'?', rest)), Some((_, after))) => matches_slowly(rest, after),
        (Some((own, rest)), Some((other, after))) => own == other && matches_slowly(rest, after),
        _ => false,
    }
}

fn wildcard(pattern: &str) -> Wildcard {
    Maker::new(&[], false).wildcard(pattern).expect("a pattern")
}

proptest! {
    #[test]
    fn wildcards_match_as_they_mean(pattern in "[ab*?é]{0,12}", text in "[abé]{0,12}") {
        let slow: (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(wildcard(&pattern).matches(text.as_bytes()), matches_slowly(&slow.0, &slow.1));
    }

    #[test]
    fn no_text_makes_a_parser_fail(text in any::<String>()) {
        drop(lucene::parse(&text, false));
        drop(lucene::parse(&text, true));
        drop(simple::parse(&text, false));
    }

    #[test]
    fn no_text_of_operators_makes_a_parser_fail(text in r#"[ab*?:()\[\]{}"+|&!~^/\\<>= -]{0,40}|(AND|OR|NOT|TO| |a|f:|\(|\)|"){0,30}"#) {
        drop(lucene::parse(&text, false));
        drop(simple::parse(&text, true));
    }

    #[test]
    fn what_is_escaped_is_itself(text in "[a-z+:()\\[\\]{}\"~^/*?-]{1,20}") {
        // With a `u` begins a character's number.
        let escape = |c| if c == 'u' { "u".to_owned() } else { format!("\\{c}") };
        let escaped: String = text.chars().map(escape).collect();
        prop_assert_eq!(read(&escaped), words(&text));
    }

    #[test]
    fn no_date_makes_the_reader_fail(text in r"(now|2026|-|/|\|\||[0-9]{1,6}|[yMwdhHms+:.TZ]){0,12}") {
        let view = Viewpoint { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC };
        drop(Dates::default().read(&text, &view, Rounding::Up));
        if let Ok(dates) = Dates::parse(&text) {
            drop(dates.read(&text, &view, Rounding::Down));
        }
    }

    #[test]
    fn no_json_makes_the_parser_fail(name in "[a-z_]{1,12}", number in any::<i64>()) {
        let names = ["bool", "term", "terms", "match", "match_phrase", "range", "exists", "prefix",
            "wildcard", "ids", "query_string", "simple_query_string", "constant_score", "match_all"];
        for query in names {
            for body in [json!({}), json!({ name.clone(): number }), json!({ name.clone(): [number] }),
                json!({ name.clone(): { name.clone(): null } }), json!([]), Value::Null] {
                drop(parse(&json!({ query: body })));
            }
        }
    }
}

#[test]
fn a_simple_query_is_never_wrong() {
    let read = |text: &str| simple::parse(text, false).expect("never wrong");
    assert_eq!(read("\" ("), None);
    assert_eq!(read("a"), Some(words("a")));
    let both = Node::Group(vec![(Role::Must, words("a")), (Role::Must, words("b"))], 1.0);
    assert_eq!(read("a + b"), Some(both.clone()));
    assert_eq!(
        read("a + b | c"),
        Some(Node::Group(vec![(Role::Should, both), (Role::Should, words("c"))], 1.0))
    );
    assert_eq!(read("pre*"), Some(leaf(None, What::Pattern("pre*".to_owned()))));
}

#[test]
fn what_all_hits_score_is_known_where_it_can_be() {
    let score = |query: Value| parse(&query).expect("a query").constant_score();
    assert_eq!(score(json!({ "bool": { "filter": { "term": { "a": 1 } } } })), Some(0.0));
    assert_eq!(score(json!({ "exists": { "field": "a", "boost": 3 } })), Some(3.0));
    assert_eq!(score(json!({ "match": { "a": "b" } })), None);
    let bool = parse(&json!({ "bool": {} })).expect("a query");
    assert!(matches!(bool.kind, Kind::Bool(_)));
}

/// As Elasticsearch 9.5 prints them.
#[test]
fn dates_of_any_year_are_printed_as_elasticsearch_does() {
    for (milliseconds, expected) in [
        (-377_736_739_200_000, "-10000-01-01T00:00:00.000Z"),
        (-99_999_999_999_999, "-1199-02-15T14:13:20.001Z"),
        (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
        (-62_135_596_800_001, "0000-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+10000-01-01T00:00:00.000Z"),
        (i64::MAX, "+292278994-08-17T07:12:55.807Z"),
        (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
    ] {
        assert_eq!(iso_of_milliseconds(milliseconds), expected);
    }
}
