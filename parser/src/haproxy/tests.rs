//! Lines of `HAProxy`, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::fields_in_utc;

#[test]
fn requests_have_their_timers_connections_and_headers() {
    let line = r#"Feb 26 10:00:00 lb haproxy[7]: 192.0.2.7:4711 [26/Feb/2026:10:00:00.123] fe~ be/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {e.x|curl 8} {} "GET /x?a HTTP/1.1""#;
    assert_eq!(
        fields_in_utc(ParserKind::Haproxy, line),
        json!({
            "@timestamp": "2026-02-26T10:00:00.123Z",
            "event": {"duration": 109_000_000},
            "host": {"hostname": "lb"},
            "process": {"name": "haproxy", "pid": 7},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711},
            "url": {"original": "/x?a", "path": "/x", "query": "a"},
            "http": {"version": "1.1", "request": {"method": "GET"}, "response": {"status_code": 200, "bytes": 2750}},
            "haproxy": {
                "frontend_name": "fe", "backend_name": "be", "server_name": "srv1",
                "http": {"request": {"time_wait_ms": 10, "time_wait_without_data_ms": 69, "captured_headers": "e.x|curl 8"}},
                "time_queue": 0, "time_backend_connect": 30, "termination_state": "----",
                "connections": {"active": 1, "frontend": 1, "backend": 1, "server": 1, "retries": 0},
                "server_queue": 0, "backend_queue": 0,
            },
        })
    );
}

#[test]
fn connections_errors_and_what_is_cut_are_read() {
    let tcp = fields_in_utc(
        ParserKind::Haproxy,
        "192.0.2.7:4711 [26/Feb/2026:10:00:00.123] fe be/<NOSRV> -1/-1/+5 +0 SC 1/1/0/0/+3 0/0",
    );
    assert_eq!(
        (&tcp["event"]["duration"], &tcp["haproxy"]["connections"]["retries"]),
        (&json!(5_000_000), &json!(3))
    );
    assert_eq!((tcp["haproxy"].get("time_queue"), tcp.get("tags")), (None, None));
    let error = fields_in_utc(
        ParserKind::Haproxy,
        "<134>Feb 26 10:00:00 haproxy[7]: 192.0.2.7:5 [26/Feb/2026:10:00:00.123] fe/1: SSL handshake failure",
    );
    assert_eq!(
        (&error["haproxy"]["error_message"], &error["process"]["pid"]),
        (&json!("SSL handshake failure"), &json!(7))
    );
    let https = fields_in_utc(
        ParserKind::Haproxy,
        r#"-:22222 [26/Feb/2026:10:00:00.123] fe~ be/s 0/0/0/0/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>" 0/0000000000000000/0/0/0 e.x/TLSv1.3/TLS_AES"#,
    );
    assert_eq!(
        (&https["tls"]["version"], https.get("source"), https.get("tags")),
        (&json!("1.3"), None, None)
    );
    let cut = fields_in_utc(
        ParserKind::Haproxy,
        r#"192.0.2.7:5 [26/Feb/2026:10:00:00.123] fe be/s 0/0/0/0/0 200 0 - - ---- 1/1/0/0/0 0/0 "GET /long"#,
    );
    assert_eq!((&cut["message"].is_string(), cut.get("tags")), (&true, None));
    let other =
        fields_in_utc(ParserKind::Haproxy, "Feb 26 10:00:00 lb haproxy[7]: Proxy x started.");
    assert_eq!(
        (&other["tags"], &other["@timestamp"]),
        (&json!(["parse_failure"]), &json!("2026-02-26T10:00:00Z"))
    );
}
