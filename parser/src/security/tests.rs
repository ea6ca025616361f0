//! Events of security, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::{events, fields_of};

#[test]
fn pairs_of_cef_end_where_the_next_key_begins() {
    let line = r"CEF:0|Acme|Wall|1.0|100|a \| b|Very-High|msg=GET /?a\=b c=d src=192.0.2.7 shost=pc1 x y spt=99999999999999999999 request=http://e.x/?q\=1 cs1=\n in=5";
    let read = fields_of(ParserKind::Cef, line);
    assert_eq!(
        (&read["cef"]["name"], &read["cef"]["severity"], &read["message"]),
        (&json!("a | b"), &json!("Very-High"), &json!("GET /?a=b"))
    );
    assert_eq!(
        (&read["source"], &read["url"]["original"]),
        (
            &json!({"address": "192.0.2.7", "ip": "192.0.2.7", "bytes": 5}),
            &json!("http://e.x/?q=1")
        )
    );
    assert_eq!(
        read["cef"]["extensions"],
        json!({"c": "d", "spt": "99999999999999999999", "cs1": "\n"})
    );
    assert_eq!(read["tags"], json!(["time_assumed"]));
    for line in ["CEF:0|a|b", "CEF:x|a|b|c|d|e|f|", "hello", "text CEF:0|a|b|c|d|e|5|"] {
        assert_eq!(fields_of(ParserKind::Cef, line)["tags"][0], "parse_failure", "{line}");
    }
    let behind = fields_of(
        ParserKind::Cef,
        "<13>1 2026-02-26T10:00:00Z fw1 app 7 - - CEF:0|a|b|c|d|e|5|act=x rt=Feb 26 2026 09:00:00 UTC",
    );
    assert_eq!(
        (&behind["host"]["hostname"], &behind["@timestamp"], behind["message"].is_string()),
        (&json!("fw1"), &json!("2026-02-26T09:00:00Z"), true)
    );
}

#[test]
fn leef_says_what_stands_between_its_pairs() {
    for line in [
        "LEEF:1.0|A|W|1|100|src=192.0.2.7\tsev=5\tusrName=ann b",
        "LEEF:2.0|A|W|1|100|^|src=192.0.2.7^sev=5^usrName=ann b",
        "LEEF:2.0|A|W|1|100|x5E|src=192.0.2.7^sev=5^usrName=ann b",
        "LEEF:2.0|A|W|1|100||src=192.0.2.7\tsev=5\tusrName=ann b",
        "LEEF:2.0|A|W|1|100|src=192.0.2.7\tsev=5\tusrName=ann b",
    ] {
        let read = fields_of(ParserKind::Leef, line);
        assert_eq!(
            (&read["source"]["ip"], &read["event"], &read["user"]["name"]),
            (&json!("192.0.2.7"), &json!({"severity": 5, "code": "100"}), &json!("ann b")),
            "{line}"
        );
    }
    for line in ["LEEF:1.0|A|W|1|100|no pair", "LEEF:3.0|A|W|1|100|a=b", "hello"] {
        assert_eq!(fields_of(ParserKind::Leef, line)["tags"][0], "parse_failure", "{line}");
    }
}

#[test]
fn the_lines_of_an_audited_event_are_one_document() {
    let file = "node=web1 type=SYSCALL msg=audit(1772100000.123:77): arch=c000003e syscall=59 pid=7 auid=4294967295 uid=0 comm=\"ls\" exe=2F62696E2F6C73\x1dARCH=x86_64 SYSCALL=execve AUID=\"unset\" UID=\"root\"\nnode=web1 type=PATH msg=audit(1772100000.123:77): item=0 name=\"/a b\" inode=1\nnode=web1 type=PATH msg=audit(1772100000.123:77): item=1 name=(null) inode=2\ntype=USER_LOGIN msg=audit(1772100000.123:78): pid=8 uid=0 msg='op=login acct=\"ann\" exe=\"/usr/sbin/sshd\" hostname=? addr=192.0.2.7 terminal=ssh res=failed'\ntype=UNKNOWN[1329] msg=audit(1772100001.5:79): fam=2\ngarbage\n";
    let read = events(ParserKind::Auditd, file.as_bytes());
    assert_eq!(read.len(), 4, "{read:?}");
    assert_eq!(
        read[0],
        json!({
            "@timestamp": "2026-02-26T10:00:00.123Z",
            "event": {"action": "syscall"},
            "host": {"hostname": "web1", "architecture": "x86_64"},
            "process": {"pid": 7, "name": "ls", "executable": "/bin/ls"},
            "user": {"id": "0", "name": "root"},
            "auditd": {"log": {
                "sequence": 77, "arch": "c000003e", "syscall": "59", "syscall_name": "execve",
                "record_type": ["SYSCALL", "PATH", "PATH"], "paths": ["/a b"],
            }},
        })
    );
    assert_eq!(
        (&read[1]["user"], &read[1]["source"]["ip"], &read[1]["auditd"]["log"]["res"]),
        (&json!({"id": "0", "name": "ann"}), &json!("192.0.2.7"), &json!("failed"))
    );
    assert_eq!((&read[2]["event"]["action"], read[2].get("tags")), (&json!("unknown[1329]"), None));
    assert_eq!(read[3]["tags"], json!(["parse_failure", "time_assumed"]));
}

#[test]
fn an_event_of_windows_may_have_several_lines() {
    let file = "<?xml version=\"1.0\"?>\r\n<Events>\r\n<Event xmlns=\"x\">\r\n <System><Provider Name=\"P &amp; Q\"/><EventID>7</EventID><Level>2</Level>\r\n <TimeCreated SystemTime=\"2026-02-26T10:00:00.5Z\"/></System>\r\n <EventData><Data>a &lt;b&gt;</Data><Data Name=\"\">c</Data><Data Name=\"x\"/></EventData>\r\n</Event>\r\n<Event><System></System></Event><Event>\r\n</Event>\r\n<Event><System><TimeCreated SystemTime='2026-02-26T10:00:00Z'/></System>";
    let read = events(ParserKind::WindowsEvent, file.as_bytes());
    assert_eq!(read.len(), 5, "{read:?}");
    assert_eq!(
        read[2],
        json!({
            "@timestamp": "2026-02-26T10:00:00.500Z",
            "event": {"provider": "P & Q", "code": "7"},
            "log": {"level": "error", "level_original": "2"},
            "winlog": {"event_data": {"param1": "a <b>", "param2": "c"}},
        })
    );
    assert_eq!(read[3]["tags"][0], "parse_failure");
    assert_eq!(read[4]["tags"], json!(["parse_failure"]));
}
