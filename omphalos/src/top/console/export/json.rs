//! All that is known as JSON, as the collectors answer it.

use serde_json::json;

use crate::top::console::data::Snapshot;
use crate::top::console::model::Model;
use crate::top::text::is_harmful;

/// What is shown, and what it is about.
pub fn json(model: &Model, data: &Snapshot, title: &str) -> String {
    let sources = data.feed.sources.iter().map(|source| {
        json!({
            "name": source.name,
            "state": format!("{:?}", source.state),
            "lines": source.lines,
            "failures": source.failures,
            "dropped": source.dropped,
            "behind": source.behind,
            "silent_for_ms": u64::try_from(source.silent_for.as_millis()).unwrap_or(u64::MAX),
            "in_blocks": source.in_blocks,
        })
    });
    let document = json!({
        "title": title,
        "at": data.at,
        "filter": model.filter,
        "window_ms": u64::try_from(data.window.as_millis()).unwrap_or(u64::MAX),
        "summary": data.summary,
        "series": data.series,
        "top": data.top,
        "key": data.detail,
        "lines": data.lines,
        "sources": sources.collect::<Vec<_>>(),
        "notice": data.feed.notice,
    });
    let mut text = harmless(&format!("{document:#}"));
    text.push('\n');
    text
}

/// Outside of ASCII, what could harm a terminal stands inside of strings, where it can be escaped.
fn harmless(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' || !is_harmful(character) {
            safe.push(character);
            continue;
        }
        let mut units = [0; 2];
        let units = character.encode_utf16(&mut units).iter();
        safe.extend(units.map(|unit| format!("\\u{unit:04x}")));
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_as_it_was() {
        let texts = ["a\u{1b}[2J\u{9b}\u{202e}\u{7f}\u{e0001}ä漢\"\\", "\n"];
        let json = harmless(&format!("{:#}", json!(texts)));
        assert!(!json.chars().any(|next| is_harmful(next) && next != '\n'), "{json:?}");
        let read: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(read, texts);
    }
}
