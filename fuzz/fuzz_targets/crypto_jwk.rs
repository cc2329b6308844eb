//! libFuzzer's way into `skms_crypto::fuzzing::jwk`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_crypto::fuzzing::jwk(data));
