//! libFuzzer's way into `skms_crypto::fuzzing::pem`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_crypto::fuzzing::pem(data));
