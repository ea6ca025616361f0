//! The number that each line bears: lines are told apart, looked for and counted by it.

use serde_json::{Value, json};

/// What finds the line of this number: lines of access logs and events have it in their query,
/// those without a time in their text.
pub fn query(number: u64) -> Value {
    let mark = format!("n={number:08}");
    json!({ "bool": { "should": [
        { "term": { "url.query": mark } },
        { "match_phrase": { "message": mark } },
    ] } })
}

/// The fields of a document that [`number_of`] and the verdict look at.
pub const FIELDS: [&str; 3] = ["url.query", "message", "log.file.path"];

/// The number of the line that became this document; in its second form, the first is in the message.
pub fn number_of(document: &Value) -> Option<u64> {
    if let Some(first) = document["message"].as_str().filter(|text| text.starts_with('{')) {
        return number_of(&serde_json::from_str(first).ok()?);
    }
    let query = document["url"]["query"].as_str();
    let text = query.or_else(|| document["message"].as_str()?.split(' ').next())?;
    text.strip_prefix("n=")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_tells_its_number_in_both_forms() {
        let first = json!({ "url": { "query": "n=17" }, "detail": { "not": "a number" } });
        assert_eq!(number_of(&first), Some(17));
        assert_eq!(number_of(&json!({ "message": first.to_string() })), Some(17));
        assert_eq!(number_of(&json!({ "message": "n=18 and more" })), Some(18));
        assert_eq!(number_of(&json!({ "message": "{" })), None);
    }
}
