//! Why a query may have found nothing: fields that are not there, and values that a field cannot have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use omphalos_common::config::nearest;

use super::query::{Named, Query, SHORT_NAMES};

/// How alike a name must be to be proposed (Jaro-Winkler, 0 to 1).
const LIKENESS: f64 = 0.8;

/// What is odd about a query, given the fields of the indices with their types.
pub fn hints(query: &Query, fields: &BTreeMap<String, String>) -> Vec<String> {
    query.named.iter().filter_map(|part| hint(part, fields)).collect()
}

fn hint(part: &Named, fields: &BTreeMap<String, String>) -> Option<String> {
    let Named { name, value } = part;
    if name.starts_with('_') {
        return None;
    }
    let full = SHORT_NAMES.iter().find(|(short, _)| short == name).map(|(_, field)| *field);
    let known = full.iter().copied().chain([name.as_str()]).find_map(|field| {
        let is_object = fields.range(format!("{field}.")..).next();
        let is_object = is_object.is_some_and(|(other, _)| other.starts_with(&format!("{field}.")));
        fields.get(field).map(String::as_str).or(is_object.then_some("object"))
    });
    let Some(kind) = known else {
        let short = SHORT_NAMES.iter().map(|(short, _)| *short);
        let others = fields.keys().map(String::as_str).chain(short).filter(|other| other != name);
        let proposed = nearest(name, others, LIKENESS);
        let proposed = proposed.map_or(".".to_owned(), |other| format!("; did you mean {other}?"));
        let full = full.map_or(String::new(), |full| format!(" (short for {full})"));
        return Some(format!(
            "no index has a field {name}{full} to search{proposed} If {name}: is no field but text, quote it: \"{name}:{value}\""
        ));
    };
    let is_simple = !value.contains(['*', '?', '[', '{', '(', ' ']) && !value.is_empty();
    let plain = value.trim_matches('"').trim_start_matches(['<', '>', '=']).replace('\\', "");
    let (fits, expected) = match kind {
        "long" | "integer" | "short" | "byte" | "double" | "float" | "half_float"
        | "scaled_float" | "unsigned_long" => (plain.parse::<f64>().is_ok(), "a number"),
        "ip" => {
            let address = plain.split('/').next().unwrap_or_default();
            (address.parse::<IpAddr>().is_ok(), "an address, or a network such as 10.0.0.0/8")
        }
        "boolean" => (matches!(plain.as_str(), "true" | "false"), "true or false"),
        "object" => (false, "one of the fields below it"),
        _ => return None,
    };
    (is_simple && !fits)
        .then(|| format!("{name} is of the type {kind}: expected {expected}, found {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_found_is_said() {
        let fields = [
            ("http.response.status_code", "long"),
            ("source.ip", "ip"),
            ("message", "match_only_text"),
            ("user.name", "keyword"),
            ("ok", "boolean"),
        ];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        for (typed, expected) in [
            ("status:abc", Some("status is of the type long: expected a number, found abc")),
            ("status:>=500 ip:10.0.0.0/8 ip:2001:db8::1 status:5* status:[1 TO 2]", None),
            (
                "ip:here",
                Some(
                    "ip is of the type ip: expected an address, or a network such as 10.0.0.0/8, found here",
                ),
            ),
            ("ok:yes", Some("ok is of the type boolean: expected true or false, found yes")),
            ("user:bob message:x word _exists_:nothing", None),
            (
                "mesage:x",
                Some(
                    "no index has a field mesage to search; did you mean message? If mesage: is no field but text, quote it: \"mesage:x\"",
                ),
            ),
            ("file:x", Some("no index has a field file (short for log.file.path) to search.")),
            (
                "source:x",
                Some("source is of the type object: expected one of the fields below it, found x"),
            ),
        ] {
            let found = hints(&Query::new(typed, None, None), &fields);
            match expected {
                Some(text) => assert!(found.len() == 1 && found[0].starts_with(text), "{found:?}"),
                None => assert!(found.is_empty(), "{typed}: {found:?}"),
            }
        }
    }
}
