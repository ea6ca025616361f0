//! Lines by a pattern of one's own: a regular expression, or grok, which is one with names for the usual
//! parts. What a group matches is the field that the group is called after.
//!
//! Both are run by the `regex` crate, in time that is linear in the line whatever pattern and line
//! are; what it cannot do so, looking around and repeating what was matched, is refused.

mod grok;
mod groups;
mod library;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use omphalos_common::ecs::{FieldType, Role, role};
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::address::Address;
use super::document::collide;
use super::fields::{Name, split_first};
use super::level;
use super::logfmt::{add_named, takes_any_text};
use super::time::{Calendar, TimeRule};
use super::words::{failed, listed};
use super::{Format, List, Parse, Parsed};
pub use grok::Patterns;
use groups::{Group, Kind};

/// A longer pattern is refused, also one that gets so long when names are put in,
const MOST_BYTES: usize = 64 * 1024;
/// and one that takes more than this when it is compiled,
const MOST_COMPILED_BYTES: usize = 10 << 20;
/// or has more fields.
const MOST_FIELDS: usize = 128;

/// So many patterns of one's own there may be,
const MOST_PATTERNS: usize = 256;
/// with names of so many bytes.
const MOST_NAME_BYTES: usize = 64;

/// Where values go that their field does not take.
const OBJECT: &str = "pattern";

/// The fields that have the time of a line, unless settings name one.
const TIMES: [&str; 4] = ["@timestamp", "timestamp", "time", "ts"];

/// A pattern, compiled; one for all files.
#[derive(Debug)]
struct Pattern {
    regex: Regex,
    fields: Vec<Field>,
    /// The groups of the time.
    time: Vec<usize>,
    /// The groups of the message.
    message: Vec<usize>,
    times: TimeRule,
    /// What is said of a line that is another.
    problem: Box<str>,
    /// Whether no field can get the name of another.
    is_distinct: bool,
}

/// A field that groups fill.
#[derive(Debug)]
struct Field {
    name: Name<'static>,
    kind: Kind,
    /// Whether any text stands under its name as it is.
    takes_any_text: bool,
    /// The first of these that matched has its value.
    groups: Vec<usize>,
}

/// The format of lines that a regular expression reads.
///
/// # Errors
/// When it cannot be used, in words for the user.
pub fn regex(text: &str, times: &TimeRule) -> Result<Format, String> {
    let (pattern, groups) = groups::numbered(text)?;
    format(&pattern, groups, times, true)
}

/// The format of lines that a grok pattern reads.
///
/// # Errors
/// When it cannot be used, in words for the user.
pub fn grok(text: &str, times: &TimeRule) -> Result<Format, String> {
    let (pattern, groups) = groups::numbered(&grok::expanded(text, MOST_BYTES)?)?;
    format(&pattern, groups, times, false)
}

/// The pattern `text` with those of `own` put in.
///
/// # Errors
/// When that cannot be done, in words for the user.
pub fn with_own(text: &str, own: &Patterns) -> Result<String, String> {
    grok::without_own(text, own, MOST_BYTES)
}

/// Looks at each of one's own patterns by itself.
///
/// # Errors
/// When one cannot be used, in words for the user that begin with its name.
pub fn check_own(own: &Patterns) -> Result<(), String> {
    if own.len() > MOST_PATTERNS {
        let found = own.len();
        return Err(format!("patterns: expected at most {MOST_PATTERNS}, found {found}"));
    }
    for (name, pattern) in own {
        let is_name = !name.is_empty()
            && name.len() <= MOST_NAME_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(format!(
                "patterns: expected names of up to {MOST_NAME_BYTES} letters, digits and _, found {name:?}"
            ));
        }
        check_one(name, pattern, own).map_err(|problem| format!("patterns.{name}: {problem}"))?;
    }
    Ok(())
}

/// Whether a pattern is one by itself, where it is named.
fn check_one(name: &str, pattern: &str, own: &Patterns) -> Result<(), String> {
    let named = format!("%{{{name}}}");
    let text = grok::without_own(&named, own, MOST_BYTES)?;
    let (text, _) = groups::numbered(&grok::expanded(&text, MOST_BYTES)?)?;
    let mut builder = RegexBuilder::new(&text);
    builder.unicode(false).size_limit(MOST_COMPILED_BYTES);
    builder.build().map_err(|error| {
        let told = advice(&error.to_string());
        format!("found {pattern:?}, which is none: {told}")
    })?;
    Ok(())
}

