//! What is said of an alert: a text with names in braces, and values for people.

use super::rule::Unit;

/// What can stand in braces.
pub const NAMES: [&str; 8] =
    ["name", "key", "value", "limit", "clear", "window", "severity", "state"];

/// A text with names in braces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Name(&'static str),
}

impl Template {
    /// Reads a text; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            if (character == '{' || character == '}') && rest.peek() == Some(&character) {
                rest.next();
                plain.push(character);
            } else if character == '{' {
                let mut name = String::new();
                let mut is_closed = false;
                for inside in rest.by_ref() {
                    is_closed = inside == '}';
                    if is_closed {
                        break;
                    }
                    name.push(inside);
                }
                let known = NAMES.into_iter().find(|known| is_closed && *known == name);
                let Some(known) = known else {
                    let names = NAMES.map(|name| format!("{{{name}}}")).join(" ");
                    return Err(format!("expected {names} or {{{{ for a brace, found {{{name}}}"));
                };
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Name(known));
            } else {
                plain.push(character);
            }
        }
        parts.push(Part::Text(plain));
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with what `value_of` says of each name.
    pub fn fill(&self, value_of: impl Fn(&str) -> String) -> String {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => filled.push_str(&value_of(name)),
            }
        }
        filled
    }
}

/// A value for people.
pub fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Hits => format!("{} lines", number(value)),
        Unit::PerSecond => format!("{}/s", number(value)),
        Unit::Percent => format!("{} %", number(value)),
        Unit::Bytes => bytes(value),
        Unit::Seconds => seconds(value),
    }
}

/// Whole, or with two digits behind the point at most.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = value;
    let mut unit = 0;
    while value.abs() >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", number(value), UNITS.get(unit).unwrap_or(&"B"))
}

/// Seconds as people write them: 250ms, 12s, 5m, 1h 30m.
pub fn seconds(value: f64) -> String {
    if value < 1.0 {
        return format!("{}ms", number(value * 1000.0));
    }
    if value < 60.0 {
        return format!("{}s", number(value));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 60")]
    let whole = value.round() as u64;
    let parts = [
        (whole / 86_400, "d"),
        (whole / 3_600 % 24, "h"),
        (whole / 60 % 60, "m"),
        (whole % 60, "s"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}
