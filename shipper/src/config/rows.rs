//! The rows of the shipper's own settings: names, kinds, what they mean, and defaults.

use omphalos_common::config::{Kind, Setting};

use omphalos_parser::ParserKind;
use omphalos_parser::scribe::charset::EncodingSetting;
use omphalos_parser::scribe::container::Container;
use omphalos_parser::scribe::multiline::MultilineKind;

/// In the order of the manual.
pub(super) const OWN_SETTINGS: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Text,
        "Directory of the checkpoint, which says how far each file is delivered.",
    )
    .default("/var/lib/omphalos-shipper"),
    Setting::new("host_name", Kind::Text, "host.name in every document; the system's host name by default."),
    Setting::new(
        "id_key_file",
        Kind::Text,
        "Make document ids with the first key in this file; the other keys are for log files that were begun with them. One key per line (openssl rand -hex 16), or the word host for the key made from host.id, which is the default. Only its owner may read the file; it is read at the start.",
    ),
    Setting::new(
        "id_version",
        Kind::Integer,
        "How to make ids for lines of files that are not in the checkpoint: 2, with a key; 1, the way before there were keys, for files that were shipped that way and whose checkpoint is lost.",
    )
    .default("2"),
    Setting::new(
        "transport",
        Kind::Choice(&["amqp", "udp", "null"]),
        "Where documents go; by default udp if udp.to is set, and amqp otherwise. null sends nothing, for measuring, but its checkpoint still moves over what it threw away.",
    ),
    Setting::new(
        "listen",
        Kind::Text,
        "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9186; off by default.",
    ),
    Setting::new(
        "log_level",
        Kind::Text,
        "error, warn, info, debug or trace, or tracing-subscriber EnvFilter directives.",
    )
    .default("info"),
    Setting::new("log_format", Kind::Choice(&["human", "json"]), "Format of this program's log.")
        .default("human"),
    Setting::new(
        "watch",
        Kind::Choice(&["auto", "poll"]),
        "How changes are noticed: auto uses inotify where it works; poll looks at the files again and again.",
    )
    .default("auto"),
    Setting::new(
        "poll_interval",
        Kind::Period,
        "How often to look at files that inotify does not cover.",
    )
    .default("500ms"),
    Setting::new(
        "rescan_interval",
        Kind::Period,
        "How often to look at all patterns and files, even if there was no event.",
    )
    .default("30s"),
    Setting::new(
        "max_open_files",
        Kind::Integer,
        "How many files that are being written to stay open, within the limit of the process (RLIMIT_NOFILE); the others, and idle ones, are closed and opened again when they change.",
    )
    .default("16384"),
    Setting::new(
        "max_deleted_bytes",
        Kind::Size,
        "Disk space that deleted files may hold until they are read; beyond that, the oldest are given up and counted.",
    )
    .default("1GiB"),
    Setting::new(
        "checkpoint_interval",
        Kind::Period,
        "How often to write the checkpoint while it changes.",
    )
    .default("1s"),
    Setting::new(
        "stop_grace",
        Kind::Period,
        "How long to wait for confirms when told to stop; what is not confirmed by then is read again at the next start.",
    )
    .default("10s"),
    Setting::new(
        "monitor.paths",
        Kind::List,
        "Files, directories (the files in them, not subdirectories) and patterns with * ? [ ] **; - is standard input.",
    )
    .positional("FILE")
    .repeated(),
    Setting::new(
        "monitor.exclude",
        Kind::List,
        "Patterns of what not to read, compared with the file name, or with the whole path if the pattern has a slash in it.",
    )
    .default("*.bz2,*.xz,*.zip")
    .flag("exclude")
    .repeated(),
    Setting::new(
        "monitor.archives",
        Kind::Switch,
        "Also read .gz and .zst files that match, once each, leaving out what was read before they were compressed. Paths given with such an ending are read in any case.",
    )
    .default("false")
    .flag("archives")
    .repeated(),
    Setting::new("monitor.parser", Kind::Choice(ParserKind::NAMES), "Format of the lines.")
        .default("raw")
        .flag("parser")
        .repeated(),
    Setting::new(
        "monitor.dataset",
        Kind::Text,
        "event.dataset, and, cleaned up, a part of the index name; by default access, json or raw, depending on the parser.",
    )
    .flag("dataset")
    .repeated(),
    Setting::new(
        "monitor.start",
        Kind::Choice(&["beginning", "end"]),
        "Where to begin in files that are there at the very first start and not in the checkpoint.",
    )
    .default("beginning")
    .flag("start")
    .repeated(),
    Setting::new(
        "monitor.ignore_older",
        Kind::Period,
        "Skip the content of files that, when found, were last written longer ago than this and are not in the checkpoint; off by default.",
    )
    .flag("ignore-older")
    .repeated(),
    Setting::new(
        "monitor.encoding",
        Kind::Choice(EncodingSetting::NAMES),
        "Character encoding; auto is UTF-16 if the file begins with a byte order mark, and UTF-8 otherwise. latin-1 is Windows-1252.",
    )
    .default("auto")
    .flag("encoding")
    .repeated(),
    Setting::new(
        "monitor.container",
        Kind::Choice(Container::NAMES),
        "Unwrap the lines of a container runtime: docker (its json-file driver) or cri (Kubernetes).",
    )
    .default("none")
    .flag("container")
    .repeated(),
    Setting::new(
        "monitor.multiline",
        Kind::Choice(MultilineKind::NAMES),
        "Which lines make one event: start, a line that matches begins one; continuation, a line that matches continues one; indent, an indented line continues one; count, a fixed number of lines; java, python, go or rust, the stack traces of that language.",
    )
    .default("none")
    .flag("multiline")
    .repeated(),
    Setting::new(
        "monitor.multiline_pattern",
        Kind::Text,
        "Regular expression for multiline = start or continuation.",
    )
    .flag("multiline-pattern")
    .repeated(),
    Setting::new("monitor.multiline_count", Kind::Integer, "How many lines make an event, for multiline = count.")
        .flag("multiline-count")
        .repeated(),
    Setting::new(
        "monitor.multiline_timeout",
        Kind::Period,
        "An event is complete when no further line came for this long.",
    )
    .default("2s")
    .flag("multiline-timeout")
    .repeated(),
    Setting::new(
        "monitor.unfinished_after",
        Kind::Period,
        "A last line without a line end is shipped after this long, tagged unfinished, and again as a whole when it is completed.",
    )
    .default("5s")
    .flag("unfinished-after")
    .repeated(),
    Setting::new("monitor.keep_original", Kind::Switch, "Keep the whole line in event.original.")
        .default("false")
        .flag("keep-original")
        .repeated(),
    Setting::new(
        "monitor.max_line_bytes",
        Kind::Size,
        "Longer lines are cut, tagged truncated, and counted.",
    )
    .default("1MiB")
    .flag("max-line-bytes")
    .repeated(),
    Setting::new(
        "monitor.logical_path",
        Kind::Text,
        "The path that document ids are made from: auto (without suffixes of rotation and compression), exact (as it is), or a path of your own.",
    )
    .default("auto")
    .flag("logical-path")
    .repeated(),
];
