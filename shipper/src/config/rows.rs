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
        "Directory of the checkpoint: how far each file is delivered.",
    )
    .default("/var/lib/omphalos-shipper"),
    Setting::new("host_name", Kind::Text, "host.name in every document; the system's by default."),
    Setting::new(
        "id_key_file",
        Kind::Text,
        "Make document ids with the first key of this file, and with the others in files that were begun with them: a key a line (openssl rand -hex 16), or the word host for the key made of host.id, which is used by default. Only its owner may read it; it is read at the start.",
    ),
    Setting::new(
        "id_version",
        Kind::Integer,
        "How ids are made of the lines of files that are not in the checkpoint: 2, with a key; 1, as before there were keys, for files that were shipped so and whose checkpoint is lost.",
    )
    .default("2"),
    Setting::new(
        "transport",
        Kind::Choice(&["amqp", "udp", "null"]),
        "Where documents go; by default udp where udp.to is set, and amqp otherwise. null measures without sending, and checkpoints what it threw away.",
    ),
    Setting::new(
        "listen",
        Kind::Text,
        "Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9186; off by default.",
    ),
    Setting::new(
        "log_level",
        Kind::Text,
        "error, warn, info, debug or trace, or directives of tracing-subscriber's EnvFilter.",
    )
    .default("info"),
    Setting::new("log_format", Kind::Choice(&["human", "json"]), "How our own log is written.")
        .default("human"),
    Setting::new(
        "watch",
        Kind::Choice(&["auto", "poll"]),
        "How changes are noticed: by inotify where it works, or by looking again and again.",
    )
    .default("auto"),
    Setting::new(
        "poll_interval",
        Kind::Period,
        "How often files are looked at that inotify does not cover.",
    )
    .default("500ms"),
    Setting::new(
        "rescan_interval",
        Kind::Period,
        "How often all patterns and files are looked at even if there was no event.",
    )
    .default("30s"),
    Setting::new(
        "max_open_files",
        Kind::Integer,
        "How many files that are written to keep their descriptor, as far as the limit of the process (RLIMIT_NOFILE) allows; the others, and idle ones, are opened again when they change.",
    )
    .default("16384"),
    Setting::new(
        "max_deleted_bytes",
        Kind::Size,
        "Disk space that deleted files may hold until they are read; beyond that the oldest are given up, and counted.",
    )
    .default("1GiB"),
    Setting::new(
        "checkpoint_interval",
        Kind::Period,
        "How often the checkpoint is written while it changes.",
    )
    .default("1s"),
    Setting::new(
        "stop_grace",
        Kind::Period,
        "How long to wait for confirms when stopping; what is not confirmed is read again at the next start.",
    )
    .default("10s"),
    Setting::new(
        "monitor.paths",
        Kind::List,
        "Files, directories (their files, not deeper) and patterns with * ? [ ] **; - is standard input.",
    )
    .positional("FILE")
    .repeated(),
    Setting::new(
        "monitor.exclude",
        Kind::List,
        "Patterns of what not to read; of the file name, or of the whole path if there is a slash in it.",
    )
    .default("*.bz2,*.xz,*.zip")
    .flag("exclude")
    .repeated(),
    Setting::new(
        "monitor.archives",
        Kind::Switch,
        "Read .gz and .zst files that match as well, once, without what was read of them before they were compressed. Paths that end so are read in any case.",
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
        "event.dataset, and in cleaned form a part of the index name; by default access, json or raw, after the parser.",
    )
    .flag("dataset")
    .repeated(),
    Setting::new(
        "monitor.start",
        Kind::Choice(&["beginning", "end"]),
        "Where to begin in files that are there at the first start and not in the checkpoint.",
    )
    .default("beginning")
    .flag("start")
    .repeated(),
    Setting::new(
        "monitor.ignore_older",
        Kind::Period,
        "Skip what stands in files that were last written longer ago than this when they are found, and are not in the checkpoint; off by default.",
    )
    .flag("ignore-older")
    .repeated(),
    Setting::new(
        "monitor.encoding",
        Kind::Choice(EncodingSetting::NAMES),
        "How characters are written; auto is UTF-16 where a file begins with its mark, and UTF-8 elsewhere. latin-1 is Windows-1252.",
    )
    .default("auto")
    .flag("encoding")
    .repeated(),
    Setting::new(
        "monitor.container",
        Kind::Choice(Container::NAMES),
        "What a container runtime wrapped around each line: docker (its json-file driver) or cri (Kubernetes).",
    )
    .default("none")
    .flag("container")
    .repeated(),
    Setting::new(
        "monitor.multiline",
        Kind::Choice(MultilineKind::NAMES),
        "Which lines make one event: a line that matches starts one; a line that matches, or is indented, continues one; a count of lines; the stack traces of a language.",
    )
    .default("none")
    .flag("multiline")
    .repeated(),
    Setting::new(
        "monitor.multiline_pattern",
        Kind::Text,
        "The regular expression of multiline = start or continuation.",
    )
    .flag("multiline-pattern")
    .repeated(),
    Setting::new("monitor.multiline_count", Kind::Integer, "How many lines, for multiline = count.")
        .flag("multiline-count")
        .repeated(),
    Setting::new(
        "monitor.multiline_timeout",
        Kind::Period,
        "An event is complete when no line came for so long.",
    )
    .default("2s")
    .flag("multiline-timeout")
    .repeated(),
    Setting::new(
        "monitor.unfinished_after",
        Kind::Period,
        "A last line without an end is shipped after so long, tagged unfinished; and again as a whole when it is completed.",
    )
    .default("5s")
    .flag("unfinished-after")
    .repeated(),
    Setting::new("monitor.keep_original", Kind::Switch, "Keep each line whole in event.original.")
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
        "The path that document ids are made of: auto (without suffixes of rotation and compression), exact (as it is), or a path of your own.",
    )
    .default("auto")
    .flag("logical-path")
    .repeated(),
];
