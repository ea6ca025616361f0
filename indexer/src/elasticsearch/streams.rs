//! Data streams: what they are called, and the fields that say so in documents.
//! <https://www.elastic.co/docs/reference/ecs/ecs-data_stream>

use memchr::memmem;
use serde_json::json;

/// Datasets of Elastic's own dashboards. A name that is cleaned has lost its dot, and gets it back here, because
/// what is collected about them is looked for by it.
const MODULES: [&str; 3] = ["nginx", "apache", "iis"];

/// The dataset, as a data stream is called by it: a dash stands between the parts of the name.
pub fn stream_dataset(dataset: &str) -> String {
    if let Some((module, kind)) = dataset.split_once('_')
        && MODULES.contains(&module)
        && matches!(kind, "access" | "error")
    {
        return format!("{module}.{kind}");
    }
    dataset.replace('-', "_")
}

/// The data stream of a dataset (cleaned).
pub fn stream_name(dataset: &str, namespace: &str) -> String {
    format!("logs-{}-{namespace}", stream_dataset(dataset))
}

/// The document with the fields that say which data stream it is in, which `room` has then; the document as it is,
/// where it says something of that itself.
pub fn with_stream<'a>(
    document: &'a [u8],
    (dataset, namespace): (&str, &str),
    room: &'a mut Vec<u8>,
) -> &'a [u8] {
    let Some(rest) = document.strip_prefix(b"{") else { return document };
    // Nothing is parsed here: a text that has the name inside goes without the fields, which no one needs.
    if memmem::find(document, b"\"data_stream").is_some() {
        return document;
    }
    let fields =
        json!({ "type": "logs", "dataset": stream_dataset(dataset), "namespace": namespace });
    let is_empty = rest.trim_ascii_start().starts_with(b"}");
    room.clear();
    room.extend_from_slice(format!("{{\"data_stream\":{fields}").as_bytes());
    if !is_empty {
        room.push(b',');
    }
    room.extend_from_slice(rest);
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_two_dashes_and_the_dashboards_names() {
        for (dataset, expected) in [
            ("access", "logs-access-default"),
            ("web-shop-1", "logs-web_shop_1-default"),
            ("nginx_access", "logs-nginx.access-default"),
            ("iis_error", "logs-iis.error-default"),
            ("nginx_access_2", "logs-nginx_access_2-default"),
            ("my_access", "logs-my_access-default"),
        ] {
            assert_eq!(stream_name(dataset, "default"), expected);
        }
    }

    #[test]
    fn a_document_says_its_stream_once() {
        let fields = r#"{"data_stream":{"type":"logs","dataset":"a","namespace":"n"}"#;
        for (document, expected) in [
            (r#"{"x":1}"#, format!("{fields},\"x\":1}}")),
            ("{}", format!("{fields}}}")),
            ("{ }", format!("{fields} }}")),
            (r#"{"data_stream":{"dataset":"b"}}"#, r#"{"data_stream":{"dataset":"b"}}"#.to_owned()),
            (r#"{"data_stream.dataset":"b"}"#, r#"{"data_stream.dataset":"b"}"#.to_owned()),
        ] {
            let mut room = b"old".to_vec();
            let found = with_stream(document.as_bytes(), ("a", "n"), &mut room);
            assert_eq!(String::from_utf8_lossy(found), expected);
            serde_json::from_slice::<serde_json::Value>(found).unwrap();
        }
    }
}
