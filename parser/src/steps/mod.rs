//! What is done with a document before it leaves, in the order of the settings: fields are set, renamed,
//! masked; lines are dropped. There is no language: each step is one table.
//!
//! Steps work on the finished document (`view`), so they are the same for all formats, and cost
//! nothing where there are none. None of them changes an id, which is that of the line.

mod enrich;
mod hash;
mod mask;
pub mod own;
pub mod settings;
#[cfg(test)]
pub mod tests;
mod url;
mod view;
mod when;

use std::sync::Arc;

use omphalos_common::event::DocumentId;

use crate::document::{Fresh, Marks};

use enrich::Enrich;
pub use enrich::not_reread;
use hash::Key;
use mask::Mask;
use settings::{StepKind, is_metadata};
use view::{Blocked, MOST_LEVELS, Node, View, json_of, text_of};
use when::Condition;

/// The tag of a document of which a step could not do what it should.
pub const FAILURE: &str = "step_failure";

/// The steps of a monitor.
#[derive(Debug)]
pub struct Steps {
    steps: Vec<Step>,
}

/// One of them.
#[derive(Debug)]
pub struct Step {
    /// By what name it is in the books and in what is explained.
    name: Arc<str>,
    kind: StepKind,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Set { field: Box<str>, json: String },
    Rename { field: Box<str>, to: Box<str> },
    DropField(Vec<Box<str>>),
    Keep(Condition),
    Drop(Condition),
    Sample { one_of: u32, among: Option<Condition> },
    Mask { what: Vec<Mask>, fields: Option<Vec<Box<str>>> },
    Hash { fields: Vec<Box<str>>, key: Key },
    Url { field: Box<str> },
    Split { field: Box<str>, separator: Box<str> },
    Enrich(Box<Enrich>),
}

/// Is told what each step made of a document: which one, what it is called, and the document behind it,
/// or `None` where it was dropped.
pub type Explain<'e> = &'e mut dyn FnMut(usize, &str, Option<&[u8]>);

impl Steps {
    /// The names of those that may drop lines, each once.
    pub fn dropping(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for step in &self.steps {
            let may_drop =
                matches!(step.action, Action::Keep(_) | Action::Drop(_) | Action::Sample { .. });
            if may_drop && !names.contains(&step.name) {
                names.push(Arc::clone(&step.name));
            }
        }
        names
    }

    /// Whether what is kept depends on ids.
    pub fn depend_on_ids(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Sample { .. }))
    }

    /// Does them with a document, which ends with a line feed; returns the step that dropped it, and takes
    /// it away then.
    pub(crate) fn run(
        &self,
        document: Fresh<'_>,
        id: DocumentId,
        explain: Option<Explain<'_>>,
    ) -> Option<&Arc<str>> {
        let Fresh { out, start, marks } = document;
        let steps = match explain {
            Some(_) => &self.steps,
            None => self.inserted(out, marks),
        };
        if steps.is_empty() {
            return None;
        }
        let text = out.get(start..).unwrap_or_default();
        let text = std::str::from_utf8(text).ok().map(str::trim_ascii_end);
        let read = text.and_then(View::new);
        debug_assert!(read.is_some(), "a document is an object");
        let mut view = read?;
        let dropped = run_on(steps, &mut view, id, explain);
        if dropped.is_none() && !view.is_changed {
            return None;
        }
        let mut done = Vec::new();
        if dropped.is_none() {
            view.write(&mut done);
            done.push(b'\n');
        }
        out.truncate(start);
        out.extend_from_slice(&done);
        dropped
    }

    /// Does the first ones that can be done with the text of a document as it was written; those that are
    /// left.
    fn inserted(&self, out: &mut Vec<u8>, mut marks: Marks) -> &[Step] {
        let mut is_done = |step: &Step| match &step.action {
            Action::Enrich(enrich) => enrich.insert(out, &mut marks),
            _ => false,
        };
        let left = self.steps.iter().position(|step| !is_done(step));
        left.and_then(|left| self.steps.get(left..)).unwrap_or_default()
    }
}

fn run_on<'s>(
    steps: &'s [Step],
    view: &mut View<'_>,
    id: DocumentId,
    mut explain: Option<Explain<'_>>,
) -> Option<&'s Arc<str>> {
    for (number, step) in steps.iter().enumerate() {
        let is_dropped = step.action.drops(view, id);
        if !is_dropped && step.action.change(view).is_err() {
            view.tag(FAILURE);
        }
        if let Some(explain) = &mut explain {
            let mut document = Vec::new();
            view.write(&mut document);
            explain(number + 1, &step.called(), (!is_dropped).then_some(&document));
        }
        if is_dropped {
            return Some(&step.name);
        }
    }
    None
}

