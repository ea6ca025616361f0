//! What the dashboards show.

mod fleet;
mod security;

use super::panel::{Dashboard, Figure, HALF, HEAD, LIST, Look, SMALL, Split, THIRD, WIDE, panel};
use super::searches::{ERRORS, LINES, MARKED, REQUESTS};

/// All dashboards.
pub const DASHBOARDS: &[Dashboard] =
    &[WEB, ERRORS_OF_ALL, HOST, security::SECURITY, fleet::FLEET, fleet::ALERTS_TOLD];

/// Lines of access logs.
pub(super) const IS_REQUEST: &str = "_exists_:http.response.status_code";
/// How many ask.
pub(super) const CLIENTS: Figure = Figure::Different("source.address", "Clients");
/// Heartbeats.
pub(super) const IS_HEARTBEAT: &str = "event.dataset:omphalos.fleet";
const IS_LINE: &str = "NOT event.dataset:(omphalos.fleet OR omphalos.alerts)";
/// What levels are called by programs that have gone wrong.
const IS_ERROR: &str = "log.level:(error OR critical OR alert OR emergency OR fatal OR panic) AND NOT event.dataset:omphalos.alerts";
const BYTES: Figure = Figure::Sum("http.response.body.bytes", "Bytes sent");
const STATUSES: Split = Split::Filters(&[
    ("2xx", "http.response.status_code:[200 TO 299]"),
    ("3xx", "http.response.status_code:[300 TO 399]"),
    ("4xx", "http.response.status_code:[400 TO 499]"),
    ("5xx", "http.response.status_code:[500 TO 599]"),
]);

/// Requests.
const WEB: Dashboard = Dashboard {
    id: "web",
    title: "Web traffic",
    description: "Requests of all access logs: how many, from whom, for what, and how they went.",
    panels: &[
        panel(
            ("head", "Dashboards"),
            Look::Text("Requests of access logs. Click on a value to look at its lines alone."),
            "",
            HEAD,
        ),
        panel(("requests", "Requests"), Look::Number(Figure::Count), IS_REQUEST, SMALL),
        panel(("clients", "Clients"), Look::Number(CLIENTS), IS_REQUEST, SMALL),
        panel(("bytes", "Bytes sent"), Look::Number(BYTES), IS_REQUEST, SMALL),
        panel(
            ("failed", "Requests that failed (5xx)"),
            Look::Number(Figure::Count),
            "http.response.status_code:[500 TO 599]",
            SMALL,
        ),
        panel(
            ("status-over-time", "Requests by status"),
            Look::OverTime(Figure::Count, Some(STATUSES)),
            IS_REQUEST,
            WIDE,
        ),
        panel(
            ("traffic-over-time", "Bytes sent by host"),
            Look::OverTime(BYTES, Some(Split::Terms("host.name", 10))),
            IS_REQUEST,
            WIDE,
        ),
        panel(
            ("paths", "Paths"),
            Look::Top(&[Figure::Count, BYTES, CLIENTS], &[("url.path", 20)]),
            IS_REQUEST,
            HALF,
        ),
        panel(
            ("addresses", "Clients by requests"),
            Look::Top(&[Figure::Count, BYTES], &[("source.address", 20)]),
            IS_REQUEST,
            HALF,
        ),
        panel(
            ("methods", "Methods"),
            Look::Share(Split::Terms("http.request.method", 10)),
            IS_REQUEST,
            THIRD,
        ),
        panel(
            ("agents", "User agents"),
            Look::Top(&[Figure::Count], &[("user_agent.original", 20)]),
            IS_REQUEST,
            THIRD,
        ),
        panel(
            ("referrers", "Referrers"),
            Look::Top(&[Figure::Count], &[("http.request.referrer", 20)]),
            IS_REQUEST,
            THIRD,
        ),
        panel(("lines", "Requests"), Look::Lines(REQUESTS), "", LIST),
    ],
};

