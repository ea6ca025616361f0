//! `omphalos-shipper`: tails log files and publishes their lines.

use std::process::ExitCode;

fn main() -> ExitCode {
    omphalos_shipper::cli::main()
}
