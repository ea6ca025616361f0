//! What the dashboards show.

use super::searches::{ALERTS, ERRORS, HEARTBEATS, LINES, MARKED, REQUESTS};

/// A dashboard.
#[derive(Debug)]
pub struct Dashboard {
    /// Its id, behind the prefix.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What is on it, from left to right and from top to bottom.
    pub panels: &'static [Panel],
}

/// A panel.
#[derive(Debug)]
pub struct Panel {
    /// Its id on the dashboard.
    pub id: &'static str,
    /// What stands above it.
    pub title: &'static str,
    /// What it looks like, and what it counts.
    pub look: Look,
    /// Of which lines, in Lucene's language; all without.
    pub query: &'static str,
    /// How much of the 48 columns it has.
    pub width: u8,
    /// How high it is.
    pub height: u8,
}

/// What a panel looks like.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// Text, behind the links to the other dashboards.
    Text(&'static str),
    /// The lines of a saved search.
    Lines(&'static str),
    /// One figure.
    Number(Figure),
    /// A figure over time, for each part of the lines.
    OverTime(Figure, Option<Split>),
    /// How many lines each part has.
    Share(Split),
    /// A table: figures for the values of fields, the largest first, and so many of each.
    Top(&'static [Figure], &'static [(&'static str, u32)]),
}

/// What is counted, and what it is called.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// How many lines.
    Count,
    /// The sum of a field.
    Sum(&'static str, &'static str),
    /// The largest value of a field.
    Most(&'static str, &'static str),
    /// The average of a field.
    Average(&'static str, &'static str),
    /// How many different values a field has.
    Different(&'static str, &'static str),
}

impl Figure {
    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Self::Count => "Lines",
            Self::Sum(_, label)
            | Self::Most(_, label)
            | Self::Average(_, label)
            | Self::Different(_, label) => label,
        }
    }
}

/// Parts of the lines.
#[derive(Debug, Clone, Copy)]
pub enum Split {
    /// By the values of a field, so many of them.
    Terms(&'static str, u32),
    /// By queries, each with its label.
    Filters(&'static [(&'static str, &'static str)]),
}

const fn panel(
    (id, title): (&'static str, &'static str),
    look: Look,
    query: &'static str,
    (width, height): (u8, u8),
) -> Panel {
    Panel { id, title, look, query, width, height }
}

const SMALL: (u8, u8) = (12, 7);
const HALF: (u8, u8) = (24, 13);
const THIRD: (u8, u8) = (16, 13);
const WIDE: (u8, u8) = (48, 12);
const LIST: (u8, u8) = (48, 20);
const HEAD: (u8, u8) = (48, 5);

const IS_REQUEST: &str = "_exists_:http.response.status_code";
const IS_LINE: &str = "NOT event.dataset:(omphalos.fleet OR omphalos.alerts)";
const IS_HEARTBEAT: &str = "event.dataset:omphalos.fleet";
const IS_ALERT: &str = "event.dataset:omphalos.alerts";
/// What levels are called by programs that have gone wrong.
const IS_ERROR: &str = "log.level:(error OR critical OR alert OR emergency OR fatal OR panic) AND NOT event.dataset:omphalos.alerts";

const BYTES: Figure = Figure::Sum("http.response.body.bytes", "Bytes sent");
const CLIENTS: Figure = Figure::Different("source.address", "Clients");

const STATUSES: Split = Split::Filters(&[
    ("2xx", "http.response.status_code:[200 TO 299]"),
    ("3xx", "http.response.status_code:[300 TO 399]"),
    ("4xx", "http.response.status_code:[400 TO 499]"),
    ("5xx", "http.response.status_code:[500 TO 599]"),
]);

/// Paths that are asked for to find out what is installed.
const PROBES: &str = r"url.path:(*wp-login* OR *wp-admin* OR *xmlrpc.php* OR *phpmyadmin* OR *phpMyAdmin* OR *.env OR *\/.git\/* OR *\/cgi-bin\/* OR *etc\/passwd* OR *\/actuator* OR *\/.aws\/*)";
/// Queries that try to be more than data.
const INJECTIONS: &str = r"url.query:(*union*select* OR *UNION*SELECT* OR *%3Cscript* OR *<script* OR *..\/* OR *..%2F* OR *..%2f* OR *jndi%3A* OR *jndi\:* OR *etc\/passwd* OR *%2Fetc%2Fpasswd*)";
/// Agents that say what they are.
const SCANNERS: &str = "user_agent.original:(*sqlmap* OR *nikto* OR *Nikto* OR *nmap* OR *Nmap* OR *masscan* OR *zgrab* OR *gobuster* OR *nuclei* OR *Nuclei* OR *WPScan* OR *Wfuzz*)";
const REFUSED: &str = "http.response.status_code:(401 OR 403)";

/// All dashboards.
pub const DASHBOARDS: &[Dashboard] = &[
    Dashboard {
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
    },
    Dashboard {
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
    },
    Dashboard {
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
                Look::OverTime(
                    Figure::Most("omphalos.heartbeat.lag_seconds", "Seconds behind"),
                    None,
                ),
                IS_HEARTBEAT,
                THIRD,
            ),
            panel(("lines", "Lines"), Look::Lines(LINES), "", LIST),
        ],
    },
    Dashboard {
        id: "security",
        title: "Security of web servers",
        description: "What access logs show of those who try doors: refused logins, probes, scanners, queries that are more than data. It finds the clumsy; it is no intrusion detection.",
        panels: &[
            panel(
                ("head", "Dashboards"),
                Look::Text(
                    "Seen in access logs alone. Nothing here proves an attack, and a careful one is not here.",
                ),
                "",
                HEAD,
            ),
            panel(("refused", "Refused (401, 403)"), Look::Number(Figure::Count), REFUSED, SMALL),
            panel(("probes", "Probes"), Look::Number(Figure::Count), PROBES, SMALL),
            panel(
                ("injections", "Suspicious queries"),
                Look::Number(Figure::Count),
                INJECTIONS,
                SMALL,
            ),
            panel(
                ("scanners", "Requests of scanners"),
                Look::Number(Figure::Count),
                SCANNERS,
                SMALL,
            ),
            panel(
                ("kinds-over-time", "What was tried"),
                Look::OverTime(
                    Figure::Count,
                    Some(Split::Filters(&[
                        ("refused", REFUSED),
                        ("probes", PROBES),
                        ("suspicious queries", INJECTIONS),
                        ("scanners", SCANNERS),
                    ])),
                ),
                IS_REQUEST,
                WIDE,
            ),
            panel(
                ("refused-clients", "Who is refused"),
                Look::Top(
                    &[
                        Figure::Count,
                        Figure::Different("user.name", "Users"),
                        Figure::Different("url.path", "Paths"),
                    ],
                    &[("source.address", 20)],
                ),
                REFUSED,
                HALF,
            ),
            panel(
                ("wanderers", "Who asks for the most paths that are not there"),
                Look::Top(
                    &[Figure::Different("url.path", "Paths"), Figure::Count],
                    &[("source.address", 20)],
                ),
                "http.response.status_code:404",
                HALF,
            ),
            panel(
                ("probed", "What is probed"),
                Look::Top(
                    &[Figure::Count, CLIENTS],
                    &[("url.path", 20), ("http.response.status_code", 3)],
                ),
                PROBES,
                HALF,
            ),
            panel(
                ("answered", "Probes that were answered (2xx)"),
                Look::Top(&[Figure::Count], &[("url.path", 20), ("source.address", 5)]),
                ANSWERED,
                HALF,
            ),
            panel(
                ("users", "Users that are refused"),
                Look::Top(&[Figure::Count, CLIENTS], &[("user.name", 20)]),
                REFUSED,
                THIRD,
            ),
            panel(
                ("agents", "Scanners"),
                Look::Top(&[Figure::Count, CLIENTS], &[("user_agent.original", 20)]),
                SCANNERS,
                THIRD,
            ),
            panel(
                ("methods", "Unusual methods"),
                Look::Top(&[Figure::Count, CLIENTS], &[("http.request.method", 20)]),
                "_exists_:http.request.method AND NOT http.request.method:(GET OR POST OR HEAD OR PUT OR DELETE OR PATCH OR OPTIONS)",
                THIRD,
            ),
            panel(
                ("queries", "Suspicious queries"),
                Look::Top(&[Figure::Count], &[("source.address", 10), ("url.query", 10)]),
                INJECTIONS,
                WIDE,
            ),
        ],
    },
    Dashboard {
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
            panel(
                ("dead", "Dead letters, of one indexer"),
                Look::Number(Figure::Most("omphalos.heartbeat.books.dead", "Dead letters")),
                IS_HEARTBEAT,
                SMALL,
            ),
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
                Look::Top(
                    &[Figure::Count],
                    &[("omphalos.heartbeat.problems", 20), ("host.name", 10)],
                ),
                IS_HEARTBEAT,
                HALF,
            ),
            panel(
                ("dead-over-time", "Dead letters since the start, by host"),
                Look::OverTime(DEAD, Some(Split::Terms("host.name", 10))),
                IS_HEARTBEAT,
                WIDE,
            ),
            panel(("lines", "Heartbeats"), Look::Lines(HEARTBEATS), "", LIST),
        ],
    },
    Dashboard {
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
    },
];

/// [`PROBES`] that found something.
const ANSWERED: &str = r"http.response.status_code:[200 TO 299] AND url.path:(*wp-login* OR *wp-admin* OR *xmlrpc.php* OR *phpmyadmin* OR *phpMyAdmin* OR *.env OR *\/.git\/* OR *\/cgi-bin\/* OR *etc\/passwd* OR *\/actuator* OR *\/.aws\/*)";

const READ: Figure = Figure::Most("omphalos.heartbeat.books.read", "Read");
const CONFIRMED: Figure = Figure::Most("omphalos.heartbeat.books.confirmed", "Confirmed");
const SKIPPED: Figure = Figure::Most("omphalos.heartbeat.books.skipped", "Skipped");
const SHIPPING: Figure = Figure::Most("omphalos.heartbeat.books.in_flight", "On the way, at most");
const RECEIVED: Figure = Figure::Most("omphalos.heartbeat.books.received", "Received");
const INDEXED: Figure = Figure::Most("omphalos.heartbeat.books.indexed", "Indexed");
const DUPLICATE: Figure = Figure::Most("omphalos.heartbeat.books.duplicate", "Duplicates");
const DEAD: Figure = Figure::Most("omphalos.heartbeat.books.dead", "Dead letters");
