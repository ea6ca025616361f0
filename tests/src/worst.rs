//! The lines that cost a parser most, and make most of little: a MiB of them for each parser and each
//! joint that lines go through. What writes lines may be anybody who can send a request.

mod formats;

use std::fmt::Write as _;

pub use formats::formats;

/// So much of each.
pub const BYTES: usize = 1 << 20;

/// What a file says.
#[derive(Debug, Clone)]
pub struct Worst {
    /// What is bad about it.
    pub name: &'static str,
    /// Its lines.
    pub text: Vec<u8>,
}

/// A line that is `begin`, as many of `more` as fit, and `end`.
fn filled(begin: &str, mut more: impl FnMut(usize) -> String, end: &str) -> String {
    let mut line = begin.to_owned();
    let mut number = 0;
    while line.len() + end.len() < BYTES - 64 {
        line.push_str(&more(number));
        number += 1;
    }
    line.truncate(line.trim_end_matches(',').len());
    line + end + "\n"
}

/// A line that is `begin`, this text so often as fits, and `end`.
fn repeated(begin: &str, more: &str, end: &str) -> String {
    filled(begin, |_| more.to_owned(), end)
}

fn worst(name: &'static str, text: impl Into<Vec<u8>>) -> Worst {
    Worst { name, text: text.into() }
}

/// JSON lines.
pub fn json() -> Vec<Worst> {
    [json_names(), json_levels(), json_texts()].concat()
}

/// Names that clash, or are none.
fn json_names() -> Vec<Worst> {
    let long = "A".repeat(BYTES / 2);
    let alternating = format!("{{\"{long}\":{{");
    let mut around = String::new();
    for level in 0..28 {
        write!(around, "{{\"{level}{}\":", "b".repeat(10_000)).expect("a string takes it");
    }
    vec![
        worst("one name", repeated("{\"a\":0", ",\"a\":1", "}")),
        worst("a name of ours", repeated("{\"log\":{\"file\":0", ",\"file\":1", "}}")),
        worst(
            "names of ours with dots",
            filled("{\"log\":{", |n| format!("\"file.{n}\":1,"), "}}"),
        ),
        worst("dotted names of ours", filled("{", |n| format!("\"host.name.a{n}\":1,"), "}")),
        worst("dotted names", filled("{", |n| format!("\"a.b.c{n}\":1,"), "}")),
        worst("odd names", filled("{\"x\":{", |n| format!("\"a..{n}\":1,"), "}}")),
        worst("odd names of ours", filled("{\"event\":{", |n| format!("\".{n}\":1,"), "}}")),
        worst(
            "odd names below a long one",
            filled(&format!("{{\"{long}\":{{"), |n| format!("\".{n}\":1,"), "}}"),
        ),
        worst(
            "odd names below a long one of ours",
            filled(&format!("{{\"http\":{{\"{long}\":{{"), |n| format!("\".{n}\":1,"), "}}}"),
        ),
        worst(
            "paths in turns",
            filled(&alternating, |n| format!("\"\":{n},\"a{n}\":{{\"\":1}},"), "}}"),
        ),
        worst(
            "odd names in long ones",
            filled(&(around.clone() + "{"), |n| format!("\" {n}.\":1,"), &"}".repeat(29)),
        ),
        worst(
            "the same names at the bottom",
            filled(&(around + "{"), |n| format!("\"{}\":1,", n % 5000), &"}".repeat(29)),
        ),
    ]
}

/// Objects and arrays in each other.
fn json_levels() -> Vec<Worst> {
    let deep = BYTES / 8;
    vec![
        worst("objects", "{\"a\":".repeat(deep) + "1" + &"}".repeat(deep) + "\n"),
        worst(
            "objects with a name twice",
            "{\"a\":1,\"a\":".repeat(BYTES / 16) + "1" + &"}".repeat(BYTES / 16) + "\n",
        ),
        worst(
            "arrays",
            "{\"error\":".to_owned() + &"[".repeat(deep) + "{}" + &"]".repeat(deep) + "}\n",
        ),
        worst(
            "arrays for tags",
            "{\"tags\":".to_owned() + &"[".repeat(deep) + &"]".repeat(deep) + "}\n",
        ),
        worst(
            "arrays in arrays, with objects",
            "{\"http\":".to_owned()
                + &"[".repeat(30)
                + repeated("{\"request\":1}", ",[{\"request\":{}},1]", &("]".repeat(30) + "}"))
                    .trim_end()
                + "\n",
        ),
        worst("values and objects", repeated("{\"user\":[1", ",{},1", "]}")),
        worst("objects for texts", repeated("{\"message\":{\"a\":[\"\"", ",\"\\\"\"", "]}}")),
        worst(
            "what is put aside",
            repeated("{\"unmerged\":{\"b\":1,\"b\":[1", ",{\"c\":1,\"c\":2}", "]}}"),
        ),
    ]
}

