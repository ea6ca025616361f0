//! JSON that is taken apart and put together again without being understood: numbers and texts stand
//! in it as they came. A number of thirty digits would not come out of a `serde_json::Value` again.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::ApiError;
use serde_json::{Map, Value};

/// A value, with its objects and arrays opened.
#[derive(Debug, Clone)]
pub enum Json {
    /// The members in their order.
    Object(Vec<(String, Self)>),
    /// The items.
    Array(Vec<Self>),
    /// Anything else, as it came.
    Leaf(Box<RawValue>),
}

impl Json {
    /// Deeper than any document can be; what is below stays as it came.
    const MOST_LEVELS: u32 = 128;

    /// An object without members.
    pub const EMPTY: Self = Self::Object(Vec::new());

    /// Opens a text.
    ///
    /// # Errors
    /// For what is not JSON.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        Self::open(serde_json::from_str(text)?, 0)
    }

    /// As a value; what that cannot have, as a number beyond the range of doubles, is null in it.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Object(members) => {
                let members =
                    members.iter().map(|(name, member)| (name.clone(), member.to_value()));
                Value::Object(members.collect())
            }
            Self::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Leaf(raw) => serde_json::from_str(raw.get()).unwrap_or_default(),
        }
    }

    fn open(raw: &RawValue, level: u32) -> serde_json::Result<Self> {
        match raw.get().as_bytes().first() {
            Some(b'{') if level < Self::MOST_LEVELS => {
                let Members(members) = serde_json::from_str(raw.get())?;
                let open = |(name, raw)| Ok((name, Self::open(raw, level + 1)?));
                members.into_iter().map(open).collect::<serde_json::Result<_>>().map(Self::Object)
            }
            Some(b'[') if level < Self::MOST_LEVELS => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get())?;
                let open = |raw| Self::open(raw, level + 1);
                items.into_iter().map(open).collect::<serde_json::Result<_>>().map(Self::Array)
            }
            _ => Ok(Self::Leaf(raw.to_owned())),
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Array(items) => serializer.collect_seq(items),
            Self::Leaf(raw) => raw.serialize(serializer),
        }
    }
}

/// The members of an object, not opened.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry().map_err(M::Error::custom)? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A value in which no object has a member twice, which Elasticsearch refuses in requests: of two filters of
/// one name, one would count for nothing.
#[derive(Debug)]
pub struct Unique(pub Value);

impl Unique {
    /// The value that the body of a request is.
    ///
    /// # Errors
    /// 400 with the place of what is wrong.
    pub fn read(text: &str) -> Result<Value, ApiError> {
        let read = serde_json::from_str(text).map(|Self(value)| value);
        read.map_err(|error| {
            ApiError::parsing(format!("[{}:{}] {error}", error.line(), error.column()))
        })
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Unique;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Unique, E> {
                Ok(Unique(Value::Null))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Unique, E> {
                Ok(Unique(flag.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Unique, E> {
                Ok(Unique(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Unique, E> {
                Ok(Unique(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Unique, E> {
                Ok(Unique(number.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Unique, E> {
                Ok(Unique(text.into()))
            }

            fn visit_string<E>(self, text: String) -> Result<Unique, E> {
                Ok(Unique(text.into()))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Unique, S::Error> {
                let mut list = Vec::new();
                while let Some(Unique(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(Unique(Value::Array(list)))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Unique, M::Error> {
                let mut object = Map::new();
                while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
                    if object.contains_key(&name) {
                        return Err(Error::custom(format!("Duplicate field '{name}'")));
                    }
                    object.insert(name, value);
                }
                Ok(Unique(Value::Object(object)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A number as Java prints it: `300.0`, `1.0E7`.
pub fn double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_is_written_as_it_came() {
        for text in [
            r#"{"a":123456789012345678901234567890,"b":[1.0,1e400,-0,{"c":"\u00e9"}],"a":null}"#,
            "[]",
            "{}",
            "18446744073709551615",
        ] {
            assert_eq!(Json::read(text).unwrap().to_string(), text);
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(Json::read(&deep).unwrap().to_string(), deep);
        assert!(Json::read("{\"a\":}").is_err());
        let odd = format!("{{\"a\":[1,1e400],\"b\":{deep}}}");
        let value = Json::read(&odd).unwrap().to_value();
        assert_eq!(value["a"], serde_json::json!([1, null]));
    }
}
