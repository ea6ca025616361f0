//! Queries for people, for one index: which fields are meant, and what is asked of each.

use serde_json::Value;
use tantivy::query::{DisjunctionMaxQuery, Occur};

use super::build::{Builder, Built, PATTERN_COST, all, boosted, combined, pattern_at};
use super::strings::TextQuery;
use super::words::{Leaf, Node, Role, What};
use super::{Edge, Match, Minimum, Pattern, Phrase, Range};
use crate::error::ApiError;
use crate::mapping::FieldKind;

impl Builder<'_> {
    /// A query for people.
    pub(super) fn text(&self, query: &TextQuery, boost: f32) -> Result<Option<Built>, ApiError> {
        let Some(node) = &query.node else { return Ok(None) };
        let built = match (node, query.minimum) {
            (Node::Group(parts, own), Some(minimum)) => {
                self.group(query, parts, Some(minimum))?.map(|built| boosted(built, *own))
            }
            _ => self.node(query, node)?,
        };
        Ok(built.map(|built| boosted(built, boost)))
    }

    fn node(&self, query: &TextQuery, node: &Node) -> Result<Option<Built>, ApiError> {
        match node {
            Node::Leaf(leaf) => self.leaf(query, leaf),
            Node::Group(parts, boost) => {
                Ok(self.group(query, parts, None)?.map(|built| boosted(built, *boost)))
            }
        }
    }

    fn group(
        &self,
        query: &TextQuery,
        parts: &[(Role, Node)],
        minimum: Option<Minimum>,
    ) -> Result<Option<Built>, ApiError> {
        let mut clauses: Vec<(Occur, Built)> = Vec::with_capacity(parts.len());
        let (mut musts, mut shoulds, mut possible) = (0, 0, 0);
        let mut is_possible = true;
        let mut is_there = false;
        for (role, node) in parts {
            if self.vanishes(query, node)? {
                // What made it necessary was said of the one before.
                let before = clauses.last_mut().filter(|(occur, _)| *occur == Occur::Should);
                if let (Role::Must, Some((occur, _))) = (role, before) {
                    *occur = Occur::Must;
                    (musts, shoulds, possible) = (musts + 1, shoulds - 1, possible - 1);
                }
                continue;
            }
            is_there = true;
            let built = self.node(query, node)?;
            shoulds += usize::from(*role == Role::Should);
            match (role, built) {
                // What is wrong with others is told all the same.
                (Role::Must, None) => is_possible = false,
                (Role::Must, Some(built)) => {
                    musts += 1;
                    clauses.push((Occur::Must, built));
                }
                (Role::Should, Some(built)) => {
                    possible += 1;
                    clauses.push((Occur::Should, built));
                }
                (Role::MustNot, Some(built)) => clauses.push((Occur::MustNot, built)),
                (Role::Should | Role::MustNot, None) => {}
            }
        }
        let usual = usize::from(musts == 0 && shoulds > 0);
        let wanted = minimum.map_or(usual, |minimum| minimum.of(shoulds));
        if wanted > possible || !is_possible || !is_there {
            return Ok(None);
        }
        if musts + shoulds == 0 {
            // What must not be there is left out of everything.
            clauses.push((Occur::Must, all(0.0)));
        }
        Ok(Some(combined(clauses, wanted)))
    }

    /// Whether nothing is left of a part because texts have none of its words: as in Lucene, others are then
    /// asked for as if it had not been there.
    fn vanishes(&self, query: &TextQuery, node: &Node) -> Result<bool, ApiError> {
        let leaf = match node {
            Node::Leaf(leaf) => leaf,
            Node::Group(parts, _) => {
                if let [(Role::MustNot, node), (Role::Should, Node::Leaf(rest))] = parts.as_slice()
                    && rest.what == What::Anything
                {
                    return self.vanishes(query, node);
                }
                for (_, node) in parts {
                    if !self.vanishes(query, node)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
        };
        let (What::Words(text) | What::Phrase(text, _)) = &leaf.what else { return Ok(false) };
        let meant = self.meant(query, leaf);
        for (field, _, _) in &meant {
            let place = self.index.place(field).filter(|place| place.kind == FieldKind::Text);
            let Some(place) = place else { return Ok(false) };
            if !self.tokens(&place, text)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(!meant.is_empty())
    }

    /// The best of the fields that a part is about.
    fn leaf(&self, query: &TextQuery, leaf: &Leaf) -> Result<Option<Built>, ApiError> {
        let is_everything = match leaf.field.as_deref() {
            Some(field) => field == "*",
            None => query.fields.is_empty(),
        };
        if leaf.what == What::Anything && is_everything {
            return Ok(Some(all(leaf.boost)));
        }
        if leaf.field.as_deref() == Some("_exists_") {
            return match &leaf.what {
                What::Words(field) | What::Phrase(field, _) => Ok(self.exists(field, leaf.boost)),
                What::Pattern(_) | What::Range(..) | What::Anything => Ok(None),
            };
        }
        let mut found: Vec<Built> = Vec::new();
        let cost = match &leaf.what {
            What::Words(text) | What::Phrase(text, _) => 1 + text.len() / 8,
            What::Pattern(_) => PATTERN_COST,
            What::Range(..) | What::Anything => 1,
        };
        for (field, lenient, boost) in self.meant(query, leaf) {
            self.spend(cost)?;
            found.extend(self.asked(query, &field, &leaf.what, (lenient, boost * leaf.boost))?);
        }
        Ok(match found.len() {
            0 => None,
            1 => found.pop(),
            // The best of phrases counts in either language.
            _ if query.adds && !matches!(leaf.what, What::Phrase(..)) => {
                Some(Box::new(DisjunctionMaxQuery::with_tie_breaker(found, 1.0)))
            }
            _ => Some(Box::new(DisjunctionMaxQuery::new(found))),
        })
    }

    /// The fields that a part is about, whether misfits are left out, and their boosts.
    fn meant(&self, query: &TextQuery, leaf: &Leaf) -> Vec<(String, bool, f32)> {
        let named: Vec<(&str, f32)> = match &leaf.field {
            Some(field) => vec![(field.as_str(), 1.0)],
            None if query.fields.is_empty() => vec![("*", 1.0)],
            None => query.fields.iter().map(|(field, boost)| (field.as_str(), *boost)).collect(),
        };
        let mut fields = Vec::new();
        for (name, boost) in named {
            if name.contains('*') {
                let places = self.index.places_matching(name).into_iter();
                let places = places.filter(|(_, place)| place.kind != FieldKind::Unsearchable);
                fields.extend(places.map(|(path, _)| (path, query.lenient, boost)));
            } else {
                fields.push((name.to_owned(), query.lenient, boost));
            }
        }
        fields
    }

    /// What a part asks of one field.
    fn asked(
        &self,
        query: &TextQuery,
        field: &str,
        what: &What,
        (lenient, boost): (bool, f32),
    ) -> Result<Option<Built>, ApiError> {
        let field = field.to_owned();
        let value = |text: &str| Value::from(text);
        let is_date = self.index.place(&field).is_some_and(|p| p.kind == FieldKind::Date);
        let time_zone = query.time_zone.clone().filter(|_| is_date);
        let built = match what {
            // As in Elasticsearch, a day is one of the time zone, unless it stands in quotes.
            What::Words(text) if time_zone.is_some() => {
                let edge = Some(Edge { value: value(text), included: true });
                let (from, to) = (edge.clone(), edge);
                self.range(&Range { field, from, to, format: None, time_zone }, boost)
            }
            What::Words(text) => {
                let (value, all) = (value(text), query.all);
                self.matching(&Match { field, value, all, minimum: None, lenient }, boost)
            }
            What::Phrase(text, slop) => {
                self.phrase(&Phrase { field, value: value(text), slop: *slop, lenient }, boost)
            }
            What::Pattern(text) => self.pattern_of(&field, text, boost),
            What::Anything => Ok(self.exists(&field, boost)),
            What::Range(from, to) => {
                let edge = |edge: &Option<(String, bool)>| {
                    let edge = edge.as_ref();
                    edge.map(|(text, included)| Edge { value: value(text), included: *included })
                };
                let (from, to) = (edge(from), edge(to));
                self.range(&Range { field, from, to, format: None, time_zone }, boost)
            }
        };
        if lenient { Ok(built.unwrap_or(None)) } else { built }
    }

    /// Words of a text are in lower case, and so is what is looked for among them.
    fn pattern_of(&self, field: &str, text: &str, boost: f32) -> Result<Option<Built>, ApiError> {
        if field == "_index" {
            let is_here = self.is_index(text);
            return Ok(is_here.then(|| all(boost)));
        }
        let Some(place) = self.index.place(field) else { return Ok(None) };
        let is_text = place.kind == FieldKind::Text;
        let text = if is_text { text.to_lowercase() } else { text.to_owned() };
        let query = Pattern { field: field.to_owned(), text, is_prefix: false, ignore_case: false };
        pattern_at(&place, &query, boost).map(Some)
    }
}
