//! LEEF: `LEEF:2.0|Vendor|Product|1.0|100|^|src=192.0.2.7^sev=5`, of which version 1 has tabs between the pairs
//! (<https://www.ibm.com/docs/en/dsm?topic=overview-leef-event-components>).

use std::borrow::Cow;

use super::{Keys, behind_syslog};
use crate::time::{Calendar, TimeRule};
use crate::words::{add, failed, listed, split_once};
use crate::{List, Parse, Parsed};

/// Reads events in LEEF.
#[derive(Debug)]
pub struct LeefParser {
    times: TimeRule,
}

impl LeefParser {
    /// Of events whose times are as `times` says.
    pub fn with(times: TimeRule) -> Self {
        Self { times }
    }
}

const PROBLEM: &str = "expected LEEF:1.0|vendor|product|version|event| and pairs with tabs between them, or LEEF:2.0 with another character";

/// Whatever `devTimeFormat` says: its forms are those that are read anyway, or the time stays a text.
const KEYS: Keys = Keys {
    source: &[b"src"],
    destination: &[b"dst"],
    time: b"devTime",
    number: number_field,
    text: field,
    prefix: "leef.extensions",
    plain: |text| Cow::Borrowed(text),
};

impl Parse for LeefParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let Some((told, event)) = behind_syslog(calendar, line, b"LEEF:", others) else {
            return failed(None, PROBLEM);
        };
        let Some((separator, pairs)) = add_header(event, others) else {
            return failed(None, PROBLEM);
        };
        let mut time = None;
        let mut is_odd = false;
        for pair in pairs.split(|byte| *byte == separator).filter(|pair| !pair.is_empty()) {
            match split_once(pair, b'=') {
                Some((key, value)) => {
                    let pair = (key.trim_ascii(), value);
                    KEYS.put(pair, (calendar, &self.times), &mut time, others);
                }
                None => is_odd = true,
            }
        }
        let time =
            time.or_else(|| told.and_then(|told| calendar.settle(told, self.times.zone.as_ref())));
        if is_odd {
            return failed(time, "a part of the event is no pair such as src=192.0.2.7");
        }
        listed(time)
    }
}

/// Adds what the header says; what stands between pairs, and the pairs.
fn add_header<'a>(event: &'a [u8], others: &mut List<'a>) -> Option<(u8, &'a [u8])> {
    let (version, mut rest) = split_once(event, b'|')?;
    if !matches!(version, b"1.0" | b"2.0") {
        return None;
    }
    others.add("leef.version", version);
    for name in ["observer.vendor", "observer.product", "observer.version", "event.code"] {
        let (value, behind) = split_once(rest, b'|')?;
        add(others, name, value);
        rest = behind;
    }
    if version == b"1.0" {
        return Some((b'\t', rest));
    }
    // The character may be left out, or be written as x09 or 0x09.
    let short = rest.get(..6).unwrap_or(rest);
    let Some((character, _)) = split_once(short, b'|') else { return Some((b'\t', rest)) };
    let rest = rest.get(character.len() + 1..)?;
    let code = character.strip_prefix(b"0x").or_else(|| character.strip_prefix(b"x"));
    let code = code.and_then(|code| std::str::from_utf8(code).ok());
    match (character, code) {
        (b"", _) => Some((b'\t', rest)),
        ([one], _) => Some((*one, rest)),
        (_, Some(code)) => Some((u8::from_str_radix(code, 16).ok()?, rest)),
        _ => None,
    }
}

/// The field that the text of a key is, as it stands.
fn field(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"usrName" => "user.name",
        b"url" => "url.original",
        b"srcMAC" => "source.mac",
        b"dstMAC" => "destination.mac",
        b"domain" => "user.domain",
        _ => return None,
    })
}

fn number_field(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"srcPort" => "source.port",
        b"dstPort" => "destination.port",
        b"srcBytes" => "source.bytes",
        b"dstBytes" => "destination.bytes",
        b"srcPackets" => "source.packets",
        b"dstPackets" => "destination.packets",
        b"totalPackets" => "network.packets",
        b"sev" => "event.severity",
        _ => return None,
    })
}
