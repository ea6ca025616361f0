//! Elasticsearch and `OpenSearch`: JSON as their versions write it, text as older ones do, slow logs, and
//! what the virtual machine says of its memory
//! (<https://www.elastic.co/docs/deploy-manage/monitor/logging-configuration/elasticsearch-log4j-configuration-self-managed>).

use jiff::tz::TimeZone;
use memchr::memmem;

use crate::json::JsonParser;
use crate::level;
use crate::time::{Calendar, TimeRule};
use crate::words::{add, failed, inside, listed, number, split_once, text_only, trim_start};
use crate::{List, Parse, Parsed};

/// Reads lines of Elasticsearch.
#[derive(Debug)]
pub struct ElasticsearchParser {
    json: JsonParser,
    zone: Option<TimeZone>,
}

impl ElasticsearchParser {
    /// Of lines whose times are as `times` says.
    pub fn with(times: TimeRule) -> Self {
        Self { zone: times.zone.clone(), json: JsonParser::with(times) }
    }
}

/// Whether a line begins an event: traces stand below.
pub fn begins(line: &[u8]) -> bool {
    matches!(line, [b'[', b'0'..=b'9', ..] | [b'{', ..])
}

impl Parse for ElasticsearchParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if line.starts_with(b"{") {
            return self.json.parse(calendar, line, others);
        }
        if !begins(line) {
            return text_only();
        }
        let Some((told, rest)) = line.get(1..).and_then(|text| calendar.split_time(text)) else {
            return failed(None, "expected a time in brackets, such as [2026-02-26T10:00:00,123]");
        };
        let time = calendar.settle(told, self.zone.as_ref());
        let read = || {
            let (first, rest) = inside(rest.strip_prefix(b"]")?, b'[', b']')?;
            Some((first, inside(rest, b'[', b']')?))
        };
        let Some((first, (second, rest))) = read() else {
            return failed(time, "expected a level and a component in brackets behind the time");
        };
        // `[2026-02-26T10:00:00.123+0000][10][gc,heap] text`
        if let Some(process) = number(first) {
            others.add("process.pid", process);
            return add_gc(second, rest, time, others);
        }
        let component = second.trim_ascii();
        level::add(others, first.trim_ascii());
        add(others, "log.logger", component);
        let mut message = trim_start(rest);
        if let Some((node, rest)) = inside(message, b'[', b']') {
            add(others, "elasticsearch.node.name", node);
            message = trim_start(rest);
        }
        if is_slow(component) {
            add_slow(message, others);
        }
        add(others, "message", message);
        listed(time)
    }
}

/// Whether it is the logger of a slow log, whose name newer versions shorten.
fn is_slow(component: &[u8]) -> bool {
    matches!(component, b"i.s.s.query" | b"i.s.s.fetch" | b"i.i.s.index")
        || memmem::find(component, b"slowlog").is_some()
}

fn add_gc<'a>(
    first: &'a [u8],
    rest: &'a [u8],
    time: Option<crate::Time>,
    others: &mut List<'a>,
) -> Parsed<'a> {
    let mut tags = first;
    let mut rest = rest;
    // A level may stand before the tags.
    if let Some((inside, behind)) = inside(rest, b'[', b']') {
        level::add(others, first.trim_ascii());
        (tags, rest) = (inside, behind);
    }
    add(others, "log.logger", tags.trim_ascii());
    add(others, "message", trim_start(rest));
    listed(time)
}

/// `[index][0] took[4.5ms], took_millis[4], total_hits[1 hits], source[{…}], id[…]`
fn add_slow<'a>(message: &'a [u8], others: &mut List<'a>) {
    let mut rest = message;
    let Some((index, behind)) = inside(rest, b'[', b']') else { return };
    // Behind the name, older versions write its id: `[index/Ax3…]`.
    let name = split_once(index, b'/').map_or(index, |(name, _)| name);
    add(others, "elasticsearch.index.name", name);
    rest = behind;
    if let Some((shard, behind)) = inside(rest, b'[', b']') {
        add(others, "elasticsearch.shard.id", shard);
        rest = behind;
    }
    rest = trim_start(rest);
    while let Some((name, value)) = split_once(rest, b'[') {
        let Some(name) = name_of(name) else { return };
        // A source is JSON, in which brackets stand: it ends where the next name begins.
        let Some((value, behind)) = split_at_name(value) else { return };
        if name == "elasticsearch.slowlog.took_millis" {
            if let Some(nanos) = number(value).and_then(|millis| millis.checked_mul(1_000_000)) {
                others.add("event.duration", nanos);
            }
        } else {
            add(others, name, value);
        }
        rest = trim_start(behind);
    }
}

/// What stands before the bracket behind which another name begins, or the last one of the line. `None` where
/// that name begins again: who searches may have written it.
fn split_at_name(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut found: Option<(usize, &str)> = None;
    for at in memmem::find_iter(value, b"], ") {
        let behind = value.get(at + 3..)?;
        let name = behind.get(..LONGEST_NAME).unwrap_or(behind);
        let Some(name) = split_once(name, b'[').and_then(|(name, _)| name_of(name)) else {
            continue;
        };
        match found {
            Some((_, known)) if known == name => return None,
            Some(_) => {}
            None => found = Some((at, name)),
        }
    }
    if let Some((at, _)) = found {
        return Some((value.get(..at)?, value.get(at + 3..)?));
    }
    let at = memchr::memrchr(b']', value)?;
    Some((value.get(..at)?, value.get(at + 1..)?))
}

/// No name of a slow log and its bracket are longer.
const LONGEST_NAME: usize = 16;

fn name_of(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"took" => "elasticsearch.slowlog.took",
        b"took_millis" => "elasticsearch.slowlog.took_millis",
        b"total_hits" => "elasticsearch.slowlog.total_hits",
        b"types" | b"type" => "elasticsearch.slowlog.types",
        b"stats" => "elasticsearch.slowlog.stats",
        b"search_type" => "elasticsearch.slowlog.search_type",
        b"total_shards" => "elasticsearch.slowlog.total_shards",
        b"source" => "elasticsearch.slowlog.source_query",
        b"extra_source" => "elasticsearch.slowlog.extra_source",
        b"routing" => "elasticsearch.slowlog.routing",
        b"id" => "elasticsearch.slowlog.id",
        _ => return None,
    })
}
