//! The language of `simple_query_string`: nothing that is written in it is wrong.
//!
//! `+` and `|` stand between parts, `-` before one, `"…"` around a phrase, `(…)` around several,
//! `*` after the beginning of a word. What does not pair is left out, as in Lucene. Fuzzy words
//! (`word~1`) are refused.

use super::dsl::MOST_CLAUSES;
use super::words::{Leaf, MOST_DEPTH, Node, Problem, Role, What};

/// Where a word ends.
const ENDS: [char; 9] = [' ', '\t', '\n', '\r', '+', '|', '(', ')', '"'];

/// Reads a text. `all` says that parts without operators between them are all meant.
pub fn parse(text: &str, all: bool) -> Result<Option<Node>, Problem> {
    if text == "*" {
        return Ok(Some(leaf(What::Anything)));
    }
    Parser { rest: text, all, depth: 0, clauses: 0 }.parts()
}

struct Parser<'a> {
    rest: &'a str,
    all: bool,
    depth: usize,
    clauses: usize,
}

/// What is read so far.
struct Tree {
    /// The operator that made `top`, unless it is one part.
    operator: Option<bool>,
    top: Option<Node>,
}

impl Tree {
    /// Operators are applied from left to right: another one takes all before it as one part.
    fn add(&mut self, node: Node, is_and: bool) {
        let role = if is_and { Role::Must } else { Role::Should };
        self.top = Some(match self.top.take() {
            None => node,
            Some(Node::Group(mut parts, boost)) if self.operator == Some(is_and) => {
                parts.push((role, node));
                Node::Group(parts, boost)
            }
            Some(top) => {
                self.operator = Some(is_and);
                Node::Group(vec![(role, top), (role, node)], 1.0)
            }
        });
    }
}

impl Parser<'_> {
    /// Parts up to the end, or to the parenthesis that closes this one.
    fn parts(&mut self) -> Result<Option<Node>, Problem> {
        let mut tree = Tree { operator: None, top: None };
        let mut operator = None;
        let mut is_not = false;
        while let Some(c) = self.rest.chars().next() {
            let after = self.rest.get(c.len_utf8()..).unwrap_or_default();
            let node = match c {
                ' ' | '\t' | '\n' | '\r' => {
                    self.rest = after;
                    is_not = false;
                    continue;
                }
                ')' => {
                    self.rest = after;
                    if self.depth > 0 {
                        break;
                    }
                    continue;
                }
                '+' | '|' => {
                    self.rest = after;
                    operator = operator.or(Some(c == '+'));
                    continue;
                }
                '-' => {
                    self.rest = after;
                    is_not = !is_not;
                    continue;
                }
                '(' if after.contains(')') => self.group(after)?,
                '"' if after.contains('"') => self.phrase(after),
                '(' | '"' => {
                    self.rest = after;
                    continue;
                }
                _ => Some(self.word()?),
            };
            self.clauses += 1;
            if self.clauses > MOST_CLAUSES {
                return Err(Problem::Unsupported("so many clauses are not supported"));
            }
            if let Some(node) = node {
                let node = if is_not { without(node) } else { node };
                tree.add(node, operator.unwrap_or(self.all));
            }
            operator = None;
            is_not = false;
        }
        Ok(tree.top)
    }

    fn group(&mut self, after: &str) -> Result<Option<Node>, Problem> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Problem::Unsupported("so many parentheses are not supported"));
        }
        let skipped = self.rest.len() - after.len();
        self.rest = self.rest.get(skipped..).unwrap_or_default();
        let inside = self.parts()?;
        self.depth -= 1;
        Ok(inside)
    }

    fn phrase(&mut self, after: &str) -> Option<Node> {
        let skipped = self.rest.len() - after.len();
        self.rest = self.rest.get(skipped..).unwrap_or_default();
        let (text, rest) = self.rest.split_once('"')?;
        self.rest = rest;
        // At the end of all a `~` alone says nothing.
        let is_last = self.rest == "~";
        let near = if self.rest.starts_with('~') { self.nearness() } else { 0 };
        let slop = if is_last { 0 } else { near };
        Some(leaf(What::Phrase(text.to_owned(), slop)))
    }

    /// What stands behind a `~`, up to where the word ends: a number, 2 where there is nothing, and 0 for
    /// anything else.
    fn nearness(&mut self) -> u32 {
        let end = self.rest.find(ENDS).unwrap_or(self.rest.len());
        let (said, rest) = self.rest.split_at(end);
        self.rest = rest;
        match said.strip_prefix('~') {
            Some("") => 2,
            number => number.and_then(|number| number.parse().ok()).unwrap_or(0),
        }
    }

    fn word(&mut self) -> Result<Node, Problem> {
        let mut text = String::new();
        let mut end = self.rest.len();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                c if ENDS.contains(&c) || (c == '~' && !text.is_empty()) => {
                    end = at;
                    break;
                }
                c => text.push(c),
            }
        }
        let raw = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end..).unwrap_or_default();
        if self.rest.starts_with('~') {
            if self.nearness() > 0 {
                return Err(Problem::Unsupported("fuzzy words are not supported"));
            }
            return Ok(leaf(What::Words(text)));
        }
        let is_prefix = raw.len() > 1 && raw.ends_with('*') && !raw.ends_with("\\*");
        Ok(leaf(match raw {
            // Only the last star is one; the others are as they are written.
            _ if is_prefix => What::Pattern(prefix_pattern(text.trim_end_matches('*'))),
            _ => What::Words(text),
        }))
    }
}

/// A pattern of everything that begins with `text`.
fn prefix_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

fn leaf(what: What) -> Node {
    Node::Leaf(Leaf { field: None, what, boost: 1.0 })
}

/// Everything but `node`.
fn without(node: Node) -> Node {
    let everything =
        Node::Leaf(Leaf { field: Some("*".to_owned()), what: What::Anything, boost: 1.0 });
    Node::Group(vec![(Role::MustNot, node), (Role::Should, everything)], 1.0)
}
