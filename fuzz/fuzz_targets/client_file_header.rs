//! libFuzzer's way into `skms_client::fuzzing::file_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_client::fuzzing::file_header(data));
