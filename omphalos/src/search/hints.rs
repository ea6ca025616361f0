//! Why a query may have found nothing: fields that are not there, and values that a field cannot have.

use std::collections::BTreeMap;

use omphalos_common::config::nearest;

use super::query::{Named, Query, SHORT_NAMES};
use super::values::{NUMBERS, asked_of};

/// How alike a name must be to be proposed (Jaro-Winkler, 0 to 1).
const LIKENESS: f64 = 0.8;

/// What is odd about a query, given the fields of the indices with their types.
pub fn hints(query: &Query, fields: &BTreeMap<String, String>) -> Vec<String> {
    let hints = query.named.iter().filter_map(|part| hint(part, fields));
    hints.chain(query.named.iter().filter_map(of_own)).collect()
}

/// Whether anything may be wrong with the query that only the fields tell, also where something is found.
pub fn needs_fields(query: &Query) -> bool {
    query.named.iter().any(has_wildcard)
}

/// Which of its wildcards find nothing, whatever there is: those in fields that are no texts.
pub fn of_wildcards(query: &Query, fields: &BTreeMap<String, String>) -> Vec<String> {
    query
        .named
        .iter()
        .filter(|part| has_wildcard(part))
        .filter_map(|part| of_wildcard(part, fields))
        .collect()
}

/// Whether a word has `*` or `?` in it, and more.
fn has_wildcard(part: &Named) -> bool {
    let is_word = !part.value.starts_with(['"', '(', '[', '{']);
    is_word
        && part.value != "*"
        && part.value.replace("\\*", "").replace("\\?", "").contains(['*', '?'])
}

fn of_wildcard(Named { name, value }: &Named, fields: &BTreeMap<String, String>) -> Option<String> {
    let kinds: Vec<&str> =
        meant(name).filter_map(|field| Some(fields.get(field)?.as_str())).collect();
    let kind = kinds.first().filter(|_| kinds.iter().all(|kind| instead(kind).is_some()))?;
    let instead = instead(kind)?;
    Some(format!(
        "{name} is of the type {kind}, in which * and ? find nothing: instead of {name}:{value} write {}",
        instead.replace("NAME", name)
    ))
}

/// The fields that a name stands for.
fn meant(name: &str) -> impl Iterator<Item = &str> {
    let full = SHORT_NAMES.iter().find(|(short, _)| *short == name).map(|(_, field)| *field);
    full.into_iter().chain([name])
}

/// What to write instead of a pattern, in a field of a type that has none.
fn instead(kind: &str) -> Option<&'static str> {
    match kind {
        _ if NUMBERS.contains(&kind) => Some("a range, such as NAME:[500 TO 599] or NAME:>=500"),
        "date" | "date_nanos" => Some(
            "a range, such as NAME:[2026-11-22 TO 2026-11-23], or a part of a date, such as NAME:2026-11",
        ),
        "ip" => Some("a network, such as NAME:10.0.0.0/8"),
        "boolean" => Some("NAME:true or NAME:false"),
        _ => None,
    }
}

/// Where nothing is found in a field that says who has shipped a line, and from where: what the line says
/// of that itself is elsewhere.
fn of_own(part: &Named) -> Option<String> {
    const OWN: [&str; 8] = [
        "host",
        "host.name",
        "host.id",
        "file",
        "log.file.path",
        "log.offset",
        "dataset",
        "event.dataset",
    ];
    let (name, value) = (part.name.as_str(), part.value.trim_matches('"'));
    OWN.contains(&name).then(|| {
        format!(
            "{name} says where a line was read; what a line itself says of that under a name that is taken is kept below unmerged, which is not searched. If {value:?} stands there: omphalos search --json --limit 100000 | grep -F {value:?}"
        )
    })
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
    if ["keyword", "constant_keyword", "wildcard"].contains(&kind) {
        return of_whole_value(part);
    }
    asked_of(value).iter().find_map(|asked| {
        let expected = asked.misfit(kind)?;
        let found = asked.text;
        let whole = if found == value { String::new() } else { format!(" in {value}") };
        Some(format!("{name} is of the type {kind}: expected {expected}, found {found}{whole}"))
    })
}

