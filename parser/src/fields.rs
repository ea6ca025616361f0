//! The fields of a line: those of the forms that are written fast, and all others in a general form,
//! a list of names and values, so that a format needs no code of its own in the document.

use std::borrow::Cow;
use std::io::Write as _;
use std::net::IpAddr;

use omphalos_common::event::clean_name;
use omphalos_common::json::Raw;

use super::json::JsonFields;
use super::request::Request;
use super::text::{is_clean, push_escaped};

/// The fields of one line, beside those of its [`List`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one line")]
pub enum Fields<'a> {
    /// A request to a web server.
    Request(Request<'a>),
    /// A JSON object.
    Json(JsonFields<'a>),
    /// All are in the list.
    Listed,
    /// None: the line itself is the message.
    Message,
}

/// What a field is called: its name in ECS (`process.name`), or any other name with dots.
#[derive(Debug, Clone, PartialEq)]
pub struct Name<'a> {
    text: Cow<'a, str>,
    /// Whether it is its own JSON text.
    is_plain: bool,
}

impl<'a> Name<'a> {
    /// Longer names are none.
    const MOST_BYTES: usize = 256;
    /// Names with more parts are none: Elasticsearch takes 20 by default.
    const MOST_PARTS: usize = 8;

    /// The name that a line has in itself; `None` where Elasticsearch takes it for no path of objects.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        let text = text.into();
        let is_path = |text: &str| {
            text.split('.').count() <= Self::MOST_PARTS
                && text.split('.').all(|part| !part.trim().is_empty())
        };
        if text.len() > Self::MOST_BYTES {
            return None;
        }
        // Most names are a word without dots.
        let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !text.is_empty() && text.bytes().all(is_of_word) {
            return Some(Self { text, is_plain: true });
        }
        let is_plain = is_clean(text.as_bytes());
        is_path(&text).then_some(Self { text, is_plain })
    }

    /// A name in `object` for any text: what has no place in names of fields becomes `_`.
    pub fn cleaned(object: &'static str, text: &str) -> Name<'static> {
        let text = Cow::Owned(format!("{object}.{}", clean_name(text)));
        Name { text, is_plain: true }
    }

    /// Another name for what has the same: this one with a number.
    pub fn numbered(&self, number: usize) -> Name<'static> {
        Name { text: Cow::Owned(format!("{}_{number}", self.text)), is_plain: self.is_plain }
    }

    /// The same name, for as long as this one is there.
    pub fn borrowed(&self) -> Name<'_> {
        Name { text: Cow::Borrowed(&self.text), is_plain: self.is_plain }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends `part` of it and a colon.
    pub(super) fn write_part(&self, out: &mut Vec<u8>, part: &str) {
        out.push(b'"');
        if self.is_plain {
            push(out, part);
        } else {
            push_escaped(out, part.as_bytes());
        }
        push(out, "\":");
    }
}

impl From<&'static str> for Name<'_> {
    fn from(text: &'static str) -> Self {
        debug_assert!(Name::new(text).is_some_and(|name| name.is_plain), "{text:?} is no name");
        Self { text: Cow::Borrowed(text), is_plain: true }
    }
}

/// A field of a list.
#[derive(Debug)]
pub struct Field<'a> {
    pub(super) name: Name<'a>,
    pub(super) value: Value<'a>,
}

/// Fields in their general form, in the order in which they are written.
#[derive(Debug, Default)]
pub struct List<'a> {
    pub(super) fields: Vec<Field<'a>>,
    /// Whether the line holds more than the fields say, so that it is shipped in `message` too.
    pub more: bool,
    /// Whether no name is there twice, and none is in the way of another: its parser adds names of its own
    /// alone, each once.
    pub is_distinct: bool,
}

impl<'a> List<'a> {
    /// So many fields are kept; a line that has more is shipped in `message` as well.
    pub const MOST: usize = 256;

    /// Whether nothing more is kept.
    pub fn is_full(&self) -> bool {
        self.fields.len() >= Self::MOST
    }

