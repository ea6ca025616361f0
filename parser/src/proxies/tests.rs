//! Lines of proxies, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::{fields_in_utc, fields_of};

#[test]
fn lines_of_traefik_have_router_server_and_duration() {
    let line =
        r#"192.0.2.7 - - [26/Feb/2026:10:00:00 +0100] "GET /a HTTP/1.1" 404 19 - - 7 "-" "-" 0ms"#;
    assert_eq!(
        fields_of(ParserKind::Traefik, line),
        json!({
            "@timestamp": "2026-02-26T09:00:00Z",
            "event": {"duration": 0},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7"},
            "url": {"original": "/a", "path": "/a"},
            "http": {"version": "1.1", "request": {"method": "GET"}, "response": {"status_code": 404, "body": {"bytes": 19}}},
            "traefik": {"access": {"request_count": 7}},
        })
    );
    let aborted = r#"192.0.2.7 - - [26/Feb/2026:10:00:00 +0100] "GET /a HTTP/1.1" - - "-" "-" 7 "r@file" "http://10.0.0.1:80" 2ms"#;
    let read = fields_of(ParserKind::Traefik, aborted);
    assert_eq!((read["http"].get("response"), read.get("tags")), (None, None));
    for line in [
        r#"192.0.2.7 - - [26/Feb/2026:10:00:00 +0100] "GET /a HTTP/1.1" 404 19 "-" "-""#,
        r#"192.0.2.7 - - [26/Feb/2026:10:00:00 +0100] "GET /a HTTP/1.1" 404 19 "-" "-" 7 "a" "b" 2s"#,
    ] {
        assert_eq!(
            fields_of(ParserKind::Traefik, line)["tags"],
            json!(["parse_failure"]),
            "{line}"
        );
    }
}

