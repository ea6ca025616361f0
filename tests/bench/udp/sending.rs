//! The whole shipper as it sends datagrams, beside the same shipper publishing to RabbitMQ.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use omphalos_tests::{Amqp, Server};

use super::drain::Drain;
use super::{ETHERNET, LOOPBACK};
use crate::RUNS;
use crate::measure::{best, cost};
use crate::shipper::shipper;
use crate::table::Table;

/// So many bytes a second are never waited for.
const UNPACED: &str = "4GB";

/// A shipper of `log` over UDP, from its beginning to its end.
pub fn udp_shipper(directory: &Path, log: &Path, to: SocketAddr, keys: Option<&Path>) -> Command {
    let mut command = shipper(directory, log);
    command.args(["--udp", &to.to_string()]);
    if let Some(keys) = keys {
        command.arg("--udp-key-file").arg(keys);
    }
    command
}

/// Processor time of the whole shipper, for 1,000,000 documents.
pub fn compare(directory: &Path, log: &Path, keys: &Path, table: &mut Table) {
    let broker = Server::rabbitmq(&directory.join("rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let drain = Drain::start();
    let to_broker = || cost(shipper(directory, log).args(["--amqp-url", &url]));
    let to_drain = |mtu: &str, keys: Option<&Path>| {
        let mut command = udp_shipper(directory, log, drain.address(), keys);
        cost(command.args(["--udp-mtu", mtu, "--udp-rate", UNPACED]))
    };
    // The first publisher declares the queue.
    to_broker();
    let (mut amqp, mut ethernet, mut loopback, mut sealed) = (vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        Amqp::connect(&url).purge("omphalos.index");
        amqp.push(to_broker());
        ethernet.push(to_drain(ETHERNET, None));
        sealed.push(to_drain(ETHERNET, Some(keys)));
        loopback.push(to_drain(LOOPBACK, None));
    }
    let all = [amqp, ethernet, loopback, sealed];
    let [amqp, ethernet, loopback, sealed] = all.map(|costs| best(&costs));
    let mut ratio = |what: &str, ours: f64, theirs: f64, target: &str| {
        let details = format!("{ours:.2} s against {theirs:.2} s for 1,000,000 lines");
        table.ratio(what, ours / theirs, target, &details);
    };
    ratio(
        "the whole shipper over UDP, mtu 1500, CPU, against itself over RabbitMQ",
        ethernet.cpu,
        amqp.cpu,
        "≤ 1.2 ×",
    );
    ratio("the same with the mtu of the loopback", loopback.cpu, amqp.cpu, "");
    ratio("the same over UDP, sealed against not sealed", sealed.cpu, ethernet.cpu, "≤ 1.3 ×");
}
