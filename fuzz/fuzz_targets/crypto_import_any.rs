//! libFuzzer's way into `skms_crypto::fuzzing::import_any`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_crypto::fuzzing::import_any(data));
