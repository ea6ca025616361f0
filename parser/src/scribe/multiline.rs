//! Which lines of a file belong together, such as a stack trace and the message before it.
//!
//! A line is judged by itself and by the lines since the first one of its event, never by earlier
//! ones, so that a file that is read again from where an event begins gives the same events. No
//! line is held back to look at the next one: where only the next line could tell, the usual case
//! decides. Nothing is allocated for a line.

use memchr::{memchr, memrchr};
use regex::bytes::Regex;
use serde::Deserialize;

use crate::ParserKind;

mod of_format;
#[cfg(test)]
mod tests;

/// How lines are joined to one event.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum MultilineKind {
    /// Every line is an event.
    None,
    /// A line that matches the pattern begins an event.
    Start,
    /// A line that matches the pattern continues the event.
    Continuation,
    /// A line that begins with a blank or a tab continues the event.
    Indent,
    /// Always the same number of lines.
    Count,
    /// Java's stack traces, with the message before them.
    Java,
    /// Python's tracebacks, with the message before them.
    Python,
    /// Go's panics, fatal errors and goroutine dumps.
    Go,
    /// Rust's panics and backtraces, and the chains of causes that anyhow prints.
    Rust,
}

impl MultilineKind {
    /// The names as they are written in settings.
    pub const NAMES: &'static [&'static str] =
        &["none", "start", "continuation", "indent", "count", "java", "python", "go", "rust"];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Start => "start",
            Self::Continuation => "continuation",
            Self::Indent => "indent",
            Self::Count => "count",
            Self::Java => "java",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
        }
    }
}

/// A rule, checked: cheap to clone, one for all files of an input.
#[derive(Clone, Debug)]
pub struct Rule {
    joining: Joining,
}

#[derive(Clone, Debug)]
enum Joining {
    Start(Regex),
    Continuation(Regex),
    Count(u32),
    Indent,
    Java,
    Python,
    Go,
    Rust,
    OfFormat(ParserKind),
}

impl Rule {
    /// The rule of lines of this format, of which several are always an event.
    pub fn of_format(kind: ParserKind) -> Option<Self> {
        of_format::has_some(kind).then_some(Self { joining: Joining::OfFormat(kind) })
    }

    /// Checks the settings `multiline_pattern` and `multiline_count`. `None` where every line is
    /// an event. Fails, in words for the user, if one of them is missing, wrong or without use.
    pub fn new(
        kind: MultilineKind,
        pattern: Option<&str>,
        count: Option<u32>,
    ) -> Result<Option<Self>, String> {
        use MultilineKind as Kind;
        let name = kind.name();
        if pattern.is_some() && !matches!(kind, Kind::Start | Kind::Continuation) {
            return Err(format!("multiline_pattern: expected none for multiline = {name:?}"));
        }
        if count.is_some() && kind != Kind::Count {
            return Err(format!("multiline_count: expected none for multiline = {name:?}"));
        }
        let joining = match kind {
            Kind::None => return Ok(None),
            Kind::Start => Joining::Start(read_pattern(name, pattern)?),
            Kind::Continuation => Joining::Continuation(read_pattern(name, pattern)?),
            Kind::Count => Joining::Count(read_count(name, count)?),
            Kind::Indent => Joining::Indent,
            Kind::Java => Joining::Java,
            Kind::Python => Joining::Python,
            Kind::Go => Joining::Go,
            Kind::Rust => Joining::Rust,
        };
        Ok(Some(Self { joining }))
    }

    /// Where an event is that begins with `line`.
    fn begin(&self, line: &[u8]) -> Place {
        match self.joining {
            Joining::Start(_) | Joining::Continuation(_) => Place::Plain,
            Joining::Count(_) => Place::Lines(1),
            _ if is_blank(line) => Place::Blank,
            Joining::Indent => Place::Plain,
            Joining::Java => begin_java(line),
            Joining::Python => begin_python(line),
            Joining::Go => begin_go(line),
            Joining::Rust => begin_rust(line),
            Joining::OfFormat(kind) => of_format::begin(kind, line),
        }
    }

