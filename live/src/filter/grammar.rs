//! Reads what is typed: by recursive descent, looking at each character once.

use super::matching::{Edge, Test, What, instead_of_pattern};
use super::{Node, Role};

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the filter cannot be used at character {at}: expected {expected}, found {found}")]
pub struct FilterProblem {
    /// Which character, from 1.
    at: usize,
    expected: &'static str,
    found: String,
}

/// Longer texts are no filters, in bytes.
const MOST_BYTES: usize = 32 << 10;
/// Parentheses in parentheses.
const MOST_DEPTH: usize = 50;

/// Reads a filter; `None` where nothing is asked.
pub(super) fn parse(text: &str) -> Result<Option<Node>, FilterProblem> {
    let mut parser = Parser { text, rest: text, depth: 0 };
    if text.len() > MOST_BYTES {
        return Err(parser.problem("at most 32 KiB"));
    }
    let node = parser.group(None)?;
    if parser.rest.is_empty() { Ok(node) } else { Err(parser.problem("no more than was opened")) }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    None,
    And,
    Or,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    None,
    Plus,
    Minus,
}

impl Parser<'_> {
    fn problem(&self, expected: &'static str) -> FilterProblem {
        let read = self.text.len() - self.rest.len();
        let at = self.text.get(..read).map_or(0, |read| read.chars().count()) + 1;
        let found: String = self.rest.chars().take(20).collect();
        let found = if found.is_empty() { "its end".to_owned() } else { format!("{found:?}") };
        FilterProblem { at, expected, found }
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A word that means something only when it stands alone.
    fn take_word(&mut self, word: &str) -> bool {
        let ends = |rest: &str| {
            rest.chars().next().is_none_or(|next| next.is_whitespace() || "()\"[{".contains(next))
        };
        match self.rest.strip_prefix(word) {
            Some(rest) if ends(rest) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn joint(&mut self) -> Joint {
        self.rest = self.rest.trim_start();
        if self.take_word("&&") || self.take_word("AND") {
            Joint::And
        } else if self.take_word("||") || self.take_word("OR") {
            Joint::Or
        } else {
            Joint::None
        }
    }

    fn sign(&mut self) -> Sign {
        self.rest = self.rest.trim_start();
        if self.take("+") {
            Sign::Plus
        } else if self.take("-") || self.take("!") || self.take_word("NOT") {
            Sign::Minus
        } else {
            Sign::None
        }
    }

    /// Parts up to the end or a closing parenthesis.
    fn group(&mut self, field: Option<&str>) -> Result<Option<Node>, FilterProblem> {
        let mut parts: Vec<(Role, Node)> = Vec::new();
        let mut is_first = true;
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || self.rest.starts_with(')') {
                break;
            }
            let before = self.rest;
            let joint = self.joint();
            if is_first && joint != Joint::None {
                self.rest = before;
                return Err(self.problem("something before AND and OR"));
            }
            let sign = self.sign();
            self.rest = self.rest.trim_start();
            if let Some(node) = self.part(field)? {
                add(&mut parts, joint, sign, node);
            }
            is_first = false;
        }
        Ok(match parts.as_slice() {
            [] => None,
            [(Role::Must | Role::Should, _)] => parts.pop().map(|(_, node)| node),
            _ => Some(Node::Group(parts)),
        })
    }

    /// One part: `field:part`, a group, a phrase, a range or a word.
    fn part(&mut self, field: Option<&str>) -> Result<Option<Node>, FilterProblem> {
        if let Some((name, after)) = field_name(self.rest) {
            let before = self.rest;
            self.rest = after;
            if matches!(name, "time" | "@timestamp") {
                self.rest = before;
                return Err(self.problem("no time: lines are counted as they come"));
            }
            return self.value(Some(name));
        }
        self.value(field)
    }

    fn value(&mut self, field: Option<&str>) -> Result<Option<Node>, FilterProblem> {
        if self.rest.starts_with('(') {
            let inside = self.inside(field)?;
            self.end_of_value()?;
            return Ok(inside);
        }
        let what = match self.rest.chars().next() {
            Some('"') => What::Phrase(self.quoted()?),
            Some('[' | '{') if field.is_some() => self.range()?,
            Some('[' | '{') => {
                return Err(self.problem("a field before a range, as in status:[400 TO 499]"));
            }
            _ => self.word(field)?,
        };
        self.end_of_value()?;
        Ok(Some(Node::Test(Test::new(field, what))))
    }

    fn inside(&mut self, field: Option<&str>) -> Result<Option<Node>, FilterProblem> {
        if self.depth == MOST_DEPTH {
            return Err(self.problem("at most 50 parentheses in one another"));
        }
        self.take("(");
        self.depth += 1;
        let inside = self.group(field)?;
        self.depth -= 1;
        if self.take(")") { Ok(inside) } else { Err(self.problem("a closing parenthesis")) }
    }

    /// A weight, which changes no meaning, and what cannot be asked of a line.
    fn end_of_value(&mut self) -> Result<(), FilterProblem> {
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest.trim_start_matches(|next: char| next.is_ascii_digit() || next == '.');
        }
        if self.rest.starts_with('~') {
            return Err(self.problem("no ~: words and phrases are compared as they are"));
        }
        Ok(())
    }

    /// The word up to a blank, a parenthesis or a quotation mark.
    fn word(&mut self, field: Option<&str>) -> Result<What, FilterProblem> {
        let mut is_escaped = false;
        let end = self.rest.char_indices().find(|(_, next)| {
            let is_end = !is_escaped && (next.is_whitespace() || "()\"".contains(*next));
            is_escaped = *next == '\\' && !is_escaped;
            is_end
        });
        let (word, rest) = self.rest.split_at(end.map_or(self.rest.len(), |(at, _)| at));
        let word = without_weight(word);
        if word.is_empty() || matches!(word, "AND" | "OR" | "NOT" | "&&" | "||") {
            return Err(self.problem("a value"));
        }
        if field.is_some() && word.starts_with('!') {
            return Err(
                self.problem("a value, and NOT before the name of the field: NOT status:200")
            );
        }
        if ends_fuzzily(word) {
            return Err(self.problem("no ~: words and phrases are compared as they are"));
        }
        let what =
            single(word).ok_or_else(|| self.problem("something behind the last backslash"))?;
        if matches!(what, What::Pattern(_))
            && let Some(instead) = field.and_then(instead_of_pattern)
        {
            return Err(self.problem(instead));
        }
        self.rest = rest;
        Ok(what)
    }

    /// Text in quotation marks, without them.
    fn quoted(&mut self) -> Result<String, FilterProblem> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                character => text.push(character),
            }
        }
        Err(self.problem("a closing quotation mark"))
    }

    fn range(&mut self) -> Result<What, FilterProblem> {
        let from_included = self.rest.starts_with('[');
        self.rest = self.rest.get(1..).unwrap_or_default();
        let from = self.edge()?;
        self.rest = self.rest.trim_start();
        if !self.take_word("TO") {
            return Err(self.problem("TO between the ends of a range"));
        }
        let to = self.edge()?;
        self.rest = self.rest.trim_start();
        let to_included = self.take("]");
        if !to_included && !self.take("}") {
            return Err(self.problem("] or } behind a range"));
        }
        let edge =
            |text: Option<String>, is_included| text.map(|text| Edge::new(text, is_included));
        Ok(What::Between(edge(from, from_included), edge(to, to_included)))
    }

    /// An end of a range; `None` for `*`.
    fn edge(&mut self) -> Result<Option<String>, FilterProblem> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.quoted().map(Some);
        }
        let is_end = |next: char| next.is_whitespace() || next == ']' || next == '}';
        let (word, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err(self.problem("an end of a range, or *"));
        }
        self.rest = rest;
        Ok(if word == "*" { None } else { unescaped(word) })
    }
}

