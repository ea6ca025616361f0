//! Where a member of a line goes whose name has a fixed type in the index: under that name where it
//! is of that type, else where a reader looks for it, and under `unmerged` as a last resort; and what
//! becomes of members at any depth whose names no server takes. Elsewhere nothing changes.

use std::collections::HashSet;

use memchr::memchr2;
use omphalos_common::ecs::{BARE_VALUES, FieldType, Role, role};
use omphalos_common::json::Raw;

use super::names::{begins_well, is_odd, may_be_odd};
use super::scan::Scan;
use super::{JsonFields, has_objects, is_object, push_member, read_once};
use crate::document::{Kept, Path, push_name};
use crate::fields::{close, push_text};

/// Objects and arrays deeper than this are left as they are: servers refuse them.
const MOST_LEVELS: usize = 32;

/// Where a member goes.
enum Place {
    /// Under its name, as it is.
    Free,
    /// It is a value where an object belongs: it becomes the member of this name in it.
    Below(&'static str),
    /// It is an object where a text belongs: it becomes its own JSON.
    Text,
    /// It is an object whose members have a place each.
    Object,
    /// It is an array with such objects in it; anything else in it becomes the member of this name, if
    /// there is one.
    List(Option<&'static str>),
    /// Nowhere under its name.
    Taken,
}

fn place(path: &str, raw: Raw<'_>) -> Place {
    let has_inside = has_inside(raw);
    if raw.get() == "null" {
        return Place::Free;
    }
    match role(path) {
        Role::Free | Role::Field(FieldType::Opaque) => Place::Free,
        // Tags are texts.
        Role::Field(kind) if has_inside && kind.is_text() && path != "tags" => Place::Text,
        Role::Field(_) if !has_inside => Place::Free,
        Role::Object(_) if is_object(raw) => Place::Object,
        Role::Object(member) if has_inside => Place::List(member),
        Role::Object(Some(member)) => Place::Below(member),
        Role::Nowhere | Role::Field(_) | Role::Object(None) => Place::Taken,
    }
}

/// Whether there are objects in it.
fn has_inside(raw: Raw<'_>) -> bool {
    is_object(raw) || has_objects(raw)
}

/// Whether it is an object or an array.
fn is_nested(raw: Raw<'_>) -> bool {
    matches!(raw.get().as_bytes().first(), Some(b'{' | b'['))
}

/// Whether a member of an object of the table has its place under its name, which need not be looked
/// up: it is a plain value, and where it stands is no object. Most of all members are so.
fn is_plain(name: &str, raw: Raw<'_>) -> bool {
    !is_nested(raw) && begins_well(name) && !name.contains('.') && !is_inner_object(name)
}

/// Whether an object inside of one of the table is called so.
pub(super) fn is_inner_object(name: &str) -> bool {
    matches!(name, "request" | "response" | "body" | "file" | "pod" | "container")
}

/// Whether all members of this object have their place, as far as its text tells: it has fields only, and
/// no object stands in it, and no name with a dot.
fn is_plain_object(path: &str, raw: Raw<'_>) -> bool {
    let is_flat = BARE_VALUES.iter().any(|(object, _)| *object == path);
    let inside = raw.get().as_bytes().get(1..);
    is_flat
        && inside
            .is_some_and(|inside| memchr2(b'{', b'.', inside).is_none() && !may_be_odd(raw.get()))
}

/// The same as [`write()`], of a member of `object`.
pub fn write_in<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<Raw<'a>>,
    object: &str,
    name: &str,
    raw: Raw<'a>,
) {
    if is_plain(name, raw) {
        push_member(out, name, raw);
        return;
    }
    let path = format!("{object}.{name}");
    if is_odd(name) {
        kept.push(&path, raw);
    } else {
        write(out, kept, &path, name, raw);
    }
}

/// The same as [`keep`], of a member of `object`.
pub fn keep_in<'a>(kept: &mut Kept<Raw<'a>>, object: &str, name: &str, raw: Raw<'a>) {
    if is_plain(name, raw) {
        return;
    }
    let path = format!("{object}.{name}");
    if is_odd(name) {
        kept.push(&path, raw);
    } else {
        keep(kept, &path, raw);
    }
}

/// Appends the member that is called `name` where it stands and `path` in the document, with a comma
/// before it; what has no place goes to `kept`.
pub fn write<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<Raw<'a>>,
    path: &str,
    name: &str,
    raw: Raw<'a>,
) {
    match place(path, raw) {
        Place::Free => write_free(out, kept, path, name, raw),
        Place::Text => {
            begin(out, name);
            push_text(out, raw.get().as_bytes());
        }
        Place::Below(member) => {
            begin(out, name);
            push_below(out, member, raw.get().as_bytes());
        }
        Place::Object if is_plain_object(path, raw) => push_member(out, name, raw),
        Place::Object => match read_once(raw.get()) {
            Some(inner) => {
                begin(out, name);
                write_members(out, kept, path, inner);
            }
            None => kept.push(path, raw),
        },
        Place::List(member) => match Items::read(raw) {
            Some(items) => items.write(out, kept, (path, name), member),
            None => kept.push(path, raw),
        },
        Place::Taken => kept.push(path, raw),
    }
}

/// Puts into `kept` what [`write()`] would put there of this member.
pub fn keep<'a>(kept: &mut Kept<Raw<'a>>, path: &str, raw: Raw<'a>) {
    match place(path, raw) {
        Place::Text | Place::Below(_) => {}
        Place::Free if !may_be_odd(raw.get()) => {}
        // All else is looked into, which is rare.
        _ => write(&mut Vec::new(), kept, path, "", raw),
    }
}

