//! Envoy's default text (<https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage>),
//! and Istio's, which has more.

use crate::access::{present, read_request, status_code};
use crate::address::Address;
use crate::request::{Request, Texts};
use crate::time::{Calendar, TimeFormat};
use crate::words::{Values, add, failed, number, requested};
use crate::{List, Parse, Parsed};

/// Reads lines of Envoy.
#[derive(Debug)]
pub struct EnvoyParser;

const PROBLEM: &str = "expected [time] \"request\" status flags sizes duration and what follows, as Envoy's default format has them";

/// Where values stand: Envoy's own format, and Istio's.
struct Places {
    received: usize,
    agent: usize,
    least: usize,
}

const OWN: Places = Places { received: 4, agent: 9, least: 13 };
const ISTIO: Places = Places { received: 7, agent: 12, least: 16 };

impl Parse for EnvoyParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        // Nothing is escaped, and clients choose what stands in quotes.
        let values = Values::literal(line);
        let time = calendar.read(TimeFormat::Iso, values.at(0));
        if time.is_none() || !line.starts_with(b"[") {
            return failed(None, PROBLEM);
        }
        let is_own = number(values.at(4)).is_some();
        let places = if is_own { OWN } else { ISTIO };
        let numbers = |at: usize| number(values.at(places.received + at));
        let (Some(received), Some(sent), Some(taken)) = (numbers(0), numbers(1), numbers(2)) else {
            return failed(time, PROBLEM);
        };
        // With more, a quote of a client ended a value.
        let count = values.list().len();
        let is_whole = if is_own { count == places.least } else { count == 16 || count == 22 };
        if !is_whole || !values.rest.is_empty() {
            return failed(time, PROBLEM);
        }
        let value = |at: usize| present(values.at(at));
        let mut fields = Request { texts: Texts::Literal, ..Request::default() };
        read_envoy_request(values.at(1), &mut fields);
        let mut problem = None;
        match status_code(values.at(2)) {
            Ok(status) => fields.status = Some(status),
            Err(wrong) => problem = Some(wrong),
        }
        add(others, "envoy.response_flags", value(3).unwrap_or_default());
        fields.request_bytes = Some(received);
        fields.bytes = Some(sent);
        fields.duration_nanos = taken.checked_mul(1_000_000);
        if let Some(millis) = numbers(3) {
            others.add("envoy.upstream_service_time", millis);
        }
        if let Some(list) = value(places.received + 4) {
            fields.more |= !fields.take_forwarded(list);
        }
        fields.user_agent = value(places.agent);
        add(others, "http.request.id", value(places.agent + 1).unwrap_or_default());
        fields.host = value(places.agent + 2);
        add(others, "envoy.upstream_host", value(places.agent + 3).unwrap_or_default());
        fields.more |= fields.hides_a_host();
        if !is_own {
            add_istio(&values, &mut fields, others);
        }
        requested(time, fields, problem)
    }
}

/// `GET /a HTTP/2`; a connection that was none of HTTP has three dashes.
fn read_envoy_request<'a>(request: &'a [u8], fields: &mut Request<'a>) {
    if request.iter().all(|byte| matches!(byte, b'-' | b' ')) {
        return;
    }
    // What was not understood of a request: `- - HTTP/1.1`.
    if let Some(version) = request.strip_prefix(b"- - HTTP/") {
        fields.version = Some(version);
        return;
    }
    read_request(request, fields);
}

/// What Istio adds.
fn add_istio<'a>(values: &Values<'a>, fields: &mut Request<'a>, others: &mut List<'a>) {
    let value = |at: usize| present(values.at(at)).unwrap_or_default();
    for (at, name) in [
        (4, "envoy.response_code_details"),
        (5, "envoy.connection_termination_details"),
        (6, "envoy.upstream_transport_failure_reason"),
        (16, "envoy.upstream_cluster"),
        (17, "envoy.upstream_local_address"),
        (20, "tls.client.server_name"),
        (21, "envoy.route_name"),
    ] {
        add(others, name, value(at));
    }
    let (local, remote) = (Address::read(value(18)), Address::read(value(19)));
    if remote.is_ip() {
        (fields.client_port, fields.client) = (remote.port, Some(remote));
    }
    if local.is_ip() {
        (fields.server_port, fields.server) = (local.port, Some(local));
    }
}
