//! The language of `query_string`: Lucene's classic query parser, without fuzzy words and regular
//! expressions, which are refused by name.
//!
//! A parser by recursive descent over the characters; it looks at each once, and goes as deep as
//! [`MOST_DEPTH`].

use super::dsl::MOST_CLAUSES;
use super::words::{Leaf, MOST_DEPTH, Node, Problem, Role, What};

const REGEX: &str =
    "regular expressions are not supported (write \\/ for a slash that is meant as such)";
const FUZZY: &str = "fuzzy words are not supported";

/// Words that stand between others.
const OPERATORS: [&str; 5] = ["AND", "OR", "NOT", "&&", "||"];

/// Reads a text. `all` says that words without operators between them are all meant.
pub fn parse(text: &str, all: bool) -> Result<Option<Node>, Problem> {
    let mut parser = Parser { rest: text, all, depth: 0, clauses: 0 };
    let node = parser.group(None)?;
    if parser.rest.is_empty() { Ok(node) } else { Err(Problem::Syntax) }
}

struct Parser<'a> {
    rest: &'a str,
    all: bool,
    depth: usize,
    clauses: usize,
}

/// What stands before a part of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    None,
    Plus,
    Minus,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    None,
    And,
    Or,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A word that is an operator only when it stands alone.
    fn take_word(&mut self, word: &str) -> bool {
        let follows = |rest: &str| rest.chars().next().is_none_or(|next| !is_inside(next));
        match self.rest.strip_prefix(word) {
            Some(rest) if follows(rest) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn joint(&mut self) -> Joint {
        if self.take_word("&&") || self.take_word("AND") {
            Joint::And
        } else if self.take_word("||") || self.take_word("OR") {
            Joint::Or
        } else {
            Joint::None
        }
    }

    fn sign(&mut self) -> Sign {
        if self.has_bare_operator() {
            Sign::None
        } else if self.take("+") {
            Sign::Plus
        } else if self.take("-") || self.take("!") || self.take_word("NOT") {
            Sign::Minus
        } else {
            Sign::None
        }
    }

    /// Whether there is an operator that stands alone: it is a word, which texts do not have.
    fn has_bare_operator(&self) -> bool {
        let after = self.rest.strip_prefix(['+', '-', '!']);
        after.is_some_and(|after| after.starts_with(is_space))
    }

    /// Parts up to the end or a closing parenthesis.
    fn group(&mut self, field: Option<&str>) -> Result<Option<Node>, Problem> {
        let mut parts: Vec<(Role, Node)> = Vec::new();
        let (mut is_first, mut is_signed) = (true, false);
        loop {
            self.space();
            if self.rest.is_empty() || self.rest.starts_with(')') {
                break;
            }
            let joint = self.joint();
            if is_first && joint != Joint::None {
                return Err(Problem::Syntax);
            }
            self.space();
            let sign = self.sign();
            self.space();
            is_signed |= sign != Sign::None;
            let words = (joint, sign) == (Joint::None, Sign::None);
            let node = match if words { self.words(field) } else { None } {
                Some(node) => Some(node),
                None => self.part(field)?,
            };
            if let Some(node) = node {
                self.clauses += 1;
                if self.clauses > MOST_CLAUSES {
                    return Err(Problem::Unsupported("so many clauses are not supported"));
                }
                self.add(&mut parts, joint, sign, node);
            }
            is_first = false;
        }
        Ok(match parts.as_slice() {
            [] => None,
            // With a sign it is a group to Elasticsearch, of which `minimum_should_match` asks more.
            [(Role::Must | Role::Should, _)] if !is_signed => parts.pop().map(|(_, node)| node),
            _ => Some(Node::Group(parts, 1.0)),
        })
    }

    /// An operator changes what the part before it is there for, as in Lucene.
    fn add(&self, parts: &mut Vec<(Role, Node)>, joint: Joint, sign: Sign, node: Node) {
        if let Some((role, _)) = parts.last_mut()
            && *role != Role::MustNot
        {
            match joint {
                Joint::And => *role = Role::Must,
                Joint::Or if self.all => *role = Role::Should,
                _ => {}
            }
        }
        let is_required = if self.all {
            // As in Lucene, which takes no notice of a plus behind `OR` then.
            joint != Joint::Or
        } else {
            joint == Joint::And || sign == Sign::Plus
        };
        let role = match sign {
            Sign::Minus => Role::MustNot,
            _ if is_required => Role::Must,
            _ => Role::Should,
        };
        parts.push((role, node));
    }

    /// Several words without anything between them are one search, so that they can be the value
    /// of a keyword. The last one is not one of them when it is a field or part of something else.
    fn words(&mut self, field: Option<&str>) -> Option<Node> {
        let mut words: Vec<String> = Vec::new();
        let mut ends: Vec<&str> = Vec::new();
        let mut rest = self.rest;
        while let Some((raw, after)) = word(rest) {
            if OPERATORS.contains(&raw) || has_wildcard(raw) {
                break;
            }
            ends.push(after);
            words.push(unescape(raw)?);
            rest = after.trim_start_matches(is_space);
        }
        let belongs_elsewhere = |rest: &str| {
            let mut ahead = Parser { rest, all: false, depth: 0, clauses: 0 };
            rest.starts_with([':', '^', '~', '*']) || ahead.joint() != Joint::None
        };
        if belongs_elsewhere(rest) {
            words.pop();
            ends.pop();
        }
        if words.len() < 2 {
            return None;
        }
        self.rest = ends.last()?;
        let what = What::Words(words.join(" "));
        Some(Node::Leaf(Leaf { field: field.map(str::to_owned), what, boost: 1.0 }))
    }

    /// One part: `field:part`, a group, a phrase, a range or a word.
    fn part(&mut self, field: Option<&str>) -> Result<Option<Node>, Problem> {
        if let Some((raw, after)) = word(self.rest)
            && let Some(after) = after.strip_prefix(':')
        {
            self.rest = after;
            // Stars in a name of a field are escaped, but for all fields.
            if has_wildcard(raw) && raw != "*" {
                return Err(Problem::Syntax);
            }
            let name = unescape(raw).ok_or(Problem::Syntax)?;
            self.space();
            return self.bare(Some(&name));
        }
        self.bare(field)
    }

    fn bare(&mut self, field: Option<&str>) -> Result<Option<Node>, Problem> {
        let leaf = |what| Node::Leaf(Leaf { field: field.map(str::to_owned), what, boost: 1.0 });
        if self.has_bare_operator()
            && let Some((operator, after)) = self.rest.split_at_checked(1)
        {
            self.rest = after;
            return Ok(Some(leaf(What::Words(operator.to_owned()))));
        }
        let node = if self.take("(") {
            self.depth += 1;
            if self.depth > MOST_DEPTH {
                return Err(Problem::Unsupported("so many parentheses are not supported"));
            }
            self.space();
            if self.rest.starts_with(')') {
                return Err(Problem::Syntax);
            }
            let inside = self.group(field)?;
            self.depth -= 1;
            if !self.take(")") {
                return Err(Problem::Syntax);
            }
            inside
        } else if self.rest.starts_with('"') {
            let text = self.quoted()?;
            let slop = if self.take("~") { self.digits().unwrap_or(0) } else { 0 };
            // Places are whole numbers.
            if self
                .rest
                .strip_prefix('.')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            {
                self.take(".");
                self.digits();
            }
            Some(leaf(What::Phrase(text, slop)))
        } else if self.rest.starts_with(['[', '{']) {
            Some(leaf(self.range()?))
        } else if self.rest.starts_with('/') {
            return Err(Problem::Unsupported(REGEX));
        } else {
            let (raw, after) = word(self.rest).ok_or(Problem::Syntax)?;
            self.rest = after;
            if OPERATORS.contains(&raw) {
                return Err(Problem::Syntax);
            }
            Some(leaf(single(raw)?))
        };
        if self.rest.starts_with('~') {
            return Err(Problem::Unsupported(FUZZY));
        }
        if self.rest.starts_with(['/', ':']) {
            let is_slash = self.rest.starts_with('/');
            return Err(if is_slash { Problem::Unsupported(REGEX) } else { Problem::Syntax });
        }
        let boost = self.boost()?;
        Ok(node.map(|node| node.boosted(boost)))
    }

    fn boost(&mut self) -> Result<f32, Problem> {
        if !self.take("^") {
            return Ok(1.0);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let is_number = number.starts_with(|c: char| c.is_ascii_digit());
        let boost = number.parse().ok().filter(|boost: &f32| is_number && boost.is_finite());
        boost.ok_or(Problem::Syntax)
    }

    fn digits(&mut self) -> Option<u32> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        number.parse().ok()
    }

    /// Text in quotation marks, without them.
    fn quoted(&mut self) -> Result<String, Problem> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.push(chars.next().ok_or(Problem::Syntax)?.1),
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(Problem::Syntax)
    }

    fn range(&mut self) -> Result<What, Problem> {
        let from_included = self.rest.starts_with('[');
        self.rest = self.rest.get(1..).unwrap_or_default();
        let from = self.edge()?;
        self.space();
        if !self.take_word("TO") {
            return Err(Problem::Syntax);
        }
        let to = self.edge()?;
        self.space();
        let to_included = self.take("]");
        if !to_included && !self.take("}") {
            return Err(Problem::Syntax);
        }
        Ok(What::Range(from.map(|text| (text, from_included)), to.map(|text| (text, to_included))))
    }

    /// An end of a range; `None` for `*`.
    fn edge(&mut self) -> Result<Option<String>, Problem> {
        self.space();
        if self.rest.starts_with('"') {
            return self.quoted().map(Some);
        }
        let is_end = |c: char| is_space(c) || c == ']' || c == '}';
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (raw, rest) = self.rest.split_at(end);
        self.rest = rest;
        match raw {
            "" => Err(Problem::Syntax),
            "*" => Ok(None),
            // As in Lucene, also where the star has a backslash.
            raw => unescape(raw).map(|text| (text != "*").then_some(text)).ok_or(Problem::Syntax),
        }
    }
}

