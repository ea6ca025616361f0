//! Grok: `%{NAME}` stands for a pattern of the library or of the settings, `%{NAME:field}` for one whose
//! match is that field, and `%{NAME:field:int}` for one that is a number.

use std::collections::BTreeMap;

use super::groups::read_name;
use super::library;

/// Names in patterns of names, and so on, to this depth.
const MOST_LEVELS: usize = 16;

/// Patterns of one's own, by their names.
pub type Patterns = BTreeMap<String, String>;

/// The pattern with all names of the library put in.
///
/// # Errors
/// When a name is not known, or the pattern gets longer than `most_bytes`.
pub fn expanded(text: &str, most_bytes: usize) -> Result<String, String> {
    let none = Patterns::new();
    Expansion { own: &none, is_library: true, most_bytes }.of(text)
}

/// The pattern with all names of `own` put in, which go before those of the library: it says the same
/// wherever it is read.
///
/// # Errors
/// When a name is not known, or in itself, or the pattern gets longer than `most_bytes`.
pub fn without_own(text: &str, own: &Patterns, most_bytes: usize) -> Result<String, String> {
    Expansion { own, is_library: false, most_bytes }.of(text)
}

/// How names are put in.
struct Expansion<'p> {
    own: &'p Patterns,
    /// Whether those of the library are, or stay.
    is_library: bool,
    most_bytes: usize,
}

impl<'p> Expansion<'p> {
    fn of(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        self.expand(text, &mut out, &mut Vec::new())?;
        Ok(out)
    }

    /// Appends `text`, which stands in the patterns of the names in `path`.
    fn expand<'t>(
        &self,
        text: &'t str,
        out: &mut String,
        path: &mut Vec<&'t str>,
    ) -> Result<(), String>
    where
        'p: 't,
    {
        let mut rest = text;
        while let Some(at) = rest.find("%{") {
            let (before, name) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.push_str(before);
            let name = name.get(2..).unwrap_or_default();
            let end = name.find('}').ok_or("%{ has no } behind it")?;
            let (whole, behind) = name.split_at_checked(end).unwrap_or((name, ""));
            rest = behind.get(1..).unwrap_or_default();
            let (name, field) = match whole.split_once(':') {
                Some((name, field)) => (name, Some(field)),
                None => (whole, None),
            };
            if let Some(field) = field {
                // Said before the pattern is, of which nobody wrote the group.
                read_name(field)?;
            }
            match self.inside(name)? {
                Some(inside) => self.put_in(inside, (name, field), out, path)?,
                None => out.extend(["%{", whole, "}"]),
            }
            if out.len() > self.most_bytes {
                let most = self.most_bytes;
                return Err(format!(
                    "expected at most {most} bytes with all patterns put in, found more"
                ));
            }
        }
        out.push_str(rest);
        Ok(())
    }

    /// The pattern of a name; `None` where that is for later.
    fn inside(&self, name: &str) -> Result<Option<&'p str>, String> {
        let own = self.own.get(name).map(String::as_str);
        match own.or_else(|| library::named(name)) {
            None => Err(self.unknown(name)),
            Some(_) if own.is_none() && !self.is_library => Ok(None),
            inside => Ok(inside),
        }
    }

    fn put_in<'t>(
        &self,
        inside: &'t str,
        (name, field): (&'t str, Option<&str>),
        out: &mut String,
        path: &mut Vec<&'t str>,
    ) -> Result<(), String>
    where
        'p: 't,
    {
        if path.contains(&name) {
            let names = path.join(", in ");
            return Err(format!("the pattern {name:?} is in itself: {name}, in {names}"));
        }
        if path.len() >= MOST_LEVELS {
            return Err("patterns are nested too deep".to_owned());
        }
        match field {
            Some(field) => out.extend(["(?<", field, ">"]),
            None => out.push_str("(?:"),
        }
        path.push(name);
        self.expand(inside, out, path)?;
        path.pop();
        out.push(')');
        Ok(())
    }

    fn unknown(&self, name: &str) -> String {
        let own = self.own.keys().map(String::as_str);
        let known = library::NAMES.iter().map(|(known, _)| *known).chain(own);
        let near = omphalos_common::config::nearest(name, known, 0.85);
        let advice = near.map_or_else(
            || "docs/parser.md lists those that there are; write your own as (?<field>\u{2026}), or in monitor.patterns".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        format!("the pattern {name:?} is not known; {advice}")
    }
}
