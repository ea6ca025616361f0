//! Traefik's access log in its common form, which has four values more than combined has
//! (<https://doc.traefik.io/traefik/observe/logs-and-access-logs/>): `… 7 "router@file" "http://10.0.0.1:80" 2ms`.

use crate::access::{present, read_request, status_code};
use crate::address::Address;
use crate::request::{Request, Texts};
use crate::time::{Calendar, TimeFormat};
use crate::words::{Values, add, failed, number, requested};
use crate::{List, Parse, Parsed};

/// Reads lines of Traefik.
#[derive(Debug)]
pub struct TraefikParser;

const PROBLEM: &str = "expected client - user [time] \"request\" status size \"referrer\" \"user agent\" count \"router\" \"server\" 2ms, as Traefik's common format has them";

impl Parse for TraefikParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let values = Values::of(line);
        let time = calendar.read(TimeFormat::Clf, values.at(3));
        let [
            client,
            _,
            user,
            _,
            request,
            status,
            size,
            referrer,
            agent,
            count,
            router,
            server,
            taken,
        ] = values.list()
        else {
            return failed(time, PROBLEM);
        };
        let nanos = taken
            .strip_suffix(b"ms")
            .and_then(number)
            .and_then(|millis| millis.checked_mul(1_000_000));
        let is_line = time.is_some() && nanos.is_some();
        let count = number(count);
        if !is_line || count.is_none() && values.at(9) != b"-" {
            return failed(time, PROBLEM);
        }
        let mut fields = Request { texts: Texts::Escaped, ..Request::default() };
        let address = Address::read(client);
        (fields.client_port, fields.client) = (address.port, present(client).map(|_| address));
        fields.user = present(user);
        read_request(request, &mut fields);
        let mut problem = None;
        match present(status).map(status_code) {
            Some(Ok(status)) => fields.status = Some(status),
            Some(Err(wrong)) => problem = Some(wrong),
            None => {}
        }
        fields.bytes = present(size).and_then(number);
        fields.referrer = present(referrer);
        fields.user_agent = present(agent);
        fields.duration_nanos = nanos;
        fields.more |= !values.rest.is_empty();
        if let Some(count) = count {
            others.add("traefik.access.request_count", count);
        }
        add(others, "traefik.access.router_name", present(router).unwrap_or_default());
        add(others, "traefik.access.backend_url", present(server).unwrap_or_default());
        requested(time, fields, problem)
    }
}
