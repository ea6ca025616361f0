//! Numbers as they are written. What is more than 64 bits have is a rounded number to who reads JSON, and
//! then as much its neighbours' as its own.

/// Goes through the numbers of a document, in its order.
#[derive(Debug, Default)]
pub struct Literals {
    /// How much of the text was gone through.
    at: usize,
    /// How many numbers were found in it.
    found: usize,
}

impl Literals {
    /// The number of this place among those in `text`, counted from 0; a later one each time.
    pub fn nth<'t>(&mut self, text: &'t str, place: usize) -> Option<&'t str> {
        let bytes = text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => self.at = end_of_string(bytes, self.at + 1),
                b'-' | b'0'..=b'9' => {
                    let rest = text.get(self.at..)?;
                    let is_part =
                        |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                    let length = rest.bytes().take_while(|byte| is_part(*byte)).count();
                    self.at += length;
                    self.found += 1;
                    if self.found > place {
                        return rest.get(..length);
                    }
                }
                _ => self.at += 1,
            }
        }
        None
    }
}

/// Where the text goes on behind a string whose first byte is at `at`.
pub fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// A whole number that is more than 64 bits with a sign have, without what is not needed to write it; `None`
/// where the text is none.
pub fn beyond(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start_matches('0');
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = format!("{sign}{digits}");
    (is_whole && number.parse::<i64>().is_err()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_their_order_wherever_they_stand() {
        let text = r#"{"1":-1.5e+3,"a\"2":["3\\",4,{"b":5}],"é":123456789012345678901234567890}"#;
        let all = ["-1.5e+3", "4", "5", "123456789012345678901234567890"];
        for step in 1..3 {
            let mut literals = Literals::default();
            for place in (0..all.len()).step_by(step) {
                assert_eq!(literals.nth(text, place), Some(all[place]));
            }
            assert_eq!(literals.nth(text, all.len()), None);
        }
    }

    #[test]
    fn what_64_bits_have_is_not_beyond_them() {
        for (text, expected) in [
            ("9223372036854775807", None),
            ("9223372036854775808", Some("9223372036854775808")),
            ("-9223372036854775808", None),
            ("-9223372036854775809", Some("-9223372036854775809")),
            (" +0018446744073709551615 ", Some("18446744073709551615")),
            ("1e30", None),
            ("18446744073709551615.0", None),
            ("00000000000000000000000000", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(beyond(text).as_deref(), expected, "{text}");
        }
    }
}