/// The same as [`write()`], of a member for which the template has no type.
pub fn write_free<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<Raw<'a>>,
    path: &str,
    name: &str,
    raw: Raw<'a>,
) {
    if is_nested(raw) && may_be_odd(raw.get()) {
        begin(out, name);
        write_inside(out, kept, Path::new(path), &mut Scan::new(raw.get()), MOST_LEVELS);
    } else {
        push_member(out, name, raw);
    }
}

/// The same as [`write_free`], of a member of the line whose name needs no escapes.
pub fn write_plain<'a>(out: &mut Vec<u8>, kept: &mut Kept<Raw<'a>>, name: &str, raw: Raw<'a>) {
    if is_nested(raw) {
        return write_free(out, kept, name, name, raw);
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(raw.get().as_bytes());
}

/// Appends the value that `scan` is at; what in it is called as nothing can be goes to `kept`.
fn write_inside<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<Raw<'a>>,
    path: Path<'_>,
    scan: &mut Scan<'a>,
    levels: usize,
) {
    match scan.peek() {
        Some(b'{') if levels > 0 => {
            scan.enter();
            out.push(b'{');
            let mut names = HashSet::new();
            while let Some(name) = scan.name() {
                if is_odd(&name) || !names.insert(name.clone()) {
                    if let Some(raw) = scan.raw() {
                        kept.push_below(path, &name, raw);
                    }
                } else {
                    push_name(out, &name);
                    write_inside(out, kept, path.below(&name), scan, levels - 1);
                    out.push(b',');
                }
            }
            close(out, b'}');
        }
        Some(b'[') if levels > 0 => {
            scan.enter();
            out.push(b'[');
            while scan.has_item() {
                write_inside(out, kept, path, scan, levels - 1);
                out.push(b',');
            }
            close(out, b']');
        }
        _ => out.extend_from_slice(scan.value().as_bytes()),
    }
}

/// Appends a value that is put aside; as its JSON text, if an object in it has a name twice.
pub fn write_kept(out: &mut Vec<u8>, raw: Raw<'_>) {
    if has_repeated(raw) {
        push_text(out, raw.get().as_bytes());
    } else {
        out.extend_from_slice(raw.get().as_bytes());
    }
}

/// Whether an object in it has a name twice, as far as is looked into it.
pub fn has_repeated(raw: Raw<'_>) -> bool {
    fn is_found(scan: &mut Scan<'_>, levels: usize) -> bool {
        match scan.peek() {
            Some(b'{') if levels > 0 => {
                scan.enter();
                let mut names = HashSet::new();
                while let Some(name) = scan.name() {
                    if !names.insert(name) || is_found(scan, levels - 1) {
                        return true;
                    }
                }
                false
            }
            Some(b'[') if levels > 0 => {
                scan.enter();
                while scan.has_item() {
                    if is_found(scan, levels - 1) {
                        return true;
                    }
                }
                false
            }
            _ => {
                scan.value();
                false
            }
        }
    }
    is_nested(raw) && may_be_odd(raw.get()) && is_found(&mut Scan::new(raw.get()), MOST_LEVELS)
}

/// The items of an array, with those of the arrays in it.
#[derive(Default)]
pub struct Items<'a> {
    objects: Vec<&'a str>,
    others: Vec<Raw<'a>>,
}

impl<'a> Items<'a> {
    /// `None` where arrays are nested too deep.
    pub fn read(raw: Raw<'a>) -> Option<Self> {
        let mut items = Self::default();
        items.add(&mut Scan::new(raw.get()), MOST_LEVELS).then_some(items)
    }

    fn add(&mut self, scan: &mut Scan<'a>, levels: usize) -> bool {
        match scan.peek() {
            Some(b'[') => {
                scan.enter();
                while levels > 0 && scan.has_item() {
                    if !self.add(scan, levels - 1) {
                        return false;
                    }
                }
                levels > 0
            }
            Some(b'{') => {
                self.objects.push(scan.value());
                true
            }
            _ => {
                self.others.extend(scan.raw());
                true
            }
        }
    }

    /// Appends the objects, and all others as `member` of one more, with a comma before.
    fn write(
        &self,
        out: &mut Vec<u8>,
        kept: &mut Kept<Raw<'a>>,
        (path, name): (&str, &str),
        member: Option<&str>,
    ) {
        begin(out, name);
        out.push(b'[');
        for object in &self.objects {
            if let Some(inner) = read_once(object) {
                write_members(out, kept, path, inner);
                out.push(b',');
            }
        }
        match member {
            Some(member) if !self.others.is_empty() => {
                let texts: Vec<&str> = self.others.iter().map(|raw| raw.get()).collect();
                push_below(out, member, format!("[{}]", texts.join(",")).as_bytes());
            }
            Some(_) => {}
            None => self.others.iter().for_each(|raw| kept.push(path, *raw)),
        }
        close(out, b']');
    }
}

fn begin(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    push_name(out, name);
}

/// Appends an object with one member.
fn push_below(out: &mut Vec<u8>, member: &str, value: &[u8]) {
    out.push(b'{');
    push_name(out, member);
    out.extend_from_slice(value);
    out.push(b'}');
}

/// Appends an object, with those of its members that have a place in it.
fn write_members<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<Raw<'a>>,
    path: &str,
    object: JsonFields<'a>,
) {
    let start = out.len();
    object.keep_repeated(kept, path);
    for member in object.members {
        write_in(out, kept, path, &member.name, member.raw);
    }
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}