/// The format of lines of which nothing is known.
pub fn any(times: &TimeRule) -> Format {
    // It has no groups that could be wrong.
    regex("(?<message>.*)", times).unwrap_or_else(|_| Format::new(|| super::raw::RawParser))
}

fn format(
    text: &str,
    groups: Vec<Group>,
    times: &TimeRule,
    is_unicode: bool,
) -> Result<Format, String> {
    let pattern = Arc::new(Pattern::new(text, groups, times, is_unicode)?);
    Ok(Format::new(move || PatternParser::new(Arc::clone(&pattern))))
}

impl Pattern {
    fn new(
        text: &str,
        groups: Vec<Group>,
        times: &TimeRule,
        is_unicode: bool,
    ) -> Result<Self, String> {
        if text.len() > MOST_BYTES {
            return Err(format!("expected at most {MOST_BYTES} bytes, found {}", text.len()));
        }
        let mut builder = RegexBuilder::new(text);
        builder.unicode(is_unicode).size_limit(MOST_COMPILED_BYTES);
        let regex = builder.build().map_err(|error| advice(&error.to_string()))?;
        let mut fields: Vec<Field> = Vec::new();
        for group in groups {
            let number = regex.capture_names().position(|name| name == Some(&group.id));
            // It stands in a comment.
            let Some(number) = number else { continue };
            let same = fields.iter_mut().find(|field| field.name.as_str() == &*group.field);
            match same {
                Some(field) => field.groups.push(number),
                None => fields.push(Field::of(&group, number)?),
            }
        }
        let time = times.field.as_deref();
        let is_time = |field: &Field| match time {
            Some(time) => field.name.as_str() == time,
            None => TIMES.contains(&field.name.as_str()),
        };
        let time = fields.iter().position(is_time).map(|at| fields.remove(at).groups);
        if let (None, Some(named)) = (&time, times.field.as_deref()) {
            return Err(format!("expected a group called {named}, which time_field names"));
        }
        if time.is_none() && fields.is_empty() {
            return Err(NO_GROUP.to_owned());
        }
        check(&fields)?;
        let message = fields.iter().find(|field| field.name.as_str() == "message");
        let message = message.map(|field| field.groups.clone()).unwrap_or_default();
        let (time, times) = (time.unwrap_or_default(), times.clone());
        let problem = "the line does not match the pattern of its format".into();
        // What is added under other names than those of groups.
        let is_added = |field: &Field| {
            let name = field.name.as_str();
            split_first(name).0 == OBJECT || name == "log.level_original"
        };
        let is_distinct = !fields.iter().any(is_added);
        Ok(Self { regex, fields, time, message, times, problem, is_distinct })
    }
}

const NO_GROUP: &str = "expected a group with a name, such as (?<message>.*), found none";

fn check(fields: &[Field]) -> Result<(), String> {
    if fields.len() > MOST_FIELDS {
        return Err(format!("expected at most {MOST_FIELDS} fields, found {}", fields.len()));
    }
    for (at, field) in fields.iter().enumerate() {
        let mut others = fields.iter().skip(at + 1);
        let is_inside = |other: &&Field| collide(field.name.as_str(), other.name.as_str());
        if let Some(other) = others.find(is_inside) {
            let (one, other) = (field.name.as_str(), other.name.as_str());
            return Err(format!(
                "expected fields that are not in one another, found {one} and {other}"
            ));
        }
    }
    Ok(())
}

/// What a field becomes: what its group says, or what the index has for it.
fn kind_for(group: &Group) -> Result<Kind, String> {
    let Group { field, kind, .. } = group;
    if Name::new(&**field).is_none()
        || crate::steps::settings::is_metadata(field) && !is_time(field)
    {
        return Err(format!(
            "expected groups that are called after fields, as in (?<source.ip>\\S+), found {field:?}, which {}",
            if Name::new(&**field).is_none() { "is none" } else { "the document says itself" }
        ));
    }
    match (role(field), kind) {
        (Role::Field(FieldType::Long), Kind::Text) => Ok(Kind::Integer),
        (Role::Field(FieldType::Ip), _) => Ok(Kind::Ip),
        (Role::Field(FieldType::Long), Kind::Float | Kind::Bool) => {
            Err(format!("{field} is a whole number in the index"))
        }
        _ => Ok(*kind),
    }
}

