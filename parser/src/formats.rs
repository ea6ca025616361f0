//! The list of formats, and what the parsers of a file's format are made of.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::Parse;
use super::access::{self, AccessParser};
use super::app::AppParser;
use super::aws::{ElbParser, S3Parser, VpcFlowParser};
use super::database::{MysqlErrorParser, MysqlSlowParser, PostgresqlParser, Prefix};
use super::haproxy::HaproxyParser;
use super::journald::JournaldParser;
use super::json::JsonParser;
use super::klog::KlogParser;
use super::logfmt::LogfmtParser;
use super::pattern;
use super::proxies::{EnvoyParser, SquidParser, TraefikParser, UwsgiParser};
use super::raw::RawParser;
use super::security::{AuditdParser, CefParser, LeefParser, WindowsParser};
use super::server_error::{ApacheErrorParser, NginxErrorParser};
use super::services::{ElasticsearchParser, RabbitmqParser, RedisParser};
use super::syslog::SyslogParser;
use super::table::{CsvParser, ZeekParser};
use super::time::TimeRule;
use super::w3c::W3cParser;

/// Makes [`ParserKind`] of the list below, in which each format has one row.
macro_rules! formats {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $dataset:literal, $marks:literal, $format:expr;)*) => {
        /// Which format a file has.
        #[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
        pub enum ParserKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl ParserKind {
            /// The names as they are written in settings.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// What it is called in settings.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The dataset of files whose settings name none.
            pub fn default_dataset(self) -> &'static str {
                match self { $(Self::$kind => $dataset,)* }
            }

            /// By what its lines are known.
            pub fn marks(self) -> &'static str {
                match self { $(Self::$kind => $marks,)* }
            }

            /// The format whose times are as `times` says: what the parsers of its files are made of.
            pub fn format_with(self, times: &TimeRule) -> Format {
                let make: fn(TimeRule) -> Format = match self { $(Self::$kind => $format,)* };
                make(times.clone())
            }
        }
    };
}

