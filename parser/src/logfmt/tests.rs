//! Lines of pairs, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::fields_of;

#[test]
fn pairs_go_to_their_fields() {
    for (line, expected) in [
        (
            r#"time="2026-02-26T10:00:00Z" level=error msg="a \"b\"\n" err="x=y" n=3 debug"#,
            json!({"@timestamp": "2026-02-26T10:00:00Z", "log": {"level": "error"}, "message": "a \"b\"\n",
                "error": {"message": "x=y"}, "n": "3", "debug": "true"}),
        ),
        (
            "t=2026-02-26T10:00:00+0100 lvl=eror msg=failed logger=sql a=",
            json!({"@timestamp": "2026-02-26T09:00:00Z", "log": {"level": "error", "level_original": "eror", "logger": "sql"},
                "message": "failed", "a": ""}),
        ),
        (
            "ts=1771234567.5 caller=main.go:12 level=warn component=tsdb user=bob host=h http.status=200 a.b=c a.b=d",
            json!({"@timestamp": "2026-02-16T09:36:07.500Z",
                "log": {"level": "warn", "origin": {"file": {"name": "main.go", "line": 12}}},
                "component": "tsdb", "user": {"name": "bob"}, "logfmt": {"host": "h"}, "http": {"status": "200"},
                "a": {"b": "c"}, "unmerged": {"a.b": "d"}}),
        ),
        (
            "time=2026-02-26T10:00:00Z http=1.1 source.port=x source.ip=9 _id=5 url=/a",
            json!({"@timestamp": "2026-02-26T10:00:00Z",
                "logfmt": {"http": "1.1", "source": {"port": "x", "ip": "9"}, "_id": "5"}, "url": {"original": "/a"}}),
        ),
    ] {
        assert_eq!(fields_of(ParserKind::Logfmt, line), expected, "{line}");
    }
    for line in ["hello", "a=\"b", "this is = a sentence with many words", "=x"] {
        let tags = fields_of(ParserKind::Logfmt, line)["tags"].take();
        assert_eq!(tags, json!(["parse_failure", "time_assumed"]), "{line}");
    }
}
