//! Lines of the formats that busy servers write take no memory of their own: what is needed is kept from
//! one line to the next.

use crate::scribe::{Line, Origin};
use crate::settings::RecipeSettings;
use crate::tests::Page;
use crate::{Documents, ParserKind};

/// nginx's `main`.
const MAIN: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" \"$http_x_forwarded_for\"";

/// How often the memory was asked for while a hundred such lines became documents.
fn allocations(parser: ParserKind, directives: &str, line: &str) -> u64 {
    let format = (parser == ParserKind::Access).then(|| MAIN.to_owned());
    let settings = RecipeSettings { parser, format, ..Default::default() };
    let recipe = settings.recipe().unwrap();
    let mut scribe =
        recipe.scribe::<()>(Origin { host_name: "web1", host_id: "id", path: b"/x.log" });
    scribe.see_written(Some(1_796_213_700));
    let (mut documents, mut page) = (Documents::default(), Page(Vec::with_capacity(1 << 16)));
    let mut take = |line: &str| {
        let line = Line { bytes: line.as_bytes(), offset: 7, is_ascii: true };
        page.0.clear();
        scribe.take(line, &|| (), &mut documents, &mut page);
    };
    // What is kept is there after a few.
    for line in [directives, line, line, line] {
        take(line);
    }
    let found = allocation_counter::measure(|| (0..100).for_each(|_| take(line)));
    assert_eq!(scribe.counts.failures, 0, "{parser:?} {line}");
    assert_eq!(scribe.counts.documents, 103, "{parser:?} {line}");
    found.count_total
}

#[test]
fn lines_of_busy_servers_take_no_memory_of_their_own() {
    let combined = r#"203.0.113.7 - alice [22/Nov/2026:12:15:00 +0000] "GET /a/b?c=d HTTP/1.1" 200 5120 "https://e.example/" "Mozilla/5.0 (X11; Linux x86_64)""#;
    let fields = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-bytes time-taken";
    for (parser, directives, line) in [
        (ParserKind::Combined, "", combined.to_owned()),
        (ParserKind::VhostCombined, "", format!("e.example {combined}")),
        (ParserKind::Access, "", format!("{combined} \"-\"")),
        (
            ParserKind::W3c,
            fields,
            "2026-11-22 12:15:00 10.0.0.5 GET /a c=d 443 - 203.0.113.7 Mozilla/5.0+(X11) - 200 5120 12".to_owned(),
        ),
        (
            ParserKind::Syslog,
            "",
            "Nov 22 12:15:00 web1 sshd[812]: Accepted publickey for alice from 203.0.113.7".to_owned(),
        ),
        (
            ParserKind::Syslog,
            "",
            r#"<165>1 2026-11-22T12:15:00.003Z web1 app 812 ID47 [ex@1 k="v" n="1"] an event"#.to_owned(),
        ),
        (
            ParserKind::Logfmt,
            "",
            r#"time=2026-11-22T12:15:00.123Z level=info msg="a text" status=200 path=/a"#.to_owned(),
        ),
        (
            ParserKind::Haproxy,
            "",
            r#"Nov 22 12:15:00 lb haproxy[7]: 192.0.2.7:4711 [22/Nov/2026:12:15:00.123] fe~ be/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {e.x|curl 8} {} "GET /x?a HTTP/1.1""#.to_owned(),
        ),
        (
            ParserKind::NginxError,
            "",
            "2026/11/22 12:15:00 [error] 812#812: *5 open() \"/a\" failed".to_owned(),
        ),
    ] {
        assert_eq!(allocations(parser, directives, &line), 0, "{parser:?} {line}");
    }
}
