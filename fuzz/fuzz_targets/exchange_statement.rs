//! libFuzzer's way into `skms_exchange::fuzzing::statement`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_exchange::fuzzing::statement(data));
