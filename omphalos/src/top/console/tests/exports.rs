//! What is written into files.

use super::{Bench, Fake};
use crate::top::console::export::{csv, json, svg, text};
use crate::top::console::theme::{Depth, Theme};

const HOSTILE: [&str; 6] = [
    "=HYPERLINK(\"http://x\",\"y\")",
    "/a,b\"c",
    "\u{1b}]0;x\u{7}",
    "<script>&amp;</svg>",
    "\u{202e}x\u{ffff}",
    "漢字",
];

fn hostile() -> Bench {
    let texts: Vec<String> = HOSTILE.map(str::to_owned).to_vec();
    let mut bench = Bench::with(Fake::hostile(&texts), |bench| {
        bench.model.dimension = omphalos_live::Dimension::User;
    });
    bench.theme = Theme::new(Depth::True, false, true);
    bench
}

#[test]
fn a_spreadsheet_reads_the_rows_and_runs_none_of_them() {
    let bench = hostile();
    let csv = csv(bench.data.rows());
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1 + HOSTILE.len(), "{csv}");
    assert!(lines[0].starts_with("key,is_cut,hits,"));
    assert!(csv.contains("\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",false,1,"), "{csv}");
    assert!(csv.contains("\"/a,b\"\"c\","), "{csv}");
    assert!(csv.contains("␛]0;x␇,"), "{csv}");
    let commas = |line: &str| {
        let mut is_quoted = false;
        let outside = line.chars().filter(|next| {
            is_quoted ^= *next == '"';
            *next == ',' && !is_quoted
        });
        outside.count()
    };
    assert!(lines.iter().all(|line| commas(line) == commas(lines[0])), "{csv}");
}

#[test]
fn json_has_what_was_answered() {
    let bench = hostile();
    let json = json(&bench.model, &bench.data, "a\u{1b}.log");
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["title"], "a\u{1b}.log");
    assert_eq!(read["summary"]["hits"], HOSTILE.len());
    assert_eq!(read["top"]["dimension"], "user");
    let names = read["top"]["rows"].as_array().unwrap();
    let names: Vec<&str> = names.iter().map(|row| row["key"]["text"].as_str().unwrap()).collect();
    assert!(HOSTILE.iter().all(|text| names.contains(text)), "{names:?}");
    assert!(!json.contains(['\u{1b}', '\u{202e}', '\u{7}']), "a terminal may show it");
}

#[test]
fn the_picture_and_the_text_are_the_screen() {
    let mut bench = hostile();
    let screen = bench.draw(100, 30);
    let text = text(&screen);
    assert_eq!(text.lines().count(), 30);
    assert!(text.contains("<script>&amp;</svg>") && text.contains("漢字"), "{text}");
    for is_light in [false, true] {
        let svg = svg(&screen, is_light);
        assert_well_formed(&svg);
        assert!(svg.contains("&lt;script&gt;&amp;amp;&lt;/svg&gt;"), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
    }
}

/// Tags are closed in order, and nothing between them could be taken for one.
fn assert_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some((before, behind)) = rest.split_once('<') {
        assert!(!before.contains('>'), "{before:?}");
        for behind in before.split('&').skip(1) {
            let entity = behind.split(';').next().unwrap();
            assert!(["amp", "lt", "gt", "quot"].contains(&entity), "{before:?}");
        }
        let (tag, behind) = behind.split_once('>').unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        rest = behind;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
    let is_allowed =
        |next: char| next == '\n' || !next.is_control() && !"\u{fffe}\u{ffff}".contains(next);
    assert!(xml.chars().all(is_allowed));
}
