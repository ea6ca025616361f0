use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::hit::Others;

/// Fields by name.
struct Named(&'static [(&'static str, &'static str)]);

impl Others for Named {
    fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let value = self.0.iter().find(|(own, _)| *own == name)?.1;
        Some(Cow::Borrowed(value.as_bytes()))
    }

    fn any(&self, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.iter().any(|(_, value)| test(value.as_bytes()))
    }
}

const OTHERS: Named = Named(&[
    ("url.original", "/api/items/7?x=1"),
    ("url.query", "x=1"),
    ("message", "Disk FULL on web1: giving up"),
    ("log.level", "error"),
    ("answer", "42"),
    ("share", "0.5"),
]);

fn hit() -> Hit<'static> {
    Hit {
        path: Some(b"/api/items/7"),
        method: Some(b"GET"),
        status: Some(503),
        bytes: Some(2048),
        latency: Some(1_500_000),
        client: Some(b"198.51.100.7"),
        agent: Some(b"curl/8.1 (test)"),
        host: Some(b"web1"),
        others: &OTHERS,
        ..Hit::default()
    }
}

fn is_meant(typed: &str) -> bool {
    Filter::new(typed).unwrap().matches(&hit())
}

#[test]
fn fields_are_compared_as_what_they_are() {
    for (typed, expected) in [
        ("", true),
        ("*", true),
        ("*:*", true),
        ("NOT *:*", false),
        ("*:* AND status:500", false),
        ("status:503", true),
        ("status:500", false),
        ("status:>=500", true),
        ("status:<503", false),
        ("status:<=503", true),
        ("status:[500 TO 503]", true),
        ("status:[500 TO 503}", false),
        ("status:{502 TO *]", true),
        ("status:abc", false),
        ("http.response.status_code:503", true),
        ("bytes:>2000", true),
        ("duration:<1000000", false),
        ("path:/api/items/7", true),
        ("path:/api", false),
        ("path:/api*", true),
        ("path:/*/items/?", true),
        ("path:/API*", false),
        (r#"path:"/api/items/7""#, true),
        ("ip:198.51.100.7", true),
        ("ip:198.51.100.0/24", true),
        ("ip:198.51.101.0/24", false),
        ("ip:0.0.0.0/0", true),
        ("ip:[198.51.100.0 TO 198.51.100.9]", true),
        ("ip:2001:db8::1", false),
        ("client:198.51.100.7", true),
        ("user:*", false),
        ("agent:*", true),
        ("_exists_:user", false),
        ("_exists_:url.query", true),
        ("level:error", true),
        ("level:Error", false),
        ("answer:42", true),
        ("answer:42.0", true),
        ("answer:>9", true),
        ("share:[0.1 TO 1]", true),
        ("nothing:1", false),
    ] {
        assert_eq!(is_meant(typed), expected, "{typed}");
    }
}

#[test]
fn words_without_a_field_are_looked_for_inside_of_values() {
    for (typed, expected) in [
        ("curl", true),
        ("items/7", true),
        ("wget", false),
        (r#""8.1 (test)""#, true),
        ("full", true),
        (r#""disk full""#, true),
        (r#""full disk""#, false),
        ("message:FULL", true),
        ("message:GI*", true),
        ("message:fu", false),
        ("503", false),
        ("curl*", true),
        ("url*", false),
    ] {
        assert_eq!(is_meant(typed), expected, "{typed}");
    }
}

#[test]
fn operators_bind_as_in_lucene() {
    for (typed, expected) in [
        ("status:503 method:GET", true),
        ("status:503 method:POST", false),
        ("status:500 OR method:GET", true),
        ("status:503 AND NOT method:GET", false),
        ("-status:500", true),
        ("!status:503", false),
        ("NOT (status:500 OR method:POST)", true),
        ("status:(500 OR 503)", true),
        ("status:(500 503)", false),
        ("(status:404 OR -level:error)", false),
        // The part behind OR becomes one that must be, by the AND behind it, and the first only should.
        ("status:503 OR method:POST AND host:web1", false),
        ("status:500 || method:GET && host:web1", true),
        ("+status:503 nothing:1^2", false),
        ("status:503^2 AND (host:web1)^3", true),
        ("()", true),
        ("() status:500", false),
    ] {
        assert_eq!(is_meant(typed), expected, "{typed}");
    }
}

#[test]
fn fields_that_are_named_are_known_wherever_they_stand() {
    let filter = Filter::new("curl (host.id:a OR -(log.offset:>5 _exists_:ecs.version)) ip:::1");
    assert_eq!(
        filter.unwrap().fields(),
        ["host.id", "log.offset", "ecs.version", "source.ip", "ip"]
    );
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    for (typed, expected) in [
        ("ip:10.0.1.*", "character 4: expected a network, as in ip:10.0.0.0/8"),
        ("ip:(::1 OR 10.?)", "expected a network"),
        ("status:5*", "character 8: expected a range, as in status:[500 TO 599]"),
        ("http.response.body.bytes:1?", "expected a range"),
        ("status:!200", "character 8: expected a value, and NOT before the name of the field"),
        ("status:", "character 8: expected a value, found its end"),
        ("(status:1", "character 10: expected a closing parenthesis, found its end"),
        ("a)", "character 2: expected no more than was opened, found \")\""),
        ("AND b", "character 1: expected something before AND and OR, found \"AND b\""),
        ("a AND", "character 6: expected a value, found its end"),
        ("x:\"é", "character 3: expected a closing quotation mark, found \"\\\"é\""),
        ("status:[1 2]", "character 11: expected TO between the ends of a range, found \"2]\""),
        ("[1 TO 2]", "character 1: expected a field before a range"),
        ("time:>5", "character 1: expected no time: lines are counted as they come"),
        ("curl~2", "character 1: expected no ~"),
        ("\"a b\"~2", "character 6: expected no ~"),
    ] {
        let problem = Filter::new(typed).unwrap_err().to_string();
        assert!(problem.contains(expected), "{typed}: {problem}");
    }
    assert!(Filter::new(&"(".repeat(60)).is_err());
    assert!(Filter::new(&"a".repeat(40 << 10)).is_err());
}

/// A pattern, the slow way.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, text) || text.split_first().is_some_and(|(_, text)| fits(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => fits(rest, text),
        (Some((one, rest)), Some((other, text))) => one == other && fits(rest, text),
        _ => false,
    }
}

proptest! {
    #[test]
    fn patterns_fit_as_they_say(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        let expected = fits(pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(wildcard::Wildcard::new(&pattern).matches(text.as_bytes()), expected);
    }

    #[test]
    fn whatever_is_typed_is_read_or_refused(
        typed in "[a-c:/ \"()\\\\\\[\\]{}~^*?+!-]{0,40}|(status:|AND |OR |NOT |[(]|[)]|5|-| ){0,12}|.*"
    ) {
        if let Ok(filter) = Filter::new(&typed) {
            filter.matches(&hit());
            filter.matches(&Hit::default());
        }
    }

    #[test]
    fn networks_have_the_addresses_with_their_bits(own in any::<u32>(), other in any::<u32>(), bits in 0u32..=32) {
        let [own, other] = [own, other].map(std::net::Ipv4Addr::from);
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let expected = u32::from(own) & mask == u32::from(other) & mask;
        let client = other.to_string();
        let hit = Hit { client: Some(client.as_bytes()), ..Hit::default() };
        prop_assert_eq!(Filter::new(&format!("ip:{own}/{bits}")).unwrap().matches(&hit), expected);
    }
}
