//! Dead letters: which of the documents that were not found are among them, and why.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use anyhow::Context;
use omphalos_common::event::DocumentId;
use omphalos_indexer::collector::{FileLetter, read_lines};
use omphalos_transport::amqp::DeadQueue;
use omphalos_transport::dead_letter::{self as header, Header};

use super::absent::State;
use super::file::Audited;
use super::portion::{Hash, hash_of};
use super::progress::Progress;

/// So many letters are compared with the documents at once.
const MOST_AT_ONCE: usize = 20_000;
/// So many reasons are told apart; what comes then is told by its type only.
const MOST_GROUPS: usize = 200;
/// So much of an example is kept, in characters.
const LONGEST_EXAMPLE: usize = 1_000;

/// Dead letters with the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// HTTP status.
    pub status: String,
    /// Elasticsearch's error type.
    pub kind: String,
    /// What Elasticsearch's reasons have in common; empty when there were too many to tell apart.
    pub reason: String,
}

impl Group {
    /// Where nothing is known.
    pub fn unknown() -> Self {
        Self { status: String::new(), kind: String::new(), reason: String::new() }
    }
}

/// The groups that were met, by their number.
#[derive(Debug, Default)]
pub struct Groups {
    /// Each with the reason of the first letter that was in it.
    all: Vec<(Group, String)>,
    numbers: HashMap<Group, u16>,
}

impl Groups {
    /// The group of this number.
    pub fn get(&self, number: u16) -> Option<&Group> {
        self.all.get(usize::from(number)).map(|(group, _)| group)
    }

    /// The reason of one letter of the group, as Elasticsearch said it, but for its length.
    pub fn example(&self, number: u16) -> Option<&str> {
        self.all.get(usize::from(number)).map(|(_, example)| &**example)
    }

    fn number(&mut self, (mut group, example): (Group, String)) -> u16 {
        if let Some(number) = self.numbers.get(&group) {
            return *number;
        }
        if self.all.len() >= MOST_GROUPS {
            group.reason = String::new();
            if let Some(number) = self.numbers.get(&group) {
                return *number;
            }
        }
        let number = u16::try_from(self.all.len()).unwrap_or(u16::MAX);
        self.all.push((group.clone(), example.chars().take(LONGEST_EXAMPLE).collect()));
        self.numbers.insert(group, number);
        number
    }
}

/// Where dead letters are.
pub enum Source {
    /// In the broker's queue; looking does not take them out.
    Queue(Box<DeadQueue>),
    /// In the file of a process without a broker.
    File(FileLines),
}

/// The lines of a file.
type FileLines = Box<dyn Iterator<Item = io::Result<Vec<u8>>> + Send>;

/// What is said of a letter.
struct Said {
    id: String,
    status: String,
    kind: String,
    reason: String,
}

impl Said {
    fn of<'a>(header: impl Fn(Header) -> Option<&'a str>) -> Self {
        let get = |name| header(name).unwrap_or_default().to_owned();
        Self {
            id: get(header::ID),
            status: get(header::STATUS),
            kind: get(header::TYPE),
            reason: get(header::REASON),
        }
    }
}

impl Source {
    /// The dead letters in the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn file(path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("--dead-file: cannot read {}", path.display());
        // That it is there is known, or somebody named it.
        path.metadata().with_context(unreadable)?;
        let lines = read_lines(path).with_context(unreadable)?;
        Ok(Self::File(Box::new(lines)))
    }

    /// The next letter with an id; of each what does not depend on time.
    async fn next(&mut self) -> anyhow::Result<Option<(Hash, (Group, String))>> {
        loop {
            let letter = match self {
                Self::Queue(queue) => {
                    let Some(message) = queue.next().await? else { return Ok(None) };
                    Said::of(|name| message.header(name))
                }
                Self::File(lines) => {
                    let Some(line) = lines.next() else { return Ok(None) };
                    // Half of one is of a process that was killed, and has the document still.
                    let Some(letter) = FileLetter::parse(&line?) else { continue };
                    Said::of(|name| letter.header(name))
                }
            };
            let id = letter.id;
            if let Some(parsed) = DocumentId::parse(&id) {
                let reason = in_common(&letter.reason, &id);
                let group = Group { status: letter.status, kind: letter.kind, reason };
                return Ok(Some((hash_of(parsed), (group, letter.reason))));
            }
        }
    }
}

