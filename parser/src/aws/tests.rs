//! Lines of Amazon's services, and their documents.

use serde_json::{Value, json};

use crate::ParserKind;
use crate::tests::{events, fields_of};

#[test]
fn a_request_that_was_none_has_no_target() {
    let line = r#"http 2026-02-26T10:00:00.1Z app/x/y 192.0.2.7:4711 - -1 -1 -1 400 - 34 366 "- http://e.x:80- -" "-" - - - "-" "-" "-" - 2026-02-26T10:00:00.0Z "-" "-" "-" "-" "-" "-" "-""#;
    let read = fields_of(ParserKind::Elb, line);
    assert_eq!(
        (read.get("tags"), read.get("url"), read["event"].get("duration")),
        (None, None, None)
    );
    assert_eq!(
        (&read["http"]["response"]["status_code"], &read["message"]),
        (&json!(400), &json!(line))
    );
    let classic = r#"2026-02-26T10:00:00.1Z lb 192.0.2.7:4711 10.0.0.1:80 0.0001 0.0002 0.0003 - - 57 502 "- - - " "-" ECDHE-ECDSA TLSv1.2"#;
    let read = fields_of(ParserKind::Elb, classic);
    assert_eq!((read.get("tags"), read.get("message")), (None, None));
    assert_eq!(
        (&read["event"]["duration"], &read["http"]["response"], &read["tls"]["version"]),
        (&json!(600_000), &json!({"bytes": 502}), &json!("1.2"))
    );
}

#[test]
fn network_load_balancers_have_their_own_columns() {
    let line = "tls 2.0 2026-02-26T10:00:00 net/x/y 5a5 192.0.2.7:51341 10.0.0.1:443 5 2 98 246 - arn:aws:acm/c - ECDHE-RSA-AES128-SHA tlsv12 - e.example h2 h2 \"h2\",\"http/1.1\" 2026-02-26T09:59:59";
    let read = fields_of(ParserKind::Elb, line);
    assert_eq!(
        (&read["@timestamp"], &read["event"], read.get("tags")),
        (
            &json!("2026-02-26T10:00:00Z"),
            &json!({"start": "2026-02-26T09:59:59Z", "duration": 5_000_000}),
            None
        )
    );
    assert_eq!(
        (&read["tls"]["version"], &read["aws"]["elb"]["tls_handshake_time"]["ms"]),
        (&json!("1.2"), &json!(2))
    );
}

#[test]
fn columns_that_were_appended_later_are_in_the_message() {
    let line = format!(
        r#"a b [26/Feb/2026:10:00:00 +0000] 192.0.2.3 - R1 REST.COPY.OBJECT_GET k "-" - - - - - - "-" "say \"hi" - h - - - - - - - {} 1 2"#,
        "-"
    );
    let read = fields_of(ParserKind::S3, &line);
    assert_eq!((&read["message"], read.get("tags")), (&json!(line), None));
    assert_eq!(read["event"], json!({"action": "REST.COPY.OBJECT_GET"}));
}

#[test]
fn flow_logs_are_read_by_their_own_columns() {
    let file = b"version vpc-id srcaddr dstaddr protocol pkt-srcaddr end action tcp-flags\n5 vpc-1 2001:db8::1 - 58 10.0.0.9 1771236000 REJECT 3\n1 2\n";
    let read = events(ParserKind::VpcFlow, file);
    assert_eq!(read.len(), 2);
    assert_eq!(
        read[0],
        json!({
            "@timestamp": "2026-02-16T10:00:00Z",
            "event": {"action": "reject"},
            "network": {"iana_number": "58", "transport": "ipv6-icmp"},
            "source": {"address": "2001:db8::1", "ip": "2001:db8::1"},
            "aws": {"vpcflow": {"version": "5", "vpc_id": "vpc-1", "pkt_srcaddr": "10.0.0.9", "tcp_flags": 3}},
        })
    );
    assert_eq!(read[1]["tags"], json!(["parse_failure", "time_assumed"]));
    let none = fields_of(
        ParserKind::VpcFlow,
        "2 123456789010 eni-1 - - - - - - - 1771236000 1771236060 - NODATA",
    );
    assert_eq!((none.get("source"), none.get("tags")), (None, None));
    assert_eq!(none["aws"]["vpcflow"]["log_status"], "NODATA");
}

#[test]
fn what_is_none_of_them_is_a_failure_without_fields() {
    for kind in [ParserKind::Elb, ParserKind::S3] {
        for line in [
            "hello",
            "a b c d e f g h i j k l m n o p q r s t u v w x y z",
            "https 2026-02-26T10:00:00.1Z app/x",
            r#"https 2026-02-26T10:00:00.1Z app/x 192.0.2.7:4711 10.0.0.1:80 0 0 0 200 200 1 2 "GET http://e/ HTTP/1.1" "x" "y" ECDHE TLSv1.2 arn"#,
            "http http http http http http http http http http http http http http",
        ] {
            let mut read = fields_of(kind, line);
            assert_eq!(read["tags"], json!(["parse_failure", "time_assumed"]), "{line}");
            let all = read.as_object_mut().unwrap();
            for name in ["@timestamp", "tags", "error", "message"] {
                all.remove(name);
            }
            assert_eq!(read, Value::Object(serde_json::Map::new()), "{line}");
        }
    }
}
