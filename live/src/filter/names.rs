//! What fields are called for short, in a search as in a filter.

/// Short names, and the ECS fields that they stand for.
pub const SHORT_NAMES: &[(&str, &str)] = &[
    ("status", "http.response.status_code"),
    ("bytes", "http.response.body.bytes"),
    ("method", "http.request.method"),
    ("referrer", "http.request.referrer"),
    ("path", "url.path"),
    ("query", "url.query"),
    ("url", "url.original"),
    ("ip", "source.ip"),
    ("client", "source.address"),
    ("user", "user.name"),
    ("agent", "user_agent.original"),
    ("host", "host.name"),
    ("file", "log.file.path"),
    ("level", "log.level"),
    ("dataset", "event.dataset"),
    ("duration", "event.duration"),
    ("error", "error.message"),
    ("time", "@timestamp"),
];

/// Where words without a field are looked for.
pub const WORD_FIELDS: [&str; 8] = [
    "message",
    "error.message",
    "url.path",
    "url.original",
    "source.address",
    "user.name",
    "user_agent.original",
    "host.name",
];

/// The field that a name stands for, which may be its own.
pub fn field_of(name: &str) -> &str {
    SHORT_NAMES.iter().find(|(short, _)| *short == name).map_or(name, |(_, field)| *field)
}
