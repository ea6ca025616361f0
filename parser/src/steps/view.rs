//! A document as steps see it: its members by their names, of which only what is looked at is taken
//! apart, and only what is changed is written anew.

use std::borrow::Cow;

use crate::document::push_name;
use crate::fields::{close, push_text};
use crate::json::Scan;

/// The members of an object, in their order.
pub type Members<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// Objects and arrays deeper than this are looked at as one text.
pub const MOST_LEVELS: usize = 64;

/// A value in a document.
#[derive(Debug, Clone)]
pub enum Node<'a> {
    /// JSON as it stands in the document.
    Raw(&'a str),
    /// JSON that a step made.
    New(String),
    /// An object that was looked into.
    Object(Members<'a>),
}

impl<'a> Node<'a> {
    /// A text.
    pub fn of_text(text: &str) -> Self {
        Self::New(json_of(text))
    }

    /// Its members, if it is an object.
    fn members(&mut self) -> Option<&mut Members<'a>> {
        if let Self::Raw(raw) = *self
            && raw.starts_with('{')
            && let Some(members) = members_of(raw)
        {
            *self = Self::Object(members);
        }
        match self {
            Self::Object(members) => Some(members),
            Self::Raw(_) | Self::New(_) => None,
        }
    }

    /// Appends it as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => out.extend_from_slice(raw.as_bytes()),
            Self::New(json) => out.extend_from_slice(json.as_bytes()),
            Self::Object(members) => write_members(out, members),
        }
    }

    /// Its JSON.
    pub fn json(&self) -> Cow<'_, str> {
        match self {
            Self::Raw(raw) => Cow::Borrowed(raw),
            Self::New(json) => Cow::Borrowed(json),
            Self::Object(members) => {
                let mut out = Vec::new();
                write_members(&mut out, members);
                String::from_utf8_lossy(&out).into_owned().into()
            }
        }
    }

    /// The texts in it: one of a plain value, each of a list; none of an object, and of nothing.
    pub fn texts(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Object(_) => Vec::new(),
            Self::Raw(raw) => texts_of(raw),
            Self::New(json) => texts_of(json),
        }
    }

    /// Calls `change` with the JSON of each plain value in it, which is replaced by what that returns.
    /// What is nested too deep is one value.
    pub fn change_each(&mut self, change: &mut dyn FnMut(&str) -> Option<String>, levels: usize) {
        if levels > 0
            && let Some(members) = self.members()
        {
            return members.iter_mut().for_each(|(_, node)| node.change_each(change, levels - 1));
        }
        let json = self.json();
        let changed = match levels.checked_sub(1) {
            Some(levels) if json.starts_with('[') => changed_items(&json, change, levels),
            _ => change(&json),
        };
        if let Some(changed) = changed {
            *self = Self::New(changed);
        }
    }
}

/// A list with its items changed, if one is.
fn changed_items(
    json: &str,
    change: &mut dyn FnMut(&str) -> Option<String>,
    levels: usize,
) -> Option<String> {
    let mut scan = Scan::new(json);
    scan.enter();
    let (mut out, mut is_changed) = (b"[".to_vec(), false);
    while scan.has_item() {
        let mut item = Node::Raw(scan.value());
        item.change_each(change, levels);
        is_changed |= !matches!(item, Node::Raw(_));
        item.write(&mut out);
        out.push(b',');
    }
    close(&mut out, b']');
    is_changed.then(|| String::from_utf8_lossy(&out).into_owned())
}

