//! A JSON object a line. Its members become members of the document; where they would collide
//! with what the shipper says of every document, objects are merged, and what cannot be is kept
//! under `unmerged`, so that nothing is lost.

mod exchange;
mod names;
mod outline;
mod placed;
mod profile;
#[cfg(test)]
mod profile_tests;
mod scan;
#[cfg(test)]
mod tests;

pub use profile::text;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;

pub use scan::Scan;

use omphalos_common::json::{Raw, each_member, may_have_halves, without_halves};

use super::document::{Kept, Own, Path, UNMERGED, collide, push_name};
use super::fields::split_first;
use super::time::{Calendar, Time, TimeMembers, TimeRule, read_member};
use super::{Fields, List, Parse, Parsed};
use outline::{Hint, Outlines};

/// Reads JSON lines.
#[derive(Debug, Default)]
pub struct JsonParser {
    /// The line, where something in it had to be replaced.
    whole: String,
    times: TimeRule,
    outlines: Outlines,
}

impl JsonParser {
    /// A parser of lines whose times are as `times` says.
    pub(super) fn with(times: TimeRule) -> Self {
        Self { times, ..Self::default() }
    }
}

/// A member of an object.
#[derive(Debug)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// Its value as it stands there.
    raw: Raw<'a>,
    /// What may follow from its name.
    hint: Hint,
}

/// The members of the object of a line.
#[derive(Debug)]
pub struct JsonFields<'a> {
    members: Vec<Member<'a>>,
    /// What may follow from any of their names.
    all: Hint,
    /// Those whose name is that of one before.
    repeated: Vec<Member<'a>>,
    /// Of how many bytes they were read.
    length: usize,
    /// Whether something was left out because its name had no room.
    is_over: Cell<bool>,
}

impl Parse for JsonParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let failed = |problem| Parsed::Event {
            time: None,
            is_assumed: false,
            fields: Fields::Message,
            problem: Some(problem),
        };
        // As text, because the JSON parser does not look into the strings that it skips.
        let Ok(text) = std::str::from_utf8(line) else {
            return failed("the line is not UTF-8");
        };
        let text = if may_have_halves(text) {
            self.whole = without_halves(text);
            &self.whole
        } else {
            text
        };
        let Some(mut fields) = read_object(text) else {
            return failed("the line is not a JSON object");
        };
        let known = self.outlines.find(&mut fields.members);
        fields.all = known.unwrap_or_else(|| {
            fields.part_repeated();
            self.outlines.note(&mut fields.members)
        });
        let time = fields.take_time(calendar, &self.times);
        profile::apply(&mut fields, others);
        Parsed::Event { time, is_assumed: false, fields: Fields::Json(fields), problem: None }
    }
}

fn read_object(text: &str) -> Option<JsonFields<'_>> {
    let mut members = Vec::with_capacity(16);
    each_member(text, |name, raw| members.push(Member { name, raw, hint: Hint::ANY }))?;
    let (all, repeated, length, is_over) = (Hint::ANY, Vec::new(), text.len(), Cell::new(false));
    Some(JsonFields { members, all, repeated, length, is_over })
}

/// The same, with what is given twice put aside.
fn read_once(text: &str) -> Option<JsonFields<'_>> {
    let mut fields = read_object(text)?;
    fields.part_repeated();
    Some(fields)
}

impl<'a> JsonFields<'a> {
    /// The value of the member of this name.
    fn member(&self, name: &str) -> Option<Raw<'a>> {
        self.members.iter().find(|member| member.name == name).map(|member| member.raw)
    }

    /// Puts what is given twice in the object at `path` into `kept`.
    fn keep_repeated(&self, kept: &mut Kept<Raw<'a>>, path: &str) {
        for member in &self.repeated {
            kept.push_below(Path::new(path), &member.name, member.raw);
        }
    }
}

