//! libFuzzer's way into `skms_store::fuzzing::store_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_store::fuzzing::store_header(data));