/// What a reason has in common with those of other documents: not the place in the document, its id,
/// its value, and the causes, which quote it.
fn in_common(reason: &str, id: &str) -> String {
    let first = reason.lines().next().unwrap_or_default();
    let first = ["; caused by", ". Preview of field's value"]
        .iter()
        .fold(first, |text, end| text.split_once(end).map_or(text, |(before, _)| before));
    let is_place = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let placed = first.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let first = placed.filter(|(place, _)| is_place(place)).map_or(first, |(_, rest)| rest);
    first.replace(id, "…")
}

/// Finds the documents of all files that are dead letters; bounded in memory, however many there are
/// of either.
///
/// # Errors
/// When letters or lists cannot be read.
pub async fn find(
    source: &mut Source,
    audited: &mut [Audited],
    groups: &mut Groups,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut seen = 0_u64;
    loop {
        let mut letters: HashMap<Hash, u16> = HashMap::new();
        while letters.len() < MOST_AT_ONCE
            && let Some((hash, group)) = source.next().await?
        {
            seen += 1;
            letters.insert(hash, groups.number(group));
            if seen.is_multiple_of(1000) {
                progress.wait_for(&format!("{seen} dead letters looked at"));
            }
        }
        if letters.is_empty() {
            return Ok(());
        }
        for file in &mut *audited {
            // A letter may have another id that its line may have.
            let mut by_number: HashMap<u64, u16> = HashMap::new();
            for others in &mut file.others {
                for other in others.read()? {
                    let other = other?;
                    by_number
                        .extend(letters.get(&other.hash()).map(|group| (other.number, *group)));
                }
            }
            file.absent.judge(|absent| {
                let group = letters
                    .get(&absent.hash())
                    .or_else(|| letters.get(&hash_of(absent.id.foreign())))
                    .or_else(|| by_number.get(&absent.number));
                match group {
                    Some(group) if absent.state == State::Missing => State::Dead(*group),
                    _ => absent.state,
                }
            })?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn group(reason: &str) -> (Group, String) {
        let group =
            Group { status: "400".to_owned(), kind: "t".to_owned(), reason: reason.to_owned() };
        (group, format!("{reason} of one"))
    }

    #[test]
    fn reasons_that_differ_by_document_are_one() {
        let reason = "[1:423] failed to parse field [n] of type [long] in document with id 'abc'. Preview of field's value: 'x'; caused by y: [1:433] z\n at [Source]";
        let common = "failed to parse field [n] of type [long] in document with id '…'";
        assert_eq!(in_common(reason, "abc"), common);
        assert_eq!(in_common("[a] b", "abc"), "[a] b");
        assert_eq!(in_common("", "abc"), "");
    }

    #[test]
    fn reasons_are_told_apart_until_they_are_too_many() {
        let mut groups = Groups::default();
        assert_eq!(groups.number(group("a")), 0);
        assert_eq!(groups.number(group("b")), 1);
        assert_eq!(groups.number(group("a")), 0);
        for number in 0..1000 {
            groups.number(group(&number.to_string()));
        }
        assert_eq!(groups.all.len(), MOST_GROUPS + 1);
        let last = groups.number(group("something new"));
        assert_eq!(groups.get(last), Some(&group("").0));
        assert_eq!(groups.example(1), Some("b of one"));
    }

    #[tokio::test]
    async fn a_file_of_dead_letters_is_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let id = DocumentId::from_bytes([7; 16]);
        let line = serde_json::json!({
            "x-omphalos-id": id.as_str(), "x-omphalos-status": "400", "x-omphalos-type": "t",
            "x-omphalos-reason": format!("document {} is bad", id.as_str()), "document": "{}"
        });
        writeln!(file, "{{\"x-omphalos-type\":\"bad_header\"}}\n{line}").unwrap();
        let mut source = Source::file(file.path()).unwrap();
        let (hash, (found, _)) = source.next().await.unwrap().unwrap();
        assert_eq!((hash, found), ([7; 12], group("document … is bad").0));
        assert!(source.next().await.unwrap().is_none());
    }
}
