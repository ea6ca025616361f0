//! From a format string to the steps of a plan: what is common to nginx and Apache.

use super::{AccessParser, Plan, Step, Until, What, directives, variables};
use crate::request::Texts;
use crate::time::TimeRule;

/// A piece of a format string.
#[derive(Debug, Clone)]
pub enum Token {
    Literal(Vec<u8>),
    Variable {
        /// As it is written.
        label: String,
        what: What,
    },
}

/// More are in no log.
const MOST_STEPS: usize = 200;

/// The steps for lines of the format string `text`.
pub fn compile(text: &str, times: &TimeRule) -> Result<Plan, String> {
    let (text, texts) = unwrapped(text)?;
    let is_nginx = variables::has_some(&text);
    let tokens =
        if is_nginx { variables::tokens(&text, times)? } else { directives::tokens(&text, times)? };
    steps(merged(tokens), texts)
}

/// The parser that reads lines of this format and no others, if there is one.
pub fn known(text: &str) -> Option<AccessParser> {
    let (text, texts) = unwrapped(text).ok()?;
    (texts == Texts::Escaped).then(|| AccessParser::of_format(&text)).flatten()
}

/// The format string itself of a whole directive (`log_format main '…' '…';`, `LogFormat "…" name`), and how
/// values are escaped, which nginx has in front of it (`escape=json '…'`).
fn unwrapped(text: &str) -> Result<(String, Texts), String> {
    let text = text.trim();
    let mut escape = Texts::Escaped;
    if let Some(rest) = text.strip_prefix("log_format") {
        let (head, quoted) = rest.split_at(rest.find(['\'', '"']).unwrap_or(rest.len()));
        for word in head.split_whitespace() {
            escape = escape_of(word)?.unwrap_or(escape);
        }
        return Ok((quoted_parts(quoted), escape));
    }
    let mut text = text;
    if let Some((word, rest)) = text.split_once(char::is_whitespace)
        && let Some(texts) = escape_of(word)?
    {
        (text, escape) = (rest.trim_start(), texts);
    }
    if text.starts_with('\'') {
        return Ok((quoted_parts(text), escape));
    }
    for directive in ["LogFormat", "CustomLog", "TransferLog"] {
        if let Some(rest) = text.strip_prefix(directive)
            && let Some(start) = rest.find('"')
        {
            return Ok((apache_quoted(rest.get(start + 1..).unwrap_or_default()), escape));
        }
    }
    Ok((without_escapes(text), escape))
}

/// What nginx's parameter `escape=` says of values; `None` of any other word.
fn escape_of(word: &str) -> Result<Option<Texts>, String> {
    let Some(escape) = word.strip_prefix("escape=") else { return Ok(None) };
    match escape {
        "default" => Ok(Some(Texts::Escaped)),
        "json" => Ok(Some(Texts::Json)),
        "none" => Ok(Some(Texts::Literal)),
        other => Err(format!("escape: expected default, json or none, found {other:?}")),
    }
}

/// All that stands between quotes, joined.
fn quoted_parts(text: &str) -> String {
    let mut joined = String::new();
    let mut inside: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (inside, character) {
            (None, '\'' | '"') => inside = Some(character),
            (Some(quote), _) if quote == character => inside = None,
            (Some(_), '\\') => joined.extend(characters.next()),
            (Some(_), _) => joined.push(character),
            (None, _) => {}
        }
    }
    joined
}

/// What stands before the quote that is not escaped.
fn apache_quoted(text: &str) -> String {
    let mut end = text.len();
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if character == '"' && !is_escaped {
            end = at;
            break;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    without_escapes(text.get(..end).unwrap_or(text))
}

/// `\"`, `\\`, `\t` and `\n` as what they stand for.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('t') => plain.push('\t'),
                Some('n') => plain.push('\n'),
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            _ => plain.push(character),
        }
    }
    plain
}

/// With literals that follow each other joined.
fn merged(tokens: Vec<Token>) -> Vec<Token> {
    let mut merged: Vec<Token> = Vec::new();
    for token in tokens {
        match (merged.last_mut(), token) {
            (Some(Token::Literal(before)), Token::Literal(text)) => before.extend(text),
            (_, token) => merged.push(token),
        }
    }
    merged
}

fn steps(tokens: Vec<Token>, texts: Texts) -> Result<Plan, String> {
    let mut lead = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut before: Vec<u8> = Vec::new();
    let has_tabs =
        tokens.iter().any(|token| matches!(token, Token::Literal(text) if text.contains(&b'\t')));
    let mut tokens = tokens.into_iter().peekable();
    let mut quotes = 0;
    let mut seen = variables::Seen::default();
    while let Some(token) = tokens.next() {
        let (label, what, has_blanks) = match token {
            Token::Literal(text) => {
                quotes += memchr::memchr_iter(b'"', &text).count();
                if steps.is_empty() {
                    lead.clone_from(&text);
                }
                before = text;
                continue;
            }
            Token::Variable { label, what } => {
                let has_blanks = what.may_have_blanks();
                (label, seen.once(what), has_blanks)
            }
        };
        let literal = match tokens.peek() {
            Some(Token::Literal(text)) => text.clone(),
            _ => Vec::new(),
        };
        let until = match tokens.peek() {
            Some(Token::Variable { label: next, what: following }) => {
                before_next(following).ok_or_else(|| {
                    format!("expected something between {label} and {next}, so that it can be told where the one ends")
                })?
            }
            _ => match until(&what, &before, &literal, tokens.clone().nth(1).as_ref()) {
                Until::Literal if !has_blanks => Until::Word,
                Until::Literal if has_tabs => Until::Cell,
                until => until,
            },
        };
        let (literal, label) = (literal.into(), label.into());
        steps.push(Step { what, until, literal, label, has_escapes: texts != Texts::Literal });
    }
    if steps.is_empty() {
        return Err(
            "expected a format string with variables such as $remote_addr, or %h".to_owned()
        );
    }
    if steps.len() > MOST_STEPS {
        return Err(format!("expected at most {MOST_STEPS} variables, found {}", steps.len()));
    }
    with_literals_behind(&mut steps);
    Ok(Plan { lead: lead.into(), steps: steps.into(), quotes, texts })
}

/// What begins so that the end of the value before can be told.
fn before_next(following: &What) -> Option<Until> {
    match following {
        What::Target | What::Path => Some(Until::Before(b'/')),
        What::Query => Some(Until::Before(b'?')),
        _ => None,
    }
}

/// Values that end before another one may end at the literal behind that, if it is empty.
fn with_literals_behind(steps: &mut [Step]) {
    for at in 1..steps.len() {
        let behind = steps.get(at).map(|step| step.literal.clone()).unwrap_or_default();
        if let Some(step) = steps.get_mut(at - 1)
            && matches!(step.until, Until::Before(_))
        {
            step.literal = behind;
        }
    }
}

fn until(what: &What, before: &[u8], literal: &[u8], following: Option<&Token>) -> Until {
    let is_quoted = before.ends_with(b"\"") && literal.starts_with(b"\"");
    let is_time = matches!(following, Some(Token::Variable { what: What::Time(_), .. }));
    match what {
        _ if is_quoted && literal == b"\"" => Until::End,
        _ if is_quoted => Until::Quote,
        What::User if is_time => Until::Time,
        what if what.is_list() => Until::List,
        _ => Until::Literal,
    }
}