    /// Where an event is after `line`, from `place` before it. `None` if `line` begins another.
    fn join(&self, place: Place, line: &[u8]) -> Option<Place> {
        match (&self.joining, place) {
            (Joining::Start(pattern), _) => (!pattern.is_match(line)).then_some(place),
            (Joining::Continuation(pattern), _) => pattern.is_match(line).then_some(place),
            (Joining::Count(count), Place::Lines(seen)) => {
                (seen < *count).then(|| Place::Lines(seen.saturating_add(1)))
            }
            (Joining::Count(_), _) | (_, Place::Blank) => None,
            (Joining::Indent, _) => is_indented(line).then_some(place),
            (Joining::Java, _) => join_java(place, line),
            (Joining::Python, _) => join_python(place, line),
            (Joining::Go, _) => join_go(place, line),
            (Joining::Rust, _) => join_rust(place, line),
            (Joining::OfFormat(kind), _) => of_format::join(*kind, place, line),
        }
    }
}

fn read_pattern(name: &str, pattern: Option<&str>) -> Result<Regex, String> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else {
        return Err(format!(
            "multiline_pattern: expected a regular expression for multiline = {name:?}, found none"
        ));
    };
    Regex::new(pattern).map_err(|error| {
        // The lines before the last one draw an arrow below the pattern.
        let text = error.to_string();
        let problem = text.lines().last().unwrap_or(&text).trim_start_matches("error: ");
        format!("multiline_pattern: expected a regular expression, found {pattern:?}: {problem}")
    })
}

fn read_count(name: &str, count: Option<u32>) -> Result<u32, String> {
    match count {
        None => Err(format!(
            "multiline_count: expected a number of lines for multiline = {name:?}, found none"
        )),
        Some(few @ (0 | 1)) => Err(format!("multiline_count: expected at least 2, found {few}")),
        Some(count) => Ok(count),
    }
}

/// Where in an event the lines of one file are.
#[derive(Clone, Debug)]
pub struct Grouping {
    rule: Rule,
    /// `None` before the first line of an event.
    place: Option<Place>,
}

impl Grouping {
    /// For a file that is read from where an event begins.
    pub fn new(rule: Rule) -> Self {
        Self { rule, place: None }
    }

    /// Whether `line`, which has no line end, goes on the event that the lines before it began.
    /// To be called with every line in order. When false, the line begins an event.
    pub fn continues(&mut self, line: &[u8]) -> bool {
        let joined = self.place.and_then(|place| self.rule.join(place, line));
        self.place = Some(joined.unwrap_or_else(|| self.rule.begin(line)));
        joined.is_some()
    }

    /// The event was ended from outside (timeout, size limit): the next line begins one.
    pub fn end(&mut self) {
        self.place = None;
    }
}

/// What an event was so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// This many lines.
    Lines(u32),
    /// Lines of the event with this number.
    Same(u64),
    /// Within the eight bytes that say how many others follow: how many of them there were, and what they say.
    Size { seen: u8, size: u64 },
    /// So many bytes follow, whatever is in them.
    Bytes(u64),
    /// A blank line. Nothing joins it, so that it is dropped and does not lead another event.
    Blank,
    /// A line that is no part of a trace.
    Plain,
    /// It announced a trace, and its message may follow.
    Head,
    /// It is within a trace.
    Trace,
    /// It is at the end of a trace, or of an error that causes may follow.
    Tail,
    /// It is at a blank line within or behind a trace.
    Gap,
    /// It announced one more trace.
    Linked,
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Whether `line` begins with one of `texts`.
fn begins(line: &[u8], texts: &[&str]) -> bool {
    texts.iter().any(|text| line.starts_with(text.as_bytes()))
}

/// What stands before the first `byte`, or all.
fn before(line: &[u8], byte: u8) -> &[u8] {
    memchr(byte, line).map_or(line, |at| line.split_at(at).0)
}

