//! Squid's native access log (<https://wiki.squid-cache.org/Features/LogFormat>): `1771236000.123    921
//! 192.0.2.7 TCP_MISS/200 507 GET http://e.example/a - HIER_DIRECT/10.0.0.1 text/html`.

use memchr::memmem;

use crate::access::{parse_number, present, status_code};
use crate::address::Address;
use crate::request::{Request, Texts};
use crate::time::{Calendar, TimeFormat};
use crate::words::{Values, add, failed, requested, split_once};
use crate::{List, Parse, Parsed};

/// Reads lines of Squid.
#[derive(Debug)]
pub struct SquidParser;

const PROBLEM: &str = "expected time, milliseconds, client, result/status, size, method, URL, user, hierarchy/peer and type, as Squid's native format has them";

impl Parse for SquidParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let values = Values::of(line);
        // Numbers of seconds with three decimals: other numbers are no times.
        let has_decimals = split_once(values.at(0), b'.').is_some_and(|(_, rest)| rest.len() == 3);
        let time = calendar.read(TimeFormat::Seconds, values.at(0)).filter(|_| has_decimals);
        let [_, millis, client, result, size, method, target, user, hierarchy, kind] =
            values.list().get(..10).unwrap_or_default()
        else {
            return failed(time, PROBLEM);
        };
        let millis = parse_number(millis);
        let (Some(_), Some(millis), Some((result, status)), Some(size), Some((hierarchy, peer))) = (
            time,
            millis,
            split_once(result, b'/'),
            parse_number(size),
            split_once(hierarchy, b'/'),
        ) else {
            return failed(time, PROBLEM);
        };
        let mut fields = Request { texts: Texts::Literal, ..Request::default() };
        let address = Address::read(client);
        (fields.client_port, fields.client) = (address.port, present(client).map(|_| address));
        let status = status_code(status);
        fields.status = status.ok();
        fields.response_bytes = Some(size);
        fields.duration_nanos = millis.checked_mul(1_000_000);
        // Where no request came, or one that was none, both are what the error is called.
        if *method != b"NONE" && *method != b"-" {
            fields.method = Some(method);
        }
        fields.target = present(target);
        fields.scheme =
            target.get(..memmem::find(target.get(..12).unwrap_or(target), b"://").unwrap_or(0));
        fields.scheme = fields.scheme.filter(|scheme| !scheme.is_empty());
        fields.user = present(user);
        others.add("squid.result_code", result);
        others.add("squid.hierarchy_code", hierarchy);
        if let Some(peer) = present(peer) {
            let peer = Address::read(peer);
            (fields.server_port, fields.server) = (peer.port, Some(peer));
        }
        add(others, "http.response.mime_type", present(kind).unwrap_or_default());
        fields.more |= values.list().len() > 10 || !values.rest.is_empty();
        requested(time, fields, status.err())
    }
}
