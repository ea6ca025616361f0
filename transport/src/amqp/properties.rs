//! What a message says of itself, as the properties of AMQP 0-9-1, and back.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::message::About;

/// The properties that say what `about` does.
pub fn to_properties(about: &About) -> BasicProperties {
    let short = |text: &str| ShortString::from(text);
    let mut properties = BasicProperties::default();
    if let Some(kind) = &about.content_type {
        properties = properties.with_content_type(short(kind));
    }
    if let Some(encoding) = &about.content_encoding {
        properties = properties.with_content_encoding(short(encoding));
    }
    if let Some(id) = &about.id {
        properties = properties.with_message_id(short(id));
    }
    if let Some(at) = about.made_at.and_then(|at| u64::try_from(at).ok()) {
        properties = properties.with_timestamp(at);
    }
    if let Some(app) = &about.app {
        properties = properties.with_app_id(short(app));
    }
    if let Some(user) = &about.user {
        properties = properties.with_user_id(short(user));
    }
    if !about.headers.is_empty() {
        let mut table = FieldTable::default();
        for (name, value) in &about.headers {
            table.insert(short(name), AMQPValue::LongString(value.as_str().into()));
        }
        properties = properties.with_headers(table);
    }
    properties
}

/// What a message that was published so says of itself; headers that are not text are left out.
pub fn from_properties(properties: &BasicProperties, exchange: &str, routing_key: &str) -> About {
    let text = |property: &Option<ShortString>| {
        property.as_ref().map(|text| text.as_str().to_owned().into())
    };
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let headers = headers.into_iter().flatten().filter_map(|(name, value)| {
        let value = match value {
            AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok()?,
            AMQPValue::ShortString(text) => text.as_str().to_owned(),
            _ => return None,
        };
        Some((name.as_str().to_owned().into(), value))
    });
    About {
        exchange: exchange.to_owned(),
        routing_key: routing_key.to_owned(),
        content_type: text(properties.content_type()),
        content_encoding: text(properties.content_encoding()),
        id: properties.message_id().as_ref().map(|id| id.as_str().to_owned()),
        made_at: properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok()),
        app: text(properties.app_id()),
        user: properties.user_id().as_ref().map(|user| user.as_str().to_owned()),
        headers: headers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_says_of_itself_survives_the_road() {
        let about = About {
            exchange: "logs".to_owned(),
            id: Some("id".to_owned()),
            user: Some("shipper".to_owned()),
            headers: vec![("x-a".into(), "ä".to_owned()), ("x-b".into(), String::new())],
            ..About::new("access.web1", "text/plain").encoded("zstd").made("app", 1_700_000_000)
        };
        assert_eq!(from_properties(&to_properties(&about), "logs", "access.web1"), about);
        let nothing = About::default();
        assert_eq!(from_properties(&to_properties(&nothing), "", ""), nothing);
    }
}
