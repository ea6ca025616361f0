//! What stands between the time of a line and its message.

use memchr::{memmem, memrchr};

use super::Start;
use crate::List;
use crate::level;
use crate::words::{add, inside, number, split_once, trim_start, word};

/// What was found.
#[derive(Debug, Default)]
pub struct Header<'a> {
    level: &'a [u8],
    logger: &'a [u8],
    thread: &'a [u8],
    process: Option<u64>,
    thread_id: Option<u64>,
    file: &'a [u8],
    line: Option<u64>,
    message: &'a [u8],
}

/// So many things stand before a level, at most.
const MOST_ITEMS: usize = 6;

/// What something in a line is.
enum Item<'a> {
    Level(&'a [u8]),
    /// A level with who says it: `production.ERROR`, `INFO/MainProcess`.
    Both {
        level: &'a [u8],
        logger: &'a [u8],
    },
    Number(u64),
    Bracket(&'a [u8]),
    /// A name between separators.
    Name(&'a [u8]),
    /// The message has begun.
    Text,
}

impl<'a> Header<'a> {
    /// Reads what is behind the time.
    pub(super) fn read(start: &Start<'a>) -> Self {
        let mut header = Self::default();
        let behind = trim_start(start.rest);
        if let Some(within) = start.within {
            header.read_within(within);
        }
        if start.letter {
            // The word behind says the same: `I, [… #7]  INFO -- prog: text`.
            let (level, rest) = word(behind);
            header.level = level;
            let rest = rest.strip_prefix(b"-- ").unwrap_or(rest);
            let (logger, message) = split_once(rest, b':').unwrap_or((b"", rest));
            (header.logger, header.message) = if is_name(logger) || logger.is_empty() {
                (logger, trim_start(message))
            } else {
                (&b""[..], rest)
            };
            return header;
        }
        if header.level.is_empty() {
            header.read_level(behind);
        } else {
            header.message = separated(behind);
        }
        header
    }

    /// `INFO  app::module`, `INFO/MainProcess`, `#7`: what is in one bracket with the time.
    fn read_within(&mut self, within: &'a [u8]) {
        if let Some(process) = within.strip_prefix(b"#").and_then(number) {
            self.process = Some(process);
            return;
        }
        let (first, rest) = word(within);
        let (level, name) = split_once(first, b'/').unwrap_or((first, b""));
        if level::is_certain(level) {
            self.level = level;
            self.logger = if name.is_empty() { rest } else { name };
        }
    }

    /// Reads up to the level and what is behind it; if there is none, all is the message.
    fn read_level(&mut self, text: &'a [u8]) {
        let mut rest = text;
        let mut bracket: &[u8] = b"";
        let mut name: &[u8] = b"";
        for _ in 0..MOST_ITEMS {
            let (item, after) = item(rest);
            match item {
                Item::Level(level) => {
                    self.level = level;
                    self.thread = bracket;
                    self.logger = name;
                    self.read_behind_level(after, !bracket.is_empty());
                    return;
                }
                Item::Both { level, logger } => {
                    (self.level, self.logger) = (level, logger);
                    self.message = separated(after);
                    return;
                }
                Item::Number(number) if self.process.is_none() => self.process = Some(number),
                Item::Number(number) => self.thread_id = Some(number),
                Item::Bracket(inside) => match number(inside) {
                    Some(number) => self.process = Some(number),
                    None => bracket = inside,
                },
                Item::Name(word) if name.is_empty() => name = word,
                Item::Name(_) | Item::Text => break,
            }
            rest = after;
        }
        // Numbers before a message belong to it, unless they are set apart.
        if name.is_empty() {
            (self.process, self.thread_id) = (None, None);
        }
        self.logger = name;
        self.message = if name.is_empty() { text } else { separated(rest) };
        self.message = self.message.strip_prefix(b": ").unwrap_or(self.message);
        self.read_origin();
    }

    /// `main.go:12: text`, as Go writes it.
    fn read_origin(&mut self) {
        let (first, rest) = word(self.message);
        let Some(origin) = first.strip_suffix(b":") else { return };
        let Some(colon) = memrchr(b':', origin) else { return };
        let (file, line) = origin.split_at(colon);
        let line = line.get(1..).and_then(number);
        if line.is_some() && memrchr(b'.', file).is_some() {
            (self.file, self.line, self.message) = (file, line, rest);
        }
    }

    fn read_behind_level(&mut self, text: &'a [u8], has_thread: bool) {
        // `|INFO|Logger.Name|text`
        if let Some((logger, message)) =
            text.strip_prefix(b"|").and_then(|text| split_once(text, b'|'))
            && is_name(logger.trim_ascii())
        {
            (self.logger, self.message) = (logger.trim_ascii(), trim_start(message));
            return;
        }
        let is_padded = text.starts_with(b"    ");
        let mut rest = separated(text);
        // `7 --- [app] [main] o.e.Class : text` of Spring Boot.
        let (first, after) = word(rest);
        if let (Some(process), Some(behind)) = (number(first), after.strip_prefix(b"--- ")) {
            self.process = Some(process);
            rest = trim_start(behind);
        }
        while let Some((bracket, after)) = inside(rest, b'[', b']') {
            let behind = trim_start(after);
            let is_end = behind.starts_with(b"- ") || behind.starts_with(b": ");
            let is_more = behind.starts_with(b"[");
            // `[o.e.n.Node] [n1] text`
            let has_package = is_class(bracket) && memrchr(b'.', bracket).is_some();
            if has_package && !is_end && self.logger.is_empty() {
                self.logger = bracket;
            } else if is_end || is_more || logger_of(behind, true).is_some() {
                self.take_thread(bracket);
            } else {
                break;
            }
            rest = separated(behind);
            if is_end {
                break;
            }
        }
        let is_sure = has_thread || !self.thread.is_empty() || self.process.is_some();
        self.message = rest;
        if self.logger.is_empty() && !is_sure {
            self.read_logger_at_end();
            rest = self.message;
        }
        if self.logger.is_empty() {
            if let Some((logger, message)) = logger_of(rest, is_sure) {
                (self.logger, rest) = (logger, message);
            } else if is_padded && let Some((logger, message)) = padded_of(rest) {
                (self.logger, rest) = (logger, message);
            }
        }
        self.message = rest;
        self.read_origin();
    }

    /// The thread, in which `ZooKeeper` has the class and its line as well: `main:QuorumPeer@913`.
    fn take_thread(&mut self, bracket: &'a [u8]) {
        let bracket = bracket.trim_ascii();
        self.thread = bracket;
        let Some((before, line)) =
            memrchr(b'@', bracket).and_then(|at| bracket.split_at_checked(at))
        else {
            return;
        };
        let Some(line) = line.get(1..).and_then(number) else { return };
        let colon = memrchr(b':', before);
        let (thread, class) = colon.map_or((&b""[..], before), |at| {
            (before.split_at(at).0, before.get(at + 1..).unwrap_or_default())
        });
        if is_name(class) {
            (self.thread, self.logger, self.line) = (thread, class, Some(line));
        }
    }

    /// `text (kafka.log.UnifiedLog$)`
    fn read_logger_at_end(&mut self) {
        let Some(text) = self.message.strip_suffix(b")") else { return };
        let Some(at) = memmem::rfind(text, b" (") else { return };
        let (before, inside) = text.split_at(at);
        let logger = inside.get(2..).unwrap_or_default();
        if is_name(logger) && memrchr(b'.', logger).is_some() {
            (self.logger, self.message) = (logger, before);
        }
    }

    /// Adds what was found.
    pub fn add(self, others: &mut List<'a>) {
        if !self.level.is_empty() {
            level::add(others, self.level);
        }
        add(others, "log.logger", self.logger.trim_ascii());
        add(others, "log.origin.file.name", self.file);
        if let Some(line) = self.line {
            others.add("log.origin.file.line", line);
        }
        if let Some(process) = self.process {
            others.add("process.pid", process);
        }
        add(others, "process.thread.name", self.thread);
        if let Some(thread) = self.thread_id {
            others.add("process.thread.id", thread);
        }
        add(others, "message", self.message);
    }
}

/// Whether a text can be the name of a logger, a class, a module or a program.
pub fn is_name(text: &[u8]) -> bool {
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b"._$/:-@<>#+".contains(byte) || !byte.is_ascii()
    };
    (1..=200).contains(&text.len())
        && text.iter().any(u8::is_ascii_alphabetic)
        && !matches!(text.first(), Some(b'/' | b'-' | b'.'))
        && text.iter().all(is_part)
}

/// Whether a text can be the name of a class, with its package or without.
fn is_class(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._$".contains(byte);
    text.len() >= 3 && text.iter().all(is_part) && text.iter().any(u8::is_ascii_lowercase)
}

/// Without what separates one thing from the next.
fn separated(text: &[u8]) -> &[u8] {
    let mut rest = trim_start(text);
    for separator in [&b"- "[..], b"-- ", b": ", b"| ", b", ", b"|"] {
        if let Some(behind) = rest.strip_prefix(separator) {
            rest = trim_start(behind);
            break;
        }
    }
    rest
}

/// The next thing before a level, and what is behind it.
fn item(text: &[u8]) -> (Item<'_>, &[u8]) {
    let text = separated(text.strip_prefix(b",").unwrap_or(text));
    if text.starts_with(b"[")
        && let Some((inside, after)) = inside(text, b'[', b']')
    {
        let word = inside.trim_ascii();
        if word.len() >= 3 && level::folded(word).is_some() {
            return (Item::Level(word), after);
        }
        return (Item::Bracket(word), after);
    }
    let end = text
        .iter()
        .position(|byte| matches!(byte, b' ' | b'|' | b'[' | b'\t'))
        .unwrap_or(text.len());
    let (first, after) = text.split_at(end);
    let plain = first.strip_suffix(b":").or_else(|| first.strip_suffix(b",")).unwrap_or(first);
    let is_apart = plain.len() < first.len() || after.starts_with(b"|") || after.starts_with(b"  ");
    let is_level =
        level::is_certain(plain) || is_apart && plain.len() >= 3 && level::folded(plain).is_some();
    if is_level {
        return (Item::Level(plain), after);
    }
    if let [b'V' | b'D' | b'I' | b'W' | b'E' | b'F'] = plain
        && (after.starts_with(b" ") || after.starts_with(b"|"))
    {
        return (Item::Level(plain), after);
    }
    if let Some(number) = number(plain) {
        return (Item::Number(number), after);
    }
    if let Some(dot) = memrchr(b'.', plain)
        && plain.len() < first.len()
        && let Some(word) = plain.get(dot + 1..).filter(|word| level::is_certain(word))
    {
        return (Item::Both { level: word, logger: plain.get(..dot).unwrap_or_default() }, after);
    }
    let is_separated = after.starts_with(b"|")
        || trim_start(after).starts_with(b"- ")
        || trim_start(after).starts_with(b"| ");
    if is_separated && is_name(plain) {
        return (Item::Name(plain), after);
    }
    (Item::Text, text)
}

/// The logger that `text` begins with, and the message behind it. `is_sure` where what stands before
/// leaves no doubt that a logger is there.
fn logger_of(text: &[u8], is_sure: bool) -> Option<(&[u8], &[u8])> {
    let (first, rest) = word(text);
    let has_dots =
        |name: &[u8]| memrchr(b'.', name).is_some() || memmem::find(name, b"::").is_some();
    if let Some(name) = first.strip_suffix(b":") {
        let is_capital = is_class(name) && name.first().is_some_and(u8::is_ascii_uppercase);
        let is_logger = is_capital || is_name(name) && (is_sure || has_dots(name));
        // `main.go:12: ` is a place.
        let is_place = memrchr(b':', name)
            .and_then(|at| name.get(at + 1..))
            .is_some_and(|line| number(line).is_some());
        return (is_logger && !is_place).then_some((name, rest));
    }
    if !is_name(first) {
        return None;
    }
    for separator in [&b"- "[..], b": ", b"-- ", b"| "] {
        if let Some(message) = rest.strip_prefix(separator) {
            return Some((first, trim_start(message)));
        }
    }
    // `nova.osapi_compute.wsgi.server [req-…] text`
    (has_dots(first) && rest.starts_with(b"[")).then_some((first, rest))
}

/// A name that is padded to a column: `CBS    Loaded`.
fn padded_of(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memmem::find(text, b"  ")?;
    let (name, rest) = text.split_at(end);
    is_name(name).then_some((name, trim_start(rest)))
}
