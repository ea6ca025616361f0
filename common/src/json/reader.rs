//! Reads JSON without making values of it: what it is checked to be, and where each member stands in it. It takes
//! what `serde_json` takes (<https://www.rfc-editor.org/rfc/rfc8259>), which a test compares.

use std::borrow::Cow;

use super::{Raw, plain_length};

/// A place in a text that may be JSON.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Shows the members of the object that the text is, all of it. Where it is none, some may have been shown.
    pub(super) fn members(mut self, mut show: impl FnMut(Cow<'a, str>, Raw<'a>)) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? != b'}' {
            loop {
                let name = self.name()?;
                show(whole(name)?, self.value()?);
                if self.peek()? != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b'}')?;
        self.is_done().then_some(())
    }

    /// The items of the array that the text is, all of it.
    pub(super) fn items(mut self) -> Option<Vec<Raw<'a>>> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.peek()? != b']' {
            loop {
                items.push(self.value()?);
                if self.peek()? != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b']')?;
        self.is_done().then_some(items)
    }

    /// The value that the text is, all of it.
    pub(super) fn only(mut self) -> Option<Raw<'a>> {
        let value = self.value()?;
        self.is_done().then_some(value)
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }

    /// A name with its quotes, and the colon behind it.
    fn name(&mut self) -> Option<&'a str> {
        self.peek()?;
        let name = self.string()?;
        self.expect(b':')?;
        Some(name)
    }

    fn value(&mut self) -> Option<Raw<'a>> {
        self.peek()?;
        let start = self.at;
        self.pass_value()?;
        self.text.get(start..self.at).map(Raw)
    }

    /// Passes over the value that begins here, however deep it is: the levels are a list, and not calls.
    fn pass_value(&mut self) -> Option<()> {
        // Of each level, whether it is an object.
        let mut within: Vec<bool> = Vec::new();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.at += 1;
                    if self.peek()? != b'}' {
                        within.push(true);
                        self.name()?;
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.peek()? != b']' {
                        within.push(false);
                        continue;
                    }
                    self.at += 1;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return None,
            }
            // A value has ended, and levels may end with it.
            loop {
                let Some(is_object) = within.last() else { return Some(()) };
                match (self.peek()?, *is_object) {
                    (b',', true) => {
                        self.at += 1;
                        self.name()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        within.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    /// The string that begins here, with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        (self.bytes().get(start) == Some(&b'"')).then_some(())?;
        self.at += 1;
        loop {
            self.pass_plain();
            match self.bytes().get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return self.text.get(start..self.at);
                }
                b'\\' => self.escape()?,
                // A control character.
                _ => return None,
            }
        }
    }

    /// Passes over what stands in a string as it is.
    fn pass_plain(&mut self) {
        self.at += plain_length(self.bytes().get(self.at..).unwrap_or_default(), b'"');
    }

    fn escape(&mut self) -> Option<()> {
        let length = match self.bytes().get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = self.bytes().get(self.at + 2..self.at + 6)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.pass(b"-");
        if !self.pass(b"0") {
            self.digits()?;
        }
        if self.pass(b".") {
            self.digits()?;
        }
        if self.pass(b"eE") {
            self.pass(b"+-");
            self.digits()?;
        }
        Some(())
    }

    /// Passes over one of these bytes, if there is one.
    fn pass(&mut self, any: &[u8]) -> bool {
        let is_one = self.bytes().get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(is_one);
        is_one
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.bytes().get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let is_it = self.bytes().get(self.at..)?.starts_with(word);
        is_it.then(|| self.at += word.len())
    }
}

/// A name without its quotes and escapes; none that is no text.
fn whole(name: &str) -> Option<Cow<'_, str>> {
    let inside = name.get(1..name.len().saturating_sub(1))?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(name).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize as _;
    use serde_json::value::RawValue;
    use std::collections::BTreeMap;

    /// What serde finds; of names that are there twice, the last, as here.
    fn by_serde(text: &str) -> Option<BTreeMap<String, &str>> {
        let read: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        Some(read.into_iter().map(|(name, raw)| (name, raw.get())).collect())
    }

    fn by_reader(text: &str) -> Option<BTreeMap<String, &str>> {
        let mut members = BTreeMap::new();
        Reader::new(text).members(|name, raw| {
            members.insert(name.into_owned(), raw.get());
        })?;
        Some(members)
    }

    /// What JSON is made of, and what it is not.
    const PIECE: &str = "([\\[\\]{},:\"]|\\\\|\\\\\\\\|\\\\\"|\\\\u[0-9a-f]{3,4}|\\\\[a-z/]| |\t|\r|\n|\u{b}|\u{a0}|-|\\+|\\.|0|12|1e|E|true|false|null|nul|[a-zé]{0,12}|\u{1f}|\u{7f}|\u{85})";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn pieces_of_json_are_taken_where_serde_takes_them(pieces in prop::collection::vec(PIECE, 0..12)) {
            let text = pieces.concat();
            for text in [text.clone(), format!("{{\"a\":{text}}}"), format!("{{\"a\":[{text}],\"b\":\"{text}\"}}"), format!("{{\"{text}\":1}}")] {
                prop_assert_eq!(by_reader(&text), by_serde(&text), "{:?}", text);
                let array = format!("[{text}]");
                let items: Option<Vec<&RawValue>> = serde_json::from_str(&array).ok();
                let items = items.map(|items| items.iter().map(|raw| raw.get()).collect::<Vec<_>>());
                let read = Reader::new(&array).items().map(|items| items.iter().map(|raw| raw.get()).collect());
                prop_assert_eq!(read, items, "{:?}", array);
            }
        }

        #[test]
        fn what_is_written_is_read_and_a_changed_byte_as_by_serde(
            value in values(), pretty in any::<bool>(), at in any::<prop::sample::Index>(), byte in 0u8..128,
        ) {
            let object = serde_json::json!({ "first": value, "größe\n": value });
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            prop_assert!(by_reader(&text).is_some());
            prop_assert_eq!(by_reader(&text), by_serde(&text));
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
            prop_assert_eq!(by_reader(&text), by_serde(&text), "{:?}", text);
        }
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "\\PC{0,20}".prop_map(Into::into),
            "[ -~\n\t\"\\\\]{0,40}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-z.\"é]{0,4}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    #[test]
    fn no_depth_is_too_much_for_it() {
        let depth = 200_000;
        let text = format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(Reader::new(&text).members(|_, _| ()).is_some());
        assert!(Reader::new(text.trim_end_matches("]}")).members(|_, _| ()).is_none());
        // serde stops there as well as here, and takes the same.
        let mut whole = serde_json::Deserializer::from_str(&text);
        assert!(<BTreeMap<String, &RawValue>>::deserialize(&mut whole).is_ok());
    }
}
