//! Lines of error logs, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::fields_in_utc;

#[test]
fn errors_of_nginx_are_taken_apart() {
    let line = r#"2026/02/26 10:00:00 [error] 54#7: *3 open() "/x" failed (2: No such file or directory), client: 192.0.2.7, server: _, request: "GET /x?a=b HTTP/1.1", upstream: "http://10.0.0.1:80/x", host: "e.x", referrer: "http://e.x/""#;
    assert_eq!(
        fields_in_utc(ParserKind::NginxError, line),
        json!({
            "@timestamp": "2026-02-26T10:00:00Z",
            "log": {"level": "error"},
            "event": {"type": "error"},
            "process": {"pid": 54, "thread": {"id": 7}},
            "nginx": {"error": {"connection_id": 3, "server": "_", "upstream": "http://10.0.0.1:80/x"}},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7"},
            "http": {"version": "1.1", "request": {"method": "GET", "referrer": "http://e.x/"}},
            "url": {"domain": "e.x", "original": "/x?a=b", "path": "/x", "query": "a=b"},
            "message": line.split_once("*3 ").unwrap().1,
        })
    );
    let plain = fields_in_utc(
        ParserKind::NginxError,
        "2026/02/26 10:00:00 [notice] 1#1: start worker processes",
    );
    assert_eq!(
        (&plain["log"]["level"], &plain["message"]),
        (&json!("notice"), &json!("start worker processes"))
    );
    let forged = r#"2026/02/26 10:00:00 [error] 5#5: *3 x, client: 192.0.2.7, server: _, request: "GET /", host: "evil", host: "e.x""#;
    assert_eq!(fields_in_utc(ParserKind::NginxError, forged)["url"]["domain"], json!(null));
    let more = fields_in_utc(ParserKind::NginxError, "PHP message: x");
    assert_eq!(
        (&more["tags"], &more["message"]),
        (&json!(["time_assumed"]), &json!("PHP message: x"))
    );
}

#[test]
fn errors_of_apache_are_taken_apart() {
    let line = "[Thu Feb 26 10:00:00.123456 2026] [core:error] [pid 7:tid 99] (70014)End of file found: [client 192.0.2.7:4711] AH00126: Invalid URI in request [x] GET";
    assert_eq!(
        fields_in_utc(ParserKind::ApacheError, line),
        json!({
            "@timestamp": "2026-02-26T10:00:00.123456Z",
            "log": {"level": "error"},
            "event": {"type": "error"},
            "process": {"pid": 7, "thread": {"id": 99}},
            "apache": {"error": {"module": "core", "system": "(70014)End of file found"}},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711},
            "error": {"code": "AH00126"},
            "message": "AH00126: Invalid URI in request [x] GET",
        })
    );
    let old = "[Mon Dec 26 16:22:08 2022] [error] [client 2001:db8::1] File does not exist: /x, referer: http://e.x/";
    let old = fields_in_utc(ParserKind::ApacheError, old);
    assert_eq!(old["source"]["ip"], "2001:db8::1");
    assert_eq!(
        (&old["file"]["path"], &old["http"]["request"]["referrer"]),
        (&json!("/x"), &json!("http://e.x/"))
    );
    for (line, level) in [
        ("[2026-02-26 10:00:00.1 +0200] [core:notice] [pid 7] AH00094: Command line", "notice"),
        ("[Thu Feb 26 10:00:00 2026] [:error] [pid 7] [client [2001:db8::1]:80] x", "error"),
        ("[Thu Feb 26 10:00:00 2026] [ssl:trace8] [pid 7] x", "trace"),
        ("[Thu Jun 09 06:07:04 2005] [notice] LDAP: Built with OpenLDAP LDAP SDK", "notice"),
    ] {
        let fields = fields_in_utc(ParserKind::ApacheError, line);
        assert_eq!(fields["log"]["level"], level, "{line}");
        assert_eq!(fields.get("tags"), None, "{line}");
    }
    let untimed =
        fields_in_utc(ParserKind::ApacheError, "AH00558: apache2: Could not reliably determine");
    assert_eq!(
        (&untimed["error"]["code"], &untimed["tags"]),
        (&json!("AH00558"), &json!(["time_assumed"]))
    );
}
