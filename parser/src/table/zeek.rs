//! Zeek's logs (<https://docs.zeek.org/en/current/log-formats.html#zeek-tsv-format-logs>): lines with `#` say
//! what stands between values, how columns are called and of which type they are.

use std::borrow::Cow;
use std::mem;

use crate::access::plan::{Row, What};
use crate::fields::{Name, Value};
use crate::request::Texts;
use crate::time::{Calendar, TimeRule};
use crate::words::{failed, number, requested};
use crate::{List, Parse, Parsed, Preface};

/// Reads Zeek's logs.
#[derive(Debug)]
pub struct ZeekParser {
    separator: Vec<u8>,
    set_separator: Vec<u8>,
    empty: Vec<u8>,
    unset: Vec<u8>,
    path: String,
    names: Vec<String>,
    types: Vec<String>,
    columns: Vec<Column>,
}

/// What a column becomes.
#[derive(Debug)]
enum Column {
    Known(What),
    Float(Name<'static>),
    Number(Name<'static>),
    Bool(Name<'static>),
    Set(Name<'static>),
    Text(Name<'static>),
}

/// So many columns are read, and so many bytes of their names: each document has them.
const MOST_COLUMNS: usize = 200;
const MOST_BYTES: usize = 4096;

/// The directives that lines are read by.
const DIRECTIVES: &[&str] =
    &["#separator", "#set_separator", "#empty_field", "#unset_field", "#path", "#fields", "#types"];

impl ZeekParser {
    /// What Zeek writes where nothing else is said.
    pub fn new() -> Self {
        Self {
            separator: b"\t".to_vec(),
            set_separator: b",".to_vec(),
            empty: b"(empty)".to_vec(),
            unset: b"-".to_vec(),
            path: String::new(),
            names: Vec::new(),
            types: Vec::new(),
            columns: Vec::new(),
        }
    }

    fn follow(&mut self, directive: &[u8]) {
        if let Some(text) = directive.strip_prefix(b"separator ") {
            let separator = unescaped(text).into_owned();
            if !separator.is_empty() {
                self.separator = separator;
            }
            return;
        }
        let directive = directive.get(..MOST_BYTES).unwrap_or(directive);
        let separator = self.separator.clone();
        let mut values = split(directive, &separator);
        let name = values.next().unwrap_or_default();
        let texts = |values: &mut dyn Iterator<Item = &[u8]>| {
            values
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .take(MOST_COLUMNS)
                .collect::<Vec<String>>()
        };
        let first = |values: &mut dyn Iterator<Item = &[u8]>| {
            values.next().filter(|value| !value.is_empty()).map(<[u8]>::to_vec)
        };
        match name {
            b"set_separator" => {
                self.set_separator =
                    first(&mut values).unwrap_or(mem::take(&mut self.set_separator));
            }
            b"empty_field" => self.empty = first(&mut values).unwrap_or_default(),
            b"unset_field" => self.unset = first(&mut values).unwrap_or_default(),
            b"path" => {
                self.path = texts(&mut values).into_iter().next().unwrap_or_default();
                self.set_columns();
            }
            b"fields" => {
                self.names = texts(&mut values);
                self.set_columns();
            }
            b"types" => {
                self.types = texts(&mut values);
                self.set_columns();
            }
            _ => {}
        }
    }

    fn set_columns(&mut self) {
        let kind = |at: usize| self.types.get(at).map_or("string", String::as_str);
        let column = |(at, name): (usize, &String)| column(&self.path, name, kind(at));
        self.columns = self.names.iter().enumerate().map(column).collect();
    }
}

/// What stands between separators.
fn split<'a>(text: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match crate::words::split_at_text(text, separator) {
            Some((value, behind)) => {
                rest = Some(behind);
                Some(value)
            }
            None => rest.take(),
        }
    })
}

/// The field that a column is in logs of every kind, and in those of connections, requests, names and TLS.
fn column(path: &str, name: &str, kind: &str) -> Column {
    let text = |field: &'static str| Column::Known(What::Text(field.into()));
    let number = |field: &'static str| Column::Known(What::Number(field.into()));
    match (path, name) {
        (_, "ts") => {
            let seconds = TimeRule::of_form("unix", None).unwrap_or_default();
            Column::Known(What::Time(seconds))
        }
        (_, "uid") => text("event.id"),
        (_, "id.orig_h") => Column::Known(What::Client),
        (_, "id.orig_p") => Column::Known(What::ClientPort),
        (_, "id.resp_h") => Column::Known(What::Server),
        (_, "id.resp_p") => Column::Known(What::ServerPort),
        (_, "proto") => text("network.transport"),
        (_, "community_id") => text("network.community_id"),
        ("conn", "service") => text("network.protocol"),
        ("conn", "duration") => Column::Known(What::Duration(1_000_000_000)),
        // With what carries them: the others are of the payload alone, and are guessed from sequence numbers.
        ("conn", "orig_ip_bytes") => number("source.bytes"),
        ("conn", "resp_ip_bytes") => number("destination.bytes"),
        ("conn", "orig_l2_addr") => text("source.mac"),
        ("conn", "resp_l2_addr") => text("destination.mac"),
        ("conn", "orig_pkts") => number("source.packets"),
        ("conn", "resp_pkts") => number("destination.packets"),
        ("http", "method") => Column::Known(What::Method),
        ("http", "host") => Column::Known(What::Host),
        ("http", "uri") => Column::Known(What::Target),
        ("http", "referrer") => Column::Known(What::Referrer),
        ("http", "version") => text("http.version"),
        ("http", "user_agent") => Column::Known(What::UserAgent),
        ("http", "status_code") => Column::Known(What::Status),
        ("http", "request_body_len") => number("http.request.body.bytes"),
        ("http", "response_body_len") => Column::Known(What::BodyBytes),
        ("http", "username") => Column::Known(What::User),
        _ => of_protocols(path, name).unwrap_or_else(|| own(path, name, kind)),
    }
}

/// The field that a column is in logs of names, files and TLS.
fn of_protocols(path: &str, name: &str) -> Option<Column> {
    let text = |field: &'static str| Column::Known(What::Text(field.into()));
    let number = |field: &'static str| Column::Known(What::Number(field.into()));
    Some(match (path, name) {
        ("dns", "query") => text("dns.question.name"),
        ("dns", "qtype_name") => text("dns.question.type"),
        ("dns", "qclass_name") => text("dns.question.class"),
        ("dns", "rcode_name") => text("dns.response_code"),
        ("dns", "trans_id") => text("dns.id"),
        ("files", "mime_type") => text("file.mime_type"),
        ("files", "filename") => text("file.name"),
        ("files", "total_bytes") => number("file.size"),
        ("files", "md5") => text("file.hash.md5"),
        ("files", "sha1") => text("file.hash.sha1"),
        ("files", "sha256") => text("file.hash.sha256"),
        ("ssl", "ja3") => text("tls.client.ja3"),
        ("ssl", "ja3s") => text("tls.server.ja3s"),
        ("ssl", "version") => Column::Known(What::TlsVersion),
        ("ssl", "cipher") => text("tls.cipher"),
        ("ssl", "curve") => text("tls.curve"),
        ("ssl", "server_name") => text("tls.client.server_name"),
        ("ssl", "next_protocol") => text("tls.next_protocol"),
        _ => return None,
    })
}

/// A column that has no place in ECS, by its type.
fn own(path: &str, name: &str, kind: &str) -> Column {
    let object = if path.is_empty() { "zeek".to_owned() } else { format!("zeek.{path}") };
    let named = Name::new(format!("{object}.{name}"));
    let field = named.unwrap_or_else(|| Name::cleaned("zeek", name));
    match kind {
        "count" | "int" | "port" => Column::Number(field),
        "double" | "interval" => Column::Float(field),
        "bool" => Column::Bool(field),
        _ if kind.starts_with("set[") || kind.starts_with("vector[") => Column::Set(field),
        _ => Column::Text(field),
    }
}

impl Parse for ZeekParser {
    fn preface(&self) -> Preface {
        Preface::Directives(DIRECTIVES)
    }

    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if let Some(directive) = line.strip_prefix(b"#") {
            self.follow(directive);
            return Parsed::Directive;
        }
        if self.columns.is_empty() {
            return failed(None, "no #fields line before this one");
        }
        if split(line, &self.separator).take(MOST_COLUMNS + 1).count() != self.columns.len() {
            return failed(None, "the line has not as many values as #fields names");
        }
        let mut row = Row::default();
        for (column, value) in self.columns.iter().zip(split(line, &self.separator)) {
            if value == self.unset {
                continue;
            }
            let added = match column {
                Column::Known(what) => what.put(calendar, value, &mut row, others),
                column => self.put(column, value, others),
            };
            if let Err(problem) = added {
                row.problem = row.problem.or(Some(problem));
            }
        }
        let Row { mut fields, time, problem } = row;
        // `\x09` stands for a tab, as access logs have it.
        fields.texts = Texts::Escaped;
        requested(time, fields, problem)
    }
}

impl ZeekParser {
    fn put<'a>(
        &'a self,
        column: &'a Column,
        value: &'a [u8],
        others: &mut List<'a>,
    ) -> Result<(), &'static str> {
        let float = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok());
        let value: (&Name<'static>, Value<'a>) = match column {
            Column::Float(name) => {
                (name, float().ok_or("a value that is a number by #types is none")?.into())
            }
            Column::Number(name) => match number(value) {
                Some(number) => (name, number.into()),
                None => (name, unescaped(value).into()),
            },
            Column::Bool(name) => match value {
                b"T" => (name, true.into()),
                b"F" => (name, false.into()),
                _ => (name, unescaped(value).into()),
            },
            Column::Set(_) | Column::Text(_) if value == self.empty => return Ok(()),
            Column::Set(name) => {
                let values = split(value, &self.set_separator).take(List::MOST);
                (name, values.map(|value| Value::from(unescaped(value))).collect::<Vec<_>>().into())
            }
            Column::Text(name) => (name, unescaped(value).into()),
            Column::Known(_) => return Ok(()),
        };
        others.add(value.0.borrowed(), value.1);
        Ok(())
    }
}

/// `\x09` and its like as what they stand for.
fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    crate::text::unescaped(value)
}
