//! Lines of syslog, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::fields_in_utc;

#[test]
fn lines_of_the_old_form_have_host_program_and_process() {
    for (line, expected) in [
        (
            "Dec  1 03:04:05 web1 sshd[812]: Failed password for root from 192.0.2.7 port 4711 ssh2",
            json!({"host": {"hostname": "web1"}, "process": {"name": "sshd", "pid": 812},
                "message": "Failed password for root from 192.0.2.7 port 4711 ssh2"}),
        ),
        (
            "Dec  1 03:04:05 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0",
            json!({"host": {"hostname": "combo"}, "process": {"name": "sshd(pam_unix)", "pid": 19939},
                "message": "authentication failure; logname= uid=0"}),
        ),
        (
            "Dec  1 03:04:05 h postfix/smtpd[7]: connect",
            json!({"host": {"hostname": "h"}, "process": {"name": "postfix/smtpd", "pid": 7}, "message": "connect"}),
        ),
        (
            "Dec  1 03:04:05 h kernel: [   12.3] eth0: up",
            json!({"host": {"hostname": "h"}, "process": {"name": "kernel"}, "message": "[   12.3] eth0: up"}),
        ),
        (
            "Dec  1 03:04:05 h syslogd 1.4.1: restart.",
            json!({"host": {"hostname": "h"}, "process": {"name": "syslogd"}, "service": {"version": "1.4.1"}, "message": "restart."}),
        ),
        (
            "Dec  1 03:04:05 h last message repeated 3 times",
            json!({"host": {"hostname": "h"}, "message": "last message repeated 3 times"}),
        ),
        (
            "Dec  1 03:04:05 h Microsoft Word[14463]: text",
            json!({"host": {"hostname": "h"}, "process": {"name": "Microsoft Word", "pid": 14463}, "message": "text"}),
        ),
        (
            "Dec  1 03:04:05 h com.apple.xpc.launchd[1] (com.apple.x): Service exited",
            json!({"host": {"hostname": "h"}, "process": {"name": "com.apple.xpc.launchd", "pid": 1},
                "log": {"logger": "com.apple.x"}, "message": "Service exited"}),
        ),
        (
            "Dec  1 03:04:05 su[1]: no host",
            json!({"process": {"name": "su", "pid": 1}, "message": "no host"}),
        ),
        (
            "<34>Dec  1 03:04:05 web1 su: 'su root' failed",
            json!({"host": {"hostname": "web1"}, "process": {"name": "su"}, "message": "'su root' failed",
                "log": {"level": "critical", "syslog": {"priority": 34, "facility": {"code": 4, "name": "auth"}, "severity": {"code": 2}}}}),
        ),
    ] {
        let mut fields = fields_in_utc(ParserKind::Syslog, line);
        assert_eq!(fields["@timestamp"].take(), "2026-12-01T03:04:05Z", "{line}");
        fields.as_object_mut().unwrap().remove("@timestamp");
        assert_eq!(fields, expected, "{line}");
    }
}

#[test]
fn dates_of_iso_and_of_devices_are_read() {
    for (line, time, name) in [
        (
            "2026-02-26T10:00:00.123456+01:00 web1 CRON[7]: (root) CMD (x)",
            "2026-02-26T09:00:00.123456Z",
            json!("CRON"),
        ),
        ("2022-04-21T14:30:00Z proc[12/0x7]: text", "2022-04-21T14:30:00Z", json!("proc")),
        (
            "<189>29: *Dec  1 18:48:50.483: %SYS-5-CONFIG_I: Configured",
            "2026-12-01T18:48:50.483Z",
            json!("%SYS-5-CONFIG_I"),
        ),
        (
            "<13>Dec  1 2025 03:04:05 fw %ASA-6-302013: Built",
            "2025-12-01T03:04:05Z",
            json!("%ASA-6-302013"),
        ),
    ] {
        let fields = fields_in_utc(ParserKind::Syslog, line);
        assert_eq!(
            (&fields["@timestamp"], &fields["process"]["name"]),
            (&json!(time), &name),
            "{line}"
        );
        assert_eq!(fields.get("tags"), None, "{line}");
    }
}

#[test]
fn the_new_form_has_structured_data() {
    let line =
        r#"<165>1 2026-02-26T10:00:00.003Z h app 7 ID47 [ex@1 k="a\]b\"c" e=""][o n="2"] BOM"#;
    let line = line.replace("BOM", "\u{feff}text");
    assert_eq!(
        fields_in_utc(ParserKind::Syslog, line),
        json!({
            "@timestamp": "2026-02-26T10:00:00.003Z",
            "host": {"hostname": "h"},
            "process": {"name": "app", "pid": 7},
            "log": {"level": "notice", "syslog": {
                "priority": 165, "facility": {"code": 20, "name": "local4"}, "severity": {"code": 5},
                "msgid": "ID47", "version": "1",
                "structured_data": {"ex@1": {"k": "a]b\"c", "e": ""}, "o": {"n": "2"}}
            }},
            "message": "text"
        })
    );
    let nil = fields_in_utc(ParserKind::Syslog, "84 <165>1 2026-02-26T10:00:00Z - - - - - text");
    assert_eq!((nil.get("host"), &nil["message"]), (None, &json!("text")));
    let cut =
        fields_in_utc(ParserKind::Syslog, r#"<165>1 2026-02-26T10:00:00Z h app 7 ID [ex@1 k="a"#);
    assert_eq!(cut["tags"], json!(["parse_failure"]));
}

#[test]
fn what_is_none_is_a_failure_and_what_goes_on_is_not() {
    assert_eq!(
        fields_in_utc(ParserKind::Syslog, "hello")["tags"],
        json!(["parse_failure", "time_assumed"])
    );
    assert_eq!(fields_in_utc(ParserKind::Syslog, "\tat x")["tags"], json!(["time_assumed"]));
}
