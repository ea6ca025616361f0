//! Lines of programs in the shapes that their loggers have, and their documents.

use serde_json::{Value, json};

use crate::ParserKind;
use crate::tests::fields_of;

/// Time, level, logger, thread, process and message.
fn read(line: &str) -> (Value, Value) {
    let mut fields = fields_of(ParserKind::App, line);
    let time = fields["@timestamp"].take();
    let at = |path: &str| fields.pointer(path).cloned().unwrap_or_default();
    let found = json!([
        at("/log/level"),
        at("/log/logger"),
        at("/process/thread/name"),
        at("/process/pid"),
        at("/message")
    ]);
    (time, found)
}

#[test]
fn errors_of_gunicorn_are_read() {
    assert_eq!(
        read("[2026-02-26 10:00:00 +0100] [7] [INFO] Listening at: http://0.0.0.0:8000 (7)"),
        (
            json!("2026-02-26T09:00:00Z"),
            json!(["info", null, null, 7, "Listening at: http://0.0.0.0:8000 (7)"])
        )
    );
}

#[test]
fn loggers_of_java_are_read() {
    for (line, expected) in [
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.App: Created x",
            json!(["info", "org.apache.hadoop.App", "main", null, "Created x"]),
        ),
        (
            "[2026-02-26 10:00:00,393] INFO [X id=0] text (kafka.log.UnifiedLog$)",
            json!(["info", "kafka.log.UnifiedLog$", null, null, "[X id=0] text"]),
        ),
        (
            "17/06/09 20:10:40 INFO Remoting: Starting",
            json!(["info", "Remoting", null, null, "Starting"]),
        ),
        (
            "2015-07-29 19:04:12,394 - INFO  [NIO.Factory:0.0.0.0/0.0.0.0:2181:NIOFactory@197] - Accepted",
            json!(["info", "NIOFactory", "NIO.Factory:0.0.0.0/0.0.0.0:2181", null, "Accepted"]),
        ),
        (
            "17/06/09 20:10:40 INFO executor.Backend: Registered",
            json!(["info", "executor.Backend", null, null, "Registered"]),
        ),
        (
            "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1",
            json!(["info", "dfs.DataNode$PacketResponder", null, 148, "PacketResponder 1"]),
        ),
        (
            "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:2181:FastLeaderElection@774] - Notification",
            json!([
                "info",
                "FastLeaderElection",
                "QuorumPeer[myid=1]/0:0:0:2181",
                null,
                "Notification"
            ]),
        ),
        (
            "2026-02-26T10:00:00.123+01:00  INFO 1234 --- [app] [  main] o.s.b.Class   : Started",
            json!(["info", "o.s.b.Class", "main", 1234, "Started"]),
        ),
        (
            "2026-02-26 10:00:00.123 [main] WARN  com.x.Y - text",
            json!(["warn", "com.x.Y", "main", null, "text"]),
        ),
        (
            "[2026-02-26T10:00:00,123][INFO ][o.e.n.Node] [n1] text",
            json!(["info", "o.e.n.Node", null, null, "[n1] text"]),
        ),
        (
            "2026-02-26 10:00:00.123|INFO|Logger.Name|text",
            json!(["info", "Logger.Name", null, null, "text"]),
        ),
    ] {
        assert_eq!(read(line).1, expected, "{line}");
    }
}

#[test]
fn loggers_of_scripts_are_read() {
    for (line, expected) in [
        (
            "2026-02-26 10:00:00,123 - app.sub - ERROR - text",
            json!(["error", "app.sub", null, null, "text"]),
        ),
        (
            "[2026-02-26 10:00:00,123: WARNING/MainProcess] text",
            json!(["warn", "MainProcess", null, null, "text"]),
        ),
        (
            "[2026-02-26 10:00:00 +0000] [7] [INFO] Starting gunicorn",
            json!(["info", null, null, 7, "Starting gunicorn"]),
        ),
        (
            "2026-02-26 10:00:00.123 | INFO     | m:f:12 - text",
            json!(["info", "m:f:12", null, null, "text"]),
        ),
        (
            "2017-05-16 00:00:00.008 25746 INFO nova.wsgi.server [req-1] x",
            json!(["info", "nova.wsgi.server", null, 25746, "[req-1] x"]),
        ),
    ] {
        assert_eq!(read(line).1, expected, "{line}");
    }
}

