//! See `src/monitor.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| omphalos_fuzz::monitor::run(data));
