//! Lines of every format, in every charset, container and grouping: their documents.

use std::collections::HashSet;
use std::fmt;

use omphalos_common::config::Size;
use omphalos_common::event::DocumentId;
use omphalos_parser::detect::detect_in;
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::MultilineKind;
use omphalos_parser::scribe::{Desk, Line, Origin, Scribe};
use omphalos_parser::settings::RecipeSettings;
use omphalos_parser::{Documents, ModuleKind, ParserKind, Time};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::{check_document, one_of};

const PARSERS: [ParserKind; 37] = [
    ParserKind::Auto,
    ParserKind::Clf,
    ParserKind::Combined,
    ParserKind::VhostCombined,
    ParserKind::W3c,
    ParserKind::Json,
    ParserKind::Raw,
    ParserKind::Access,
    ParserKind::Syslog,
    ParserKind::NginxError,
    ParserKind::ApacheError,
    ParserKind::Logfmt,
    ParserKind::Klog,
    ParserKind::Postgresql,
    ParserKind::MysqlError,
    ParserKind::MysqlSlow,
    ParserKind::Haproxy,
    ParserKind::App,
    ParserKind::Elb,
    ParserKind::S3,
    ParserKind::VpcFlow,
    ParserKind::Redis,
    ParserKind::Rabbitmq,
    ParserKind::Elasticsearch,
    ParserKind::Traefik,
    ParserKind::Envoy,
    ParserKind::Squid,
    ParserKind::Uwsgi,
    ParserKind::Csv,
    ParserKind::Zeek,
    ParserKind::Cef,
    ParserKind::Leef,
    ParserKind::Auditd,
    ParserKind::WindowsEvent,
    ParserKind::Journald,
    ParserKind::Regex,
    ParserKind::Grok,
];
const FORMATS: [&str; 4] = [
    "$remote_addr - $remote_user [$time_local] \"$request\" $status \"$http_x_forwarded_for\" $upstream_addr $request_time",
    "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" %D",
    "$scheme://$host$request_uri $msec",
    "escape=json $remote_addr [$time_iso8601] \"$request\" $status \"$http_user_agent\" \"$http_x_note\"",
];
/// Patterns that take much, and that take little.
const PATTERNS: [&str; 3] = [
    r"^(?<time>\S+) (?<source.ip>\S+) (?<n:int>[^ ]*) ?(?<message>.*)",
    r"(?<a.b:float>[0-9.]+)|(?<c>(a|b|ab)*c)|(?<a.b>x)",
    r"(?s)(?<log.level>\w+)(?<user.name>.*?)(?<x:bool>true|false)?",
];
const GROKS: [&str; 2] = [
    "%{COMBINEDAPACHELOG}",
    "%{TIMESTAMP_ISO8601:time}|%{SYSLOGLINE}|%{IPORHOST:host.hostname} %{GREEDYDATA:message}",
];
const ENCODINGS: [EncodingSetting; 5] = [
    EncodingSetting::Auto,
    EncodingSetting::Utf8,
    EncodingSetting::Latin1,
    EncodingSetting::Utf16Le,
    EncodingSetting::Utf16Be,
];
const CONTAINERS: [Container; 3] = [Container::None, Container::Docker, Container::Cri];
const MULTILINE: [MultilineKind; 9] = [
    MultilineKind::None,
    MultilineKind::Start,
    MultilineKind::Continuation,
    MultilineKind::Indent,
    MultilineKind::Count,
    MultilineKind::Java,
    MultilineKind::Python,
    MultilineKind::Go,
    MultilineKind::Rust,
];
const LIMITS: [u64; 3] = [1 << 20, 4096, 256];
const ZONES: [Option<&str>; 3] = [None, Some("+01:00"), Some("Europe/Berlin")];

/// Fields that lines may have too.
const FIELDS: &str = r#"{"labels":{"a":"x"},"user":{"name":"y"},"a":{"b":[1,true]}}"#;
/// All steps but the hash, which needs a file.
const STEPS: &str = r#"[
    {"step": "set", "field": "labels.a", "value": 1},
    {"step": "url"},
    {"step": "split", "field": "message", "separator": " "},
    {"step": "rename", "field": "a", "to": "b.c"},
    {"step": "drop_field", "fields": ["user_agent", "x"]},
    {"step": "mask"},
    {"step": "keep", "level": "info"},
    {"step": "drop", "field": "url.path", "pattern": "x$"},
    {"step": "sample", "one_of": 3, "field": "source.ip"}
]"#;

/// Steps that are done with the text of a document, before it is taken apart.
fn first_steps() -> Vec<Value> {
    let database = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/places/places.mmdb");
    vec![json!({"step": "user_agent"}), json!({"step": "geoip", "database": database})]
}

fn of_json<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("settings as they are written")
}

