//! The pages of the manual are what the code does: `OMPHALOS_UPDATE_MANUAL=1` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{PAGES, Page, ecs, type_of};
use crate::tests::{stripped, texts};
use crate::{ParserKind, TimeRule};

/// The document of a sample, without what all have.
fn document(page: &Page) -> Value {
    let format = match page.format {
        Some(text) => page.kind.format_of(text, &TimeRule::default()).unwrap(),
        None => page.kind.format(),
    };
    let lines: Vec<&[u8]> = page.sample.iter().map(|line| line.as_bytes()).collect();
    stripped(serde_json::from_str(texts(format, &lines, false).last().unwrap()).unwrap())
}

/// The names of all fields of an object, with dots.
fn names(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                names(value, &path, out);
            }
        }
        _ => out.push(path.to_owned()),
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/parsers")
}

fn text_of(page: &Page) -> String {
    let name = page.kind.name();
    let mut out = format!("# {name}\n\n");
    let marks = page.kind.marks();
    let dataset = page.kind.default_dataset();
    writeln!(
        out,
        "Lines: {marks}. `event.dataset` is `{dataset}` unless the table says otherwise.\n"
    )
    .unwrap();
    if let Some(format) = page.format {
        writeln!(out, "With `format = '{format}'` in the `[[monitor]]` table,\n").unwrap();
    }
    writeln!(out, "```\n{}\n```\n", page.sample.join("\n")).unwrap();
    let document = serde_json::to_string_pretty(&document(page)).unwrap();
    writeln!(
        out,
        "becomes, with what [every document has](../parser.md#what-every-document-has),\n"
    )
    .unwrap();
    writeln!(out, "```json\n{document}\n```\n").unwrap();
    writeln!(out, "| in the line | field | type |\n| --- | --- | --- |").unwrap();
    for (field, says) in page.fields.iter().copied().flatten() {
        let kind = if field.contains('*') { "as it comes" } else { type_of(field) };
        writeln!(out, "| {says} | `{field}` | {kind} |").unwrap();
    }
    out
}

fn compare(path: &Path, text: &str) {
    if std::env::var_os("OMPHALOS_UPDATE_MANUAL").is_some() {
        fs::create_dir_all(directory()).unwrap();
        fs::write(path, text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, text, "{}: OMPHALOS_UPDATE_MANUAL=1 writes it anew", path.display());
}

#[test]
fn the_manual_has_a_page_of_each_format_and_it_is_true() {
    let mut index = "# The formats\n\nMade of the code, and compared with it by a test.\n\n| `parser` | lines |\n| --- | --- |\n".to_owned();
    for page in &PAGES {
        if page.kind == ParserKind::Auto {
            continue;
        }
        let name = page.kind.name();
        writeln!(index, "| [`{name}`]({name}.md) | {} |", page.kind.marks()).unwrap();
        compare(&directory().join(format!("{name}.md")), &text_of(page));
    }
    compare(&directory().join("README.md"), &index);
}

#[test]
fn a_page_names_each_field_of_its_sample() {
    for page in &PAGES {
        let document = document(page);
        let is_clean = document
            .get("error")
            .is_none_or(|error| error["message"].is_null() || error["message"] == json!("timeout"));
        assert!(is_clean, "{}: {document}", page.kind.name());
        let mut found = Vec::new();
        names(&document, "", &mut found);
        let known: Vec<&str> =
            page.fields.iter().copied().flatten().map(|(field, _)| *field).collect();
        for name in found {
            let is_known = known.contains(&&*name)
                || known.iter().any(|field| {
                    field.strip_suffix('*').is_some_and(|start| name.starts_with(start))
                })
                || name == "tags";
            assert!(is_known, "{}: {name} is in no row", page.kind.name());
        }
    }
}

#[test]
fn fields_are_those_of_ecs_with_its_types() {
    let fields = PAGES.iter().flat_map(|page| page.fields.iter().copied().flatten());
    for (field, _) in fields.filter(|(field, _)| !field.contains('*')) {
        let (set, _) = field.split_once('.').unwrap_or((field, ""));
        let known = ecs::FIELDS.iter().find(|(name, _)| name == field);
        if !ecs::SETS.contains(&set) && known.is_none() || ecs::BESIDE.contains(field) {
            continue;
        }
        let (_, expected) = known.unwrap_or_else(|| panic!("{field} is no field of ECS"));
        let fits = match (type_of(field), *expected) {
            ("keyword" | "wildcard", "keyword" | "wildcard")
            | ("text", "match_only_text")
            // The index takes it as text: a proxy's word for an address may be none.
            | ("keyword", "ip") => true,
            (ours, theirs) => ours == theirs,
        };
        assert!(fits, "{field}: {} is {expected} in ECS", type_of(field));
    }
}

#[test]
fn every_format_has_a_page() {
    for name in ParserKind::NAMES {
        let kind = ParserKind::from_name(name).unwrap();
        assert!(super::of(kind).is_some(), "{name} has no page");
    }
}
