//! From the bytes of a file to the lines that parsers read: characters ([`charset`]), padding
//! ([`padding`]), what a container runtime wrapped around lines ([`container`]), and which lines make
//! one event ([`multiline`], joined by [`assemble`]).

pub mod assemble;
pub mod charset;
pub mod container;
pub mod multiline;
pub mod padding;
