//! What a program was asked for, on standard output. Nothing on it is a command for a terminal, whoever
//! wrote what it is made of; texts of others have become parts of one line before ([`crate::clean`]).

use std::borrow::Cow;
use std::io::{Result, StdoutLock, Write, stdout};

use crate::clean::{clean_json, clean_lines};

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines without colours.
    Plain,
    /// Lines with colours of ours.
    Coloured,
    /// JSON, which says the same afterwards.
    Json,
}

/// Standard output, a line at a time.
#[derive(Debug)]
pub struct Printed<W: Write = StdoutLock<'static>> {
    form: Form,
    output: W,
    /// What has no end yet.
    rest: Vec<u8>,
}

/// Standard output for what is printed in this form.
pub fn printed(form: Form) -> Printed {
    Printed { form, output: stdout().lock(), rest: Vec::new() }
}

impl<W: Write> Printed<W> {
    /// Writes the first so many bytes of what is there.
    fn give(&mut self, length: usize) -> Result<()> {
        let behind = self.rest.split_off(length);
        // What is text is found to be so much sooner than what is none is replaced.
        let text = match std::str::from_utf8(&self.rest) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&self.rest),
        };
        let safe = match self.form {
            Form::Plain => clean_lines(&text, false),
            Form::Coloured => clean_lines(&text, true),
            Form::Json => clean_json(&text),
        };
        let written = self.output.write_all(safe.as_bytes());
        self.rest = behind;
        written
    }
}

impl<W: Write> Write for Printed<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.rest.extend_from_slice(bytes);
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
            self.give(self.rest.len() - (bytes.len() - end) + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.give(self.rest.len())?;
        self.output.flush()
    }
}

/// What has no line end is printed too; an error there is nobody's any more.
impl<W: Write> Drop for Printed<W> {
    fn drop(&mut self) {
        self.flush().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(form: Form, pieces: &[&[u8]]) -> String {
        let mut all = Vec::new();
        let mut out = Printed { form, output: &mut all, rest: Vec::new() };
        for piece in pieces {
            out.write_all(piece).unwrap();
        }
        drop(out);
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn no_command_gets_through_in_pieces_either() {
        let pieces: [&[u8]; 6] =
            [b"a\x1b[3", b"1mb\nc\xc2", b"\x9bd\n\ne\x1b", b"]0;x\x07", b"\xff", b"\n"];
        assert_eq!(through(Form::Plain, &pieces), "a␛[31mb\nc\u{fffd}d\n\ne␛]0;x␇\u{fffd}\n");
        assert_eq!(
            through(Form::Coloured, &pieces),
            "a\u{1b}[31mb\nc\u{fffd}d\n\ne␛]0;x␇\u{fffd}\n"
        );
        assert_eq!(
            through(Form::Json, &["{\"a\":\"\u{9b}".as_bytes(), b"\"}\n"]),
            "{\"a\":\"\\u009b\"}\n"
        );
        assert_eq!(through(Form::Plain, &[b"no end"]), "no end");
        assert_eq!(through(Form::Plain, &[]), "");
    }
}