/// What finds a word in a field that is compared as a whole.
fn of_whole_value(Named { name, value }: &Named) -> Option<String> {
    let is_whole = !value.contains(['*', '?', '[', '{', '(', '<', '>']) && !value.is_empty();
    let inside = value.trim_matches('"').replace(' ', "\\ ");
    is_whole.then(|| {
        format!(
            "{name} is compared as a whole, with its case and its blanks; for a part of it write {name}:*{inside}*"
        )
    })
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
            ("@timestamp", "date"),
            ("msg", "keyword"),
            ("ratio", "float"),
        ];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        for (typed, expected) in [
            ("status:abc", Some("status is of the type long: expected a whole number, found abc")),
            ("status:5.5", Some("status is of the type long: expected a whole number, found 5.5")),
            ("ratio:5.5 ratio:-1e3 status:>=5 status:5.0", None),
            (
                "time:yesterday",
                Some("time is of the type date: expected a date, such as 2026-11-22 or now-1h"),
            ),
            ("time:>yesterday", Some("time is of the type date: expected a date")),
            ("time:>2026-11 time:now-1d @timestamp:2026", None),
            (
                "msg:disk",
                Some(
                    "msg is compared as a whole, with its case and its blanks; for a part of it write msg:*disk*",
                ),
            ),
            ("msg:\"disk full\"", Some("msg is compared as a whole")),
            ("msg:*disk* msg:(a b)", None),
            ("status:>=500 ip:10.0.0.0/8 ip:2001:db8::1 status:5* status:[1 TO 2]", None),
            (
                "ip:here",
                Some(
                    "ip is of the type ip: expected an address, or a network such as 10.0.0.0/8, found here",
                ),
            ),
            ("ok:yes", Some("ok is of the type boolean: expected true or false, found yes")),
            ("user:bob*", None),
            ("message:x word _exists_:nothing", None),
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
                Some(text) => {
                    let of_own = usize::from(typed.starts_with("file:"));
                    assert!(found.len() == 1 + of_own && found[0].starts_with(text), "{found:?}");
                }
                None => assert!(found.is_empty(), "{typed}: {found:?}"),
            }
        }
    }
    #[test]
    fn what_a_field_cannot_have_is_told_with_the_part_that_it_stands_in() {
        let fields =
            [("http.response.status_code", "long"), ("source.ip", "ip"), ("ok", "boolean")];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        for (typed, expected) in [
            (
                "status:[5 TO x}",
                "status is of the type long: expected a number, found x in [5 TO x}",
            ),
            (
                "ip:1.2.3.4/33",
                "ip is of the type ip: expected an address, or a network such as 10.0.0.0/8, found 1.2.3.4/33",
            ),
            (
                "-ok:(true OR yes)",
                "ok is of the type boolean: expected true or false, found yes in (true OR yes)",
            ),
        ] {
            assert_eq!(hints(&Query::new(typed, None, None), &fields), [expected], "{typed}");
        }
    }

    /// The kind of fault: a pattern finds nothing in what is no text, whatever is there, and nobody says so.
    #[test]
    fn a_wildcard_in_what_is_no_text_is_said_with_what_works() {
        let fields = [
            ("http.response.status_code", "long"),
            ("source.ip", "ip"),
            ("@timestamp", "date"),
            ("ok", "boolean"),
            ("ratio", "half_float"),
            ("level", "long"),
            ("log.level", "keyword"),
        ];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        for (typed, expected) in [
            (
                "status:5* OR word",
                Some("write a range, such as status:[500 TO 599] or status:>=500"),
            ),
            ("-ip:10.*", Some("write a network, such as ip:10.0.0.0/8")),
            ("time:2026-11-2?", Some("write a range, such as time:[2026-11-22 TO")),
            ("ok:t*", Some("write ok:true or ok:false")),
            ("ratio:0.?", Some("write a range, such as ratio:[")),
            ("http.response.status_code:4??", Some("such as http.response.status_code:[500")),
            // A text is among what is meant; and what has no type is told of elsewhere.
            ("level:e*", None),
            ("other:e* status:* status:[1 TO *] status:\"5*\" status:5 5*", None),
        ] {
            let query = Query::new(typed, None, None);
            let found = of_wildcards(&query, &fields);
            match expected {
                Some(text) => assert!(found.len() == 1 && found[0].contains(text), "{found:?}"),
                None => assert!(found.is_empty(), "{typed}: {found:?}"),
            }
            assert!(expected.is_none() || needs_fields(&query), "{typed}");
        }
    }

    #[test]
    fn what_a_line_says_of_a_host_itself_is_told_to_be_elsewhere() {
        let fields: BTreeMap<String, String> = [("host.name", "keyword"), ("user.name", "keyword")]
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .into();
        for (typed, is_told) in
            [("host:h1", true), ("host.name:\"h1\"", true), ("user:h1", false), ("h1", false)]
        {
            let found = hints(&Query::new(typed, None, None), &fields);
            let told = found.iter().any(|hint| hint.contains("grep -F \"h1\""));
            assert_eq!(told, is_told, "{typed}: {found:?}");
        }
    }
}
