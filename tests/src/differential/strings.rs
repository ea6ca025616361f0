//! Texts in Lucene's language.

use super::draw::{Draw, keyword, words};
use super::queries::Asking;

/// Some parts, with whatever stands between and before them.
pub fn text(asking: &Asking<'_>, draw: &mut Draw, depth: usize) -> String {
    let mut text = String::new();
    for number in 0..=draw.below(4) {
        if number > 0 {
            text.push_str(draw.pick(&[" ", " ", " AND ", " OR ", " && ", " || ", "  "]));
        }
        text.push_str(draw.pick(&["", "", "", "", "+", "-", "NOT ", "!"]));
        text.push_str(&part(asking, draw, depth));
        if draw.chance(4) {
            text.push_str("^2");
        }
    }
    text
}

fn part(asking: &Asking<'_>, draw: &mut Draw, depth: usize) -> String {
    let word = |draw: &mut Draw| if draw.chance(70) { words(draw, 1) } else { "alpha".to_owned() };
    match draw.below(16) {
        0..=3 => word(draw),
        4..=5 => format!("t:{}", words(draw, 1)),
        6 => format!("k:{}", escaped(keyword(draw))),
        7 => format!("\"{}\"{}", words(draw, 3), draw.pick(&["", "~1", "~3", "~100"])),
        8 => format!("t:\"{}\"", words(draw, 2)),
        9 if depth > 0 => format!("({})", text(asking, draw, depth - 1)),
        9..=10 if depth > 0 => format!("t:({})", text(asking, draw, 0)),
        11 => range(draw),
        12 => draw
            .pick(&[
                "_exists_:k",
                "_exists_:o",
                "t:*",
                "*",
                "*:*",
                "_exists_:d*",
                "o.\\*:a",
                "none:x",
                "n:*",
            ])
            .to_owned(),
        13 => draw
            .pick(&["t:qu*", "k:al*a", "b?own", "*o*", "k:?", "Qu*", "k:AL*", "d*:3"])
            .to_owned(),
        14 => draw
            .pick(&[
                "t:/qu.*/",
                "brwn~",
                "t:quick~1",
                "k:\\/api*",
                "k:\"two words\"",
                "n:3.0",
                "n:abc",
                "b:true",
                "ip:10.0.0.0\\/8",
                "date:2026-01-01",
            ])
            .to_owned(),
        _ => {
            let field = asking.field_of(draw, &["long", "integer", "short", "byte", "double"]);
            format!(
                "{}:{}{}",
                field.path,
                draw.pick(&["", ">", ">=", "<", "<="]),
                draw.pick(&["1", "3", "7", "\\-1", "2.5"])
            )
        }
    }
}

fn range(draw: &mut Draw) -> String {
    let (open, close) = (draw.pick(&["[", "{"]), draw.pick(&["]", "}"]));
    let (field, edges) = draw.pick(&[
        ("n", ["1", "7"]),
        ("d", ["0.1", "3.3"]),
        ("k", ["a", "beta"]),
        ("date", ["2026-01-01", "2026-01-31"]),
        ("date", ["2025", "now"]),
        ("nano", ["2026-01-01T10:00:00.123", "2026-02"]),
        ("ip", ["10.0.0.0", "10.0.0.255"]),
        ("t", ["a", "fox"]),
    ]);
    let [from, to] = edges;
    let (from, to) = (draw.pick(&[from, from, "*"]), draw.pick(&[to, to, "*"]));
    format!("{field}:{open}{from} TO {to}{close}")
}

fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    text.chars().flat_map(|c| if "/ -*".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}
