//! See `src/replies.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| omphalos_fuzz::replies::run(data));
