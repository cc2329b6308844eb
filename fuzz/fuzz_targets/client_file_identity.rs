//! libFuzzer's way into `skms_client::fuzzing::file_identity`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| skms_client::fuzzing::file_identity(data));