fn is_time(field: &str) -> bool {
    TIMES.contains(&field)
}

/// What the `regex` crate says, with what to do about it.
fn advice(error: &str) -> String {
    let error = error.trim();
    if error.contains("look-around") || error.contains("backreferences") {
        return format!(
            "{error}\nlines are read in linear time, which does without (?=…), (?!…), (?<=…), (?<!…) and \\1: say what stands there instead"
        );
    }
    error.to_owned()
}

/// Reads lines by a pattern.
#[derive(Debug)]
struct PatternParser {
    pattern: Arc<Pattern>,
    places: CaptureLocations,
}

impl PatternParser {
    fn new(pattern: Arc<Pattern>) -> Self {
        let places = pattern.regex.capture_locations();
        Self { pattern, places }
    }
}

impl Parse for PatternParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Self { pattern, places } = self;
        if pattern.regex.captures_read(places, line).is_none() {
            return failed(None, &pattern.problem);
        }
        let value = |groups: &[usize]| {
            groups.iter().find_map(|group| {
                let (start, end) = places.get(*group)?;
                line.get(start..end)
            })
        };
        others.is_distinct = pattern.is_distinct;
        // What no group matched is nowhere else.
        others.more = value(&pattern.message).is_none();
        let time = value(&pattern.time);
        let read = time.and_then(|text| {
            pattern.times.read(calendar, text).or_else(|| {
                let (told, rest) = calendar.split_time(text.trim_ascii())?;
                let zone = pattern.times.zone.as_ref();
                rest.is_empty().then(|| calendar.settle(told, zone)).flatten()
            })
        });
        for field in &pattern.fields {
            if let Some(value) = value(&field.groups) {
                field.add(value, others);
            }
        }
        if time.is_some() && read.is_none() {
            return failed(None, "the group of the time is none that can be read");
        }
        listed(read)
    }

    fn has_times(&self) -> bool {
        !self.pattern.time.is_empty()
    }
}

impl Field {
    fn of(group: &Group, number: usize) -> Result<Self, String> {
        let kind = kind_for(group)?;
        let name = Name::new(group.field.to_string()).ok_or(NO_GROUP)?;
        let takes_any_text = kind == Kind::Text && takes_any_text(&group.field);
        Ok(Self { name, kind, takes_any_text, groups: vec![number] })
    }

    fn add<'a>(&'a self, value: &'a [u8], others: &mut List<'a>) {
        let text = || std::str::from_utf8(value).ok();
        if matches!(value, b"" | b"-") {
            return;
        }
        let name = self.name.borrowed();
        match self.kind {
            Kind::Text if self.name.as_str() == "log.level" => level::add(others, value),
            Kind::Text if self.takes_any_text => others.add(name, value),
            Kind::Integer => match text().and_then(|text| text.parse::<i64>().ok()) {
                Some(number) => others.add(name, number),
                None => others.more = true,
            },
            Kind::Float => match text().and_then(|text| text.parse::<f64>().ok()) {
                Some(number) if number.is_finite() => others.add(name, number),
                _ => others.more = true,
            },
            Kind::Ip if Address::read(value).ip() == Some(value) => others.add(name, value),
            // It goes where what the index would refuse goes.
            Kind::Text | Kind::Ip => self.add_elsewhere(value, others),
            Kind::Bool if value.eq_ignore_ascii_case(b"true") => others.add(name, true),
            Kind::Bool if value.eq_ignore_ascii_case(b"false") => others.add(name, false),
            Kind::Bool => others.more = true,
        }
    }

    fn add_elsewhere<'a>(&'a self, value: &'a [u8], others: &mut List<'a>) {
        add_named(self.name.as_str(), Cow::Borrowed(value), OBJECT, others);
    }
}