#[test]
fn loggers_of_other_languages_and_systems_are_read() {
    for (line, expected) in [
        ("[2026-02-26T10:00:00Z INFO  app::m] text", json!(["info", "app::m", null, null, "text"])),
        (
            "2026-02-26T10:00:00.123456Z  INFO app::m: x k=1",
            json!(["info", "app::m", null, null, "x k=1"]),
        ),
        ("2026-02-26 10:00:00.123 +01:00 [INF] text", json!(["info", null, null, null, "text"])),
        (
            "I, [2026-02-26T10:00:00.123456 #7]  INFO -- prog: text",
            json!(["info", "prog", null, 7, "text"]),
        ),
        (
            "[2026-02-26 10:00:00] production.ERROR: text {\"a\":1} []",
            json!(["error", "production", null, null, "text {\"a\":1} []"]),
        ),
        (
            "2026-02-26 10:00:00.123456+00:00 [info] <0.229.0> text",
            json!(["info", null, null, null, "<0.229.0> text"]),
        ),
        ("[26-Feb-2026 10:00:00] NOTICE: ready", json!(["notice", null, null, null, "ready"])),
        (
            "03-17 16:13:38.811  1702  2395 D WindowManager: text",
            json!(["debug", "WindowManager", null, 1702, "text"]),
        ),
        (
            "2016-09-28 04:30:30, Info                  CBS    Loaded",
            json!(["info", "CBS", null, null, "Loaded"]),
        ),
        (
            "20171223-22:15:29:606|Step_LSC|30002312|onStand",
            json!([null, "Step_LSC", null, 30_002_312, "onStand"]),
        ),
        (
            "[10.30 16:49:06] chrome.exe - proxy open",
            json!([null, "chrome.exe", null, null, "proxy open"]),
        ),
        (
            "2026/02/26 10:00:00 got ERROR from x",
            json!([null, null, null, null, "got ERROR from x"]),
        ),
        ("2026/02/26 10:00:00 404 not found", json!([null, null, null, null, "404 not found"])),
        ("ERROR:root:text", json!(["error", "root", null, null, "text"])),
        (
            "info: Microsoft.Hosting.Lifetime[14]",
            json!(["info", "Microsoft.Hosting.Lifetime", null, null, null]),
        ),
    ] {
        assert_eq!(read(line).1, expected, "{line}");
    }
    let go = fields_of(ParserKind::App, "2026/02/26 10:00:00 main.go:12: text");
    assert_eq!(
        (&go["log"]["origin"]["file"], &go["message"]),
        (&json!({"name": "main.go", "line": 12}), &json!("text"))
    );
    assert_eq!(go["@timestamp"], "2026-02-26T10:00:00Z");
}

#[test]
fn what_stands_before_the_time_is_not_lost() {
    let line = "nova-api.log.1 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-1] x";
    let fields = fields_of(ParserKind::App, line);
    assert_eq!((&fields["message"], &fields["log"]["level"]), (&json!(line), &json!("info")));
    let machine =
        "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO text";
    let fields = fields_of(ParserKind::App, machine);
    assert_eq!(fields["@timestamp"], "2005-06-03T22:42:50Z");
    assert_eq!(fields["log"], json!({"level": "info", "logger": "KERNEL"}));
    let syslog = "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed";
    let fields = fields_of(ParserKind::App, syslog);
    assert_eq!(fields["@timestamp"], "2005-11-09T20:01:01Z");
    assert_eq!(fields["process"], json!({"name": "crond(pam_unix)", "pid": 2915}));
    let more = fields_of(ParserKind::App, "java.lang.IllegalStateException: x");
    assert_eq!((&more["tags"], more.get("error")), (&json!(["time_assumed"]), None));
}
