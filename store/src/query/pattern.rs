//! Wildcards, as an automaton over the bytes of terms.
//!
//! It is nondeterministic and run with a bit for each part of the pattern, so its cost is that of
//! reading the dictionary whatever the pattern is: there is nothing to blow up. Patterns are
//! bounded by the number of bits.

use tantivy_fst::Automaton;

use crate::attempt::glance;

const WORDS: usize = 8;
/// Bytes of a pattern, without its stars.
pub const MOST_PARTS: usize = WORDS * 64 - 1;

/// A pattern of `*`, `?` and other characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    parts: Vec<Part>,
    /// Whether anything may follow each part, or precede the first: a star.
    loops: States,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// A letter of ASCII, in either case; it is the small one.
    Letter(u8),
    /// Any one character.
    Any,
}

/// Which parts have been passed: one bit each.
type States = [u64; WORDS];

/// A pattern that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// A builder of patterns.
#[derive(Debug, Clone)]
pub struct Maker {
    pattern: Wildcard,
    ignore_case: bool,
}

impl Maker {
    /// Of terms that all begin with `prefix`, in this case.
    pub fn new(prefix: &[u8], ignore_case: bool) -> Self {
        let parts = prefix.iter().map(|byte| Part::Byte(*byte)).collect();
        Self { pattern: Wildcard { parts, loops: [0; WORDS] }, ignore_case }
    }

    fn text(&mut self, text: &str) {
        let letter = |byte: u8| match byte {
            byte if self.ignore_case && byte.is_ascii_alphabetic() => {
                Part::Letter(byte.to_ascii_lowercase())
            }
            byte => Part::Byte(byte),
        };
        self.pattern.parts.extend(text.bytes().map(letter));
    }

    fn star(&mut self) {
        let at = self.pattern.parts.len();
        set(&mut self.pattern.loops, at);
    }

    /// The text, as it is.
    ///
    /// # Errors
    /// When it is too long.
    pub fn literal(mut self, text: &str) -> Result<Wildcard, TooLong> {
        self.text(text);
        self.made()
    }

    /// Everything that begins with the text.
    ///
    /// # Errors
    /// When it is too long.
    pub fn prefix(mut self, text: &str) -> Result<Wildcard, TooLong> {
        self.text(text);
        self.star();
        self.made()
    }

    /// A pattern with `*`, `?`, and `\` before those that are meant as such.
    ///
    /// # Errors
    /// When it is too long.
    pub fn wildcard(mut self, pattern: &str) -> Result<Wildcard, TooLong> {
        let mut chars = pattern.chars();
        let mut buffer = [0; 4];
        while let Some(c) = chars.next() {
            match c {
                '*' => self.star(),
                '?' => self.pattern.parts.push(Part::Any),
                '\\' => self.text(chars.next().unwrap_or('\\').encode_utf8(&mut buffer)),
                c => self.text(c.encode_utf8(&mut buffer)),
            }
        }
        self.made()
    }

    fn made(self) -> Result<Wildcard, TooLong> {
        if self.pattern.parts.len() > MOST_PARTS { Err(TooLong) } else { Ok(self.pattern) }
    }
}

impl Wildcard {
    /// Whether a term fits.
    pub fn matches(&self, term: &[u8]) -> bool {
        let end = term.iter().fold(self.start(), |states, byte| self.accept(&states, *byte));
        self.is_match(&end)
    }

    fn is_any(&self, place: usize) -> bool {
        self.parts.get(place) == Some(&Part::Any)
    }
}

fn set(states: &mut States, place: usize) {
    if let Some(word) = states.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn is_set(states: &States, place: usize) -> bool {
    states.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
}

impl Automaton for Wildcard {
    type State = States;

    fn start(&self) -> States {
        let mut states = [0; WORDS];
        set(&mut states, 0);
        states
    }

    fn is_match(&self, states: &States) -> bool {
        is_set(states, self.parts.len())
    }

    fn can_match(&self, states: &States) -> bool {
        states.iter().any(|word| *word != 0)
    }

    fn will_always_match(&self, states: &States) -> bool {
        self.is_match(states) && is_set(&self.loops, self.parts.len())
    }

    fn accept(&self, states: &States, byte: u8) -> States {
        glance();
        // The bytes of a character after its first have 10 as their first bits.
        let continues = byte & 0xC0 == 0x80;
        let mut next = [0; WORDS];
        for (number, word) in states.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let place = number * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let stays = is_set(&self.loops, place)
                    || (continues && place > 0 && self.is_any(place - 1));
                if stays {
                    set(&mut next, place);
                }
                let passes = match self.parts.get(place) {
                    Some(Part::Byte(own)) => *own == byte,
                    Some(Part::Letter(own)) => *own == byte.to_ascii_lowercase(),
                    Some(Part::Any) => !continues,
                    None => false,
                };
                if passes {
                    set(&mut next, place + 1);
                }
            }
        }
        next
    }
}