impl Step {
    /// What it does, and its name, if it has one of its own.
    fn called(&self) -> String {
        let kind = self.kind.name();
        if *self.name == *kind { kind.to_owned() } else { format!("{kind} {}", self.name) }
    }
}

impl Action {
    /// Whether it drops the line.
    fn drops(&self, view: &mut View<'_>, id: DocumentId) -> bool {
        match self {
            Self::Keep(condition) => !condition.keeps(view),
            Self::Drop(condition) => condition.drops(view),
            Self::Sample { one_of, among } => {
                among.as_ref().is_none_or(|among| among.drops(view)) && !is_sampled(id, *one_of)
            }
            _ => false,
        }
    }

    fn change(&self, view: &mut View<'_>) -> Result<(), Blocked> {
        match self {
            Self::Set { field, json } => view.set(field, Node::New(json.clone())).map(drop),
            Self::Rename { field, to } => rename(view, field, to),
            Self::DropField(fields) => {
                for field in fields {
                    view.remove(field);
                }
                Ok(())
            }
            Self::Mask { what, fields } => {
                mask(view, what, fields.as_deref());
                Ok(())
            }
            Self::Hash { fields, key } => {
                for field in fields {
                    change_field(view, field, |json| match text_of(json) {
                        Some(text) => Some(json_of(&key.hash(&text))),
                        None if json == "null" => None,
                        None => Some(json_of(&key.hash(json))),
                    });
                }
                Ok(())
            }
            Self::Url { field } => url::take_apart(view, field),
            Self::Split { field, separator } => {
                change_field(view, field, |json| Some(split(&text_of(json)?, separator)));
                Ok(())
            }
            Self::Enrich(enrich) => enrich.add(view),
            Self::Keep(_) | Self::Drop(_) | Self::Sample { .. } => Ok(()),
        }
    }
}

/// Whether a line is one of so many that are kept: by what of its id does not depend on its time, so that
/// whoever reads the line again decides the same.
fn is_sampled(id: DocumentId, one_of: u32) -> bool {
    let [_, _, _, _, hash @ ..] = id.to_bytes();
    let hash = hash.first_chunk().map_or(0, |hash| u64::from_be_bytes(*hash));
    hash.is_multiple_of(u64::from(one_of.max(1)))
}

/// Gives a field another name, unless there is something of that name.
fn rename(view: &mut View<'_>, field: &str, to: &str) -> Result<(), Blocked> {
    let Some(node) = view.remove(field) else { return Ok(()) };
    if view.get(to).is_none() && view.set(to, node.clone()).is_ok() {
        return Ok(());
    }
    // What was there a moment ago can be put back.
    drop(view.set(field, node));
    Err(Blocked)
}

fn mask(view: &mut View<'_>, what: &[Mask], fields: Option<&[Box<str>]>) {
    let masked = |name: &str, json: &str| {
        let mut masked: Option<String> = None;
        for mask in what {
            let now = masked.as_deref().unwrap_or(json);
            masked = mask.json(name, now).or(masked);
        }
        masked
    };
    match fields {
        None => view.change_all(is_metadata_of_document, masked),
        Some(fields) => {
            for field in fields {
                change_field(view, field, |json| masked(field, json));
            }
        }
    }
}

/// What is left as it is where everything is masked.
fn is_metadata_of_document(name: &str) -> bool {
    // What could not be read is said with words of the line, and so is what has no place.
    !matches!(
        name,
        "error" | "error.message" | "tags" | "unmerged" | "event" | "host" | "log" | "log.file"
    ) && !name.starts_with("unmerged.")
        && is_metadata(name)
}

/// Replaces each plain value of a field.
fn change_field(view: &mut View<'_>, field: &str, mut change: impl FnMut(&str) -> Option<String>) {
    if let Some(node) = view.get_mut(field) {
        node.change_each(&mut change, MOST_LEVELS);
    }
}

/// More pieces than this stay together in the last.
const MOST_PIECES: usize = 128;

fn split(text: &str, separator: &str) -> String {
    let pieces = text.splitn(MOST_PIECES, separator).map(str::trim);
    let pieces: Vec<String> = pieces.filter(|piece| !piece.is_empty()).map(json_of).collect();
    format!("[{}]", pieces.join(","))
}
