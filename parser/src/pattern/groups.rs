//! The named groups of a pattern. Names of fields have more in them than names of groups may, so each
//! group gets a number for a name, and what it was called is kept beside it.

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with decimals.
    Float,
    /// Yes or no.
    Bool,
    /// Addresses: what the index has for a field.
    Ip,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" | "string" => Self::Text,
            "int" | "long" => Self::Integer,
            "float" | "double" => Self::Float,
            "bool" | "boolean" => Self::Bool,
            _ => return None,
        })
    }
}

/// A group.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// What it is called in the pattern now.
    pub id: String,
    /// The field that it was called after.
    pub field: Box<str>,
    /// What its values are.
    pub kind: Kind,
}

/// The pattern with numbers for names, and its groups.
///
/// # Errors
/// When a name cannot be read.
pub fn numbered(text: &str) -> Result<(String, Vec<Group>), String> {
    let (mut out, mut groups, mut rest) = (String::with_capacity(text.len()), Vec::new(), text);
    let mut classes = 0_usize;
    while let Some(next) = rest.chars().next() {
        let mut length = next.len_utf8();
        match next {
            '\\' => {
                length += rest
                    .get(length..)
                    .and_then(|rest| rest.chars().next())
                    .map_or(0, char::len_utf8);
            }
            '[' => {
                classes += 1;
                // A bracket that comes first is one of the class.
                let inside = rest.get(1..).unwrap_or_default();
                let negation = usize::from(inside.starts_with('^'));
                let is_literal =
                    inside.get(negation..).is_some_and(|inside| inside.starts_with(']'));
                length += negation + usize::from(is_literal);
            }
            ']' => classes = classes.saturating_sub(1),
            '(' if classes == 0 => {
                let opening = ["(?<", "(?P<"].into_iter().find(|opening| rest.starts_with(opening));
                let inside = opening.and_then(|opening| rest.get(opening.len()..));
                if let (Some(opening), Some(inside)) = (opening, inside)
                    && !inside.starts_with(['=', '!'])
                {
                    let end = inside.find('>').ok_or("a group has no > behind its name")?;
                    let name = inside.get(..end).unwrap_or_default();
                    let (field, kind) = read_name(name)?;
                    let id = format!("g{}", groups.len());
                    out.extend(["(?P<", &id, ">"]);
                    groups.push(Group { id, field, kind });
                    rest = rest.get(opening.len() + end + 1..).unwrap_or_default();
                    continue;
                }
            }
            _ => {}
        }
        let (taken, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(taken);
        rest = behind;
    }
    Ok((out, groups))
}

/// The field and the type that a group is called after: `http.response.status_code:int`, or
/// `[http][response][status_code]:int`.
pub fn read_name(text: &str) -> Result<(Box<str>, Kind), String> {
    let (name, kind) = match text.split_once(':') {
        Some((name, kind)) => {
            let known = Kind::named(kind).ok_or_else(|| {
                format!(
                    "expected int, float, bool or text behind the colon of {name}, found {kind:?}"
                )
            })?;
            (name, known)
        }
        None => (text, Kind::Text),
    };
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name = bracketed.map_or_else(|| name.to_owned(), |inside| inside.replace("][", "."));
    Ok((name.into(), kind))
}
