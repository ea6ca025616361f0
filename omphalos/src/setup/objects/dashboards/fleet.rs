//! How our own programs are, and what they raised.

use super::IS_HEARTBEAT;
use crate::setup::objects::panel::{
    Dashboard, Figure, HALF, HEAD, LIST, Look, SMALL, Split, WIDE, panel,
};
use crate::setup::objects::searches::{ALERTS, HEARTBEATS};

/// Heartbeats of those who have dead letters, or could have.
const HAS_DEAD: &str = "event.dataset:omphalos.fleet AND _exists_:omphalos.heartbeat.books.dead";
const IS_ALERT: &str = "event.dataset:omphalos.alerts";

const READ: Figure = Figure::Most("omphalos.heartbeat.books.read", "Read");
const CONFIRMED: Figure = Figure::Most("omphalos.heartbeat.books.confirmed", "Confirmed");
const SKIPPED: Figure = Figure::Most("omphalos.heartbeat.books.skipped", "Skipped");
const SHIPPING: Figure = Figure::Most("omphalos.heartbeat.books.in_flight", "On the way, at most");
const RECEIVED: Figure = Figure::Most("omphalos.heartbeat.books.received", "Received");
const INDEXED: Figure = Figure::Most("omphalos.heartbeat.books.indexed", "Indexed");
const DUPLICATE: Figure = Figure::Most("omphalos.heartbeat.books.duplicate", "Duplicates");
const DEAD: Figure = Figure::Most("omphalos.heartbeat.books.dead", "Dead letters");

/// Who ships, and whether the books balance.
pub(super) const FLEET: Dashboard = Dashboard {
    id: "fleet",
    title: "Fleet and delivery",
    description: "Who ships and indexes, how far behind, and whether the books balance; from heartbeats.",
    panels: &[
        panel(
            ("head", "Dashboards"),
            Look::Text(
                "From heartbeats. Counts are since the start of each process: `read` is `confirmed` and what is on its way, `received` is `indexed`, `duplicate`, `dead` and what is on its way. Dead letters themselves: `omphalos dead list`.",
            ),
            "",
            HEAD,
        ),
        panel(
            ("hosts", "Hosts"),
            Look::Number(Figure::Different("host.name", "Hosts")),
            IS_HEARTBEAT,
            SMALL,
        ),
        panel(
            ("behind", "Seconds behind, at most"),
            Look::Number(Figure::Most("omphalos.heartbeat.lag_seconds", "Seconds behind")),
            IS_HEARTBEAT,
            SMALL,
        ),
        panel(
            ("unreadable", "Files that cannot be read, of one host"),
            Look::Number(Figure::Most("omphalos.heartbeat.inputs_unreadable", "Files")),
            IS_HEARTBEAT,
            SMALL,
        ),
        panel(("dead", "Dead letters, of one indexer"), Look::Number(DEAD), HAS_DEAD, SMALL),
        panel(
            ("lag-over-time", "Seconds behind, by host"),
            Look::OverTime(
                Figure::Most("omphalos.heartbeat.lag_seconds", "Seconds behind"),
                Some(Split::Terms("host.name", 10)),
            ),
            IS_HEARTBEAT,
            WIDE,
        ),
        panel(
            ("rate-over-time", "Lines per second, by program"),
            Look::OverTime(
                Figure::Average("omphalos.heartbeat.lines_per_second", "Lines per second"),
                Some(Split::Terms("service.name", 5)),
            ),
            IS_HEARTBEAT,
            WIDE,
        ),
        panel(
            ("shippers", "Books of shippers"),
            Look::Top(&[READ, CONFIRMED, SKIPPED, SHIPPING], &[("host.name", 50)]),
            "event.dataset:omphalos.fleet AND _exists_:omphalos.heartbeat.books.read",
            HALF,
        ),
        panel(
            ("indexers", "Books of indexers"),
            Look::Top(&[RECEIVED, INDEXED, DUPLICATE, DEAD, SHIPPING], &[("host.name", 50)]),
            "event.dataset:omphalos.fleet AND _exists_:omphalos.heartbeat.books.received",
            HALF,
        ),
        panel(
            ("versions", "Programs and versions"),
            Look::Top(
                &[
                    Figure::Different("host.name", "Hosts"),
                    Figure::Different("omphalos.heartbeat.config", "Different settings"),
                ],
                &[("service.name", 10), ("service.version", 10)],
            ),
            IS_HEARTBEAT,
            HALF,
        ),
        panel(
            ("problems", "Problems"),
            Look::Top(&[Figure::Count], &[("omphalos.heartbeat.problems", 20), ("host.name", 10)]),
            IS_HEARTBEAT,
            HALF,
        ),
        panel(
            ("dead-over-time", "Dead letters since the start, by host"),
            Look::OverTime(DEAD, Some(Split::Terms("host.name", 10))),
            HAS_DEAD,
            WIDE,
        ),
        panel(("lines", "Heartbeats"), Look::Lines(HEARTBEATS), "", LIST),
    ],
};

/// What was raised.
pub(super) const ALERTS_TOLD: Dashboard = Dashboard {
    id: "alerts",
    title: "Alerts",
    description: "What omphalos watch and omphalos run raised and cleared, where a receiver of the kind elasticsearch writes it.",
    panels: &[
        panel(
            ("head", "Dashboards"),
            Look::Text(
                "Events of alerts, if a receiver writes them to this cluster (`[[receiver]]`, kind `elasticsearch`).",
            ),
            "",
            HEAD,
        ),
        panel(
            ("raised", "Raised"),
            Look::Number(Figure::Count),
            "event.dataset:omphalos.alerts AND event.action:raised",
            SMALL,
        ),
        panel(
            ("cleared", "Cleared"),
            Look::Number(Figure::Count),
            "event.dataset:omphalos.alerts AND event.action:cleared*",
            SMALL,
        ),
        panel(
            ("rules", "Rules"),
            Look::Number(Figure::Different("rule.name", "Rules")),
            IS_ALERT,
            SMALL,
        ),
        panel(
            ("keys", "What they are about"),
            Look::Number(Figure::Different("omphalos.alert.fingerprint", "Alerts")),
            IS_ALERT,
            SMALL,
        ),
        panel(
            ("severities-over-time", "Raised, by severity"),
            Look::OverTime(Figure::Count, Some(Split::Terms("log.level", 5))),
            "event.dataset:omphalos.alerts AND event.action:raised",
            WIDE,
        ),
        panel(
            ("by-rule", "By rule"),
            Look::Top(
                &[Figure::Count, Figure::Most("omphalos.alert.value", "Highest value")],
                &[("rule.name", 20), ("event.action", 5)],
            ),
            IS_ALERT,
            HALF,
        ),
        panel(
            ("by-key", "By what it is about"),
            Look::Top(
                &[Figure::Count],
                &[("omphalos.alert.dimension", 10), ("omphalos.alert.key", 20)],
            ),
            IS_ALERT,
            HALF,
        ),
        panel(("lines", "Events"), Look::Lines(ALERTS), "", LIST),
    ],
};
