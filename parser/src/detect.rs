//! Which format lines have: each candidate reads them with its own parser, so that what is chosen is
//! what can be read.

use omphalos_common::event::DocumentId;

use super::scribe::{Desk, Line, Origin, Recipe, Scribe};
use super::time::{Calendar, Time};
use super::{Documents, Format, List, Parsed, ParserKind, aws, table};

/// So many lines are looked at, at most: the first of a file.
pub const MOST_LINES: usize = 100;

/// The candidates, the narrower of two that read the same lines before the wider one.
const CANDIDATES: [ParserKind; 30] = [
    ParserKind::Json,
    ParserKind::W3c,
    ParserKind::Zeek,
    ParserKind::VpcFlow,
    ParserKind::Auditd,
    ParserKind::Cef,
    ParserKind::Leef,
    ParserKind::WindowsEvent,
    ParserKind::Elb,
    ParserKind::S3,
    ParserKind::Traefik,
    ParserKind::Envoy,
    ParserKind::Squid,
    ParserKind::Uwsgi,
    ParserKind::Redis,
    ParserKind::Rabbitmq,
    ParserKind::Elasticsearch,
    ParserKind::VhostCombined,
    ParserKind::Combined,
    ParserKind::Clf,
    ParserKind::Haproxy,
    ParserKind::Postgresql,
    ParserKind::NginxError,
    ParserKind::ApacheError,
    ParserKind::Klog,
    ParserKind::MysqlError,
    ParserKind::Syslog,
    ParserKind::Csv,
    ParserKind::Logfmt,
    ParserKind::App,
];

/// How lines of the W3C format begin that speak of the file (<https://www.w3.org/TR/WD-logfile.html>).
const DIRECTIVES: [&[u8]; 5] =
    [b"#Version:", b"#Fields:", b"#Software:", b"#Date:", b"#Start-Date:"];

/// The format that reads the most of `lines`; [`ParserKind::Raw`] where none reads nine of ten.
/// Empty lines say nothing.
pub fn detect<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone) -> ParserKind {
    let lines = lines.filter(|line| !line.trim_ascii().is_empty()).take(MOST_LINES);
    let of = lines.clone().count();
    let read = |kind: &ParserKind| (*kind, count_marked(*kind, lines.clone()));
    let best = CANDIDATES.iter().map(read).reduce(|best, next| {
        // The first of equals.
        if next.1 > best.1 { next } else { best }
    });
    let is_sure = |(_, read): &(ParserKind, usize)| *read > 0 && read * 10 >= of * 9;
    best.filter(is_sure).map_or(ParserKind::Raw, |(kind, _)| kind)
}

/// The format of the first line in `head`, the beginning of a file that is unwrapped and decoded as
/// `recipe` says; `None` where no line with something in it is whole there, unless `is_all`. The first
/// line alone decides, so that it is the same however much of the file is there.
pub fn detect_in(recipe: &Recipe, head: &[u8], is_all: bool) -> Option<ParserKind> {
    let mut scribe: Scribe<()> = recipe.scribe(Origin { host_name: "", host_id: "", path: b"" });
    scribe.see_beginning(head);
    let charset = scribe.charset();
    let (mut documents, mut first) = (Documents::default(), First::default());
    let mut start = 0;
    for end in charset.line_ends(head) {
        let bytes = head.get(start..end).unwrap_or_default();
        let line = Line { bytes, offset: start as u64, is_ascii: false };
        scribe.take(line, &|| (), &mut documents, &mut first);
        start = end;
        if first.0.is_some() {
            break;
        }
    }
    if is_all && first.0.is_none() {
        let rest = head.get(start..).unwrap_or_default();
        scribe.take_unfinished(rest, start as u64, &mut documents, &mut first);
    }
    if is_all || recipe.multiline.is_some() {
        scribe.end_all(&mut documents, &mut first);
    }
    let first = first.0?;
    // Of an event of several lines that may go on, too.
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Some(detect(std::iter::once(line)))
}

/// Keeps the text of the first event, of which no document is made.
#[derive(Default)]
struct First(Option<Vec<u8>>);

impl Desk for First {
    fn put(
        &mut self,
        _: u64,
        _: Option<Time>,
        text: &[u8],
        _: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        self.0.get_or_insert_with(|| text.to_vec());
    }
}

/// How many of `lines` are of this format.
pub fn count<'a>(format: &Format, lines: impl Iterator<Item = &'a [u8]>) -> usize {
    count_if(format, lines, |line| !line.is_empty(), |_, _| true)
}

/// Whether a line that a parser takes for no data is one of its format: what begins with # may be a comment of
/// something else, and the first line of a table must look like names.
fn is_directive(kind: ParserKind, line: &[u8]) -> bool {
    match kind {
        ParserKind::Zeek => line.starts_with(b"#separator "),
        ParserKind::VpcFlow => aws::is_vpc_header(line),
        ParserKind::Csv => table::is_header(line),
        _ => DIRECTIVES.iter().any(|name| line.starts_with(name)),
    }
}

