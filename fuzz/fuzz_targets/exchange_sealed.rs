//! libFuzzer's way into `skms_exchange::fuzzing::sealed`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_exchange::fuzzing::sealed(data));