fn begin_java(line: &[u8]) -> Place {
    let is_exception = line.starts_with(b"Exception in thread ") || is_java_exception(line);
    if is_exception { Place::Trace } else { Place::Plain }
}

fn join_java(place: Place, line: &[u8]) -> Option<Place> {
    if is_indented(line) {
        let is_frame = line.trim_ascii_start().starts_with(b"at ");
        return Some(if is_frame { Place::Trace } else { place });
    }
    if begins(line, &["Caused by: ", "Suppressed: ", "Wrapped by: "]) {
        return Some(Place::Trace);
    }
    // Loggers print the exception below their line; a second one is another's.
    (place == Place::Plain && is_java_exception(line)).then_some(Place::Trace)
}

/// Whether `line` is `package.Class`, or that with `: message`, of an exception by its name.
fn is_java_exception(line: &[u8]) -> bool {
    let class = before(line.trim_ascii_end(), b':');
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"._$".contains(byte);
    let Some(dot) = memrchr(b'.', class) else { return false };
    let (package, simple) = class.split_at(dot);
    let is_exception = |name: &[u8]| {
        ["Exception", "Error", "Throwable"].iter().any(|end| name.ends_with(end.as_bytes()))
    };
    // With `$` between: a class within a class, one of which says what it is.
    class.iter().all(is_name_byte)
        && !matches!(package.last(), None | Some(b'.'))
        && simple.split(|byte| *byte == b'$').any(is_exception)
}