/// A document says what its line says, escaped, with its name, once more as `event.original`, and
/// parts of it in other fields; what is neither UTF-8 nor printable takes six bytes for one.
const MOST_TIMES: usize = 40;
/// What a document has beside.
const FRAME: usize = 2048;

/// The first bytes say how lines are read: parser, encoding, container, grouping, and what is kept.
pub fn run(data: &[u8]) {
    let Some((head, content)) = data.split_first_chunk::<6>() else { return };
    let [parser, encoding, container, multiline, limit, more] = *head;
    let parser = one_of(&PARSERS, parser);
    let multiline = one_of(&MULTILINE, multiline);
    let has_pattern = matches!(multiline, MultilineKind::Start | MultilineKind::Continuation);
    let mut steps = if limit & 0x08 == 0x08 { first_steps() } else { Vec::new() };
    steps.extend(of_json::<Vec<Value>>(if limit & 0x10 == 0x10 { STEPS } else { "[]" }));
    let settings = RecipeSettings {
        encoding: one_of(&ENCODINGS, encoding),
        container: one_of(&CONTAINERS, container),
        multiline,
        multiline_pattern: has_pattern.then(|| "^[0-9{]".to_owned()),
        multiline_count: (multiline == MultilineKind::Count).then_some(3),
        keep_original: more & 1 == 1,
        max_line_bytes: Size(one_of(&LIMITS, limit)),
        format: match parser {
            ParserKind::Access => Some(one_of(&FORMATS, more >> 1).to_owned()),
            ParserKind::Regex => Some(one_of(&PATTERNS, more >> 1).to_owned()),
            ParserKind::Grok => Some(one_of(&GROKS, more >> 1).to_owned()),
            ParserKind::Postgresql if more & 2 == 2 => Some("%m [%p] %q%u@%d ".to_owned()),
            _ => None,
        },
        time_zone: one_of(&ZONES, more >> 1).map(str::to_owned),
        module: (limit & 0x40 == 0x40).then_some(ModuleKind::Nginx),
        fields: of_json(if limit & 0x20 == 0x20 { FIELDS } else { "{}" }),
        steps: serde_json::from_value(steps.into()).expect("steps as they are written"),
        ..RecipeSettings::default()
    };
    let settings = settings.with_parser(parser);
    let recipe = settings.recipe().expect("settings that fit");
    let found = (parser == ParserKind::Auto).then(|| detect_in(&recipe, content, true)).flatten();
    let recipe = found.map_or(recipe, |parser| {
        settings.with_parser(parser).recipe().expect("what is found out fits as well")
    });
    let origin = Origin { host_name: "web1", host_id: "id", path: b"/x.log" };
    let mut page = Page::default();
    read(&mut recipe.scribe(origin), content, &mut page);
    let documents: Vec<&[u8]> = page.0.split_inclusive(|byte| *byte == b'\n').collect();
    for document in &documents {
        let document = document.strip_suffix(b"\n").expect("a document ends");
        check_document(document);
        check_names(document);
    }
    let most = MOST_TIMES * content.len() + FRAME * documents.len();
    assert!(page.0.len() <= most, "{} bytes became {}", content.len(), page.0.len());
}

/// As the monitor does with what it has read of a file.
fn read(scribe: &mut Scribe<()>, content: &[u8], page: &mut Page) {
    let mut documents = Documents::default();
    scribe.see_beginning(content);
    let charset = scribe.charset();
    let content = charset.whole_units(content);
    let is_ascii = charset.is_utf8() && content.is_ascii() && !content.contains(&0);
    let mut start = 0;
    for end in charset.line_ends(content) {
        let line = Line { bytes: &content[start..end], offset: start as u64, is_ascii };
        scribe.take(line, &|| (), &mut documents, page);
        start = end;
    }
    let rest = &content[start..];
    if scribe.is_too_long(rest, start as u64) {
        scribe.take_beginning(rest, start as u64, &mut documents, page);
    } else if !rest.is_empty() {
        scribe.take_unfinished(rest, start as u64, &mut documents, page);
    }
    scribe.end_all(&mut documents, page);
}

/// Keeps documents; a line without a time of its own gets 1970.
#[derive(Default)]
struct Page(Vec<u8>);

impl Desk for Page {
    fn put(
        &mut self,
        _: u64,
        own: Option<Time>,
        _: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Time, DocumentId) -> bool,
    ) {
        write(&mut self.0, own.unwrap_or(Time::from_millis(0)), DocumentId::from_bytes([0; 16]));
    }
}

/// Elasticsearch refuses a document that has a member twice.
fn check_names(document: &[u8]) {
    struct Names(Vec<String>);
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Vec<String>, A::Error> {
            while let Some((name, IgnoredAny)) = members.next_entry()? {
                self.0.push(name);
            }
            Ok(self.0)
        }
    }
    let read = serde_json::Deserializer::from_slice(document).deserialize_map(Names(Vec::new()));
    let names = read.expect("an object");
    let different: HashSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "one is there twice: {names:?}");
}
