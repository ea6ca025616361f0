//! Patterns of `*`, `?` and other characters.

/// A pattern, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// One character.
    One,
    /// Any number of characters.
    Any,
}

impl Wildcard {
    /// The pattern that was typed: a backslash takes what follows it literally.
    pub fn new(typed: &str) -> Self {
        let mut parts = Vec::new();
        let mut characters = typed.chars();
        let mut buffer = [0; 4];
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' => {
                    // Several are one.
                    if parts.last() != Some(&Part::Any) {
                        parts.push(Part::Any);
                    }
                    continue;
                }
                '?' => {
                    parts.push(Part::One);
                    continue;
                }
                '\\' => characters.next().unwrap_or('\\'),
                literal => literal,
            };
            parts.extend(literal.encode_utf8(&mut buffer).bytes().map(Part::Byte));
        }
        Self(parts)
    }

    /// Whether all of `text` fits. It goes back to the last star alone, so that its cost is at most the
    /// product of both lengths.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut part, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(part), text.get(at)) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    star = Some((part, at));
                    part += 1;
                    continue;
                }
                (Some(Part::Byte(byte)), Some(found)) if byte == found => {
                    (part, at) = (part + 1, at + 1);
                    continue;
                }
                (Some(Part::One), Some(_)) => {
                    (part, at) = (part + 1, next_character(text, at));
                    continue;
                }
                _ => {}
            }
            // The star takes one more.
            match star {
                Some((place, from)) if from < text.len() => {
                    star = Some((place, from + 1));
                    (part, at) = (place + 1, from + 1);
                }
                _ => return false,
            }
        }
    }
}

/// Where the character behind the one at `at` begins.
fn next_character(text: &[u8], at: usize) -> usize {
    let rest = text.get(at + 1..).unwrap_or_default();
    let more = rest.iter().take_while(|byte| *byte & 0xc0 == 0x80).count();
    at + 1 + if text.get(at).is_some_and(|byte| *byte >= 0xc0) { more.min(3) } else { 0 }
}