const TRACEBACK: &[u8] = b"Traceback (most recent call last):";
const GROUP_TRACEBACK: &[u8] = b"+ Exception Group Traceback";
const PYTHON_LINKS: &[&str] = &[
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

fn begin_python(line: &[u8]) -> Place {
    if line.trim_ascii_start().starts_with(GROUP_TRACEBACK) {
        return Place::Tail;
    }
    if line.trim_ascii_end().ends_with(TRACEBACK) { Place::Trace } else { Place::Plain }
}

/// A traceback joins the line before it, because `logging` prints the message that it belongs to
/// there; one that nothing logged is rare, is mostly the last that a program writes, and joins
/// the wrong line at the worst, whereas else each logged exception would lose its message.
fn join_python(place: Place, line: &[u8]) -> Option<Place> {
    if is_indented(line) {
        return Some(match place {
            _ if line.trim_ascii_start().starts_with(GROUP_TRACEBACK) => Place::Tail,
            Place::Gap | Place::Linked => Place::Tail,
            _ => place,
        });
    }
    let line = line.trim_ascii_end();
    match place {
        Place::Plain | Place::Linked if line == TRACEBACK => Some(Place::Trace),
        Place::Plain | Place::Tail if line == b"Stack (most recent call last):" => {
            Some(Place::Tail)
        }
        Place::Trace if is_python_exception(line) => Some(Place::Tail),
        Place::Tail if line.is_empty() => Some(Place::Gap),
        Place::Gap if begins(line, PYTHON_LINKS) => Some(Place::Linked),
        Place::Linked if line.is_empty() => Some(Place::Linked),
        _ => None,
    }
}

/// Whether `line` is a name, or that with `: message`.
fn is_python_exception(line: &[u8]) -> bool {
    let name = before(line, b':');
    let begins_well = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_' || !byte.is_ascii();
    name.first().is_some_and(begins_well) && !name.iter().any(u8::is_ascii_whitespace)
}

const GO_HEADS: &[&str] = &["panic: ", "fatal error: ", "runtime: ", "unexpected fault ", "SIG"];
/// What follows a head within the same report.
const GO_HEAD_LINES: &[&str] = &["[signal ", "fatal error: ", "runtime: ", "PC="];

fn begin_go(line: &[u8]) -> Place {
    if begins(line, GO_HEADS) {
        return Place::Head;
    }
    if is_goroutine(line) { Place::Trace } else { Place::Plain }
}

fn join_go(place: Place, line: &[u8]) -> Option<Place> {
    if is_indented(line) {
        return Some(place);
    }
    let is_traced = matches!(place, Place::Head | Place::Trace | Place::Gap);
    match place {
        Place::Head if begins(line, GO_HEAD_LINES) => Some(Place::Head),
        // Two of them without a gap are two dumps. One below a message was logged with it.
        Place::Plain | Place::Head | Place::Gap if is_goroutine(line) => Some(Place::Trace),
        Place::Head | Place::Gap if line.starts_with(b"runtime stack:") => Some(Place::Trace),
        Place::Trace if is_go_function(line) => Some(Place::Trace),
        Place::Gap if is_register(line) => Some(Place::Gap),
        _ if is_traced && is_blank(line) => Some(Place::Gap),
        _ if is_traced && line.starts_with(b"exit status ") => Some(Place::Plain),
        _ => None,
    }
}

/// Whether `line` is such as `goroutine 1 [running]:`.
fn is_goroutine(line: &[u8]) -> bool {
    line.starts_with(b"goroutine ") && line.trim_ascii_end().ends_with(b"]:")
}

/// Whether `line` is such as `main.(*T).F(0xc000, 0x1)`, or says where a goroutine comes from.
fn is_go_function(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let name = before(line, b'(');
    let is_name = name == b"panic" || name.contains(&b'.');
    let is_call = is_name && line.ends_with(b")") && !name.iter().any(u8::is_ascii_whitespace);
    // As in `...23 frames elided...`.
    let is_gap = line.starts_with(b"...") && line.ends_with(b"...");
    is_call || is_gap || line.starts_with(b"created by ")
}

/// Whether `line` is such as `rax    0xca`.
fn is_register(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next().is_some()
        && words.next().is_some_and(|value| value.starts_with(b"0x"))
        && words.next().is_none()
}

fn begin_rust(line: &[u8]) -> Place {
    match rust_panic(line) {
        Some(place) => place,
        None if line.starts_with(b"Error: ") => Place::Tail,
        None => Place::Plain,
    }
}

fn join_rust(place: Place, line: &[u8]) -> Option<Place> {
    if rust_panic(line).is_some() {
        return None;
    }
    if place == Place::Head {
        return Some(Place::Trace);
    }
    if is_indented(line) {
        return Some(place);
    }
    match place {
        Place::Tail | Place::Gap if begins(line, RUST_CAUSES) => Some(Place::Tail),
        Place::Tail if is_blank(line) => Some(Place::Gap),
        Place::Trace if begins(line, RUST_TRACE_LINES) => Some(Place::Trace),
        // Below the last line of a message of several lines.
        Place::Plain if begins(line, RUST_BACKTRACES) => Some(Place::Trace),
        _ => None,
    }
}

const RUST_CAUSES: &[&str] = &["Caused by:", "Stack backtrace:", "Location:"];
const RUST_BACKTRACES: &[&str] = &["stack backtrace:", "note: run with `RUST_BACKTRACE="];
const RUST_TRACE_LINES: &[&str] =
    &["stack backtrace:", "note: ", "fatal runtime error: ", "thread caused non-unwinding panic"];

/// If a thread of Rust says that it panicked: `Head` if its message is still to come.
fn rust_panic(line: &[u8]) -> Option<Place> {
    const PANICKED: &[u8] = b" panicked at ";
    if !line.starts_with(b"thread '") {
        return None;
    }
    let line = line.trim_ascii_end();
    if line.ends_with(b" has overflowed its stack") {
        return Some(Place::Trace);
    }
    let position = line.windows(PANICKED.len()).position(|part| part == PANICKED)?;
    let what = line.get(position + PANICKED.len()..)?;
    // Until Rust 1.72 the message stood here, in quotes, and the place behind it.
    let is_place = !what.starts_with(b"'") && what.ends_with(b":");
    Some(if is_place { Place::Head } else { Place::Trace })
}