/// The same of a format that is to be found out: of those that take any text, only what has its marks.
fn count_marked<'a>(kind: ParserKind, lines: impl Iterator<Item = &'a [u8]>) -> usize {
    count_if(
        &kind.format(),
        lines,
        |line| is_directive(kind, line),
        |time, list| {
            let has = |name| list.lookup(name).is_some();
            match kind {
                ParserKind::Syslog => has("process.name") || has("log.syslog.version"),
                ParserKind::Logfmt => time || has("log.level") || list.texts().count() > 2,
                // Others have levels in brackets too, but not a thread before them.
                ParserKind::MysqlError => time && (has("mysql.thread_id") || has("process.name")),
                ParserKind::Redis => has("process.pid") && has("log.level"),
                ParserKind::Rabbitmq => has("rabbitmq.log.pid"),
                ParserKind::Elasticsearch => time && has("elasticsearch.node.name"),
                ParserKind::NginxError
                | ParserKind::ApacheError
                | ParserKind::VpcFlow
                | ParserKind::WindowsEvent
                | ParserKind::Uwsgi
                | ParserKind::Csv
                | ParserKind::Haproxy
                | ParserKind::Postgresql
                | ParserKind::Klog
                | ParserKind::App => time,
                _ => true,
            }
        },
    )
}

