//! Load balancers: application, network (TLS) and classic
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>).

use memchr::memmem;

use super::{number, put_all, text, times};
use crate::access::plan::{Row, What};
use crate::time::{Calendar, TimeFormat};
use crate::words::{Values, failed, nanos_of, requested};
use crate::{List, Parse, Parsed};

/// Reads lines of load balancers.
#[derive(Debug)]
pub struct ElbParser {
    application: Vec<What>,
    network: Vec<What>,
    classic: Vec<What>,
}

const PROBLEM: &str = "expected the columns of a load balancer's access log, such as https 2026-02-26T10:00:00.1Z app/x/y 192.0.2.7:4711 …, or the time first";

impl ElbParser {
    /// The columns of all kinds.
    pub fn new() -> Self {
        let shared = [
            text("aws.elb.name"),
            What::Client,
            What::Addresses {
                list: "aws.elb.backend.address".into(),
                ip: "aws.elb.backend.ip".into(),
                port: "aws.elb.backend.port".into(),
            },
            What::Float("aws.elb.request_processing_time.sec".into()),
            What::Float("aws.elb.backend_processing_time.sec".into()),
            What::Float("aws.elb.response_processing_time.sec".into()),
            What::Status,
            number("aws.elb.backend.http.response.status_code"),
            What::RequestBytes,
            What::ResponseBytes,
            What::Request,
            What::UserAgent,
            text("tls.cipher"),
            What::TlsVersion,
        ];
        let mut application = vec![text("aws.elb.type"), What::Time(times("iso8601"))];
        let mut classic = vec![What::Time(times("iso8601"))];
        application.extend(shared.clone());
        classic.extend(shared);
        application.extend([
            text("aws.elb.target_group.arn"),
            text("aws.elb.trace_id"),
            text("tls.client.server_name"),
            text("aws.elb.chosen_cert.arn"),
            number("aws.elb.matched_rule_priority"),
            What::Moment("event.start".into(), times("iso8601")),
            What::List("aws.elb.action_executed".into()),
            text("aws.elb.redirect_url"),
            text("aws.elb.error.reason"),
            What::List("aws.elb.target_port".into()),
            What::List("aws.elb.target_status_code".into()),
            text("aws.elb.classification"),
            text("aws.elb.classification_reason"),
            text("aws.elb.connection_trace_id"),
        ]);
        Self { application, network: network(), classic }
    }
}

/// The columns of a network load balancer's listener with TLS.
fn network() -> Vec<What> {
    vec![
        text("aws.elb.type"),
        text("aws.elb.version"),
        What::Time(times("iso8601")),
        text("aws.elb.name"),
        text("aws.elb.listener"),
        What::Client,
        What::Addresses {
            list: "aws.elb.backend.address".into(),
            ip: "aws.elb.backend.ip".into(),
            port: "aws.elb.backend.port".into(),
        },
        What::Duration(1_000_000),
        number("aws.elb.tls_handshake_time.ms"),
        What::RequestBytes,
        What::ResponseBytes,
        text("aws.elb.incoming_tls_alert"),
        text("aws.elb.chosen_cert.arn"),
        text("aws.elb.chosen_cert.serial"),
        text("tls.cipher"),
        What::TlsVersion,
        text("tls.curve"),
        text("tls.client.server_name"),
        text("tls.next_protocol"),
        text("aws.elb.backend.alpn_protocol"),
        What::List("aws.elb.alpn_client_preference".into()),
        What::Moment("event.start".into(), times("iso8601")),
    ]
}

/// Where the first of the three timers is, of an application load balancer.
const TIMERS: usize = 5;

impl Parse for ElbParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let values = Values::of(line);
        let (columns, time_at, least) = match values.at(0) {
            b"http" | b"https" | b"h2" | b"grpcs" | b"grpc" | b"ws" | b"wss" => {
                (&self.application, 1, 13)
            }
            b"tls" => (&self.network, 2, 16),
            _ => (&self.classic, 0, 12),
        };
        let time = calendar.tell(TimeFormat::IsoLocal, values.at(time_at));
        // Behind what a client calls itself, the protocol tells that no quote of it ended a value.
        let protocol = values.at(if time_at == 2 { 15 } else { 14 + time_at });
        let is_protocol = matches!(protocol, b"" | b"-")
            || protocol.get(..3).is_some_and(|name| {
                name.eq_ignore_ascii_case(b"tls") || name.eq_ignore_ascii_case(b"ssl")
            });
        if time.is_none() || values.list().len() < least || !is_protocol {
            return failed(None, PROBLEM);
        }
        let mut row = Row::default();
        put_all(columns, &values, calendar, &mut row, others);
        let Row { mut fields, time, problem } = row;
        if time_at < 2 {
            let timer = |place| nanos_of(values.at(TIMERS - 1 + time_at + place), 1_000_000_000);
            let sum = |all: u64, timer: u64| all.checked_add(timer);
            fields.duration_nanos = timer(0).zip(timer(1)).and_then(|(one, two)| sum(one, two));
            fields.duration_nanos =
                fields.duration_nanos.zip(timer(2)).and_then(|(one, two)| sum(one, two));
            // What no request was has three dashes in its place.
            let is_none = |request: &&[u8]| request.iter().all(|byte| matches!(byte, b'-' | b' '));
            let request = values.list().get(least - 1).filter(|request| is_none(request));
            fields.more &= request.is_none() || values.list().len() > columns.len();
        }
        fields.scheme = fields.target.and_then(|target| {
            target.get(..memmem::find(target.get(..8).unwrap_or(target), b"://")?)
        });
        requested(time, fields, problem)
    }
}