impl Node {
    fn boosted(self, by: f32) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Leaf { boost: leaf.boost * by, ..leaf }),
            Self::Group(parts, boost) => Self::Group(parts, boost * by),
        }
    }
}

/// What a single word looks for.
fn single(raw: &str) -> Result<What, Problem> {
    if raw == "*" {
        return Ok(What::Anything);
    }
    if has_wildcard(raw) {
        return Ok(What::Pattern(raw.to_owned()));
    }
    let text = unescape(raw).ok_or(Problem::Syntax)?;
    let comparison = [(">=", true), (">", false), ("<=", true), ("<", false)];
    for (sign, included) in comparison {
        if let Some(value) = text.strip_prefix(sign).filter(|value| !value.is_empty()) {
            let edge = Some((value.to_owned(), included));
            let is_lower = sign.starts_with('>');
            return Ok(if is_lower { What::Range(edge, None) } else { What::Range(None, edge) });
        }
    }
    Ok(What::Words(text))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

/// Whether a word can go on with it.
fn is_inside(c: char) -> bool {
    !is_space(c) && !r#"!():^[]"{}~\/"#.contains(c)
}

/// The word at the beginning of a text, with its escapes, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(['+', '-']) {
        return None;
    }
    let mut end = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        end = match c {
            '\\' => match chars.next() {
                Some((at, escaped)) => at + escaped.len_utf8(),
                None => break,
            },
            c if is_inside(c) => at + c.len_utf8(),
            _ => break,
        };
    }
    if end == 0 { None } else { text.split_at_checked(end) }
}

fn has_wildcard(raw: &str) -> bool {
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '*' | '?' => return true,
            _ => {}
        }
    }
    false
}

/// Without the backslashes of escapes; `None` when the last one escapes nothing.
fn unescape(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next()? {
            // A character by its number, of which each half may stand for itself.
            'u' => {
                let digits = chars.as_str().get(..4)?;
                let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
                text.push(char::from_u32(number)?);
                chars = chars.as_str().get(4..)?.chars();
            }
            escaped => text.push(escaped),
        }
    }
    Some(text)
}
