//! Reads JSON that serde has found to be JSON once more, from its beginning to its end: objects in
//! objects are looked into without each level being read again with all that is in it.

use std::borrow::Cow;

use memchr::memchr2;
use omphalos_common::json::Raw;

/// A place in a JSON text.
pub struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// At the beginning of a value.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no blank.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes into the object or array that begins here.
    pub fn enter(&mut self) {
        self.at += 1;
    }

    /// The name of the next member of the object that we are in, with the value behind it to be read
    /// next; `None` at the end, which is left.
    pub fn name(&mut self) -> Option<Cow<'a, str>> {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        if self.peek()? != b'"' {
            self.at += 1;
            return None;
        }
        let name = self.string();
        if self.peek() == Some(b':') {
            self.at += 1;
        }
        if name.contains('\\') {
            return serde_json::from_str(name).ok().map(Cow::Owned);
        }
        name.get(1..name.len().saturating_sub(1)).map(Cow::Borrowed)
    }

    /// Whether another item of the array that we are in is to be read next; its end is left.
    pub fn has_item(&mut self) -> bool {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        let has_item = !matches!(self.peek(), Some(b']') | None);
        self.at += usize::from(!has_item);
        has_item
    }

    /// The text of the next value, all of it.
    pub fn value(&mut self) -> &'a str {
        let start = self.at;
        match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => self.skip_nested(),
            _ => {
                let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                let is_end =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
                // At least a byte, whatever it is, so that nobody waits here for ever.
                self.at += rest.iter().position(is_end).unwrap_or(rest.len()).max(1);
            }
        }
        self.text.get(start..self.at).unwrap_or_default().trim_ascii()
    }

    /// The same as a value.
    pub fn raw(&mut self) -> Option<Raw<'a>> {
        Raw::read(self.value())
    }

    /// The string that begins here, with its quotes.
    fn string(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(found) = bytes.get(self.at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            self.at += found;
            if bytes.get(self.at) == Some(&b'"') {
                self.at += 1;
                return self.text.get(start..self.at).unwrap_or_default();
            }
            self.at += 2;
        }
        self.at = bytes.len();
        self.text.get(start..).unwrap_or_default()
    }

    fn skip_nested(&mut self) {
        let mut levels = 0_usize;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => levels += 1,
                b'}' | b']' => levels = levels.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if levels == 0 {
                return;
            }
        }
    }
}

/// Whether a brace stands in `text` that is not part of a string.
pub fn has_object(text: &str) -> bool {
    let mut scan = Scan::new(text);
    while let Some(found) =
        text.as_bytes().get(scan.at..).and_then(|rest| memchr2(b'{', b'"', rest))
    {
        scan.at += found;
        if text.as_bytes().get(scan.at) == Some(&b'{') {
            return true;
        }
        scan.string();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// What the scan finds, as a value again.
    fn read(scan: &mut Scan<'_>) -> Value {
        match scan.peek() {
            Some(b'{') => {
                scan.enter();
                let mut members = serde_json::Map::new();
                while let Some(name) = scan.name() {
                    let value = read(scan);
                    members.insert(name.into_owned(), value);
                }
                Value::Object(members)
            }
            Some(b'[') => {
                scan.enter();
                let mut items = Vec::new();
                while scan.has_item() {
                    items.push(read(scan));
                }
                Value::Array(items)
            }
            _ => scan.raw().map(|raw| serde_json::from_str(raw.get()).unwrap()).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn what_serde_reads_is_found(text in "[\\[{]( ?(\"[a,:{}\\[\\]\\\\\"]{0,3}\" ?:? ?|1|null|[\\[\\]{},]|\\t)){0,12}[\\]}]") {
            let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
            prop_assert_eq!(read(&mut Scan::new(&text)), value);
            let behind = format!("{text} ");
            prop_assert_eq!(Scan::new(&behind).value(), text.trim());
        }

        #[test]
        fn what_serde_writes_is_found(numbers in proptest::collection::vec(any::<i32>(), 0..4), name in "\\PC{0,4}", depth in 0usize..4) {
            let mut value = serde_json::json!([{ name.clone(): numbers, "b": [null, true, name] }, []]);
            for _ in 0..depth {
                value = serde_json::json!({ "x\"": value, "y": {} });
            }
            let text = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(read(&mut Scan::new(&text)), value);
            prop_assert!(has_object(&text));
        }

        #[test]
        fn no_text_keeps_it_waiting(text in "[\\[\\]{}\",:a1\\\\ ]{0,40}") {
            let mut scan = Scan::new(&text);
            let mut turns = 0;
            while scan.peek().is_some() {
                scan.value();
                if scan.name().is_none() {
                    scan.has_item();
                }
                turns += 1;
                prop_assert!(turns <= 2 * text.len());
            }
        }
    }
}
