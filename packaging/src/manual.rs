//! Manual pages, one for each command and subcommand.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;

/// What stands at the end of every page.
const END: &str = "\
.SH EXIT STATUS
0: done. 1: failed. 2: what was asked for, or a setting, makes no sense. \
Of \\fBomphalos audit\\fR, \\fBsearch\\fR and \\fBfleet\\fR as of \\fBgrep\\fR(1): \
0: all there, found, or well. 1: something is missing, nothing was found, or somebody is silent. 2: trouble.
.SH FILES
\\fI/etc/omphalos/\\fR has the settings files of the packages, in which every setting is explained.
.br
\\fI/var/lib/omphalos-shipper\\fR, \\fI/var/lib/omphalos-indexer\\fR, \\fI/var/lib/omphalos-relay\\fR and \
\\fI/var/lib/omphalos-run\\fR have the state of the services.
.SH SEE ALSO
\\fBomphalos\\fR(1), \\fBomphalos-shipper\\fR(1), \\fBomphalos-indexer\\fR(1)
";

/// A manual page.
#[derive(Debug)]
pub struct Page {
    /// Of what it is the page, such as `omphalos-dead-list`.
    pub name: String,
    /// The command that it is about.
    pub command: Command,
    /// The page, in the language of troff.
    pub text: Vec<u8>,
}

/// The pages of a command and of all its subcommands.
///
/// # Errors
/// None: what is written to is memory.
pub fn pages(command: Command) -> io::Result<Vec<Page>> {
    let mut command = command.disable_help_subcommand(true);
    // Names of subcommands, and the flags that they share with what they are of.
    command.build();
    let mut made = Vec::new();
    add_pages(&command, &mut made)?;
    Ok(made)
}

fn add_pages(command: &Command, made: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    // All flags in a line, which would be there otherwise, nobody can read.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let shown = command.clone().override_usage(usage).mut_args(with_aliases);
    let mut text = Vec::new();
    Man::new(shown).source("Omphalos").manual("Omphalos").render(&mut text)?;
    text.extend_from_slice(END.as_bytes());
    made.push(Page { name, command: command.clone(), text });
    command.get_subcommands().try_for_each(|command| add_pages(command, made))
}

/// With its other flags in its help, where `clap_mangen` leaves them out.
fn with_aliases(arg: Arg) -> Arg {
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    if aliases.is_empty() {
        return arg;
    }
    let aliases: Vec<String> = aliases.iter().map(|alias| format!("--{alias}")).collect();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    arg.help(format!("{help} [also: {}]", aliases.join(", ")))
}
