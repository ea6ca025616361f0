//! Lines of databases, and their documents.

use serde_json::json;

use crate::tests::{fields_in_utc, stripped, texts};
use crate::{ParserKind, TimeRule};

#[test]
fn lines_of_postgresql_are_read_with_and_without_their_prefix() {
    let line = r#"2026-02-26 10:00:00.123 CET [7] ann@db ERROR:  relation "x" does not exist at character 15"#;
    let expected = json!({
        "@timestamp": "2026-02-26T09:00:00.123Z",
        "log": {"level": "error"},
        "process": {"pid": 7},
        "user": {"name": "ann"},
        "postgresql": {"log": {"database": "db"}},
        "message": "relation \"x\" does not exist at character 15",
    });
    assert_eq!(fields_in_utc(ParserKind::Postgresql, line), expected);
    let by = |prefix: &str, line: &str| {
        let format = ParserKind::Postgresql.format_of(prefix, &TimeRule::default()).unwrap();
        stripped(serde_json::from_str(&texts(format, &[line.as_bytes()], false).remove(0)).unwrap())
    };
    assert_eq!(by("%m [%p] %q%u@%d ", line), expected);
    let own = by(
        "%m [%p] %q%u@%d ",
        "2026-02-26 10:00:00.123 UTC [1] LOG:  duration: 3.25 ms  statement: SELECT 1",
    );
    assert_eq!(
        (&own["event"]["duration"], &own["postgresql"]["log"]["query"]),
        (&json!(3_250_000), &json!("SELECT 1"))
    );
    assert_eq!(
        (&own["log"], own.get("user")),
        (&json!({"level": "info", "level_original": "LOG"}), None)
    );
    let rds = "2026-02-26 10:00:00 UTC:192.0.2.7(4711):ann@db:[7]:FATAL:  no";
    for fields in [fields_in_utc(ParserKind::Postgresql, rds), by("%t:%r:%u@%d:[%p]:", rds)] {
        assert_eq!(
            fields["source"],
            json!({"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711})
        );
        assert_eq!(
            (&fields["user"]["name"], &fields["process"]["pid"], fields.get("tags")),
            (&json!("ann"), &json!(7), None)
        );
    }
    let more = fields_in_utc(
        ParserKind::Postgresql,
        "2026-02-26 10:00:00.123 EST [7] ann@db STATEMENT:  SELECT 1",
    );
    assert_eq!(
        (&more["postgresql"]["log"]["statement"], &more["@timestamp"]),
        (&json!("SELECT 1"), &json!("2026-02-26T15:00:00.123Z"))
    );
    for prefix in ["", "no escape", "%m %z"] {
        assert!(
            ParserKind::Postgresql.format_of(prefix, &TimeRule::default()).is_err(),
            "{prefix}"
        );
    }
}

#[test]
fn members_of_jsonlog_are_the_columns_of_csvlog() {
    let line = r#"{"timestamp":"2026-02-26 10:00:00.123 CET","user":"ann","dbname":"db","pid":7,"remote_host":"192.0.2.7","remote_port":4711,"session_id":"65dc.7","line_num":3,"ps":"SELECT","vxid":"3/5","txid":0,"error_severity":"ERROR","state_code":"42P01","message":"relation \"x\" does not exist","statement":null,"query_id":-9,"new":1}"#;
    let mut fields = fields_in_utc(ParserKind::Postgresql, line);
    assert_eq!(fields["message"].take(), json!(line), "a member that is not known is in there");
    fields.as_object_mut().unwrap().remove("message");
    fields.as_object_mut().unwrap().remove("unmerged");
    assert_eq!(
        fields,
        json!({
            "@timestamp": "2026-02-26T09:00:00.123Z",
            "log": {"level": "error"},
            "process": {"pid": 7},
            "user": {"name": "ann"},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711},
            "error": {"code": "42P01"},
            "postgresql": {"log": {"database": "db", "session_id": "65dc.7", "session_line_number": 3,
                "command_tag": "SELECT", "virtual_transaction_id": "3/5", "query_id": "-9"}},
        })
    );
    let broken = fields_in_utc(ParserKind::Postgresql, "{\"timestamp\":");
    assert_eq!(broken["tags"][0], "parse_failure");
}

#[test]
fn columns_of_csvlog_are_read() {
    let line = r#"2026-02-26 10:00:00.123 UTC,"ann","db",7,"192.0.2.7:4711",65dc.7,3,"SELECT",2026-02-26 09:00:00 UTC,3/5,0,ERROR,42P01,"relation ""x"" does not exist",,,,,,"select * from x;",15,,"psql","client backend",,0"#;
    let fields = fields_in_utc(ParserKind::Postgresql, line);
    assert_eq!(
        (&fields["message"], &fields["error"]["code"]),
        (&json!("relation \"x\" does not exist"), &json!("42P01"))
    );
    assert_eq!(
        (&fields["log"]["level"], &fields["source"]["port"]),
        (&json!("error"), &json!(4711))
    );
    assert_eq!(
        fields["postgresql"]["log"],
        json!({"database": "db", "session_id": "65dc.7", "session_line_number": 3, "command_tag": "SELECT",
            "virtual_transaction_id": "3/5", "statement": "select * from x;", "application_name": "psql", "backend_type": "client backend"})
    );
}

#[test]
fn errors_of_mysql_are_read_in_every_form() {
    for (line, level, thread) in [
        (
            "2026-02-26T10:00:00.1Z 0 [Warning] [MY-010068] [Server] CA certificate",
            "warn",
            json!(0),
        ),
        ("260226  1:02:03 [Note] Plugin", "notice", json!(null)),
        ("2026-02-26  1:02:03 140234 [ERROR] InnoDB: x", "error", json!(140_234)),
        (
            "2026-02-26T10:00:00.123456Z 8 [System] [MY-010116] [Server] /usr/sbin/mysqld",
            "info",
            json!(8),
        ),
    ] {
        let fields = fields_in_utc(ParserKind::MysqlError, line);
        assert_eq!(
            (&fields["log"]["level"], &fields["mysql"]["thread_id"]),
            (&json!(level), &thread),
            "{line}"
        );
        assert_eq!(fields.get("tags"), None, "{line}");
    }
}

#[test]
fn an_event_of_the_slow_log_is_one_document() {
    let event = "# Time: 2026-02-26T10:00:00.1Z\n# User@Host: ann[ann] @ h.example [192.0.2.7]  Id:    14\n# Schema: db  Last_errno: 0  Killed: 0\n# Query_time: 2.400000  Lock_time: 0.000010 Rows_sent: 1  Rows_examined: 200\nuse db;\nSET timestamp=1772100000;\nSELECT *\n# a comment\nFROM t;";
    assert_eq!(
        fields_in_utc(ParserKind::MysqlSlow, event),
        json!({
            "@timestamp": "2026-02-26T10:00:00.100Z",
            "event": {"duration": 2_400_000_000_u64},
            "user": {"name": "ann"},
            "source": {"ip": "192.0.2.7", "domain": "h.example", "address": "h.example"},
            "mysql": {
                "thread_id": 14,
                "slowlog": {"schema": "db", "last_errno": 0, "killed": 0, "lock_time": {"sec": 0.00001},
                    "rows_sent": 1, "rows_examined": 200, "query": "SELECT *\n# a comment\nFROM t;"}
            },
        })
    );
    let same = fields_in_utc(
        ParserKind::MysqlSlow,
        "# User@Host: a[a] @ localhost []\n# Query_time: 1  Lock_time: 0 Rows_sent: 0  Rows_examined: 0\nSET timestamp=1772100000;\n# administrator command: Quit;",
    );
    assert_eq!(
        (&same["@timestamp"], &same["source"]["domain"]),
        (&json!("2026-02-26T10:00:00Z"), &json!("localhost"))
    );
}