// What it is called in the code and in settings, the dataset of its files, by what its lines are known, and
// how it is made.
formats! {
    /// The one that the first lines of the file have ([`crate::detect`]): until that is known, any text.
    Auto, "auto", "raw", "whatever the first line of the file is", |_| Format::new(|| RawParser);
    /// Common Log Format: `host ident user [time] "request" status bytes`.
    Clf, "clf", "access", "client, identity, user, a time in brackets, a request in quotes, status and size", |_| Format::new(AccessParser::clf);
    /// The same with `"referrer" "user agent"`; nginx's and Apache's usual format.
    Combined, "combined", "access", "the same as clf, with referrer and user agent in quotes behind it", |_| Format::new(AccessParser::combined);
    /// Combined with the virtual host in front.
    VhostCombined, "vhost_combined", "access", "the same as combined, with the virtual host in front", |_| Format::new(AccessParser::vhost_combined);
    /// Lines of a web server by its own format string, which settings give; without, nginx's `main`.
    Access, "access", "access", "what the server's own format string writes", |times: TimeRule| access::plan::main(&times);
    /// W3C extended log file format, with the `#Fields` that the file names.
    W3c, "w3c", "access", "directives such as #Fields, which name the columns", |times: TimeRule| Format::new(move || W3cParser::in_zone(times.zone.clone()));
    /// A JSON object a line.
    Json, "json", "json", "one JSON object a line", |times: TimeRule| Format::new(move || JsonParser::with(times.clone()));
    /// Syslog of RFC 3164 and its dialects, with ISO dates, and of RFC 5424.
    Syslog, "syslog", "syslog", "a time such as Nov 28 12:00:01, a host, and a program with its process, or <priority>1 and an ISO time", |times: TimeRule| Format::new(move || SyslogParser::in_zone(times.zone.clone()));
    /// nginx's error log.
    NginxError, "nginx_error", "nginx.error", "a time with slashes, a level in brackets, and process#thread:", |times: TimeRule| Format::new(move || NginxErrorParser::in_zone(times.zone.clone()));
    /// Apache's error log, of 2.2 and 2.4.
    ApacheError, "apache_error", "apache.error", "a time in brackets, and a level in brackets with or without its module", |times: TimeRule| Format::new(move || ApacheErrorParser::in_zone(times.zone.clone()));
    /// Pairs such as `level=info msg="a text"`.
    Logfmt, "logfmt", "logfmt", "pairs such as level=info msg=\"a text\"", |times: TimeRule| Format::new(move || LogfmtParser::with(times.clone()));
    /// Kubernetes' klog and Google's glog.
    Klog, "klog", "klog", "a letter for the level, month and day, time, thread, file:line]", |times: TimeRule| Format::new(move || KlogParser::in_zone(times.zone.clone()));
    /// `PostgreSQL`'s log as text, by its `log_line_prefix`, and as CSV.
    Postgresql, "postgresql", "postgresql", "a time, a process, and a severity with a colon and two blanks behind it", |times: TimeRule| Format::new(move || PostgresqlParser::new(times.zone.clone(), None));
    /// The error log of `MySQL` and `MariaDB`.
    MysqlError, "mysql_error", "mysql.error", "a time, a thread, and a level in brackets", |times: TimeRule| Format::new(move || MysqlErrorParser::in_zone(times.zone.clone()));
    /// The slow log of `MySQL` and `MariaDB`, of which an event is several lines.
    MysqlSlow, "mysql_slow", "mysql.slowlog", "events that begin with # Time: or # User@Host:", |times: TimeRule| Format::new(move || MysqlSlowParser::in_zone(times.zone.clone()));
    /// `HAProxy`'s lines of requests and connections, also behind what syslog writes.
    Haproxy, "haproxy", "haproxy", "a client with its port, a time in brackets, frontend, backend/server and timers", |times: TimeRule| Format::new(move || HaproxyParser::in_zone(times.zone.clone()));
    /// Access logs of Amazon's load balancers: application, network and classic.
    Elb, "elb", "aws.elb", "the columns of a load balancer of Amazon: https, a time, its name, client and target; or the time first", |_| Format::new(ElbParser::new);
    /// Server access logs of Amazon's S3.
    S3, "s3", "aws.s3access", "owner, bucket, a time in brackets, address, requester, request and operation of S3", |_| Format::new(S3Parser::new);
    /// Flow logs of Amazon's networks.
    VpcFlow, "vpc_flow", "aws.vpcflow", "a line that names srcaddr and other columns of flow logs, or the 14 values of version 2", |_| Format::new(VpcFlowParser::new);
    /// Redis and Valkey.
    Redis, "redis", "redis.log", "process and role, a time, and one of . - * # for the level", |times: TimeRule| Format::new(move || RedisParser::in_zone(times.zone.clone()));
    /// `RabbitMQ`'s log, of which an event may have several lines.
    Rabbitmq, "rabbitmq", "rabbitmq.log", "a time, a level in brackets, and an Erlang process such as <0.229.0>", |times: TimeRule| Format::new(move || RabbitmqParser::in_zone(times.zone.clone()));
    /// Elasticsearch and `OpenSearch`: JSON, text, slow logs, and what their virtual machine says.
    Elasticsearch, "elasticsearch", "elasticsearch", "a time, a level, a component and a node, each in brackets", |times: TimeRule| Format::new(move || ElasticsearchParser::with(times.clone()));
    /// Traefik's access log in its common form.
    Traefik, "traefik", "traefik.access", "a combined line with a count, router and server in quotes, and milliseconds behind it", |_| Format::new(|| TraefikParser);
    /// Envoy's default text, and Istio's.
    Envoy, "envoy", "envoy.access", "a time in brackets, a request in quotes, status, flags, sizes and times", |_| Format::new(|| EnvoyParser);
    /// Squid's native access log.
    Squid, "squid", "squid.access", "seconds with three decimals, milliseconds, client, result/status, size, method and URL", |_| Format::new(|| SquidParser);
    /// Requests as `uWSGI` writes them.
    Uwsgi, "uwsgi", "uwsgi.access", "[pid: and app and request in brackets, a client, and a request => generated so many bytes", |times: TimeRule| Format::new(move || UwsgiParser::in_zone(times.zone.clone()));
    /// A table whose first line names the columns: CSV, TSV and their like.
    Csv, "csv", "csv", "a first line with three names or more, one of them that of a time, with commas, tabs, semicolons or bars between", |times: TimeRule| Format::new(move || CsvParser::with(times.clone()));
    /// Zeek's logs.
    Zeek, "zeek", "zeek", "a first line with #separator", |_| Format::new(ZeekParser::new);
    /// CEF, alone or behind what syslog writes.
    Cef, "cef", "cef", "CEF:0| and vendor, product and version", |times: TimeRule| Format::new(move || CefParser::with(times.clone()));
    /// LEEF, alone or behind what syslog writes.
    Leef, "leef", "leef", "LEEF:1.0| or LEEF:2.0| and vendor, product and version", |times: TimeRule| Format::new(move || LeefParser::with(times.clone()));
    /// Linux's audit, of which the lines of one event are one document.
    Auditd, "auditd", "auditd.log", "type=, and msg=audit( with a time and a number", |_| Format::new(|| AuditdParser);
    /// Windows' event log as XML.
    WindowsEvent, "windows_event", "windows.forwarded", "an <Event> of Windows as XML", |_| Format::new(|| WindowsParser);
    /// systemd's journal as `journalctl -o export` writes it.
    Journald, "journald", "journald", "fields such as MESSAGE=text, a line each, and an empty line behind each entry", |_| Format::new(|| JournaldParser);
    /// Text that programs write: time, level, logger and message in the usual arrangements.
    App, "app", "app", "a time, and mostly a level and who says it, before the message", |times: TimeRule| Format::new(move || AppParser::in_zone(times.zone.clone()));
    /// Lines of any kind, by a regular expression with named groups.
    Regex, "regex", "regex", "what the regular expression in format matches", |times: TimeRule| pattern::any(&times);
    /// The same by a grok pattern.
    Grok, "grok", "grok", "what the grok pattern in format matches", |times: TimeRule| pattern::any(&times);
    /// Any text.
    Raw, "raw", "raw", "nothing that is known: any text", |_| Format::new(|| RawParser);
}