/// A text as JSON.
pub fn json_of(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_text(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// The text of a JSON string; `None` of anything else.
pub fn text_of(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}

fn texts_of(json: &str) -> Vec<Cow<'_, str>> {
    match json.as_bytes().first() {
        Some(b'"') => text_of(json).into_iter().collect(),
        Some(b'[') => {
            let mut scan = Scan::new(json);
            scan.enter();
            let mut texts = Vec::new();
            while scan.has_item() {
                let item = scan.value();
                if !item.starts_with(['[', '{']) {
                    texts.extend(texts_of(item));
                }
            }
            texts
        }
        Some(b'{') | None => Vec::new(),
        Some(_) if json == "null" => Vec::new(),
        Some(_) => vec![Cow::Borrowed(json)],
    }
}

/// The members of an object, if all of it can be read.
pub fn members_of(json: &str) -> Option<Members<'_>> {
    let mut scan = Scan::new(json);
    if scan.peek()? != b'{' {
        return None;
    }
    scan.enter();
    let mut members = Vec::new();
    while let Some(name) = scan.name() {
        members.push((name, Node::Raw(scan.value())));
    }
    scan.peek().is_none().then_some(members)
}

fn write_members(out: &mut Vec<u8>, members: &Members<'_>) {
    out.push(b'{');
    for (name, node) in members {
        push_name(out, name);
        node.write(out);
        out.push(b',');
    }
    close(out, b'}');
}

/// There is a value where an object would have to be, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked;

/// A document, taken apart.
#[derive(Debug, Clone)]
pub struct View<'a> {
    members: Members<'a>,
    /// Whether it is another than it was.
    pub is_changed: bool,
}

impl<'a> View<'a> {
    /// The document of this text; `None` where it is none.
    pub fn new(text: &'a str) -> Option<Self> {
        members_of(text).map(|members| Self { members, is_changed: false })
    }

    /// Appends it as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_members(out, &self.members);
    }

    /// What there is of this name, with dots into objects, or with dots in names of members.
    pub fn get(&mut self, path: &str) -> Option<&Node<'a>> {
        find(&mut self.members, path).map(|node| &*node)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Node<'a>> {
        let found = find(&mut self.members, path);
        self.is_changed |= found.is_some();
        found
    }

    /// The first text that there is of this name.
    pub fn text(&mut self, path: &str) -> Option<String> {
        Some(self.get(path)?.texts().first()?.clone().into_owned())
    }

    /// Takes away what there is of this name, and the objects that nothing is left in.
    pub fn remove(&mut self, path: &str) -> Option<Node<'a>> {
        let removed = remove(&mut self.members, path);
        self.is_changed |= removed.is_some();
        removed
    }

    /// Puts something in place of what there is of this name, which is returned.
    ///
    /// # Errors
    /// Where a value stands in place of an object around it: nothing is changed then.
    pub fn set(&mut self, path: &str, node: Node<'a>) -> Result<Option<Node<'a>>, Blocked> {
        self.is_changed = true;
        if let Some(place) = find(&mut self.members, path) {
            return Ok(Some(std::mem::replace(place, node)));
        }
        add(&mut self.members, path, node).map(|()| None)
    }

    /// Puts something there, and what it replaces, if anything, under `unmerged`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn put(&mut self, path: &str, node: Node<'a>) -> Result<(), Blocked> {
        if let Some(displaced) = self.set(path, node)? {
            self.keep_aside(path, displaced);
        }
        Ok(())
    }

    /// Puts something there whatever is in its way, which is put under `unmerged`: what has its name, however
    /// often, and what stands in place of an object around it.
    ///
    /// # Errors
    /// Where a name with dots is still in the way.
    pub fn put_over(&mut self, path: &str, node: Node<'a>) -> Result<(), Blocked> {
        while let Some(displaced) = self.remove(path) {
            self.keep_aside(path, displaced);
        }
        for object in path.match_indices('.').filter_map(|(dot, _)| path.get(..dot)) {
            while find(&mut self.members, object).is_some_and(|found| found.members().is_none()) {
                let Some(displaced) = self.remove(object) else { break };
                self.keep_aside(object, displaced);
            }
        }
        self.set(path, node).map(drop)
    }

    /// Puts what had this name under `unmerged`.
    fn keep_aside(&mut self, path: &str, displaced: Node<'a>) {
        let kept = self.members.iter().position(|(name, _)| name == "unmerged");
        let kept = kept.unwrap_or_else(|| {
            self.members.push((Cow::Borrowed("unmerged"), Node::Object(Vec::new())));
            self.members.len() - 1
        });
        let Some((_, kept)) = self.members.get_mut(kept) else { return };
        let Some(kept) = kept.members() else { return };
        let mut name = path.to_owned();
        while kept.iter().any(|(other, _)| *other == name) {
            name.push('\'');
        }
        kept.push((Cow::Owned(name), displaced));
    }

    /// Adds a tag.
    pub fn tag(&mut self, tag: &str) {
        let tags = self.get("tags").map(|tags| tags.json().into_owned());
        let inside = tags.as_deref().map(|tags| {
            tags.strip_prefix('[').and_then(|tags| tags.strip_suffix(']')).unwrap_or(tags)
        });
        let json = match inside {
            Some(inside) if inside.contains(&json_of(tag)) => return,
            Some(inside) if !inside.trim().is_empty() => format!("[{inside},{}]", json_of(tag)),
            _ => format!("[{}]", json_of(tag)),
        };
        // It is a field that every document may have, and no object.
        drop(self.set("tags", Node::New(json)));
    }

    /// Calls `change` with the name and the JSON of each plain value of the document, but for members
    /// that `is_left` says of.
    pub fn change_all(
        &mut self,
        is_left: impl Fn(&str) -> bool,
        mut change: impl FnMut(&str, &str) -> Option<String>,
    ) {
        self.is_changed = true;
        for (name, node) in &mut self.members {
            change_named(name, node, &is_left, &mut change, MOST_LEVELS);
        }
    }
}