impl JsonFields<'_> {
    /// Whether what was written of them is not all, because the names of what has no place are too long
    /// together.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    fn note<V>(&self, kept: &Kept<V>) {
        self.is_over.set(self.is_over.get() || kept.is_over());
    }

    /// Puts members aside whose name is that of one before: Elasticsearch refuses a name given twice.
    fn part_repeated(&mut self) {
        let mut seen = names::Seen::default();
        if !self.members.iter().any(|member| seen.has(member.name.as_bytes())) {
            return;
        }
        let mut names: Vec<&str> = self.members.iter().map(|member| &*member.name).collect();
        // Any order brings the same ones together; most lengths differ already.
        names.sort_unstable_by(|one, other| {
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        });
        if !names.windows(2).any(|pair| matches!(pair, [left, right] if left == right)) {
            return;
        }
        let mut seen = HashSet::new();
        let members = std::mem::take(&mut self.members);
        let is_new = |member: &Member<'_>| seen.insert(member.name.to_string());
        (self.members, self.repeated) = members.into_iter().partition(is_new);
    }

    /// The time of the event, if a member tells it. Its own `@timestamp` is taken out then, or if it is
    /// null: the document has one; any other is a member that has no place beside that.
    fn take_time(&mut self, calendar: &mut Calendar, times: &TimeRule) -> Option<Time> {
        let mut candidates = TimeMembers::default();
        let mut own_at = None;
        for (at, Member { name, raw, hint }) in self.members.iter().enumerate() {
            if hint.may_be(Hint::TIME) && candidates.see(name, raw.get()) == Some(0) {
                own_at = Some(at);
            }
        }
        let own = candidates.own();
        let is_own = times.field.as_deref().is_none_or(|field| field == "@timestamp");
        let own_time = own.filter(|_| is_own).and_then(|raw| read_member(calendar, times, raw));
        let time = match &times.field {
            Some(field) => own_time.or_else(|| self.time_at(calendar, times, field)),
            None => own_time.or_else(|| candidates.read_others(calendar, times)),
        };
        if let Some(at) = own_at
            && (own_time.is_some() || own == Some("null"))
        {
            self.members.remove(at);
        }
        time
    }

    /// The time that the member called `field` tells; dots lead into objects, unless a name has them.
    fn time_at(&self, calendar: &mut Calendar, times: &TimeRule, field: &str) -> Option<Time> {
        if let Some(raw) = self.raw(field) {
            return read_member(calendar, times, raw);
        }
        let mut dots = field.match_indices('.');
        dots.find_map(|(at, _)| {
            let (object, below) = (field.get(..at)?, field.get(at + 1..)?);
            read_object(self.raw(object)?)?.time_at(calendar, times, below)
        })
    }

    /// The names of its members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| &*member.name)
    }

    /// The value of a member, as it stands there.
    fn raw(&self, name: &str) -> Option<&str> {
        self.member(name).map(Raw::get)
    }

    /// Appends what the line adds to `object`, one of the document's own, each with a comma before.
    pub(super) fn write_into(&self, out: &mut Vec<u8>, own: Own, object: &str) {
        if !self.all.may_be(Hint::PLACE) {
            return;
        }
        let Some(raw) = self.member(object) else { return };
        // What is given twice is kept when the rest is written.
        let Some(inner) = read_once(raw.get()) else { return };
        let names = own.names_in(object);
        // What has no place is kept when the rest is written.
        let mut kept = Kept::of_line(self.length);
        for Member { name, raw, .. } in inner.members {
            if !names.iter().any(|own| collide(own, &name)) {
                placed::write_in(out, &mut kept, object, &name, raw);
            }
        }
        self.note(&kept);
    }

    /// Appends all that does not go into the document's own objects, each with a comma before.
    pub(super) fn write_rest(&self, out: &mut Vec<u8>, own: Own) {
        let mut kept = Kept::of_line(self.length);
        let mut theirs = None;
        for Member { name: key, raw, hint } in &self.members {
            if !hint.may_be(Hint::PLACE) {
                placed::write_plain(out, &mut kept, key, *raw);
                continue;
            }
            match place(key, *raw, own) {
                Place::Elsewhere => {}
                Place::Free => placed::write_free(out, &mut kept, key, key, *raw),
                Place::Template => placed::write(out, &mut kept, key, key, *raw),
                Place::Taken => kept.push(key, *raw),
                Place::Unmerged => theirs = Some(*raw),
                Place::Object(names) => match read_once(raw.get()) {
                    Some(inner) => {
                        inner.keep_repeated(&mut kept, key);
                        for Member { name, raw, .. } in inner.members {
                            if names.iter().any(|own| collide(own, &name)) {
                                kept.push_below(Path::new(key), &name, raw);
                            } else {
                                placed::keep_in(&mut kept, key, &name, raw);
                            }
                        }
                    }
                    None => kept.push(key, *raw),
                },
            }
        }
        for member in &self.repeated {
            kept.push(&member.name, member.raw);
        }
        match theirs {
            Some(raw) if kept.is_empty() && !placed::has_repeated(raw) => {
                push_member(out, UNMERGED, raw);
            }
            Some(raw) => kept.push(UNMERGED, raw),
            None => {}
        }
        self.note(&kept);
        kept.write(out, |out, raw| placed::write_kept(out, *raw));
    }

    /// Appends the tags of the line, each with a comma behind it.
    pub(super) fn write_tags(&self, out: &mut Vec<u8>) {
        let Some(raw) = self.member("tags") else { return };
        if !is_tags(raw) {
            return;
        }
        let tags = raw.get();
        let inside = tags.strip_prefix('[').and_then(|tags| tags.strip_suffix(']')).unwrap_or(tags);
        if !inside.trim().is_empty() {
            out.extend_from_slice(inside.as_bytes());
            out.push(b',');
        }
    }
}

