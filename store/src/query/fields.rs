//! Queries for people, for one index: which fields are meant, and what is asked of each.

use serde_json::Value;
use tantivy::query::{DisjunctionMaxQuery, Occur};

use super::build::{Builder, Built, PATTERN_COST, all, boosted, combined, pattern_at};
use super::strings::TextQuery;
use super::words::{Leaf, Node, Role, What};
use super::{Edge, Match, Minimum, Pattern, Phrase, Range};
use crate::error::ApiError;
use crate::mapping::FieldKind;

/// What a part of a query for people comes to.
enum Part {
    /// Nothing that could be found.
    Impossible,
    /// Texts have none of its words: as in Lucene, others are asked for as if it had not been there.
    Gone,
    Asked(Built),
}

impl Part {
    fn boosted(self, by: f32) -> Self {
        match self {
            Self::Asked(built) => Self::Asked(boosted(built, by)),
            other => other,
        }
    }
}

impl From<Option<Built>> for Part {
    fn from(built: Option<Built>) -> Self {
        built.map_or(Self::Impossible, Self::Asked)
    }
}

impl Builder<'_> {
    /// A query for people.
    pub(super) fn text(&self, query: &TextQuery, boost: f32) -> Result<Option<Built>, ApiError> {
        let Some(node) = &query.node else { return Ok(None) };
        let part = match (node, query.minimum) {
            (Node::Group(parts, own), Some(minimum)) => {
                self.group(query, parts, Some(minimum))?.boosted(*own)
            }
            _ => self.node(query, node)?,
        };
        Ok(match part.boosted(boost) {
            Part::Asked(built) => Some(built),
            Part::Impossible | Part::Gone => None,
        })
    }

    fn node(&self, query: &TextQuery, node: &Node) -> Result<Part, ApiError> {
        match node {
            Node::Leaf(leaf) => self.leaf(query, leaf),
            Node::Group(parts, boost) => Ok(self.group(query, parts, None)?.boosted(*boost)),
        }
    }

    fn group(
        &self,
        query: &TextQuery,
        parts: &[(Role, Node)],
        minimum: Option<Minimum>,
    ) -> Result<Part, ApiError> {
        // What the simple language makes of a part that must not be there.
        let is_negation = matches!(
            parts,
            [(Role::MustNot, _), (Role::Should, Node::Leaf(rest))] if rest.what == What::Anything
        );
        let mut clauses: Vec<(Occur, Built)> = Vec::with_capacity(parts.len());
        let (mut musts, mut shoulds, mut possible) = (0, 0, 0);
        let mut is_possible = true;
        let mut is_there = false;
        for (role, node) in parts {
            let built = match self.node(query, node)? {
                Part::Asked(built) => Some(built),
                Part::Impossible => None,
                Part::Gone if is_negation => return Ok(Part::Gone),
                Part::Gone => {
                    // What made it necessary was said of the one before.
                    let before = clauses.last_mut().filter(|(occur, _)| *occur == Occur::Should);
                    if let (Role::Must, Some((occur, _))) = (role, before) {
                        *occur = Occur::Must;
                        (musts, shoulds, possible) = (musts + 1, shoulds - 1, possible - 1);
                    }
                    continue;
                }
            };
            is_there = true;
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
        if !is_there {
            return Ok(Part::Gone);
        }
        if wanted > possible || !is_possible {
            return Ok(Part::Impossible);
        }
        if musts + shoulds == 0 {
            // What must not be there is left out of everything.
            clauses.push((Occur::Must, all(0.0)));
        }
        Ok(Part::Asked(combined(clauses, wanted)))
    }

    /// The best of the fields that a part is about.
    fn leaf(&self, query: &TextQuery, leaf: &Leaf) -> Result<Part, ApiError> {
        let is_everything = match leaf.field.as_deref() {
            Some(field) => field == "*",
            None => query.fields.is_empty(),
        };
        if leaf.what == What::Anything && is_everything {
            return Ok(Part::Asked(all(leaf.boost)));
        }
        if leaf.field.as_deref() == Some("_exists_") {
            return match &leaf.what {
                What::Words(field) | What::Phrase(field, _) => {
                    Ok(self.exists(field, leaf.boost).into())
                }
                What::Pattern(_) | What::Range(..) | What::Anything => Ok(Part::Impossible),
            };
        }
        let mut found: Vec<Built> = Vec::new();
        let cost = match &leaf.what {
            What::Words(text) | What::Phrase(text, _) => 1 + text.len() / 8,
            What::Pattern(_) => PATTERN_COST,
            What::Range(..) | What::Anything => 1,
        };
        let meant = self.meant(query, leaf);
        let mut is_gone = !meant.is_empty();
        for (field, lenient, boost) in meant {
            self.spend(cost)?;
            let built = self.asked(query, &field, &leaf.what, (lenient, boost * leaf.boost))?;
            is_gone = is_gone && built.is_none() && self.has_no_words(&field, &leaf.what)?;
            found.extend(built);
        }
        if is_gone {
            return Ok(Part::Gone);
        }
        let built: Option<Built> = match found.len() {
            0 => None,
            1 => found.pop(),
            // The best of phrases counts in either language.
            _ if query.adds && !matches!(leaf.what, What::Phrase(..)) => {
                Some(Box::new(DisjunctionMaxQuery::with_tie_breaker(found, 1.0)))
            }
            _ => Some(Box::new(DisjunctionMaxQuery::new(found))),
        };
        Ok(built.into())
    }

    /// Whether a field is a text, which has none of the words that are asked for.
    fn has_no_words(&self, field: &str, what: &What) -> Result<bool, ApiError> {
        let (What::Words(text) | What::Phrase(text, _)) = what else { return Ok(false) };
        let place = self.index.place(field).filter(|place| place.kind == FieldKind::Text);
        place.map_or(Ok(false), |place| Ok(self.tokens(&place, text)?.is_empty()))
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
