//! Our own log: to standard error, for people or as JSON.

use std::io::{self, Write};

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::{MakeWriter, Subscriber};

use crate::clean::{clean_json, clean_lines};
use crate::config::ConfigError;
use crate::masked::{masked, masked_json};
use crate::said;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line of text.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

const OUR_CRATES: [&str; 5] =
    ["omphalos", "omphalos_common", "omphalos_shipper", "omphalos_indexer", "omphalos_store"];

/// Starts logging at `level`: a word such as `info`, or directives of `tracing-subscriber`'s
/// `EnvFilter` such as `warn,omphalos_common=debug`.
///
/// # Errors
/// When the level is neither.
pub fn init_logs(format: LogFormat, level: &str) -> Result<(), ConfigError> {
    let directives = if level.chars().all(char::is_alphabetic) {
        // lapin writes whole returned messages into its warnings, and every error of its again
        // reaches us, who know what was being attempted.
        let ours = OUR_CRATES.map(|name| format!("{name}={level}")).join(",");
        format!("warn,lapin=off,{ours}")
    } else {
        level.to_owned()
    };
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        ConfigError::invalid(format!(
            "log_level: expected trace, debug, info, warn, error or off, found {level:?}: {error}"
        ))
    })?;
    let with_colours = said::takes_colours(&io::stderr());
    let masking = Masking { format, with_colours };
    let logs = Subscriber::builder().with_env_filter(filter).with_writer(masking);
    // It would say with `eprintln!` that it could not write, which panics where there is no terminal
    // any more.
    let logs = logs.log_internal_errors(false);
    let started = match format {
        LogFormat::Human => {
            let logs = logs.with_ansi(with_colours).with_target(false).finish();
            tracing::subscriber::set_global_default(logs)
        }
        LogFormat::Json => {
            let logs = logs.json().flatten_event(true).finish();
            tracing::subscriber::set_global_default(logs)
        }
    };
    started.map_err(|error| ConfigError::invalid(format!("logging is started twice: {error}")))
}

/// Standard error, without what must not be said, and with nothing that others wrote and that could be a
/// command for a terminal or pass for a line of ours. A line comes whole: tracing gathers it first, and it
/// escapes the colours of others. It takes every line: who logs must go on where the log cannot be written.
#[derive(Clone, Copy)]
struct Masking {
    format: LogFormat,
    with_colours: bool,
}

impl MakeWriter<'_> for Masking {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for Masking {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = match self.format {
            LogFormat::Human => {
                clean_lines(&masked(text), self.with_colours).replace('\n', "\u{240a}")
            }
            LogFormat::Json => clean_json(&masked_json(text)).into_owned(),
        };
        said::write((text + "\n").as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