    /// Adds a field. One whose name was there before, or is one that the document needs itself, is
    /// kept under `unmerged`.
    pub fn add(&mut self, name: impl Into<Name<'a>>, value: impl Into<Value<'a>>) {
        if self.fields.len() < Self::MOST {
            self.fields.push(Field { name: name.into(), value: value.into() });
        } else {
            self.more = true;
        }
    }
}

impl List<'_> {
    /// Leaves an empty list for another line, in the memory of this one.
    pub(super) fn give_back(mut self, memory: &mut List<'static>) {
        if self.fields.capacity() > 0 {
            self.fields.clear();
            // Collected in place: no field is there, and one of another line has the same size.
            memory.fields = self.fields.into_iter().map_while(|_| None).collect();
        }
    }
}

/// A name, cut behind its first part.
pub(super) fn split_first(name: &str) -> (&str, Option<&str>) {
    // What looks at many bytes at once takes longer to begin than names as short as these to end.
    let dot = name.bytes().position(|byte| byte == b'.');
    match dot.and_then(|dot| name.split_at_checked(dot)) {
        Some((first, rest)) => (first, rest.get(1..)),
        None => (name, None),
    }
}

/// The value of a field.
#[derive(Debug)]
pub enum Value<'a> {
    /// Text as it stands in the line, or decoded. What is not UTF-8 becomes U+FFFD.
    Text(Cow<'a, [u8]>),
    /// A number that is never negative.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// A number with decimals.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// An address, which the mapping of `ip` takes.
    Ip(IpAddr),
    /// JSON as it stands in the line.
    Json(Raw<'a>),
    /// Several values.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// Whether Elasticsearch takes it as the number that it is.
    pub(super) fn fits(&self) -> bool {
        match self {
            Self::Unsigned(number) => i64::try_from(*number).is_ok(),
            Self::Float(number) => number.is_finite(),
            Self::List(values) => values.iter().all(Value::fits),
            Self::Text(_) | Self::Signed(_) | Self::Bool(_) | Self::Ip(_) | Self::Json(_) => true,
        }
    }

    /// Appends it as JSON. A number that does not fit is a text.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => push_text(out, text),
            Self::Unsigned(number) if !self.fits() => push_text(out, number.to_string().as_bytes()),
            Self::Float(number) if !self.fits() => push_text(out, number.to_string().as_bytes()),
            Self::Unsigned(number) => push(out, itoa::Buffer::new().format(*number)),
            Self::Signed(number) => push(out, itoa::Buffer::new().format(*number)),
            // Never without point and exponent, because the first one tells the type of all.
            Self::Float(number) => drop(write!(out, "{number:?}")),
            Self::Bool(is_true) => push(out, if *is_true { "true" } else { "false" }),
            Self::Ip(address) => push_text(out, address.to_string().as_bytes()),
            Self::Json(raw) => push(out, raw.get()),
            Self::List(values) => {
                out.push(b'[');
                for value in values {
                    value.write(out);
                    out.push(b',');
                }
                close(out, b']');
            }
        }
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a JSON string.
pub(super) fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Ends an object or an array whose members were each followed by a comma.
pub(super) fn close(out: &mut Vec<u8>, end: u8) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(end);
}

/// What a value may be made of.
macro_rules! values_from {
    ($($from:ty => $value:expr),* $(,)?) => {
        $(impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                $value(value.into())
            }
        })*
    };
}

values_from! {
    &'a [u8] => Value::Text, Vec<u8> => Value::Text, Cow<'a, [u8]> => Value::Text,
    u8 => Value::Unsigned, u16 => Value::Unsigned, u32 => Value::Unsigned, u64 => Value::Unsigned,
    i32 => Value::Signed, i64 => Value::Signed, f64 => Value::Float, bool => Value::Bool,
    IpAddr => Value::Ip, Raw<'a> => Value::Json, Vec<Value<'a>> => Value::List,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}
