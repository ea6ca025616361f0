//! Words of a text, as Elasticsearch's standard analyzer finds them: by Unicode's rules (UAX #29),
//! so that `login.php` and `user_id` are one word, and `wp-login` is two.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_segmentation::{UnicodeSegmentation, UnicodeWordIndices};

/// A longer word is taken for several, each of so many characters.
const LONGEST: usize = 255;
/// Stands between the values of an array that are one text here; no text has it by chance, because these
/// characters are not meant for texts (Unicode's noncharacters).
pub const GAP: &str = "\u{FDD0}\u{FDD1}\u{FDD0}";
/// So far apart are they for who looks for words beside each other: `position_increment_gap`.
const GAP_PLACES: usize = 100;

/// Finds words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Words;

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        let words = text.unicode_word_indices();
        let gap = text.find(GAP);
        WordStream { text, gap, words, rest: None, token: Token::default(), count: 0 }
    }
}

/// The words of one text.
pub struct WordStream<'a> {
    text: &'a str,
    /// Where the next value of an array begins.
    gap: Option<usize>,
    words: UnicodeWordIndices<'a>,
    /// What is left of a long word, and where it begins.
    rest: Option<(usize, &'a str)>,
    token: Token,
    count: usize,
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((at, word)) = self.rest.take().or_else(|| self.words.next()) else { return false };
        while let Some(gap) = self.gap.filter(|gap| *gap < at) {
            self.count += GAP_PLACES;
            let behind = gap + GAP.len();
            let next = self.text.get(behind..).and_then(|rest| rest.find(GAP));
            self.gap = next.map(|next| behind + next);
        }
        let end = word.char_indices().nth(LONGEST).map_or(word.len(), |(end, _)| end);
        let (word, rest) = word.split_at(end);
        self.rest = (!rest.is_empty()).then_some((at + end, rest));
        self.token.offset_from = at;
        self.token.offset_to = at + word.len();
        self.token.position = self.count;
        self.token.text.clear();
        self.token.text.push_str(word);
        self.count += 1;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_standard_analyzer() {
        let words = |text: &str| {
            let mut tokenizer = Words;
            let mut stream = tokenizer.token_stream(text);
            let mut found = Vec::new();
            while stream.advance() {
                found.push(stream.token().text.clone());
            }
            found
        };
        assert_eq!(words("No such page: /wp-login.php"), ["No", "such", "page", "wp", "login.php"]);
        assert_eq!(
            words("user_id=17 10.0.0.1:80 it's"),
            ["user_id", "17", "10.0.0.1", "80", "it's"]
        );
        assert_eq!(words("-- !"), [""; 0]);
        assert_eq!(words(&format!("one{GAP}two")), ["one", "two"]);
        let long = "é".repeat(600);
        let lengths: Vec<usize> =
            words(&format!("a {long} b")).iter().map(|word| word.chars().count()).collect();
        assert_eq!(lengths, [1, 255, 255, 90, 1]);
    }

    #[test]
    fn values_of_an_array_are_a_hundred_places_apart() {
        let text = ["one two", "", "three", "..."].join(GAP) + GAP + "four";
        let mut tokenizer = Words;
        let mut stream = tokenizer.token_stream(&text);
        let mut places = Vec::new();
        while stream.advance() {
            places.push(stream.token().position);
        }
        assert_eq!(places, [0, 1, 202, 403]);
    }
}
