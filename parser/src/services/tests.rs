//! Lines of servers, and their documents.

use serde_json::json;

use crate::ParserKind;
use crate::tests::{events, fields_in_utc, fields_of};

#[test]
fn lines_of_redis_have_process_role_and_level() {
    assert_eq!(
        fields_in_utc(ParserKind::Redis, "7:M 26 Feb 2026 10:00:00.123 # WARNING overcommit"),
        json!({
            "@timestamp": "2026-02-26T10:00:00.123Z",
            "process": {"pid": 7},
            "redis": {"log": {"role": "master"}},
            "log": {"level": "warn", "level_original": "#"},
            "message": "WARNING overcommit"
        })
    );
    for (line, time, level) in [
        ("[7] 26 Feb 10:00:00.123 * old", "2026-02-26T10:00:00.123Z", json!("notice")),
        ("7:S 26 Feb 10:00:00.123 - old", "2026-02-26T10:00:00.123Z", json!("info")),
        ("7:X 26 Feb 2026 10:00:00.123 . x", "2026-02-26T10:00:00.123Z", json!("debug")),
        ("7:signal-handler (1771236000) Received SIGTERM", "1970-01-01T00:00:00Z", json!(null)),
        ("      _.-``__ ''-._", "1970-01-01T00:00:00Z", json!(null)),
        ("7:Q 26 Feb 2026 10:00:00.123 * no role", "1970-01-01T00:00:00Z", json!(null)),
    ] {
        let read = fields_in_utc(ParserKind::Redis, line);
        assert_eq!((&read["@timestamp"], &read["log"]["level"]), (&json!(time), &level), "{line}");
    }
    let signal = fields_of(ParserKind::Redis, "7:signal-handler (1771236000) Received SIGTERM");
    assert_eq!(
        (&signal["process"]["pid"], &signal["message"]),
        (&json!(7), &json!("Received SIGTERM"))
    );
}

#[test]
fn an_event_of_rabbitmq_is_one_document() {
    let file = "2026-02-26 10:00:00.123456+00:00 [notice] <0.44.0> Logging: switching\n  ##  ##      RabbitMQ\n  ##  ##\n2026-02-26 10:00:01.5+00:00 [erro] <0.9.0> closing (192.0.2.7:51234 -> [::1]:5672, vhost: '/')\n=ERROR REPORT==== 26-Feb-2026::10:00:00 ===\n** Generic server <0.5.0>\n\n=CRASH REPORT==== 26-Feb-2026::10:00:00 ===\n";
    let read = events(ParserKind::Rabbitmq, file.as_bytes());
    assert_eq!(read.len(), 4, "{read:?}");
    assert_eq!(
        read[0],
        json!({
            "@timestamp": "2026-02-26T10:00:00.123456Z",
            "log": {"level": "notice"},
            "rabbitmq": {"log": {"pid": "0.44.0"}},
            "message": "Logging: switching\n  ##  ##      RabbitMQ\n  ##  ##"
        })
    );
    assert_eq!(
        (&read[1]["source"], &read[1]["destination"]),
        (
            &json!({"address": "192.0.2.7", "ip": "192.0.2.7", "port": 51234}),
            &json!({"address": "::1", "ip": "::1", "port": 5672})
        )
    );
    assert_eq!(
        (&read[2]["log"]["level"], &read[2]["message"], &read[2]["tags"]),
        (&json!("error"), &json!("** Generic server <0.5.0>"), &json!(["time_assumed"]))
    );
    assert_eq!(read[3]["log"]["level"], "error");
    let cut = fields_of(ParserKind::Rabbitmq, "2026-02-26 10:00:00+00:00 no level");
    assert_eq!(cut["tags"], json!(["parse_failure"]));
}

#[test]
fn elasticsearch_is_read_in_every_form() {
    let trace = b"[2026-02-26T10:00:00,123][ERROR][o.e.b.Bootstrap          ] [n1] Exception\njava.lang.X: y\n\tat z\n[2026-02-26T10:00:01,123][INFO ][o.e.n.Node               ] [n1] up\n";
    let read = events(ParserKind::Elasticsearch, trace);
    assert_eq!((read.len(), &read[0]["message"]), (2, &json!("Exception\njava.lang.X: y\n\tat z")));
    assert_eq!(
        read[1],
        json!({
            "@timestamp": "2026-02-26T10:00:01.123Z", "log": {"level": "info", "logger": "o.e.n.Node"},
            "elasticsearch": {"node": {"name": "n1"}}, "message": "up", "tags": ["time_assumed"],
        })
    );
    let slow = r#"[2026-02-26T10:00:00,123][WARN ][index.search.slowlog.query] [n1] [shop][0] took[4.5ms], took_millis[4], total_hits[1 hits], types[], stats[], search_type[QUERY_THEN_FETCH], total_shards[1], source[{"terms":{"a":["x], y","z"]}}], id[a]"#;
    let slow = fields_of(ParserKind::Elasticsearch, slow);
    assert_eq!(slow["event"]["duration"], 4_000_000);
    assert_eq!(
        slow["elasticsearch"],
        json!({
            "node": {"name": "n1"}, "index": {"name": "shop"}, "shard": {"id": "0"},
            "slowlog": {
                "took": "4.5ms", "total_hits": "1 hits", "search_type": "QUERY_THEN_FETCH", "total_shards": "1",
                "source_query": r#"{"terms":{"a":["x], y","z"]}}"#, "id": "a"
            }
        })
    );
    let forged = r#"[2026-02-26T10:00:00,123][WARN ][i.s.s.query] [n1] [shop][0] took_millis[4], source[{"a":"], id[forged], routing["}], id[a]"#;
    let forged = fields_of(ParserKind::Elasticsearch, forged);
    assert_eq!(forged["elasticsearch"].get("slowlog"), None);
    assert_eq!(forged["event"]["duration"], 4_000_000);
    let gc = fields_of(
        ParserKind::Elasticsearch,
        "[2026-02-26T10:00:00.123+0000][10][gc,heap        ] Heap region size: 1M",
    );
    assert_eq!(
        (&gc["process"]["pid"], &gc["log"]["logger"], gc.get("tags")),
        (&json!(10), &json!("gc,heap"), None)
    );
    for line in [
        r#"{"type": "server", "timestamp": "2026-02-26T10:00:00,123Z", "level": "INFO", "component": "o.e.n.Node", "cluster.name": "c", "node.name": "n1", "message": "up" }"#,
        r#"{"@timestamp":"2026-02-26T10:00:00.123Z", "log.level": "INFO", "message":"up", "ecs.version": "1.2.0","service.name":"ES_ECS","event.dataset":"elasticsearch.server","process.thread.name":"main","log.logger":"o.e.n.Node","elasticsearch.node.name":"n1"}"#,
    ] {
        let read = fields_of(ParserKind::Elasticsearch, line);
        assert_eq!(
            (&read["log"]["level"], &read["message"], &read["@timestamp"], read.get("tags")),
            (&json!("info"), &json!("up"), &json!("2026-02-26T10:00:00.123Z"), None),
            "{line} {read}"
        );
    }
    let cut = fields_of(ParserKind::Elasticsearch, "[2026-02-26T10:00:00,123][INFO ]");
    assert_eq!(cut["tags"], json!(["parse_failure", "time_assumed"]));
}
