//! `omphalos parse`: what would become of these lines?

use std::fs::File;
use std::io::{BufReader, BufWriter, stdin, stdout};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use omphalos_common::config::{ConfigError, Size};
use omphalos_common::ids::IdKeys;
use omphalos_parser::ParserKind;
use omphalos_shipper::config::Settings;
use omphalos_shipper::host::{host_name, machine_id};
use omphalos_shipper::monitor::Host;
use omphalos_shipper::parse::{ParseOptions, parse};

/// The subcommand.
pub fn command() -> Command {
    let text = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").help(help)
    };
    Command::new("parse")
        .about("Write the documents that the shipper would send for the lines of FILE, one a line")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The file, or - for standard input"),
        )
        .arg(
            Arg::new("parser")
                .long("parser")
                .value_name("NAME")
                .default_value("raw")
                .value_parser(ParserKind::NAMES.to_vec())
                .help("Format of the lines"),
        )
        .arg(text("dataset", "event.dataset; by default after the parser"))
        .arg(text("host-name", "host.name; the system's by default"))
        .arg(
            Arg::new("keep-original")
                .long("keep-original")
                .action(ArgAction::SetTrue)
                .help("Keep each line whole in event.original"),
        )
        .arg(
            Arg::new("max-line-bytes")
                .long("max-line-bytes")
                .value_name("SIZE")
                .default_value("1MiB")
                .help("Longer lines are cut"),
        )
}

/// Runs it.
pub fn run(given: &ArgMatches) -> anyhow::Result<()> {
    let get = |name: &str| given.get_one::<String>(name).cloned();
    let name = get("parser").unwrap_or_default();
    let parser = ParserKind::from_name(&name)
        .ok_or_else(|| ConfigError::invalid(format!("--parser: unknown format {name:?}")))?;
    let max_line_bytes = get("max-line-bytes").unwrap_or_default().parse::<Size>();
    let max_line_bytes = max_line_bytes
        .map_err(|error| ConfigError::invalid(format!("--max-line-bytes: {error}")))?;
    let file = get("file").unwrap_or_default();
    let settings = Settings { host_name: get("host-name"), ..Settings::default() };
    let mut options = ParseOptions {
        parser,
        dataset: get("dataset").unwrap_or_else(|| parser.default_dataset().to_owned()),
        host: Host::new(host_name(&settings), machine_id().unwrap_or_default(), &IdKeys::default()),
        path: PathBuf::from("-"),
        keep_original: given.get_flag("keep-original"),
        max_line_bytes: max_line_bytes.as_usize(),
    };
    let output = BufWriter::new(stdout().lock());
    if file == "-" {
        return Ok(parse(&options, stdin().lock(), output)?);
    }
    options.path = std::path::absolute(&file)?;
    let input = File::open(&file)
        .map_err(|error| ConfigError::invalid(format!("cannot read {file}: {error}")))?;
    Ok(parse(&options, BufReader::with_capacity(256 * 1024, input), output)?)
}
