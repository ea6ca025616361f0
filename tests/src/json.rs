//! JSON that a server may answer with and `serde_json` does not read into a [`Value`]: numbers beyond the
//! range of doubles, and objects and arrays in each other without end.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The value of a text. A number that is beyond doubles becomes the text that it is written as.
///
/// # Errors
/// For what is not JSON.
pub fn any_value(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|_| opened(serde_json::from_str(text)?))
}

fn opened(raw: &RawValue) -> serde_json::Result<Value> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let open = |(name, raw)| Ok((name, opened(raw)?));
            Value::Object(members.into_iter().map(open).collect::<serde_json::Result<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Value::Array(items.into_iter().map(opened).collect::<serde_json::Result<_>>()?)
        }
        Some(b'-' | b'0'..=b'9') => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        _ => serde_json::from_str(text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_serde_does_not_read_is_read() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let read =
            any_value(&format!(r#"{{"a":[1,1e400,-1e400,1e-400],"b":{deep},"c":"x"}}"#)).unwrap();
        assert_eq!((&read["a"], &read["c"]), (&json!([1, "1e400", "-1e400", 0.0]), &json!("x")));
        assert!(any_value("{\"a\":}").is_err());
    }
}