/// Where a member of the line goes.
enum Place {
    /// The document has it already: tags.
    Elsewhere,
    /// Its name is one of the document's own.
    Taken,
    /// Into an object of the document, of which these members are its own.
    Object(&'static [&'static str]),
    /// Where members are kept whose names are taken, if there are any.
    Unmerged,
    /// It stays where it is.
    Free,
    /// Where the template says.
    Template,
}

/// Fields that a server keeps for itself, in one version of it or another: it refuses documents that have
/// them. The one with the term is a column of Lucene's that no other can be called like.
/// <https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/document-metadata-fields>
const OF_THE_SERVER: [&str; 17] = [
    "_data_stream_timestamp",
    "_doc_count",
    "_feature",
    "_field_names",
    "_id",
    "_ignored",
    "_ignored_source",
    "_index",
    "_index_mode",
    "_nested_path",
    "_primary_term",
    "_routing",
    "_seq_no",
    "_source",
    "_tier",
    "_type",
    "_version",
];

fn place(key: &str, raw: Raw<'_>, own: Own) -> Place {
    let (object, below) = split_first(key);
    if key.starts_with('_') && OF_THE_SERVER.contains(&object) {
        return Place::Taken;
    }
    if (below.is_some() || !names::begins_well(key)) && names::is_odd(key) {
        return Place::Taken;
    }
    let names = own.names_in(object);
    match key {
        _ if names.is_empty() && is_in_template(object) => Place::Template,
        _ if names.is_empty() => Place::Free,
        "tags" if is_tags(raw) => Place::Elsewhere,
        UNMERGED => Place::Unmerged,
        _ if object.len() < key.len() && !own.claims(key) => Place::Template,
        _ if object.len() < key.len() => Place::Taken,
        _ if names == [""] => Place::Taken,
        _ => Place::Object(names),
    }
}

/// Whether the template fixes types of `object`, or in it ([`omphalos_common::ecs::FIELDS`]). Every
/// member of every line comes by here: the compiler looks at lengths first.
pub(super) fn is_in_template(object: &str) -> bool {
    matches!(
        object,
        "@timestamp"
            | "message"
            | "tags"
            | "ecs"
            | "error"
            | "event"
            | "host"
            | "log"
            | "source"
            | "destination"
            | "container"
            | "kubernetes"
            | "orchestrator"
            | "user"
            | "user_agent"
            | "url"
            | "http"
            | "related"
            | "unmerged"
    )
}

fn is_object(raw: Raw<'_>) -> bool {
    raw.get().starts_with('{')
}

/// Whether it is an array with objects in it.
fn has_objects(raw: Raw<'_>) -> bool {
    // The first one that is opened is in nothing but arrays.
    raw.get().starts_with('[') && scan::has_object(raw.get())
}

/// Whether it can stand among tags, or is an array of what can.
fn is_tags(raw: Raw<'_>) -> bool {
    !is_object(raw) && !has_objects(raw)
}

fn push_member(out: &mut Vec<u8>, key: &str, raw: Raw<'_>) {
    out.push(b',');
    push_name(out, key);
    out.extend_from_slice(raw.get().as_bytes());
}