/// An operator changes what the part before it is there for, as in Lucene.
fn add(parts: &mut Vec<(Role, Node)>, joint: Joint, sign: Sign, node: Node) {
    if let Some((role, _)) = parts.last_mut()
        && *role != Role::MustNot
    {
        match joint {
            Joint::And => *role = Role::Must,
            Joint::Or => *role = Role::Should,
            Joint::None => {}
        }
    }
    let role = match sign {
        Sign::Minus => Role::MustNot,
        // A plus behind `OR` is taken no notice of.
        _ if joint == Joint::Or => Role::Should,
        Sign::None | Sign::Plus => Role::Must,
    };
    parts.push((role, node));
}

/// A field's name and what stands behind its colon, if `text` begins with them.
fn field_name(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@');
    (!name.is_empty() && name.bytes().all(is_part)).then_some((name, value))
}

/// What a single word asks for; `None` where its last backslash escapes nothing.
fn single(word: &str) -> Option<What> {
    if matches!(word, "*" | "*:*") {
        return Some(What::Anything);
    }
    if has_wildcard(word) {
        return Some(What::Pattern(word.to_owned()));
    }
    let text = unescaped(word)?;
    for (sign, is_included) in [(">=", true), (">", false), ("<=", true), ("<", false)] {
        if let Some(value) = text.strip_prefix(sign).filter(|value| !value.is_empty()) {
            let edge = Some(Edge::new(value.to_owned(), is_included));
            let is_lower = sign.starts_with('>');
            return Some(if is_lower {
                What::Between(edge, None)
            } else {
                What::Between(None, edge)
            });
        }
    }
    Some(What::Word(text))
}

/// Without a weight at the end, as in `word^2`.
fn without_weight(word: &str) -> &str {
    let is_weight = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    match word.rsplit_once('^') {
        Some((before, weight)) if is_weight(weight) && !before.ends_with('\\') => before,
        _ => word,
    }
}

/// Whether a word ends in `~` or `~2`, which asks for those like it.
fn ends_fuzzily(word: &str) -> bool {
    let before = word.trim_end_matches(|last: char| last.is_ascii_digit());
    before.ends_with('~') && !before.ends_with("\\~") && before.len() > 1
}

fn has_wildcard(word: &str) -> bool {
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' | '?' => return true,
            _ => {}
        }
    }
    false
}

/// Without the backslashes of escapes; `None` when the last one escapes nothing.
fn unescaped(word: &str) -> Option<String> {
    let mut text = String::with_capacity(word.len());
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}
