//! libFuzzer's way into `skms_keys::fuzzing::schedule`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_keys::fuzzing::schedule(data));