#[test]
fn lines_of_envoy_and_istio_are_told_apart() {
    let own = r#"[2026-02-26T10:00:00.123Z] "- - HTTP/1.1" 400 DPE 0 11 0 - "203.0.113.9, 10.0.0.2" "a\b" "-" "-" "-""#;
    let read = fields_of(ParserKind::Envoy, own);
    assert_eq!(
        read,
        json!({
            "@timestamp": "2026-02-26T10:00:00.123Z",
            "event": {"duration": 0},
            "network": {"forwarded_ip": "203.0.113.9"},
            "http": {"version": "1.1", "request": {"bytes": 0, "header": {"x-forwarded-for": "203.0.113.9, 10.0.0.2"}}, "response": {"status_code": 400, "body": {"bytes": 11}}},
            "user_agent": {"original": "a\\b"},
            "envoy": {"response_flags": "DPE"},
        })
    );
    let istio = r#"[2026-02-26T10:00:00.123Z] "GET /a?b HTTP/1.1" 503 UF upstream_reset_before_response_started{connection_failure} - "delayed connect error: 111" 0 91 1 - "-" "curl/8" "c994" "e.example:8080" "10.1.0.1:80" outbound|80||shop - 10.9.0.1:80 192.0.2.7:4711 e.example default"#;
    let read = fields_of(ParserKind::Envoy, istio);
    assert_eq!((read.get("tags"), read.get("message")), (None, None));
    assert_eq!(
        (&read["source"]["ip"], &read["source"]["port"], &read["destination"]["ip"]),
        (&json!("192.0.2.7"), &json!(4711), &json!("10.9.0.1"))
    );
    assert_eq!(
        (&read["envoy"]["upstream_cluster"], &read["envoy"]["route_name"]),
        (&json!("outbound|80||shop"), &json!("default"))
    );
    assert_eq!(read["url"]["port"], 8080);
    let tcp = r#"[2026-02-26T10:00:00.123Z] "- - -" 0 - 5 6 7 - "-" "-" "-" "-" "10.0.0.1:80""#;
    let read = fields_of(ParserKind::Envoy, tcp);
    assert_eq!((&read["http"]["response"]["status_code"], read.get("url")), (&json!(0), None));
    let cut =
        fields_of(ParserKind::Envoy, r#"[2026-02-26T10:00:00.123Z] "GET / HTTP/1.1" 200 - 0 5"#);
    assert_eq!(cut["tags"], json!(["parse_failure"]));
}

/// The kind of fault: a quote that a client sent ends a value, and what it sent behind that is another one.
#[test]
fn what_a_client_sends_is_no_value_of_the_proxy() {
    for line in [
        r#"[2026-02-26T10:00:00Z] "GET / HTTP/1.1" 200 - 0 5 1 0 "-" "x" "id" "evil" "10.6.6.6:80" "c994" "e.x" "10.0.0.1:80""#,
        r#"[2026-02-26T10:00:00Z] "GET /" 200 - 0 5 1 0 "-" HTTP/1.1" 404 - 0 5 1 0 "-" "x" "id" "e.x" "10.0.0.1:80""#,
        r#"[2026-02-26T10:00:00Z] "GET / HTTP/1.1" 200 - 0 5 1 0 "1.2.3.4" "fake" "x\" "id" "e.x" "10.0.0.1:80""#,
    ] {
        let read = fields_of(ParserKind::Envoy, line);
        assert_eq!((&read["tags"], read.get("url")), (&json!(["parse_failure"]), None), "{line}");
    }
    let line = "[pid: 7|app: 0|req: 1/1] 192.0.2.7 () {4 vars in 8 bytes} [Thu Feb 26 10:00:00 2026] GET /a => generated 9 bytes in 9 msecs (HTTP/1.1 200) 1 => generated 12 bytes in 3 msecs (HTTP/1.1 404) 2 headers in 72 bytes (1 switches on core 0)";
    assert_eq!(fields_of(ParserKind::Uwsgi, line)["http"]["response"]["status_code"], 404);
}

#[test]
fn lines_of_squid_have_result_and_peer() {
    let line = "1772100000.123    921 192.0.2.7 TCP_TUNNEL/200 507 CONNECT e.example:443 - HIER_DIRECT/proxy.example -";
    let read = fields_of(ParserKind::Squid, line);
    assert_eq!(
        read,
        json!({
            "@timestamp": "2026-02-26T10:00:00.123Z",
            "event": {"duration": 921_000_000},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7"},
            "destination": {"address": "proxy.example", "domain": "proxy.example"},
            "url": {"original": "e.example:443", "domain": "e.example", "port": 443},
            "http": {"request": {"method": "CONNECT"}, "response": {"status_code": 200, "bytes": 507}},
            "squid": {"result_code": "TCP_TUNNEL", "hierarchy_code": "HIER_DIRECT"},
        })
    );
    let none = "1772100000.123      0 192.0.2.7 NONE_NONE/000 0 NONE error:transaction-end-before-headers - HIER_NONE/- -";
    let read = fields_of(ParserKind::Squid, none);
    assert_eq!((read["http"].get("request"), read.get("tags")), (None, None));
    for line in ["1772100000.123 921", "12 921 a b/200 507 GET http://e/ - H/1 -", "hello"] {
        assert_eq!(fields_of(ParserKind::Squid, line)["tags"][0], "parse_failure", "{line}");
    }
}

#[test]
fn requests_of_uwsgi_are_read_and_the_rest_is_a_message() {
    let line = "[pid: 7|app: 0|req: 1/1] 192.0.2.7 () {46 vars in 840 bytes} [Thu Feb 26 10:00:00 2026] GET /a?b => generated 12 bytes in 3 msecs (HTTP/1.1 200) 2 headers in 72 bytes (1 switches on core 0)";
    let read = fields_in_utc(ParserKind::Uwsgi, line);
    assert_eq!(
        read,
        json!({
            "@timestamp": "2026-02-26T10:00:00Z",
            "event": {"duration": 3_000_000},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7"},
            "url": {"original": "/a?b", "path": "/a", "query": "b"},
            "http": {"version": "1.1", "request": {"method": "GET"}, "response": {"status_code": 200, "body": {"bytes": 12}}},
            "process": {"pid": 7},
            "uwsgi": {"app": "0", "request": "1/1", "vars_bytes": 840, "headers": 2, "headers_bytes": 72, "switches": 1, "core": 0},
        })
    );
    let other =
        fields_of(ParserKind::Uwsgi, "*** uWSGI is running in multiple interpreter mode ***");
    assert_eq!(other["tags"], json!(["time_assumed"]));
    let cut = fields_of(ParserKind::Uwsgi, "[pid: 7|app: 0|req: 1/1] 192.0.2.7 ()");
    assert_eq!(cut["tags"][0], "parse_failure");
}