/// What went wrong.
const ERRORS_OF_ALL: Dashboard = Dashboard {
    id: "errors",
    title: "Errors",
    description: "Lines of level error and worse, requests that failed, and lines that could not be read as they should.",
    panels: &[
        panel(
            ("head", "Dashboards"),
            Look::Text(
                "Errors of all programs. A level is what a line says of itself; a request that failed has none, and is here by its status.",
            ),
            "",
            HEAD,
        ),
        panel(("errors", "Error lines"), Look::Number(Figure::Count), IS_ERROR, SMALL),
        panel(
            ("failed", "Failed requests (5xx)"),
            Look::Number(Figure::Count),
            "http.response.status_code:[500 TO 599]",
            SMALL,
        ),
        panel(
            ("not-found", "Not found (404)"),
            Look::Number(Figure::Count),
            "http.response.status_code:404",
            SMALL,
        ),
        panel(
            ("marked", "Lines that could not be read"),
            Look::Number(Figure::Count),
            "tags:(parse_failure OR mapping_conflict)",
            SMALL,
        ),
        panel(
            ("levels-over-time", "Levels"),
            Look::OverTime(Figure::Count, Some(Split::Terms("log.level", 10))),
            IS_LINE,
            WIDE,
        ),
        panel(
            ("datasets-over-time", "Error lines by dataset"),
            Look::OverTime(Figure::Count, Some(Split::Terms("event.dataset", 10))),
            IS_ERROR,
            WIDE,
        ),
        panel(
            ("hosts", "Error lines by host and dataset"),
            Look::Top(&[Figure::Count], &[("host.name", 20), ("event.dataset", 10)]),
            IS_ERROR,
            HALF,
        ),
        panel(
            ("paths", "Paths that failed"),
            Look::Top(&[Figure::Count], &[("url.path", 20), ("http.response.status_code", 5)]),
            "http.response.status_code:[400 TO 599]",
            HALF,
        ),
        panel(
            ("tags", "Marks of lines"),
            Look::Top(&[Figure::Count], &[("tags", 10), ("event.dataset", 10)]),
            "_exists_:tags",
            HALF,
        ),
        panel(
            ("files", "Files with error lines"),
            Look::Top(&[Figure::Count], &[("host.name", 10), ("log.file.path", 10)]),
            IS_ERROR,
            HALF,
        ),
        panel(("lines", "Errors"), Look::Lines(ERRORS), "", LIST),
        panel(("marked-lines", "Lines with a mark"), Look::Lines(MARKED), "", LIST),
    ],
};

/// A host.
const HOST: Dashboard = Dashboard {
    id: "host",
    title: "One host",
    description: "All that a host says. Choose one by a click in the table of hosts, or write host.name: web1 above.",
    panels: &[
        panel(
            ("head", "Dashboards"),
            Look::Text("Write `host.name: web1` above, or click on a host in the table."),
            "",
            HEAD,
        ),
        panel(
            ("hosts", "Hosts"),
            Look::Top(
                &[Figure::Count, Figure::Different("log.file.path", "Files")],
                &[("host.name", 50)],
            ),
            IS_LINE,
            HALF,
        ),
        panel(
            ("files", "Files"),
            Look::Top(
                &[Figure::Count, Figure::Most("log.offset", "Last offset")],
                &[("log.file.path", 50)],
            ),
            IS_LINE,
            HALF,
        ),
        panel(
            ("datasets-over-time", "Lines by dataset"),
            Look::OverTime(Figure::Count, Some(Split::Terms("event.dataset", 10))),
            IS_LINE,
            WIDE,
        ),
        panel(("levels", "Levels"), Look::Share(Split::Terms("log.level", 10)), IS_LINE, THIRD),
        panel(
            ("datasets", "Datasets"),
            Look::Share(Split::Terms("event.dataset", 10)),
            IS_LINE,
            THIRD,
        ),
        panel(
            ("behind", "Seconds behind, at most"),
            Look::OverTime(Figure::Most("omphalos.heartbeat.lag_seconds", "Seconds behind"), None),
            IS_HEARTBEAT,
            THIRD,
        ),
        panel(("lines", "Lines"), Look::Lines(LINES), "", LIST),
    ],
};