fn change_named(
    path: &str,
    node: &mut Node<'_>,
    is_left: &impl Fn(&str) -> bool,
    change: &mut impl FnMut(&str, &str) -> Option<String>,
    levels: usize,
) {
    /// Names that are longer say nothing of fields.
    const LONGEST: usize = 256;
    if is_left(path) {
        return;
    }
    // Whose fields are known has few levels, and short names.
    if levels > 0
        && path.len() <= LONGEST
        && let Some(members) = node.members()
    {
        for (name, node) in members {
            change_named(&format!("{path}.{name}"), node, is_left, change, levels - 1);
        }
        return;
    }
    node.change_each(&mut |json| change(path, json), levels);
}

/// Which member `path` is in, and how many bytes of it are that member's.
fn place(members: &mut Members<'_>, path: &str) -> Option<(usize, usize)> {
    for (at, (name, node)) in members.iter_mut().enumerate() {
        match path.strip_prefix(&**name) {
            Some("") => return Some((at, path.len())),
            Some(rest) => {
                let Some(below) = rest.strip_prefix('.') else { continue };
                if node.members().is_some_and(|inner| place(inner, below).is_some()) {
                    return Some((at, name.len() + 1));
                }
            }
            None => {}
        }
    }
    None
}

fn find<'m, 'a>(members: &'m mut Members<'a>, path: &str) -> Option<&'m mut Node<'a>> {
    let (at, used) = place(members, path)?;
    let (_, node) = members.get_mut(at)?;
    match path.get(used..) {
        None | Some("") => Some(node),
        Some(below) => find(node.members()?, below),
    }
}

fn remove<'a>(members: &mut Members<'a>, path: &str) -> Option<Node<'a>> {
    let (at, used) = place(members, path)?;
    match path.get(used..) {
        None | Some("") => Some(members.remove(at).1),
        Some(below) => {
            let inner = members.get_mut(at)?.1.members()?;
            let removed = remove(inner, below);
            if inner.is_empty() {
                members.remove(at);
            }
            removed
        }
    }
}

