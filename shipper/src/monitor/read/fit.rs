//! Whether the lines of a file are of the format that is set for it.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use omphalos_parser::ParserKind;
use omphalos_parser::detect::{count, detect, detect_in};
use omphalos_parser::scribe::charset::Charset;
use omphalos_parser::scribe::{Origin, Recipe, Scribe};

use crate::monitor::read::content::Content;
use crate::monitor::read::foreign;

/// How much of the beginning of a file is looked at.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Which format the first lines of `content` have.
///
/// # Errors
/// When it cannot be read.
pub fn detected(content: &mut Content, charset: Charset) -> io::Result<ParserKind> {
    let mut head = vec![0; HEAD_BYTES];
    let lines = lines(content.read_up_to(&mut head, 0)?, charset);
    Ok(detect(lines.iter().map(|line| &**line)))
}

/// The format of the file at `path`, whose lines are unwrapped and joined as `recipe` says.
///
/// # Errors
/// When it cannot be read.
pub fn format_of(path: &Path, recipe: &Recipe) -> io::Result<ParserKind> {
    let mut head = vec![0; HEAD_BYTES];
    let mut content = Content::open(path)?;
    let head = content.read_up_to(&mut head, 0)?;
    Ok(detect_in(recipe, head, true).unwrap_or(ParserKind::Raw))
}

/// What to say of the file at `path` if most of its first lines are not of the format of `recipe`.
/// Nothing is said of files whose lines are joined: their format is that of the whole.
///
/// # Errors
/// When it cannot be read.
pub fn misfit(path: &Path, recipe: &Recipe) -> io::Result<Option<String>> {
    let mut content = Content::open(path)?;
    let mut head = vec![0; HEAD_BYTES];
    let head = content.read_up_to(&mut head, 0)?;
    if content.is_seekable()
        && let Some(reason) = foreign::refusal(head, false)
    {
        return Ok(Some(reason));
    }
    let mut scribe: Scribe<()> = recipe.scribe(Origin { host_name: "", host_id: "", path: b"" });
    scribe.see_beginning(head);
    if scribe.is_joining() {
        return Ok(None);
    }
    let lines = lines(head, scribe.charset());
    let all = || lines.iter().map(|line| &**line).filter(|line| !line.trim_ascii().is_empty());
    let (of, read) = (all().count(), count(&recipe.format, all()));
    let found = detect(all());
    Ok((of > 0 && read * 10 <= of && found != ParserKind::Raw).then(|| {
        format!(
            "{} of the first {of} lines cannot be read with the parser that is set; {}",
            of - read,
            looks(found)
        )
    }))
}

/// What to say of lines that look like this format.
pub fn looks(kind: ParserKind) -> String {
    match kind {
        ParserKind::Raw => "they are of no format that is known here".to_owned(),
        kind => format!("they look like parser = {:?}", kind.name()),
    }
}

/// The whole lines at the beginning of a file.
fn lines(head: &[u8], charset: Charset) -> Vec<Cow<'_, [u8]>> {
    let head = charset.without_mark(head);
    let mut from = 0;
    let ends = charset.line_ends(head);
    let lines = ends.filter_map(|end| head.get(std::mem::replace(&mut from, end)..end));
    lines.map(|line| charset.text(charset.without_end(line).unwrap_or(line))).collect()
}