/// How many of `lines` are read without a problem, and are of the format by what was found: whether there
/// is a time, and the list.
fn count_if<'a>(
    format: &Format,
    lines: impl Iterator<Item = &'a [u8]>,
    is_directive: impl Fn(&[u8]) -> bool,
    is_marked: impl Fn(bool, &List<'_>) -> bool,
) -> usize {
    let mut parser = format.parser();
    let mut calendar = Calendar::default();
    let is_read = |line: &&[u8]| {
        let mut list = List::default();
        let (problem, time) = match parser.parse(&mut calendar, line, &mut list) {
            Parsed::Directive => return is_directive(line),
            Parsed::Event { problem, time, .. } => (problem.is_some(), time.is_some()),
        };
        !problem && is_marked(time, &list)
    };
    lines.filter(is_read).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLF: &str = r#"198.51.100.1 - - [28/Nov/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 10"#;

    fn detected(text: &str) -> (ParserKind, usize, usize) {
        let lines = text.lines().map(str::as_bytes).filter(|line| !line.is_empty());
        let kind = detect(text.lines().map(str::as_bytes));
        (kind, count(&kind.format(), lines.clone()), lines.count())
    }

    #[test]
    fn each_format_is_told_from_the_others() {
        let combined = format!("{CLF} \"-\" \"curl/8\"");
        let with_host = format!("www.example.com:443 {combined}");
        let w3c = "#Version: 1.0\n#Fields: date time c-ip cs-method sc-status\n2026-11-28 12:00:01 198.51.100.1 GET 200";
        for (text, expected) in [
            (CLF, (ParserKind::Clf, 1, 1)),
            (combined.as_str(), (ParserKind::Combined, 1, 1)),
            (with_host.as_str(), (ParserKind::VhostCombined, 1, 1)),
            (w3c, (ParserKind::W3c, 3, 3)),
            ("{\"message\":\"x\"}\n\n{\"level\":\"info\"}", (ParserKind::Json, 2, 2)),
            ("Nov 28 12:00:01 web1 sshd[1]: a", (ParserKind::Syslog, 1, 1)),
            ("2026-11-28T12:00:01.5+01:00 web1 sshd[1]: a", (ParserKind::Syslog, 1, 1)),
            ("<34>1 2026-11-28T12:00:01Z web1 su - - - a", (ParserKind::Syslog, 1, 1)),
            ("2026/11/28 12:00:01 [error] 5#6: *7 a", (ParserKind::NginxError, 1, 1)),
            ("2026/11/28 12:00:01 main.go:5: a", (ParserKind::App, 1, 1)),
            (
                "[Sat Nov 28 12:00:01.5 2026] [core:error] [pid 5] a",
                (ParserKind::ApacheError, 1, 1),
            ),
            ("[2026-11-28 12:00:01] [INFO] app: a", (ParserKind::App, 1, 1)),
            ("[2026-11-28 12:00:01] production.ERROR: a", (ParserKind::App, 1, 1)),
            ("2026-11-28T12:00:01Z  INFO app::m: a", (ParserKind::App, 1, 1)),
            ("2026-11-28 12:00:01,123 - app - INFO - a", (ParserKind::App, 1, 1)),
            ("I1128 12:00:01.123456 1 a.go:5] a", (ParserKind::Klog, 1, 1)),
            ("time=2026-11-28T12:00:01Z level=info msg=a", (ParserKind::Logfmt, 1, 1)),
            ("2026-11-28 12:00:01.123 UTC [7] ann@db LOG:  a", (ParserKind::Postgresql, 1, 1)),
            ("2026-11-28T12:00:01.1Z 0 [Note] [MY-1] [Server] a", (ParserKind::MysqlError, 1, 1)),
            (
                "Nov 28 12:00:01 lb haproxy[7]: 192.0.2.7:5 [28/Nov/2026:12:00:01.123] f b/s 0/0/5 0 -- 1/1/1/1/0 0/0",
                (ParserKind::Haproxy, 1, 1),
            ),
            ("a text with x=5 in it", (ParserKind::Raw, 1, 1)),
            ("hello", (ParserKind::Raw, 1, 1)),
            ("[1,2]", (ParserKind::Raw, 1, 1)),
            ("", (ParserKind::Raw, 0, 0)),
            ("# a comment", (ParserKind::Raw, 1, 1)),
        ] {
            assert_eq!(detected(text), expected, "{text}");
        }
    }

    /// Lines of services, proxies, tables and security, and what they are.
    const OTHERS: &[(&str, (ParserKind, usize, usize))] = &[
        (
            r#"https 2026-02-26T10:00:00.1Z app/x/y 192.0.2.7:4711 10.0.0.1:80 0.0 0.1 0.0 200 200 34 366 "GET https://e.x:443/a HTTP/1.1" "UA" ECDHE TLSv1.2 arn "Root=1" "e.x" "arn" 0 2026-02-26T10:00:00.0Z "forward" "-" "-""#,
            (ParserKind::Elb, 1, 1),
        ),
        (
            r#"2026-02-26T10:00:00.1Z lb 192.0.2.7:4711 10.0.0.1:80 0.0 0.1 0.0 200 200 34 366 "GET https://e.x:443/a HTTP/1.1" "UA" - -"#,
            (ParserKind::Elb, 1, 1),
        ),
        (
            r#"79a b [06/Feb/2026:00:00:38 +0000] 192.0.2.3 79a 3E5 REST.GET.OBJECT k "GET /x HTTP/1.1" 200 - 113 - 7 - "-" "S3" -"#,
            (ParserKind::S3, 1, 1),
        ),
        (
            "2 123456789010 eni-1 192.0.2.7 10.0.0.1 20641 22 6 20 4249 1771236000 1771236060 ACCEPT OK",
            (ParserKind::VpcFlow, 1, 1),
        ),
        ("version account-id interface-id srcaddr dstaddr", (ParserKind::VpcFlow, 1, 1)),
        ("7:M 26 Feb 2026 10:00:00.123 * Ready", (ParserKind::Redis, 1, 1)),
        ("2026-02-26 10:00:00.123456+00:00 [info] <0.229.0> text", (ParserKind::Rabbitmq, 1, 1)),
        (
            "[2026-02-26T10:00:00,123][INFO ][o.e.n.Node ] [n1] text",
            (ParserKind::Elasticsearch, 1, 1),
        ),
        (
            r#"192.0.2.7 - - [26/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl" 7 "r@file" "http://10.0.0.1:80" 2ms"#,
            (ParserKind::Traefik, 1, 1),
        ),
        (
            r#"[2026-02-26T10:00:00.123Z] "GET /a HTTP/1.1" 200 - 0 5 12 11 "-" "curl" "c994" "e.x" "10.0.0.1:80""#,
            (ParserKind::Envoy, 1, 1),
        ),
        (
            "1771236000.123    921 192.0.2.7 TCP_MISS/200 507 GET http://e.x/a - HIER_DIRECT/10.0.0.1 text/html",
            (ParserKind::Squid, 1, 1),
        ),
        (
            "[pid: 7|app: 0|req: 1/1] 192.0.2.7 () {46 vars in 840 bytes} [Thu Feb 26 10:00:00 2026] GET /a => generated 12 bytes in 3 msecs (HTTP/1.1 200) 2 headers in 72 bytes (1 switches on core 0)",
            (ParserKind::Uwsgi, 1, 1),
        ),
        ("time,level,message\n2026-02-26T10:00:00Z,info,a", (ParserKind::Csv, 2, 2)),
        ("id;Date;what", (ParserKind::Csv, 1, 1)),
        ("this, at, that", (ParserKind::Raw, 1, 1)),
        ("Hello, world, it is time", (ParserKind::Raw, 1, 1)),
        ("#separator \\x09", (ParserKind::Zeek, 1, 1)),
        ("CEF:0|V|P|1|100|n|5|src=192.0.2.7", (ParserKind::Cef, 1, 1)),
        ("<13>Feb 26 10:00:00 fw LEEF:1.0|V|P|1|100|src=192.0.2.7", (ParserKind::Leef, 1, 1)),
        ("type=SYSCALL msg=audit(1771236000.123:77): pid=7", (ParserKind::Auditd, 1, 1)),
        (
            "<Event><System><TimeCreated SystemTime='2026-02-26T10:00:00Z'/></System></Event>",
            (ParserKind::WindowsEvent, 1, 1),
        ),
    ];

    #[test]
    fn formats_of_services_and_tables_are_told_from_the_others() {
        for (text, expected) in OTHERS {
            assert_eq!(detected(text), *expected, "{text}");
        }
    }

    #[test]
    fn one_odd_line_of_ten_changes_nothing_and_two_do() {
        let lines =
            |odd: usize| format!("{}{}", "odd\n".repeat(odd), format!("{CLF}\n").repeat(10 - odd));
        assert_eq!(detected(&lines(1)), (ParserKind::Clf, 9, 10));
        assert_eq!(detected(&lines(2)), (ParserKind::Raw, 10, 10));
    }
}