/// Adds a member that is not there yet.
fn add<'a>(members: &mut Members<'a>, path: &str, node: Node<'a>) -> Result<(), Blocked> {
    for (name, inner) in members.iter_mut() {
        if let Some(below) = path.strip_prefix(&**name).and_then(|rest| rest.strip_prefix('.')) {
            return match inner.members() {
                Some(inner) => add(inner, below, node),
                None => Err(Blocked),
            };
        }
        // Its name has dots: it is in the object that this would be in place of.
        if name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')) {
            return Err(Blocked);
        }
    }
    match path.split_once('.') {
        None => members.push((Cow::Owned(path.to_owned()), node)),
        Some((object, below)) => {
            let mut inner = Vec::new();
            add(&mut inner, below, node)?;
            members.push((Cow::Owned(object.to_owned()), Node::Object(inner)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn written(view: &View<'_>) -> Value {
        let mut out = Vec::new();
        view.write(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn fields_are_found_below_objects_and_dots() {
        let text = r#"{"a":{"b":{"c":1},"d.e":"x\ny"},"f.g":[1,"t",{"no":1},null],"n":null}"#;
        let mut view = View::new(text).unwrap();
        assert_eq!(view.text("a.b.c").as_deref(), Some("1"));
        assert_eq!(view.text("a.d.e").as_deref(), Some("x\ny"));
        assert_eq!(view.get("f.g").unwrap().texts(), ["1", "t"]);
        for none in ["a.b.c.d", "a.x", "a.b", "n", ""] {
            assert_eq!(view.text(none), None, "{none}");
        }
        assert_eq!(written(&view), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_set_is_in_its_object_and_nothing_is_there_twice() {
        let mut view = View::new(r#"{"a":{"b":1},"c":5,"d.e":1,"tags":"x"}"#).unwrap();
        let node = |text| Node::of_text(text);
        assert!(view.set("a.x", node("new")).unwrap().is_none());
        assert!(view.set("z.y.x", node("deep")).unwrap().is_none());
        assert_eq!(view.set("c.d", node("no")).unwrap_err(), Blocked);
        assert_eq!(view.set("d", node("no")).unwrap_err(), Blocked);
        view.put("a.b", node("2")).unwrap();
        view.put("a.b", node("3")).unwrap();
        view.tag("t");
        view.tag("t");
        assert_eq!(
            written(&view),
            json!({"a": {"b": "3", "x": "new"}, "c": 5, "d.e": 1, "tags": ["x", "t"],
                "z": {"y": {"x": "deep"}}, "unmerged": {"a.b": 1, "a.b'": "2"}})
        );
        assert!(view.remove("z.y.x").is_some());
        assert!(view.get("z").is_none(), "nothing is left in it");
    }

    #[test]
    fn what_is_nested_too_deep_is_changed_as_a_whole() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let text = format!("{{\"a\":{deep}}}");
        let mut view = View::new(&text).unwrap();
        let mut seen = Vec::new();
        view.change_all(
            |_| false,
            |name, json| {
                seen.push((name.to_owned(), json.len()));
                Some("\"x\"".to_owned())
            },
        );
        assert_eq!(seen, [("a".to_owned(), deep.len() - 2 * MOST_LEVELS)]);
        let mut out = Vec::new();
        view.write(&mut out);
        assert!(out.ends_with(
            b"[[\"x\"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"
        ));
    }

    proptest! {
        #[test]
        fn what_is_not_touched_stays(names in proptest::collection::vec("[a-c\"\\\\é]{1,2}", 0..6), path in "[a-c]{1,2}(\\.[a-c]{1,2}){0,2}") {
            let mut value = json!({});
            for (number, name) in names.iter().enumerate() {
                value[name] = json!({ name.clone(): number, "x": [number, "a\\"] });
            }
            let text = value.to_string();
            let mut view = View::new(&text).unwrap();
            view.get(&path);
            prop_assert_eq!(written(&view), value.clone());
            if view.set(&path, Node::of_text("v")).is_ok() {
                prop_assert_eq!(view.text(&path), Some("v".to_owned()));
                prop_assert!(view.remove(&path).is_some());
                prop_assert!(view.get(&path).is_none());
            } else {
                prop_assert_eq!(written(&view), value);
            }
        }
    }
}