/// Texts, numbers, and many of anything.
fn json_texts() -> Vec<Worst> {
    vec![
        worst("quotes", repeated("{\"a\":\"", "\\\"", "\"}")),
        worst("escapes", repeated("{\"a\":\"", "\\u0001", "\"}")),
        worst("escapes in names", filled("{\"x\":{", |n| format!("\"\\u0001\\n{n}\":1,"), "}}")),
        worst("halves of characters", repeated("{\"a\":\"", "\\ud800", "\"}")),
        worst("colons in a text", repeated("{\"a\":{\"b\":\"", "\\\":", "\"}}")),
        worst("texts", repeated("{\"a\":[\"\"", ",\":\"", "]}")),
        worst("tiny members", filled("{", |n| format!("\"{n:x}\":0,"), "}")),
        worst("tiny members inside", filled("{\"x\":{\"\":1,", |n| format!("\"{n:x}\":0,"), "}}")),
        worst("a long number", repeated("{\"time\":1", "0", "}")),
        worst("long numbers", repeated("{\"a\":[1", &(",1".to_owned() + &"0".repeat(999)), "]}")),
        worst("a long time", repeated("{\"@timestamp\":\"2026-11-22T10:00:00.", "1", "\"}")),
        worst("tags", repeated("{\"tags\":[1", ",1", "]}")),
        worst("tags that are none", repeated("{\"tags\":[{}", ",1", "]}")),
        worst("blanks", repeated("{\"a\":{", " ", "\"\":1}}")),
        worst("an end that never comes", repeated("{\"a\":{", "\"a\":{", "")),
        worst("a text", repeated("", "x", "")),
    ]
}

/// Access lines, for all three of their parsers.
pub fn access() -> Vec<Worst> {
    const HEAD: &str = "192.0.2.1 - - [22/Nov/2026:12:15:00 +0100] ";
    let request =
        |more: &str| repeated(&format!("{HEAD}\"GET /"), more, " HTTP/1.1\" 200 1 \"-\" \"-\"");
    vec![
        worst("brackets", repeated("", " [", "")),
        worst("times that are none", repeated("", " [22/Nov/2026:12:15:0]", "")),
        worst("quotes", repeated(HEAD, "\"", "")),
        worst("quotes and blanks", repeated(HEAD, "\" ", "")),
        worst(
            "quotes behind a request",
            repeated(&format!("{HEAD}\"GET / HTTP/1.1\" 200 1 "), "\"x", ""),
        ),
        worst("quotes in a request", request("\"x")),
        worst("escaped quotes", request("\\\"")),
        worst("backslashes", request("\\")),
        worst("ends of requests", repeated(&format!("{HEAD}\"GET /"), " HTTP/1.1\"", " 2")),
        worst("ends with a status", repeated(&format!("{HEAD}\"GET /"), " HTTP/1.1\" 200", "")),
        worst("schemes", request("://")),
        worst("users", request("u:@")),
        worst("queries", request("?#")),
        worst("percent signs", request("%2")),
        worst("control characters", request("\u{1}")),
        worst("escaped control characters", request("\\x01")),
        worst("proxies", repeated("", "192.0.2.1, ", HEAD)),
        worst("words", repeated("", "a ", HEAD)),
        worst("a name", repeated("CORP\\\\", "a ", HEAD)),
        worst("colons", repeated("", ":", &format!(" - - {}", HEAD.get(14..).unwrap_or_default()))),
        worst("blanks", repeated(HEAD, " ", "\"GET / HTTP/1.1\" 200 1")),
        worst("digits", repeated(&format!("{HEAD}\"GET / HTTP/1.1\" 200 "), "1", "")),
    ]
}

