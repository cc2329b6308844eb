//! libFuzzer's way into `skms_crypto::fuzzing::sec1`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_crypto::fuzzing::sec1(data));
