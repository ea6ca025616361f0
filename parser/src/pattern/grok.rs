//! Grok: `%{NAME}` stands for a pattern of the library, `%{NAME:field}` for one whose match is that field,
//! and `%{NAME:field:int}` for one that is a number.

use super::groups::read_name;
use super::library;

/// Names in patterns of names, and so on, to this depth.
const MOST_LEVELS: usize = 16;

/// The pattern with all names put in.
///
/// # Errors
/// When a name is not known, or the pattern gets longer than `most_bytes`.
pub fn expanded(text: &str, most_bytes: usize) -> Result<String, String> {
    let mut out = String::new();
    expand(text, &mut out, most_bytes, MOST_LEVELS)?;
    Ok(out)
}

fn expand(text: &str, out: &mut String, most_bytes: usize, levels: usize) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find("%{") {
        let (before, name) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let name = name.get(2..).unwrap_or_default();
        let end = name.find('}').ok_or("%{ has no } behind it")?;
        let (name, behind) = name.split_at_checked(end).unwrap_or((name, ""));
        rest = behind.get(1..).unwrap_or_default();
        let (name, field) = match name.split_once(':') {
            Some((name, field)) => (name, Some(field)),
            None => (name, None),
        };
        let inside = library::named(name).ok_or_else(|| unknown(name))?;
        match field {
            Some(field) => {
                // Said before the pattern is, of which nobody wrote the group.
                read_name(field)?;
                out.extend(["(?<", field, ">"]);
            }
            None => out.push_str("(?:"),
        }
        let levels = levels.checked_sub(1).ok_or("patterns are nested too deep")?;
        expand(inside, out, most_bytes, levels)?;
        out.push(')');
        if out.len() > most_bytes {
            return Err(format!(
                "expected at most {most_bytes} bytes with all patterns put in, found more"
            ));
        }
    }
    out.push_str(rest);
    Ok(())
}

fn unknown(name: &str) -> String {
    let known = library::NAMES.iter().map(|(known, _)| *known);
    let near = omphalos_common::config::nearest(name, known, 0.85);
    let advice = near.map_or_else(
        || "docs/parser.md lists those that there are; write your own as (?<field>…)".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    format!("the pattern {name:?} is not known; {advice}")
}
