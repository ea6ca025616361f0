//! What stands behind the time in a line of RFC 5424.

use std::borrow::Cow;

use crate::List;
use crate::fields::{Name, Value};
use crate::words::{add as add_text, number, word};

/// So many names are kept; a program has few.
const MOST_NAMES: usize = 64;

/// The names of parameters as fields, which are the same in most lines of a file.
#[derive(Debug, Default)]
pub struct Names {
    known: Vec<Known>,
    /// Those that were met first in the line before.
    new: Vec<Known>,
}

/// A parameter, by the id of its element and its name there.
#[derive(Debug)]
struct Known {
    id: Box<[u8]>,
    parameter: Box<[u8]>,
    name: Name<'static>,
}

impl Names {
    /// Adds host, program, process, message id, data and message; `None` where they are not there, and then
    /// some may have been added.
    pub fn add<'a>(&'a mut self, text: &'a [u8], others: &mut List<'a>) -> Option<()> {
        self.known.append(&mut self.new);
        let Self { known, new } = self;
        let mut name_of = |id: &[u8], parameter: &[u8]| {
            let is_it = |known: &&Known| *known.parameter == *parameter && *known.id == *id;
            if let Some(known) = known.iter().find(is_it) {
                return Some(known.name.borrowed());
            }
            let name = Name::new(format!(
                "log.syslog.structured_data.{}.{}",
                String::from_utf8_lossy(id).replace('.', "_"),
                String::from_utf8_lossy(parameter)
            ))?;
            if known.len() + new.len() < MOST_NAMES {
                new.push(Known { id: id.into(), parameter: parameter.into(), name: name.clone() });
            }
            Some(name)
        };
        add(text, &mut name_of, others)
    }
}

/// Says what a parameter is called in documents, by the id of its element and its name there.
type NameOf<'n, 'a> = &'n mut dyn FnMut(&[u8], &[u8]) -> Option<Name<'a>>;

/// Adds all that is behind the time.
fn add<'a>(text: &'a [u8], name_of: NameOf<'_, 'a>, others: &mut List<'a>) -> Option<()> {
    let mut rest = text;
    let mut next = || {
        let (value, behind) = word(rest);
        rest = behind;
        (!value.is_empty()).then_some(value)
    };
    let [host, program, process, id] = [next()?, next()?, next()?, next()?];
    let present = |text: &'a [u8]| if text == b"-" { &[] } else { text };
    add_text(others, "host.hostname", present(host));
    add_text(others, "process.name", present(program));
    match number(process) {
        Some(pid) => others.add("process.pid", pid),
        None => add_text(others, "log.syslog.procid", present(process)),
    }
    add_text(others, "log.syslog.msgid", present(id));
    others.add("log.syslog.version", "1");
    let rest = match rest {
        [b'-', rest @ ..] => rest,
        [b'[', ..] => add_data(rest, name_of, others)?,
        _ => return None,
    };
    let message = rest.strip_prefix(b" ").unwrap_or(rest);
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    add_text(others, "message", message);
    Some(())
}

/// `[id name="value" …]`, once or more; what is behind it.
fn add_data<'a>(
    mut text: &'a [u8],
    name_of: NameOf<'_, 'a>,
    others: &mut List<'a>,
) -> Option<&'a [u8]> {
    while let Some(element) = text.strip_prefix(b"[") {
        let end = element.iter().position(|byte| matches!(byte, b' ' | b']'))?;
        let (id, mut rest) = element.split_at_checked(end)?;
        while let Some(parameter) = rest.strip_prefix(b" ") {
            let (name, value) = crate::words::split_once(parameter, b'=')?;
            let (value, behind) = quoted(value)?;
            match name_of(id, name) {
                Some(name) => others.add(name, Value::Text(value)),
                None => others.more = true,
            }
            rest = behind;
        }
        text = rest.strip_prefix(b"]")?;
    }
    Some(text)
}

/// A value between quotes, in which `\"`, `\\` and `\]` are escaped, and what is behind it.
fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut is_escaped = false;
    let mut has_escape = false;
    for (at, byte) in inside.iter().enumerate() {
        match byte {
            b'"' if !is_escaped => {
                let (value, rest) = inside.split_at_checked(at)?;
                let value =
                    if has_escape { Cow::Owned(unescaped(value)) } else { Cow::Borrowed(value) };
                return Some((value, rest.get(1..)?));
            }
            b'\\' => (is_escaped, has_escape) = (!is_escaped, true),
            _ => is_escaped = false,
        }
    }
    None
}

fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(escaped @ (b'"' | b'\\' | b']')) if byte == b'\\' => {
                plain.push(*escaped);
                bytes.next();
            }
            _ => plain.push(byte),
        }
    }
    plain
}
