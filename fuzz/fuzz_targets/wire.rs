//! See `src/wire.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| omphalos_fuzz::wire::run(data));