impl ParserKind {
    /// The format without settings of its own.
    pub fn format(self) -> Format {
        self.format_with(&TimeRule::default())
    }

    /// Whether its lines are written by a format string of their own.
    pub fn has_format(self) -> bool {
        matches!(self, Self::Access | Self::Postgresql) || self.has_pattern()
    }

    /// Whether its lines are read by a pattern of the user's.
    pub fn has_pattern(self) -> bool {
        matches!(self, Self::Regex | Self::Grok)
    }

    /// Whether settings say which field of its lines has the time, and how that is written.
    pub fn has_time_field(self) -> bool {
        self == Self::Json || self.has_pattern()
    }

    /// Whether times in its lines may have no zone.
    pub fn has_zone(self) -> bool {
        !matches!(
            self,
            Self::Clf
                | Self::Combined
                | Self::VhostCombined
                | Self::Elb
                | Self::S3
                | Self::VpcFlow
                | Self::Traefik
                | Self::Envoy
                | Self::Squid
                | Self::Zeek
                | Self::Auditd
                | Self::WindowsEvent
                | Self::Journald
                | Self::Raw
        )
    }

    /// The format of lines that are written by the format string `text`.
    ///
    /// # Errors
    /// When it is none, in words for the user.
    pub fn format_of(self, text: &str, times: &TimeRule) -> Result<Format, String> {
        if self == Self::Postgresql {
            let (prefix, zone) = (Arc::new(Prefix::new(text)?), times.zone.clone());
            return Ok(Format::new(move || {
                PostgresqlParser::new(zone.clone(), Some(Arc::clone(&prefix)))
            }));
        }
        match self {
            Self::Regex => pattern::regex(text, times),
            Self::Grok => pattern::grok(text, times),
            _ => access::plan::format(text, times),
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<ValueError>::new(name)).ok()
    }
}

/// A format, checked: cheap to clone, one for all files of a `[[monitor]]` table.
#[derive(Clone)]
pub struct Format {
    make: Arc<dyn Fn() -> Box<dyn Parse> + Send + Sync>,
}

impl Format {
    /// The format whose parsers `make` makes; its settings are what `make` captures.
    pub(super) fn new<P: Parse + 'static>(make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(move || Box::new(make())) }
    }

    /// A parser for one file.
    pub fn parser(&self) -> Box<dyn Parse> {
        (self.make)()
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Format").field(&self.parser()).finish()
    }
}
