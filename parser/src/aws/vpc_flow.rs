//! Flow logs of networks: by the line that names the columns, or the fourteen of version 2
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>).

use super::{number, put_all, text, times};
use crate::access::plan::{Row, What};
use crate::access::present;
use crate::fields::Name;
use crate::time::Calendar;
use crate::words::{Values, failed, requested};
use crate::{List, Parse, Parsed, Preface};

/// Reads flow logs.
#[derive(Debug)]
pub struct VpcFlowParser {
    columns: Vec<What>,
    /// The number of the protocol.
    protocol: Option<usize>,
    action: Option<usize>,
}

/// The columns of version 2.
const DEFAULT: &[u8] = b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

const PROBLEM: &str =
    "expected as many values as columns: a line that names them, or the 14 of version 2";

impl VpcFlowParser {
    /// Of files without a line that names the columns, until there is one.
    pub fn new() -> Self {
        Self::of_columns(DEFAULT)
    }

    fn of_columns(names: &[u8]) -> Self {
        let names: Vec<&[u8]> = names.split(|byte| *byte == b' ').collect();
        let place = |wanted: &[u8]| names.iter().position(|name| *name == wanted);
        let (protocol, action) = (place(b"protocol"), place(b"action"));
        Self { columns: names.iter().map(|name| column(name)).collect(), protocol, action }
    }
}

/// Longer lines name no columns: each line would have the names in its document.
const LONGEST_HEADER: usize = 1024;

/// Whether a line names columns, of which the addresses are some.
pub fn is_header(line: &[u8]) -> bool {
    if line.len() > LONGEST_HEADER {
        return false;
    }
    let mut names = line.split(|byte| *byte == b' ');
    let is_name = |name: &[u8]| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-')
    };
    let mut has_address = false;
    names.all(|name| {
        has_address |= matches!(name, b"srcaddr" | b"pkt-srcaddr" | b"interface-id");
        is_name(name)
    }) && has_address
}

fn column(name: &[u8]) -> What {
    match name {
        b"srcaddr" => What::Client,
        b"dstaddr" => What::Server,
        b"srcport" => What::ClientPort,
        b"dstport" => What::ServerPort,
        b"account-id" => text("cloud.account.id"),
        b"instance-id" => text("cloud.instance.id"),
        b"region" => text("cloud.region"),
        b"az-id" => text("cloud.availability_zone"),
        b"flow-direction" => text("network.direction"),
        b"protocol" => text("network.iana_number"),
        b"packets" => number("network.packets"),
        b"bytes" => number("network.bytes"),
        b"start" => What::Moment("event.start".into(), times("unix")),
        b"end" => What::Time(times("unix")),
        // It is added in lower case.
        b"action" => What::Nothing,
        b"tcp-flags" => number("aws.vpcflow.tcp_flags"),
        _ => {
            let name = String::from_utf8_lossy(name).replace('-', "_");
            What::Text(Name::cleaned("aws.vpcflow", &name))
        }
    }
}

/// Names of protocols by their numbers
/// (<https://www.iana.org/assignments/protocol-numbers/protocol-numbers.xhtml>).
fn transport(number: &[u8]) -> Option<&'static str> {
    Some(match number {
        b"1" => "icmp",
        b"6" => "tcp",
        b"17" => "udp",
        b"47" => "gre",
        b"50" => "esp",
        b"58" => "ipv6-icmp",
        b"132" => "sctp",
        _ => return None,
    })
}

impl Parse for VpcFlowParser {
    fn preface(&self) -> Preface {
        Preface::Header
    }

    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        if is_header(line) {
            *self = Self::of_columns(line);
            return Parsed::Directive;
        }
        let values = Values::of(line);
        if values.list().len() != self.columns.len() {
            return failed(None, PROBLEM);
        }
        let mut row = Row::default();
        put_all(&self.columns, &values, calendar, &mut row, others);
        if let Some(name) = self.protocol.and_then(|place| transport(values.at(place))) {
            others.add("network.transport", name);
        }
        if let Some(action) = self.action.and_then(|place| present(values.at(place))) {
            others.add("event.action", action.to_ascii_lowercase());
        }
        let Row { fields, time, problem } = row;
        requested(time, fields, problem)
    }
}
