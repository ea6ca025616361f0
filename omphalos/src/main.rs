//! `omphalos`: one program for people at a keyboard.

use std::process::ExitCode;

fn main() -> ExitCode {
    omphalos::main()
}
