//! Tables, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::events;

#[test]
fn the_first_line_of_a_table_names_the_columns() {
    for separator in [",", ";", "\t", "|"] {
        let file = "time,level,message,user,shop name,level\n2026-02-26T10:00:00Z,WARNING,\"a \"\"b\"\"\",ann,,x\n"
            .replace(',', separator);
        assert_eq!(
            events(ParserKind::Csv, file.as_bytes()),
            [json!({
                "@timestamp": "2026-02-26T10:00:00Z",
                "log": {"level": "warn", "level_original": "WARNING"},
                "message": "a \"b\"",
                "user": {"name": "ann"},
                "unmerged": {"log.level": "x"},
            })],
            "{separator:?}"
        );
    }
}

#[test]
fn a_value_in_quotes_may_have_several_lines() {
    let file = "id,ts,text\r\n1,2026-02-26 10:00:00,\"a, b\r\n\r\nc\"\r\n2,2026-02-26T10:00:00Z,5\" disk\r\n3,4\r\n";
    let read = events(ParserKind::Csv, file.as_bytes());
    assert_eq!(read.len(), 3, "{read:?}");
    // The bytes at the end of a line are no part of it.
    assert_eq!(
        (&read[0]["text"], &read[0]["tags"]),
        (&json!("a, b\n\nc"), &json!(["time_assumed"]))
    );
    assert_eq!((&read[1]["text"], &read[1]["id"]), (&json!("5\" disk"), &json!("2")));
    assert_eq!(
        read[2]["error"]["message"],
        "the line has not as many values as the first line names"
    );
}

#[test]
fn logs_of_zeek_have_the_types_that_they_say() {
    let file = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\thttp\n#open\t2026-02-26-10-00-00\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tmethod\thost\turi\tstatus_code\ttags\ttrans_depth\tproxied\tuser_agent\tx.y\tok\n#types\ttime\tstring\taddr\tport\tstring\tstring\tstring\tcount\tset[enum]\tcount\tset[string]\tstring\tdouble\tbool\n1772100000.123456\tC1\t192.0.2.7\t4711\tGET\te.example\t/a?b\t200\t(empty)\t1\ta,b\\x2c\tcurl\t0.5\tF\n#close\t2026-02-26-11-00-00\n1\t2\n";
    let read = events(ParserKind::Zeek, file.as_bytes());
    assert_eq!(
        read[0],
        json!({
            "@timestamp": "2026-02-26T10:00:00.123456Z",
            "event": {"id": "C1"},
            "source": {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4711},
            "url": {"domain": "e.example", "original": "/a?b", "path": "/a", "query": "b"},
            "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
            "user_agent": {"original": "curl"},
            "zeek": {"http": {"trans_depth": 1, "proxied": ["a", "b,"], "x": {"y": 0.5}, "ok": false}},
        })
    );
    assert_eq!(
        (read.len(), &read[1]["error"]["message"]),
        (2, &json!("the line has not as many values as #fields names"))
    );
    let headless = events(ParserKind::Zeek, b"1\t2\n");
    assert_eq!(headless[0]["error"]["message"], "no #fields line before this one");
}
