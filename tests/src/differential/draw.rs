//! What is drawn from a seed, and the values that documents and requests are made of.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// The same seed draws the same.
pub struct Draw(SmallRng);

impl Draw {
    /// Of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// A number below another.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// True so many times of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One of several numbers or texts of JSON, as they are written.
    fn written(&mut self, of: &[&str]) -> Value {
        let text = self.pick(of);
        crate::any_value(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }
}

/// A field of the test's indices.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its path.
    pub path: &'static str,
    /// Its type.
    pub kind: &'static str,
}

/// Whole values of keywords.
const KEYWORDS: [&str; 16] = [
    "a",
    "b",
    "B",
    "alpha",
    "Alpha",
    "beta",
    "GET",
    "/api/items",
    "/api/items/7",
    "two words",
    "",
    "naïve",
    "x-1",
    "10",
    "zz*z",
    "a long keyword of some length",
];
/// Words of texts.
const WORDS: [&str; 14] = [
    "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "Error", "error", "timeout",
    "42", "a", "x-ray",
];
const LONGS: [&str; 20] = [
    "0",
    "1",
    "2",
    "3",
    "3",
    "5",
    "7",
    "-1",
    "10",
    "100",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "\"7\"",
    "3.7",
    "\"3.0\"",
    "\"\"",
    "\"9007199254740993.5\"",
    "9.223372036854775807e18",
    "-9223372036854775808.5",
];
const INTEGERS: [&str; 15] = [
    "2147483647.9",
    "127.9",
    "\"\"",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "100",
    "127",
    "-128",
    "300",
    "\"5\"",
    "40000",
    "3000000000",
];
const DOUBLES: [&str; 15] = [
    "\"\"", "0", "0.5", "1.5", "-2.25", "0.1", "0.1", "3.3", "7", "1e10", "1e300", "-1e-300",
    "\"3.5\"", "100.25", "16777217",
];
const FLOATS: [&str; 10] =
    ["0", "0.5", "1.5", "-2.25", "0.1", "3.3", "7", "1000.1", "\"3.5\"", "100.25"];
const FLAGS: [&str; 6] = ["true", "false", "\"true\"", "\"false\"", "true", "\"\""];
const DATES: [&str; 16] = [
    "\"2026-01-01\"",
    "\"2026-01-01T10:00:00Z\"",
    "\"2026-01-01T10:00:00.123Z\"",
    "\"2026-01-01T10:00:00.123456Z\"",
    "\"2026-01-01T10:00:00.123456789Z\"",
    "\"2026-01-01T12:00:00+02:00\"",
    "1767225600000",
    "\"1767225600123\"",
    "\"2026\"",
    "\"2026-02\"",
    "\"2026-01-31T23:59:59.999Z\"",
    "\"2025-12-31T23:59\"",
    "\"2026-01-15T06\"",
    "\"2024-02-29\"",
    "\"1969-12-31T23:59:59.999Z\"",
    "0",
];
const ADDRESSES: [&str; 8] = [
    "\"10.0.0.1\"",
    "\"10.0.0.2\"",
    "\"10.0.1.1\"",
    "\"192.168.1.1\"",
    "\"::1\"",
    "\"2001:db8::1\"",
    "\"::ffff:10.0.0.1\"",
    "\"255.255.255.255\"",
];
/// What hardly any field takes.
const ODD: [&str; 8] =
    ["\"garbage\"", "true", "1e400", "0.0", "{}", "[[1],[2]]", "\" 5\"", "18446744073709551615"];

/// A text of several words.
pub fn words(draw: &mut Draw, most: usize) -> String {
    let count = 1 + draw.below(most);
    (0..count).map(|_| draw.pick(&WORDS)).collect::<Vec<_>>().join(" ")
}

/// A keyword.
pub fn keyword(draw: &mut Draw) -> &'static str {
    draw.pick(&KEYWORDS)
}

/// A date as it is written in requests, of any precision.
pub fn date(draw: &mut Draw) -> Value {
    draw.written(&DATES)
}

/// A value that a field of this type may have.
pub fn value(draw: &mut Draw, kind: &str) -> Value {
    match kind {
        "keyword" | "wildcard" => json!(keyword(draw)),
        "text" => json!(words(draw, 8)),
        "long" => draw.written(&LONGS),
        "integer" | "short" | "byte" => draw.written(&INTEGERS),
        "double" => draw.written(&DOUBLES),
        "float" | "half_float" | "scaled_float" => draw.written(&FLOATS),
        "boolean" => draw.written(&FLAGS),
        "date" | "date_nanos" => date(draw),
        "ip" => draw.written(&ADDRESSES),
        other => panic!("no values of type {other}"),
    }
}

/// What stands at a field in a document: mostly a value, sometimes several, none, or what does not fit.
pub fn occurrence(draw: &mut Draw, kind: &str) -> Value {
    match draw.below(100) {
        0..=80 => value(draw, kind),
        81..=84 => Value::Null,
        85..=86 => json!([]),
        87 => json!([null]),
        88 => draw.written(&ODD),
        _ => (0..=draw.below(3)).map(|_| value(draw, kind)).collect(),
    }
}
