//! `omphalos parsers`: the formats that can be read, with a line of each.

use std::io::Write;
use std::process::ExitCode;

use clap::Command;
use omphalos_common::printed::{Form, printed};
use omphalos_parser::pages::PAGES;

const AFTER: &str = "\
A parser is set by --parser, or parser = \"…\" in a [[monitor]] table; without, the first line of each file
says what it is. Each has a page in docs/parsers/ with its fields.";

/// The subcommand.
pub fn command() -> Command {
    Command::new("parsers")
        .about("List the formats that can be read, with a line of each")
        .after_help(AFTER)
}

/// Runs it.
///
/// # Errors
/// When nothing can be written.
pub fn run() -> anyhow::Result<ExitCode> {
    let mut output = printed(Form::Plain);
    for page in &PAGES {
        writeln!(output, "{}: {}", page.kind.name(), page.kind.marks())?;
        if let Some(format) = page.format {
            writeln!(output, "    format = '{format}'")?;
        }
        for line in page.sample.iter().flat_map(|text| text.lines()) {
            writeln!(output, "    {line}")?;
        }
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
