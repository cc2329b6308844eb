//! libFuzzer's way into `skms_crypto::fuzzing::spki`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_crypto::fuzzing::spki(data));
