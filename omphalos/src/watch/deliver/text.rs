//! What is said of an event to people, and its key.

use jiff::Timestamp;
use omphalos_common::clean::harmless;
use omphalos_live::alert::{Change, Event};

/// What tells events apart: a receiver is told each key once.
pub fn key(event: &Event) -> String {
    format!("{}-{}-{}", event.alert.fingerprint, name(event.change), event.at)
}

/// As in JSON.
fn name(change: Change) -> &'static str {
    match change {
        Change::Raised => "raised",
        Change::Cleared => "cleared",
        Change::NoData => "no_data",
        Change::ClearedWithoutData => "cleared_without_data",
        Change::Forgotten => "forgotten",
        Change::RuleChanged => "rule_changed",
    }
}

/// What happened, as the begin of a sentence.
fn words(change: Change) -> &'static str {
    match change {
        Change::Raised => "Raised",
        Change::Cleared => "Cleared",
        Change::NoData => "Raised, because there is no data",
        Change::ClearedWithoutData => "Cleared, because there is no data any more",
        Change::Forgotten => "Cleared, because it has not been seen for long",
        Change::RuleChanged => "Cleared, because its rule was changed",
    }
}

/// What happened to what, without what is said of it: for a subject.
pub(super) fn title(event: &Event) -> String {
    let alert = &event.alert;
    let key = alert.key.as_ref().map_or_else(String::new, |key| format!(", {}", key.text));
    one_line(&format!("{} ({}): {}{key}", words(event.change), alert.severity, alert.rule))
}

/// The time of an event for people and programs: RFC 3339, in UTC.
pub(super) fn time(millis: i64) -> String {
    let edge = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(edge).to_string()
}

/// The beginning of a text that somebody else wrote, in one line.
pub(super) fn one_line(text: &str) -> String {
    const MOST: usize = 200;
    let line = text.trim_matches(|letter: char| letter.is_whitespace() || letter.is_control());
    // A line end would be a header of a mail: keys come out of log lines, which anybody may write.
    let mut shown: String = line.chars().take(MOST).filter_map(harmless).collect();
    if line.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_key_is_what_json_says() {
        for change in [
            Change::Raised,
            Change::Cleared,
            Change::NoData,
            Change::ClearedWithoutData,
            Change::Forgotten,
            Change::RuleChanged,
        ] {
            assert_eq!(serde_json::to_value(change).unwrap(), name(change));
        }
    }

    #[test]
    fn times_and_texts_of_others_are_bounded() {
        assert_eq!(time(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert!(time(i64::MAX).starts_with("9999-") && time(i64::MIN).starts_with("-009999-"));
        assert_eq!(one_line(" a\r\nBcc: b\u{1b}[2J "), "a␍␊Bcc: b␛[2J");
        assert_eq!(one_line(&"é".repeat(1_000)).chars().count(), 201);
    }
}
