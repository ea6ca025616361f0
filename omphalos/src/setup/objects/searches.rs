//! The saved searches.

/// A search that is saved.
#[derive(Debug)]
pub struct Search {
    /// Its id, behind the prefix.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it finds, in Lucene's language.
    pub query: &'static str,
    /// The fields that are shown of each line.
    pub columns: &'static [&'static str],
}

/// All lines, without what we say of ourselves.
pub const LINES: &str = "lines-all";
/// Errors of any program.
pub const ERRORS: &str = "lines-errors";
/// Requests to a web server.
pub const REQUESTS: &str = "lines-requests";
/// What a parser could not read, or an index not take.
pub const MARKED: &str = "lines-marked";
/// What hosts say of themselves.
pub const HEARTBEATS: &str = "heartbeats";
/// Alerts that were raised and cleared.
pub const ALERTS: &str = "alert-events";

/// All of them.
pub const SEARCHES: &[Search] = &[
    Search {
        id: LINES,
        title: "All lines",
        description: "Every line of every host, without heartbeats and alerts.",
        query: "NOT event.dataset:(omphalos.fleet OR omphalos.alerts)",
        columns: &["host.name", "event.dataset", "log.level", "message"],
    },
    Search {
        id: ERRORS,
        title: "Errors",
        description: "Lines of level error and worse, and requests that a server failed at.",
        query: "(log.level:(error OR critical OR alert OR emergency OR fatal OR panic) AND NOT event.dataset:omphalos.alerts) OR http.response.status_code:[500 TO 599]",
        columns: &[
            "host.name",
            "event.dataset",
            "log.level",
            "message",
            "url.path",
            "http.response.status_code",
        ],
    },
    Search {
        id: REQUESTS,
        title: "Web requests",
        description: "Requests of access logs.",
        query: "_exists_:http.response.status_code",
        columns: &[
            "source.address",
            "http.request.method",
            "url.path",
            "http.response.status_code",
            "http.response.body.bytes",
            "user_agent.original",
        ],
    },
    Search {
        id: MARKED,
        title: "Lines with a mark",
        description: "What a parser could not read, what did not fit the mapping of its index, what was cut or had no time of its own: tags says which.",
        query: "tags:(parse_failure OR mapping_conflict OR step_failure OR truncated OR unfinished OR time_assumed)",
        columns: &["tags", "error.message", "host.name", "log.file.path", "log.offset", "message"],
    },
    Search {
        id: HEARTBEATS,
        title: "Heartbeats",
        description: "What shippers, relays and indexers say of themselves.",
        query: "event.dataset:omphalos.fleet",
        columns: &[
            "host.name",
            "service.name",
            "omphalos.heartbeat.lag_seconds",
            "omphalos.heartbeat.lines_per_second",
            "omphalos.heartbeat.problems",
        ],
    },
    Search {
        id: ALERTS,
        title: "Alerts",
        description: "What was raised and cleared.",
        query: "event.dataset:omphalos.alerts",
        columns: &["log.level", "event.action", "rule.name", "message"],
    },
];
