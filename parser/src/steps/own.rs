//! Fields that the operator gives to all documents of a host or of a monitor, and those that the path of a
//! container's log says.

use std::sync::Arc;

use crate::document::collide;
use crate::fields::{Fields, List, split_first};

use super::view::{Node, View};

/// Objects and fields that lines and the document itself fill: an own field in one of these is put there
/// with care, which takes longer.
const OF_DOCUMENTS: [&str; 14] = [
    "event",
    "host",
    "log",
    "message",
    "error",
    "source",
    "destination",
    "network",
    "url",
    "http",
    "user",
    "user_agent",
    "related",
    "data_stream",
];

/// The fields, and their JSON as it stands at the end of a document.
#[derive(Debug)]
pub struct OwnFields {
    fields: Vec<(Box<str>, String)>,
    /// So many of them are the operator's; the others are the path's.
    of_operator: usize,
    /// `,"labels":{"env":"prod"}`
    piece: Vec<u8>,
    /// The first parts of their names.
    tops: Vec<Box<str>>,
    /// Whether none of them is in an object that documents have.
    is_apart: bool,
}

impl OwnFields {
    /// These, unless there are none.
    ///
    /// # Errors
    /// The name of one that another is, or is in the way of.
    pub fn new(fields: Vec<(Box<str>, String)>) -> Result<Option<Self>, Box<str>> {
        let mut tops: Vec<Box<str>> = Vec::new();
        for (at, (name, _)) in fields.iter().enumerate() {
            if fields.iter().skip(at + 1).any(|(other, _)| collide(name, other)) {
                return Err(name.clone());
            }
            let (top, _) = split_first(name);
            if tops.iter().all(|other| **other != *top) {
                tops.push(top.into());
            }
        }
        let mut piece = Vec::new();
        let mut view = View::new("{}");
        for (name, json) in &fields {
            if let Some(view) = &mut view {
                drop(view.set(name, Node::New(json.clone())));
            }
        }
        if let Some(view) = view {
            view.write(&mut piece);
        }
        // As members behind others.
        let end = piece.len().saturating_sub(1);
        let inside = piece.get(1..end).unwrap_or_default();
        let piece = [b",", inside].concat();
        let is_apart = tops.iter().all(|top| !OF_DOCUMENTS.contains(&&**top));
        let of_operator = fields.len();
        let own = Self { fields, of_operator, piece, tops, is_apart };
        Ok((!own.fields.is_empty()).then_some(own))
    }

    /// These, and beside them others whose names none of them has or is in the way of: what the operator says
    /// goes before.
    pub fn beside(own: Option<Arc<Self>>, others: Vec<(Box<str>, String)>) -> Option<Arc<Self>> {
        if others.is_empty() {
            return own;
        }
        let mut fields = own.map(|own| own.fields.clone()).unwrap_or_default();
        let of_operator = fields.len();
        for (name, json) in others {
            if !fields.iter().take(of_operator).any(|(own, _)| collide(own, &name)) {
                fields.push((name, json));
            }
        }
        let made = Self::new(fields).map(|own| own.map(|own| Self { of_operator, ..own }));
        debug_assert!(made.is_ok(), "no two names of a path collide");
        made.ok().flatten().map(Arc::new)
    }

    /// Adds them to the document from `start` on, which ends with its brace; whether all that was there
    /// stands where it did.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        start: usize,
        line: &Fields<'_>,
        others: &List<'_>,
    ) -> bool {
        if self.is_apart && !self.are_in(line, others) {
            // Its brace goes behind them.
            out.pop();
            out.extend_from_slice(&self.piece);
            out.push(b'}');
            return true;
        }
        let text = out.split_off(start);
        let read = std::str::from_utf8(&text).ok().and_then(View::new);
        debug_assert!(read.is_some(), "a document is an object");
        let Some(mut view) = read else {
            out.extend_from_slice(&text);
            return true;
        };
        for (at, (name, json)) in self.fields.iter().enumerate() {
            let node = Node::New(json.clone());
            // What an operator says may fail to find its place; what the path says, no line can push aside.
            let is_put = if at < self.of_operator {
                view.put(name, node)
            } else {
                view.put_over(name, node)
            };
            if is_put.is_err() {
                view.tag(super::FAILURE);
            }
        }
        view.write(out);
        false
    }

    /// Whether the line has a field in one of these objects.
    fn are_in(&self, line: &Fields<'_>, others: &List<'_>) -> bool {
        let is_top = |name: &str| {
            let (top, _) = split_first(name);
            self.tops.iter().any(|own| **own == *top)
        };
        let is_in_line = match line {
            Fields::Json(json) => json.names().any(is_top),
            Fields::Request(_) | Fields::Listed | Fields::Message => false,
        };
        is_in_line || others.fields.iter().any(|field| is_top(field.name.as_str()))
    }
}
