//! What the manual says of each format: a line of it, what becomes of that, and which fields there are.
//! `omphalos parsers` prints the lines, and `docs/parsers/` is made of all of it by a test.

mod fields;
#[cfg(test)]
mod tests;

use crate::ParserKind;
use fields::{
    ACCESS, APP, DATABASE, ERRORS, HAPROXY, JSON, KLOG, LOGFMT, MYSQL, PATTERN, PLAN, SYSLOG, W3C,
};

/// What there is to say of a format.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Which one.
    pub kind: ParserKind,
    /// Its setting `format` for the sample, if it has one.
    pub format: Option<&'static str>,
    /// Lines of it; the document is that of the last one. One text may be several lines of one event.
    pub sample: &'static [&'static str],
    /// Its fields, and what they say: several lists.
    pub fields: &'static [&'static [(&'static str, &'static str)]],
}

const fn page(
    kind: ParserKind,
    sample: &'static [&'static str],
    fields: &'static [&'static [(&'static str, &'static str)]],
) -> Page {
    Page { kind, format: None, sample, fields }
}

/// The page of each format that has lines of its own, in the order of the manual.
pub const PAGES: [Page; 20] = [
    page(
        ParserKind::Clf,
        &[r#"203.0.113.7 - alice [26/Feb/2026:10:00:00 +0100] "GET /shop?id=7 HTTP/1.1" 200 5120"#],
        &[ACCESS],
    ),
    page(
        ParserKind::Combined,
        &[
            r#"203.0.113.7 - alice [26/Feb/2026:10:00:00 +0100] "GET /shop?id=7 HTTP/1.1" 200 5120 "https://example.org/" "Mozilla/5.0""#,
        ],
        &[ACCESS],
    ),
    page(
        ParserKind::VhostCombined,
        &[
            r#"shop.example:443 203.0.113.7 - - [26/Feb/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 5120 "-" "Mozilla/5.0""#,
        ],
        &[ACCESS],
    ),
    Page {
        kind: ParserKind::Access,
        format: Some(
            r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_addr $upstream_response_time $upstream_status $request_id"#,
        ),
        sample: &[
            r#"203.0.113.7 - - [26/Feb/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 5120 "-" "Mozilla/5.0" 0.012 10.0.0.8:80, 10.0.0.9:80 0.002, 0.010 502, 200 c994"#,
        ],
        fields: &[ACCESS, PLAN],
    },
    page(
        ParserKind::W3c,
        &[
            "#Fields: date time s-ip cs-method cs-uri-stem s-port cs-username c-ip cs(User-Agent) sc-status time-taken",
            "2026-02-26 10:00:00 10.0.0.1 GET /a.aspx 443 - 203.0.113.7 Mozilla/5.0+(X11) 200 31",
        ],
        &[ACCESS, W3C],
    ),
    page(
        ParserKind::Json,
        &[
            r#"{"level":"error","ts":1772096400.25,"logger":"api","caller":"server.go:12","msg":"it broke","error":"timeout","attempt":3}"#,
        ],
        &[JSON],
    ),
    page(
        ParserKind::Syslog,
        &["<38>Feb 26 10:00:00 web1 sshd[812]: Accepted publickey for ann"],
        &[SYSLOG],
    ),
    page(
        ParserKind::NginxError,
        &[
            r#"2026/02/26 10:00:00 [error] 54#7: *3 open() "/x" failed (2: No such file or directory), client: 192.0.2.7, server: _, request: "GET /x HTTP/1.1", host: "e.example""#,
        ],
        &[ERRORS],
    ),
    page(
        ParserKind::ApacheError,
        &[
            "[Thu Feb 26 10:00:00.123456 2026] [core:error] [pid 7:tid 99] [client 192.0.2.7:4711] AH00126: Invalid URI in request",
        ],
        &[ERRORS],
    ),
    page(
        ParserKind::Logfmt,
        &[
            r#"time="2026-02-26T10:00:00Z" level=error msg="it broke" err=timeout caller=main.go:12 attempt=3"#,
        ],
        &[LOGFMT],
    ),
    page(
        ParserKind::Klog,
        &[r#"I0226 10:00:00.123456       1 server.go:12] "Started" pod="a/b""#],
        &[KLOG],
    ),
    page(
        ParserKind::Postgresql,
        &["2026-02-26 10:00:00.123 CET [7] ann@shop LOG:  duration: 3.25 ms  statement: SELECT 1"],
        &[DATABASE],
    ),
    page(
        ParserKind::MysqlError,
        &[
            "2026-02-26T10:00:00.123456Z 0 [Warning] [MY-010068] [Server] CA certificate ca.pem is self signed.",
        ],
        &[MYSQL],
    ),
    page(
        ParserKind::MysqlSlow,
        &[
            "# Time: 2026-02-26T10:00:00.1Z\n# User@Host: ann[ann] @ h.example [192.0.2.7]  Id:    14\n# Query_time: 2.400000  Lock_time: 0.000010 Rows_sent: 1  Rows_examined: 200\nSET timestamp=1772100000;\nSELECT * FROM t;",
        ],
        &[MYSQL],
    ),
    page(
        ParserKind::Haproxy,
        &[
            r#"Feb 26 10:00:00 lb haproxy[7]: 192.0.2.7:4711 [26/Feb/2026:10:00:00.123] fe~ be/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {e.example} {} "GET /x HTTP/1.1""#,
        ],
        &[HAPROXY],
    ),
    page(
        ParserKind::App,
        &["2026-02-26 10:00:00,123 ERROR [worker-1] com.example.Shop: it broke"],
        &[APP],
    ),
    Page {
        kind: ParserKind::Regex,
        format: Some(
            r"^(?<@timestamp>\S+) \[(?<log.level>\w+)\] (?<user.name>\S+) took (?<shop.took:float>[\d.]+) s: (?<message>.*)$",
        ),
        sample: &["2026-02-26T10:00:00+01:00 [WARN] ann took 2.5 s: it was slow"],
        fields: &[PATTERN],
    },
    Page {
        kind: ParserKind::Grok,
        format: Some(
            "%{TIMESTAMP_ISO8601:@timestamp} %{IP:source.ip} %{WORD:http.request.method} %{URIPATH:url.path} %{INT:http.response.status_code:int}",
        ),
        sample: &["2026-02-26 10:00:00 203.0.113.7 GET /shop 200"],
        fields: &[PATTERN],
    },
    page(ParserKind::Raw, &["anything"], &[fields::RAW]),
    page(ParserKind::Auto, &["anything"], &[fields::RAW]),
];

/// The page of a format.
pub fn of(kind: ParserKind) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.kind == kind)
}

/// The type that a field has in the index.
pub fn type_of(field: &str) -> &'static str {
    use omphalos_common::ecs::{FIELDS, FieldType};
    match FIELDS.iter().find(|(name, _)| *name == field) {
        Some((_, FieldType::Date)) => "date",
        Some((_, FieldType::Ip)) => "ip",
        Some((_, FieldType::Long)) => "long",
        Some((_, FieldType::Text)) => "text",
        Some((_, FieldType::Wildcard)) => "wildcard",
        Some((_, FieldType::Opaque | FieldType::Unindexed)) => "object",
        None if fields::FLOATS.contains(&field) => "float",
        None if fields::NUMBERS.contains(&field) => "long",
        None if field == "tls.resumed" => "boolean",
        _ => "keyword",
    }
}
