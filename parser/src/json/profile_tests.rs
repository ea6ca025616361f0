//! Lines of JSON loggers, and their documents.

use serde_json::{Value, json};

use crate::ParserKind;
use crate::tests::fields_in_utc;

fn read(line: &str) -> Value {
    let mut fields = fields_in_utc(ParserKind::Json, line);
    let all = fields.as_object_mut().unwrap();
    assert_ne!(all.remove("@timestamp"), Some(json!("1970-01-01T00:00:00Z")), "{line}");
    assert_eq!(all.get("tags"), None, "{line}");
    fields
}

#[test]
fn each_logger_is_known_by_its_members() {
    for (line, expected) in [
        (
            r#"{"level":"error","ts":1795349700.25,"caller":"a/b.go:12","msg":"m","error":"e","stacktrace":"s\nt","logger":"l"}"#,
            json!({"log": {"level": "error", "logger": "l", "origin": {"file": {"name": "a/b.go", "line": 12}}},
                "message": "m", "error": {"message": "e", "stack_trace": "s\nt"}, "ts": 1_795_349_700.25}),
        ),
        (
            r#"{"name":"app","hostname":"h","pid":7,"level":30,"msg":"m","time":"2026-11-22T12:15:00Z","v":0,"err":{"message":"e","name":"TypeError","stack":"s"}}"#,
            json!({"log": {"level": "info", "level_original": "30", "logger": "app"}, "host": {"hostname": "h"},
                "process": {"pid": 7}, "message": "m", "error": {"message": "e", "type": "TypeError", "stack_trace": "s"},
                "time": "2026-11-22T12:15:00Z", "v": 0}),
        ),
        (
            r#"{"t":{"$date":"2026-11-22T12:15:00Z"},"s":"I","c":"NETWORK","id":1,"ctx":"conn1","msg":"m"}"#,
            json!({"log": {"level": "info", "level_original": "I", "logger": "NETWORK"},
                "process": {"thread": {"name": "conn1"}}, "message": "m", "id": 1,
                "t": {"$date": "2026-11-22T12:15:00Z"}}),
        ),
        (
            r#"{"@t":"2026-11-22T12:15:00Z","@l":"Warning","@m":"m x","SourceContext":"C","@x":"trace"}"#,
            json!({"@t": "2026-11-22T12:15:00Z", "log": {"level": "warn", "level_original": "Warning", "logger": "C"},
                "message": "m x", "error": {"stack_trace": "trace"}}),
        ),
        (
            r#"{"asctime":"2026-11-22 12:15:00,250","name":"app","levelname":"WARNING","message":"m"}"#,
            json!({"asctime": "2026-11-22 12:15:00,250", "log": {"level": "warn", "level_original": "WARNING", "logger": "app"}, "message": "m"}),
        ),
        (
            r#"{"message":"m","context":{},"level":400,"level_name":"ERROR","channel":"app","datetime":"2026-11-22T12:15:00Z"}"#,
            json!({"message": "m", "context": {}, "log": {"level": "error", "level_original": "400", "logger": "app"},
                "level_name": "ERROR", "datetime": "2026-11-22T12:15:00Z"}),
        ),
        (
            r#"{"__REALTIME_TIMESTAMP":"1795349700250000","PRIORITY":"3","MESSAGE":"m","_PID":"7","SYSLOG_IDENTIFIER":"app"}"#,
            json!({"__REALTIME_TIMESTAMP": "1795349700250000", "log": {"level": "error", "level_original": "3"},
                "message": "m", "process": {"pid": 7, "name": "app"}}),
        ),
        (
            r#"{"@timestamp":"2026-11-22T12:15:00Z","log.level":"INFO","message":"m","ecs.version":"1.2.0"}"#,
            json!({"log": {"level": "info"}, "message": "m", "unmerged": {"ecs.version": "1.2.0"}}),
        ),
        // A field that another member has already, or that has no place, stays where it is.
        (
            r#"{"ts":1795349700,"level":"info","log":{"level":"debug"},"msg":"a","message":"b","pid":"x"}"#,
            json!({"ts": 1_795_349_700, "level": "info", "log": {"level": "debug"}, "msg": "a", "message": "b", "pid": "x"}),
        ),
        (
            r#"{"ts":1795349700,"level":{"a":1},"msg":"a"}"#,
            json!({"ts": 1_795_349_700, "level": {"a": 1}, "message": "a"}),
        ),
        (
            r#"{"ts":1795349700,"msg":"a","name":"b"}"#,
            json!({"ts": 1_795_349_700, "msg": "a", "name": "b"}),
        ),
    ] {
        assert_eq!(read(line), expected, "{line}");
    }
}

#[test]
fn requests_of_servers_are_in_the_fields_in_utc_requests() {
    let caddy = read(
        r#"{"level":"info","ts":1795349700.25,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","remote_port":"4711","proto":"HTTP/2.0","method":"GET","host":"e.x:8443","uri":"/a?b","headers":{"User-Agent":["curl"]}},"bytes_read":5,"duration":0.0025,"size":7,"status":200}"#,
    );
    assert_eq!(caddy["source"], json!({"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711}));
    assert_eq!(
        caddy["url"],
        json!({"domain": "e.x", "port": 8443, "original": "/a?b", "path": "/a", "query": "b"})
    );
    assert_eq!(
        caddy["http"],
        json!({"version": "2.0", "request": {"method": "GET", "bytes": 5}, "response": {"status_code": 200, "body": {"bytes": 7}}})
    );
    assert_eq!(
        (&caddy["event"]["duration"], &caddy["user_agent"]["original"]),
        (&json!(2_500_000), &json!("curl"))
    );
    let traefik = read(
        r#"{"ClientHost":"192.0.2.7","ClientPort":"5","ClientUsername":"-","DownstreamContentSize":19,"DownstreamStatus":404,"Duration":66345,"RequestHost":"e.x","RequestMethod":"GET","RequestPath":"/","RequestProtocol":"HTTP/1.1","level":"info","msg":"","time":"2026-11-22T12:15:00Z"}"#,
    );
    assert_eq!((&traefik["event"]["duration"], traefik.get("user")), (&json!(66345), None));
    assert_eq!(traefik["http"]["response"], json!({"status_code": 404, "body": {"bytes": 19}}));
    let audit = read(
        r#"{"kind":"Event","auditID":"x","stage":"ResponseComplete","requestURI":"/api/v1/pods?a=b","verb":"list","user":{"username":"admin"},"sourceIPs":["192.0.2.7"],"userAgent":"kubectl","responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-22T12:15:00.123456Z"}"#,
    );
    assert_eq!(
        (&audit["event"]["action"], &audit["source"]["ip"]),
        (&json!("list"), &json!("192.0.2.7"))
    );
    assert_eq!(
        (&audit["user"]["username"], &audit["http"]["response"]["status_code"]),
        (&json!("admin"), &json!(200))
    );
    let trail = read(
        r#"{"eventTime":"2026-11-22T12:15:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.7","userIdentity":{"userName":"bob"},"errorCode":"AccessDenied"}"#,
    );
    assert_eq!(
        (&trail["event"]["action"], &trail["user"]["name"], &trail["error"]["code"]),
        (&json!("GetObject"), &json!("bob"), &json!("AccessDenied"))
    );
    let own = read(r#"{"ts":1795349700,"DownstreamStatus":404,"http":{"x":1}}"#);
    assert_eq!(own["http"], json!({"x": 1}));
}