/// W3C files.
pub fn w3c() -> Vec<Worst> {
    let columns = |name: &str| format!("#Fields:{}\n", format!(" {name}").repeat(256));
    let many =
        |names: &str, row: &str| names.to_owned() + &row.repeat((BYTES - names.len()) / row.len());
    let each = |name: &str| {
        let names: Vec<String> = (0..256).map(|n| format!(" {name}{n}")).collect();
        names.concat()
    };
    let (all, long) = (each("c"), each(&"c".repeat(90)));
    let rows = "- ".repeat(255) + "1\n";
    let full = "1 ".repeat(255) + "1\n";
    vec![
        worst("one column", many("", &columns("a"))),
        worst("one column of ours", many("", &columns("date"))),
        worst("columns of ours", many("", &columns("x(y)"))),
        worst("a long directive", filled("#Fields:", |n| format!(" c{n}"), "")),
        worst("a long column", repeated("#Fields: ", "c", "")),
        worst("many columns", many(&format!("#Fields:{all}\n"), &full)),
        worst("many columns of one name", many(&columns("a"), &full)),
        worst("many empty columns", many(&format!("#Fields:{all}\n"), &rows)),
        worst("long columns", many(&format!("#Fields:{long}\n"), &full)),
        worst("many values", repeated("#Fields: a b\n", "1 ", "")),
        worst("gaps", repeated("#Fields: a b\n1", " ", "1")),
        worst("quotes", repeated("#Fields: a b\n", "\"", "")),
        worst("quoted gaps", repeated("#Fields: a b\n", "\" ", "")),
        worst("a long date", {
            let date = format!("#Date: {}\n#Fields: time c-ip\n", "1".repeat(BYTES / 2));
            many(&date, "10:00:00 192.0.2.1\n")
        }),
        worst("pluses", repeated("#Fields: cs(User-Agent) a\n", "+", " 1")),
        worst("percent signs", repeated("#Fields: x-edge-a cs(User-Agent)\n1\t", "%41%2", "")),
        worst("control characters", repeated("#Fields: cs-uri a\n", "\u{1}", " 1")),
        worst("a URL", repeated("#Fields: cs-uri cs-host\n", "://a@", " h")),
    ]
}

/// Text, whatever it is in.
pub fn raw() -> Vec<Worst> {
    vec![
        worst("control characters", repeated("", "\u{1}", "")),
        worst("quotes", repeated("", "\"", "")),
        worst(
            "what is no text",
            vec![0xff; BYTES - 1].into_iter().chain([b'\n']).collect::<Vec<_>>(),
        ),
        worst(
            "half characters",
            b"a\xc3".repeat(BYTES / 2 - 1).into_iter().chain([b'\n']).collect::<Vec<_>>(),
        ),
        worst("padding", repeated("", "a\0\0\0\0\0\0\0\0", "")),
        worst("little padding", repeated("", "a\0\0\0\0\0\0\0", "")),
        worst("line feeds", "a\n".repeat(BYTES / 2)),
        worst("empty lines", "\n".repeat(BYTES)),
    ]
}

/// Lines of Docker's.
pub fn docker() -> Vec<Worst> {
    vec![
        worst("pieces", "{\"log\":\"a\"}\n".repeat(BYTES / 12)),
        worst("escapes", repeated("{\"log\":\"", "\\u0001", "\\n\"}")),
        worst("attributes", repeated("{\"log\":\"a\\n\",\"attrs\":", "[", "")),
        worst("members", repeated("{\"log\":\"a\\n\"", ",\"attrs\":1", "}")),
    ]
}

/// Lines of the interface for Kubernetes.
pub fn cri() -> Vec<Worst> {
    vec![
        worst("pieces", "2026-11-22T10:00:00Z stdout P a\n".repeat(BYTES / 32)),
        worst("streams in turns", "t stdout P a\nt stderr P b\n".repeat(BYTES / 26)),
        worst("a tag", repeated("t stdout F", ":", " a")),
        worst("blanks", repeated("t stdout F", " ", "")),
    ]
}

/// Lines that are joined, or nearly.
pub fn joined() -> Vec<Worst> {
    vec![
        worst("indented", "a\n".to_owned() + &" \n".repeat(BYTES / 2 - 1)),
        worst("frames", "a\n".to_owned() + &"\tat a\n".repeat(BYTES / 6 - 1)),
        worst("an exception", repeated("", "a.Error$", "")),
        worst("causes", "a.Error\n".to_owned() + &"Caused by: \n".repeat(BYTES / 12 - 1)),
        worst("panics", repeated("thread '", " panicked at", "")),
        worst("goroutines", repeated("goroutine ", "(.", "]:")),
    ]
}

/// A MiB of lines as programs write them.
pub fn usual(line: &str) -> Vec<u8> {
    line.repeat(BYTES / line.len()).into_bytes()
}

/// The same text in UTF-16, low bytes first.
pub fn utf_16(text: &[u8]) -> Vec<u8> {
    let units = text.iter().take(BYTES / 2 - 1).flat_map(|byte| [*byte, 0]);
    units.chain(*b"\n\0").collect()
}

/// Documents as others send them to the indexer, and those that they make hard to read.
pub fn documents() -> Vec<Worst> {
    let lines = |one: &str| one.repeat(BYTES / one.len());
    let mut documents = json();
    documents.push(worst("times", repeated("{\"time\":1", ",\"time\":1", "}")));
    documents.push(worst("tags of others", repeated("{\"tags\":1", ",\"tags\":[1]", "}")));
    documents.push(worst("nearly empty ones", lines("{\"event.dataset\":\"abcde\"}\n")));
    documents
}
