//! What is shown of a dead letter, wherever it is kept, and which ones are meant.

use std::io::Write;
use std::path::Path;

use clap::ArgMatches;
use jiff::Timestamp;
use omphalos_common::clean::{clean, clean_json};
use omphalos_common::printed::Form;
use omphalos_indexer::collector::FileLetter;
use omphalos_transport::amqp::DeadMessage;
use omphalos_transport::dead_letter::{self as header, Header};
use serde_json::{Value, json};

/// What a list shows of a reason, in characters; `show` has all of it.
const LONGEST_REASON: usize = 160;

/// A dead letter.
pub trait Letter {
    /// The text of a header.
    fn header(&self, header: Header) -> Option<&str>;
    /// The document, or the message as it came.
    fn body(&self) -> &[u8];
    /// Content type of the body, where it is known.
    fn content_type(&self) -> Option<&str>;
    /// The file that it is in, if it is in none of a broker's queues.
    fn file(&self) -> Option<&Path>;
}

impl Letter for DeadMessage {
    fn header(&self, header: Header) -> Option<&str> {
        self.header(header)
    }

    fn body(&self) -> &[u8] {
        self.body()
    }

    fn content_type(&self) -> Option<&str> {
        self.content_type()
    }

    fn file(&self) -> Option<&Path> {
        None
    }
}

/// A letter in a file.
pub struct Filed<'a> {
    /// The letter.
    pub letter: FileLetter,
    /// Where it is.
    pub file: &'a Path,
}

impl Letter for Filed<'_> {
    fn header(&self, header: Header) -> Option<&str> {
        self.letter.header(header)
    }

    fn body(&self) -> &[u8] {
        self.letter.body()
    }

    fn content_type(&self) -> Option<&str> {
        None
    }

    fn file(&self) -> Option<&Path> {
        Some(self.file)
    }
}

/// Which dead letters are meant: those that have all of these.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The id of its document.
    pub id: Option<String>,
    /// The type of the error.
    pub kind: Option<String>,
    /// The index that its document is for.
    pub index: Option<String>,
}

impl Selection {
    /// What the flags say.
    pub fn of(given: &ArgMatches) -> Self {
        let get = |name: &str| given.get_one::<String>(name).cloned();
        Self { id: get("id"), kind: get("type"), index: get("index") }
    }

    /// Whether no flag says which.
    pub fn is_everything(&self) -> bool {
        self.id.is_none() && self.kind.is_none() && self.index.is_none()
    }

    /// Whether a letter is among them.
    pub fn has(&self, letter: &impl Letter) -> bool {
        let fits = |wanted: &Option<String>, header| {
            wanted.as_deref().is_none_or(|wanted| letter.header(header) == Some(wanted))
        };
        fits(&self.id, header::ID)
            && fits(&self.kind, header::TYPE)
            && fits(&self.index, header::INDEX)
    }
}

/// A list of letters on standard output, of so many at most.
pub struct List {
    left: u32,
    as_json: bool,
    shown: u64,
}

impl List {
    /// As the flags say.
    pub fn of(given: &ArgMatches) -> Self {
        let left = given.get_one::<u32>("limit").copied().unwrap_or(u32::MAX);
        Self { left, as_json: given.get_flag("json"), shown: 0 }
    }

    /// What it is printed as.
    pub fn form(&self) -> Form {
        if self.as_json { Form::Json } else { Form::Plain }
    }

    /// Whether there is room for more.
    pub fn has_room(&self) -> bool {
        self.left > 0
    }

    /// Lists a letter.
    pub fn add(&mut self, out: &mut impl Write, letter: &impl Letter) -> std::io::Result<()> {
        self.left = self.left.saturating_sub(1);
        self.shown += 1;
        if self.as_json {
            writeln!(out, "{}", clean_json(&summary(letter).to_string()))
        } else {
            write_line(out, letter)
        }
    }

    /// The last line; `more` were not looked at.
    pub fn end(self, out: &mut impl Write, more: u64) -> std::io::Result<()> {
        if self.as_json {
            return Ok(());
        }
        let rest =
            if more > 0 { format!("; {more} more not looked at (--limit)") } else { String::new() };
        writeln!(out, "{} dead letters{rest}", self.shown)
    }
}

fn write_line(out: &mut impl Write, letter: &impl Letter) -> std::io::Result<()> {
    let get = |header| clean(letter.header(header).unwrap_or("-"));
    let whole = get(header::REASON);
    let mut reason: String = whole.chars().take(LONGEST_REASON).collect();
    if reason.len() < whole.len() {
        reason.push('…');
    }
    writeln!(
        out,
        "{}  {}  {}\n    {} {}: {reason}",
        time(letter),
        get(header::ID),
        get(header::INDEX),
        get(header::STATUS),
        get(header::TYPE)
    )?;
    match letter.file() {
        Some(file) => writeln!(out, "    in {}", clean(&file.display().to_string())),
        None => Ok(()),
    }
}

/// A whole letter.
pub fn show(out: &mut impl Write, letter: &impl Letter) -> std::io::Result<()> {
    let mut shown = summary(letter);
    if let Some(members) = shown.as_object_mut() {
        let body = serde_json::from_slice(letter.body())
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(letter.body()).into_owned()));
        members.insert("body".to_owned(), body);
    }
    writeln!(out, "{}", clean_json(&serde_json::to_string_pretty(&shown)?))
}

fn time(letter: &impl Letter) -> String {
    let seconds = letter.header(header::AT).and_then(|text| text.parse().ok());
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// What it is, and why it is dead, without its body.
pub fn summary(letter: &impl Letter) -> Value {
    let get = |header| letter.header(header);
    json!({
        "at": time(letter),
        "id": get(header::ID),
        "index": get(header::INDEX),
        "dataset": get(header::DATASET),
        "status": get(header::STATUS),
        "type": get(header::TYPE),
        "reason": get(header::REASON),
        "exchange": get(header::EXCHANGE),
        "routing_key": get(header::ROUTING_KEY),
        "message_id": get(header::MESSAGE_ID),
        "content_type": letter.content_type(),
        "bytes": letter.body().len(),
        "file": letter.file().map(|file| file.display().to_string()),
    })
}
