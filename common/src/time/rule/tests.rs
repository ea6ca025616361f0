//! Settings of times: what they read and refuse, and our readers beside jiff's own.

use super::*;
use jiff::fmt::rfc2822;
use proptest::prelude::*;

fn rule(format: Option<&str>, zone: Option<&str>) -> TimeRule {
    TimeRule::new(None, format, zone).unwrap()
}

fn read(rule: &TimeRule, text: &str) -> Option<String> {
    let time = rule.read(&mut Calendar::default(), text.as_bytes())?;
    let mut out = Vec::new();
    Calendar::default().write(&mut out, time);
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn named_forms_and_patterns_are_read() {
    for (format, zone, text, expected) in [
        (None, None, "2026-11-28 12:00:00", "2026-11-28T12:00:00Z"),
        (None, Some("Europe/Berlin"), "2026-11-28 12:00:00", "2026-11-28T11:00:00Z"),
        (None, Some("Europe/Berlin"), "2026-07-28 12:00:00", "2026-07-28T10:00:00Z"),
        (None, Some("Europe/Berlin"), "2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z"),
        (None, Some("Europe/Berlin"), "Sat Nov 28 12:00:00 2026", "2026-11-28T11:00:00Z"),
        (None, Some("-0530"), "2026-11-28T12:00:00,5", "2026-11-28T17:30:00.500Z"),
        (None, Some("UTC"), "1795867200", "2026-11-28T12:00:00Z"),
        (Some("iso8601"), None, "20261128T120000Z", "2026-11-28T12:00:00Z"),
        (Some("clf"), None, "28/Nov/2026:12:00:00 +0100", "2026-11-28T11:00:00Z"),
        (Some("rfc2822"), None, "28 Nov 2026 12:00:00 +0100", "2026-11-28T11:00:00Z"),
        (Some("unix"), None, "1795867200.25", "2026-11-28T12:00:00.250Z"),
        (Some("unix"), None, "12", "1970-01-01T00:00:12Z"),
        (Some("unix_ms"), None, "1795867200001", "2026-11-28T12:00:00.001Z"),
        (Some("unix_us"), None, "1795867200000001", "2026-11-28T12:00:00.000001Z"),
        (Some("unix_ns"), None, "1795867200000000001", "2026-11-28T12:00:00.000000001Z"),
        (Some("%d.%m.%Y %H:%M:%S"), None, "28.11.2026 12:00:00", "2026-11-28T12:00:00Z"),
        (Some("%d.%m.%Y %H:%M"), Some("+01:00"), "28.11.2026 12:00", "2026-11-28T11:00:00Z"),
        (Some("%m/%d/%y %I:%M:%S %p"), None, "11/28/26 12:00:00 PM", "2026-11-28T12:00:00Z"),
        (Some("%Y%m%d %H%M%S,%f %z"), None, "20261128 120000,25 +0100", "2026-11-28T11:00:00.250Z"),
        (Some("%s"), Some("Europe/Berlin"), "1795867200", "2026-11-28T12:00:00Z"),
    ] {
        let rule = rule(format, zone);
        assert_eq!(read(&rule, text).as_deref(), Some(expected), "{format:?} {zone:?} {text}");
    }
}

#[test]
fn what_is_not_in_the_form_is_no_time() {
    for (format, text) in [
        ("iso8601", "1795867200"),
        ("iso8601", "28/Nov/2026:12:00:00 +0100"),
        ("clf", "2026-11-28T12:00:00Z"),
        ("rfc2822", "2026-11-28T12:00:00Z"),
        ("unix", "2026-11-28T12:00:00Z"),
        ("unix", "-1"),
        ("unix_ms", "1795867200.5.5"),
        ("%d.%m.%Y %H:%M:%S", "28.11.2026 12:00:00 x"),
        ("%d.%m.%Y %H:%M:%S", "31.02.2026 12:00:00"),
        ("%d.%m.%Y %H:%M:%S", "28.11.0001 12:00:00"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-11-28 12:00:00 +2500"),
    ] {
        assert_eq!(read(&rule(Some(format), None), text), None, "{format} {text}");
    }
}

#[test]
fn settings_that_give_no_time_are_refused() {
    let problem = |field, format, zone| TimeRule::new(field, format, zone).unwrap_err();
    for (format, end) in [
        ("ISO", "found \"ISO\""),
        ("%Y-%m-%d", "it does not say year, month, day and time of day"),
        ("%H:%M:%S", "it does not say year, month, day and time of day"),
        ("%b %d %H:%M:%S", "it does not say year, month, day and time of day"),
        ("%Y-%m-%d %I:%M:%S", "it does not say the hour, or of which half of the day that is"),
    ] {
        let problem = problem(None, Some(format), None);
        assert!(problem.starts_with("time_format: expected "), "{problem}");
        assert!(problem.ends_with(end), "{problem}");
    }
    for format in ["%", "%Y-%m-%d %H:%M:%S %Z", "%!"] {
        let problem = problem(None, Some(format), None);
        let start = format!(
            "time_format: expected a pattern of which a time can be read, found {format:?}: "
        );
        assert!(problem.starts_with(&start), "{problem}");
    }
    for zone in ["Europe/Berlín", "CEST+1", "+25:00", "+1", "", "/etc/passwd", "../../etc/passwd"]
    {
        let problem = problem(None, None, Some(zone));
        let start = format!(
            "time_zone: expected a name such as Europe/Berlin, an offset such as +01:00, or local, found {zone:?}"
        );
        assert!(problem.starts_with(&start), "{problem}");
    }
    for field in ["", "a..b", ".a"] {
        assert!(problem(Some(field), None, None).starts_with("time_field: expected "));
    }
}

/// Clocks of Berlin went from 2 to 3 in the morning of 29 March, and from 3 to 2 in that of 25 October.
#[test]
fn times_that_clocks_skipped_go_on_from_before_and_of_two_it_is_the_first() {
    let berlin = rule(None, Some("Europe/Berlin"));
    for (text, expected) in [
        ("2026-03-29 01:59:59", "2026-03-29T00:59:59Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-03-29 03:00:00", "2026-03-29T01:00:00Z"),
        ("2026-10-25 01:59:59", "2026-10-24T23:59:59Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25 03:00:00", "2026-10-25T02:00:00Z"),
        ("2026-10-25 02:30:00+01:00", "2026-10-25T01:30:00Z"),
    ] {
        assert_eq!(read(&berlin, text).as_deref(), Some(expected), "{text}");
    }
}

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "America/Los_Angeles",
];

proptest! {
    /// jiff writes, and we read; and where jiff reads, we agree.
    #[test]
    fn all_forms_in_all_zones_agree_with_jiff(
        seconds in 631_152_000i64..4_102_444_800, nanos in 0i32..1_000_000_000, zone in 0..ZONES.len(),
    ) {
        let instant = Timestamp::new(seconds, nanos).unwrap();
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let zoned = instant.to_zoned_datetime(zone.clone());
        let offset = zoned.offset();
        let whole = Some(Time::from_seconds(seconds));
        let exact = Some(Time { seconds, nanos: u32::try_from(nanos).unwrap() });
        let mut calendar = Calendar::default();
        let any = rule(None, None);
        for (format, expected) in [
            ("%Y-%m-%dT%H:%M:%S%:z", whole), ("%Y-%m-%d %H:%M:%S %z", whole), ("%Y%m%dT%H%M%S%z", whole),
            ("%Y-%m-%dT%H:%M:%S.%N%:z", exact), ("%Y/%m/%d %H:%M:%S,%N%z", exact), ("%d/%b/%Y:%H:%M:%S %z", whole),
            ("%a, %d %b %Y %H:%M:%S %z", whole), ("%d %b %Y %H:%M:%S %z", whole),
        ] {
            let text = zoned.strftime(format).to_string();
            prop_assert_eq!(any.read(&mut calendar, text.as_bytes()), expected, "{}", text);
            let by_jiff = strtime::parse(format, &text).unwrap().to_timestamp().unwrap();
            prop_assert_eq!(Time::from_timestamp(by_jiff), expected, "{}", text);
            let by_pattern = TimeRule::new(None, Some(format), None).unwrap();
            prop_assert_eq!(by_pattern.read(&mut calendar, text.as_bytes()), expected, "{}", text);
        }
        let mail = rfc2822::to_string(&zoned).unwrap();
        prop_assert_eq!(any.read(&mut calendar, mail.as_bytes()), whole, "{}", mail);
        // Without the zone, where the time of day was once only.
        let local = TimeRule { zone: Some(zone.clone()), ..TimeRule::default() };
        let expected = zoned.datetime().to_zoned_datetime(zone).unwrap();
        prop_assert!(expected.offset() == offset || expected.timestamp() != instant);
        for format in ["%Y-%m-%d %H:%M:%S.%N", "%Y%m%dT%H%M%S.%N"] {
            let text = zoned.strftime(format).to_string();
            let found = local.read(&mut calendar, text.as_bytes());
            prop_assert_eq!(found, Time::from_timestamp(expected.timestamp()), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        for format in [None, Some("%d.%m.%Y %H:%M:%S"), Some("%s"), Some("rfc2822")] {
            let _ = rule(format, Some("Europe/Berlin")).read(&mut Calendar::default(), &text);
        }
    }
}
