//! Where a member of a line goes whose name has a fixed type in the index: under that name where it
//! is of that type, else where a reader looks for it, and under `unmerged` as a last resort.
//! Elsewhere in its object nothing changes.

use omphalos_common::ecs::{BARE_VALUES, FieldType, Role, role};
use serde_json::value::RawValue;

use super::{has_objects, is_object, push_member, read_object};
use crate::document::{Kept, push_name};
use crate::fields::push_text;

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
    /// Nowhere under its name.
    Taken,
}

fn place(path: &str, raw: &RawValue) -> Place {
    let has_inside = is_object(raw) || has_objects(raw);
    if raw.get() == "null" {
        return Place::Free;
    }
    match role(path) {
        Role::Free | Role::Field(FieldType::Opaque) => Place::Free,
        // Tags are texts.
        Role::Field(kind) if has_inside && kind.is_text() && path != "tags" => Place::Text,
        Role::Field(_) if !has_inside => Place::Free,
        Role::Object(_) if is_object(raw) => Place::Object,
        // Of several objects only the server knows what it makes.
        Role::Object(_) if has_inside => Place::Free,
        Role::Object(Some(member)) => Place::Below(member),
        Role::Nowhere | Role::Field(_) | Role::Object(None) => Place::Taken,
    }
}

/// Whether a member of an object of the table has its place under its name, which need not be looked
/// up: it is a plain value, and where it stands is no object. Most of all members are so.
fn is_plain(name: &str, raw: &RawValue) -> bool {
    !raw.get().starts_with(['{', '[']) && !name.contains('.') && !is_inner_object(name)
}

/// Whether an object inside of one of the table is called so.
pub(super) fn is_inner_object(name: &str) -> bool {
    matches!(name, "request" | "response" | "body" | "file")
}

/// Whether all members of this object have their place, as far as its text tells: it has fields only, and
/// no object stands in it, and no name with a dot.
fn is_plain_object(path: &str, raw: &RawValue) -> bool {
    let is_flat = BARE_VALUES.iter().any(|(object, _)| *object == path);
    is_flat && raw.get().get(1..).is_some_and(|inside| !inside.contains(['{', '.']))
}

/// The same as [`write()`], of a member of `object`.
pub fn write_in<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<&'a RawValue>,
    object: &str,
    name: &str,
    raw: &'a RawValue,
) {
    if is_plain(name, raw) {
        push_member(out, name, raw);
    } else {
        write(out, kept, &format!("{object}.{name}"), name, raw);
    }
}

/// The same as [`keep`], of a member of `object`.
pub fn keep_in<'a>(kept: &mut Kept<&'a RawValue>, object: &str, name: &str, raw: &'a RawValue) {
    if !is_plain(name, raw) {
        keep(kept, &format!("{object}.{name}"), raw);
    }
}

/// Appends the member that is called `name` where it stands and `path` in the document, with a comma
/// before it; what has no place goes to `kept`.
pub fn write<'a>(
    out: &mut Vec<u8>,
    kept: &mut Kept<&'a RawValue>,
    path: &str,
    name: &str,
    raw: &'a RawValue,
) {
    match place(path, raw) {
        Place::Free => push_member(out, name, raw),
        Place::Text => {
            out.push(b',');
            push_name(out, name);
            push_text(out, raw.get().as_bytes());
        }
        Place::Below(member) => {
            out.push(b',');
            push_name(out, name);
            out.push(b'{');
            push_name(out, member);
            out.extend_from_slice(raw.get().as_bytes());
            out.push(b'}');
        }
        Place::Object if is_plain_object(path, raw) => push_member(out, name, raw),
        Place::Object => {
            let Some(inner) = read_object(raw.get()) else { return kept.push(path, raw) };
            out.push(b',');
            push_name(out, name);
            let start = out.len();
            for (name, value) in inner.members {
                write_in(out, kept, path, &name, value);
            }
            match out.get_mut(start) {
                Some(comma) => *comma = b'{',
                None => out.push(b'{'),
            }
            out.push(b'}');
        }
        Place::Taken => kept.push(path, raw),
    }
}

/// Puts into `kept` what [`write()`] would put there of this member.
pub fn keep<'a>(kept: &mut Kept<&'a RawValue>, path: &str, raw: &'a RawValue) {
    match place(path, raw) {
        Place::Free | Place::Text | Place::Below(_) => {}
        Place::Object => match read_object(raw.get()) {
            Some(inner) => {
                for (name, value) in inner.members {
                    keep_in(kept, path, &name, value);
                }
            }
            None => kept.push(path, raw),
        },
        Place::Taken => kept.push(path, raw),
    }
}
