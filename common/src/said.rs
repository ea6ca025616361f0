//! What is said to people on standard error, which may be gone: the terminal was closed, the pipe has
//! no reader, the disk is full. `eprintln!` panics then, and whoever was about to stop does not.
//!
//! So nothing prints with `eprintln!` and `println!` here; clippy refuses them. What a program was
//! asked for goes to standard output with `writeln!`, whose error is the program's.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Says a line on standard error; whoever says it goes on, also where nobody can hear it.
#[macro_export]
macro_rules! tell {
    () => { $crate::said::tell(format_args!("\n")) };
    ($form:literal $($rest:tt)*) => {
        $crate::said::tell(format_args!("{}\n", format_args!($form $($rest)*)))
    };
}

/// Writes to standard error what [`tell!`](crate::tell!) is given.
pub fn tell(text: Arguments<'_>) {
    write(text.to_string().as_bytes());
}

/// Writes to standard error, at once; what cannot be written is lost.
pub fn write(text: &[u8]) {
    // Nobody is left to whom it could be said.
    io::stderr().lock().write_all(text).ok();
}
