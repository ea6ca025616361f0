//! What the manual says of each format: a line of it, what becomes of that, and which fields there are.
//! `omphalos parsers` prints the lines, and `docs/parsers/` is made of all of it by a test.

#[cfg(test)]
mod ecs;
mod fields;
mod more;
#[cfg(test)]
mod tests;

use crate::ParserKind;
use fields::{
    ACCESS, APP, DATABASE, ERRORS, HAPROXY, JSON, KLOG, LOGFMT, MYSQL, PATTERN, PLAN, SYSLOG, W3C,
};
use more::{
    AUDITD, CEF, CSV, ELASTICSEARCH, ELB, ENVOY, JOURNALD, LEEF, RABBITMQ, REDIS, S3, SQUID,
    TRAEFIK, UWSGI, VPC_FLOW, WINDOWS, ZEEK,
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
pub const PAGES: [Page; 37] = [
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
        ParserKind::Elb,
        &[
            r#"https 2026-02-26T10:00:00.123456Z app/shop/50dc 192.0.2.7:4711 10.0.0.1:80 0.001 0.048 0.037 200 200 34 366 "GET https://e.example:443/a?b=c HTTP/1.1" "curl/8.5.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:tg/t "Root=1-58337262" "e.example" "arn:aws:acm/c" 0 2026-02-26T10:00:00.037000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#,
        ],
        &[ACCESS, ELB],
    ),
    page(
        ParserKind::S3,
        &[
            r#"79a59df9 shop [26/Feb/2026:10:00:00 +0000] 192.0.2.7 arn:aws:iam::1:user/ann 3E57427F3 REST.GET.OBJECT a/b.png "GET /a/b.png HTTP/1.1" 200 - 2662992 3462992 70 10 "-" "S3Console/0.4" - s9lzHYrFp76Z SigV4 TLS_AES_128_GCM_SHA256 AuthHeader shop.s3.eu-west-1.amazonaws.com TLSv1.3 - -"#,
        ],
        &[ACCESS, S3],
    ),
    page(
        ParserKind::VpcFlow,
        &[
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction",
            "5 123456789010 eni-1235b8ca 192.0.2.7 10.0.0.1 20641 22 6 20 4249 1772100000 1772100060 ACCEPT OK ingress",
        ],
        &[VPC_FLOW],
    ),
    page(
        ParserKind::Redis,
        &["7:M 26 Feb 2026 10:00:00.123 * Ready to accept connections tcp"],
        &[REDIS],
    ),
    page(
        ParserKind::Rabbitmq,
        &[
            "2026-02-26 10:00:00.123456+00:00 [info] <0.229.0> accepting AMQP connection <0.229.0> (192.0.2.7:51234 -> 10.0.0.1:5672)",
        ],
        &[RABBITMQ],
    ),
    page(
        ParserKind::Elasticsearch,
        &[
            "[2026-02-26T10:00:00,123][WARN ][i.s.s.query              ] [n1] [shop-2026][0] took[4.5ms], took_millis[4], total_hits[1 hits], types[], stats[], search_type[QUERY_THEN_FETCH], total_shards[1], source[{\"query\":{\"match_all\":{}}}], id[a]",
            "[2026-02-26T10:00:00,123][INFO ][o.e.n.Node               ] [n1] started",
        ],
        &[ELASTICSEARCH],
    ),
    page(
        ParserKind::Traefik,
        &[
            r#"192.0.2.7 - ann [26/Feb/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5120 "-" "curl/8.5.0" 7 "shop@file" "http://10.0.0.1:80" 2ms"#,
        ],
        &[ACCESS, TRAEFIK],
    ),
    page(
        ParserKind::Envoy,
        &[
            r#"[2026-02-26T10:00:00.123Z] "GET /a HTTP/2" 200 - 0 5120 12 11 "203.0.113.9" "curl/8.5.0" "c994c0de" "e.example" "10.0.0.1:80""#,
        ],
        &[ACCESS, ENVOY],
    ),
    page(
        ParserKind::Squid,
        &[
            "1772100000.123    921 192.0.2.7 TCP_MISS/200 507 GET http://e.example/a ann HIER_DIRECT/10.0.0.1 text/html",
        ],
        &[ACCESS, SQUID],
    ),
    page(
        ParserKind::Uwsgi,
        &[
            "[pid: 7|app: 0|req: 3/9] 192.0.2.7 (ann) {46 vars in 840 bytes} [Thu Feb 26 10:00:00 2026] GET /a?b=c => generated 12 bytes in 3 msecs (HTTP/1.1 200) 2 headers in 72 bytes (1 switches on core 0)",
        ],
        &[ACCESS, UWSGI],
    ),
    page(
        ParserKind::Csv,
        &["time,level,message,shop", "2026-02-26T10:00:00Z,warning,\"a, b\",7"],
        &[CSV],
    ),
    page(
        ParserKind::Zeek,
        &[
            "#separator \\x09",
            "#path\tconn",
            "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_ip_bytes\tresp_ip_bytes\tconn_state\tlocal_orig",
            "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool",
            "1772100000.123456\tCHhAvV\t192.0.2.7\t4711\t10.0.0.1\t80\ttcp\thttp\t0.25\t73\t404\tSF\tT",
        ],
        &[ZEEK],
    ),
    page(
        ParserKind::Cef,
        &[
            r"<13>Feb 26 10:00:00 fw1 CEF:0|Acme|Wall|1.0|100|it \| blocked|7|src=192.0.2.7 spt=4711 dst=10.0.0.1 dpt=22 proto=TCP act=blocked rt=1772100000123 msg=a \= b cs1Label=rule",
        ],
        &[CEF],
    ),
    page(
        ParserKind::Leef,
        &[
            "LEEF:2.0|Acme|Wall|1.0|100|^|src=192.0.2.7^srcPort=4711^dst=10.0.0.1^proto=TCP^usrName=ann^sev=7^devTime=1772100000123^policy=p",
        ],
        &[LEEF],
    ),
    page(
        ParserKind::Auditd,
        &[
            "type=SYSCALL msg=audit(1772100000.123:77): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=7 auid=1000 uid=0 gid=0 euid=0 comm=\"ls\" exe=\"/bin/ls\" key=\"k\"\ntype=EXECVE msg=audit(1772100000.123:77): argc=2 a0=\"ls\" a1=2F62\ntype=CWD msg=audit(1772100000.123:77): cwd=\"/root\"\ntype=PATH msg=audit(1772100000.123:77): item=0 name=\"/bin/ls\" inode=5\ntype=PROCTITLE msg=audit(1772100000.123:77): proctitle=6C73002F62",
        ],
        &[AUDITD],
    ),
    page(
        ParserKind::WindowsEvent,
        &[
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/><EventID>4624</EventID><Version>2</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2026-02-26T10:00:00.1234567Z'/><EventRecordID>9</EventRecordID><Correlation/><Execution ProcessID='4' ThreadID='8'/><Channel>Security</Channel><Computer>pc1</Computer><Security/></System><EventData><Data Name='TargetUserName'>ann</Data></EventData><RenderingInfo Culture='en-US'><Message>An account was logged on.</Message></RenderingInfo></Event>",
        ],
        &[WINDOWS],
    ),
    page(
        ParserKind::Journald,
        &[
            "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1772100000123456\n_BOOT_ID=b\nPRIORITY=3\nSYSLOG_IDENTIFIER=sshd\n_PID=812\n_HOSTNAME=web1\n_SYSTEMD_UNIT=ssh.service\nMESSAGE=it broke\n",
        ],
        &[JOURNALD],
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
        None if field == "event.start" => "date",
        _ => "keyword",
    }
}
